"""Comparing: each run is one that `fit` makes, what is finished stays, and the judging is by the same items."""

import json
import random
from statistics import fmean, stdev

import numpy as np
import pytest

from throughtime.errors import ArgumentError, DivergedError, RunError
from throughtime.inspect.comparison import Comparison, cells, columns
from throughtime.metrics import difference_interval
from throughtime.metrics.scores import ratio
from throughtime.recipes import Classify
from throughtime.runs import load
from throughtime.train import fit
from throughtime.trials import compare
from throughtime.trials.compare import planned, trained
from throughtime.trials.judge import judged
from throughtime.trials.kinds import asked_of, kind_of
from throughtime.trials.parts import Given, divide

WORDS = {"good": ["fine", "great"], "bad": ["poor", "dull"]}
VARIATIONS = {"average": {"core": "average"}, "convolution": {"core": "convolution", "hidden": 4, "widths": (1, 2)}}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    chance, home = random.Random(0), tmp_path_factory.mktemp("compare")
    path = home / "texts.csv"
    rows = [
        f"film {i} was {chance.choice(WORDS[label if chance.random() < 0.9 else 'bad'])},{label}"
        for i in range(40)
        for label in WORDS
    ]
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    sizes = {"embedding": 6, "minimum_count": 1, "rows": 8, "epochs": 3, "evaluate_every": 5, "learning_rate": 0.05}
    return divide(Classify(train=path, **sizes), Given(path), home / "out")


@pytest.fixture(scope="module")
def done(parts, tmp_path_factory):
    """A comparison that was made: its runs and what it told."""
    plan = planned(parts.recipe, VARIATIONS, [0, 1], tmp_path_factory.mktemp("runs"))
    steps = list(trained(plan))
    return plan, steps, judged(plan, parts, {}, terms="3 epochs")


def test_runs_are_those_that_fit_makes(done, tmp_path):
    plan, steps, _ = done
    assert [(run.name, run.seed) for run in plan] == [(name, seed) for seed in (0, 1) for name in VARIATIONS]
    for _ in fit(plan[1].recipe, tmp_path / "alone"):
        pass
    assert (tmp_path / "alone/weights.safetensors").read_bytes() == (plan[1].home / "weights.safetensors").read_bytes()
    shares = [step.done for step in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_only_what_is_not_finished_is_trained_and_goes_on_to_the_same_bits(done, parts, tmp_path):
    plan = planned(parts.recipe, VARIATIONS, [0, 1], tmp_path)
    stream = trained(plan)
    for step in stream:
        if step.place == 1 and step.progress.step == 9:
            break
    stream.close()
    stamp = (plan[0].home / "COMPLETE").stat().st_mtime_ns
    again = list(trained(plan))
    assert again[0].progress is None
    assert again[1].progress.step == 10
    assert (plan[0].home / "COMPLETE").stat().st_mtime_ns == stamp
    for run, other in zip(plan, done[0], strict=True):
        assert (run.home / "weights.safetensors").read_bytes() == (other.home / "weights.safetensors").read_bytes()


def test_numbers_are_those_of_the_runs_on_the_part_that_none_has_seen(done, parts):
    plan, _, found = done
    for one in found.standings:
        runs = [run for run in plan if run.name == one.name]
        rights = []
        for run, told in zip(runs, one.runs, strict=True):
            counts = kind_of(Classify).counts(load(run.home), run.recipe, parts.files["test"])
            right, asked = counts.rows.sum(0)
            assert told.values["accuracy"] == right / asked == counts.statistic(counts.rows.sum(0)[None])[0]
            assert asked == found.items == parts.sizes["test"]
            assert told.curve[0][0] < told.seconds
            rights.append(counts.rows)
        measure = found.measures[0]
        assert one.mean(measure) == pytest.approx(fmean(run.values["accuracy"] for run in one.runs))
        assert one.deviation(measure) == pytest.approx(stdev(run.values["accuracy"] for run in one.runs))
        model = load(runs[0].home).model
        assert one.weights == sum(parameter.numel() for parameter in model.parameters())
        manifest = json.loads((runs[0].home / "manifest.json").read_text())
        assert one.bytes == sum(entry["bytes"] for entry in manifest["files"].values())
        assert one.item_seconds > 0


def test_the_difference_from_the_best_is_over_the_same_items(done, parts):
    plan, _, found = done
    best = found.best
    other = next(one for one in found.standings if one is not best)
    rows = {
        name: np.stack(
            [
                kind_of(Classify).counts(load(run.home), run.recipe, parts.files["test"]).rows
                for run in plan
                if run.name == name
            ]
        )
        for name in VARIATIONS
    }
    expected = difference_interval(lambda sums: ratio(*sums.T), rows[other.name], rows[best.name])
    assert other.difference == expected
    assert best.difference is None
    assert best.mean(found.measures[0]) >= other.mean(found.measures[0])


def test_a_run_that_diverges_is_told_of_and_the_others_go_on(parts, tmp_path, monkeypatch):
    def broken(recipe, home):
        if recipe.core == "convolution":
            raise DivergedError("the loss is nan at step 1")
        yield from fit(recipe, home)

    monkeypatch.setattr(compare, "fit", broken)
    plan = planned(parts.recipe, VARIATIONS, [0], tmp_path)
    failed = {step.run.home: step.failure for step in trained(plan) if step.failure}
    assert list(failed.values()) == ["the loss is nan at step 1"]
    found = judged(plan, parts, failed, terms="")
    row = dict(zip(columns(found), cells(found, found.standings[1]), strict=True))
    assert set(row.values()) == {"convolution", "–"}
    assert "convolution, seed 0: the loss is nan at step 1" in found.notes
    assert cells(found, found.standings[0])[1].endswith("± –")  # of one seed there is no deviation
    with pytest.raises(RunError, match="no run came to its end; the first failed so: it is broken"):
        judged(plan, parts, {run.home: "it is broken" for run in plan}, terms="")


def test_too_few_updates_for_an_evaluation_are_told(done, parts, tmp_path):
    recipe = parts.recipe.model_copy(update={"epochs": 1, "evaluate_every": 100})
    plan = planned(recipe, {"average": {"core": "average"}}, [0], tmp_path)
    for _ in trained(plan):
        pass
    notes = judged(plan, parts, {}, terms="").notes
    updates = -(-parts.sizes["train"] // 8)
    assert any(f"average made {updates} of the 100 updates between evaluations" in note for note in notes)
    assert not any("between evaluations" in note for note in done[2].notes)


@pytest.mark.parametrize(
    ("variations", "seeds", "told"),
    [
        ({}, [0], "there is nothing to compare; give two variations or more"),
        ({"../away": {}}, [0], r"'\.\./away' names no variation: letters, digits"),
        ({"one": {"core": "lsmt"}}, [0], "one cannot be compared: core does not fit"),
        ({"one": {"height": 3}}, [0], "one cannot be compared: unknown setting 'height'"),
        ({"one": {"core": "average", "hidden": 3}}, [0], "one cannot be compared: hidden is for cores that have units"),
        ({"one": {}}, [1, 1], r"a seed is there twice; got \[1, 1\]"),
    ],
)
def test_what_cannot_be_compared_is_refused(parts, tmp_path, variations, seeds, told):
    with pytest.raises(ArgumentError, match=told):
        planned(parts.recipe, variations, seeds, tmp_path)


def test_the_file_is_read_as_the_recipe_says(parts):
    asked = asked_of(parts.recipe, parts.files["test"])
    assert (asked.file, asked.column) == (parts.files["test"], "text")


def test_of_nothing_that_ended_nothing_is_best(done):
    from dataclasses import replace

    found: Comparison = done[2]
    empty = replace(found, standings=[replace(one, runs=[]) for one in found.standings])
    assert empty.best is None
    assert json.loads(json.dumps(empty.to_json(), allow_nan=False))["best"] is None
