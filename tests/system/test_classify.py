"""A classifier through the real command line: trained, judged, asked, shown; killed, and gone on with."""

import csv
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.system

WORDS = {"good": ["fine", "great", "warm"], "bad": ["poor", "dull", "cold"], "odd": ["strange", "weird", "blue"]}
SIZES = ["--core", "lstm", "--hidden", "24", "--embedding", "16", "--rows", "8", "--epochs", "6", "--seed", "5"]
SIZES += ["--evaluate-every", "20", "--learning-rate", "0.01", "--accumulate", "2"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(*words):
    return [sys.executable, "-m", "throughtime", *map(str, words)]


def done(*words):
    result = subprocess.run(command(*words), capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert result.returncode == 0, result.stderr
    return result


def made(chance):
    """A text of one to a dozen words, one of which tells its class."""
    name = chance.choice(list(WORDS))
    words = chance.choices(["the", "a", "film", "plot", "is", "was", "and"], k=chance.randint(0, 11))
    words.insert(chance.randint(0, len(words)), chance.choice(WORDS[name]))
    return " ".join(words), name


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    chance, home = random.Random(0), tmp_path_factory.mktemp("texts")
    for name, count in (("train.csv", 600), ("test.csv", 200)):
        with (home / name).open("w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *(made(chance) for _ in range(count))])
    return home


def train(texts, out):
    return command("train", "classify", "--train", texts / "train.csv", "--out", out, *SIZES)


def sha256(run):
    return hashlib.sha256((run / "weights.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def straight(texts, tmp_path_factory):
    run = tmp_path_factory.mktemp("straight") / "run"
    told = subprocess.run(train(texts, run), capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert told.returncode == 0, told.stderr
    assert "its worst mistakes" in told.stderr
    return run


def test_from_a_table_to_answers(texts, straight):
    judged = json.loads(done("evaluate", straight, "--data", texts / "test.csv", "--json").stdout)
    assert judged["texts"] == 200
    assert judged["accuracy"] > 0.95
    answers = done("predict", straight, texts / "test.csv", "--probabilities")
    rows = list(csv.DictReader(io.StringIO(answers.stdout)))
    with (texts / "test.csv").open(newline="") as file:
        right = [row["label"] == said["label"] for row, said in zip(csv.DictReader(file), rows, strict=True)]
    assert sum(right) / len(right) == pytest.approx(judged["accuracy"])
    assert "200 texts, 0 of them empty" in answers.stderr
    shown = json.loads(done("show", straight, "--json").stdout)
    assert shown["data"]["classes"] == ["bad", "good", "odd"]
    assert shown["final"]["nats_per_unit"] == pytest.approx(
        json.loads(done("evaluate", straight, "--json").stdout)["nats_per_unit"]
    )


def test_killed_and_rerun_it_ends_with_the_same_bits(texts, straight, tmp_path):
    run, seen = tmp_path / "run", set()
    for _ in range(3):
        process = subprocess.Popen(train(texts, run), stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        deadline = time.monotonic() + 120
        while not (new := set(run.glob("checkpoints/0*")) - seen) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        process.wait()
        seen |= new
    assert seen
    assert not (run / "COMPLETE").exists()
    subprocess.run(train(texts, run), capture_output=True, env=ENVIRONMENT, check=True)
    assert sha256(run) == sha256(straight)


def test_many_rows_take_no_more_memory_than_some(straight, tmp_path):
    chance, peaks = random.Random(1), []
    code = """
import resource, sys
from throughtime.cli.main import run
status = run(sys.argv[1:])
sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
sys.exit(status)
"""
    for count in (10_000, 60_000):
        with (tmp_path / f"{count}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("id", "text"), *((i, made(chance)[0]) for i in range(count))])
        words = [sys.executable, "-c", code, "predict", str(straight), str(tmp_path / f"{count}.csv")]
        result = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, check=True)
        assert result.stdout.count("\n") == count + 1
        peaks.append(int(result.stderr.splitlines()[-1]))
    assert peaks[1] < 1.03 * peaks[0]
