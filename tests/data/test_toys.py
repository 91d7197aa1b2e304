"""Sets of data that are made: the same bytes every time, and what they are said to be."""

import csv
import json

import numpy as np
import pytest

from throughtime.cli.main import run
from throughtime.data.toys import TOYS, make_toy
from throughtime.errors import ArgumentError, StorageError


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_the_same_bytes_come_every_time(toy, tmp_path):
    first, second = (make_toy(toy.name, tmp_path / folder) for folder in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert first.name == f"{toy.name}.csv"


def test_who_studies_and_attends_passes(tmp_path):
    with make_toy("passing", tmp_path).open() as file:
        rows = list(csv.DictReader(file))
    hours, lectures = (np.array([float(row[name]) for row in rows]) for name in ("hours", "lectures"))
    passed = np.array([row["result"] == "pass" for row in rows])
    chances = 1 / (1 + np.exp(9.3 - 0.6 * hours - 0.8 * lectures))
    assert len(rows) == 200
    assert abs(passed.sum() - chances.sum()) < 3 * np.sqrt((chances * (1 - chances)).sum())
    assert passed[chances > 0.9].mean() > 0.85
    assert passed[chances < 0.1].mean() < 0.15


def test_the_command_makes_lists_and_refuses(tmp_path, capsys):
    assert run(["data", "make", "passing", "--out", str(tmp_path), "--json"]) == 0
    path = json.loads(capsys.readouterr().out)["files"][0]
    assert run(["data", "make", "passing", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert run(["data", "list"]) == 0
    assert "passing" in capsys.readouterr().out
    assert run(["data", "make", "pasing"]) == 2
    assert "no data 'pasing' can be made; did you mean 'passing'?" in capsys.readouterr().err


def test_what_cannot_be_made_or_written_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="no data 'none' can be made; known: passing"):
        make_toy("none", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*passing.csv: .*; choose another --out"):
        make_toy("passing", tmp_path / "file")
