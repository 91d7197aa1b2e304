"""Whole processes through the command line: killed, stopped, starved, and run for long."""

import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.system

TRAIN = [sys.executable, "-m", "throughtime", "train", "language"]
SIZES = [
    "--hidden",
    "64",
    "--layers",
    "2",
    "--lanes",
    "8",
    "--steps",
    "16",
    "--epochs",
    "10",
    "--evaluate-every",
    "40",
    "--seed",
    "7",
]
KILLS = 10


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def listening():
    """In the child: Ctrl-C as a terminal has it, even where whoever started us ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def started(text, out, **options):
    words = [*TRAIN, "--text", str(text), "--out", str(out), *SIZES]
    options.setdefault("preexec_fn", listening)
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment(), **options)


def finished(text, out):
    process = started(text, out)
    _, err = process.communicate()
    assert process.returncode == 0, err
    return out


def weights(out):
    return hashlib.sha256((out / "weights.safetensors").read_bytes()).hexdigest()


def progress(out):
    lines = [json.loads(line) for line in (out / "progress.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


@pytest.fixture(scope="module")
def straight(text, tmp_path_factory):
    began = time.monotonic()
    out = finished(text, tmp_path_factory.mktemp("straight") / "run")
    return out, time.monotonic() - began


def test_killed_ten_times_and_rerun_it_ends_with_the_same_bits(text, tmp_path, straight):
    reference, seconds = straight
    out, chance, killed = tmp_path / "run", random.Random(1), 0
    while killed < KILLS:
        process = started(text, out)
        try:
            process.wait(chance.uniform(0.5, 1.0) * seconds / 2 + 2.0 * (killed % 2))
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        if process.returncode == 0:
            if killed:
                break
            pytest.fail("the run ended before it was killed once")
        assert process.returncode == -signal.SIGKILL
        killed += 1
    finished(text, out)
    assert weights(out) == weights(reference)
    assert progress(out) == progress(reference)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_keeps_everything_and_tells_its_status(text, tmp_path, straight, number, status):
    out = tmp_path / "run"
    process = started(text, out)
    deadline = time.monotonic() + 120
    while not list(out.glob("checkpoints/0*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == status
    assert "Traceback" not in err
    assert json.loads((out / "manifest.json").read_text())["status"] == "stopped"
    words = [sys.executable, "-m", "throughtime", "generate", str(out), "--length", "50", "--seed", "1"]
    assert len(subprocess.run(words, capture_output=True, text=True, check=True).stdout) == 51
    finished(text, out)
    assert weights(out) == weights(straight[0])


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(text, tmp_path, straight):
    out = tmp_path / "run"

    def small_files_only():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))

    process = started(text, out, preexec_fn=small_files_only)
    _, err = process.communicate()
    assert process.returncode == 2
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("throughtime: cannot write")
    assert not list(out.rglob("*.partial"))
    finished(text, out)
    assert weights(out) == weights(straight[0])


def test_generating_for_long_takes_no_more_memory(text, tmp_path, straight):
    code = """
import sys, resource, throughtime
writer = throughtime.load(sys.argv[1])
def peak(): return int(next(l for l in open('/proc/self/status') if l.startswith('VmRSS')).split()[1])
seen = []
for made, piece in enumerate(writer.stream(length=100_000, seed=0), 1):
    if made % 1000 == 0: seen.append(peak())
half = len(seen) // 2
first, last = sum(seen[:half]) / half, sum(seen[half:]) / (len(seen) - half)
print(first, last, made)
sys.exit(abs(last / first - 1) > 0.02 or made != 100_000)
"""
    words = [sys.executable, "-c", code, str(straight[0])]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_closed_pipe_is_no_error(straight):
    words = f"{sys.executable} -m throughtime generate {straight[0]} --length 20000 --seed 1 | head -c 100"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", words], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert len(done.stdout) == 100
    assert "Traceback" not in done.stderr
