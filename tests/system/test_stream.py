"""stream through real pipes: an answer before the next line, ends without noise, and memory that does not grow."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

WORDS = {"good": ["fine", "great", "warm"], "bad": ["poor", "dull", "cold"]}
SIZES = ["--core", "average", "--embedding", "8", "--epochs", "40", "--seed", "1", "--learning-rate", "0.05"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": ""}
COMMAND = [sys.executable, "-m", "throughtime"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A classifier that knows six words."""
    home, chance = tmp_path_factory.mktemp("stream"), random.Random(0)
    rows = [(chance.choice(WORDS[name]), name) for name in chance.choices(list(WORDS), k=80)]
    (home / "texts.csv").write_text("text,label\n" + "".join(f"a {word} film,{name}\n" for word, name in rows))
    words = ["train", "classify", "--train", str(home / "texts.csv"), "--out", str(home / "run"), *SIZES]
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    return home / "run"


@pytest.fixture
def live(run):
    """A process that streams."""
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*COMMAND, "stream", str(run), "--json"], env=ENVIRONMENT, **streams) as process:
        yield process
        process.kill()


def asked(process, line):
    """The answer to a line, which comes while the process waits for the next."""
    process.stdin.write(line)
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def test_each_answer_is_there_before_the_next_line(live):
    for number in range(1, 40):
        name = ["good", "bad"][number % 2]
        answer = asked(live, f"one {WORDS[name][number % 3]} film\n".encode())
        assert (answer["line"], answer["labels"]) == (number, [name])
    out, err = live.communicate(b"a dull film")
    assert json.loads(out)["labels"] == ["bad"]
    assert (live.returncode, err) == (0, b"")


def test_ctrl_c_ends_it_quietly(live):
    asked(live, b"a fine film\n")
    live.send_signal(signal.SIGINT)
    out, err = live.communicate()
    assert (live.returncode, out, err) == (130, b"", b"")


def test_a_reader_that_goes_away_ends_it_quietly(live):
    asked(live, b"a fine film\n")
    live.stdout.close()
    live.stdin.write(b"a dull film\n" * 50)
    live.stdin.close()
    live.wait(20)
    assert (live.returncode, live.stderr.read()) == (0, b"")


def test_a_line_that_is_no_text_stops_it_or_is_left_out(run):
    for options, status, answers in ([], 2, 1), (["--on-error", "skip"], 0, 2):
        done = subprocess.run(
            [*COMMAND, "stream", str(run), *options],
            input=b"a fine film\n\xff\xfe\n" + b"x" * 5_000_000 + b"\na dull film\n",
            capture_output=True,
            env=ENVIRONMENT,
            check=False,
        )
        assert done.returncode == status
        assert len(done.stdout.splitlines()) == answers
        assert b"line 2: byte 0xff at 1 is not UTF-8" in done.stderr
        assert (b"4 lines, 2 answers; 2 lines skipped" in done.stderr) == bool(options)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_memory_does_not_grow_over_twenty_thousand_lines(live):
    def resident():
        return int(Path(f"/proc/{live.pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024

    block = b"".join(f"a {word} film {i}\n".encode() for i in range(50) for word in ("fine", "dull"))
    sizes = []
    for number in range(200):  # no more than a pipe holds at a time, so that neither side waits for ever
        live.stdin.write(block)
        live.stdin.flush()
        for _ in range(100):
            assert live.stdout.readline()
        if number in (20, 199):
            sizes.append(resident())
    assert sizes[1] < sizes[0] + 4
