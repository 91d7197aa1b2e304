"""The pages docs/reading.md, translating.md and sentences.md are true: their commands exist with all options."""

import re
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

import pytest

from throughtime.cli.main import COMMANDS, run
from throughtime.recipes import APPLICATIONS

PAGES = [Path(__file__).parents[1] / "docs" / name for name in ("reading.md", "translating.md", "sentences.md")]
TEXT = "\n".join(page.read_text() for page in PAGES)
COMMAND = re.compile(r"throughtime (train \w+|tune \w+|data make|\w+)\b([^`\n|>]*)")
OPTION = re.compile(r"--[a-z][a-z-]+")
FENCES = re.findall(r"^```(\w*)\n((?s:.*?))^```$", TEXT, re.M)
LINES = [line for language, block in FENCES if not language for line in block.splitlines()]


def commands() -> dict[str, set[str]]:
    """Each command of the page, with the options that it is given there."""
    found: dict[str, set[str]] = {}
    for line in LINES:
        for command, words in COMMAND.findall(line):
            found.setdefault(command, set()).update(OPTION.findall(words))
    return found


@cache
def told(command: str) -> frozenset[str]:
    """The options that the help of a command tells."""
    shown = StringIO()
    with redirect_stdout(shown):
        try:
            status = run([*command.split(), "--help"])
        except SystemExit as ended:
            status = ended.code
    assert status == 0
    return frozenset(OPTION.findall(shown.getvalue()))


@pytest.mark.parametrize("command", sorted(commands()))
def test_the_commands_of_the_page_exist_with_their_options(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert commands()[command] <= told(command)


def test_every_application_and_every_command_for_them_is_on_the_page():
    shown = {command.split()[0] for command in commands()}
    assert shown >= set(COMMANDS) - {"generate", "vectors", "doctor"}
    trained = {command.split()[1] for command in commands() if command.startswith("train ")}
    names = {str(application.model_fields["application"].default) for application in APPLICATIONS}
    assert trained == names - {"language"}


def test_options_in_the_text_are_of_some_command(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    given = set(OPTION.findall(TEXT))
    known: set[str] = set()
    for application in APPLICATIONS:
        for name, info in application.model_fields.items():
            option = "--" + str(info.alias or name).replace("_", "-")
            known |= {option, option.replace("--", "--no-", 1)}
    for command, options in commands().items():
        known |= options | told(command)
    assert given <= known
