"""A tagger through the command line: killed, gone on with, judged, streamed, told what is wrong."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from throughtime.folder import MARK

pytestmark = pytest.mark.system

COMMAND = [sys.executable, "-m", "throughtime"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
KINDS = {"PER": ["Ada Byron", "Bob", "Zoe Lee"], "LOC": ["Rome", "New York"], "": ["saw", "in", "rain", "the", "."]}


def run(*words, given=None):
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, input=given, env=ENVIRONMENT, check=False)


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    """Three hundred sentences whose entities are told by their words alone, by BIO."""
    chance, path = random.Random(0), tmp_path_factory.mktemp("made") / "made.conll"
    lines = []
    for _ in range(300):
        for _ in range(chance.randint(2, 8)):
            kind = chance.choice(["PER", "LOC", "", "", ""])
            for place, word in enumerate(chance.choice(KINDS[kind]).split()):
                letter = "I" if place else "B"
                lines.append(f"{word} {letter}-{kind}" if kind else f"{word} O")
        lines.append("")
    path.write_text("\n".join(lines))
    return path


def test_a_tagger_that_was_killed_goes_on_and_finds_the_entities(sentences, tmp_path):
    out = tmp_path / "run"
    words = ["train", "tag", "--train", str(sentences), "--head", "crf", "--convert", "iobes", "--hidden", "16"]
    words += ["--epochs", "30", "--evaluate-every", "20", "--out", str(out)]
    with subprocess.Popen([*COMMAND, *words], env=ENVIRONMENT, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        while not (kept := sorted(out.glob(f"checkpoints/[0-9]*/{MARK}"))) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert kept
    again = run(*words)
    assert again.returncode == 0, again.stderr
    assert "Going on from step" in again.stderr
    assert "tags are of entities, by BIO, learned by IOBES" in again.stderr
    judged = json.loads(run("evaluate", str(out), "--data", str(sentences), "--json").stdout)
    assert judged["entity_f1"] > 0.99
    (tmp_path / "some.txt").write_text("Zoe Lee saw Rome\n\nthe rain .\n")
    said = run("predict", str(out), str(tmp_path / "some.txt"))
    assert said.stdout == "Zoe\tB-PER\nLee\tI-PER\nsaw\tO\nRome\tB-LOC\n\n\nthe\tO\nrain\tO\n.\tO\n\n"
    lines = run("predict", str(out), str(tmp_path / "some.txt"), "--json").stdout.splitlines()
    assert [len(json.loads(line)["spans"]) for line in lines] == [2, 0, 0]
    streamed = run("stream", str(out), given="Zoe Lee saw Rome\n")
    assert streamed.stdout.splitlines()[:4] == said.stdout.splitlines()[:4]
    assert "entity f1" in run("show", str(out)).stdout


def test_a_tagger_that_reads_forward_answers_each_token_at_once(sentences, tmp_path):
    out = tmp_path / "run"
    words = ["--no-both", "--hidden", "8", "--epochs", "5", "--out", str(out)]
    assert run("train", "tag", "--train", str(sentences), *words).returncode == 0
    streamed = run("stream", str(out), given="Zoe\nLee\n\nRome\n")
    assert [line.split("\t")[0] for line in streamed.stdout.splitlines()] == ["Zoe", "Lee", "Rome"]
    (tmp_path / "same.conll").write_text("Zoe\nLee\n\nRome\n")
    said = run("predict", str(out), str(tmp_path / "same.conll"))
    assert [line for line in said.stdout.splitlines() if line] == streamed.stdout.splitlines()


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("a O\nb\n" * 9, [], "line 2 has 1 columns where the first token has 2"),
        ("a B-X\nb O\n\nc O\nd I-X\n\n" * 9, [], "the first 'I-X' (I after O) at token 2 of the sentence of line 4"),
        ("a O\n\n" * 9, [], "has one tag only, 'O'"),
        ("", [], "has no sentences"),
        ("a B\n", ["--column", "upos"], "has no column 'upos' among its 2; known: form, tag, or numbers from 0"),
        (
            "a B\nb C\n\n" * 9,
            ["--longest", "1"],
            "line 1: the sentence has 2 tokens, over --longest 1, and none is cut",
        ),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, text, words, message):
    path = tmp_path / "some.conll"
    path.write_text(text)
    done = run("train", "tag", "--train", str(path), *words, "--out", str(tmp_path / "run"))
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_mixed_tags_are_mended_when_asked(tmp_path):
    path = tmp_path / "some.conll"
    path.write_text("a B-X\nb O\n\nc O\nd I-X\n\n" * 9)
    done = run("train", "tag", "--train", str(path), "--repair", "--epochs", "1", "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert "by BIO; 9 were mended" in done.stderr
