"""Word vectors by whole processes: several that train together, and one that is killed, stopped and starved."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from throughtime.vectors.table import Table

pytestmark = pytest.mark.system

TOPICS = (["apple", "pear", "plum", "cherry", "lemon", "melon"], ["iron", "steel", "copper", "zinc", "silver", "gold"])
LIMIT = 240  # seconds after which something hangs
KILLS = 4
OFTEN = (
    "from throughtime.recipes import tables; tables.KEEP_SECONDS = 0.1; from throughtime.cli.main import main; main()"
)


@pytest.fixture(scope="module")
def topics(tmp_path_factory):
    """A file of lines, each about one of two topics."""
    chance = np.random.default_rng(2)
    path = tmp_path_factory.mktemp("topics") / "text.txt"
    lines = (" ".join(chance.choice(TOPICS[chance.integers(2)], chance.integers(4, 12))) for _ in range(3000))
    path.write_text("".join(line + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def long_text(tmp_path_factory):
    """Words enough for some seconds of training."""
    chance = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("long") / "text.txt"
    line = " ".join(f"w{i}" for i in (20000 * chance.random(300_000) ** 3).astype(int))
    path.write_text(f"{line}\n" * 2)
    return path


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def listening():
    """In the child: Ctrl-C as a terminal has it, even where whoever started us ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command(text, out, *words):
    return ["vectors", "train", "--text", str(text), "--out", str(out), *map(str, words)]


def together(text, out, *words, processes=2):
    """Several processes that train together: their status, what they print, and what they say."""
    start = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
        "-m",
        "throughtime",
    ]
    done = subprocess.run(
        [*start, *command(text, out, *words)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=LIMIT,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def started(text, out, *words, **options):
    """One process, which keeps its state ten times a second."""
    words = [sys.executable, "-c", OFTEN, *command(text, out, *words)]
    options = {"stderr": subprocess.PIPE, "text": True, "env": environment(), "preexec_fn": listening, **options}
    return subprocess.Popen(words, **options)


def bits(out):
    return hashlib.sha256((out / "vectors.safetensors").read_bytes()).hexdigest()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def at_home(table):
    """The share of words whose nearest word is of their own topic."""
    return np.mean([near[0][0] in topic for topic in TOPICS for near in table.nearest(topic, 1)])


def told(err):
    return [line for line in err.splitlines() if line.startswith("throughtime: ")]


@pytest.mark.parametrize("method", ["skipgram", "cbow", "fasttext"])
def test_processes_make_one_table_that_is_as_good_as_one_process_makes(topics, tmp_path, method):
    words = ["--method", method, "--dimension", 12, "--epochs", 12, "--sample", 0, "--json"]
    status, out, err = together(topics, tmp_path / "both", *words)
    assert status == 0, err
    facts = json.loads(out)
    lines = topics.read_text().splitlines()
    assert (facts["words"], facts["texts"]) == (sum(len(line.split()) for line in lines), 3000)
    assert err.count("Done: ") == 1
    assert names(tmp_path) == ["both"]
    table = Table.load(tmp_path / "both")
    assert at_home(table) == 1
    assert table.counts.sum() == facts["words"]
    status, _, err = together(topics, tmp_path / "both", *words)
    assert status == 0
    assert err.count("is finished already") == 1


def test_processes_that_are_deterministic_give_the_same_bits_twice(topics, tmp_path):
    for name, threads in (("one", 1), ("two", 2)):
        status, _, err = together(topics, tmp_path / name, "--deterministic", "--threads", threads)
        assert status == 0, err
    assert bits(tmp_path / "one") == bits(tmp_path / "two")


@pytest.mark.parametrize(
    ("content", "words", "says"),
    [
        ("", [], "there is no text in"),
        ("all of this is one text " * 99, [], "there is no text for process 2 of 2: a line goes to one of them"),
        ("a a a a a\nb b b b b b\n" * 9, ["--minimum-count", 50], "only one word is left, 'b'"),
        ("a a b b\nc d e f\n" * 9, ["--minimum-count", 18], "of this share is in the vocabulary"),
        ("a b\nc d\n" * 99, ["--learning-rate", "1e38", "--sample", 0], "training diverged"),
        ("a b\nc d\n" * 99, ["--method", "glove"], "several processes train skipgram, cbow, fasttext together"),
        (None, [], "several processes cannot share the standard input"),
    ],
)
def test_an_error_is_told_once_and_nobody_waits(tmp_path, content, words, says):
    text = tmp_path / "text.txt"
    text.write_text(content or "")
    began = time.monotonic()
    status, out, err = together("-" if content is None else text, tmp_path / "table", *words)
    assert status == 1  # that of torchrun
    assert out == ""
    assert len(told(err)) == 1, err
    assert says in told(err)[0]
    assert 'site-packages/torch/distributed/distributed_c10d.py"' not in err
    assert time.monotonic() - began < LIMIT / 2
    assert names(tmp_path) == ["text.txt"]


def test_of_processes_of_which_one_is_killed_none_is_left(long_text, tmp_path):
    start = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "throughtime",
    ]
    process = subprocess.Popen(
        [*start, *command(long_text, tmp_path / "table", "--epochs", 1000)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    for line in process.stderr:
        if " words in " in line:
            break
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    )
    children = [int(pid) for pid in listed.stdout.split()]
    assert len(children) == 2
    os.kill(children[-1], signal.SIGKILL)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert len(told(err)) <= 1
    assert names(tmp_path) == [] or names(tmp_path)[0].startswith(".table.")  # the killed one's, who could not clean up
    assert not any(alive(pid) for pid in children)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


SETTINGS = ["--deterministic", "--epochs", 12, "--dimension", 64]


@pytest.fixture(scope="module")
def straight(long_text, tmp_path_factory):
    """A table that nothing disturbed, and how long it took."""
    out, began = tmp_path_factory.mktemp("straight") / "table", time.monotonic()
    process = started(long_text, out, *SETTINGS)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, err
    return out, time.monotonic() - began


def test_killed_anywhere_and_rerun_it_ends_with_the_same_bits(long_text, tmp_path, straight):
    reference, seconds = straight
    chance, out, kept = random.Random(3), tmp_path / "table", 0
    for _ in range(KILLS):
        process = started(long_text, out, *SETTINGS)
        try:
            process.wait(chance.uniform(0.1, 0.9) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        kept += any((tmp_path / "table.partial").glob("0*/COMPLETE"))
        if out.exists():
            break
    process = started(long_text, out, *SETTINGS)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, err
    assert bits(out) == bits(reference)
    assert kept
    assert "table.partial" not in names(tmp_path)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_keeps_what_was_done(long_text, tmp_path, straight, number, status):
    out = tmp_path / "table"
    process = started(long_text, out, *SETTINGS)
    for line in process.stderr:
        if " words in " in line:
            break
    time.sleep(1.5)
    process.send_signal(number)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == status, err
    assert "Stopped. What was learned is in" in err
    assert names(tmp_path) == ["table.partial"]
    state = json.loads(next((tmp_path / "table.partial").glob("0*/training.json")).read_text())
    assert state["chunk"] > 0
    assert Table.load(tmp_path / "table.partial" / "table").dimension == 64
    process = started(long_text, out, *SETTINGS)
    process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert bits(out) == bits(straight[0])
    assert names(tmp_path) == ["table"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_reading_leaves_nothing(tmp_path, number):
    process = started("-", tmp_path / "out" / "table", stdin=subprocess.PIPE)
    process.stdin.write("some words\n" * 1000)
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while names(tmp_path) == [] and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(number)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    assert names(tmp_path) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(long_text, tmp_path):
    import resource

    def small_files_only():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, resource.RLIM_INFINITY))

    process = started(long_text, tmp_path / "table", "--epochs", 1, preexec_fn=small_files_only)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 2
    assert "Traceback" not in err
    assert told(err)[0].startswith("throughtime: cannot write")
    assert names(tmp_path) == []
