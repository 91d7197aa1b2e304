"""embed: vectors in the order of the lines, whatever the form; files, lines and runs that do not fit."""

import csv
import gzip
import json

import numpy as np
import pytest

import throughtime
from throughtime.cli import embed
from throughtime.cli.main import run
from throughtime.errors import DataError

LINES = ["the cat sleeps", "", "a dog barks at the cat", "the cat sleeps", " \t", "zebra", "a dog"]
SIZES = ["--epochs", "1", "--embedding", "4", "--minimum-count", "1"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a file of sentences, a run of sentences, and some of other kinds."""
    home = tmp_path_factory.mktemp("embed")
    (home / "lines.txt").write_text("\n".join(LINES) + "\n")
    (home / "text.txt").write_text("the cat sleeps\na dog barks at the cat\nthe cat sleeps\nthe dog barks\n" * 6)
    with (home / "texts.csv").open("w", newline="") as file:
        rows = [("a fine cat", "good"), ("a poor dog", "bad"), ("the fine dog", "good"), ("the poor cat", "bad")]
        csv.writer(file).writerows([("text", "label"), *rows * 5])
    pairs = ["source\ttarget", "the cat\tdie Katze", "a dog\tein Hund", "the dog\tder Hund", "a cat\teine Katze"]
    (home / "pairs.tsv").write_text("\n".join(pairs) + "\n")
    trains = {
        "sentences": ["sentences", "--text", str(home / "text.txt"), "--hidden", "3"],
        "classify": ["classify", "--train", str(home / "texts.csv"), "--hidden", "3"],
        "translate": [
            "translate",
            "--pairs",
            str(home / "pairs.tsv"),
            "--unit",
            "word",
            "--hidden",
            "4",
            "--held-out",
            "0.25",
        ],
        "bag": ["classify", "--train", str(home / "texts.csv"), "--core", "bag"],
    }
    for name, words in trains.items():
        some = SIZES[:2] + SIZES[4:] if name == "bag" else SIZES
        assert run(["train", *words, "--out", str(home / name), *some]) == 0
    return home


def said(capsys, *words):
    """What a command prints, on stdout and stderr."""
    assert run(["embed", *(str(word) for word in words)]) == 0
    return capsys.readouterr()


def refused(capsys, *words):
    assert run(["embed", *(str(word) for word in words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("throughtime: ")
    return line


@pytest.mark.parametrize("name", ["sentences", "classify", "translate"])
def test_every_form_says_the_same_in_the_order_of_the_lines(home, tmp_path, capsys, name, monkeypatch):
    out, err = said(capsys, home / name, home / "lines.txt")
    plain = np.array([line.split("\t") for line in out.splitlines()], np.float32)
    width = {"sentences": 3, "classify": 6, "translate": 8}[name]
    assert err.splitlines() == [f"7 lines, 2 of them empty, {width} numbers each"]
    facts = [json.loads(line) for line in said(capsys, home / name, home / "lines.txt", "--json").out.splitlines()]
    assert [(one["line"], one["text"]) for one in facts] == list(enumerate(LINES, 1))
    assert np.array_equal(np.array([one["vector"] for one in facts], np.float32), plain)
    monkeypatch.setattr(embed, "BLOCK", 2)  # of which nothing is seen
    assert said(capsys, home / name, home / "lines.txt", "--out", tmp_path / "v.npy").out == ""
    array = np.load(tmp_path / "v.npy")
    assert (array.dtype, array.shape) == (np.float32, (7, width))
    np.testing.assert_allclose(array, plain, atol=1e-6)
    assert not array[[1, 4]].any()
    assert array[[0, 2, 3, 5, 6]].any(1).all()
    assert np.allclose(array[0], array[3], atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["v.npy"]


def test_they_are_those_of_the_encoder_and_of_length_one_if_asked(home, capsys):
    encoder = throughtime.load(home / "sentences")
    (home / "lines.txt.gz").write_bytes(gzip.compress((home / "lines.txt").read_bytes()))
    out = said(capsys, home / "sentences", home / "lines.txt.gz", "--normalise").out
    found = np.array([line.split("\t") for line in out.splitlines()], np.float32)
    wanted = encoder.embed(LINES)
    sizes = np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(found, wanted / np.where(sizes > 0, sizes, 1), atol=1e-6)


def test_the_nearest_lines_come_first_and_empty_ones_never(home, capsys, monkeypatch):
    monkeypatch.setattr(embed, "BLOCK", 2)
    encoder = throughtime.load(home / "sentences")
    vectors = encoder.embed(LINES).astype(float)
    wanted = encoder.embed(["the cat sleeps"])[0].astype(float)
    full = [place for place, line in enumerate(LINES) if line.strip()]
    cosines = {i: vectors[i] @ wanted / np.linalg.norm(vectors[i]) / np.linalg.norm(wanted) for i in full}
    out = said(capsys, home / "sentences", home / "lines.txt", "--nearest", "the cat sleeps").out
    rows = [line.split("\t") for line in out.splitlines()]
    assert [int(number) for _, number, _ in rows[:2]] == [1, 4]
    assert {int(number) for _, number, _ in rows} == {place + 1 for place in full}
    for cosine, number, text in rows:
        assert float(cosine) == pytest.approx(cosines[int(number) - 1], abs=2e-4)
        assert text == LINES[int(number) - 1]
    assert sorted(rows, key=lambda row: -float(row[0])) == rows
    words = ["--nearest", "the cat sleeps", "--count", "1", "--json"]
    (one,) = [
        json.loads(line) for line in said(capsys, home / "sentences", home / "lines.txt", *words).out.splitlines()
    ]
    assert (one["line"], one["text"]) == (1, LINES[0])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["none.txt"], "no such file: "),
        (["."], "is a folder"),
        (["empty.txt"], "is empty; give a file with a sentence a line"),
        (["latin.txt"], "is not UTF-8: byte 0xe9 at offset 6, line 2"),
        (["binary.txt"], "is binary"),
        (["long.txt"], "line 2 has 131,073 characters, over the 131,072 that are read as a sentence; cut it"),
        (["lines.txt", "--out", "v.txt"], "--out is an .npy file; got "),
        (["lines.txt", "--out", "no/v.npy"], "cannot write "),
        (["lines.txt", "--out", "v.npy", "--json"], "--json is of what stdout gets, and --out writes an array"),
        (["lines.txt", "--nearest", " "], "--nearest has no words; give it a sentence"),
        (["lines.txt", "--nearest", "a", "--normalise"], "--nearest gives lines and no vectors: leave --normalise out"),
        (["lines.txt", "--nearest", "a", "--count", "0"], "--count must be at least 1; got 0"),
        (["lines.txt", "--count", "3"], "--count 3 is of --nearest, which is not given"),
        (["lines.txt", "--normalize"], "unknown option --normalize; did you mean '--normalise'?"),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_line_and_nothing_is_left(home, tmp_path, capsys, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    files = {"empty": b"", "latin": b"a dog\n\xe9\n", "binary": b"a\n\0", "long": b"a dog\n" + b"a" * (2**17 + 1)}
    for name, content in {**files, "lines": b"a dog\n"}.items():
        (tmp_path / f"{name}.txt").write_bytes(content)
    assert says in refused(capsys, home / "sentences", *words)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".txt"]


def test_runs_without_vectors_are_refused_with_the_way_out(home, capsys, monkeypatch):
    assert "embed is for texts that are read in their order, and this run is of bags of words: try predict" in refused(
        capsys, home / "bag", home / "lines.txt"
    )
    monkeypatch.setattr("throughtime.runs.recipe_of", lambda home: throughtime.Language(text="x.txt"))
    told = refused(capsys, home / "sentences", home / "lines.txt")
    assert "embed is for runs that have a vector for a text, and " in told
    assert "holds a language model; make one with throughtime train sentences --text FILE --out RUN" in told


def test_bytes_that_are_not_text_can_be_skipped_and_are_counted(home, tmp_path, capsys):
    (tmp_path / "lines.txt").write_bytes(b"a dog\xff\nthe cat\n")
    err = said(capsys, home / "sentences", tmp_path / "lines.txt", "--invalid-bytes", "skip").err
    assert err == "2 lines, 0 of them empty, 1 bytes that are not UTF-8 skipped, 3 numbers each\n"


class _Changing:
    """Lines that are others when they are read a second time."""

    path, skipped_bytes, origin = "lines.txt", 0, "lines.txt, line"

    def __init__(self, *times):
        self.times = list(times)

    def __iter__(self):
        return iter(self.times.pop(0))


@pytest.mark.parametrize("again", [["a"], ["a", "b", "c"]])
def test_a_file_that_changes_while_it_is_read_is_refused(home, tmp_path, again, monkeypatch):
    monkeypatch.setattr("throughtime.data.lines.Lines", lambda path, **options: _Changing(["a", "b"], again))
    with pytest.raises(DataError, match=r"lines\.txt was changed while it was read"):
        embed.command([str(home / "sentences"), "lines.txt", "--out", str(tmp_path / "v.npy")])
    assert not list(tmp_path.iterdir())


def test_vectors_that_are_no_numbers_are_refused_by_line(home, tmp_path, capsys, monkeypatch):
    def broken(self, sentences):
        return np.array([[np.nan if "dog" in text else 1.0] * 3 for text in sentences], np.float32)

    monkeypatch.setattr("throughtime.models.sentence_encoder.SentenceEncoder.embed", broken)
    told = refused(capsys, home / "sentences", home / "lines.txt", "--out", tmp_path / "v.npy")
    assert "lines.txt, line 3: its vector is no number; leave the line out" in told
    assert not list(tmp_path.iterdir())


def test_a_line_that_cannot_be_read_is_named(home, tmp_path, capsys):
    (tmp_path / "long.txt").write_text("a b\n\n" + "a " * 40_000 + "\nb\n")
    told = refused(capsys, home / "translate", tmp_path / "long.txt")
    assert "long.txt, line 3: a source has" in told


def test_a_stream_answers_each_sentence_with_its_vector(home):
    from throughtime.runs import recipe_of
    from throughtime.runs import sentences as runs

    encoder = throughtime.load(home / "sentences")
    live = runs.stream(encoder, recipe_of(home / "sentences"))
    assert live.take(" ") is None
    facts = live.take("a dog")
    assert np.allclose(facts["vector"], encoder.embed(["a dog"])[0])
    assert np.allclose([float(number) for number in live.plain(facts).split("\t")], facts["vector"])
