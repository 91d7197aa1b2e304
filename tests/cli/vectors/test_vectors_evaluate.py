import json

import numpy as np
import pytest

from throughtime.cli.main import run
from throughtime.vectors.judge import judge_analogies, judge_similarity, read_pairs, read_questions
from throughtime.vectors.subwords import Subwords, fnv
from throughtime.vectors.table import Table

WORDS = [f"w{i}" for i in range(30)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two tables, the second with fewer words; questions and pairs."""
    folder, chance = tmp_path_factory.mktemp("evaluate"), np.random.default_rng(0)
    one = Table(WORDS, chance.normal(size=(30, 4)).astype("f4"))
    one.save(folder / "one")
    Table(WORDS[:20], chance.normal(size=(20, 3)).astype("f4")).save(folder / "two")
    lines = [": made"]
    for _ in range(40):
        a, b, c = (WORDS[i] for i in chance.choice(30, 3, replace=False))
        lines.append(f"{a} {b.upper()} {c} {one.analogy(a, b, c, 1)[0][0]}")
    lines += [": gram-away", "x y z w"]
    (folder / "questions.txt").write_text("\n".join(lines))
    (folder / "set-a.txt").write_text("".join(f"{WORDS[i]}\t{WORDS[i + 3]}\t{i % 5}\n" for i in range(27)))
    (folder / "set-b.txt").write_text("one,two,score\nw1,w2,3\nw3,x,1\n")
    return folder


def judged(home, capsys, *options):
    words = ["--analogies", "questions.txt", "--similarity", "set-a.txt", "set-b.txt"]
    paths = [str(home / word) if word.endswith(".txt") else word for word in words]
    assert run(["vectors", "evaluate", str(home / "one"), str(home / "two"), *paths, *options]) == 0
    return capsys.readouterr()


def test_json_holds_everything_that_judging_gives(home, capsys):
    out, err = judged(home, capsys, "--json", "--seed", "3")
    content = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert err == "set-b: its first line is taken for a header: one,two,score\n"
    assert (content["seed"], content["common"], content["maximum_vocab"]) == (3, False, 300_000)
    assert [content["analogies"], *content["similarity"]] == [str(home / f"{n}.txt") for n in FILES]
    for found, name in zip(content["tables"], ("one", "two"), strict=True):
        table = Table.load(home / name)
        asked = judge_analogies(table, read_questions(home / "questions.txt"), seed=3).to_json()
        sets = [judge_similarity(table, read_pairs(home / f"set-{s}.txt"), seed=3).to_json() for s in "ab"]
        assert found == json.loads(
            json.dumps(
                {
                    "table": str(home / name),
                    "words": len(table),
                    "dimension": table.dimension,
                    "analogies": asked,
                    "similarity": sets,
                }
            )
        )
    assert content["tables"][0]["analogies"]["total"] == {
        **{"name": "total", "questions": 41, "covered": 40, "right": 40},
        **{"interval": [1.0, 1.0], "accuracy": 1.0},
    }


def test_tables_stand_side_by_side(home, capsys):
    out, _ = judged(home, capsys)
    lines = out.splitlines()
    starts = [lines[0].index(str(home / name)) for name in ("one", "two")]
    one, two = next([line[starts[0] : starts[1]].rstrip(), line[starts[1] :]] for line in lines if " all " in line)
    assert one == "100.0 % [100.0, 100.0] of 40"
    assert two.endswith(" of 13") or " % [" in two
    assert next(line for line in lines if "gram-away" in line).split() == ["gram-away", "—", "—"]
    assert "27 of 27 (100.0 %)" in out
    assert lines[-1] == "in brackets 95 % of 1,000 bootstrap samples, seed 0"
    assert all(len(line) == len(line.rstrip()) for line in lines)


def test_common_judges_all_tables_by_the_same(home, capsys):
    content = json.loads(judged(home, capsys, "--json", "--common").out)
    one, two = (table["analogies"]["total"] for table in content["tables"])
    assert one["questions"] == one["covered"] == two["covered"] < 40
    assert [s["pairs"] for s in content["tables"][0]["similarity"]] == [17, 1]
    assert judged(home, capsys, "--common").out.endswith(", of what all these tables cover\n")


def test_options_reach_the_judges(home, capsys):
    added, multiplied = (json.loads(judged(home, capsys, "--json", "--by", by).out) for by in METHODS)
    assert [content["tables"][0]["analogies"]["by"] for content in (added, multiplied)] == METHODS
    assert multiplied["tables"][0]["analogies"]["total"]["right"] < 40
    small = json.loads(judged(home, capsys, "--json", "--maximum-vocab", "9").out)["tables"][0]
    assert small["analogies"]["words"] == 9
    assert small["similarity"][0]["covered"] == 6
    Table(["W1", "w2", "Q"], np.eye(3, dtype="f4")).save(home / "capitals")
    words = ["vectors", "evaluate", str(home / "capitals"), "--similarity", str(home / "set-b.txt"), "--json"]
    covered = []
    for fold in ([], ["--lower"]):
        assert run([*words, *fold]) == 0
        covered.append(json.loads(capsys.readouterr().out)["tables"][0]["similarity"][0]["covered"])
    assert covered == [0, 1]


def test_files_may_be_named_together_or_one_by_one(home, capsys):
    table, first, second = (str(home / name) for name in ("one", "set-a.txt", "set-b.txt"))
    said = []
    for words in (["--similarity", first, second], ["--similarity", first, f"--similarity={second}"]):
        assert run(["vectors", "evaluate", table, *words, "--json"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_unseen_words_are_composed_and_counted(tmp_path, capsys):
    subwords = Subwords(1, 1, 2**20, np.array([fnv(b"o") % 2**20], np.int32), np.eye(1, 3, dtype="f4"))
    Table(["one", "two", "six"], np.eye(3, dtype="f4"), subwords=subwords).save(tmp_path / "table")
    (tmp_path / "set.txt").write_text("one two 1\none four 2\none seven 3\nsix zoo 4\n")
    words = ["vectors", "evaluate", str(tmp_path / "table"), "--similarity", str(tmp_path / "set.txt"), "--compose"]
    assert run(words) == 0
    assert "3 of 4 (75.0 %), 2 composed" in capsys.readouterr().out


FILES = ["questions", "set-a", "set-b"]
METHODS = ["addition", "multiplication"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{one}"], "there is nothing to judge by; give --analogies FILE, --similarity FILE..., or both"),
        (["--similarity", "{a}"], "name a table to judge"),
        (["{one}", "--similarity"], "--similarity takes one or more; got none"),
        (["{one}", "--analogies", "{a}"], "has 3 words; give lines of four words"),
        (["{one}", "--similarity", "{a}", "{none}"], "no such file"),
        (["{one}", "{none}", "--similarity", "{a}"], "none"),
        (["{one}", "--similarity", "{a}", "--maximum-vocab", "0"], "--maximum-vocab must be at least 1; got 0"),
        (["{one}", "--similarity", "{a}", "--seed", "-1"], "--seed must be at least 0; got -1"),
        (["{one}", "--similarity", "{a}", "--common", "--compose"], "--compose adds words that tables lack"),
        (["{one}", "--similarity", "{a}", "--by", "magic"], "invalid choice 'magic'"),
        (["{one}", "--similarity", "{a}", "--fast"], "unknown option --fast"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_one_line(home, capsys, words, says):
    places = {"one": home / "one", "a": home / "set-a.txt", "none": home / "none"}
    assert run(["vectors", "evaluate", *(word.format(**places) for word in words)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
