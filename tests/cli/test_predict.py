"""predict, and evaluate, show and train of a classifier, through the command line's own door."""

import csv
import io
import json
import re
import shutil

import pytest

from throughtime import folder
from throughtime.cli.display import Display
from throughtime.cli.main import run
from throughtime.recipes import Classify
from throughtime.runs import Asked, class_answers, classify, load, recipe_of
from throughtime.train import fit

EVIL = "go\x1b[31mod"
NAMES = [EVIL, 'bad, "really"', "odd"]
WORDS = ["fine", "poor", "strange"]
ROWS = [(f"the film, number {i}, was {WORDS[i % 3]}", NAMES[i % 3]) for i in range(30)]
SIZES = ["--core", "average", "--embedding", "6", "--minimum-count", "1", "--epochs", "20", "--rows", "9"]
SIZES += ["--learning-rate", "0.05", "--evaluate-every", "100", "--seed", "1", "--dropout", "0.1"]


def written(path, rows, names=("text", "label")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows] if names else rows)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with texts and a run of them."""
    home = tmp_path_factory.mktemp("predict")
    path = written(home / "texts.csv", ROWS)
    assert run(["train", "classify", "--train", str(path), "--out", str(home / "run"), *SIZES]) == 0
    return home


def said(capsys, *words):
    """What a command prints, on stdout and stderr."""
    assert run([str(word) for word in words]) == 0
    return capsys.readouterr()


def refused(capsys, *words):
    assert run([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("throughtime: ")
    assert err.replace("\n", "").isprintable()
    return err.splitlines()[-1]


def test_a_csv_comes_out_that_reads_back_in_the_order_of_the_rows(home, capsys):
    out, err = said(capsys, "predict", home / "run", home / "texts.csv", "--probabilities")
    names, *rows = csv.reader(io.StringIO(out))
    assert names == ["row", "label", "probability", *sorted(NAMES)]
    assert [(int(row[0]), row[1]) for row in rows] == [(i + 2, name) for i, (_, name) in enumerate(ROWS)]
    for row in rows:
        shares = dict(zip(names[3:], map(float, row[3:]), strict=True))
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        assert float(row[2]) == shares[row[1]] == max(shares.values())
    column, counts = err.splitlines()
    assert column == "the text is column 'text', found by itself"
    assert re.fullmatch(r"30 texts, 0 of them empty; \d of 180 words unknown", counts)


def test_json_lines_say_the_same(home, capsys):
    words = ["predict", home / "run", home / "texts.csv"]
    rows = list(csv.DictReader(io.StringIO(said(capsys, *words).out)))
    bare = [json.loads(line) for line in said(capsys, *words, "--json").out.splitlines()]
    full = [json.loads(line) for line in said(capsys, *words, "--json", "--probabilities").out.splitlines()]
    assert [(str(line["row"]), line["labels"]) for line in bare] == [(row["row"], [row["label"]]) for row in rows]
    assert [set(line) for line in bare[:1]] == [{"row", "labels", "probability"}]
    assert [line["probabilities"][line["labels"][0]] for line in full] == [line["probability"] for line in bare]


def test_blocks_are_not_seen_in_what_comes_out_and_no_more_than_one_is_held(home, capsys, monkeypatch):
    words = ["predict", home / "run", home / "texts.csv", "--probabilities"]
    wanted = said(capsys, *words)
    monkeypatch.setattr(class_answers, "BLOCK", 7)
    assert [row[:2] for row in csv.reader(io.StringIO(said(capsys, *words).out))] == [
        row[:2] for row in csv.reader(io.StringIO(wanted.out))
    ]
    assert capsys.readouterr().err == ""
    read = []
    answers = classify.predict(load(home / "run"), recipe_of(home / "run"), Asked(home / "texts.csv"))
    records = list(answers.source)
    answers.source = (read.append(record) or record for record in records)
    for blocks, block in enumerate(answers, 1):
        assert len(block) == min(7, 30 - 7 * (blocks - 1))
        assert len(read) == min(7 * blocks, 30)


@pytest.mark.parametrize(
    ("name", "body", "options", "count"),
    [
        ("bare.csv", "1,some fine words\n2,\n3,other poor words\n", ["--text-column", "1"], "3 texts, 1 of them empty"),
        ("lines.txt", "one fine line\n\nanother, poor line\n", [], "3 texts, 1 of them empty"),
        ("some.jsonl", '{"text": "a fine one"}\n{"text": null}\n{}\n', [], "3 texts, 2 of them empty"),
        ("some.tsv", "id\tbody\n1\ta fine one\n2\ta poor one\n", [], "2 texts, 0 of them empty"),
        ("some.csv", 'body\n"a fine\none"\n', [], "1 texts, 0 of them empty"),
    ],
)
def test_every_kind_of_file_is_read_and_nothing_left_out(home, tmp_path, capsys, name, body, options, count):
    (tmp_path / name).write_text(body)
    out, err = said(capsys, "predict", home / "run", tmp_path / name, *options)
    assert err.splitlines()[-1].startswith(count)
    assert len(list(csv.reader(io.StringIO(out)))) == 1 + int(count[0])
    assert list(csv.reader(io.StringIO(out)))[1][1] == EVIL


@pytest.mark.parametrize(
    ("name", "body", "options", "says"),
    [
        ("none.csv", None, [], "no such file: "),
        ("empty.csv", "", [], "empty.csv has no rows; give some"),
        ("names.csv", "text\n", [], "names.csv has no rows but its names of columns; give some"),
        ("some.csv", "text,n\na b,1\n", ["--text-column", "txet"], "has no column 'txet'; did you mean 'text'?"),
        (
            "two.csv",
            "p,q\na b,c d\ne f,g h\n",
            [],
            "2 columns may be the text (p, q); give --text-column, one of 0 'p'",
        ),
        ("ragged.csv", "text,n\na b,1\nc\n", [], "line 3: 1 cells where the first line has 2"),
        (
            "folder",
            ...,
            [],
            "folder is no file; give one with an item a row (.csv .tsv .jsonl .parquet .txt), or .fasta, .ts, .npy",
        ),
    ],
)
def test_what_cannot_be_read_is_one_line(home, tmp_path, capsys, name, body, options, says):
    if body is ...:
        (tmp_path / name).mkdir()
    elif body is not None:
        (tmp_path / name).write_text(body)
    assert says in refused(capsys, "predict", home / "run", tmp_path / name, *options)


def test_what_is_piped_in_is_not_read(home, capsys):
    assert "- is no file; give one with an item a row" in refused(capsys, "predict", home / "run", "-")


def test_a_run_of_another_kind_is_one_line_that_says_what_to_do(home, tiny, tmp_path, capsys):
    next(stream := fit(tiny(), tmp_path / "run"))
    stream.close()
    spoken = refused(capsys, "predict", tmp_path / "run", home / "texts.csv")
    assert "a language model writes: try generate" in spoken
    assert "--data is for models of labelled data" in refused(
        capsys, "evaluate", tmp_path / "run", "--data", home / "texts.csv"
    )
    spoken = refused(capsys, "generate", home / "run")
    assert "holds a classifier, and generate is for language models; try throughtime predict" in spoken
    assert "--text is for language models" in refused(capsys, "evaluate", home / "run", "--text", home / "texts.csv")
    words = ["show", home / "run", "--gradients", tmp_path / "g.svg"]
    assert "holds a classifier, which has no picture of its gradients" in refused(capsys, *words)


def test_names_steer_no_terminal(home, capsys, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for options in ([], ["--json"], ["--probabilities", "--json"], ["--probabilities"]):
        monkeypatch.setattr("sys.stdout", terminal := Terminal())
        assert run(["predict", str(home / "run"), str(home / "texts.csv"), *options]) == 0
        assert terminal.getvalue().replace("\n", "").isprintable()
        assert "go\\u001b[31mod" in terminal.getvalue()
    monkeypatch.undo()
    for words in (["show", home / "run"], ["evaluate", home / "run"]):
        out, err = said(capsys, *words)
        assert (out + err).replace("\n", "").isprintable()
        assert "go\\u001b[31mod" in out


def test_training_shows_names_and_samples_without_obeying_them(capsys):
    display = Display(Classify(train="x"))
    display.say(f"a {EVIL} line")
    display._evaluated(*progress_of(f"0.9 {EVIL}\ttruly\nnext"))
    err = capsys.readouterr().err
    assert err.count("go\\u001b[31mod") == 2
    assert err.replace("\n", "").isprintable()
    assert "next" in err


def progress_of(sample):
    from throughtime.models.text_classifier import ClassificationScore
    from throughtime.tally import Tally
    from throughtime.train import Evaluation, Progress

    score = ClassificationScore(1, 0.5, {"accuracy": 1.0}, {})
    evaluation = Evaluation(score, best=True, final=False, sample=sample)
    return Progress(1, 0, 1, Tally(1.0, 1), 1.0, 0.1, 1.0, 1.0, 0.1, evaluation), evaluation


def test_evaluate_scores_what_was_held_out_or_a_file(home, tmp_path, capsys):
    own = json.loads(said(capsys, "evaluate", home / "run", "--json").out)
    assert (own["texts"], own["accuracy"], own["skipped_rows"]) == (3, 1.0, 0)
    assert (
        own["nats_per_unit"]
        == json.loads((home / "run" / "progress.jsonl").read_text().splitlines()[-1])["final"]["nats_per_unit"]
    )
    other = written(tmp_path / "other.csv", [("a fine film", EVIL), ("a poor film", "odd")])
    out, err = said(capsys, "evaluate", home / "run", "--data", other, "--json")
    found = json.loads(out)
    assert (found["texts"], found["accuracy"], found["classes"]["odd"]["support"]) == (2, 0.5, 1)
    assert (found["unknown_units"], found["units"]) == (4, 6)
    assert "the label is column 'label', found by itself" in err
    page = said(capsys, "evaluate", home / "run", "--data", other).out
    assert re.search(r"^accuracy +0\.5000$", page, re.MULTILINE)
    assert re.search(r"^unknown +4 of 6 words$", page, re.MULTILINE)
    assert re.search(r"^rows skipped +0$", page, re.MULTILINE)
    assert re.search(r"^  odd +precision — +recall 0\.0000 +f1 0\.0000 +of 1$", page, re.MULTILINE)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            [("a film", "ugly"), ("a b", "odd")],
            "label 'ugly' is none of the classes that were learned: 1 of 2 rows have such labels, the first",
        ),
        ([("a film", ""), ("a b", "odd")], "line 2: its label is missing; fill it in"),
        ([("a film", "odd", "x")], "line 2: 3 cells where the first line has 2"),
        ([], "no rows but its names of columns"),
    ],
)
def test_a_file_to_evaluate_on_that_does_not_fit_is_one_line(home, tmp_path, capsys, rows, says):
    path = written(tmp_path / "other.csv", rows)
    assert says in refused(capsys, "evaluate", home / "run", "--data", path)


def test_rows_that_lack_something_are_left_out_of_an_evaluation_when_asked(home, tmp_path, capsys):
    path = written(tmp_path / "other.csv", [("a film", ""), ("", "odd"), ("was fine", EVIL)])
    assert "--missing skip" in refused(capsys, "evaluate", home / "run", "--data", path)
    found = json.loads(said(capsys, "evaluate", home / "run", "--data", path, "--missing", "skip", "--json").out)
    assert (found["texts"], found["skipped_rows"]) == (1, 2)
    assert "--missing skip is for --data" in refused(capsys, "evaluate", home / "run", "--missing", "skip")


def test_texts_that_were_changed_since_are_not_taken_for_those_held_out(home, tmp_path, capsys):
    moved = written(tmp_path / "texts.csv", ROWS)
    copy = shutil.copytree(home / "run", tmp_path / "run")
    files = {name: (copy / name).read_bytes() for name in folder.read_manifest(copy).files}
    files["recipe.json"] = json.dumps(json.loads(files["recipe.json"]) | {"train": str(moved)}).encode()
    folder.write_files(copy, files, status="finished")
    assert said(capsys, "evaluate", copy).out == said(capsys, "evaluate", home / "run").out
    moved.write_bytes(moved.read_bytes().replace(b"fine", b"poor", 1))
    assert "was changed since" in refused(capsys, "evaluate", copy)
    moved.unlink()
    assert "no such file" in refused(capsys, "evaluate", copy)


def test_show_tells_what_it_is_and_draws_its_curve(home, tmp_path, capsys):
    out = said(capsys, "show", home / "run", "--curve", tmp_path / "curve.svg").out
    for line in (
        r"model +average of embeddings, \d+ weights",
        r'classes +bad, "really", go\\u001b\[31mod, odd',
        r"training +.*texts\.csv: 27 texts, 0 of \d+ words unknown",
        r"held out +10% of the texts, of each class: 3 texts, \d of \d+ words unknown",
        r"skipped +0 rows",
        r"validation +\S+ .* share of wrong texts",
        r"settings +.*embedding 6, .*core average, ",
    ):
        assert re.search(rf"^{line}", out, re.MULTILINE), line
    assert (tmp_path / "curve.svg").stat().st_size > 1000
    facts = json.loads(said(capsys, "show", home / "run", "--json").out)
    assert facts["data"]["classes"] == sorted(NAMES)


@pytest.mark.parametrize("change", [{"vocab": "many"}, {"classes": []}, {"valid_units": None}, {"train": 3}], ids=str)
@pytest.mark.parametrize("command", ["show", "evaluate"])
def test_facts_that_are_none_are_one_line(home, tmp_path, capsys, command, change):
    copy = shutil.copytree(home / "run", tmp_path / "run")
    files = {name: (copy / name).read_bytes() for name in folder.read_manifest(copy).files}
    files["data.json"] = json.dumps(json.loads(files["data.json"]) | change).encode()
    folder.write_files(copy, files, status="finished")
    assert "data.json does not hold what a run needs" in refused(capsys, command, copy)


def test_vectors_without_a_hash_are_shown_as_such(home, tmp_path, capsys):
    copy = shutil.copytree(home / "run", tmp_path / "run")
    files = {name: (copy / name).read_bytes() for name in folder.read_manifest(copy).files}
    counts = dict.fromkeys(("found", "lower", "composed", "unknown"), 1)
    change = {"vectors": {"path": EVIL, "dimension": 6, **counts}}
    files["data.json"] = json.dumps(json.loads(files["data.json"]) | change).encode()
    folder.write_files(copy, files, status="finished")
    assert re.search(r"^their sha256 +—$", said(capsys, "show", copy).out, re.MULTILINE)


def test_several_labels_go_from_training_to_what_is_said(tmp_path, capsys):
    words = ["war", "love", "snow"]
    sets = [[word for bit, word in enumerate(words) if number >> bit & 1] for number in range(1, 8)] * 8
    path = written(tmp_path / "films.csv", [(" ".join(some), " | ".join(some)) for some in sets])
    sizes = ["--labels", "multiple", "--separator", "|", *SIZES, "--pool", "maximum", "--word-dropout", "0"]
    out, err = said(capsys, "train", "classify", "--train", path, "--out", tmp_path / "run", *sizes, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[-1]["final"]
    assert lines[-1]["micro_f1"] == 1
    assert "texts to train on (love 2" in err
    (tmp_path / "new.txt").write_text("war snow\nlove\nrain\n")
    rows = list(csv.reader(io.StringIO(said(capsys, "predict", tmp_path / "run", tmp_path / "new.txt").out)))
    assert [row[1] for row in rows[1:3]] == ["snow;war", "love"]
    found = json.loads(said(capsys, "evaluate", tmp_path / "run", "--data", path, "--json").out)
    assert found["labels"]["war"]["support"] == 32
    assert found["subset_accuracy"] == 1


def test_what_cannot_be_learned_is_one_line_and_leaves_nothing(tmp_path, capsys):
    path = written(tmp_path / "one.csv", [("a b", "x")] * 9)
    assert "one class only" in refused(capsys, "train", "classify", "--train", path, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_training_ends_with_three_commands_that_can_be_run(home, capsys):
    assert run(["train", "classify", "--train", str(home / "texts.csv"), "--out", str(home / "run"), *SIZES]) == 0
    err = capsys.readouterr().err
    assert "finished already" in err
    assert [line.split()[1] for line in err.splitlines()[-3:]] == ["predict", "evaluate", "show"]
