"""The recipe of a classifier: every option once, data that do not fit, resume, vectors, hostile folders."""

import csv
import json
import shutil
from typing import get_args

import numpy as np
import pytest
import torch

import throughtime
from throughtime import Padded, folder
from throughtime.data.batches import SequenceBatch
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.recipes import Classify
from throughtime.recipes.cards import listed
from throughtime.recipes.cells import CellName
from throughtime.recipes.labelled import pairs_of
from throughtime.recipes.read import make_recipe
from throughtime.runs.classify import divided_of
from throughtime.runs.folders import recipe_of
from throughtime.train import fit
from throughtime.vectors.table import Table

SAYS = {"good": ["fine", "great"], "bad": ["poor", "dull"], "odd": ["strange", "weird"]}
ROWS = [(f"the film {i} was {SAYS[name][i % 2]}", name) for i in range(10) for name in SAYS]
SIZES = {
    "core": "average",
    "embedding": 6,
    "minimum_count": 1,
    "rows": 4,
    "epochs": 1,
    "evaluate_every": 100,
    "seed": 3,
}


def written(path, rows, names=("text", "label")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    return written(tmp_path_factory.mktemp("texts") / "texts.csv", ROWS)


@pytest.fixture(scope="module")
def classify(texts):
    def recipe(**changes):
        return Classify(**({"train": texts} | SIZES | changes))

    return recipe


def trained(recipe, out, steps=None):
    """A run until it has made so many updates, or to its end; gives what it told."""
    stream, told = fit(recipe, out), []
    for progress in stream:
        told.append(progress)
        if progress.step == steps:
            stream.close()
    return told


def texts_of(part):
    return [example.item for example in part.examples]


def read_of(tmp_path, table, **changes):
    return Classify(**({"train": written(tmp_path / "some.csv", table)} | SIZES | changes))


RECURRENT = {"core": "lstm", "hidden": 3}
BAG = {"core": "bag", "embedding": None}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pool": "maximum", "precision": "bfloat16"},
        {"pool": "attention", "dropout": 0.0, "word_dropout": 0.0, "optimiser": "sgd", "momentum": 0.5},
        {"unit": "character", "accumulate": 3},
        {"unit": "byte", "minimum_count": 2, "balanced": True, "smoothing": 0.1, "schedule": "constant"},
        {"unit": "subword", "maximum_vocab": 260},
        {"core": "convolution", "hidden": 3, "widths": (2, 5), "pool": "attention"},
        {"core": "convolution", "hidden": 3, "pool": "mean", "schedule": "plateau", "patience": 1, "evaluate_every": 3},
        {**RECURRENT, "pool": "last", "accumulate": 4},
        {**RECURRENT, "pool": "last", "both": False, "layers": 2},
        {**RECURRENT, "pool": "attention", "layers": 2},
        {**RECURRENT, "pool": "mean", "both": False},
        BAG,
        {**BAG, "bag": "counts", "dense": (4, 3), "balanced": True, "unit": "byte", "minimum_count": 2},
    ],
    ids=str,
)
def test_every_option_trains_predicts_and_scores(classify, tmp_path, options):
    recipe = classify(**options)
    told = trained(recipe, tmp_path, 3 if recipe.patience == 0 else None)
    assert told[0].loss.count == 4
    classifier = throughtime.load(tmp_path)
    said = classifier.predict([text for text, _ in ROWS])
    assert all(sum(one.probabilities.values()) == pytest.approx(1, abs=1e-5) for one in said)
    assert 0 < classifier.score([text for text, _ in ROWS], [(name,) for _, name in ROWS]).nats < 5


@pytest.mark.parametrize("name", sorted(set(get_args(CellName)) - {"lstm"}))
def test_every_cell_reads_from_both_ends_and_learns(classify, name, imitated):
    model = classify(core=name, hidden=2, pool="last", dropout=0.0).model_of(5, 3)
    batch = SequenceBatch(Padded.of([torch.tensor([1, 2]), torch.tensor([4])]), torch.tensor([0, 2]))
    model.loss(batch)[0].total.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_task_is_learned_and_its_folder_knows_it(classify, tmp_path):
    *_, last = trained(classify(epochs=30, rows=9, learning_rate=0.05, dropout=0.1), tmp_path / "run")
    assert last.evaluation.score.facts["accuracy"] == 1
    assert last.evaluation.sample == "none"
    classifier = throughtime.load(tmp_path / "run")
    assert classifier.classes == ["bad", "good", "odd"]
    said = classifier.predict(["the film was weird", "the film was dull", "the film was great"])
    assert [one.labels for one in said] == [("odd",), ("bad",), ("good",)]
    card = (tmp_path / "run" / "card.md").read_text()
    assert "average of embeddings" in card
    assert "accuracy 100.00 %" in card
    assert "| rows skipped | 0 |" in card


@pytest.mark.parametrize(
    "options", [{}, {"core": "convolution", "hidden": 3, "accumulate": 3, "optimiser": "sgd"}], ids=str
)
def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(classify, tmp_path, options):
    recipe = classify(epochs=2, evaluate_every=6, balanced=True, **options)
    trained(recipe, tmp_path / "straight")
    for steps in (3, 8, None):
        trained(recipe, tmp_path / "stopped", steps)
    runs = [tmp_path / name for name in ("straight", "stopped")]
    assert len({(run / "weights.safetensors").read_bytes() for run in runs}) == 1
    lines = [[json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()] for run in runs]
    assert [{**line, "seconds": 0} for line in lines[0]] == [{**line, "seconds": 0} for line in lines[1]]
    assert trained(recipe, tmp_path / "stopped") == []


def test_a_batch_in_groups_learns_what_it_learns_whole(classify, tmp_path):
    found = []
    for accumulate in (1, 3, 64):  # 27 texts in batches of 4: the last one has fewer rows than there are groups
        recipe = classify(dropout=0.0, word_dropout=0.0, accumulate=accumulate, optimiser="sgd", learning_rate=0.5)
        trained(recipe, tmp_path / str(accumulate))
        found.append(folder.read_tensors(tmp_path / str(accumulate), "weights.safetensors", 2**20))
    for name, weight in found[0].items():
        for other in found[1:]:
            torch.testing.assert_close(other[name], weight)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"core": "lsmt"}, "core does not fit: input should be 'lstm'"),
        ({"separator": ";"}, "separator is for --labels multiple; got --labels single"),
        (
            {"labels": "ordinal", "smoothing": 0.1},
            "smoothing and balanced are for --labels single; got --labels ordinal",
        ),
        ({"labels": "multiple", "balanced": True}, "smoothing and balanced are for --labels single"),
        ({"vectors": "v", "unit": "byte"}, "vectors needs --unit word, for they are of words; got --unit byte"),
        ({"frozen_updates": 3}, "frozen_updates needs --vectors; got 3 and none"),
        ({"core": "average", "layers": 2}, "layers, --no-both and --pool last are for recurrent cores; got --core av"),
        ({"core": "convolution", "both": False}, "are for recurrent cores; got --core convolution"),
        ({"core": "convolution", "pool": "last"}, "are for recurrent cores; got --core convolution"),
        ({"core": "average", "hidden": 9}, "hidden is for cores that have units, this one has none; got 9"),
        ({"dense": (4,)}, "bag and dense are for --core bag; got --core lstm"),
        ({"bag": "counts"}, "bag and dense are for --core bag; got --core lstm"),
        ({**BAG, "hidden": 9}, "hidden is for cores that have units, this one has none; got 9"),
        ({**BAG, "pool": "mean"}, "embedding, vectors and pool are for cores over embeddings, and a bag of words has"),
        ({**BAG, "dense": (4, 0)}, "dense is at most 64 layers of 1 to 65,536 units; got [4, 0]"),
        ({**BAG, "windows": 3}, "--core bag is of words or other units, and these are series of numbers"),
        ({"widths": [2]}, "widths is for --core convolution; got --core lstm"),
        ({"core": "convolution", "widths": []}, "widths must be different numbers from 1 to 1024; got []"),
        ({"core": "convolution", "widths": [2, 2]}, "widths must be different numbers from 1 to 1024; got [2, 2]"),
        ({"core": "convolution", "widths": [0]}, "widths must be different numbers from 1 to 1024; got [0]"),
        ({"core": "convolution", "widths": [10**9]}, "widths must be different numbers from 1 to 1024"),
        ({"unit": "byte", "word_dropout": 0.1}, "word_dropout needs units that can be unknown, which bytes cannot be"),
        ({"unit": "subword", "word_dropout": 0.1}, "units that can be unknown, which subwords cannot be; got 0.1"),
        ({"momentum": 0.9}, "momentum is for --optimiser sgd"),
        ({"held_out": 1.0}, "held_out does not fit"),
        ({"dropout": 1.0}, "dropout does not fit: input should be less than 1; got 1.0"),
        ({"train": None}, "train does not fit"),
        ({"trian": "x"}, "unknown setting 'trian'; did you mean 'train'?"),
    ],
    ids=str,
)
def test_a_setting_that_does_not_fit_is_named(settings, says):
    with pytest.raises(ArgumentError) as error:
        make_recipe(Classify, {"train": "x"} | settings)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_eight_passes_are_the_bound_when_none_is_given():
    assert (Classify(train="x").minutes, Classify(train="x").epochs) == (None, 8)
    assert (Classify(train="x", minutes=3).minutes, Classify(train="x", minutes=3).epochs) == (3, None)


def test_words_are_dropped_where_they_can_be_unknown():
    given = {unit: Classify(train="x", unit=unit).word_dropout for unit in ("word", "character", "subword", "byte")}
    assert given == {"word": 0.1, "character": 0.1, "subword": 0.0, "byte": 0.0}
    assert Classify(train="x", word_dropout=0.3).word_dropout == 0.3


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        ([("a b", "x")] * 5, {}, "has one class only, 'x': nothing is to be told apart"),
        ([("a b", "x"), ("c d", "y")], {}, "2 examples are too few to hold 0.1 of each class out: give more of"),
        ([("a b", str(i)) for i in range(10_001)], {}, "10,001 classes with .* bytes of names are over 10,000"),
        ([("a b", str(i) * 300_000) for i in range(2)], {}, "2 classes with 600,004 bytes of names are over"),
        ([*ROWS, ("a b", "3")], {"labels": "ordinal"}, "line 2: label 'good' is no whole number; ordinal labels are"),
        ([("a b", "1"), ("a b", "1.5")] * 9, {"labels": "ordinal"}, "line 3: label '1.5' is no whole number"),
        ([*ROWS, (" ", "good")], {}, "line 32: its text is empty; fill it in, or .* --missing skip"),
        ([*ROWS, ("a b", "")], {}, "line 32: its label is missing; fill it in"),
        ([*ROWS, ("a", "b", "c")], {}, "line 32: 3 cells where the first line has 2"),
        (ROWS, {"text_column": "txet"}, "has no column 'txet'; did you mean 'text'?"),
        (ROWS, {"label_column": "7"}, r"has no column '7'; its columns are 0 \(such as 'text'\), 1"),
        ([], {}, "has no rows but its names of columns; give some"),
        ([("a b", "x"), ("c d", "y")] * 9, {"minimum_count": 10}, "no words are left: 4 seen, none of them 10 times"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_data_that_do_not_fit_are_refused_in_one_line_and_nothing_is_written(tmp_path, rows, options, says):
    recipe = read_of(tmp_path, rows, **options)
    with pytest.raises(DataError, match=says) as error:
        next(fit(recipe, tmp_path / "run"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_several_labels_are_refused_where_one_is_wanted(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_text(
        "".join(json.dumps({"text": f"a {i}", "label": ["x", "y"][: 1 + i // 9]}) + "\n" for i in range(10))
    )
    with pytest.raises(DataError, match=r"line 10 has 2 labels, and --labels single takes one; give --labels multiple"):
        Classify(**(SIZES | {"train": path})).data()
    assert Classify(**(SIZES | {"train": path, "labels": "multiple"})).data().classes == ["x", "y"]


def test_a_label_that_only_held_out_texts_have_is_refused(classify, tmp_path):
    other = written(tmp_path / "valid.csv", [("a b", "good"), ("a c", "ugly")])
    with pytest.raises(DataError, match="label 'ugly' is in the held-out part only, so that it cannot be learned"):
        classify(valid=other).data()


def test_texts_are_held_out_by_class_and_seed_or_given(classify, tmp_path):
    data = classify(held_out=0.2).data()
    assert sorted(name for (name,) in data.valid.labels) == ["bad"] * 2 + ["good"] * 2 + ["odd"] * 2
    assert sorted(texts_of(data.train) + texts_of(data.valid)) == sorted(text for text, _ in ROWS)
    assert (
        texts_of(data.valid)
        == texts_of(classify(held_out=0.2).data().valid)
        != texts_of(classify(held_out=0.2, seed=4).data().valid)
    )
    assert data.facts["valid"] == "20% of the texts, of each class"
    other = written(tmp_path / "valid.csv", [("the film zebra", "good"), ("", "bad")])
    given = classify(valid=other, missing="skip").data()
    assert (texts_of(given.valid), len(texts_of(given.train))) == (["the film zebra"], 30)
    assert {name: given.facts[name] for name in ("valid", "valid_units", "valid_unknown", "skipped_rows")} == {
        **{"valid": str(other), "valid_units": 3, "valid_unknown": 1, "skipped_rows": 1}
    }
    assert given.facts["valid_sha256"] != given.facts["train_sha256"] == data.facts["train_sha256"]


def test_rows_that_lack_something_are_skipped_when_asked_and_counted(tmp_path):
    data = (recipe := read_of(tmp_path, [*ROWS, ("", "good"), ("a b", " ")], missing="skip")).data()
    assert (data.facts["skipped_rows"], data.facts["train_items"] + data.facts["valid_items"]) == (2, 30)
    assert recipe.notes(data)[1].endswith("; 2 rows skipped")


def test_an_order_is_of_numbers_however_they_are_written(tmp_path):
    rows = [(f"text {i}", ["10", "2", "01", "1.0", "-3", "1"][i % 6]) for i in range(60)]
    data = (recipe := read_of(tmp_path, rows, labels="ordinal")).data()
    assert data.classes == ["-3", "1", "2", "10"]
    assert data.train.targets.bincount().tolist() == [9, 27, 9, 9]
    told = trained(recipe, tmp_path / "run")
    assert "mean_absolute_error" in told[-1].evaluation.score.facts
    assert throughtime.load(tmp_path / "run").predict(["text"])[0].labels[0] in data.classes


def test_several_labels_are_held_out_by_the_rarest_and_learned(tmp_path):
    words = ["war", "love", "crime", "snow", "rain", "moon"]
    sets = [[word for bit, word in enumerate(words) if number >> bit & 1] for number in range(1, 64)]
    recipe = read_of(
        tmp_path,
        [(" ".join(some), ";".join(some)) for some in sets],
        **{"labels": "multiple", "separator": ";", "pool": "maximum", "epochs": 40, "rows": 16, "learning_rate": 0.1},
        **{"dropout": 0.0, "word_dropout": 0.0},
    )
    data = recipe.data()
    assert data.classes == sorted(words)
    assert 4 <= len(texts_of(data.valid)) <= 9, "every set of labels is there once"
    assert data.train.targets.shape == (63 - len(texts_of(data.valid)), 6)
    assert "crime " in recipe.notes(data)[1]
    *_, last = trained(recipe, tmp_path / "run")
    assert last.evaluation.score.facts["micro_f1"] > 0.8
    assert throughtime.load(tmp_path / "run").predict(["snow rain"])[0].labels == ("rain", "snow")


def test_mistakes_are_told_with_what_is_true(tmp_path):
    rows = [("the\nfilm is\tlong " + "and long " * 20, name) for name in ["x", "y"] * 10]
    recipe = read_of(tmp_path, rows)
    data = recipe.data()
    model = recipe.model(data)
    final, quick = (recipe.sample(model, data, final=final) for final in (True, False))
    assert final == quick.replace("the film is long and lo…", " ".join(rows[0][0].split())[:99] + "…")
    assert final.count("\n") == 0
    said, truly = final.split()[1:4:2]
    assert (said.strip(","), truly.strip(":")) in {("x", "y"), ("y", "x")}


def test_classes_may_weigh_alike(tmp_path):
    rows = [(f"a {i}", "x" if i % 4 else "y") for i in range(40)]
    data = (recipe := read_of(tmp_path, rows, balanced=True, smoothing=0.2)).data()
    head = recipe.model(data).head
    torch.testing.assert_close(head.weights, torch.tensor([36 / (2 * 27), 36 / (2 * 9)]))
    assert head.smoothing == 0.2
    assert read_of(tmp_path, rows).model(data).head.weights is None


def test_while_training_some_of_what_is_held_out_is_judged(classify, monkeypatch):
    monkeypatch.setattr("throughtime.recipes.class_notes.QUICK", 4)
    recipe = classify(held_out=0.5)
    model = recipe.model(data := recipe.data())
    assert [recipe.score(model, data, quick=quick).items for quick in (True, False)] == [4, 15]


def test_names_that_are_many_are_counted():
    assert listed([str(i) for i in range(60)]).endswith(" 48, 49, ... 60 in all")
    assert listed(["a", "b"]) == "a, b"


def test_identity_is_what_is_learned_and_not_where(classify, tmp_path):
    assert classify(device="cpu").identity == classify(train=tmp_path / "moved.csv").identity
    assert classify(embedding=7).identity != classify().identity
    assert classify().identity.items() <= json.loads(classify().files(classify().data())["recipe.json"]).items()


def test_every_kind_of_source_gives_the_same_texts(texts, classify, tmp_path):
    for i, (text, name) in enumerate(ROWS):
        (tmp_path / "classes" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "classes" / name / f"{i:02}.txt").write_text(text)
    bare = tmp_path / "bare.tsv"
    bare.write_text("".join(f"{i}\t{name}\t{text}\n" for i, (text, name) in enumerate(ROWS)))
    lines = tmp_path / "lines.jsonl"
    lines.write_text("".join(json.dumps({"label": name, "text": text}) + "\n" for text, name in ROWS))
    numbered = {"text_column": "2", "label_column": "1"}
    for path, columns in ((tmp_path / "classes", {}), (bare, numbered), (lines, {})):
        recipe = classify(train=path, **columns)
        assert sorted(pairs_of(recipe.read(path), "single")) == sorted((text, (name,)) for text, name in ROWS)
        assert sorted(recipe.data().facts["classes"]) == sorted(SAYS)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    names = ["the", "film", "was", "fine", "dull", "weird"]
    path = tmp_path_factory.mktemp("table") / "vectors"
    Table(names, np.random.default_rng(0).normal(0.5, 0.2, (6, 5)).astype(np.float32)).save(path)
    return path


@pytest.mark.parametrize(("frozen", "moves"), [("all", False), (2, True), (0, True)])
def test_embeddings_begin_with_vectors_and_a_run_of_them_goes_on(classify, vectors, tmp_path, frozen, moves):
    recipe = classify(vectors=vectors, embedding=None, frozen_updates=frozen)
    torch.manual_seed(recipe.seed)
    first = recipe.model(recipe.begin(recipe.data(), None)).embedding.weight
    assert first.shape[1] == 5
    told = trained(recipe, tmp_path / "run", 3)
    assert "6 words found" in told[0].notes[2]
    trained(recipe, tmp_path / "run")
    trained(recipe, tmp_path / "straight")
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == (
        tmp_path / "straight" / "weights.safetensors"
    ).read_bytes()
    assert torch.equal(throughtime.load(tmp_path / "run").model.embedding.weight, first) != moves
    assert "6 words found" in (tmp_path / "run" / "card.md").read_text()


def test_vectors_of_another_width_are_refused_and_another_run_is_not_gone_on_with(classify, vectors, tmp_path):
    with pytest.raises(ArgumentError, match="give --embedding 5, or leave it out"):
        next(fit(classify(vectors=vectors), tmp_path / "run"))
    trained(classify(vectors=vectors, embedding=None), tmp_path / "run", 1)
    with pytest.raises(RunError, match="holds another run: vectors is"):
        next(fit(classify(embedding=5), tmp_path / "run"))


@pytest.fixture(scope="module")
def run(classify, tmp_path_factory):
    home = tmp_path_factory.mktemp("classifier") / "run"
    trained(classify(), home)
    return home


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "run")


def rewritten(home, name, change):
    """The run with one file replaced and the manifest made to agree: an attack, not damage."""
    files = {n: (home / n).read_bytes() for n in folder.read_manifest(home).files}
    files[name] = json.dumps(json.loads(files[name]) | change).encode()
    folder.write_files(home, files, status="finished")
    return home


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("data.json", {"classes": ["bad", "good"]}, "not those of its recipe"),
        ("data.json", {"classes": [f"c{i}" for i in range(9999)]}, "not those of its recipe"),
        ("data.json", {"classes": ["bad", "good", "good"]}, "'classes': value error, a name is there twice"),
        ("data.json", {"classes": ["bad"]}, "data.json does not hold what a run needs: 'classes'"),
        ("data.json", {"classes": ["bad", "good", 3]}, "'classes.2': input should be a valid string"),
        ("data.json", {"vocab": -1}, "data.json does not hold what a run needs: 'vocab'"),
        ("data.json", {"valid_units": "many"}, "data.json does not hold what a run needs: 'valid_units'"),
        ("recipe.json", {"labels": "ordinal"}, "not those of its recipe"),
        ("recipe.json", {"core": "convolution"}, "not those of its recipe"),
        ("recipe.json", {"core": "lstm", "hidden": 65536, "layers": 3}, "not those of its recipe"),
        ("recipe.json", {"core": "convolution", "widths": [10**9]}, "does not fit this version: widths must be"),
        ("recipe.json", {"application": "language"}, "does not fit this version: the setting 'text' is missing"),
        (
            "recipe.json",
            {"unit": "byte", "word_dropout": 0, "minimum_count": 2},
            "is of words, and its recipe is of bytes",
        ),
        ("vocabulary.json", {"words": ["a", "b"]}, "not those of its recipe"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_hostile_run_folder_is_refused_before_memory_is_taken(copy, name, change, says):
    with pytest.raises(RunError, match=says) as error:
        throughtime.load(rewritten(copy, name, change))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name",
    ["recipe.json", "vocabulary.json", "data.json", "weights.safetensors", "manifest.json", "COMPLETE", "card.md"],
)
def test_a_file_that_is_gone_is_told(copy, name):
    (copy / name).unlink()
    with pytest.raises(RunError, match=r"the run folder is damaged|holds no finished run"):
        throughtime.load(copy)


def test_texts_are_read_again_only_as_they_were(classify, tmp_path):
    path, other = written(tmp_path / "t.csv", ROWS), written(tmp_path / "v.csv", ROWS[:6])
    recipe = classify(train=path, valid=other)
    trained(recipe, tmp_path / "run", 1)
    assert divided_of(tmp_path / "run", recipe_of(tmp_path / "run")).valid == recipe.read(other).records
    for changed in (path, other):
        body = changed.read_bytes()
        for new in (body.replace(b"fine", b"good", 1), body + b"a film,good\n", b""):
            changed.write_bytes(new)
            with pytest.raises(
                RunError, match=rf"{changed.name}' was changed since .* put it back, or give evaluate --data"
            ):
                divided_of(tmp_path / "run", recipe)
        changed.write_bytes(body)
