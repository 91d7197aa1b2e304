"""mistakes, and the pictures of evaluate, through the command line's own door."""

import json
import re

import pytest

from throughtime.cli.main import run

ROWS = [(f"the film, number {i}, was {'fine' if i % 2 else 'poor'}", "good" if i % 2 else "bad") for i in range(40)]
SIZES = ["--core", "average", "--embedding", "6", "--minimum-count", "1", "--epochs", "20", "--rows", "10"]
SIZES += ["--learning-rate", "0.05", "--evaluate-every", "100", "--seed", "1"]
TAGGED = "".join(f"{word}\t{tag}\n" for word, tag in [("dogs", "N"), ("bark", "V"), ("loudly", "A")] * 2) + "\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A classifier, a tagger, and files about which they are wrong."""
    home = tmp_path_factory.mktemp("mistakes")
    (home / "texts.csv").write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in ROWS))
    (home / "turned.csv").write_text('text,label\n"the <b>poor</b> poor film",good\nso fine,bad\na fine film,good\n')
    (home / "tags.conll").write_text(TAGGED * 12)
    (home / "turned.conll").write_text(TAGGED.replace("bark\tV", "bark\tN", 1))
    words = ["train", "classify", "--train", str(home / "texts.csv"), "--out", str(home / "run"), *SIZES]
    assert run(words) == 0
    words = ["train", "tag", "--train", str(home / "tags.conll"), "--out", str(home / "tagger"), "--epochs", "12"]
    words += ["--hidden", "8", "--embedding", "6", "--minimum-count", "1", "--evaluate-every", "50"]
    assert run([*words, "--learning-rate", "0.05", "--rows", "4"]) == 0
    return home


def said(capsys, *words):
    assert run([str(word) for word in words]) == 0
    return capsys.readouterr()


def refused(capsys, *words):
    assert run([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()[-1]


@pytest.mark.parametrize("by", ["occlusion", "gradients"])
def test_mistakes_are_listed_with_the_words_that_mattered(home, capsys, by):
    words = ["mistakes", home / "run", "--data", home / "turned.csv", "--by", by]
    out, err = said(capsys, *words)
    lines = out.splitlines()
    assert re.fullmatch(r"  1\. said (bad|good) \d\d(\.\d+)? %, truly (good|bad) \(.*turned\.csv, line \d\)", lines[0])
    assert len(lines) == 4
    assert "[poor +" in out
    assert "[fine +" in out
    assert err.splitlines()[-1] == "3 texts, 2 of them wrong"
    found = json.loads(said(capsys, *words, "--json").out)
    assert (found["judged"], found["wrong"], found["items"]) == (3, 2, "texts")
    for one in found["mistakes"]:
        weights = dict(zip(one["units"], one["weights"], strict=True))
        assert max(weights, key=weights.get) in ("poor", "fine")
        assert one["by"] == by
    assert len(json.loads(said(capsys, *words, "--json", "--count", "1").out)["mistakes"]) == 1


def test_rows_that_lack_something_are_left_out_when_asked(home, tmp_path, capsys):
    (tmp_path / "gaps.csv").write_text("text,label\nso fine,bad\nso poor,\n,good\n")
    words = ["mistakes", home / "run", "--data", tmp_path / "gaps.csv"]
    assert "--missing skip" in refused(capsys, *words)
    assert said(capsys, *words, "--missing", "skip").err.splitlines()[-1] == "1 texts, 1 of them wrong"


def test_mistakes_about_what_was_held_out_and_the_page(home, tmp_path, capsys):
    out, err = said(capsys, "mistakes", home / "run", "--page", tmp_path / "held.html")
    assert (out, err.splitlines()[-1]) == ("", "4 texts, 0 of them wrong")
    assert "every answer is true" in (tmp_path / "held.html").read_text()
    said(capsys, "mistakes", home / "run", "--data", home / "turned.csv", "--page", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "&lt;b&gt;poor&lt;/b&gt;" in text
    assert "<b>poor" not in text
    assert "The surest mistakes of <bdi>run</bdi>" in text


def test_the_words_that_mattered_for_a_tag(home, tmp_path, capsys):
    words = ["mistakes", home / "tagger", "--data", home / "turned.conll", "--page", tmp_path / "page.html"]
    out, err = said(capsys, *words)
    assert "said V" in out
    assert "truly N" in out
    assert ">bark<" in out
    assert err.splitlines()[-1] == "1 sentences, 1 of them wrong"
    assert re.search(r'<span class="[fa]?\d? ?at"', (tmp_path / "page.html").read_text())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--page", "page.pdf"], "--page is an .html file; got 'page.pdf'"),
        (["--page", "nowhere/page.html"], "there is no folder nowhere"),
        (["--count", "0"], "count must be from 1 to 1,000 mistakes; got 0"),
        (["--text-column", "text"], "--text-column text is for --data, which is not given"),
        (["--data", "none.csv"], "no such file"),
    ],
)
def test_what_does_not_fit_is_one_line(home, capsys, words, says):
    assert says in refused(capsys, "mistakes", home / "run", *words)


def test_a_run_that_chooses_among_nothing_has_no_mistakes(tiny, tmp_path, capsys):
    from throughtime.train import fit

    next(stream := fit(tiny(), tmp_path / "run"))
    stream.close()
    spoken = refused(capsys, "mistakes", tmp_path / "run")
    assert "mistakes is for classifiers of sequences and for taggers, and" in spoken
    words = ["evaluate", tmp_path / "run", "--confusion", tmp_path / "c.svg"]
    assert "--confusion means nothing to a language model" in refused(capsys, *words)


def test_evaluate_tells_how_sure_one_may_be_and_draws_it(home, tmp_path, capsys):
    words = ["evaluate", home / "run", "--data", home / "turned.csv"]
    pictures = ["--confusion", tmp_path / "confusion.svg", "--reliability", tmp_path / "reliability.svg"]
    out = said(capsys, *words, *pictures).out
    assert re.search(r"^accuracy, 95 % +0\.0000 to \d\.\d+$", out, re.MULTILINE)
    assert re.search(r"^calibration error +0\.\d+$", out, re.MULTILINE)
    assert re.search(r"^temperature +", out, re.MULTILINE)
    assert all((tmp_path / f"{name}.svg").stat().st_size > 1000 for name in ("confusion", "reliability"))
    found = json.loads(said(capsys, *words, "--json").out)
    low, high = found["accuracy_interval"]
    assert low <= found["accuracy"] <= high
    assert 0 < found["expected_calibration_error"] < 1
    assert "drawings go into" in refused(capsys, *words, "--confusion", tmp_path / "c.txt")
