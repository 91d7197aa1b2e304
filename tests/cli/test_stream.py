"""A line in, an answer out: what is told, refused, bounded and remembered."""

import io
import json
import os
import sys

import pytest

from throughtime import folder, runs
from throughtime.cli import stream
from throughtime.cli.main import run
from throughtime.errors import DataError


class Adding:
    """Adds numbers up, until an empty line."""

    wants = "a number"

    def __init__(self):
        self.total = 0
        self.taken = []

    def take(self, line):
        self.taken.append(line)
        if not line:
            self.total = 0
            return None
        try:
            self.total += int(line)
        except ValueError:
            raise DataError(f"{line!a:.20} is no whole number; give one") from None
        return {"total": self.total}

    def plain(self, facts):
        return f"total\t{facts['total']}"


@pytest.fixture
def live(monkeypatch):
    """A run of a model that adds up."""
    made = Adding()

    class Application:
        def load(self, home, recipe):
            return None

        def stream(self, trained, recipe):
            return made

    for name in ("find_whole", "recipe_of"):
        monkeypatch.setattr(runs, name, lambda home: home)
    monkeypatch.setattr(folder, "check_files", lambda home: None)
    monkeypatch.setattr(runs, "application_of", lambda recipe: Application())
    return made


class Counted(io.BytesIO):
    """Remembers the most bytes that were asked for at once."""

    most = 0

    def readline(self, size=-1):
        self.most = max(self.most, size if size >= 0 else 2**62)
        return super().readline(size)


@pytest.fixture
def ask(monkeypatch, capsys):
    """Streams bytes: the exit status, what is on stdout, what on stderr."""

    def streamed(content, *options, terminal=False):
        source = io.TextIOWrapper(Counted(content))
        source.isatty = lambda: terminal
        monkeypatch.setattr("sys.stdin", source)
        status = run(["stream", "RUN", *options])
        assert source.buffer.most == stream.LIMIT + 1
        return status, *capsys.readouterr()

    return streamed


def test_each_line_has_its_answer_and_its_state_is_carried(live, ask):
    assert ask(b"1\n2\r\n\n4\n5") == (0, "total\t1\ntotal\t3\ntotal\t4\ntotal\t9\n", "")
    assert live.taken == ["1", "2", "", "4", "5", ""]  # the end ends what has begun
    live.taken.clear()
    assert ask(b"\xef\xbb\xbf7\n\n", "--json") == (0, '{"line": 1, "total": 7}\n', "")
    assert live.taken == ["7", ""]
    assert ask(b"") == (0, "", "")


def test_a_terminal_is_told_what_to_type(live, ask):
    assert ask(b"1\n", terminal=True) == (0, "total\t1\n", "Type a number and press Enter; Ctrl-D ends.\n")


BAD = [
    (b"x\x1b\n", "line 2: 'x\\x1b' is no whole number; give one"),
    (b"a\xff\n", "line 2: byte 0xff at 2 is not UTF-8; write it so"),
    (b"1" * 50 + b"\n", "line 2: it has over 40 bytes; cut it into shorter ones"),
]


@pytest.mark.parametrize(("line", "says"), BAD)
def test_a_line_that_does_not_fit_ends_it_or_is_left_out(live, ask, monkeypatch, line, says):
    monkeypatch.setattr(stream, "LIMIT", 40)
    content = b"1\n" + line + b"3\n"
    stopped = f"throughtime: {says}; or leave such lines out with --on-error skip\n"
    assert ask(content) == (2, "total\t1\n", stopped)
    live.total = 0
    status, out, err = ask(content, "--on-error", "skip", "--json")
    assert status == 0
    assert [json.loads(row) for row in out.splitlines()] == [{"line": 1, "total": 1}, {"line": 3, "total": 4}]
    assert err == f"throughtime: {says}; skipped\n3 lines, 2 answers; 1 lines skipped\n"


def test_a_line_without_end_is_never_held(live, ask, monkeypatch):
    monkeypatch.setattr(stream, "LIMIT", 10)
    status, out, err = ask(b"9" * 1000 + b"\n" + b"8" * 11, "--on-error", "skip")
    assert (status, out) == (0, "")
    assert err.count("over 10 bytes") == 2
    assert err.endswith("2 lines, 0 answers; 2 lines skipped\n")


def test_answers_are_out_before_the_next_line_is_read(live, monkeypatch):
    """Each answer is there when the next line is asked for."""
    seen, out = [], io.StringIO()

    class Slow(io.BytesIO):
        def readline(self, size=-1):
            seen.append(out.getvalue())
            return super().readline(size)

    class Held(io.StringIO):
        def flush(self):
            out.write(self.getvalue())
            self.truncate(0)
            self.seek(0)

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Slow(b"1\n2\n")))
    monkeypatch.setattr("sys.stdout", Held())
    assert run(["stream", "RUN"]) == 0
    assert seen == ["", "total\t1\n", "total\t1\ntotal\t3\n"]


def test_ctrl_c_and_a_closed_pipe_end_quietly(live, monkeypatch, capfd):
    class Struck(io.BytesIO):
        def readline(self, size=-1):
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Struck()))
    assert run(["stream", "RUN"]) == 130
    read, write = os.pipe()
    os.close(read)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"1\n")))
    with os.fdopen(write, "w") as gone:
        monkeypatch.setattr("sys.stdout", gone)
        assert run(["stream", "RUN"]) == 0
    assert capfd.readouterr() == ("", "")


def test_a_closed_stdin_is_one_line(live, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", None)
    assert run(["stream", "RUN"]) == 2
    assert capsys.readouterr().err == "throughtime: stream reads stdin, which is closed; pipe lines into it\n"


def test_names_steer_no_terminal(live, ask, monkeypatch):
    live.plain = lambda facts: "a\x1b[31m\tb"
    assert ask(b"1\n")[1] == "a\x1b[31m\tb\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert "\x1b" not in ask(b"1\n")[1]
