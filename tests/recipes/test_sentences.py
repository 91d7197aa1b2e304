"""The recipe of vectors of sentences: every option once, settings and texts that do not fit, resume, word vectors."""

import json
import random
import shutil
from typing import get_args

import numpy as np
import pytest

import throughtime
from throughtime import Sentences, folder
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.recipes.cells import CellName
from throughtime.recipes.read import make_recipe
from throughtime.runs import Asked, sentences
from throughtime.train import fit
from throughtime.vectors.table import Table

ANIMALS = {"cat": "meows", "dog": "barks", "cow": "moos", "bird": "sings"}
SIZES = {"hidden": 3, "embedding": 4, "minimum_count": 1, "rows": 4, "epochs": 1, "seed": 3, "held_out": 0.3}


def written(path, documents=6, seed=0):
    """Documents of the same shape, each of one animal, so that a sentence tells what comes next."""
    chance = random.Random(seed)
    with path.open("w") as file:
        for _ in range(documents):
            animal = chance.choice(list(ANIMALS))
            file.write(f"a {animal} is here\nit {ANIMALS[animal]}\nwe hear the {animal}\n\n")
    return path


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return written(tmp_path_factory.mktemp("sentences") / "some.txt")


@pytest.fixture(scope="module")
def make(text):
    def recipe(**changes):
        return Sentences(**({"text": text} | SIZES | changes))

    return recipe


def trained(recipe, out, steps=None):
    """A run until it has made so many updates, or to its end; gives what it told."""
    stream, told = fit(recipe, out), []
    for progress in stream:
        told.append(progress)
        if progress.step == steps:
            stream.close()
    return told


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "bfloat16"},
        {"adaptive": (4, 9), "hidden": 16, "decoder": "elman"},
        {"encoder": "lstm", "both": True, "layers": 2, "decoder": "lstm", "accumulate": 3},
        {"encoder": "average", "pool": "maximum", "feeding": False, "optimiser": "sgd", "momentum": 0.5},
        {"encoder": "average", "tied": True, "embedding": None, "dropout": 0.0, "schedule": "constant"},
        {"pool": "mean", "both": True, "maximum_vocab": 5, "longest": 4, "schedule": "plateau", "patience": 1},
        {"pool": "maximum", "unit": "subword", "minimum_count": 2, "maximum_vocab": 260},
    ],
    ids=str,
)
def test_every_option_trains_and_embeds(make, text, tmp_path, options):
    recipe = make(**options)
    told = trained(recipe, tmp_path)
    assert told[-1].final
    assert all(progress.loss.mean > 0 for progress in told)
    encoder = throughtime.load(tmp_path)
    wide = recipe.hidden if recipe.encoder != "average" else recipe.width
    assert encoder.embed(["a cat is here", "", "zebra"]).shape == (3, wide * (1 + recipe.both))
    judged = sentences.evaluate(tmp_path, recipe, Asked())
    assert judged.facts["nats_per_unit"] == pytest.approx(told[-1].evaluation.score.loss)
    assert sentences.evaluate(tmp_path, recipe, Asked(text)).facts["sentences"] > judged.facts["sentences"]


@pytest.mark.parametrize("name", get_args(CellName))
def test_every_cell_reads_and_tells(make, name, imitated):
    recipe = make(encoder=name, decoder=name, hidden=2, dropout=0.0)
    data = recipe.data()
    model = recipe.model(data)
    batch = data.train.batch(data.train.rows)
    model.loss(batch)[0].total.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_vector_tells_what_stands_beside_its_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("throughtime.models.pooled.ROWS", 8)  # too few for a sweep to be compiled
    path = written(tmp_path / "text.txt", documents=32)
    settings = SIZES | {"epochs": 14, "learning_rate": 0.06, "hidden": 12, "embedding": 8, "dropout": 0.0, "rows": 12}
    *_, last = trained(Sentences(text=path, **settings), tmp_path / "run")
    score = last.evaluation.score
    assert score.gain > 0.2
    assert score.loss < 0.4
    encoder = throughtime.load(tmp_path / "run")
    vectors = encoder.embed(["a cat is here", "it meows", "a cat is here"])
    assert np.allclose(vectors[0], vectors[2], atol=1e-6)
    card = (tmp_path / "run" / "card.md").read_text()
    assert f"words of neighbours: {score.sentence()}" in card
    assert "| vectors | 12 numbers a sentence |" in card
    assert "\n  " in last.evaluation.sample


@pytest.mark.parametrize("options", [{}, {"both": True, "accumulate": 2, "decoder": "lstm"}], ids=str)
def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(make, tmp_path, options):
    recipe = make(epochs=2, evaluate_every=2, **options)
    trained(recipe, tmp_path / "straight")
    for steps in (1, 4, None):
        trained(recipe, tmp_path / "stopped", steps)
    runs = [tmp_path / name for name in ("straight", "stopped")]
    assert len({(run / "weights.safetensors").read_bytes() for run in runs}) == 1
    lines = [[json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()] for run in runs]
    assert [{**line, "seconds": 0} for line in lines[0]] == [{**line, "seconds": 0} for line in lines[1]]
    assert trained(recipe, tmp_path / "stopped") == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"encoder": "lsmt"}, "encoder does not fit: input should be 'lstm'"),
        ({"encoder": "average", "both": True}, "both, layers and pool last are for an --encoder that is a cell"),
        ({"encoder": "average", "pool": "last"}, "both, layers and pool last are for an --encoder that is a cell"),
        ({"encoder": "average", "layers": 2}, "both, layers and pool last are for an --encoder that is a cell"),
        ({"tied": True, "embedding": 5}, "tied needs embedding = hidden; got 5 and 256"),
        ({"tied": True, "embedding": 256, "adaptive": (2,)}, "tied and adaptive exclude each other"),
        ({"unit": "subword", "adaptive": (2,)}, "adaptive needs --unit word, whose ids are in the order of frequency"),
        ({"tied": True, "vectors": "v", "frozen_updates": 3}, "frozen_updates and tied exclude each other"),
        ({"vectors": "v", "unit": "subword"}, "vectors needs --unit word, for they are of words; got --unit subword"),
        ({"unit": "byte"}, "unit does not fit: input should be 'word' or 'subword'; got 'byte'"),
        ({"longest": 0}, "longest does not fit: input should be greater than or equal to 1; got 0"),
        ({"text": None}, "text does not fit"),
        ({"cell": "gru"}, "unknown setting 'cell'; "),
    ],
    ids=str,
)
def test_a_setting_that_does_not_fit_is_named(settings, says):
    with pytest.raises(ArgumentError) as error:
        make_recipe(Sentences, {"text": "x"} | settings)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"longest": 1}, "leaves no two sentences of up to 1 words that stand together to learn from; give a longer t"),
        ({"minimum_count": 99}, "no words are left"),
        ({"valid": "alone"}, "has 2 sentences and no two that stand together"),
        ({"valid": "long"}, "leaves no two sentences of up to 60 words that stand together to validate on"),
    ],
    ids=str,
)
def test_texts_that_do_not_fit_are_refused_and_nothing_is_written(make, tmp_path, options, says):
    (tmp_path / "alone").write_text("one\n\ntwo\n")
    (tmp_path / "long").write_text("one\n" + "two " * 61 + "\n")
    given = {name: tmp_path / value if name == "valid" else value for name, value in options.items()}
    with pytest.raises(DataError, match=says):
        next(fit(make(**given), tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_what_was_read_is_told_and_kept(make, tmp_path):
    (tmp_path / "valid.txt").write_bytes(b"a zebra is here\nit \xffmeows\n\nalone\n\n" + b"a " * 61 + b"\n")
    recipe = make(valid=tmp_path / "valid.txt", invalid_bytes="skip")
    data = recipe.data()
    facts = {name: data.facts[f"valid_{name}"] for name in ("sentences", "documents", "left_out", "alone", "units")}
    assert facts == {"sentences": 4, "documents": 3, "left_out": 1, "alone": 1, "units": 68}
    assert (data.facts["valid_unknown"], data.facts["skipped_bytes"]) == (2, 1)
    first, second, third = recipe.notes(data)
    assert first.startswith("to train on: 18 sentences of 6 documents; 0 left out, of over 60 words, 0 more with no")
    assert "4 sentences of 3 documents; 1 left out, of over 60 words, 1 more with no neighbour; 2 of 68 wo" in second
    assert third == "1 bytes that are not UTF-8 were skipped"
    assert sentences.Facts.model_validate(data.facts).valid_units == 68


def test_a_text_that_was_changed_is_no_judge_any_more(tmp_path):
    path = written(tmp_path / "text.txt")
    recipe = Sentences(text=path, **SIZES)
    trained(recipe, tmp_path / "run")
    path.write_text(path.read_text().replace("cat", "cow"))
    with pytest.raises(RunError, match=r"was changed since .* was trained on it; put it back, or give evaluate --text"):
        sentences.evaluate(tmp_path / "run", recipe, Asked())


def test_embeddings_begin_with_vectors_and_end_with_the_same_bits_without_the_table(make, tmp_path):
    words = ["cat", "dog", "zebra", "here"]
    Table(words, np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)).save(tmp_path / "table")
    recipe = make(vectors=tmp_path / "table", embedding=None, frozen_updates="all", encoder="average", pool="mean")
    trained(recipe, tmp_path / "run")
    weight = folder.read_tensors(tmp_path / "run", "weights.safetensors", 2**20)["embedding.weight"].numpy()
    encoder = throughtime.load(tmp_path / "run")
    assert np.array_equal(weight[encoder.units.words.index("cat")], Table.load(tmp_path / "table")["cat"])
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["embedding"] == 5
    trained(recipe, tmp_path / "cut", 1)
    shutil.rmtree(tmp_path / "table")
    trained(recipe, tmp_path / "cut")
    for name in ("weights.safetensors", "vocabulary.json", "data.json", "recipe.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
