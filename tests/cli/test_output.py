import subprocess
import sys
from pathlib import Path

import pytest

from throughtime.cli.main import run


def commanded(line):
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("exec >/dev/full", "cannot write the output: No space left on device"),
        ("exec >&-", "cannot write the output: Bad file descriptor"),
    ],
)
@pytest.mark.parametrize("words", ["data list", "show --help", "--version"])
def test_an_output_that_refuses_is_one_line(prefix, says, words):
    done = commanded(f"{prefix}; exec {sys.executable} -m throughtime {words}")
    assert (done.returncode, done.stderr) == (2, f"throughtime: {says}\n")


def test_closed_streams_hinder_nothing_else():
    assert commanded(f"exec {sys.executable} -m throughtime nothing 2>&-").returncode == 2
    gone = commanded(f"{sys.executable} -m throughtime data list | head -n 0; exit ${{PIPESTATUS[0]}}")
    assert (gone.returncode, gone.stderr) == (0, "")


def test_an_error_that_is_no_fault_of_the_output_is_not_called_one(monkeypatch):
    monkeypatch.setattr("throughtime.cli.data.find_corpus", lambda name: Path("/nowhere/file").read_text())
    with pytest.raises(FileNotFoundError):
        run(["data", "get", "tinyshakespeare"])


def test_an_error_cannot_steer_the_terminal(capsys):
    assert run(["generate", "no\x1b[31mrun"]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "no\\u001b[31mrun" in err
