"""throughtime check, through the command line."""

import json
import re

import pytest

from throughtime.cli.main import run

CONLLU = "1\tDogs\t_\tNOUN\t_\t_\t_\t_\t_\t_\n2\tbark\t_\tVERB\t_\t_\t_\t_\t_\t_\n\n"
TS = "@problemName made\n@timeStamps false\n@univariate true\n@classLabel true a b\n@data\n1,2,3:a\n4,?,6:b\n"
FILES = {
    "train.csv": "text,label\na good film,pos\na bad film,neg\na good film,neg\n,pos\n",
    "test.csv": "text,label\na good film,pos\na dull film indeed,odd\n",
    "tags.conllu": CONLLU,
    "some.fasta": ">one\nACGT\n>two\nAC\n",
    "made.ts": TS,
    "train.en": "a cat\na dog\nno\n\n",
    "train.de": "eine Katze\nein Hund\nno\n\n",
    "valid.tsv": "source\ttarget\na cat\tdie Katze\n\tnichts\n",
}


@pytest.fixture
def home(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def checked(capsys, *words):
    assert run(["check", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_parts_are_taken_in_together(home, capsys):
    found = checked(capsys, home / "train.csv", home / "test.csv", "--limit", "3")
    train, test = found["parts"]["train.csv"], found["parts"]["test.csv"]
    assert (train["rows"], train["classes"]) == (4, {"neg": 2, "pos": 2})
    assert test["unknown_share"] == pytest.approx(2 / 7)  # dull, indeed
    assert found["across"] == {"test.csv in train.csv": 1}


def test_people_are_told_which_columns_were_read_and_what_is_there(home, capsys):
    assert run(["check", str(home / "train.csv")]) == 0
    told = capsys.readouterr()
    assert "column 'text'" in told.err
    assert told.out.startswith("train.csv: 4 rows, 9 words; 1 empty, 0 without a label\n")
    assert "repeats: 1 rows; contents with different labels: 1" in told.out


@pytest.mark.parametrize(
    ("name", "options", "unit", "classes"),
    [
        ("tags.conllu", ["--column", "upos"], "tokens", {"NOUN": 1, "VERB": 1}),
        ("some.fasta", [], "units", {}),
        ("made.ts", [], "times", {"a": 1, "b": 1}),
        ("train.csv", ["--unit", "character", "--text-column", "text"], "units", {"neg": 2, "pos": 2}),
    ],
)
def test_every_kind_of_file_is_read(home, capsys, name, options, unit, classes):
    found = checked(capsys, home / name, *options)
    assert found["unit"] == unit
    assert found["parts"][name]["classes"] == classes


def test_numbers_in_time_are_read_from_tables(tmp_path, capsys):
    (tmp_path / "wide.csv").write_text("a,1,2,3,4\nb,5,,7,8\n")
    (tmp_path / "long.csv").write_text("who,x,what\n1,0.5,a\n2,1,b\n1,0.75,a\n")
    words = [tmp_path / "wide.csv", "--windows", "2", "--label-column", "0"]
    found = checked(capsys, *words, "--no-header")["parts"]["wide.csv"]
    assert (found["rows"], found["units"], found["missing"], found["classes"]) == (2, 4, 1, {"a": 1, "b": 1})
    assert checked(capsys, *words, "--order", "channel")["unit"] == "times"
    assert checked(capsys, *words, "--header")["parts"]["wide.csv"]["rows"] == 1
    found = checked(capsys, tmp_path / "long.csv", "--id-column", "who", "--label-column", "what")["parts"]["long.csv"]
    assert (found["rows"], found["lengths"]["most"], found["classes"]) == (2, 2, {"a": 1, "b": 1})


def test_a_folder_per_class_is_read(tmp_path, capsys):
    for label in ("neg", "pos"):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "1.txt").write_text(f"a {label} film")
    assert checked(capsys, tmp_path / "set")["parts"]["set"]["classes"] == {"neg": 1, "pos": 1}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "check what? throughtime check FILE..."),
        (["{home}/none.csv"], "no such file"),
        (["{home}/train.csv", "{home}/tags.conllu"], "files of different kinds cannot be parts of one set"),
        (["{home}/train.csv", "{home}/train.csv"], "a file is given twice"),
        (["{home}/train.csv", "--limit", "0"], "--limit must be at least 1; got 0"),
        (["{home}/train.csv", "--text-column", "txet"], "'text'"),
        (["{home}/train.csv", "--unit", "letter"], "--unit"),
        (["{home}/train.csv", "--order", "channel"], "--order channel is of --windows, which is not given"),
        (["{home}/train.csv", "--windows", "1"], "'a good film' is no number"),
    ],
)
def test_wrong_input_is_one_line(home, capsys, words, says):
    assert run(["check", *(word.format(home=home) for word in words)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert says in told


def test_pairs_are_tables_or_parallel_files(home, capsys):
    files = [home / name for name in ("train.en", "train.de", "valid.tsv")]
    found = checked(capsys, "--pairs", *files, "--limit", "1")
    train, valid = found["parts"].values()
    assert list(found["parts"]) == ["train.en and train.de", "valid.tsv"]
    assert (train["pairs"], train["both_empty"], train["copies"]) == (3, 1, [3])
    assert (valid["pairs"], valid["one_empty"], valid["targets"]["unknown"]) == (1, 1, 1)
    assert train["sources"]["lengths"]["over"] == 2
    assert found["sources"] == {"valid.tsv in train.en and train.de": 1}
    found = checked(capsys, "--pairs", home / "valid.tsv", "--source-column", "target", "--target-column", "0")
    assert found["parts"]["valid.tsv"]["sources"]["lengths"]["most"] == 2
    assert checked(capsys, "--pairs", home / "valid.tsv", "--unit", "character")["unit"] == "characters"
    assert run(["check", "--pairs", *map(str, files)]) == 0
    told = capsys.readouterr()
    assert "train.en and train.de: 3 pairs; 1 empty, 0 with one side empty" in told.out
    assert "copies of the source: 1 (line 3)" in told.out
    assert "sources and targets are the lines of two files" in told.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train.en"], "train.en is no table, and no file of targets comes after it"),
        (["train.en", "tags.conllu"], "train.en has 4 lines and .*tags.conllu 3"),
        (["valid.tsv", "valid.tsv"], "a file is given twice"),
        (["valid.tsv", "--text-column", "0"], "is not of pairs: give --source-column"),
        (["valid.tsv", "--order", "time"], "--order time is not of pairs"),
        (["valid.tsv", "--id-column", "x"], "--id-column x is not of pairs"),
        (["valid.tsv", "--time-column", "x"], "--time-column x is not of pairs"),
    ],
)
def test_what_are_no_pairs_is_refused(home, capsys, monkeypatch, words, message):
    monkeypatch.chdir(home)
    assert run(["check", "--pairs", *words]) == 2
    told = capsys.readouterr().err
    assert re.search(message, told)
    assert told.count("\n") == 1
