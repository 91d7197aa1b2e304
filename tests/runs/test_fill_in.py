"""A run of masked units fills in what is hidden in lines, and every other command says which one does."""

import io
import json

import pytest

from throughtime.cli.main import run
from throughtime.train import fit


@pytest.mark.parametrize("unit", ["character", "word", "subword", "byte"])
def test_a_command_fills_in_what_is_hidden_and_the_others_say_so(tiny, tmp_path, unit, capsys, monkeypatch):
    sizes = {} if unit != "subword" else {"maximum_vocab": 300}
    home = str(tmp_path / "run")
    steps = fit(tiny(objective="masked", unit=unit, epochs=1, layers=1, **sizes), tmp_path / "run")
    next(steps)
    steps.close()
    lines = "the <mask> sees <mask>\n\nthe cat\n<mask>\nthe ☃ <mask>\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert run(["stream", home, "--json"]) == 0
    first, second, third, strange = map(json.loads, capsys.readouterr().out.splitlines())
    assert (second["text"], second["filled"], second["line"]) == ("the cat", [], 3)
    space = "" if unit == "subword" else " "
    assert first["text"] == f"the{space}{first['filled'][0]} sees{space}{first['filled'][1]}"
    assert third["filled"] == [third["text"]]
    lacks = int(unit in ("character", "word"))
    assert [one["unknown"] for one in (first, second, third, strange)] == [0, 0, 0, lacks]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert run(["stream", home]) == 0
    *plain, last = capsys.readouterr().out.splitlines()
    assert not any("\t" in line for line in plain)
    assert last.endswith("\t1 unknown" * lacks)
    for way in ("generate", "predict"):
        assert run([way, home, *(["x.txt"] if way == "predict" else [])]) == 2
        assert "stream" in capsys.readouterr().err
