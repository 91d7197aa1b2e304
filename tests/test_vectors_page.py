"""The page docs/vectors.md is true: its blocks of Python run in order, and print what it says that they print.

After a block of Python may stand what it prints, as `text`. Blocks without a name are for a terminal: their commands
exist, and so do all of their options.
"""

import re
from ast import literal_eval
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from throughtime.cli.main import run
from throughtime.cli.vectors import COMMANDS
from throughtime.vectors.checkpoint import TABLE, home_of
from throughtime.vectors.crew import CHUNK
from throughtime.vectors.ranks import EXCHANGE_CHUNKS
from throughtime.vectors.rows import aligned

PAGE = Path(__file__).parents[1] / "docs" / "vectors.md"
FENCED = re.compile(r"^```(.*)\n((?s:.*?))^```$", re.M)
OPTION = re.compile(r"--[a-z][a-z-]+")


def blocks() -> Iterator[tuple[int, str, str]]:
    text = PAGE.read_text()
    for block in FENCED.finditer(text):
        yield text[: block.start(2)].count("\n"), block[1], block[2]


def test_the_page_is_true(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    space: dict[str, Any] = {"__name__": "page"}
    printed, seen = "", set()
    for line, kind, body in blocks():
        seen.add(kind)
        if kind == "python":
            assert not printed, f"what is printed before line {line} is not told"
            with redirect_stdout(StringIO()) as out:
                exec(compile("\n" * line + body, PAGE, "exec"), space)  # noqa: S102
            printed = out.getvalue()
        elif kind == "text":
            assert printed == body, f"line {line}"
            printed = ""
        elif kind:
            pytest.fail(f"line {line}: a block of {kind}")
    assert not printed
    assert seen == {"python", "text", ""}


def commands() -> list[tuple[str, set[str]]]:
    """Each command of the page, with the options that it is given there."""
    found: dict[str, set[str]] = {}
    for _, kind, body in blocks():
        for words in re.findall(r"throughtime ((?:vectors|train) \w+)(.*)", body if not kind else ""):
            found.setdefault(words[0], set()).update(OPTION.findall(words[1]))
    return sorted(found.items())


def options_of(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    with pytest.raises(SystemExit) as ended:
        run([*command.split(), "--help"])
    assert ended.value.code == 0
    return set(OPTION.findall(capsys.readouterr().out))


def test_the_commands_of_the_page_exist_with_their_options(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    known = {"--nnodes", "--nproc-per-node", "--rdzv-backend", "--rdzv-endpoint"}  # of torchrun
    for command, options in commands():
        those = options_of(command, capsys)
        assert options <= those, command
        known |= those
    assert set(OPTION.findall(PAGE.read_text())) <= known


def test_all_commands_of_word_vectors_are_on_the_page():
    assert {command.split()[1] for command, _ in commands() if command.startswith("vectors")} == set(COMMANDS)


def test_a_trillion_words_take_what_the_page_says():
    """The page's arithmetic, from the constants that it names."""
    text = PAGE.read_text().replace("\n", " ")
    row = 4 * aligned(1, 100).shape[1]
    both, machines, words = 2 * 10**6 * row, 16, 10**12
    sent = 2 * (machines - 1) / machines * both
    wire, adding = sent / 1.25e9, 1.5
    learning = words / (1.2e6 / 2 * 32 * machines)
    exchanges = learning / (wire + adding)  # a round learns for as long as an exchange takes
    said = [
        f"{row} bytes",
        f"{both / 1e9:.2f} GB both",
        f"{sent / 1e9:.2f} GB",
        f"{EXCHANGE_CHUNKS} chunks, {EXCHANGE_CHUNKS * CHUNK:,} places",
        f"in {EXCHANGE_CHUNKS * CHUNK / words * machines * learning:.3f} s",
        f"{words / machines / exchanges / 1e6:.0f} million places",
        f"{exchanges:,.0f}",
        f"{exchanges * sent / 1e12:.1f} TB",
        f"{wire + adding:.2f} s",
        f"{wire:.2f} s",
        f"{exchanges * wire / 60:.0f} minutes",
        f"{exchanges * adding / 60:.0f} minutes",
        f"{learning / 60:.0f} minutes",
        f"{sent / 2 / (wire + adding) / 1e9:.2f} GB a second a machine",
        f"{words / 1.2e6 / 86400:.1f} days",
        f"{words * 5.3 / 80e6 / 3600:.0f} hours",
        f"{words / machines / 1.7e6 / 3600:.0f} hours",
        f"{4 * words / machines / 1e9:.0f} GB",
    ]
    assert [each for each in said if each not in text] == []


def test_what_the_readme_shows_of_word_vectors_runs(tmp_path, monkeypatch, capsys):
    readme = (PAGE.parents[1] / "README.md").read_text()
    (snippet,) = [body for _, body in FENCED.findall(readme) if "vectors.read_corpus" in body]
    monkeypatch.chdir(tmp_path)
    Path("input.txt").write_text("the king and the queen ride to town\n" * 300)
    exec(snippet, {})  # noqa: S102
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("100% of all, ")
    assert len(literal_eval(lines[-1])) == 6  # all other words


def test_unfinished_tables_lie_where_the_page_says():
    assert str(home_of(Path("TABLE")) / TABLE) == "TABLE.partial/table"
