"""Tuning: a study that is stopped goes on as if it had not been, poor trials are given up, hostile files refused."""

import json
import os
import random
import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from throughtime.errors import ArgumentError, DataError, DivergedError, RunError, StorageError
from throughtime.recipes import Classify, Forecast, Language
from throughtime.recipes.cells import make_cell
from throughtime.recipes.read import make_recipe, read_settings
from throughtime.recipes.tag import Tag
from throughtime.train import fit
from throughtime.trials import spaces, tune
from throughtime.trials.found import Tried, found_in, recipe_of
from throughtime.trials.parts import Given, divide, settings_of
from throughtime.trials.spaces import Choice, Real, Whole, searched
from throughtime.trials.tune import Search, open_study

SPACE = (Real("learning_rate", 1e-3, 0.1, ratios=True), Whole("embedding", 2, 6), Choice("pool", ("mean", "maximum")))


NUMBERS = {"text_column": None, "label_column": None, "minimum_count": 2}  # in time: nothing is told of texts


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    chance, home = random.Random(0), tmp_path_factory.mktemp("tune")
    rows = [f"film {chance.choice(['fine', 'poor'])} {i},{'good' if i % 2 else 'bad'}" for i in range(40)]
    path = home / "texts.csv"
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    given = Classify(train=path, core="average", minimum_count=1, rows=8, epochs=2, evaluate_every=2, seed=3)
    return divide(given, Given(path, shares=(0.2, 0.0)), home / "parts").recipe


def search_of(recipe, trials=3, **changes):
    return Search(recipe, SPACE, trials, **changes)


def told(study):
    return [(trial.params, trial.value, trial.state.name, trial.intermediate_values) for trial in study.trials]


def test_a_study_that_was_stopped_goes_on_as_if_it_had_not_been(recipe, tmp_path):
    search = search_of(settings_of(recipe, {"epochs": 1}), 2)
    whole = list(tune.tune(search, tmp_path / "whole"))
    assert [step.ending for step in whole if step.ending] == ["finished"] * 2
    shares = [step.done for step in whole]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    stops = {(0, 3), (1, 1)}  # trial and update
    for _ in range(len(stops) + 1):
        stream = tune.tune(search, tmp_path / "parts")
        for step in stream:
            if step.progress and (step.number, step.progress.step) in stops:
                stops.remove((step.number, step.progress.step))
                break
        stream.close()
    one, other = (open_study(search, tmp_path / name) for name in ("whole", "parts"))
    assert told(one) == told(other)
    assert len({trial.params["learning_rate"] for trial in one.trials}) == 2
    best = [path.name for path in sorted((tmp_path / "parts/trials").iterdir())]
    assert best == [f"{one.best_trial.number + 1:04}"]
    assert [path.name for path in sorted((tmp_path / "whole/trials").iterdir())] == best
    assert list(tune.tune(search, tmp_path / "whole")) == []
    more = [step for step in tune.tune(replace(search, trials=3), tmp_path / "whole") if step.ending]
    assert [step.number for step in more] == [2]


def test_a_trial_is_the_run_that_fit_makes_of_its_settings(recipe, tmp_path):
    steps = [step for step in tune.tune(search_of(recipe, 1, by="accuracy"), tmp_path) if step.ending]
    home = tune.home_of(tmp_path, 0)
    seed = json.loads((home / "recipe.json").read_text())["seed"]
    alone = settings_of(recipe, {**steps[0].settings, "seed": seed})
    final = list(fit(alone, tmp_path / "alone"))[-1].evaluation.score
    assert steps[0].value == final.facts["accuracy"]
    assert (home / "weights.safetensors").read_bytes() == (tmp_path / "alone/weights.safetensors").read_bytes()


def evaluated(done, loss):
    score = SimpleNamespace(loss=loss, to_json=lambda: {"accuracy": 1 - loss})
    return SimpleNamespace(done=done, final=False, evaluation=SimpleNamespace(score=score))


def scripted(monkeypatch, losses):
    """Trainings of ten evaluations each, of which the n-th trial has the n-th loss; nothing is trained."""

    def course(recipe, home):
        loss = losses[int(home.name) - 1]
        if loss is None:
            home.mkdir(parents=True)
            raise DivergedError("the loss is nan at step 1")
        for place in range(1, 11):
            yield evaluated(place / 10, loss + 1 / place)

    def final(home):
        home.mkdir(parents=True)
        return SimpleNamespace(final={"loss": losses[int(home.name) - 1]}, step=10, seconds=1.0)

    monkeypatch.setattr(tune, "fit", course)
    monkeypatch.setattr(tune, "final_of", final)


def test_poor_trials_are_given_up_and_broken_ones_counted(recipe, tmp_path, monkeypatch):
    losses = [0.5, 0.4, None, 0.3, 0.45, 0.35, 0.9, 0.2]
    scripted(monkeypatch, losses)
    search = search_of(recipe, len(losses))
    steps = list(tune.tune(search, tmp_path))
    ends = [step for step in steps if step.ending]
    assert [step.ending for step in ends] == ["finished"] * 2 + ["failed"] + ["finished"] * 3 + ["given up", "finished"]
    assert ends[2].why == "the loss is nan at step 1"
    assert sum(step.number == 6 and step.progress is not None for step in steps) == tune.PATIENCE
    found = found_in(open_study(search, tmp_path), search)
    assert found.counts == {"finished": 6, "given_up": 1, "failed": 1}
    assert [one.number for one in found.best] == [8, 4, 6, 2, 5, 1]
    assert [path.name for path in (tmp_path / "trials").iterdir()] == ["0008"]
    assert set(found.importances) <= {one.name for one in SPACE}
    assert sum(found.importances.values()) == pytest.approx(1.0)
    assert found.notes == ("of 6 finished trials, below 20, the importance of settings is a hint at most",)


def test_more_is_better_of_what_rises(recipe, tmp_path, monkeypatch):
    scripted(monkeypatch, [0.5, 0.4])
    search = search_of(recipe, 2, by="accuracy")
    final = tune.final_of
    monkeypatch.setattr(
        tune, "final_of", lambda home: SimpleNamespace(final={"accuracy": 0.1 * int(home.name)}, **step(final(home)))
    )
    list(tune.tune(search, tmp_path))
    found = found_in(open_study(search, tmp_path), search)
    assert [(one.number, one.value) for one in found.best] == [(2, 0.2), (1, 0.1)]
    assert found.importances == {}
    assert "2 finished trials of different results are too few to tell which settings matter" in found.notes[0]


def step(line):
    return {"step": line.step, "seconds": line.seconds}


def test_rungs_that_were_passed_are_told_what_was_known(recipe, tmp_path, monkeypatch):
    def course(recipe, home):
        for done, loss in ((0.05, 3.0), (0.15, 2.0), (0.42, 1.0), (0.44, 0.5), (1.0, 0.4)):
            yield evaluated(done, loss)

    scripted(monkeypatch, [0.4])
    monkeypatch.setattr(tune, "fit", course)
    search = search_of(recipe, 1)
    list(tune.tune(search, tmp_path))
    known = open_study(search, tmp_path).trials[0].intermediate_values
    assert known == {1: 2.0, 2: 2.0, 3: 2.0, 4: 1.0, 5: 0.5, 6: 0.5, 7: 0.5, 8: 0.5, 9: 0.4}


def test_a_score_without_the_number_is_refused(recipe, tmp_path):
    with pytest.raises(ArgumentError, match=r"no number 'acuracy' to judge trials by; known: loss, .*accuracy"):
        list(tune.tune(search_of(recipe, by="acuracy"), tmp_path))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"recipe": {"rows": 9}}, "rows is '8' there and '9' now"),
        ({"recipe": {"seed": 4}}, "seed is '3' there and '4' now"),
        ({"dimensions": SPACE[:2]}, "searched is \"Choice(name='pool', values=('mean', 'maximum'))\" there and '' now"),
        ({"by": "accuracy"}, "by is 'loss' there and 'accuracy' now"),
    ],
)
def test_another_study_is_not_gone_on_with(recipe, tmp_path, changes, told):
    open_study(search_of(recipe), tmp_path)
    changes = dict(changes)
    if "recipe" in changes:
        changes["recipe"] = settings_of(recipe, changes["recipe"])
    with pytest.raises(RunError, match=f"holds another study: {re.escape(told)}; rerun with the same options"):
        open_study(replace(search_of(recipe), **changes), tmp_path)


def broken(path):
    path.write_bytes(b"SQLite format 3\x00" + os.urandom(4000))


def foreign(path):
    with sqlite3.connect(path) as base:
        base.execute("create table alembic_version (version_num text)")
        base.execute("insert into alembic_version values ('v9.9.9.z')")
    base.close()


@pytest.mark.parametrize("make", [broken, foreign, Path.mkdir, os.mkfifo], ids=lambda make: make.__name__)
def test_what_is_no_study_is_refused(recipe, tmp_path, make):
    make(tmp_path / "study.db")
    with pytest.raises(RunError, match=r"study.db (does not read as a study of trials|is no regular file)"):
        open_study(search_of(recipe), tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('update trial_params set distribution_json = \'{"name": "Evil", "attributes": {}}\'', "does not read as a"),
        (
            "update trial_params set distribution_json = replace(distribution_json, '0.1', '0.2')",
            "trials of other setti",
        ),
        ("update study_user_attributes set value_json = '[' where key = 'by'", "does not read as a study"),
        ("update trials set state = 'WILD'", "does not read as a study"),
    ],
)
def test_a_study_that_was_changed_is_refused(recipe, tmp_path, monkeypatch, change, told):
    scripted(monkeypatch, [0.5])
    search = search_of(recipe, 1)
    stream = tune.tune(search, tmp_path)
    next(stream)
    stream.close()
    base = sqlite3.connect(tmp_path / "study.db")
    base.execute(change)
    base.commit()
    base.close()
    with pytest.raises(RunError, match=told):
        list(tune.tune(search, tmp_path))


def test_a_database_that_cannot_be_written_is_one_line(recipe, tmp_path, monkeypatch):
    scripted(monkeypatch, [0.5])
    search = search_of(recipe, 1)
    stream = tune.tune(search, tmp_path)
    next(stream)
    base = sqlite3.connect(tmp_path / "study.db")
    base.execute("drop table trial_values")
    base.commit()
    base.close()
    with pytest.raises(StorageError, match=r"cannot write .*study.db: .*no such table.*; free some space, or wait"):
        list(stream)


def test_what_a_study_keeps_of_trials_is_numbers_or_nothing(recipe, tmp_path, monkeypatch):
    scripted(monkeypatch, [0.5, 0.4])
    search = search_of(recipe, 2)
    list(tune.tune(search, tmp_path))
    base = sqlite3.connect(tmp_path / "study.db")
    base.execute("update trial_user_attributes set value_json = '[1]' where trial_id = 1")
    base.execute("""update trial_user_attributes set value_json = '{"updates": "x", "loss": 1}' where trial_id = 2""")
    base.commit()
    base.close()
    assert [one.final for one in found_in(open_study(search, tmp_path), search).best] == [{"loss": 1}, {}]


def test_what_was_found_is_a_recipe_that_train_takes(recipe, tmp_path):
    search = search_of(recipe, 1)
    list(tune.tune(search, tmp_path))
    found = found_in(open_study(search, tmp_path), search)
    content = recipe_of(recipe, found.best[0])
    (tmp_path / "recipe.json").write_text(json.dumps(content))
    settings = read_settings(tmp_path / "recipe.json", Classify)
    assert settings.items() >= found.best[0].settings.items()
    assert {"train", "valid", "epochs", "minutes", "seed"}.isdisjoint(settings)
    make_recipe(Classify, {"train": recipe.train, **settings})
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["best"][0]["settings"] == found.best[0].settings


class Extremes:
    """An optuna trial that always takes the lowest, or highest, or last."""

    def __init__(self, high):
        self.high = high

    def suggest_int(self, name, low, high, log):
        return high if self.high else low

    def suggest_float(self, name, low, high, log):
        return high if self.high else low

    def suggest_categorical(self, name, values):
        assert values
        return values[-1 if self.high else 0]


def bare(application):
    path = Path("some")
    from throughtime.recipes import APPLICATIONS

    known = {recipe.model_fields["application"].default: recipe for recipe in (*APPLICATIONS, Tag)}
    if application not in known:
        pytest.skip(f"{application} is not a recipe yet")
    return make_recipe(known[application], {spaces.SPACES[application].source: path})


@pytest.mark.parametrize("application", spaces.SPACES)
@pytest.mark.parametrize("high", [False, True])
def test_all_that_is_searched_fits_the_recipe(application, high):
    recipe = bare(application)
    found = {one.name: one.suggested(Extremes(high)) for one in searched(recipe, ())}
    again = settings_of(recipe, found)
    assert {name: getattr(again, name) for name in found} == found
    make_cell(found.get("core") or found["cell"], 2, 3)
    assert {"hidden", "layers", "dropout", "learning_rate"} <= set(found)
    assert (found.get("core") or found.get("cell")) in ("lstm", "gru")


def test_what_is_given_is_not_searched(recipe):
    names = [one.name for one in searched(recipe, {"core", "hidden"})]
    assert "learning_rate" in names
    assert {"core", "hidden"}.isdisjoint(names)
    letters = settings_of(recipe, {"unit": "byte", "word_dropout": None, "minimum_count": 2})
    assert "word_dropout" not in [one.name for one in searched(letters, ())]
    with pytest.raises(ArgumentError, match=r"nothing is left to search: core, .* are given; leave out those"):
        searched(recipe, {one.name for one in searched(recipe, ())})
    with pytest.raises(ArgumentError, match="tune does not search settings of none; known: classify, tag"):
        spaces.space_of(SimpleNamespace(model_fields={"application": SimpleNamespace(default="none")}))


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"train": "some.ts", **NUMBERS}, ("core", "hidden", "layers", "pool")),
        ({"train": "some.csv", **NUMBERS, "windows": 2, "core": "convolution"}, ("hidden", "pool")),
        ({"core": "convolution"}, ("hidden", "word_dropout", "pool")),
        ({"core": "average"}, ("word_dropout", "pool")),
        ({"core": "bag"}, ("word_dropout",)),
        ({"core": "bag", "unit": "subword"}, ()),
    ],
    ids=str,
)
def test_what_does_not_go_together_with_other_settings_is_not_searched(settings, left):
    recipe = make_recipe(Classify, {"train": "some.csv", **settings})
    found = searched(recipe, settings)
    assert {one.name for one in found} == {"dropout", "learning_rate", *left}
    for high in (False, True):
        settings_of(recipe, {one.name: one.suggested(Extremes(high)) for one in found})
    for one in found:
        for value in getattr(one, "values", ()):
            settings_of(recipe, {one.name: value})


def test_other_data_are_another_study(text, tmp_path):
    own = tmp_path / "text.txt"
    own.write_bytes(Path(text).read_bytes())
    search = Search(make_recipe(Language, {"text": own}), SPACE[:1], 1)
    open_study(search, tmp_path / "out")
    elsewhere = replace(search, recipe=make_recipe(Language, {"text": text}))
    open_study(elsewhere, tmp_path / "out")  # where the same data lie does not matter
    own.write_text(own.read_text() + "more\n")
    with pytest.raises(RunError, match=r"holds another study: sha256 of text is '\w+' there and '\w+' now; rerun"):
        open_study(search, tmp_path / "out")
    with pytest.raises(DataError, match="no such file"):
        open_study(replace(search, recipe=make_recipe(Language, {"text": tmp_path / "none"})), tmp_path / "out")


def test_trials_have_seeds_of_their_own_but_not_where_the_seed_says_which_series_are_held_out():
    recipe = make_recipe(Forecast, {"series": "some.csv", "seed": 5})
    for split_by, seeds in (("time", 3), ("series", 1)):
        search = Search(settings_of(recipe, {"split_by": split_by}), SPACE[:1], 3)
        assert len({search.seed(number) for number in range(3)}) == seeds
    assert search.seed(2) == 5


@pytest.mark.parametrize(
    ("application", "given"),
    [
        ("classify", {"unit": "byte", "epochs": 3}),
        ("tag", {"unit": "character", "characters": "convolution", "lower": True}),
        ("forecast", {"quantiles": (0.1, 0.5), "split": "8:1:1"}),
        ("language", {"unit": "word", "adaptive": (10, 20)}),
    ],
)
def test_what_was_found_is_the_recipe_that_was_tried(application, given):
    recipe = make_recipe(type(bare(application)), {spaces.SPACES[application].source: "some", **given})
    tried = {one.name: one.suggested(Extremes(True)) for one in searched(recipe, given)}
    found = json.loads(json.dumps(recipe_of(recipe, Tried(1, 0.5, tried, {}))))
    own = {name: getattr(recipe, name) for name in (*type(recipe).places, "minutes", "epochs", "seed", "device")}
    assert make_recipe(type(recipe), {**found, **own}) == settings_of(recipe, tried)


def test_language_models_are_searched_without_parts(text):
    assert [one.name for one in searched(Language(text=text), {"hidden"})][:2] == ["cell", "layers"]


def test_units_that_must_part_into_heads_are_not_searched():
    assert Whole("hidden", 64, 512).within(lambda units: units % 4 == 0) is None
    found = searched(Language(text="x", cell="self-attention"), ["cell"])
    assert [one.name for one in found] == ["layers", "dropout", "learning_rate"]
