"""show, and evaluate, of folders that were made to harm."""

import json
import shutil

import pytest

from throughtime import folder
from throughtime.cli.main import run
from throughtime.train import course, fit


@pytest.fixture(scope="module")
def stopped(tiny, tmp_path_factory):
    home = tmp_path_factory.mktemp("stopped") / "run"
    stream = fit(tiny(evaluate_every=5), home)
    for _ in range(7):
        next(stream)
    stream.close()
    return home


@pytest.fixture
def copy(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / "run")


def resealed(home, name, change):
    files = {n: (home / n).read_bytes() for n in folder.read_manifest(home).files}
    files[name] = change(files[name])
    folder.write_files(home, files, status="stopped")


def with_json(**changes):
    return lambda body: json.dumps(json.loads(body) | changes).encode()


def refused(capsys, *words):
    assert run(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize("command", ["show", "evaluate"])
@pytest.mark.parametrize(
    "change",
    [lambda body: b"{}", with_json(text=3), with_json(vocab=-1), with_json(text_sha256=None)],
    ids=["empty", "a number for a name", "a count below zero", "no hash"],
)
def test_facts_that_are_none_are_one_line(copy, capsys, command, change):
    resealed(copy, "data.json", change)
    assert "data.json does not hold what a run needs" in refused(capsys, command, str(copy))


def test_control_characters_are_shown_and_not_obeyed(copy, capsys):
    evil = "\x1b]0;x\x07\x9b2J\u202e"
    resealed(copy, "data.json", with_json(text=evil, valid=evil))
    resealed(copy, "recipe.json", with_json(text=f"/{evil}"))
    for words in (["show", str(copy)], ["show", str(copy), "--json"]):
        assert run(words) == 0
        out = capsys.readouterr().out
        assert "\\u001b" in out
        assert out.replace("\n", "").isprintable()


def test_progress_that_was_changed_is_refused(copy, capsys):
    body = (copy / "progress.jsonl").read_bytes()
    (copy / "progress.jsonl").write_bytes(body.replace(b"1", b"2"))
    assert "progress.jsonl was changed" in refused(capsys, "show", str(copy))


def test_progress_of_a_run_that_is_only_a_checkpoint_may_be_half_written(copy, capsys):
    folder.unmark(copy)
    with (copy / "progress.jsonl").open("ab") as file:
        file.write(b'{"step": 7, "loss')
    assert run(["show", str(copy), "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["validation"]) == ["5"]
    with (copy / "progress.jsonl").open("ab") as file:
        file.write(b'\n{"step": 8}\n')
    assert "line 2 of progress.jsonl does not read" in refused(capsys, "show", str(copy))


def test_a_checkpoint_can_be_shown_by_its_own_name(copy, capsys):
    assert run(["show", str(course.last_checkpoint(copy))]) == 0
    assert "(unfinished)" in capsys.readouterr().out


@pytest.mark.parametrize("change", [lambda body: body + "ñ", lambda body: body[:-9] + body[-9:].upper()])
def test_gradients_of_a_text_that_was_changed_are_refused(change, tiny, text, tmp_path, capsys):
    path = tmp_path / "text.txt"
    path.write_text(text.read_text())
    stream = fit(tiny(text=path), tmp_path / "run")
    next(stream)
    stream.close()
    path.write_text(change(text.read_text()))
    words = ["show", str(tmp_path / "run"), "--gradients", str(tmp_path / "g.svg")]
    assert "was changed since" in refused(capsys, *words)


def test_a_name_with_a_dollar_can_be_drawn(copy, tmp_path):
    moved = copy.rename(copy.with_name("$run"))
    assert run(["show", str(moved), "--curve", str(tmp_path / "curve.png")]) == 0
