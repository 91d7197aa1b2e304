import json

import numpy as np
import pytest

from throughtime.cli.main import run
from throughtime.vectors.association import weat
from throughtime.vectors.debias import direct_bias, direction, hard
from throughtime.vectors.lists import own, read_associations, read_word_pairs, read_words
from throughtime.vectors.subwords import Subwords
from throughtime.vectors.table import Table

PAIRS = read_word_pairs(own("definitional"))
SPECIFIC, NEUTRAL = read_words(own("specific")), read_words(own("neutral"))
ASSOCIATIONS = read_associations(own("associations"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A table of most of the words of our own lists, in which pairs differ along an axis; and some lists."""
    folder, chance = tmp_path_factory.mktemp("debias"), np.random.default_rng(0)
    sets = [s for a in ASSOCIATIONS for s in (*a.targets.values(), *a.attributes.values())]
    words = list(
        dict.fromkeys([*(w for p in PAIRS for w in p), *SPECIFIC[:-20], *NEUTRAL[5:], *(w for s in sets for w in s)])
    )
    vectors = chance.normal(size=(len(words), 8))
    for first, second in PAIRS:
        vectors[[words.index(first), words.index(second)], 0] = 3, -3
    Table(words, vectors.astype("f4")).save(folder / "table")
    lists = {"pairs": PAIRS[:3], "equalise": [["king", "queen"], ["off", "away"]], "neutral": ["nurse", "off", "judge"]}
    for name, content in {**lists, "absent": [["x", "y"]], "lonely": [["he"]], "empty": []}.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "folder.png").mkdir()
    (folder / "specific.txt").write_text("captain\nabsent one\n")
    return folder


def test_our_own_lists_are_the_default(home, tmp_path, capsys):
    assert run(["vectors", "debias", str(home / "table"), "--out", str(tmp_path / "new"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    old, new = Table.load(home / "table"), Table.load(tmp_path / "new")
    found = direction(old, PAIRS)
    assert new.vectors.tobytes() == hard(old, found, SPECIFIC, read_word_pairs(own("equalise"))).vectors.tobytes()
    assert new.facts["debias"] == facts["done"]
    assert facts["done"]["specific_missing"] == SPECIFIC[-20:]
    assert (facts["measured"], facts["measured_missing"]) == (len(NEUTRAL) - 5, NEUTRAL[:5])
    assert (facts["pairs"], facts["explained"]) == ([list(pair) for pair in PAIRS], pytest.approx(found.explained))
    assert facts["before"]["direct_bias"] == direct_bias(old, NEUTRAL, found) > 0.1
    assert max(facts["after"]["direct_bias"], facts["after"]["direct_bias_along_new_direction"]) < 1e-6
    assert facts["before"]["associations"] == [weat(old, association).to_json() for association in ASSOCIATIONS]
    assert [each["effect"] is None for each in facts["after"]["associations"]] == [True, False]
    most, least = facts["before"]["most"], facts["before"]["least"]
    assert (len(most), len(least), most[0][1] > 0 > least[0][1]) == (8, 8, True)
    assert most == sorted(most, key=lambda each: -each[1])
    assert {word for word, _ in most + least} <= set(NEUTRAL)


@pytest.mark.parametrize("method", ["hard", "soft"])
def test_lists_from_files(home, tmp_path, capsys, method):
    words = ["vectors", "debias", str(home / "table"), "--out", str(tmp_path / "new"), "--method", method]
    words += ["--pairs", str(home / "pairs.json"), "--specific", str(home / "specific.txt")]
    words += ["--neutral", str(home / "neutral.json"), "--json"]
    words += ["--equalise", str(home / "equalise.json")] if method == "hard" else ["--strength", "1000"]
    assert run(words) == 0
    facts = json.loads(capsys.readouterr().out)
    done, words = facts["done"], len(Table.load(home / "table"))
    assert facts["pairs"] == [list(pair) for pair in PAIRS[:3]]
    assert (facts["measured"], facts["measured_missing"]) == (2, ["off"])
    assert facts["before"]["associations"] == []
    assert facts["after"]["direct_bias"] < facts["before"]["direct_bias"]
    if method == "hard":
        assert facts["after"]["direct_bias"] < 1e-6
        assert (done["neutralised"], done["specific"], done["specific_missing"]) == (words - 7, 7, ["absent one"])
        assert (done["equalised_pairs"], done["equalised_missing"]) == (1, [["off", "away"]])
    else:
        assert (done["strength"], done["neutral"], done["neutral_missing"]) == (1000, 2, ["off"])
        assert done["objective_after"] < done["objective_before"]


def test_without_a_list_all_words_but_the_specific_are_neutral(home, tmp_path, capsys):
    words = ["vectors", "debias", str(home / "table"), "--pairs", str(home / "pairs.json"), "--json"]
    assert run([*words, "--out", str(tmp_path / "hard")]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["measured"] == facts["done"]["neutralised"] == len(Table.load(home / "table")) - 6
    assert run([*words, "--out", str(tmp_path / "soft"), "--method", "soft"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["measured"], facts["done"]["strength"]) == (facts["done"]["neutral"], 0.2)


@pytest.mark.parametrize("method", ["hard", "soft"])
def test_a_page_for_people(home, tmp_path, capsys, method):
    assert run(["vectors", "debias", str(home / "table"), "--out", str(tmp_path / "new"), "--method", method]) == 0
    out = capsys.readouterr().out
    assert "he – she and 9 more pairs; its axis explains " in out
    assert "5 neutral words: accountant, administrator, advocate, ambassador, analyst" in out
    assert f"direct bias of {len(NEUTRAL) - 5} neutral words" in out
    assert "most like he, before" in out
    if method == "hard":
        assert "20 specific words: " in out
        assert "most like she, after   no word leans that way" in out
        assert "not tested after: machines and home: all its targets lean alike" in out
    else:
        assert "objective" in out


@pytest.mark.parametrize("method", ["hard", "soft"])
def test_vectors_of_parts_of_words_are_left_out_and_counted(home, tmp_path, capsys, method):
    old = Table.load(home / "table")
    parts = Subwords(3, 6, 2**20, np.arange(4, dtype="i4"), np.ones((4, 8), "f4"))
    Table(old.words, old.vectors, subwords=parts).save(tmp_path / "old")
    words = ["vectors", "debias", str(tmp_path / "old"), "--out", str(tmp_path / "new"), "--method", method]
    assert run([*words, "--pairs", str(home / "pairs.json")]) == 0
    assert "4 vectors of n-grams left out" in capsys.readouterr().out
    assert Table.load(tmp_path / "new").subwords is None
    assert Table.load(tmp_path / "new").facts["debias"]["subwords_left_out"] == 4


def test_a_picture_of_what_leans(home, tmp_path):
    words = ["vectors", "debias", str(home / "table"), "--out", str(tmp_path / "new"), "--plot"]
    assert run([*words, str(tmp_path / "lean.svg")]) == 0
    assert (tmp_path / "lean.svg").read_text().startswith("<?xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lean.svg", "new"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--pairs", "{absent}"], "of 1 pairs none has both words in the table, as x and y"),
        (["--pairs", "{lonely}"], "item 1 of {lonely} is ['he']; give two different words"),
        (["--pairs", "{empty}"], "{empty} has no pairs"),
        (["--neutral", "{empty}"], "{empty} has no words"),
        (["--neutral", "{pairs}x"], "no such file"),
        (["--neutral", "{absent}"], "none of 1 neutral words is in the table; give a --neutral of its words"),
        (["--weat", "{pairs}"], "{pairs} holds no object"),
        (["--weat"], "--weat takes one or more; got none"),
        (["--components", "40"], "components must be in 1..8"),
        (["--strength", "1"], "--strength is of --method soft, and the method is hard; leave it out"),
        (["--method", "soft", "--equalise", "{pairs}"], "--equalise is of --method hard, and the method is soft"),
        (["--method", "soft", "--strength", "-1"], "strength must be at least 0; got -1.0"),
        (["--seed", "-1"], "--seed must be at least 0; got -1"),
        (["--plot", "lean.gif"], "--plot draws into a .png or .svg file; got lean.gif"),
        (["--plot", "{absent}/no/lean.png"], "cannot write {absent}/no/lean.png: {absent}/no is no folder"),
        (["--plot", "{folder}"], "cannot write {folder}: it is a folder; choose another --plot"),
        (["--out", "{table}"], "--out is the table itself, {table}; choose another name"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_one_line_and_nothing_is_written(home, tmp_path, capsys, words, says):
    places = {path.stem: path for path in home.iterdir()}
    before = sorted(path.name for path in home.iterdir())
    options = [word.format(**places) for word in words]
    out = [] if "--out" in words else ["--out", str(tmp_path / "new")]
    assert run(["vectors", "debias", str(home / "table"), *out, *options]) == 2
    shown, err = capsys.readouterr()
    assert (shown, err.count("\n")) == ("", 1)
    assert says.format(**places) in err
    assert (list(tmp_path.iterdir()), sorted(path.name for path in home.iterdir())) == ([], before)


def test_a_table_that_cannot_be_written_leaves_no_picture(home, tmp_path, capsys):
    (tmp_path / "new").write_text("something else")
    words = ["vectors", "debias", str(home / "table"), "--out", str(tmp_path / "new")]
    assert run([*words, "--plot", str(tmp_path / "lean.png")]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert (tmp_path / "new").read_text() == "something else"
