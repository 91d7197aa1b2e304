"""throughtime vectors train, through the command line: what it says, keeps, refuses and goes on with."""

import gzip
import hashlib
import io
import json
import os
import signal
import sys
from itertools import islice

import numpy as np
import pytest

from throughtime.cli.cores import cores
from throughtime.cli.main import run
from throughtime.vectors import checkpoint, crew
from throughtime.vectors.table import Table

KEYS = {"words_per_second", "words", "vocabulary", "unknown", "seconds", "texts", "skipped_bytes", "null_cells", "loss"}
METHODS = ["skipgram", "cbow", "fasttext", "glove", "svd"]


@pytest.fixture(scope="module")
def lines():
    chance = np.random.default_rng(0)
    return [" ".join(f"w{i}" for i in (30 * chance.random(40) ** 2).astype(int)) for _ in range(1000)] + ["once"]


@pytest.fixture
def source(tmp_path, lines):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def commanded(*words):
    return run(["vectors", "train", *map(str, words)])


def small(source, out, *words):
    return commanded("--text", source, "--out", out, "--dimension", 8, "--epochs", 2, *words)


def bits(out):
    return hashlib.sha256((out / "vectors.safetensors").read_bytes()).hexdigest()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def rounds_of(monkeypatch, chunks):
    """Lets a round have so many chunks, however long they take."""
    whole = crew.Crew.round
    monkeypatch.setattr(crew.Crew, "round", lambda self, places, seconds: whole(self, islice(places, chunks), 1e9))


def heard(monkeypatch, number, at):
    """Sends a signal to this process when the round `at` is over."""
    whole, rounds = crew.Crew.round, []

    def one(self, places, seconds):
        learned = whole(self, islice(places, 2), 1e9)
        rounds.append(learned)
        if len(rounds) == at:
            os.kill(os.getpid(), number)
        return learned

    monkeypatch.setattr(crew.Crew, "round", one)


@pytest.mark.parametrize("method", METHODS)
def test_a_table_is_made_and_told_of(source, tmp_path, capsys, method):
    epochs = [] if method == "svd" else ["--epochs", 2]
    words = ["--method", method, "--dimension", 8, *epochs, "--threads", 2, "--json"]
    assert commanded("--text", source, "--out", tmp_path / "new" / "table", *words) == 0
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert set(facts) >= KEYS
    assert (facts["words"], facts["vocabulary"], facts["unknown"], facts["texts"]) == (40001, 30, 1, 1001)
    assert facts["words_per_second"] > 0
    assert 0 < facts["training_seconds"] <= facts["seconds"]
    assert ("nonzeros_per_second" in facts) == (method == "glove")
    assert (facts["loss"] is None) == (method == "svd")
    assert "40,001 words in 1,001 texts; a vocabulary of 30; 1 words are not in it and left out; 0 bytes skipped" in err
    table = Table.load(tmp_path / "new" / "table")
    assert table.vectors.shape == (30, 8)
    assert table.facts["recipe"]["method"] == method
    assert table.facts["made"]["words"] == 40001
    assert (table.subwords is not None) == (method == "fasttext")
    assert names(tmp_path) == ["new", "text.txt"]
    assert names(tmp_path / "new") == ["table"]


@pytest.mark.parametrize("method", METHODS[:4])
def test_deterministic_tables_are_the_same_with_any_number_of_threads(source, tmp_path, method):
    for threads in (1, 2):
        words = "--method", method, "--threads", threads, "--deterministic"
        assert small(source, tmp_path / str(threads), *words) == 0
    assert bits(tmp_path / "1") == bits(tmp_path / "2")


def test_texts_of_all_kinds_give_the_same_table(source, lines, tmp_path, monkeypatch, capsys):
    text = source.read_bytes()
    (tmp_path / "text.txt.gz").write_bytes(gzip.compress(text, mtime=0))
    (tmp_path / "table.csv").write_text(
        "id,body\n" + "".join(f'{i},"{line}"\n' for i, line in enumerate(lines)) + "7,\n"
    )
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_bytes(text[: text.index(b"\n") + 1])
    (tmp_path / "folder" / "b.txt").write_bytes(text[text.index(b"\n") + 1 :])
    (tmp_path / "folder" / ".hidden").write_bytes(b"\0")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    sources = {
        "whole": [source],
        "packed": [tmp_path / "text.txt.gz"],
        "column": [tmp_path / "table.csv", "--column", "body"],
        "folder": [tmp_path / "folder"],
        "stdin": ["-"],
    }
    for name, (path, *words) in sources.items():
        assert small(path, tmp_path / "out" / name, *words, "--threads", 1, "--json") == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["null_cells"] == (name == "column")
        assert ("1 cells without text" in err) == (name == "column")
        assert ("1 hidden files and folders not read" in err) == (name == "folder")
    assert len({bits(tmp_path / "out" / name) for name in sources}) == 1


def test_settings_of_reading_arrive(tmp_path, capsys):
    (tmp_path / "text.txt").write_bytes(b"The the THE cat-cat \xff dog dog\n" * 3)
    words = ["--lower", "--token", "[a-z]+", "--maximum-vocab", 2, "--invalid-bytes", "skip", "--json"]
    assert small(tmp_path / "text.txt", tmp_path / "t", *words) == 0
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert Table.load(tmp_path / "t").words == ["the", "cat"]
    assert (facts["words"], facts["unknown"], facts["skipped_bytes"]) == (21, 6, 3)
    assert "3 bytes skipped" in err


def test_what_is_finished_is_said_to_be_and_other_tables_are_not_touched(source, tmp_path, capsys):
    out = tmp_path / "table"
    assert small(source, out, "--json") == 0
    first, before = json.loads(capsys.readouterr().out), bits(out)
    source.write_text("it is not read again")
    assert small(source, out, "--json", "--threads", 1) == 0
    said, err = capsys.readouterr()
    assert err == f"{out} is finished already.\n"
    assert json.loads(said) | {"seconds": 0} == first | {"seconds": 0}
    for words in (["--seed", 1], ["--window", 4], ["--method", "cbow"]):
        assert small(source, out, *words) == 2
        assert (
            capsys.readouterr().err == f"throughtime: {out} holds another table: choose another --out, or remove it\n"
        )
    (tmp_path / "something").mkdir()
    (tmp_path / "something" / "else.txt").write_text("kept")
    for path in (tmp_path / "something", source):
        assert small(source, path) == 2
        assert f"{path} holds something that is no table: choose another" in capsys.readouterr().err
    assert bits(out) == before
    assert names(tmp_path / "something") == ["else.txt"]
    facts = json.loads((out / "table.json").read_text())
    Table(["a"], np.ones((1, 1)), facts=facts["facts"] | {"made": 3}).save(tmp_path / "odd")
    assert small(source, tmp_path / "odd") == 2
    (tmp_path / "empty").mkdir()
    source.write_text("a b c " * 9)
    assert small(source, tmp_path / "empty") == 0


def test_a_folder_without_a_name_is_the_current_one(source, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert small(source, ".") == 0
    monkeypatch.chdir(tmp_path)
    assert len(Table.load(tmp_path / "here")) == 30


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("method", METHODS[:3])
def test_interrupted_and_resumed_it_ends_with_the_same_bits(source, tmp_path, monkeypatch, capsys, method, number):
    words = ["--method", method, "--deterministic", "--epochs", 4]
    assert small(source, tmp_path / "whole", *words) == 0
    before = signal.getsignal(number)
    out = tmp_path / "table"
    for at in (1, 2):
        with monkeypatch.context() as patched:
            heard(patched, number, at)
            assert small(source, out, *words) == 128 + number
        assert signal.getsignal(number) is before
        assert capsys.readouterr().err.endswith(
            f"Stopped. What was learned is in {out}.partial; the same command goes on from here.\n"
        )
        assert names(tmp_path) == ["table.partial", "text.txt", "whole"]
        early = Table.load(tmp_path / "table.partial" / "table")
        assert early.words == Table.load(tmp_path / "whole").words
        assert early.vectors.any()
    assert small(source, out, *words, "--seed", 1) == 2
    assert f"{out}.partial is the unfinished training of another table: --seed differs" in capsys.readouterr().err
    assert small(source, out, *words, "--threads", 2) == 0
    assert bits(out) == bits(tmp_path / "whole")
    assert names(tmp_path) == ["table", "text.txt", "whole"]


def test_states_are_kept_now_and_then_and_damaged_ones_are_refused(source, tmp_path, monkeypatch, capsys):
    from throughtime.recipes import tables

    monkeypatch.setattr(tables, "KEEP_SECONDS", -1.0)
    rounds_of(monkeypatch, 1)
    written, write = [], checkpoint.write

    def broken(*args):
        write(*args)
        written.append(args[1].chunk)
        if len(written) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write", broken)
    assert small(source, tmp_path / "table") == 130
    assert written == [1, 2, 3]
    assert names(tmp_path / "table.partial") == ["000000000003", "table"]
    numbers = tmp_path / "table.partial" / "000000000003" / "training.safetensors"
    content = bytearray(numbers.read_bytes())
    content[-1] ^= 1
    numbers.write_bytes(content)
    capsys.readouterr()
    assert small(source, tmp_path / "table") == 2
    assert "was changed after it was written" in capsys.readouterr().err


def test_what_a_killed_process_left_beside_is_no_hindrance(source, tmp_path, monkeypatch):
    partial = tmp_path / "table.partial"
    for name in (".table.partial", "table", ".000000000002.partial", "000000000002"):
        (partial / name).mkdir(parents=True)
        (partial / name / "table.json").write_text("{")
    with monkeypatch.context() as patched:
        heard(patched, signal.SIGTERM, 1)
        assert small(source, tmp_path / "table", "--deterministic") == 143
    assert Table.load(partial / "table").words
    (partial / ".table.partial").mkdir()
    assert small(source, tmp_path / "table", "--deterministic") == 0
    assert names(tmp_path) == ["table", "text.txt"]
    (partial / "000000000002").mkdir(parents=True)
    assert small(source, tmp_path / "table", "--deterministic") == 0  # finished already
    assert names(tmp_path) == ["table", "text.txt"]


def test_a_signal_while_reading_or_counting_ends_it_at_once(source, tmp_path, monkeypatch):
    from throughtime.recipes.vectors import Vectors

    before = signal.getsignal(signal.SIGTERM)
    for name, method in (("corpus", "skipgram"), ("_counts", "glove")):
        for number in (signal.SIGINT, signal.SIGTERM):
            with monkeypatch.context() as patched:
                patched.setattr(Vectors, name, lambda *_, sent=number, **__: os.kill(os.getpid(), sent))
                if number == signal.SIGINT:
                    assert small(source, tmp_path / "t", "--method", method) == 130
                else:
                    with pytest.raises(SystemExit) as ended:
                        small(source, tmp_path / "t", "--method", method)
                    assert ended.value.code == 143
            assert names(tmp_path) == ["text.txt"]
            assert signal.getsignal(signal.SIGTERM) is before


def test_a_terminal_sees_one_bar_after_the_other(source, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "150")
    assert small(source, tmp_path / "t") == 0
    err = capsys.readouterr().err
    assert "reading" in err
    assert err.rindex("reading") < err.index("skipgram") < err.index("words/s")


def test_diverging_is_one_line_and_leaves_nothing(source, tmp_path, capsys):
    assert small(source, tmp_path / "t", "--learning-rate", "1e30") == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("throughtime: training diverged")
    assert names(tmp_path) == ["text.txt"]


@pytest.fixture
def bad(tmp_path, source):
    """Texts that there is something wrong with, by name."""
    home = tmp_path / "bad"
    home.mkdir()
    (home / "empty").write_text("")
    (home / "blank").write_text(" \n\n")
    (home / "one").write_text("word " * 50)
    (home / "rare").write_text("all words are seen but once")
    (home / "latin").write_bytes(b"caf\xe9 au lait\n" * 9)
    (home / "pack.gz").write_bytes(b"\x1f\x8b\x08 and no more")
    for name, content in (("binary", b"\0\1\2"), ("fifo", None), ("hollow", b"")):
        (home / name).mkdir()
        (home / name / "a.txt").write_text("a b " * 9)
        (home / name / "b.txt").write_bytes(content) if content is not None else os.mkfifo(home / name / "b.txt")
    (home / "hollow" / "a.txt").unlink()
    (home / "broken").mkdir()
    (home / "broken" / "a.txt").symlink_to("nowhere")
    (home / "good").write_bytes(source.read_bytes())
    source.unlink()
    return home


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("empty", [], "there is no text in"),
        ("blank", [], "there is no text in"),
        ("hollow", [], "there is no text in"),
        ("one", [], "only one word is left, 'word', and vectors need two"),
        ("rare", [], "no words are left, and vectors need two: of 6 kinds of words the most frequent was seen 1 times"),
        ("latin", [], "--invalid-bytes"),
        ("pack.gz", [], "is not a whole gzip file"),
        ("binary", [], "binary"),
        ("fifo", [], "b.txt"),
        ("broken", [], "no such file"),
        ("absent", [], "no such file"),
        ("good", ["--column", "body"], "column 'body' is of a table"),
        ("good", ["--dimenson", 9], "unknown option --dimenson; did you mean '--dimension'?"),
        ("good", ["--threads", 0], "--threads must be in 1..1024; got 0"),
        ("good", ["--threads", "two"], "two"),
        ("good", ["--dimension", 0], "dimension does not fit"),
        ("good", ["--method", "elmo"], "elmo"),
        ("good", ["--minimum-count", 0], "minimum_count does not fit"),
        ("good", ["--token", "("], "is not a regular expression"),
        ("good", ["--token", "\udcff"], "token has bytes that are not UTF-8"),
        ("good", ["--method", "svd", "--dimension", 31], "dimension"),
        ("good", ["--method", "glove", "--memory-gb", "1e-7"], "--memory-gb"),
        ("good", ["--method", "cbow", "--shortest", 2], "shortest is for --method fasttext; got --method cbow"),
        ("good", ["--method", "fasttext", "--longest", 2], "longest must be at least shortest; got 2 and 3"),
        ("good", ["--objective", "softmax", "--negatives", 2], "negatives is for --objective negative"),
        ("\udcff", [], "text has bytes that are not UTF-8, and cannot be noted; give another name"),
    ],
    ids=lambda value: ascii(value) if isinstance(value, str) else None,
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(bad, tmp_path, capsys, name, words, says):
    assert commanded("--text", bad / name, "--out", tmp_path / "new" / "table", *words) == 2
    out, err = capsys.readouterr()
    told = [line for line in err.splitlines() if line.startswith("throughtime: ")]
    assert out == ""
    assert says in told[0]
    assert told == err.splitlines()[-1:]
    assert len(err.splitlines()) == 1 or " words in " in err.splitlines()[0]  # what was read, before it came to that
    assert names(tmp_path) == ["bad"]


@pytest.mark.parametrize("name", ["x" * 300, "x" * 250, "text.txt/table"])
def test_outs_that_cannot_be_are_refused_before_any_work(source, tmp_path, capsys, monkeypatch, name):
    monkeypatch.setattr("throughtime.data.texts.Texts.open", lambda *_, **__: pytest.fail("the text was opened"))
    assert small(source, tmp_path / name) == 2
    assert capsys.readouterr().err.startswith("throughtime: cannot write")
    assert names(tmp_path) == ["text.txt"]


def test_nothing_is_refused_without_a_word_of_what_is_missing(capsys):
    assert commanded() == 2
    assert "--text" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        commanded("--help")
    assert "--deterministic" in capsys.readouterr().out


def test_the_number_of_processes_is_a_number(source, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "many")
    assert small(source, tmp_path / "t") == 2
    assert "WORLD_SIZE must be a number of processes; got 'many'" in capsys.readouterr().err
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert small(source, tmp_path / "t") == 2
    assert "WORLD_SIZE is set, but the processes cannot meet:" in capsys.readouterr().err


def test_processes_on_a_machine_share_its_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    for beside, share in (("1", 6), ("2", 3), ("4", 1), ("9", 1), ("0", 6), ("x", 6)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", beside)
        assert cores() == share
    monkeypatch.delenv("LOCAL_WORLD_SIZE")
    assert cores() == 6
