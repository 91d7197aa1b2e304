"""Runs that begin with a table of word vectors."""

import json
import random
import shutil

import numpy as np
import pytest
import torch

import throughtime
from throughtime import folder
from throughtime.cli.main import run
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.recipes import Language
from throughtime.recipes.read import make_recipe
from throughtime.recipes.transfer import Transfer, identity_of
from throughtime.runs.folders import recipe_of
from throughtime.runs.language import data_of
from throughtime.train import course, finished, fit
from throughtime.vectors.table import Table

KNOWN = ["the", "cat", "dog", "sees", "red", "house", "River"]
VECTORS = np.random.default_rng(0).normal(0.5, 0.2, (len(KNOWN), 6)).astype(np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A text of 11 words: with <unk> and <eos>, 7 of them in the table, 2 in lower case only, 4 not at all."""
    chance, words = random.Random(0), ["the", "cat", "dog", "sees", "red", "house", "River", "The", "CAT", "a", "bird"]
    path = tmp_path_factory.mktemp("transfer") / "text.txt"
    path.write_text("".join(" ".join(chance.choices(words, k=9)) + "\n" for _ in range(60)))
    return path


@pytest.fixture(scope="module")
def vectors(path):
    Table(KNOWN, VECTORS).save(path.parent / "vectors")
    return path.parent / "vectors"


SIZES = {"hidden": 8, "layers": 1, "lanes": 4, "steps": 6, "epochs": 1}
OPTIONS = [word for name, value in SIZES.items() for word in (f"--{name}", str(value))]


@pytest.fixture
def recipe(path, vectors):
    def make(**changes):
        settings = {"text": path, "valid": path, "unit": "word", "vectors": vectors, "cell": "gru", **SIZES}
        return Language(**(settings | {"evaluate_every": 100, "weight_decay": 0.5} | changes))

    return make


def trained(recipe, out, steps=None):
    """A run until it has made so many updates, or to its end; gives the first progress of this session."""
    stream, first = fit(recipe, out), None
    for progress in stream:
        first = first or progress
        if progress.step == steps:
            stream.close()
    return first


def begun(recipe):
    data = recipe.begin(recipe.data(), None)
    torch.manual_seed(recipe.seed)
    return data, recipe.model(data)


def weights(out):
    return folder.read_tensors(out, "weights.safetensors", 2**20)


def test_the_embedding_begins_with_the_vectors_and_is_as_wide(recipe):
    data, model = begun(recipe())
    names, weight = data.units.words, model.embedding.weight.detach().numpy()
    assert weight.shape == (13, 6)
    known = {"The": "the", "CAT": "cat", **{word: word for word in KNOWN}}
    for word, name in known.items():
        assert np.array_equal(weight[names.index(word)], VECTORS[KNOWN.index(name)])
    others = weight[[names.index(word) for word in ("<unk>", "<eos>", "a", "bird")]]
    assert abs(others.mean() - 0.5) < 0.2
    assert others.std() < 0.4, "drawn like the vectors, not from N(0, 1)"


def test_the_mask_begins_like_a_vector_and_learns_when_the_others_do(recipe, tmp_path):
    settings = recipe(objective="masked", frozen_updates=2)
    data, model = begun(settings)
    begin = model.embedding.weight.detach()
    assert begin.shape == (14, 6)
    assert np.array_equal(begin[data.units.words.index("The")].numpy(), VECTORS[KNOWN.index("the")])
    assert (begin[13] - 0.5).abs().max() < 1
    for steps, learns in ((2, False), (4, True)):
        trained(settings, tmp_path, steps)
        kept = folder.read_tensors(course.last_checkpoint(tmp_path), "training.safetensors", 2**20)
        changed = (kept["weights.embedding.weight"] != begin).any(1)
        assert bool(changed[13]) == learns
        assert bool(changed.any()) == learns


def test_what_was_found_is_counted_noted_and_shown(recipe, vectors, tmp_path, capsys):
    progress = trained(recipe(frozen_updates=2), tmp_path / "run", 1)
    counted = "7 words found, 2 in lower case, 0 composed of their parts, 4 unknown and drawn anew"
    note = f"embeddings from {vectors} (6 numbers a word): {counted}; they stay as they are for 2 updates, then learn"
    assert progress.notes[1] == note
    assert note in (tmp_path / "run" / "card.md").read_text()
    assert run(["show", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr().out
    assert counted in shown
    assert identity_of(vectors) in shown
    assert "embedding 6, " in shown
    assert run(["show", str(tmp_path / "run"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert data["vectors"] == {
        **{"path": str(vectors), "dimension": 6, "found": 7, "lower": 2, "composed": 0, "unknown": 4}
    }


def test_the_other_weights_are_those_of_a_run_without_vectors(recipe):
    plain, model = begun(recipe(vectors=None, embedding=6))[1], begun(recipe())[1]
    for name, parameter in plain.named_parameters():
        assert torch.equal(parameter, model.get_parameter(name)) == (name != "embedding.weight")


@pytest.mark.parametrize(("updates", "moves"), [(0, [True, True]), (3, [False, True]), ("all", [False, False])])
def test_vectors_stay_as_they_are_for_as_long_as_was_said(recipe, tmp_path, updates, moves):
    settings = recipe(frozen_updates=updates)
    model = begun(settings)[1]
    number = [name for name, p in model.named_parameters() if p.dim() > 1].index("embedding.weight")
    for step, moved in zip((3, 5), moves, strict=True):
        trained(settings, tmp_path, step)
        kept = folder.read_tensors(course.last_checkpoint(tmp_path), "training.safetensors", 2**20)
        assert torch.equal(kept["weights.embedding.weight"], model.embedding.weight) != moved
        memory = [key for key in kept if key.startswith(f"optimiser.{number}.")]
        assert len(memory) == 3 * moved, "the optimiser remembers nothing of what is frozen"


@pytest.mark.parametrize("optimiser", [{}, {"optimiser": "sgd", "momentum": 0.9, "learning_rate": 0.1}], ids=str)
def test_stopped_on_both_sides_of_the_border_it_ends_with_the_same_bits_without_the_table(
    recipe, vectors, tmp_path, optimiser
):
    own = shutil.copytree(vectors, tmp_path / "vectors")
    settings = recipe(vectors=own, frozen_updates=7, **optimiser)
    trained(settings, tmp_path / "straight")
    trained(settings, tmp_path / "cut", 4)
    shutil.rmtree(own)
    for step in (7, 8, None):
        notes = trained(settings, tmp_path / "cut", step).notes
        assert "the vectors are gone, which does no harm: the run has them" in notes
    assert finished(tmp_path / "cut")
    assert list(fit(settings, tmp_path / "cut")) == []
    one, other = weights(tmp_path / "straight"), weights(tmp_path / "cut")
    assert all(torch.equal(one[name], other[name]) for name in one)
    for name in ("data.json", "recipe.json"):
        assert (tmp_path / "cut" / name).read_text() == (tmp_path / "straight" / name).read_text()
    writer = throughtime.load(tmp_path / "cut")
    assert writer.generate(length=5, seed=0)
    assert data_of(tmp_path / "cut", recipe_of(tmp_path / "cut"), writer).taken is None


def test_another_table_for_the_same_folder_is_refused(recipe, vectors, tmp_path):
    own = shutil.copytree(vectors, tmp_path / "vectors")
    trained(recipe(vectors=own), tmp_path / "run", 2)
    assert trained(recipe(), tmp_path / "run", 3).step == 3, "the same table in another place"
    Table(KNOWN, VECTORS + 1).save(own)
    with pytest.raises(RunError, match="vectors_sha256 is"):
        trained(recipe(vectors=own), tmp_path / "run")


def test_vectors_cannot_come_or_go_in_the_middle_of_a_run(recipe, tmp_path):
    trained(recipe(), tmp_path / "with", 2)
    with pytest.raises(RunError, match=r"vectors is /.* there and None now"):
        trained(recipe(vectors=None), tmp_path / "with")
    with pytest.raises(RunError, match="frozen_updates is 0 there and 5 now"):
        trained(recipe(frozen_updates=5), tmp_path / "with")
    trained(recipe(vectors=None), tmp_path / "without", 2)
    with pytest.raises(RunError, match="the run in --out began without vectors: leave --vectors out"):
        trained(recipe(), tmp_path / "without")


def test_the_recipe_of_a_run_makes_the_same_run(recipe, tmp_path):
    trained(recipe(), tmp_path / "run", 2)
    again = make_recipe(Language, json.loads((tmp_path / "run" / "recipe.json").read_text()))
    assert again.embedding == 6
    assert trained(again, tmp_path / "run", 3).step == 3


@pytest.mark.parametrize(
    "options",
    [{"tied": True, "hidden": 6}, {"adaptive": [4, 8], "hidden": 16, "frozen_updates": "all"}, {"core": "window"}],
    ids=str,
)
def test_other_options_begin_with_vectors_too(recipe, tmp_path, options):
    settings = recipe(**({"cell": "lstm"} | options))
    before = begun(settings)[1].embedding.weight.detach()
    trained(settings, tmp_path / "run", 3)
    after = weights(tmp_path / "run")["embedding.weight"]
    assert torch.equal(after, before) == ("frozen_updates" in options)
    assert throughtime.load(tmp_path / "run").generate(length=5, seed=0)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"unit": "character"}, "vectors needs --unit word, for they are of words; got --unit character"),
        ({"vectors": None, "frozen_updates": 3}, "frozen_updates needs --vectors; got 3 and none"),
        ({"frozen_updates": 3, "tied": True}, "frozen_updates and tied exclude each other"),
        ({"frozen_updates": -1}, "frozen_updates does not fit: input should be greater than or equal to 0; got -1"),
        ({"frozen_updates": "some"}, "frozen_updates does not fit"),
        ({"tied": True, "embedding": 5}, "tied needs embedding = hidden; got 5 and 256"),
        ({"vectors": "~nouser/x"}, "vectors does not fit: no such place"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_named(settings, says):
    with pytest.raises(ArgumentError) as error:
        make_recipe(Language, {"text": "x", "unit": "word", "vectors": "v"} | settings)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--embedding", "7"], "have 6 numbers, and the embeddings would have 7: give --embedding 6, or leave it out"),
        (["--tied"], "tied needs embedding = hidden; got 6 and 8"),
        (["--vectors", "{home}/none"], "no such file"),
        (["--vectors", "{home}/ragged.txt"], "ragged.txt, line 3"),
        (["--vectors", "{home}/other.txt"], "has vectors for 1 of the 13 words of the vocabulary; give a table"),
        (["--vectors", "{home}"], "is not a finished run folder"),
        (["--vectors", "/dev/zero"], "is not a regular file"),
        (["--frozen-updates", "sum"], "--frozen-updates"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_input_is_one_line_and_nothing_is_written(words, says, path, vectors, tmp_path, capsys):
    (tmp_path / "ragged.txt").write_text("2 3\nthe 1 2 3\ncat 1 2\n")
    (tmp_path / "other.txt").write_text("2 2\ndog 1 2\nchat 1 2\n")
    fixed = [
        "train",
        "language",
        "--text",
        path,
        "--valid",
        path,
        "--out",
        tmp_path / "run",
        "--unit",
        "word",
        *OPTIONS,
    ]
    given = ["--vectors", vectors, *words] if "--vectors" not in words else words
    assert run([str(word).format(home=tmp_path) for word in [*fixed, *given]]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("throughtime: ")
    assert says in last
    assert not (tmp_path / "run").exists()


def test_the_command_trains_from_a_file_of_vectors_and_again_without_it(path, tmp_path, capsys):
    Table(KNOWN, VECTORS).save(tmp_path / "v.glove.txt")
    words = ["train", "language", "--text", path, "--out", tmp_path / "run", "--unit", "word", *OPTIONS]
    words = [str(word) for word in [*words, "--vectors", tmp_path / "v.glove.txt", "--frozen-updates", "all"]]
    assert run(words) == 0
    assert "7 words found, 2 in lower case" in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["frozen_updates"] == "all"
    (tmp_path / "v.glove.txt").unlink()
    assert run(words) == 0
    assert "finished already" in capsys.readouterr().err
    assert run(["evaluate", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("vectors_sha256", 3), ("vectors", [1]), ("vectors", {"dimension": 6}), ("dimension", 0), ("unknown", -1)],
)
def test_facts_of_vectors_that_are_none_are_refused(recipe, tmp_path, name, value):
    trained(recipe(), tmp_path / "run", 2)
    files = {n: (tmp_path / "run" / n).read_bytes() for n in folder.read_manifest(tmp_path / "run").files}
    content = json.loads(files["data.json"])
    (content if name in content else content["vectors"])[name] = value
    folder.write_files(tmp_path / "run", files | {"data.json": json.dumps(content).encode()}, status="stopped")
    with pytest.raises(RunError, match=r"data.json does not hold what a run needs: 'vectors"):
        trained(recipe(), tmp_path / "run")
    assert run(["show", str(tmp_path / "run")]) == 2


def test_a_table_wider_than_any_embedding_is_refused(recipe, tmp_path):
    Table(KNOWN, np.zeros((len(KNOWN), 65537), np.float32)).save(tmp_path / "wide")
    with pytest.raises(ArgumentError, match="embedding does not fit: input should be less than or equal to 65536"):
        trained(recipe(vectors=tmp_path / "wide"), tmp_path / "run")


def test_too_few_words_in_common_are_refused(vectors):
    with pytest.raises(DataError, match="has vectors for 1 of the 2 words"):
        Transfer(vectors=vectors).taking(None, ["the", "zebra"], None)
