import io
import json
import sys

import pytest

from throughtime.cli.main import run
from throughtime.vectors.cooccurrence import Counts, cooccur
from throughtime.vectors.corpus import corpus_of

LINES = ["the cat saw the dog", "the dog saw A cat", "", "the bird"]
TEXT = "\n".join(LINES) + "\n"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def commanded(*words):
    return run(["vectors", "cooccur", *map(str, words)])


def refused(capsys, *words):
    assert commanded(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def assert_counts(home, *, minimum_count=2, texts=LINES, **settings):
    found = Counts.load(home)
    wanted = cooccur(corpus_of([line.split() for line in texts], minimum_count=minimum_count), **settings)
    assert found.words == wanted.words
    assert (found.matrix() != wanted.matrix()).nnz == 0
    assert (found.window, found.side, found.weighting) == (wanted.window, wanted.side, wanted.weighting)


def test_a_text_is_counted_and_told_of(source, tmp_path, capsys):
    assert commanded("--text", source, "--out", tmp_path / "counts", "--minimum-count", 2, "--json") == 0
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert err == ""
    assert facts["tokens_per_second"] > 0
    assert facts["seconds"] > 0
    told = {name: facts[name] for name in ("words", "vocabulary", "unknown", "texts", "skipped_bytes", "nonzeros")}
    # A and bird are unknown: of the second text four words are left, of the last one.
    assert told == {"words": 12, "vocabulary": 4, "unknown": 2, "texts": 3, "skipped_bytes": 0, "nonzeros": 13}
    assert_counts(tmp_path / "counts")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts", "text.txt"]


def test_a_terminal_sees_a_bar(source, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert commanded("--text", source, "--out", tmp_path / "counts", "--minimum-count", 1, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["unknown"] == 0
    assert "reading" in err
    assert "counting" in err
    assert "100%" in err


def test_every_setting_arrives(source, tmp_path, capsys):
    words = ["--window", 2, "--side", "right", "--weighting", "none", "--minimum-count", 1, "--maximum-vocab", 3]
    out = tmp_path / "new" / "counts"
    assert commanded("--text", source, "--out", out, *words, "--lower", "--token", r"[a-z]{3}", "--threads", 2) == 0
    said = capsys.readouterr().out
    lines = {line[:20].strip(): line[20:].strip() for line in said.splitlines()}
    assert lines["words"] == "11"
    assert lines["vocabulary"] == "3"
    assert lines["threads"] == "2"
    found = Counts.load(out)
    assert found.words == ["the", "cat", "dog"]
    assert (found.window, found.side, found.weighting) == (2, "right", "none")
    assert found.row("cat") == [("the", 1.0), ("dog", 1.0)]  # of "the cat the dog": saw takes no place


def test_the_standard_input_and_another_table_are_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert commanded("--text", "-", "--out", tmp_path / "counts", "--minimum-count", 2) == 0
    assert_counts(tmp_path / "counts")
    table = tmp_path / "table.jsonl"
    table.write_text("".join(json.dumps({"body": line, "id": i}) + "\n" for i, line in enumerate(LINES)))
    options = ["--minimum-count", 1, "--window", 1, "--column", "body"]
    assert commanded("--text", table, "--out", tmp_path / "counts", *options) == 0
    assert_counts(tmp_path / "counts", minimum_count=1, window=1)
    assert "words" in capsys.readouterr().out


def test_what_is_not_read_is_counted(tmp_path, capsys):
    home = tmp_path / "texts"
    home.mkdir()
    (home / "a.txt").write_bytes(b"a b \xff a b\n")
    (home / "b.csv").write_text("id,body\n1,a c\n2,\n")
    (home / ".hidden").write_text("d")
    words = ["--text", home, "--out", tmp_path / "counts", "--minimum-count", 1, "--column", "body", "--json"]
    assert "--invalid-bytes skip" in refused(capsys, *words)
    assert commanded(*words, "--invalid-bytes", "skip") == 0
    facts = json.loads(capsys.readouterr().out)
    told = {name: facts[name] for name in ("words", "skipped_bytes", "null_cells", "hidden_files")}
    assert told == {"words": 6, "skipped_bytes": 1, "null_cells": 1, "hidden_files": 1}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--window", 0], "window must be at least 1 word; got 0"),
        (["--side", "up"], "side"),
        (["--threads", 0], "threads must be at least 1; got 0"),
        (["--memory-gb", 0], "--memory-gb must be above 0 and finite; got 0.0"),
        (["--memory-gb", "inf"], "--memory-gb must be above 0 and finite; got inf"),
        (["--memory-gb", "1e-7"], "memory_bytes must be at least"),
        (["--minimum-count", 100], "--minimum-count is 100"),
        (["--token", "("], "is not a regular expression"),
        (["--column", "body"], "column 'body'"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(source, tmp_path, capsys, words, says):
    options = ["--minimum-count", 1, *words] if "--minimum-count" not in words else words
    assert says in refused(capsys, "--text", source, "--out", tmp_path / "counts", *options)
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_texts_that_are_not_there_or_empty(tmp_path, capsys):
    assert "no such file" in refused(capsys, "--text", tmp_path / "absent", "--out", tmp_path / "counts")
    (tmp_path / "empty.txt").write_text("\n\n")
    assert "throughtime: " in refused(capsys, "--text", tmp_path / "empty.txt", "--out", tmp_path / "counts")
    assert [path.name for path in tmp_path.iterdir()] == ["empty.txt"]


def test_a_folder_of_something_else_is_refused_before_any_work(source, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("throughtime.data.texts.Texts.open", lambda *_, **__: pytest.fail("the text was opened"))
    assert "does not hold co-occurrence counts" in refused(capsys, "--text", source, "--out", tmp_path)


def test_nothing_stays_when_it_is_stopped(source, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("throughtime.vectors.cooccurrence.cooccur", stop)
    assert commanded("--text", source, "--out", tmp_path / "counts", "--minimum-count", 1) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]
