"""The recipe of a classifier where it reads letters, or numbers in time; what is held out together."""

import json
import shutil

import numpy as np
import pytest
import torch

import throughtime
from throughtime import folder
from throughtime.data.records import Layout
from throughtime.data.scale import Scale
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.recipes import Classify, class_checks
from throughtime.recipes.labelled import divide
from throughtime.recipes.read import make_recipe
from throughtime.runs import Asked
from throughtime.runs import classify as runs
from throughtime.train import fit

SIZES = {"core": "average", "rows": 4, "epochs": 1, "evaluate_every": 100, "seed": 3, "dropout": 0.0}
CHANCE = np.random.default_rng(0)
SERIES = [  # what rises, what falls, and what does neither
    (np.stack([np.linspace(0, slope, steps), np.full(steps, 5.0)], 1) + CHANCE.normal(0, 0.05, (steps, 2)), name)
    for steps in (5, 7, 6, 5, 9, 4, 8, 6, 7, 5)
    for slope, name in ((1, "up"), (-1, "down"), (0, "still"))
]
DNA = [("ACGTTGCA"[i % 3 :] + "ACG"[i % 3] * (2 + i // 3), "acg"[i % 3]) for i in range(30)]


def trained(recipe, out, steps=None):
    stream, told = fit(recipe, out), []
    for progress in stream:
        told.append(progress)
        if progress.step == steps:
            stream.close()
    return told


def ts(path, series, names="up down still"):
    body = [
        ":".join(",".join(f"{x:.6f}" for x in channel) for channel in values.T) + f":{name}" for values, name in series
    ]
    path.write_text("\n".join([f"@classLabel true {names}" if names else "@classLabel false", "@data", *body]) + "\n")
    return path


def long_table(path, series, extra=""):
    rows = [
        f"{i},{t},{name}{extra},{x:.6f},{y:.6f}"
        for i, (values, name) in enumerate(series)
        for t, (x, y) in enumerate(values)
    ]
    path.write_text("\n".join(["who,when,what,x,y", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def moves(tmp_path_factory):
    return ts(tmp_path_factory.mktemp("moves") / "moves.ts", SERIES)


@pytest.fixture(scope="module")
def classify(moves):
    def recipe(**changes):
        return Classify(**({"train": moves} | SIZES | changes))

    return recipe


@pytest.fixture(scope="module")
def run(classify, tmp_path_factory):
    home = tmp_path_factory.mktemp("series") / "run"
    trained(classify(epochs=40, rows=9, learning_rate=0.05), home)
    return home


def test_every_kind_of_file_gives_the_same_series(classify, moves, tmp_path):
    same = [values[:4] for values, _ in SERIES]
    names = [name for _, name in SERIES]
    np.save(tmp_path / "x.npy", np.stack(same))
    np.save(tmp_path / "y.npy", np.array(names))
    wide, flipped = tmp_path / "wide.csv", tmp_path / "flipped.csv"
    for path, axes in ((wide, (0, 1)), (flipped, (1, 0))):
        rows = [[name, *map(str, values.transpose(axes).ravel())] for values, name in zip(same, names, strict=True)]
        path.write_text("\n".join(map(",".join, rows)) + "\n")
    whole = ts(tmp_path / "some.ts", list(zip(same, names, strict=True)))
    table = long_table(tmp_path / "long.csv", list(zip(same, names, strict=True)))
    columns = {"id_column": "who", "time_column": "when", "label_column": "what"}
    wanted = classify(train=whole).data()
    for changes in (
        {"train": tmp_path / "x.npy", "label_file": tmp_path / "y.npy"},
        {"train": wide, "windows": 2, "label_column": "0"},
        {"train": flipped, "windows": 2, "label_column": "0", "order": "channel", "header": False},
        {"train": table, **columns},
        {"train": table, **columns, "value_columns": ("x", "y")},
    ):
        recipe = classify(**changes)
        assert recipe.of_series
        data = recipe.data()
        assert (recipe.unit, recipe.item, data.classes) == (None, "series", ["down", "still", "up"])
        for one, other in zip(data.train.sequences, wanted.train.sequences, strict=True):
            torch.testing.assert_close(one, other, atol=2e-5, rtol=0)
    assert data.encoder.channels == ("x", "y")
    np.save(tmp_path / "v.npy", np.stack(same[:3]))
    other = classify(train=tmp_path / "x.npy", label_file=tmp_path / "y.npy", valid=tmp_path / "v.npy")
    with pytest.raises(DataError, match=r"v.npy, series 0: its label is missing; tell where labels are"):
        other.data()
    np.save(tmp_path / "v.labels.npy", np.array(names[:3]))
    assert other.data().valid.labels == [(name,) for name in names[:3]]


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "bfloat16", "dropout": 0.5},
        {"pool": "attention", "balanced": True, "smoothing": 0.1},
        {"core": "convolution", "hidden": 3, "widths": (2, 5), "accumulate": 3},
        {"core": "lstm", "hidden": 3, "pool": "last", "optimiser": "sgd", "momentum": 0.5},
        {"core": "gru", "hidden": 3, "both": False, "layers": 2, "pool": "mean"},
    ],
    ids=str,
)
def test_every_option_trains_predicts_and_scores(classify, tmp_path, options):
    told = trained(classify(**options), tmp_path / "run", 3)
    assert told[0].loss.count == 4
    classifier = throughtime.load(tmp_path / "run")
    said = classifier.predict([values for values, _ in SERIES])
    assert all(sum(one.probabilities.values()) == pytest.approx(1, abs=1e-5) for one in said)
    score = classifier.score([values for values, _ in SERIES], [(name,) for _, name in SERIES])
    assert 0 < score.nats < 5
    assert score.sentence().endswith("nats a series")
    assert score.to_json()["series"] == 30


def test_scales_are_those_of_what_is_learned_from_and_nothing_else(classify):
    data = classify(held_out=0.3).data()
    steps = torch.cat(data.train.sequences)
    torch.testing.assert_close(steps.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(steps.std(0, correction=0), torch.ones(2), atol=1e-4, rtol=0)
    assert abs(float(torch.cat(data.valid.sequences).mean(0)[0])) > 1e-3
    assert (data.facts["train_units"], data.facts["train_longest"], data.facts["vocab"]) == (len(steps), 9, None)


def test_a_task_is_learned_and_its_folder_knows_it(run, classify):
    final = json.loads((run / "progress.jsonl").read_text().splitlines()[-1])["final"]
    assert final["accuracy"] == 1
    classifier = throughtime.load(run)
    assert [one.labels[0] for one in classifier.predict([values for values, _ in SERIES])] == [n for _, n in SERIES]
    assert not (run / "vocabulary.json").exists()
    card = (run / "card.md").read_text()
    assert "# A classifier of series" in card
    assert "| model | average of values, 9 weights |" in card
    assert "numbers of 2 channels (channel 0, channel 1)" in card
    assert "27 series to train on (down 9, still 9, up 9)" in classify().notes(classify().data())[1]


def test_mistakes_are_told_by_where_they_stand(classify, moves):
    recipe = classify()
    data = recipe.data()
    lines = recipe.sample(recipe.model(data), data, final=True).splitlines()
    assert lines
    assert f": {moves}, series " in lines[0]
    assert lines[0].endswith(" times")


def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(classify, tmp_path):
    recipe = classify(epochs=2, evaluate_every=6, core="convolution", hidden=3, dropout=0.3)
    trained(recipe, tmp_path / "straight")
    for steps in (3, 8, None):
        trained(recipe, tmp_path / "stopped", steps)
    runs = [tmp_path / name for name in ("straight", "stopped")]
    assert len({(run / "weights.safetensors").read_bytes() for run in runs}) == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"train": "x.ts", "unit": "word"}, "unit is of texts, not of .ts files: leave it out; got word"),
        ({"train": "x.ts", "text_column": "a"}, "text_column is of tables of texts, not of .ts files: leave it out"),
        ({"windows": 2, "alphabet": "dna"}, "alphabet is of texts, not of tables of series: leave it out; got dna"),
        ({"id_column": "a", "embedding": 3}, "embedding is of texts, not of tables of times: leave it out; got 3"),
        ({"train": "x.npy", "word_dropout": 0.1}, "word_dropout needs units that can be unknown, which numbers cannot"),
        ({"train": "x.ts", "vectors": "v"}, "vectors is of texts, not of .ts files: leave it out; got "),
        ({"time_column": "a"}, "tables of times, not of tables of texts: leave it out, or give --id-column as well"),
        ({"value_columns": ["a"]}, "leave it out, or give --id-column or --windows as well; got a"),
        ({"order": "channel"}, "order is of tables of series, not of tables of texts: leave it out, or give --windows"),
        ({"unit": "byte", "minimum_count": 3}, "minimum_count and maximum_vocab are of units that are learned, and"),
        ({"unit": "byte", "maximum_vocab": 3}, "minimum_count and maximum_vocab are of units that are learned, and"),
        ({"train": "x.fa", "label_file": "y", "header_separator": ","}, "--label-file has them: leave one of them out"),
        ({"train": "x.ts", "aligned": 3}, "aligned is of texts, not of .ts files: leave it out; got 3"),
        ({"core": "bag", "aligned": 3}, "aligned is for cores that know places, and a bag does not; got 3"),
        (
            {"windows": 2, "time_column": "a"},
            "time_column is of tables of times, not of tables of series: leave it out",
        ),
        ({"windows": 0}, "windows does not fit: input should be greater than or equal to 1; got 0"),
        ({"windows": 2, "order": "row"}, "order does not fit: input should be 'time' or 'channel'"),
    ],
    ids=str,
)
def test_a_setting_of_another_kind_is_named(settings, says):
    with pytest.raises(ArgumentError) as error:
        make_recipe(Classify, {"train": "x.csv"} | settings)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


GIVEN = {  # a value of each setting of reading
    "header": True,
    "label_file": "labels.csv",
    "unit": "character",
    "minimum_count": 3,
    "maximum_vocab": 9,
    "windows": 2,
    "order": "channel",
    "embedding": 3,
    "aligned": 4,
    "alphabet": "dna",
    "value_columns": ["a"],
}
KINDS = {
    class_checks.TABLE: {"train": "x.csv"},
    class_checks.FASTA: {"train": "x.fa.gz"},
    class_checks.TS: {"train": "x.ts"},
    class_checks.NPY: {"train": "x.npy"},
    class_checks.TIMES: {"train": "x.csv", "id_column": "a"},
    class_checks.ROWS: {"train": "x.csv", "windows": 3},
}


@pytest.mark.parametrize("kind", [*KINDS, class_checks.FOLDER])
def test_what_a_kind_of_data_does_not_take_is_refused_and_all_else_is_taken(tmp_path, kind):
    given = KINDS.get(kind, {"train": tmp_path})
    for name, kinds in class_checks.READ.items():
        if name in ("id_column", "windows") and kind in (class_checks.TABLE, class_checks.TIMES):
            continue  # makes it a table of another kind
        if name == "vectors" and "unit" not in given:
            given = {**given, "unit": "word" if kind in class_checks.TEXTS else None}
        several = {"labels": "multiple"} if name == "separator" else {}
        values = {**given, name: GIVEN.get(name, "b"), **several}
        if kind in kinds:
            class_checks.check_kind(make_recipe(Classify, values), kind)
            continue
        with pytest.raises(ArgumentError, match=f"{name} is of .*, not of ({kind}|tables of texts): leave") as error:
            make_recipe(Classify, values).data()
        assert "\n" not in str(error.value)


def test_what_is_read_decides_what_it_is_cut_into():
    units = {
        "x.csv": "word",
        "x.fasta": "character",
        "x.fa.gz": "character",
        "x.ts": None,
        "x.npy": None,
        "folder": "word",
    }
    assert {name: Classify(train=name).unit for name in units} == units
    assert Classify(train="x.csv", alphabet="dna").unit == "character"
    assert Classify(train="x.fasta", unit="byte").unit == "byte"
    assert (Classify(train="x.csv", windows=3).unit, Classify(train="x.csv", id_column="0").unit) == (None, None)
    assert Classify(train="x.ts").word_dropout == 0
    again = Classify.model_validate(json.loads(Classify(train="x.ts").model_dump_json()))
    assert again == Classify(train="x.ts")


@pytest.mark.parametrize(
    ("body", "options", "says"),
    [
        ("@classLabel true a\n@data\n1,2:a\n3,4:a\n", {}, "has one class only, 'a': nothing is to be told apart"),
        ("@classLabel true a b\n@data\n1,2:a\n3,?:b\n", {}, "line 4, channel 0, value 2: the value is missing; fill"),
        ("@classLabel true a b\n@data\n1,2:a\n3,inf:b\n", {}, "line 4, channel 0, value 2: the value is infinite"),
        ("@classLabel true a b\n@data\n1,2:a\n3,:b\n", {}, "line 4, channel 0, value 2: the value is missing"),
        ("@classLabel true a b\n@data\n:a\n3:b\n", {}, "line 3, channel 0, value 1: the value is missing"),
        ("@classLabel true a b\n@data\n1,2:a\n3:4:b\n", {}, "line 4 has 2 channels, the first series 1"),
        ("@classLabel true a b\n@data\n1,2:a\n3,4:?\n", {}, "series 4: its label is missing; tell where labels are"),
        ("@classLabel true a b\n@data\n1,?:a\n3,?:b\n", {"missing": "skip"}, "no records of 2 rows; give some"),
        ("@classLabel false\n@data\n1,2\n3,4\n", {}, "series 3: its label is missing; tell where labels are"),
    ],
)  # fmt: skip
def test_series_that_do_not_fit_are_refused_in_one_line_and_nothing_is_written(classify, tmp_path, body, options, says):
    (tmp_path / "some.ts").write_text(body)
    with pytest.raises(DataError, match=says) as error:
        next(fit(classify(train=tmp_path / "some.ts", **options), tmp_path / "run"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_other_channels_to_validate_on_are_named(classify, tmp_path):
    other = ts(tmp_path / "other.ts", [(values[:, :1], name) for values, name in SERIES])
    with pytest.raises(ArgumentError, match="series 1 has 1 channels; give 2 a time: channel 0, channel 1"):
        classify(valid=other).data()


def test_series_that_lack_something_are_left_out_when_asked_and_counted(classify, moves, tmp_path):
    path = tmp_path / "gaps.ts"
    path.write_text(moves.read_text() + "1,?:2,3:up\n1,2:3,4:?\n")
    data = classify(train=path, missing="skip").data()
    assert (data.facts["skipped_rows"], data.facts["train_items"] + data.facts["valid_items"]) == (2, 30)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"deviation": [0.0, 1.0]}, "the scales do not read as such: Input should be greater than 0"),
        ({"channels": ["x"], "mean": [0.0], "deviation": [1.0]}, "not those of its recipe"),
        ({"channels": "xy"}, "the scales do not read as such: Input should be a valid list"),
    ],
)
def test_hostile_scales_are_refused(run, tmp_path, change, says):
    home = shutil.copytree(run, tmp_path / "run")
    files = {n: (home / n).read_bytes() for n in folder.read_manifest(home).files}
    files["scales.json"] = json.dumps(json.loads(files["scales.json"]) | change).encode()
    folder.write_files(home, files, status="finished")
    with pytest.raises(RunError, match=says) as error:
        throughtime.load(home)
    assert "\n" not in str(error.value)


def judged(run, recipe, **asked):
    return runs.evaluate(run, recipe, Asked(**asked))


def test_a_file_is_judged_and_a_label_that_was_never_learned_is_refused_or_counted(run, classify, tmp_path):
    own = judged(run, classify(epochs=40, rows=9, learning_rate=0.05))
    assert (own.facts["series"], own.facts["accuracy"], own.rows["times"]) == (3, 1.0, str(own.facts["units"]))
    recipe = classify()
    file = ts(tmp_path / "some.ts", SERIES[:4])
    assert judged(run, recipe, file=file).facts["accuracy"] == 1
    new = ts(tmp_path / "new.ts", [*SERIES[:4], (SERIES[0][0], "odd")], "up down still odd")
    says = "label 'odd' is none of the classes that were learned: 1 of 5 rows have such labels, the first .*new.ts, ser"
    with pytest.raises(ArgumentError, match=f"{says}ies 7; leave them out with --missing skip, or train with them"):
        judged(run, recipe, file=new)
    found = judged(run, recipe, file=new, missing="skip")
    assert (found.facts["series"], found.facts["skipped_rows"]) == (4, 1)
    assert "left out of the figures, and all of them are wrong" in found.notes[1]


def answers(run, recipe, file, **asked):
    found = runs.predict(throughtime.load(run), recipe, Asked(file, **asked))
    rows = [found.facts(one) for block in found for one in block]
    return [row["labels"] for row in rows], [row["row"] for row in rows], found


def test_series_are_predicted_with_labels_or_without(run, classify, tmp_path):
    wanted = [(name,) for _, name in SERIES[:5]]
    labels, rows, found = answers(run, classify(), ts(tmp_path / "some.ts", SERIES[:5]))
    assert (labels, rows) == (wanted, ["3", "4", "5", "6", "7"])
    assert (
        found.told()
        == f"5 series of {sum(len(values) for values, _ in SERIES[:5])} times; 0 left out, for they lack values"
    )
    table = long_table(tmp_path / "long.csv", SERIES[:5])
    columns = {"train": "x.csv", "id_column": "who", "time_column": "when", "label_column": "what"}
    bare = tmp_path / "bare.csv"
    bare.write_text("".join(",".join(np.delete(line.split(","), 2)) + "\n" for line in table.read_text().split()))
    home = tmp_path / "run"
    trained(classify(**columns | {"train": table}, epochs=60, rows=3, learning_rate=0.1, valid=table), home)
    for file in (table, bare):
        labels, rows, found = answers(home, classify(**columns), file)
        assert (labels, rows) == (wanted, ["0", "1", "2", "3", "4"])
    bare.write_text(bare.read_text().replace("x,y", "x,z", 1))
    with pytest.raises(DataError, match="has no column 'y'; known: who, when, x, z"):
        answers(home, classify(**columns), bare)


def test_a_row_of_numbers_is_predicted_with_its_label_or_without(classify, tmp_path):
    same = [(values[:4], name) for values, name in SERIES]
    lines = [",".join([name, *(f"{x:.5f}" for x in values.ravel())]) for values, name in same]
    (tmp_path / "wide.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "bare.csv").write_text("\n".join(line.split(",", 1)[1] for line in lines) + "\n")
    recipe = classify(train=tmp_path / "wide.csv", windows=2, label_column="0")
    trained(recipe, tmp_path / "run")
    first, second = (answers(tmp_path / "run", recipe, tmp_path / name) for name in ("wide.csv", "bare.csv"))
    assert first[:2] == second[:2]
    assert first[1] == [str(i) for i in range(1, 31)]
    (tmp_path / "odd.csv").write_text("a,1,2,3\nb,4,5,6\n")
    with pytest.raises(DataError, match="has 3 columns of values, which 2 channels cannot share"):
        answers(tmp_path / "run", recipe, tmp_path / "odd.csv")


def test_what_cannot_be_predicted_is_one_line(run, classify, tmp_path):
    gaps = ts(tmp_path / "gaps.ts", [(np.array([[1, np.nan]]), "up"), SERIES[0]])
    with pytest.raises(DataError, match="line 3, channel 1, value 1: the value is missing"):
        answers(run, classify(), gaps)
    assert answers(run, classify(), gaps, missing="skip")[1:2] == (["4"],)
    with pytest.raises(ArgumentError, match="series 1 has 1 channels; give 2 a time"):
        answers(run, classify(), ts(tmp_path / "one.ts", [(SERIES[0][0][:, :1], "up")]))
    with pytest.raises(ArgumentError, match="--text-column x means nothing to a classifier of series: leave it out"):
        answers(run, classify(), gaps, column="x")
    (tmp_path / "some.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"some.csv is not read as series; give .ts or .npy, or tell which columns"):
        answers(run, classify(), tmp_path / "some.csv")


def test_the_numbers_of_a_time_come_line_by_line_and_are_answered_at_once(run, classify):
    classifier = throughtime.load(run)
    live = runs.stream(classifier, classify())
    for values, _ in SERIES[:3]:
        for time in range(1, len(values) + 1):
            line = ", ".join(map(str, values[time - 1])) if time % 2 else json.dumps(values[time - 1].tolist())
            said = live.take(line)
            wanted = classifier.predict([values[:time]])[0]
            assert (said["time"], said["labels"]) == (time, wanted.labels)
            assert list(said["probabilities"].values()) == pytest.approx(list(wanted.probabilities.values()), abs=1e-5)
        assert live.take("  ") is None
    assert live.plain(said).split("\t")[0] == said["labels"][0]


@pytest.mark.parametrize("pool", ["last", "mean", "maximum"])
def test_a_cell_and_a_pool_carried_on_say_what_the_whole_series_does(classify, pool, imitated):
    recipe = classify(core="gru", hidden=4, both=False, pool=pool)
    data = recipe.data()
    model = recipe.model(data).eval()
    classifier = recipe.reader(model, data)
    live = runs.stream(classifier, recipe)
    assert isinstance(live, runs.EventsLive)
    for values, _ in SERIES[:2]:
        for time in range(1, len(values) + 1):
            said = live.take(json.dumps(values[time - 1].tolist()))
        wanted = classifier.predict([values])[0].probabilities
        assert list(said["probabilities"].values()) == pytest.approx(list(wanted.values()), abs=1e-5)
        live.take("")


def test_a_line_that_does_not_fit_leaves_the_series_as_it_was(run, classify):
    live = runs.stream(throughtime.load(run), classify())
    live.take("1 2")
    for line, says in (
        ("1", "1 numbers; give the 2 numbers of a time, with commas between"),
        ("1,2,3", "3 numbers; give"),
        ("1,x", "'1,x' does not read as numbers; give such as 0.5, -1, or JSON"),
        ("[1, [2]]", "does not read as numbers"),
        ("[1, null]", r"has what is not finite in single precision \(3.4e38\); fill it in, or leave the line out"),
        ("1_0,2", "does not read as numbers"),
        ("1,nan", "has what is not finite"),
        ("1,", "has what is not finite"),
        ("1e300,0", "has what is not finite in single precision"),
        ("3e38,-3e38", "the answer is no number|is too far from what was learned"),
        ("[" * 2000, "does not read as numbers"),
    ):
        with pytest.raises(DataError, match=says) as raised:
            live.take(line)
        assert "\n" not in str(raised.value)
    assert live.take("1 2")["time"] == 2


@pytest.mark.parametrize("line", ["1e300 0", "3e38 -3e38"])
def test_a_line_that_is_too_far_off_is_refused_and_forgotten(run, classify, line):
    first, other = (runs.stream(throughtime.load(run), classify()) for _ in range(2))
    for live in (first, other):
        live.classifier.encoder.scale = Scale(np.zeros(2), np.full(2, 1e-3))
        live.take("1e-3 2e-3")
    with pytest.raises(DataError, match=r"not finite in single precision|too far from what was learned"):
        first.take(line)
    said = first.take("2e-3 1e-3")
    assert said == other.take("2e-3 1e-3")
    assert json.loads(json.dumps(said, allow_nan=False))["time"] == 2


def test_an_answer_that_is_no_number_is_refused_and_forgotten(run, classify, monkeypatch):
    live = runs.stream(throughtime.load(run), classify())
    live.take("1 2")
    step = live.running.step

    def poisoned(x):
        return step(x) * float("nan")

    with monkeypatch.context() as patch:
        patch.setattr(live.running, "step", poisoned)
        with pytest.raises(DataError, match="the answer is no number, for this is too far from what was learned"):
            live.take("1 1")
    assert live.take("1 2")["time"] == 2


def test_a_block_is_bounded_by_its_classes(run, classify, monkeypatch, tmp_path):
    monkeypatch.setattr("throughtime.runs.asked.MOST_SHARES", 9)
    file = ts(tmp_path / "moves.ts", SERIES[:7])
    found = runs.predict(throughtime.load(run), classify(), Asked(file))
    most = 9 // len(throughtime.load(run).classes)
    assert [len(block) for block in found] == [most] * (7 // most) + ([7 % most] if 7 % most else [])


def test_a_core_that_needs_all_of_a_series_gets_it_in_a_line(classify):
    recipe = classify(core="convolution", hidden=3)
    data = recipe.data()
    classifier = recipe.reader(recipe.model(data), data)
    live = runs.stream(classifier, recipe)
    values = SERIES[0][0]
    assert live.take(json.dumps(values.tolist()))["probabilities"] == classifier.predict([values])[0].probabilities
    assert live.take(" ") is None
    for line, says in (
        ("[]", r"numbers of shape \[0\]; give a whole series as JSON, such as \[\[0, 0\], ...\], 2 numbers a time"),
        ("[[1], [2]]", r"numbers of shape \[2, 1\]; give a whole series"),
        ("[[1, 2], [3]]", "does not read as numbers"),
    ):
        with pytest.raises(DataError, match=says):
            live.take(line)


def test_a_text_a_line_is_answered_and_an_empty_line_is_not(tmp_path):
    recipe = Classify(**SIZES | {"train": dna(tmp_path), "alphabet": "dna", "label_column": "label"})
    data = recipe.data()
    classifier = recipe.reader(recipe.model(data), data)
    live = runs.stream(classifier, recipe)
    assert live.take(" ACGT ")["probabilities"] == classifier.predict(["ACGT"])[0].probabilities
    assert live.take("") is None


def dna(folder):
    path = folder / "dna.csv"
    path.write_text("letters,label\n" + "".join(f"{letters.lower()},{name}\n" for letters, name in DNA))
    return path


def test_letters_of_a_table_and_of_a_fasta_file_are_the_same(tmp_path):
    fasta = tmp_path / "dna.fasta"
    fasta.write_text("".join(f">s{i} {name}\n{letters[:4]}\n{letters[4:]}\n" for i, (letters, name) in enumerate(DNA)))
    named, labels = tmp_path / "named.fasta", tmp_path / "labels.csv"
    named.write_text("".join(f">s{i}\n{letters}\n" for i, (letters, name) in enumerate(DNA)))
    labels.write_text("name,kind\n" + "".join(f"s{i},{name}\n" for i, (_, name) in enumerate(DNA)))
    kinds = [
        {"train": dna(tmp_path), "alphabet": "dna"},
        {"train": fasta},
        {"train": fasta, "alphabet": "acgt", "label_column": "1"},
        {"train": named, "label_file": labels},
    ]
    made = [Classify(**SIZES | changes).data() for changes in kinds]
    for data in made:
        assert (data.encoder.sentence(), data.classes) == ("character, a vocabulary of 6", ["a", "c", "g"])
        assert data.facts["train_sha256"] == made[0].facts["train_sha256"]
    with pytest.raises(DataError, match=r"dna.csv, line 2, letter 2: 'C' is not of the alphabet AGT"):
        Classify(**SIZES | {"train": dna(tmp_path), "alphabet": "agt"}).data()


def test_letters_are_predicted_as_they_were_learned(tmp_path):
    recipe = Classify(**SIZES | {"train": dna(tmp_path), "alphabet": "dna", "text_column": "letters"})
    trained(recipe, tmp_path / "run", 2)
    (tmp_path / "new.fasta").write_text(">x\nacgt\n>y\n\n")
    labels, rows, found = answers(tmp_path / "run", recipe, tmp_path / "new.fasta")
    assert (len(labels), rows) == (2, [1, 3])
    assert found.told() == "2 texts, 1 of them empty; 1 of 5 characters unknown"
    (tmp_path / "lines.txt").write_text("acgt\nttt\n")
    assert answers(tmp_path / "run", recipe, tmp_path / "lines.txt")[1] == [1, 2]
    (tmp_path / "other.csv").write_text("n,letters\n1,acgt\n")
    assert answers(tmp_path / "run", recipe, tmp_path / "other.csv")[1] == [2]
    (tmp_path / "bad.csv").write_text("n,sequence\n1,acgt\n")
    with pytest.raises(DataError, match=r"has no column 'letters'; known: n, sequence|did you mean"):
        answers(tmp_path / "run", recipe, tmp_path / "bad.csv")
    with pytest.raises(DataError, match=r"moves.ts holds series; give texts"):
        answers(tmp_path / "run", recipe, ts(tmp_path / "moves.ts", SERIES[:2]))


def test_places_count_where_letters_are_aligned(tmp_path):
    rows = ["".join("acgt"[(i >> bit) % 2 if bit != j else 2] for bit in range(6)) for i in range(12) for j in (1, 4)]
    path = tmp_path / "aligned.csv"
    path.write_text("letters,label\n" + "".join(f"{row},{'xy'[row.index('g') == 4]}\n" for row in rows))
    found = []
    for aligned in (0, 6):  # what tells the classes is where a letter stands: to a mean of letters they are the same
        sizes = {**SIZES, "epochs": 12, "learning_rate": 0.1, "word_dropout": 0.0, "embedding": 8, "minimum_count": 1}
        core = {"core": "convolution", "hidden": 8, "widths": (1,)}
        recipe = Classify(**sizes | core, train=path, valid=path, unit="character", aligned=aligned)
        *_, last = trained(recipe, tmp_path / str(aligned))
        found.append(last.evaluation.score.facts["accuracy"])
        assert len(throughtime.load(tmp_path / str(aligned)).predict(["acgtacgtacgt", "g"])) == 2
    assert found[0] < 0.8
    assert found[1] > 0.95


def labelled(tmp_path, rows, **layout):
    path = tmp_path / "some.csv"
    path.write_text("text,label,who\n" + "".join(",".join(row) + "\n" for row in rows))
    recipe = Classify(train=path, text_column="text", label_column="label", **layout)
    return recipe, recipe.read(path)


def test_what_belongs_together_is_held_out_together(tmp_path):
    rows = [(f"t{i}", "ab"[i % 2], f"w{i % 10 // 2}") for i in range(60)]
    _, read = labelled(tmp_path, rows, group_column="who")
    for seed in range(3):
        found = divide(read, None, "single", held_out=0.2, seed=seed)
        sides = [{example.group for example in some} for some in (found.train, found.valid)]
        assert not sides[0] & sides[1]
        assert len(sides[1]) == 1
        assert found.facts["shared"] == 0


def test_equal_texts_are_held_out_together_and_counted(tmp_path):
    rows = [(f"t{i % 40}", "ab"[i % 2], "") for i in range(100)]
    recipe, read = labelled(tmp_path, rows)
    found = divide(read, None, "single", held_out=0.2, seed=0)
    sides = [{example.item for example in some} for some in (found.train, found.valid)]
    assert not sides[0] & sides[1]
    assert (found.facts["repeats"], found.facts["shared"]) == (60, 0)
    assert len(found.train) + len(found.valid) == 100
    given = divide(read, read, "single", held_out=0.2, seed=0)
    assert (given.facts["repeats"], given.facts["shared"]) == (120, 100)
    both = recipe.model_copy(update={"valid": recipe.train})
    notes = " ".join(both.notes(both.data()))
    assert "100 held-out texts are among those to train on as well: they are no test of it" in notes
    assert "120 texts repeat another one of their part" in notes


def test_a_text_without_labels_has_none_of_them_where_they_may_be_several(tmp_path):
    rows = [(f"t{i}", ["x", "y", "", "x;y"][i % 4], "") for i in range(40)]
    recipe, _ = labelled(tmp_path, rows, labels="multiple", separator=";", minimum_count=1)
    data = recipe.data()
    assert data.facts["unlabelled_rows"] == 10
    assert sorted(data.train.targets.sum(1).unique().tolist()) == [0, 1, 2]
    assert "10 texts have no label, which is read as none of the classes" in recipe.notes(data)
    with pytest.raises(DataError, match="line 4: its label is missing"):
        labelled(tmp_path, rows)


def test_columns_go_by_number_and_the_first_line_is_names_where_it_is_said(tmp_path):
    path = tmp_path / "some.csv"
    path.write_text("text,label\n" + "".join(f"t{i},{'ab'[i % 2]}\n" for i in range(30)))
    columns = {"train": path, "text_column": "0", "label_column": "1"}
    assert len(Classify(**columns, header=True).read(path).records) == 30
    assert [r.item for r in Classify(**columns).read(path).records][:2] == ["text", "t0"]
    assert "the first line is data, not names" in Classify(**columns).read(path).chosen
    assert Layout(text="0").numbered
