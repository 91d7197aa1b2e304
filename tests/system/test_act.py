"""A policy through the command line: a pole that is seen without velocities; killed, gone on with, streamed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from throughtime.folder import MARK

pytestmark = pytest.mark.system

SIZES = ["--episodes", "60", "--epochs", "12", "--rollouts", "5", "--evaluate-every", "50"]
COMMAND = [sys.executable, "-m", "throughtime"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def run(*words, given=None):
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, input=given, env=ENVIRONMENT, check=False)


def test_a_policy_that_was_killed_goes_on_and_balances_what_it_does_not_wholly_see(tmp_path):
    out = tmp_path / "run"
    words = ["train", "act", "--env", "CartPole-v1", "--hide", "1,3", *SIZES, "--out", str(out)]
    with subprocess.Popen([*COMMAND, *words], env=ENVIRONMENT, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        while not (kept := sorted(out.glob(f"checkpoints/[0-9]*/{MARK}"))) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert kept
    again = run(*words)
    assert again.returncode == 0, again.stderr
    assert "Going on from step" in again.stderr
    judged = json.loads(run("evaluate", str(out), "--episodes", "10", "--json").stdout)
    assert judged["episodes"] == 10
    assert judged["mean_return"] > 250
    streamed = run("stream", str(out), given="0.0 0.1\n0.0 0.12\n\n0.0 9 -0.1 9\n")
    assert streamed.returncode == 0, streamed.stderr
    assert len(streamed.stdout.split()) == 3
    (tmp_path / "seen.csv").write_text("episode,x,angle\n1,0.0,0.1\n1,0.0,0.12\n2,0.0,-0.1\n")
    told = run("predict", str(out), str(tmp_path / "seen.csv"))
    assert [line.split(",")[1] for line in told.stdout.splitlines()[1:]] == streamed.stdout.split()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--env", "CartPol-v1"], "did you mean 'CartPole-v1'?"),
        (["--env", "Pendulum-v1"], "give recorded episodes with --demonstrations FILE"),
        (["--env", "CartPole-v1", "--hide", "4"], "hide 4 is beyond the 4 numbers of an observation"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, words, message):
    done = run("train", "act", *words, "--out", str(tmp_path / "run"))
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
