"""Checkpoints that were made to harm, with checksums that agree: each is one clear error, before anything is used."""

import json
import shutil

import pytest
import torch

from throughtime import folder
from throughtime.errors import RunError
from throughtime.train import course, fit


@pytest.fixture(scope="module", params=["adamw", "sgd"])
def stopped(request, tiny, tmp_path_factory):
    """A recipe, and a run of it that was stopped after an evaluation."""
    momentum = {"optimiser": "sgd", "momentum": 0.5} if request.param == "sgd" else {}
    recipe, run = tiny(evaluate_every=5, epochs=1, accumulate=2, **momentum), tmp_path_factory.mktemp("stopped") / "run"
    stream = fit(recipe, run)
    for _ in range(7):
        next(stream)
    stream.close()
    return recipe, run


def resealed(stopped, tmp_path, name, change):
    """A copy of the run whose last checkpoint has one file changed."""
    recipe, run = stopped
    copy = shutil.copytree(run, tmp_path / "run")
    home = course.last_checkpoint(copy)
    files = {n: (home / n).read_bytes() for n in folder.read_manifest(home).files}
    if name.endswith(".json"):
        content = json.loads(files[name])
        files[name] = json.dumps(changed if (changed := change(content)) is not None else content).encode()
    else:
        tensors = folder.read_tensors(home, name, 2**30)
        change(tensors)
        files[name] = folder.tensor_bytes(tensors)
    folder.write_files(home, files, status="unfinished")
    return recipe, copy


def refused(recipe, run):
    with pytest.raises(RunError) as error:
        next(fit(recipe, run))
    message = str(error.value)
    assert "\n" not in message
    assert message.isprintable()
    return message


COUNTERS = {
    "a step below zero": {"step": -1},
    "half an epoch": {"epoch": 1.5},
    "an epoch below zero": {"epoch": -3},
    "a position below zero": {"position": -1},
    "a position beyond the epoch": {"position": 10**6},
    "an epoch that is a word": {"epoch": "1"},
    "a truth for a number": {"step": True},
    "no groups": {"groups": 0},
    "half the groups": {"groups": 1},
    "groups that are too many": {"groups": 3},
    "a state at an epoch's start": {"position": 0},
    "seconds below zero": {"seconds": -1.0},
    "seconds beyond measure": {"seconds": 1e308 * 10},
    "threads that are none": {"threads": 0},
    "waiting for nothing": {"waiting": {}},
    "a waiting that is a list": {"waiting": [1, 2, 3]},
    "a tally of words": {"since": {"total": "x", "count": 1}},
    "a count without end": {"units": 10**400},
}


@pytest.mark.parametrize("change", COUNTERS.values(), ids=COUNTERS.keys())
def test_counters_that_cannot_be_are_refused(stopped, tmp_path, change):
    refused(*resealed(stopped, tmp_path, "training.json", lambda counters: counters | change))


@pytest.mark.parametrize("name", ["step", "groups", "waiting", "since", "threads", "progress_bytes"])
def test_counters_that_are_missing_are_named(stopped, tmp_path, name):
    assert name in refused(*resealed(stopped, tmp_path, "training.json", lambda counters: counters.pop(name) and None))


def test_json_that_nests_without_end_is_refused(stopped, tmp_path):
    recipe, run = resealed(stopped, tmp_path, "training.json", lambda counters: counters)
    home = course.last_checkpoint(run)
    files = {n: (home / n).read_bytes() for n in folder.read_manifest(home).files}
    folder.write_files(home, files | {"training.json": b'{"a":' * 10**5}, status="unfinished")
    assert "does not read as JSON" in refused(recipe, run)


def memory(tensors):
    """The largest thing that the optimiser remembers."""
    return max((n for n in tensors if n.startswith("optimiser.")), key=lambda n: tensors[n].numel())


TENSORS = {
    "a memory that is too short": (lambda t: t.update({memory(t): torch.zeros(1)}), "does not fit"),
    "a memory of another type": (lambda t: t.update({memory(t): t[memory(t)].double()}), "does not fit"),
    "a memory that is not finite": (lambda t: t[memory(t)].fill_(float("nan")), "cannot have left"),
    "a memory of no parameter": (lambda t: t.update({"optimiser.99.exp_avg": torch.zeros(1)}), "not that of this"),
    "a memory of no number": (lambda t: t.update({"optimiser.x.y": torch.zeros(1)}), "not that of this"),
    "a memory that is gone": (
        lambda t: [t.pop(n) for n in list(t) if n.startswith("optimiser.")],
        "is gone: nothing is left of 7 steps",
    ),
    "weights of another type": (lambda t: t.update({n: t[n].to(torch.int8) for n in weights(t)}), "has no match"),
    "weights of complex numbers": (lambda t: t.update({n: t[n].cfloat() for n in weights(t)}), "has no match"),
    "weights that are not finite": (lambda t: t[weights(t)[0]].fill_(float("inf")), "are not finite"),
    "a state of another shape": (lambda t: t.update({carried(t): torch.zeros(3)}), "does not carry the state"),
    "a state that is missing": (lambda t: t.pop(carried(t)), "does not carry the state"),
    "a state of whole numbers": (lambda t: t.update({carried(t): t[carried(t)].long()}), "does not carry the state"),
    "a state that is not finite": (lambda t: t[carried(t)].fill_(float("nan")), "not finite"),
    "no generator": (lambda t: t.pop("generator.cpu"), "no state of a random generator"),
    "a short generator": (lambda t: t.update({"generator.cpu": t["generator.cpu"][:9]}), "no state of a random"),
    "a generator of halves": (lambda t: t.update({"generator.cpu": torch.rand(5056)}), "no state of a random"),
    "a generator of noise": (lambda t: t["generator.cpu"].fill_(255), "no state of a random"),
    "far too much": (lambda t: t.update({"more": torch.zeros(2**20)}), "is over"),
}


def weights(tensors):
    return [n for n in tensors if n.startswith("weights.")]


def carried(tensors):
    return next(n for n in tensors if n.startswith("carried."))


@pytest.mark.parametrize(("change", "says"), TENSORS.values(), ids=TENSORS.keys())
def test_tensors_that_cannot_be_are_refused(stopped, tmp_path, change, says):
    def changed(tensors):
        change(tensors)

    assert says in refused(*resealed(stopped, tmp_path, "training.safetensors", changed))


def adam(stopped):
    if stopped[0].optimiser != "adamw":
        pytest.skip("of AdamW")
    return stopped


ADAM = {
    "half an entry": lambda t: t.pop("optimiser.0.exp_avg"),
    "a step of two": lambda t: t.update({"optimiser.0.step": torch.zeros(2)}),
    "a step below zero": lambda t: t.update({"optimiser.0.step": torch.tensor(-1.0)}),
    "a step to come": lambda t: t.update({"optimiser.0.step": torch.tensor(8.0)}),
    "a square below zero": lambda t: t["optimiser.0.exp_avg_sq"].fill_(-1),
}


@pytest.mark.parametrize("change", ADAM.values(), ids=ADAM.keys())
def test_a_memory_that_adamw_cannot_have_is_refused(stopped, tmp_path, change):
    def changed(tensors):
        change(tensors)

    assert "memory" in refused(*resealed(adam(stopped), tmp_path, "training.safetensors", changed))


def test_best_weights_of_another_model_are_refused(stopped, tmp_path):
    def renamed(tensors):
        tensors["other"] = tensors.pop(next(iter(tensors)))

    assert "has no match" in refused(*resealed(stopped, tmp_path, "weights.safetensors", renamed))


def test_what_is_not_changed_goes_on(stopped, tmp_path):
    recipe, run = resealed(stopped, tmp_path, "training.safetensors", lambda tensors: None)
    assert next(fit(recipe, run)).step == 8


def test_a_band_that_no_gradient_has_reached_has_no_memory_and_goes_on(tmp_path, text, tiny):
    """Rare words may not occur in the first chunks: nothing is remembered of their band, and nothing is amiss."""
    path = tmp_path / "rare.txt"
    path.write_text("the cat sees the dog . " * 60 + " ".join(f"w{i}" for i in range(9)) + " the cat" * 60)
    recipe = tiny(text=path, unit="word", adaptive=[8], hidden=16, lanes=1, steps=8, optimiser="adamw")
    stream = fit(recipe, tmp_path / "run")
    next(stream)
    stream.close()
    home = course.last_checkpoint(tmp_path / "run")
    tensors = folder.read_tensors(home, "training.safetensors", 2**30)
    assert sum(n.endswith(".exp_avg") for n in tensors) < len(weights(tensors))
    assert next(fit(recipe, tmp_path / "run")).step == 2
