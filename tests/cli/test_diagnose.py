"""diagnose through the command line's own door: what is told, drawn, listed and refused."""

import json
import re
from pathlib import Path

import pytest

from throughtime.cli.main import run
from throughtime.data.pair_lengths import TargetLengths
from throughtime.layers import packed
from throughtime.recipes import Translate
from throughtime.train import fit

PAIRS = [("a b", "ba"), ("b a", "ab"), ("a", "a"), ("b", "b"), ("a a", "aa"), ("b", "bb")] * 3
ONE = ("--alphas", "0", "--count", "1", "--beam", "1", "--alpha", "0")
QUICK = ("--widths", "1", "--alphas", "0")
GOLDEN = Path(__file__).parents[1] / "golden" / "format-1"


def short(lengths, symbols):
    """A limit, for what is hardly trained comes to no end."""
    return 3 + symbols


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A run that has learned next to nothing, and beside it pairs to judge it by."""
    folder = tmp_path_factory.mktemp("translator")
    (folder / "train.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    (folder / "test.tsv").write_text("source\ttarget\na b\tba\nb\tb\nb\tbb\na\tzz\nb b\tab\n")
    (folder / "x").write_text("a b\nb\n")
    (folder / "y").write_text("ba\nb\n")
    settings = {"unit": "character", "hidden": 4, "embedding": 4, "tokens": 120, "epochs": 1, "beam": 2, "seed": 3}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TargetLengths, "limit", short)
        list(fit(Translate(pairs=folder / "train.tsv", valid_pairs=folder / "test.tsv", **settings), folder / "run"))
    return folder


@pytest.fixture
def ask(home, capsys, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.setattr(TargetLengths, "limit", short)

    def asked(*words):
        status = run(["diagnose", "run", *words])
        return status, *capsys.readouterr()

    return asked


def test_the_facts_add_up_and_weights_are_laid_out_once(ask, monkeypatch):
    laid_out, init = [], packed._Packed.__init__
    monkeypatch.setattr(packed, "LARGE", 1)
    monkeypatch.setattr(packed._Packed, "__init__", lambda self: (laid_out.append(self), init(self))[1])
    status, out, _ = ask("--pairs", "test.tsv", "--widths", "1,2", "--alphas", "0,1", "--json")
    facts = json.loads(out)
    assert (status, facts["items"], facts["beam"]) == (0, 4, 2)  # the two lines of one source are one item
    assert len(laid_out) == 1
    assert [(one["alpha"], one["beam"]) for one in facts["table"]] == [(0.0, 1), (0.0, 2), (1.0, 1), (1.0, 2)]
    for one in [facts, *facts["table"]]:
        for by in ("errors", "errors_by_probability"):
            assert sum(one[f"{fault}_{by}"] for fault in ("search", "model", "tie", "unsayable")) == one["errors"]
    assert len(facts["sentences"]) == facts["errors"] > 0
    by_line = {one["line"]: one for one in facts["sentences"]}
    assert by_line[5]["fault"] == "unsayable"
    for one in facts["sentences"]:
        higher = one["reference_score"] > one["translation_score"]
        assert one["fault"] in ("tie", "unsayable", "search" if higher else "model")
        length = one["reference_symbols"] ** 0.7
        assert one["reference_score"] == pytest.approx(one["reference_log_probability"] / length)
        assert one["translation"] != one["reference"]


def test_people_are_told_the_shares_the_table_and_some_errors(ask):
    status, out, err = ask("--source", "x", "--reference", "y", "--widths", "2,1", *ONE)
    assert status == 0
    assert re.match(r"\d of 2 translations are not the reference \(beam 1, alpha 0\)\n", out)
    for word in ("search", "model", "tie", "unsayable", "by score", "by probability"):
        assert word in out
    head, *rows = re.search(r"\n( *beam .*\n(?: .*\n){2})", out)[1].splitlines()
    assert {len(row) for row in rows} == {len(head)}
    assert [row.split()[:2] for row in rows] == [["1", "0"], ["2", "0"]]
    assert len(re.findall(r"^line \d", out, re.M)) == 1
    assert "two files" in err
    assert "line" not in ask(*QUICK, "--count", "0")[1]  # of what was held out


def test_a_tree_is_drawn_of_the_line_that_is_asked_for_or_of_the_first_error(ask, home):
    pytest.importorskip("matplotlib")
    _, _, err = ask("--pairs", "test.tsv", *QUICK, "--tree", "a.svg", "--sentence", "4")
    assert re.search(r"line 4 in a.svg: .*log P", err)
    assert (home / "a.svg").read_text().count("<svg") == 1
    status, _, err = ask("--pairs", "test.tsv", *QUICK, "--tree", "b.png", "--json")
    assert (status, (home / "b.png").read_bytes()[:4]) == (0, b"\x89PNG")
    assert "in b.png: " in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--source", "x"], "--source needs --reference: sources and references are the lines of two files"),
        (["--reference", "y"], "--reference needs --source"),
        (["--pairs", "p", "--source", "x", "--reference", "y"], "--pairs is given, and --source too"),
        (["--sentence", "3"], "--sentence 3 is for --tree, which is not given"),
        (["--tree", "t.jpg"], r"drawings go into a \.png, \.svg or \.pdf file; got t\.jpg"),
        (["--widths", "0"], "--widths must be in 1..1,000; got 0"),
        (["--beam", "1001"], "--beam must be in 1..1,000; got 1001"),
        (["--alphas", "0,-1"], "--alphas must be at least 0 and finite; got -1.0"),
        (["--alpha", "nan"], "--alpha must be at least 0 and finite; got nan"),
        (["--count", "-1"], "--count must be at least 0; got -1"),
        (["--pairs", "none.tsv"], "none.tsv"),
        (
            ["--pairs", "test.tsv", *QUICK, "--tree", "t.svg", "--sentence", "1"],
            "line 1 holds no pair; the last",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(ask, words, says):
    status, out, err = ask(*words)
    assert (status, out) == (2, "")
    assert re.search(f"throughtime: .*{says}", err)
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["evaluate", "diagnose"])
def test_who_is_judged_by_pairs_is_asked_in_the_same_words(home, capsys, monkeypatch, command):
    monkeypatch.chdir(home)
    monkeypatch.setattr(TargetLengths, "limit", short)
    (home / "bad.tsv").write_bytes(b"source\ttarget\na b\tba\nb\xff\tb\n")
    sizes = QUICK if command == "diagnose" else ()
    for words, says in [
        (["--beam", "0"], "--beam must be in 1..1,000; got 0"),
        (["--beam", "1001"], "--beam must be in 1..1,000; got 1001"),
        (["--alpha", "-1"], "--alpha must be at least 0 and finite; got -1"),
        (["--invalid-bytes", "skip"], "--invalid-bytes skip is of --pairs, or --source and --"),
        (["--pairs", "bad.tsv"], "leave such bytes out with --invalid-bytes skip"),
    ]:
        assert run([command, "run", *words, *sizes]) == 2
        assert says in capsys.readouterr().err
    assert run([command, "run", "--pairs", "bad.tsv", "--invalid-bytes", "skip", *sizes]) == 0


def test_other_runs_are_told_what_they_are_good_for(capsys):
    assert run(["diagnose", str(GOLDEN)]) == 2
    assert (
        "format-1 holds a language model, and diagnose is for translators; try throughtime" in capsys.readouterr().err
    )
