"""The page docs/estimators.md is true: its blocks of Python run in order, and print what it says that they print.

After a block of Python may stand what it prints, as `text`. Blocks without a name are for a terminal.
"""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from throughtime.cli.main import run

PAGE = Path(__file__).parents[1] / "docs" / "estimators.md"
FENCED = re.compile(r"^```(.*)\n((?s:.*?))^```$", re.M)
OPTION = re.compile(r"--[a-z][a-z-]+")


def test_the_page_is_true(imitated, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text, space = PAGE.read_text(), dict[str, Any]({"__name__": "page"})
    printed, kinds = "", set()
    for block in FENCED.finditer(text):
        line, kind, body = text[: block.start(2)].count("\n"), block[1], block[2]
        kinds.add(kind)
        if kind == "python":
            assert not printed, f"what is printed before line {line} is not told"
            with redirect_stdout(StringIO()) as out:
                exec(compile("\n" * line + body, PAGE, "exec"), space)  # noqa: S102
            printed = out.getvalue()
        elif kind == "text":
            assert printed == body, f"line {line}"
            printed = ""
    assert not printed
    assert kinds == {"python", "text", ""}


@pytest.mark.parametrize("command", ["train classify", "predict", "evaluate", "show"])
def test_the_commands_of_the_page_exist_with_their_options(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    found = re.findall(rf"throughtime {command}\b([^`\n]*)", PAGE.read_text())
    assert found
    with pytest.raises(SystemExit) as ended:
        run([*command.split(), "--help"])
    assert ended.value.code == 0
    known = {*OPTION.findall(capsys.readouterr().out), "--help"}
    assert {option for words in found for option in OPTION.findall(words)} <= known
