"""Sets of data that are made: the same bytes every time, and what they are said to be."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from throughtime.cli.main import run
from throughtime.data import toys
from throughtime.data.pairs import read_pairs
from throughtime.data.toys import TOYS, make_toy
from throughtime.errors import ArgumentError, StorageError

COUNTS = {"train": 300, "valid": 50, "test": 50}
PARTS = list(COUNTS)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Pairs are as many as a test can bear."""
    monkeypatch.setattr(toys, "DATES", COUNTS)
    monkeypatch.setattr(toys, "DIGITS", COUNTS)


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_the_same_bytes_come_every_time(toy, tmp_path):
    first, second = (make_toy(toy.name, tmp_path / folder) for folder in ("one", "two"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    one = [f"{toy.name}.csv"] if toy.name in ("passing", "balls") else [f"{part}.tsv" for part in PARTS]
    assert [path.name for path in first] == one
    if toy.name not in ("passing", "balls"):
        assert [len(read_pairs(path)) for path in first] == list(COUNTS.values())


@pytest.mark.parametrize(
    ("name", "change"),
    [("copy", lambda line: line), ("reverse", lambda line: line[::-1]), ("sort", sorted)],
)
def test_digits_become_what_they_should_and_no_line_is_in_two_files(name, change, tmp_path):
    parts = [read_pairs(path) for path in make_toy(name, tmp_path)]
    assert [len(part) for part in parts] == list(COUNTS.values())
    for part in parts:
        assert part.chosen.startswith("sources are column 'source', targets column 'target', found by itself; the")
        for source, target in zip(part.sources, part.targets, strict=True):
            assert target.split(" ") == list(change(source.split(" ")))
            assert {len(digit) for digit in source.split(" ")} == {1}
    every = [source for part in parts for source in part.sources]
    assert len(set(every)) == 400
    assert {len(source.split()) for source in every} == set(range(1, 21))
    assert {len(source.split()) for source in parts[2].sources} <= {len(source.split()) for source in parts[0].sources}


def test_digits_differ_from_toy_to_toy(tmp_path):
    lines = [read_pairs(make_toy(name, tmp_path / name)[0]).sources for name in ("copy", "reverse", "sort")]
    assert len({str(sorted(line)) for line in lines}) == 3


def test_who_studies_and_attends_passes(tmp_path):
    with make_toy("passing", tmp_path)[0].open() as file:
        rows = list(csv.DictReader(file))
    hours, lectures = (np.array([float(row[name]) for row in rows]) for name in ("hours", "lectures"))
    passed = np.array([row["result"] == "pass" for row in rows])
    chances = 1 / (1 + np.exp(9.3 - 0.6 * hours - 0.8 * lectures))
    assert len(rows) == 200
    assert abs(passed.sum() - chances.sum()) < 3 * np.sqrt((chances * (1 - chances)).sum())
    assert passed[chances > 0.9].mean() > 0.85
    assert passed[chances < 0.1].mean() < 0.15


def test_the_command_makes_lists_and_refuses(tmp_path, capsys, monkeypatch):
    assert run(["data", "make", "passing", "--out", str(tmp_path), "--json"]) == 0
    path = json.loads(capsys.readouterr().out)["files"][0]
    assert run(["data", "make", "passing", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert run(["data", "list"]) == 0
    assert "passing" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    assert run(["data", "make", "sort"]) == 0
    assert capsys.readouterr().out.split() == [str(Path("data/sort") / f"{part}.tsv") for part in PARTS]
    assert run(["data", "make", "passing"]) == 0
    assert capsys.readouterr().out.split() == [str(Path("data/passing.csv"))]
    assert all(Path(path).is_file() for path in ("data/passing.csv", "data/sort/test.tsv"))
    assert run(["data", "make", "pasing"]) == 2
    assert "no data 'pasing' can be made; did you mean 'passing'?" in capsys.readouterr().err


def test_files_of_others_are_not_written_over(tmp_path):
    (tmp_path / "test.tsv").write_text("mine\n")
    with pytest.raises(StorageError, match=r"test\.tsv is there and holds something else; choose another --out"):
        make_toy("copy", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["test.tsv"]
    assert (tmp_path / "test.tsv").read_text() == "mine\n"


def test_what_cannot_be_made_or_written_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="no data 'none' can be made; known: passing"):
        make_toy("none", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*passing.csv: .* choose another --out"):
        make_toy("passing", tmp_path / "file")
    with pytest.raises(StorageError, match=r"cannot write .*train.tsv: .* choose another --out"):
        make_toy("copy", tmp_path / "file")
