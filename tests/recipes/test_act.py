"""The recipe of a policy and its runs: every option once, what needs memory, exact resume, files in, actions out."""

import json

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from imitated import imitate

import throughtime
from throughtime import folder
from throughtime.cli.main import run as command
from throughtime.data.demonstrators import Feedback
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.models.policy import Policy
from throughtime.recipes import Act
from throughtime.recipes.read import make_recipe
from throughtime.runs import Asked, application_of, recipe_of
from throughtime.runs.asked import Answers, Live
from throughtime.train import fit

STEPS = 4
SIZES = {"hidden": 8, "lanes": 4, "steps": 3, "epochs": 1, "evaluate_every": 100, "seed": 3}
QUICK = {"lanes": 9, "steps": 4, "epochs": 25, "learning_rate": 0.03}  # to learn in
PLAYED = {"rollouts": 8, "validation_rollouts": 4}


class Cue(gymnasium.Env):
    """A side is shown at first and never again; each step that goes to it is returned 1. The other number is a lure."""

    observation_space = Box(-9, 9, (2,), np.float32)
    action_space = Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.side, self.steps = int(self.np_random.integers(2)), 0
        return np.array([2 * self.side - 1, 5], np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.array([0, self.steps], np.float32), float(action == self.side), self.steps == STEPS, False, {}


@pytest.fixture(autouse=True, scope="module")
def _cue():
    """The environment is known, and no compiler is at work."""
    gymnasium.register("Cue-v0", entry_point=Cue)
    with pytest.MonkeyPatch.context() as patch:
        imitate(patch)
        yield
    del gymnasium.registry["Cue-v0"]


def shown(side: int) -> dict:
    lure = [[0, step] for step in range(1, STEPS)]
    return {"observations": [[2 * side - 1, 5], *lure], "actions": [side] * STEPS}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("demonstrations") / "cue.jsonl"
    path.write_text("".join(json.dumps(shown(i % 2)) + "\n" for i in range(20)))
    return path


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """Demonstrations whose actions are numbers: twice the first observation, and minus the one before."""
    path, chance = tmp_path_factory.mktemp("demonstrations") / "numbers.jsonl", np.random.default_rng(0)
    rows = []
    for _ in range(12):
        x = chance.normal(size=(5, 1))
        actions = np.concatenate([2 * x, -np.concatenate([np.zeros((1, 1)), x[:-1]])], 1)
        rows.append(json.dumps({"observations": x.tolist(), "actions": actions.tolist()}))
    path.write_text("\n".join(rows))
    return path


def act(file, **changes):
    settings = {"env": "Cue-v0", "demonstrations": file, "hide": (1,)} | SIZES | changes
    return Act(**(PLAYED if settings["env"] else {}) | settings)


def trained(recipe, out, steps=None):
    stream, told = fit(recipe, out), []
    for progress in stream:
        told.append(progress)
        if progress.step == steps:
            stream.close()
    return told


@pytest.fixture(scope="module")
def run(file, tmp_path_factory):
    """A trained run."""
    out = tmp_path_factory.mktemp("runs") / "cue"
    told = trained(act(file, **QUICK), out)
    return out, told


def test_what_needs_memory_is_learned_with_a_state_and_not_without(run, file, tmp_path):
    out, told = run
    score = told[-1].evaluation.score
    assert score.returns.returns == (4.0,) * 8
    assert score.loss == pytest.approx(1e-3 * score.imitation.loss - 4.0)
    assert score.imitation.accuracy == 1
    assert told[-1].evaluation.sample.split("\n")[0] == told[-1].evaluation.sample.split("\n")[1]
    without = trained(act(file, **QUICK, core="none"), tmp_path / "none")[-1].evaluation.score
    assert sum(without.returns.returns) / 8 < 3.5
    assert without.imitation.accuracy < 0.9
    card = (out / "card.md").read_text()
    assert "mean return 4.0 ± 0.0, lowest 4.0, of 8 episodes" in card
    assert "| hidden from it | 1 |" in card


@pytest.mark.parametrize(
    "options",
    [
        {"core": "gru", "layers": 2, "accumulate": 3, "precision": "bfloat16"},
        {"core": "none", "layers": 2, "accumulate": 2, "optimiser": "sgd", "momentum": 0.5, "schedule": "constant"},
        {"hide": (), "schedule": "plateau", "patience": 1, "evaluate_every": 2, "lanes": 40, "epochs": 5},
        {"env": None, "held_out": 0.3, "steps": 100},
    ],
    ids=str,
)
def test_every_option_trains_and_scores(file, tmp_path, options):
    recipe = act(file, **options)
    told = trained(recipe, tmp_path / "run")
    assert told[0].loss.count > 0
    policy = throughtime.load(tmp_path / "run")
    assert policy.act([1.0] if recipe.hide else [1.0, 0.0], policy.start()).action in (0, 1)
    assert (told[-1].evaluation.score.returns is None) == (recipe.env is None)


def test_actions_that_are_numbers_are_learned(numbers, tmp_path):
    recipe = act(numbers, env=None, hide=(), epochs=40, learning_rate=0.02, hidden=12)
    *_, last = trained(recipe, tmp_path / "run")
    assert (
        last.evaluation.score.imitation.error
        < 0.2
        < trained(act(numbers, env=None, hide=(), epochs=40, learning_rate=0.02, core="none"), tmp_path / "none")[
            -1
        ].evaluation.score.imitation.error
    )
    policy, state = throughtime.load(tmp_path / "run"), None
    state = policy.act([1.0], policy.start()).state
    np.testing.assert_allclose(policy.act([0.0], state).action, [0, -1], atol=0.6)
    judged = application_of(recipe).evaluate(tmp_path / "run", recipe, Asked())
    assert judged.facts["error"] == pytest.approx(last.evaluation.score.imitation.error, rel=1e-5)
    with pytest.raises(
        ArgumentError, match="--probabilities means nothing to a policy whose actions are numbers: leave it out"
    ):
        application_of(recipe).predict(policy, recipe, Asked(file=numbers, probabilities=True))
    live = application_of(recipe).stream(policy, recipe)
    assert len(live.take("0.5")["action"]) == 2
    assert live.plain({"action": [0.5, 1.0]}) == "0.5 1"


@pytest.mark.parametrize("options", [{"accumulate": 2, "steps": 2}, {"core": "none", "accumulate": 2}], ids=str)
def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(file, tmp_path, options):
    recipe = act(file, epochs=2, evaluate_every=4, **options)
    trained(recipe, tmp_path / "straight")
    for steps in (5, None):
        trained(recipe, tmp_path / "stopped", steps)
    runs = [tmp_path / name for name in ("straight", "stopped")]
    assert len({(one / "weights.safetensors").read_bytes() for one in runs}) == 1
    lines = [[json.loads(line) for line in (one / "progress.jsonl").read_text().splitlines()] for one in runs]
    assert [{**line, "seconds": 0} for line in lines[0]] == [{**line, "seconds": 0} for line in lines[1]]
    assert trained(recipe, tmp_path / "stopped") == []


CORRECTED = {"env": "CartPole-v1", "episodes": 2, "corrections": 2, "corrected_episodes": 2, "lanes": 2, "hidden": 2}


def made(**settings):
    recipe = Act(**CORRECTED, **settings)
    return recipe, recipe.begin(recipe.data(), None)


def test_episodes_that_are_made_and_corrected_are_the_same_again_and_other_with_another_seed(monkeypatch):
    monkeypatch.setattr("throughtime.data.environments.LONGEST", 30)
    with torch.random.fork_rng():
        (recipe, first), (_, again) = (made(hide=(1, 3)) for _ in range(2))
        _, other = made(hide=(1, 3), seed=1)
    hashes = [data.facts["demonstrations_sha256"] for data in (first, again, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert first.facts["corrected_episodes"] == 4
    assert len(first.train) == first.facts["train_episodes"] == 5
    assert first.facts["train_steps"] == sum(map(len, first.train))
    assert all(one.observations.shape[1] == 2 for one in (*first.train, *first.valid))
    assert "round 2 of correction: 2 episodes, mean return of the learner" in recipe.notes(first)[2]
    gains = []
    monkeypatch.setattr(Feedback, "__call__", lambda self, seen: gains.append(seen) or 1)
    assert {int(a) for one in made()[1].train for a in one.actions} == {1}


def test_a_run_with_corrections_goes_on_with_the_same_bits_and_its_learners_learn_only_where_it_does(
    monkeypatch, tmp_path
):
    monkeypatch.setattr("throughtime.data.environments.LONGEST", 30)
    recipe = Act(**CORRECTED, steps=5, epochs=2, evaluate_every=3, rollouts=1, validation_rollouts=1)
    trained(recipe, tmp_path / "straight")
    for steps in (2, None):
        trained(recipe, tmp_path / "stopped", steps)
    for name in ("weights.safetensors", "data.json", "card.md"):
        assert len({(tmp_path / run / name).read_bytes() for run in ("straight", "stopped")}) == 1
    monkeypatch.setattr("throughtime.recipes.correct._learner", None)
    assert trained(recipe, tmp_path / "stopped") == []


def test_a_run_with_corrections_goes_on_where_learners_compute_other_bits(monkeypatch, tmp_path):
    monkeypatch.setattr("throughtime.data.environments.LONGEST", 30)
    recipe = Act(**CORRECTED, steps=5, epochs=2, evaluate_every=3, rollouts=1, validation_rollouts=1)
    trained(recipe, tmp_path / "run", 2)
    known = folder.read_json(tmp_path / "run", "data.json")
    monkeypatch.setattr("throughtime.recipes.correct.EPOCHS", 1)
    trained(recipe, tmp_path / "run")
    assert folder.read_json(tmp_path / "run", "data.json") == known
    changed = folder.to_bytes({**known, "mean": ["0"]})
    files = {one.name: one.read_bytes() for one in (tmp_path / "run").iterdir() if one.is_file()}
    del files["manifest.json"]
    folder.write_new(tmp_path / "changed", {**files, "data.json": changed}, status="finished")
    with pytest.raises(RunError, match=r"data.json does not hold what a run needs: 'mean"):
        trained(recipe, tmp_path / "changed")


def test_scaling_is_measured_on_what_is_learned_from(file):
    data = act(file, hide=()).data()
    whole = np.concatenate([one.observations for one in data.train]).astype(np.float64)
    assert np.allclose(data.facts["mean"], whole.mean(0), rtol=1e-12)
    assert np.allclose(data.facts["deviation"], whole.std(0), rtol=1e-12)
    assert data.facts["train_episodes"] == 18
    still = act(file).data()
    assert len(still.facts["mean"]) == 1


def test_evaluate_plays_episodes_that_nothing_was_learnt_from_and_imitates_a_file(run, file):
    out, _ = run
    recipe = recipe_of(out)
    application = application_of(recipe)
    facts = application.evaluate(out, recipe, Asked(episodes=12)).facts
    assert (facts["episodes"], facts["mean_return"], facts["steps"]) == (12, 4.0, 4.0)
    judged = application.evaluate(out, recipe, Asked(file=file))
    assert judged.facts["accuracy"] == 1
    assert "mean_return" not in judged.facts
    assert "an episode a line" in judged.notes[0]
    both = application.evaluate(out, recipe, Asked(file=file, episodes=2))
    assert (both.facts["episodes"], both.facts["accuracy"]) == (2, 1)
    assert both.rows["environment"] == "Cue-v0"
    json.dumps(both.facts, allow_nan=False)


def test_predict_carries_the_state_from_row_to_row_and_begins_anew_with_an_episode(run, tmp_path):
    out, _ = run
    recipe, policy = recipe_of(out), Policy(throughtime.load(out).model, ("a", "b"), (1,))
    application = application_of(recipe)
    rows = [(side, *seen) for side in (0, 1) for seen in shown(side)["observations"]]
    tables = {
        "all": ("episode,a,b", rows),
        "seen": ("episode,a", [row[:2] for row in rows]),
        "named": ("c,b,episode,a,action", [(7, b, side, a, 9) for side, a, b in rows]),
        "bare": ("", [row[1:] for row in rows[:STEPS]]),
    }
    for name, (head, body) in tables.items():
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join([*filter(None, [head]), *(",".join(map(str, row)) for row in body)]) + "\n")
        answers = application.predict(policy, recipe, Asked(file=path, probabilities=True))
        assert isinstance(answers, Answers)
        said = [answers.facts(one) for block in answers for one in block]
        assert [one["action"] for one in said] == [0] * 4 + [1] * 4 * (name != "bare"), name
        assert all(sum(one["probabilities"]) == pytest.approx(1, abs=1e-5) for one in said)
        assert answers.told() == ("4 observations of 1 episodes" if name == "bare" else "8 observations of 2 episodes")
        assert ("in their order" if name == "bare" else "by name") in answers.notes[0]
        plain = [answers.plain(one) for block in answers for one in block]
        assert answers.head == "row,action,probability,probability_0,probability_1"
        assert all(len(line.split(",")) == 5 for line in plain)


def test_the_command_line_plays_streams_and_shows(run, tmp_path, capsys, monkeypatch):
    out, _ = run
    assert command(["evaluate", str(out), "--episodes", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean_return"] == 4.0
    assert command(["show", str(out)]) == 0
    shown_page = capsys.readouterr().out
    assert "acts in" in shown_page
    assert "2 numbers: 0, 1; hidden: 1" in shown_page
    live = application_of(recipe_of(out)).stream(throughtime.load(out), recipe_of(out))
    assert isinstance(live, Live)
    assert [live.take(line)["action"] for line in ("1", "0", "[0, 3]")] == [1, 1, 1]
    assert live.take("") is None
    assert [live.plain(live.take(line)) for line in ("-1 5", "0,1", "0")] == ["0", "0", "0"]
    for line, message in {
        "1 2 3": "of 3 numbers does not fit",
        "nan": "has what is not finite",
        "1e300": "has what is not finite in single precision",
        "up": "'up' does not read as numbers; give such as 0.5",
    }.items():
        with pytest.raises(DataError, match=message):
            live.take(line)
    assert live.take("0")["action"] == 0, "a bad line leaves the state as it was"


REFUSED = {
    "beyond": ({"hide": (2,)}, ArgumentError, "hide 2 is beyond the 2 numbers of an observation, 0 to 1"),
    "everything": ({"hide": (1, 0, 1)}, ArgumentError, "hide leaves nothing to see: all 2 numbers"),
    "another environment": ({"env": "CartPole-v1"}, DataError, "have 2 numbers a step, and CartPole-v1 shows 4"),
    "a wrong name": ({"env": "Cue-v1"}, ArgumentError, "no environment 'Cue-v1'; did you mean 'Cue-v0'"),
    "nobody to demonstrate": ({"demonstrations": None}, ArgumentError, "nobody here knows how to act in Cue-v0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_data_that_do_not_fit_are_refused(file, case):
    changes, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message):
        act(file, **changes).data()


FILES = {
    "one episode": ([shown(0)], DataError, "one episode is too few to hold some out"),
    "one action": ([shown(0), shown(0)], DataError, "have one action only, 0"),
    "numbers": (
        [{"observations": [[1, 2]], "actions": [0.5]}] * 2,
        DataError,
        "1 numbers, and those of Cue-v0 are one",
    ),
    "a third": ([{"observations": [[1, 2]], "actions": [2]}] * 2, DataError, "are one of 3, and those .* one of 2"),
}


@pytest.mark.parametrize("case", FILES)
def test_demonstrations_that_do_not_fit_are_refused(tmp_path, case):
    rows, kind, message = FILES[case]
    path = tmp_path / "some.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(kind, match=message):
        act(path, **({"env": None} if case == "one action" else {})).data()


SETTINGS = {
    "nothing": ({}, "env and demonstrations are both missing"),
    "corrections": ({"demonstrations": "x", "corrections": 1}, "corrections need a demonstrator"),
    "groups": ({"env": "x", "accumulate": 17}, "accumulate is at most lanes, 16; got 17"),
    "made": ({"demonstrations": "x", "noise": 0.1}, "episodes and noise are for demonstrations that are made"),
    "corrected": ({"env": "x", "corrected_episodes": 3}, "corrected_episodes needs --corrections; got 3 and none"),
    "played": ({"demonstrations": "x", "rollouts": 3}, "rollouts and validation_rollouts are for an environment"),
    "negative": ({"env": "x", "hide": (-1,)}, "hide does not fit: the numbers of an observation are counted from 0"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_do_not_fit_are_refused(case):
    with pytest.raises(ArgumentError, match=SETTINGS[case][1]):
        make_recipe(Act, SETTINGS[case][0])


def test_what_is_asked_of_a_run_and_does_not_fit_is_refused(run, file, numbers, tmp_path):
    out, _ = run
    recipe, policy = recipe_of(out), throughtime.load(out)
    application = application_of(recipe)
    with pytest.raises(ArgumentError, match="--episodes must be from 1 to 1,000,000; got 0"):
        application.evaluate(out, recipe, Asked(episodes=0))
    with pytest.raises(ArgumentError, match="--episodes is for runs with an environment"):
        application.evaluate(out, recipe.model_copy(update={"env": None}), Asked(episodes=1))
    with pytest.raises(ArgumentError, match="CartPole-v1 is not the environment that this policy learned to act in"):
        application.evaluate(out, recipe.model_copy(update={"env": "CartPole-v1"}), Asked())
    with pytest.raises(DataError, match="its actions are 2 numbers, and those of the policy one of 2"):
        application.evaluate(out, recipe, Asked(file=numbers))
    with pytest.raises(ArgumentError, match="there is no file; give a table with an observation a row"):
        application.predict(policy, recipe, Asked())
    for body, message in {
        "a,b,c\n1,2,3\n": "has 3 columns of numbers",
        "a,b\n1,2\n,3\n": "line 3: an obs.*missing",
    }.items():
        path = tmp_path / "some.csv"
        path.write_text(body)
        with pytest.raises(DataError, match=message):
            list(application.predict(policy, recipe, Asked(file=path)))


def test_a_file_that_was_changed_and_facts_that_do_not_fit_are_refused(file, tmp_path):
    path = tmp_path / "cue.jsonl"
    path.write_bytes(file.read_bytes())
    recipe, out = act(path, env=None), tmp_path / "run"
    trained(recipe, out, 2)
    application = application_of(recipe)
    path.write_text(path.read_text().replace("5]", "6]"))
    with pytest.raises(RunError, match=r"was changed since .* was trained on it; put it back, or give evaluate --data"):
        application.evaluate(out, recipe, Asked())
    facts = folder.read_json(out, "data.json")
    files = {
        entry.name: entry.read_bytes() for entry in out.iterdir() if entry.is_file() and "manifest" not in entry.name
    }
    for changes, message in {
        "mean": ([0.0, 0.0], "does not fit its recipe"),
        "deviation": ([0.0], "deviation"),
    }.items():
        folder.write_new(
            tmp_path / changes,
            {**files, "data.json": folder.to_bytes({**facts, changes: message[0]})},
            status="finished",
        )
        with pytest.raises(RunError, match=message[1]):
            throughtime.load(tmp_path / changes)
