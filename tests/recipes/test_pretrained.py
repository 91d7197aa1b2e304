"""Classifiers and taggers that begin with a run of masked units."""

import json
import shutil

import pytest
import torch

import throughtime
from throughtime import folder
from throughtime.errors import ArgumentError, RunError
from throughtime.folder import read_tensors
from throughtime.recipes import Classify, Language, Tag
from throughtime.recipes.pretrained import begun
from throughtime.recipes.read import make_recipe
from throughtime.train import fit

KINDS = {
    "self-attention": {"cell": "self-attention", "heads": 2, "hidden": 8},
    "recurrent": {"cell": "gru", "hidden": 6, "layers": 2, "embedding": 7},
    "letters": {"cell": "self-attention", "heads": 1, "hidden": 8, "unit": "character", "layers": 1},
}
WORDS = ["good", "bad", "film", "plot", "a", "the"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each kind, and one that learned what comes next."""
    home = tmp_path_factory.mktemp("masked")
    (home / "text.txt").write_text("a good film\nthe bad plot\nthe good plot\n" * 30)
    common = {"text": home / "text.txt", "unit": "word", "layers": 1, "lanes": 4, "steps": 8, "epochs": 1}
    for name, changes in KINDS.items():
        list(fit(Language(**(common | {"objective": "masked"} | changes)), home / name))
    list(fit(Language(**common, hidden=4, objective="next"), home / "next"))
    return home


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    path = tmp_path_factory.mktemp("reviews") / "r.csv"
    lines = [f"{'good' if i % 2 else 'bad'} {WORDS[2 + i % 4]} {i},{'yes' if i % 2 else 'no'}" for i in range(40)]
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    path = tmp_path_factory.mktemp("tags") / "t.conll"
    path.write_text("".join(f"the X\n{WORDS[i % 4]} Y\nzebra{i} Z\n\n" for i in range(20)))
    return path


def weights(home):
    return read_tensors(home, "weights.safetensors", 2**20)


def classify(reviews, run, **changes):
    return make_recipe(Classify, {"train": reviews, "pretrained": run, "epochs": 1, "rows": 8} | changes)


@pytest.mark.parametrize("name", KINDS)
def test_a_classifier_begins_with_the_units_the_embeddings_and_the_core(runs, reviews, name):
    recipe = classify(reviews, runs / name, unit=KINDS[name].get("unit", "word"))
    data = recipe.begin(recipe.data(), None)
    taken, model = weights(runs / name), recipe.model(data)
    vocab = json.loads((runs / name / "vocabulary.json").read_text())
    assert data.encoder.to_json() == vocab
    assert torch.equal(model.embedding.weight, taken["embedding.weight"][:-1].to(model.embedding.weight))
    for place, parameter in model.core.named_parameters():
        assert torch.equal(parameter, taken[f"core.{place}"].to(parameter))
    assert data.facts["train_unknown"] == data.encoder.unknown(data.train.sequences) > 0
    assert any("embeddings, core and a vocabulary of" in note for note in recipe.notes(data))
    assert recipe.settled(data).hidden == KINDS[name]["hidden"]


@pytest.mark.parametrize("name", KINDS)
def test_a_tagger_begins_with_them_too(runs, sentences, name):
    unit = KINDS[name].get("unit", "word")
    recipe = make_recipe(Tag, {"train": sentences, "pretrained": runs / name, "unit": unit, "epochs": 1})
    data = recipe.begin(recipe.data(), None)
    taken, model = weights(runs / name), recipe.model(data)
    units = throughtime.load(runs / name).units
    for word in ["good", "zebra"] if unit == "word" else ["g", "z"]:
        row = data.lexicon.features(word)[0]
        vector = taken["embedding.weight"][int(units.encode(word)[0])]
        assert torch.equal(model.words.embedding.weight[row], vector.to(model.words.embedding.weight))
        assert (row == 0) == (word[0] == "z")
    for place, parameter in model.core.named_parameters():
        assert torch.equal(parameter, taken[f"core.{place}"].to(parameter))


def test_it_goes_on_to_the_bit_when_the_pretrained_run_is_gone(runs, reviews, sentences, tmp_path):
    for other, data, name in ((Classify, reviews, "self-attention"), (Tag, sentences, "recurrent")):
        run = tmp_path / other.__name__ / "masked"
        shutil.copytree(runs / name, run)
        recipe = make_recipe(other, {"train": data, "pretrained": run, "epochs": 2, "rows": 8})
        straight, cut = run.parent / "straight", run.parent / "cut"
        list(fit(recipe, straight))
        stream = fit(recipe, cut)
        for _ in range(3):
            next(stream)
        stream.close()
        shutil.rmtree(run)
        list(fit(recipe, cut))
        hashes = [folder.read_manifest(out).files["weights.safetensors"].sha256 for out in (straight, cut)]
        assert hashes[0] == hashes[1]
        assert throughtime.load(cut) is not None
        facts = json.loads((cut / "data.json").read_text())
        assert facts["pretrained_sha256"] == json.loads((straight / "data.json").read_text())["pretrained_sha256"]


def test_another_pretrained_run_is_another_run(runs, reviews, tmp_path):
    run = tmp_path / "masked"
    shutil.copytree(runs / "self-attention", run)
    stream = fit(classify(reviews, run, epochs=9), tmp_path / "out")
    next(stream)
    stream.close()
    shutil.rmtree(run)
    shutil.copytree(runs / "recurrent", run)
    with pytest.raises(RunError, match="holds another run: pretrained_sha256 is"):
        next(fit(classify(reviews, run, epochs=9), tmp_path / "out"))
    with pytest.raises(RunError, match="holds another run: embedding is 8 there and None now"):
        next(fit(classify(reviews, None, epochs=9), tmp_path / "out"))
    plain = classify(reviews, None, epochs=9)
    stream = fit(plain, tmp_path / "plain")
    next(stream)
    stream.close()
    with pytest.raises(RunError, match="began without a pretrained one: leave --pretrained out"):
        next(fit(classify(reviews, run, epochs=9), tmp_path / "plain"))


@pytest.mark.parametrize(
    ("facts", "words", "says"),
    [
        (
            {"pretrained": "gone"},
            ["a"],
            "data.json does not hold what a run needs: 'pretrained_sha256': field required",
        ),
        ({"pretrained": 5, "pretrained_sha256": "0" * 64}, ["a"], "data.json does not hold what a run needs: 'pretr"),
        ({"pretrained": "gone", "pretrained_sha256": "0" * 64}, 5, "vocabulary.json does not hold .* 'words'"),
    ],
)
def test_a_run_that_goes_on_holds_what_it_should(facts, words, says, tmp_path):
    view = {"plain": True, "casing": True, "affixes": 0, "letters": False}
    vocabulary = {"view": view, "words": words, "affixes": [], "letters": ""}
    files = {"data.json": facts, "recipe.json": {}, "vocabulary.json": vocabulary}
    folder.write_files(tmp_path, {name: folder.to_bytes(one) for name, one in files.items()}, status="finished")
    with pytest.raises(RunError, match=says):
        begun(tmp_path / "gone", tmp_path, "word", {}, {})


@pytest.mark.parametrize(
    ("name", "changes", "error", "says"),
    [
        ("self-attention", {"hidden": 9}, ArgumentError, "has hidden 8, and 9 was asked for: leave it out, or begin"),
        ("self-attention", {"core": "gru"}, ArgumentError, "has core self-attention, and gru was asked for"),
        ("recurrent", {"both": False}, ArgumentError, "has both True, and False was asked for"),
        ("letters", {}, ArgumentError, "has characters, and words are read: give --unit character, or another run"),
        ("next", {}, RunError, "did not learn to fill in masked units; give a run of `throughtime train language"),
        ("nowhere", {}, RunError, "is no run to begin with; make one with `throughtime train language --objective"),
    ],
)
def test_a_run_that_does_not_fit_is_named(runs, reviews, name, changes, error, says):
    recipe = classify(reviews, runs / name, **changes)
    with pytest.raises(error) as raised:
        recipe.begin(recipe.data(), None)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("recipe", "settings", "says"),
    [
        (Classify, {"pretrained": "r", "vectors": "v"}, "vectors and pretrained exclude each other"),
        (Classify, {"pretrained": "r", "maximum_vocab": 9}, "maximum_vocab and pretrained exclude each other"),
        (Classify, {"pretrained": "r", "aligned": 9}, "aligned and pretrained exclude each other; got 9"),
        (Classify, {"pretrained": "r", "windows": 2}, "pretrained is of texts and letters"),
        (Classify, {"heads": 2}, "heads is for --core self-attention; got --core lstm"),
        (Classify, {"core": "self-attention", "heads": 3}, "heads must divide hidden; got 3 and 128"),
        (Classify, {"core": "self-attention", "both": False}, "--no-both is for recurrent cores"),
        (Tag, {"core": "self-attention", "both": False}, "--no-both is for recurrent cores"),
        (Tag, {"positions": "none"}, "positions is for --core self-attention; got --core lstm"),
        (Tag, {"pretrained": "r", "maximum_vocab": 9}, "maximum_vocab and pretrained exclude each other"),
    ],
)
def test_settings_that_contradict_are_named(recipe, settings, says):
    with pytest.raises(ArgumentError) as raised:
        make_recipe(recipe, {"train": "x.csv"} | settings)
    assert says in str(raised.value)


@pytest.mark.parametrize("positions", ["rotary", "sinusoidal"])
def test_a_classifier_and_a_tagger_of_self_attention_learn_from_nothing(reviews, sentences, tmp_path, positions):
    settings = {"core": "self-attention", "hidden": 8, "heads": 2, "epochs": 1, "positions": positions}
    list(fit(Classify(train=reviews, **settings), tmp_path / "classify"))
    assert len(throughtime.load(tmp_path / "classify").predict(["a good film"])) == 1
    list(fit(Tag(train=sentences, **settings), tmp_path / "tag"))
    assert throughtime.load(tmp_path / "tag") is not None
