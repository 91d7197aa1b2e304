"""compare and tune, through the command line's own door."""

import csv
import json
import signal
import subprocess
import sys
from dataclasses import field
from pathlib import Path

import pytest

from throughtime.cli.compare import _application
from throughtime.cli.main import run
from throughtime.cli.repeated import DATA, options_of
from throughtime.errors import DivergedError
from throughtime.recipes import Classify
from throughtime.train import fit
from throughtime.trials import tune

WORDS = ["fine", "poor"]
ROWS = [(f"the film, number {i}, was {WORDS[i % 2]}", ["good\x1b[31m", "bad"][i % 2]) for i in range(40)]
SIZES = ["--minimum-count", "1", "--epochs", "1", "--rows", "8", "--evaluate-every", "3", "--embedding", "4"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "films.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *ROWS])
    return path


@pytest.fixture(scope="module")
def variations(texts):
    path = texts.parent / "some.toml"
    path.write_text('[average]\ncore = "average"\n[narrow]\ncore = "convolution"\nwidths = [1]\nhidden = 3\n')
    return path


@pytest.fixture(scope="module")
def compared(texts, variations):
    out = texts.parent / "compared"
    words = ["compare", texts, "--variations", variations, "--seeds", 2, *SIZES, "--out", out]
    assert run(list(map(str, words))) == 0
    return out, list(map(str, words))


def refused(capsys, *words):
    assert run([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("throughtime: ")
    return err.splitlines()[-1]


def test_a_table_is_printed_and_what_is_finished_is_not_trained_again(compared, capsys):
    words = compared[1]
    assert run(words) == 0
    said, told = capsys.readouterr()
    heads, *rows = said.splitlines()
    assert heads.split()[:4] == ["name", "accuracy,", "%", "macro"]
    assert {row.split()[0] for row in rows} == {"average", "narrow"}
    assert sum(" best " in row for row in rows) == 1
    assert told.count("is finished already") == 4
    assert "1 epoch a run, seeds 0, 1; 28 to learn from, 4 to choose weights by, 8 to judge by" in told
    assert "\x1b" not in said + told


def test_json_and_the_files_say_the_same(compared, capsys):
    out, words = compared
    assert run([*words, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    saved = json.loads((out / "comparison.json").read_text())
    assert {one["name"]: one["mean"] for one in content["standings"]} == {
        one["name"]: one["mean"] for one in saved["standings"]
    }
    assert content["items"] == 8
    assert content["standings"][1]["settings"]["widths"] == [1]
    assert [run["seed"] for run in content["standings"][0]["runs"]] == [0, 1]
    page = (out / "comparison.html").read_text()
    assert "films.csv: 2 compared" in page
    assert sorted(path.name for path in (out / "runs").iterdir()) == ["average-0", "average-1", "narrow-0", "narrow-1"]


def test_each_run_is_a_run_that_other_commands_take(compared, capsys):
    out = compared[0]
    assert run(["evaluate", str(out / "runs/narrow-1"), "--data", str(out / "data/test.jsonl"), "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    saved = json.loads((out / "comparison.json").read_text())["standings"][1]["runs"][1]
    assert saved["values"] == {name: alone[name] for name in ("accuracy", "macro_f1")}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--cores", "average,lsmt"], "unknown core 'lsmt'; did you mean 'lstm'?; known: lstm, gru, "),
        (["--cores", "gru,gru"], "--cores has one twice: gru,gru"),
        (["--cores", "gru", "--variations", "x.toml"], "--cores and --variations both say what is compared"),
        (["--cores", "average", "--hidden", "9"], "average cannot be compared: hidden is for cores that have units"),
        (["--seeds", "0"], "--seeds is how many there are to be, from 1 to 1000; got 0"),
        (["--test-share", "1"], "--test-share is a share of DATA, above 0 and below 1; got 1.0"),
        (["--application", "language"], "compare is not for language, whose recipe has no train; known: classify"),
        (["--application", "clasify"], "unknown application 'clasify'; did you mean 'classify'?"),
        (["--minutes", "0"], "minutes does not fit: input should be greater than 0; got 0.0"),
        (["--core", "gru"], "unknown option --core; did you mean '--cores'?"),
        (["--text-column", "txt"], "has no column 'txt'; did you mean 'text'?"),
    ],
)
def test_bad_words_are_one_line(texts, tmp_path, capsys, words, told):
    assert told in refused(capsys, "compare", texts, "--out", tmp_path / "out", *words)
    assert not (tmp_path / "out/runs").exists()


def test_a_folder_of_something_else_is_left_alone(compared, texts, tmp_path, capsys):
    words = compared[1]
    (tmp_path / "mine.txt").touch()
    assert "holds something else ('mine.txt')" in refused(capsys, *words[:-1], tmp_path)
    assert "holds another run: minimum_count is 1 there and 2 now" in refused(capsys, *words, "--minimum-count", "2")


def test_usual_cores_that_do_not_fit_are_left_out(texts, tmp_path, capsys):
    told = refused(capsys, "compare", texts, "--out", tmp_path / "out", "--seeds", "0", "--hidden", "9")
    assert "--seeds is how many" in told
    run(["compare", str(texts), "--out", str(tmp_path / "out"), "--seeds", "0", "--hidden", "9"])
    assert "average is left out: hidden is for cores that have units" in capsys.readouterr().err


def test_what_is_compared_goes_by_the_files_wherever_they_stand(texts, tmp_path, capsys):
    (tmp_path / "some.conllu").write_text("")
    for words in (
        ["some.conllu"],
        ["--json", "some.conllu"],
        ["--valid=some.conllu", "x"],
        ["x", "--test", "y.conll.gz"],
    ):
        assert _application(["--out", "c", *words]) == "tag"
    assert _application(["--out", "c.conllu", "x.csv"]) == _application(["--out=c.conllu", "x.csv"]) == "classify"
    assert _application(["x.conllu", "--application", "classify"]) == "classify"
    assert "sentences" in refused(capsys, "compare", "--out", tmp_path / "out", tmp_path / "some.conllu")


def test_the_value_of_an_option_is_no_option(texts):
    words = ["--out", "hidden", "--text-column=hidden", "--no-header", str(texts)]
    extra = [("data", DATA, field()), ("out", Path, field())]
    given, options, settings = options_of(
        Classify, words, extra, without=("application", "train"), command="tune", about="."
    )
    assert given == {"text_column", "header"}
    assert (options.out, settings["text_column"], settings["header"]) == (Path("hidden"), "hidden", False)


def test_variations_are_tables(texts, tmp_path, capsys):
    (tmp_path / "bad.toml").write_text('core = "gru"\n')
    told = refused(capsys, "compare", texts, "--out", tmp_path / "out", "--variations", tmp_path / "bad.toml")
    assert "'core' is no table of settings; write [core] and settings below it" in told


LAST = ["updates", "seconds"]
TUNE = ["--core", "lstm", "--hidden", "3", "--layers", "1", "--pool", "mean", "--dropout", "0.1", *SIZES]


def plain(monkeypatch):
    """Trials that are trained with the mean of the embeddings, which needs no kernels."""
    changed = {"core": "average", "hidden": 128}
    monkeypatch.setattr(tune, "fit", lambda recipe, home: fit(recipe.model_copy(update=changed), home))


def test_a_study_makes_a_recipe_that_train_takes(texts, tmp_path, capsys, monkeypatch):
    plain(monkeypatch)
    out = tmp_path / "study"
    words = ["tune", "classify", str(texts), "--trials", "2", "--out", str(out), *TUNE]
    assert run(words) == 0
    said, told = capsys.readouterr()
    heads, *rows, counts = said.splitlines()
    assert heads.split() == ["trial", "loss", "accuracy", "macro_f1", "learning_rate", "word_dropout", *LAST]
    assert sorted(row.split()[0] for row in rows) == ["1", "2"]
    assert counts == "2 finished, 0 given up, 0 failed"
    assert "2 finished trials of different results are too few" in told
    assert not (out / "importance.png").exists()
    command = told.splitlines()[-1].split()
    assert command[:5] == ["throughtime", "train", "classify", "--config", str(out / "recipe.json")]
    settings = json.loads((out / "recipe.json").read_text())
    assert (settings["pool"], settings["hidden"]) == ("mean", 3)
    assert run([*words[:3], "--trials", "4", *words[5:], "--json"]) == 0
    said, told = capsys.readouterr()
    assert json.loads(said)["finished"] == 4
    assert (out / "importance.png").stat().st_size > 1000
    assert "trial 3 of 4" in told
    assert "trial 2 of 4" not in told


def test_a_failed_trial_is_counted(texts, tmp_path, capsys, monkeypatch):
    def broken(recipe, home):
        yield from ()
        raise DivergedError("the loss is nan at step 1; try a lower --learning-rate")

    monkeypatch.setattr(tune, "fit", broken)
    assert run(["tune", "classify", str(texts), "--trials", "2", "--out", str(tmp_path / "study"), *TUNE]) == 0
    said, told = capsys.readouterr()
    assert said == "0 finished, 0 given up, 2 failed\n"
    assert "failed: the loss is nan at step 1" in told
    assert not (tmp_path / "study/recipe.json").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "tune what? throughtime tune RECIPE DATA --trials N --out DIR; known: classify, tag"),
        (["clasify"], "unknown application 'clasify'; did you mean 'classify'?"),
        (
            ["classify", "x.csv", "--trials", "0", "--out", "o"],
            "--trials is how many there are to be, from 1 to 100,000",
        ),
        (["classify", "x.csv", "--trials", "2", "--out", "o", "--minutes", "0"], "minutes does not fit"),
        (["classify", "x.csv", "--trials", "2", "--out", "o"], "x.csv"),
        (["classify", "--trials", "2", "--out", "o"], "missing from throughtime tune classify: DATA"),
    ],
)
def test_bad_words_of_tune_are_one_line(tmp_path, capsys, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    assert told in refused(capsys, "tune", *words)


def test_help_imports_no_torch():
    script = "import sys; from throughtime.cli.main import run\ntry: run(sys.argv[1:])\nexcept SystemExit: pass\n"
    script += "print([name for name in ('torch', 'optuna', 'matplotlib') if name in sys.modules])"
    words = ["tune", "classify", "--help"]
    said = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[]"
    assert said.index("--trials") < said.index("--text-column") < said.index("--learning-rate")


@pytest.mark.system
@pytest.mark.parametrize("words", [["compare", "--cores", "average,convolution"], ["tune", "--trials", "9"]])
def test_ctrl_c_keeps_what_was_done(texts, tmp_path, words):
    command, *more = words
    application = ["classify"] if command == "tune" else []
    sizes = [*SIZES[:2], "--epochs", "30", *SIZES[4:]]
    line = [sys.executable, "-m", "throughtime", command, *application, str(texts), *more, *sizes]
    with subprocess.Popen([*line, "--out", str(tmp_path / "out")], stderr=subprocess.PIPE, text=True) as child:
        for told in child.stderr:
            if "seed 0 (1 of" in told or "trial 1 of" in told:
                child.send_signal(signal.SIGINT)
                break
        rest = child.stderr.read()
        assert child.wait(60) == 130
    assert "Stopped. What was done is kept" in rest
    assert "Traceback" not in rest
