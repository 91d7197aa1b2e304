"""The page docs/reading.md is true: its commands exist with all of their options, and so do its recipes."""

import re
from pathlib import Path

import pytest

from throughtime.cli.main import COMMANDS, run
from throughtime.recipes import APPLICATIONS

PAGE = Path(__file__).parents[1] / "docs" / "reading.md"
COMMAND = re.compile(r"throughtime (train \w+|tune \w+|data make|\w+)\b([^`\n|>]*)")
OPTION = re.compile(r"--[a-z][a-z-]+")
LINES = [line for block in re.findall(r"^```\n((?s:.*?))^```$", PAGE.read_text(), re.M) for line in block.splitlines()]


def commands() -> dict[str, set[str]]:
    """Each command of the page, with the options that it is given there."""
    found: dict[str, set[str]] = {}
    for line in LINES:
        for command, words in COMMAND.findall(line):
            found.setdefault(command, set()).update(OPTION.findall(words))
    return found


@pytest.mark.parametrize("command", sorted(commands()))
def test_the_commands_of_the_page_exist_with_their_options(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    try:
        status = run([*command.split(), "--help"])
    except SystemExit as ended:
        status = ended.code
    assert status == 0
    assert commands()[command] <= set(OPTION.findall(capsys.readouterr().out))


def test_every_application_and_every_command_for_them_is_on_the_page():
    shown = {command.split()[0] for command in commands()}
    assert shown >= set(COMMANDS) - {"generate", "vectors", "doctor"}
    trained = {command.split()[1] for command in commands() if command.startswith("train ")}
    names = {str(application.model_fields["application"].default) for application in APPLICATIONS}
    assert trained == names - {"language"}


def test_options_in_the_text_are_of_some_command():
    given = set(OPTION.findall(PAGE.read_text()))
    known: set[str] = set()
    for application in APPLICATIONS:
        for name, info in application.model_fields.items():
            option = "--" + str(info.alias or name).replace("_", "-")
            known |= {option, option.replace("--", "--no-", 1)}
    for options in commands().values():
        known |= options
    assert given <= known
