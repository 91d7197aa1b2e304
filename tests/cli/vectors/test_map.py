"""throughtime vectors map, in this process."""

import json

import numpy as np
import pytest

from throughtime.cli.main import run
from throughtime.vectors.table import Table

WORDS = ["he", "she", "man", "woman", *(f"word{i}" for i in range(26))]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    chance = np.random.default_rng(0)
    vectors = chance.normal(size=(30, 6))
    vectors[:4] = [[5, 0, 0, 0, 0, 1], [-5, 0, 0, 0, 0, 1], [5, 1, 0, 0, 0, 0], [-5, 1, 0, 0, 0, 0]]
    folder = tmp_path_factory.mktemp("map") / "table"
    Table(WORDS, vectors.astype(np.float32)).save(folder)
    return folder


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("he she\nman woman\nking queen\n")
    return path


def refused(capsys, *words):
    assert run(["vectors", "map", *map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("method", "kind"), [("pca", "html"), ("tsne", "html"), ("lle", "html"), ("pca", "png"), ("pca", "svg")]
)
def test_every_method_and_every_kind(table, tmp_path, capsys, method, kind):
    out = tmp_path / f"map.{kind}"
    assert run(["vectors", "map", str(table), "--out", str(out), "--method", method, "--words", "12", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["method"], said["words"], said["vocabulary"], said["seed"]) == (method, 12, 30, 0)
    assert (said["explained"] is None) == (method != "pca")
    assert sum(cluster["size"] for cluster in said["clusters"]) == 12
    assert ("labelled" in said) == (kind != "html")
    assert out.read_bytes()[:5] == {"html": b"<!DOC", "png": b"\x89PNG\r", "svg": b"<?xml"}[kind]
    assert [entry.name for entry in tmp_path.iterdir()] == [out.name]


def test_the_same_command_writes_the_same_file(table, tmp_path, capsys):
    for name in ("one", "two"):
        assert run(["vectors", "map", str(table), "--out", str(tmp_path / f"{name}.html"), "--seed", "5"]) == 0
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert capsys.readouterr().err == ""


def test_what_was_drawn_is_told(table, tmp_path, pairs, capsys):
    words = ["--method", "pca", "--colour", "bias", "--pairs", str(pairs), "--clusters", "2"]
    assert run(["vectors", "map", str(table), "--out", str(tmp_path / "map.png"), *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'map.png'}: PCA of 30 of 30 words, 6 dimensions. Across: ")
    assert [line.split(":")[0] for line in lines[1:4]] == ["cluster 1", "cluster 2", "bias"]
    assert lines[3] == "bias: from she to he, 100.0 % of 2 pairs' differences"
    assert lines[4].endswith("a dot alone")
    assert lines[5:] == [
        "note: the table has only 30 words, not 500",
        "note: 1 of 3 pairs have a word that is not in the table and are left out",
    ]


def test_words_of_a_file_that_the_table_has_not_are_counted_and_shown(table, tmp_path, capsys):
    only = tmp_path / "only.txt"
    only.write_text(f"word3\nword1\nHe\nnowhere\nword2\n{'x' * 99}\nword1\n")
    out = tmp_path / "map.html"
    words = ["vectors", "map", str(table), "--out", str(out), "--method", "pca", "--only", str(only), "--json"]
    assert run(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["missing"] == ["nowhere", "x" * 99]
    assert said["words"] == 4
    note = "2 of the 6 words asked for are not in the table: nowhere, " + "x" * 39 + "…"
    assert said["notes"][0] == note
    page = out.read_text()
    assert f"<li>{note}</li>" in page
    assert '"words":["he","word1","word2","word3"]' in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "map.pdf"], "maps go into a .html, .png or .svg file; got 'map.pdf'"),
        (["--out", "map"], "maps go into a .html, .png or .svg file; got 'map'"),
        (["--out", "nowhere/map.html"], "there is no folder nowhere; choose another --out"),
        (["--words", "2"], "--words must be at least 3, as a map of fewer says nothing; got 2"),
        (["--clusters", "0"], "clusters must be in 1..24"),
        (["--seed", "-1"], "--seed must be in 0..2^32; got -1"),
        (["--seed", "4294967296"], "--seed must be in 0..2^32; got 4294967296"),
        (["--method", "umap"], "invalid choice 'umap'"),
        (["--colour", "bias"], "--colour bias needs pairs of words that say which bias: give --pairs FILE"),
        (["--only", "nowhere.txt"], "no such file: nowhere.txt"),
        (["--pairs", "nowhere.txt"], "no such file: nowhere.txt"),
        (
            ["--only", "strangers.txt"],
            "0 of the 2 words of strangers.txt are in the table, and a map needs 3; not in it",
        ),
        (["--only", "few.txt"], "2 of the 2 words of few.txt are in the table, and a map needs 3"),
        (["--pairs", "strangers.txt"], "give two different words"),
        (["--colors", "3"], "unknown option --colors; did you mean '--colour'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_fit_is_one_line(table, tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strangers.txt").write_text("kumquat\nloquat\n")
    (tmp_path / "few.txt").write_text("he\nshe\n")
    assert message in refused(capsys, table, *([] if "--out" in words else ["--out", "map.html"]), *words)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["few.txt", "strangers.txt"]


def test_a_folder_is_not_written_over(table, tmp_path, capsys):
    (tmp_path / "map.html").mkdir()
    assert "it is a folder; choose another --out" in refused(capsys, table, "--out", tmp_path / "map.html")


def test_a_table_that_is_not_there_is_one_line(tmp_path, capsys):
    refused(capsys, tmp_path / "nowhere", "--out", tmp_path / "map.html")
    assert list(tmp_path.iterdir()) == []


def test_many_words_by_tsne_are_said_to_take_long(table, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("throughtime.cli.vectors.map.MANY", 10)
    assert run(["vectors", "map", str(table), "--out", str(tmp_path / "map.html"), "--words", "11"]) == 0
    assert capsys.readouterr().err == "t-SNE of 11 words takes minutes; --method pca takes seconds\n"
