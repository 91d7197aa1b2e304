"""The recipe of a perceptron and its runs: every option once, data that do not fit, resume, hostile folders."""

import csv
import io
import json
import re

import numpy as np
import pytest
import torch

import throughtime
from throughtime import Perceptron, folder
from throughtime.cli.main import run
from throughtime.data.scale import Scale
from throughtime.data.toys import make_toy
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.recipes.read import make_recipe
from throughtime.runs import Asked, application_of
from throughtime.runs.perceptron import divided_of
from throughtime.train import fit

SIZES = {"epochs": 1, "evaluate_every": 100, "seed": 3, "rows": 8}
GRID = [(x, y, "near" if x + y < 6 else "far") for x in range(7) for y in range(7)]


def written(path, rows, names=("x", "y", "place")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows] if names else rows)
    return path


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return written(tmp_path_factory.mktemp("grid") / "grid.csv", GRID)


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """Rows whose label is a number."""
    rows = [(x, y, 100 + 20 * x - 10.5 * y) for x, y, _ in GRID]
    return written(tmp_path_factory.mktemp("plane") / "plane.csv", rows)


@pytest.fixture(scope="module")
def home(grid, tmp_path_factory):
    """A run that knows the grid."""
    out = tmp_path_factory.mktemp("runs") / "grid"
    trained(Perceptron(train=grid, epochs=40, learning_rate=0.1), out)
    return out


def trained(recipe, out, steps=None):
    """A run until it has made so many updates, or to its end; gives what it told."""
    stream, told = fit(recipe, out), []
    for progress in stream:
        told.append(progress)
        if progress.step == steps:
            stream.close()
    return told


def weights(out):
    return folder.read_tensors(out, "weights.safetensors", 2**20)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hidden": (4,), "activation": "sigmoid", "precision": "bfloat16"},
        {"hidden": (4, 3), "activation": "relu", "dropout": 0.5, "accumulate": 3},
        {"hidden": (3,), "activation": "leaky_relu", "balanced": True},
        {"hidden": (3,), "activation": "tanh", "rows": "all", "optimiser": "sgd", "learning_rate": 0.5},
        {"rows": 1, "optimiser": "sgd", "momentum": 0.5, "schedule": "constant"},
        {"features": ("y", "x"), "label_column": "place", "schedule": "plateau", "patience": 1, "evaluate_every": 2},
        {"missing": "skip", "held_out": 0.3},
    ],
    ids=str,
)
def test_every_option_trains_predicts_and_scores(grid, tmp_path, options):
    told = trained(Perceptron(**({"train": grid} | SIZES | options)), tmp_path)
    rows = options.get("rows", 8)
    assert told[0].loss.count == (44 if rows == "all" else rows)
    reader = throughtime.load(tmp_path)
    said = reader.predict([[0, 0], [6, 6]])
    assert all(sum(one.probabilities.values()) == pytest.approx(1, abs=1e-5) for one in said)
    assert reader.names == options.get("features", ("x", "y"))


@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_numbers_are_learned_in_their_own_units(plane, tmp_path, loss):
    recipe = Perceptron(train=plane, loss=loss, label_column="place", epochs=60, learning_rate=0.1)
    *_, last = trained(recipe, tmp_path)
    assert last.evaluation.score.facts["mean_absolute_error"] < 1
    assert "truly 1" in last.evaluation.sample
    reader = throughtime.load(tmp_path)
    assert [one.label for one in reader.predict([[0, 0], [1, 2]])] == pytest.approx([100, 99], abs=2)
    assert "units of the latter" in told_before(recipe)


def told_before(recipe):
    return "\n".join(recipe.notes(recipe.data()))


def test_a_grid_is_learned_and_its_folder_knows_it(home):
    said = throughtime.load(home).predict([[0, 1], [5, 6]])
    assert [one.label for one in said] == ["near", "far"]
    card = (home / "card.md").read_text()
    assert "perceptron without hidden layers, 6 weights" in card
    assert "| features | x, y |" in card


def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(grid, tmp_path):
    recipe = Perceptron(**({"train": grid, "hidden": (3,), "dropout": 0.2} | SIZES | {"epochs": 2}))
    trained(recipe, tmp_path / "straight")
    for steps in (3, 8, None):
        trained(recipe, tmp_path / "stopped", steps)
    bodies = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("straight", "stopped")]
    assert bodies[0] == bodies[1]
    assert trained(recipe, tmp_path / "stopped") == []


def test_all_rows_at_once_is_the_step_that_stochastic_steps_make_together(grid, tmp_path):
    """One update of all rows: the weights it began with, less the rate times the mean gradient."""
    recipe = Perceptron(
        train=grid, rows="all", optimiser="sgd", learning_rate=0.5, weight_decay=0.0, epochs=1, warmup_steps=0
    )
    data = recipe.data()
    torch.manual_seed(recipe.seed)
    model = recipe.model(data)
    inputs, targets = data.train
    rows = [(inputs[i : i + 1], targets[i : i + 1]) for i in range(len(targets))]
    total = sum(torch.nn.functional.cross_entropy(model.head.linear(x), y) for x, y in rows)
    gradients = torch.autograd.grad(total / len(rows), list(model.parameters()))
    [update, *_] = trained(recipe, tmp_path)
    rate = update.learning_rate
    for (name, before), gradient in zip(model.named_parameters(), gradients, strict=True):
        torch.testing.assert_close(weights(tmp_path)[name], before - rate * gradient)


def test_columns_that_tell_nothing_are_told(tmp_path):
    path = written(tmp_path / "c.csv", [(i, 7.1, 16777217, "ab"[i % 2]) for i in range(20)], ("i", "c", "big", "label"))
    told = told_before(Perceptron(train=path))
    assert "2 features are the same in all rows and tell nothing: c, big" in told
    assert "20 whole numbers are beyond single precision and were rounded" in told
    assert "18 rows to train on (a 9, b 9); 2 held out" in told


def test_a_table_of_its_own_is_held_out(grid, tmp_path):
    valid = written(tmp_path / "v.csv", [("far", 6, 5), ("near", 1, 0)], ("place", "y", "x"))
    data = Perceptron(train=grid, valid=valid).data()
    np.testing.assert_array_equal(data.read.valid.values, [[5, 6], [0, 1]])
    assert data.read.valid.targets.tolist() == [0, 1]
    valid = written(tmp_path / "v.csv", [("off", 6, 5)], ("place", "y", "x"))
    with pytest.raises(DataError, match="label 'off' is in the held-out part only"):
        Perceptron(train=grid, valid=valid).data()


def test_equal_rows_are_held_out_together_or_counted(tmp_path):
    rows = [(i % 30, 5, "ab"[i % 2]) for i in range(90)]
    recipe = Perceptron(train=written(tmp_path / "n.csv", rows), held_out=0.2)
    data = recipe.data()
    sides = [{tuple(row) for row in part.values.tolist()} for part in (data.read.train, data.read.valid)]
    assert not sides[0] & sides[1]
    assert len(sides[1]) == 6
    assert data.read.facts["shared"] == 0
    few = Perceptron(train=written(tmp_path / "few.csv", [(i % 2, 5, "ab"[i % 2]) for i in range(20)]))
    assert few.data().read.facts["shared"] == 2
    assert any("2 held-out rows are among those to train on as well" in note for note in few.notes(few.data()))


def test_whole_numbers_that_are_classes_stand_in_their_order(tmp_path):
    rows = [(i, (2, 10, -1)[i % 3]) for i in range(30)]
    assert Perceptron(train=written(tmp_path / "n.csv", rows, ("i", "label"))).data().read.classes == ["-1", "2", "10"]
    rows = [(row[0], "1" * 5000) if row[1] == 10 else row for row in rows]
    names = Perceptron(train=written(tmp_path / "n.csv", rows, ("i", "label"))).data().read.classes
    assert [name[:3] for name in names] == ["-1", "111", "2"], "what is no number of 64 bits stands by its letters"


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([(1, 2, "a")] * 9, {}, "one class only, 'a'"),
        ([(1, 2, 0.5), (1, 2, 1.5)] * 9, {"label_column": "place"}, r"'0.5' is a number with a fraction.*--loss mse"),
        ([(1, 2, "a"), (1, 2, "3")] * 9, {"loss": "mse"}, r"line 2: label 'a' is no number, which this loss wants"),
        ([(1, 2, "a"), (1, 2, "b")], {}, "2 rows are too few to hold 0.1 of each class out"),
        ([(i, i, str(i) + "c") for i in range(10_001)], {}, "10,001 classes with .* over 10,000 .*--loss mse"),
    ],
)
def test_data_that_do_not_fit_are_refused(tmp_path, rows, options, message):
    with pytest.raises(DataError, match=message):
        Perceptron(train=written(tmp_path / "x.csv", rows), **options).data()


def test_too_many_features_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 8194)))
    with pytest.raises(DataError, match=r"8,193 features with .* bytes of names are over 8,192"):
        Perceptron(train=tmp_path / "x.npy", label_column="0").data()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "rows must be from 1 to 1,048,576, or all; got 0"),
        ({"hidden": (4, 0)}, r"hidden must be at most 64 layers of 1 to 65,536 units; got \[4, 0\]"),
        ({"balanced": True, "loss": "mse"}, "balanced is for classes; got --loss mse"),
        ({"dropout": 0.5}, "dropout is of hidden units; got 0.5 and no --hidden"),
        ({"features": ("a", "a")}, "features has a column twice; got a, a"),
        ({"momentum": 0.5}, "momentum is for --optimiser sgd"),
        ({"activation": "cosine"}, "activation does not fit"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        make_recipe(Perceptron, {"train": "x.csv", **options})


def ran(capsys, *words):
    status = run([str(word) for word in words])
    out, err = capsys.readouterr()
    return status, out, err


def test_it_is_trained_by_words_with_commas(grid, tmp_path, capsys):
    words = ["--features", "y,x", "--hidden", "4,3", "--rows", "all", "--epochs", "2", "--json"]
    status, out, err = ran(capsys, "train", "perceptron", "--train", grid, "--out", tmp_path / "run", *words)
    assert (status, json.loads(out.splitlines()[-1])["step"]) == (0, 2)
    assert "2 features: y, x; the label is column 'place', found by itself" in err
    recipe = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert (recipe["features"], recipe["hidden"], recipe["rows"]) == (["y", "x"], [4, 3], "all")


def test_the_commands_know_a_run_of_it(home, grid, tmp_path, capsys):
    status, out, err = ran(capsys, "evaluate", home, "--json")
    facts = json.loads(out)
    assert (status, facts["rows"], facts["skipped_rows"]) == (0, 5, 0)
    assert set(facts["classes"]) == {"near", "far"}
    status, out, err = ran(capsys, "evaluate", home, "--data", grid)
    assert re.search(r"^rows +49$", out, re.MULTILINE)
    assert "the label is column 'place'" in err
    bare = written(tmp_path / "bare.csv", [(1, 0.5), (5, 6)], None)
    status, out, err = ran(capsys, "predict", home, bare, "--probabilities")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["row"], row["label"]) for row in rows] == [("1", "near"), ("2", "far")]
    assert all(float(row["near"]) + float(row["far"]) == pytest.approx(1, abs=1e-5) for row in rows)
    assert err.endswith("2 rows, 0 of them skipped\n")
    _, out, _ = ran(capsys, "predict", home, bare, "--json", "--probabilities")
    said = [json.loads(line) for line in out.splitlines()]
    assert [line["probability"] for line in said] == [max(line["probabilities"].values()) for line in said]
    status, out, err = ran(capsys, "show", home, "--boundary", tmp_path / "b.png")
    assert status == 0
    assert "perceptron without hidden layers" in out
    assert (tmp_path / "b.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("names", "rows", "message"),
    [
        (None, [(1, 2, 3)], "has 3 columns of numbers, and 2 features are wanted (x, y); give as many"),
        (("x", "z"), [(1, 2)], "lacks 1 of 2 features (y); known: x, z"),
        (("x", "y"), [(1, "")], "line 2, column 'y': the value is missing"),
    ],
)
def test_files_with_other_features_are_refused_in_one_line(home, tmp_path, capsys, names, rows, message):
    status, _, err = ran(capsys, "predict", home, written(tmp_path / "other.csv", rows, names))
    assert status == 2
    assert message in err.splitlines()[-1]


def test_a_label_that_was_not_learned_is_refused(home, tmp_path, capsys):
    status, _, err = ran(capsys, "evaluate", home, "--data", written(tmp_path / "n.csv", [(1, 2, "new")]))
    assert status == 2
    assert "n.csv, line 2: label 'new' is none of the 2 classes that were learned" in err


def test_a_line_is_answered_at_once(home):
    recipe = Perceptron(train="x.csv")
    live = application_of(recipe).stream(throughtime.load(home), recipe)
    assert live.wants == "2 numbers with commas or spaces between: x, y"
    facts = live.take("0, 1\n")
    assert facts["label"] == "near"
    assert live.plain(facts).startswith("near\t0.")
    assert live.take("\n") is None
    for line, message in [
        ("1\n", "the line has 1, and 2 numbers are wanted: x, y"),
        ("1 two\n", "'1 two' does not read as numbers"),
        ("1 inf\n", "'1 inf' has what is not finite in single precision"),
        ("1 1_0\n", "'1 1_0' does not read as numbers"),
    ]:
        with pytest.raises(DataError, match=message):
            live.take(line)


def test_a_line_that_is_too_far_off_is_refused_as_any_other(home):
    recipe, reader = Perceptron(train="x.csv"), throughtime.load(home)
    reader.scale = Scale(np.zeros(2), np.full(2, 1e-9))
    with pytest.raises(DataError, match="3e\\+38 is too far from what was learned"):
        application_of(recipe).stream(reader, recipe).take("3e38, 0")


def test_how_sure_one_may_be_is_told_and_drawn_of_classes(home, grid, tmp_path, capsys):
    words = ["evaluate", home, "--data", grid, "--reliability", tmp_path / "r.svg"]
    status, out, _ = ran(capsys, *words, "--confusion", tmp_path / "c.svg")
    assert status == 0
    assert {"accuracy, 95 %", "calibration error", "temperature"} <= {row.split("  ")[0] for row in out.splitlines()}
    assert min((tmp_path / name).stat().st_size for name in ("r.svg", "c.svg")) > 1000


def test_a_block_is_bounded_by_its_classes(home, grid, monkeypatch):
    monkeypatch.setattr("throughtime.runs.asked.MOST_SHARES", 20)  # of two classes each: ten rows
    recipe = Perceptron(train="x.csv")
    blocks = list(application_of(recipe).predict(throughtime.load(home), recipe, Asked(file=grid)))
    assert [len(block) for block in blocks] == [10, 10, 10, 10, 9]
    assert [said.row for block in blocks for said in block] == list(range(2, 51))


def test_rows_that_lack_something_are_left_out_of_predictions_when_asked(home, tmp_path, capsys):
    path = written(tmp_path / "gaps.csv", [(1, 2), ("", 2), (3, 1)], ("x", "y"))
    status, _, err = ran(capsys, "predict", home, path)
    assert status == 2
    assert "leave such rows out with --missing skip" in err
    status, out, err = ran(capsys, "predict", home, path, "--missing", "skip")
    assert (status, len(out.splitlines())) == (0, 3)
    assert "3 rows, 1 of them skipped" in err


def test_numbers_go_through_the_commands(plane, tmp_path, capsys):
    recipe = Perceptron(train=plane, loss="mse", label_column="place", epochs=2)
    trained(recipe, tmp_path / "run")
    application = application_of(recipe)
    judged = application.evaluate(tmp_path / "run", recipe, Asked(file=plane))
    assert judged.facts["mean_absolute_error"] > 0
    assert "squared deviations a row" in judged.rows
    answers = application.predict(throughtime.load(tmp_path / "run"), recipe, Asked(file=plane))
    block = next(iter(answers))
    assert answers.head == "row,number"
    assert float(answers.plain(block[0]).split(",")[1]) == pytest.approx(answers.facts(block[0])["number"])
    live = application.stream(throughtime.load(tmp_path / "run"), recipe)
    assert live.plain(live.take("1 2")) == f"{live.take('1 2')['number']:.8g}"
    assert "a number, place" in application.rows(application.Facts(**facts_in(tmp_path / "run")), recipe, 3)["answers"]
    for words in (
        ["predict", tmp_path / "run", plane, "--probabilities"],
        ["evaluate", tmp_path / "run", "--confusion", tmp_path / "c.svg"],
    ):
        status, _, err = ran(capsys, *words)
        assert status == 2
        assert "means nothing to a perceptron whose answers are numbers: leave it out" in err
    status, _, err = ran(capsys, "show", tmp_path / "run", "--boundary", tmp_path / "b.png")
    assert status == 2
    assert "it foretells a number, and a boundary is between classes" in err


def facts_in(home):
    return json.loads((home / "data.json").read_text())


@pytest.mark.parametrize("asked", [Asked(), Asked(file="."), Asked(file="-")])
def test_what_is_no_file_is_refused(home, asked):
    from pathlib import Path

    asked = Asked(file=None if asked.file is None else Path(asked.file))
    recipe = Perceptron(train="x.csv")
    with pytest.raises(ArgumentError, match="is no file; give one with a vector a row"):
        application_of(recipe).predict(throughtime.load(home), recipe, asked)


def test_a_column_of_texts_is_refused(home, grid):
    recipe = Perceptron(train="x.csv")
    with pytest.raises(
        ArgumentError, match="--text-column x means nothing to a perceptron, which reads rows of numbers"
    ):
        application_of(recipe).predict(throughtime.load(home), recipe, Asked(file=grid, column="x"))


def test_data_that_changed_are_noticed(tmp_path):
    path = make_toy("passing", tmp_path)[0]
    recipe = Perceptron(train=path, epochs=1)
    trained(recipe, tmp_path / "run")
    assert len(divided_of(tmp_path / "run", recipe).train.labels) == 179  # equal rows go together
    path.write_text(path.read_text().replace("12", "11", 1))
    with pytest.raises(RunError, match=r"was changed since .* was trained on it; put it back"):
        divided_of(tmp_path / "run", recipe)
    with path.open("a") as file:
        file.write("1,1,pass\n")
    with pytest.raises(RunError, match="was changed since"):
        divided_of(tmp_path / "run", recipe)


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": [0.0]},
        {"deviation": [0.0, 1.0]},
        {"deviation": [-1.0, 1.0]},
        {"classes": None},
        {"classes": ["near", "near"]},
        {"target_mean": 0.0},
        {"features": []},
        {"mean": ["0", 1.0]},
        {"classes": None, "target_mean": 0.0, "target_deviation": 1.0},
    ],
    ids=str,
)
def test_folders_that_do_not_fit_themselves_are_refused(home, tmp_path, changes):
    out = tmp_path / "run"
    files = {path.name: path.read_bytes() for path in home.iterdir() if path.name not in ("manifest.json", "COMPLETE")}
    folder.write_new(out, files | {"data.json": json.dumps(facts_in(home) | changes).encode()}, status="finished")
    with pytest.raises(RunError):
        throughtime.load(out)
