"""Translations judged: sacrebleu's figures, from sums that are ours to draw again and to put into buckets."""

import sys

import numpy as np
import pytest
import sacrebleu
from sacrebleu.metrics import BLEU, CHRF, TER

from throughtime.errors import ArgumentError, MissingExtraError
from throughtime.metrics import judge_translations
from throughtime.metrics.translations import LONGEST, told

WORDS = ["a", "the", "cat", "dog", "house", "river", "sees", "hears", "red", "small", ",", "under", "over"]
PEERS = {"bleu": BLEU, "chrf": CHRF, "ter": TER}


def corpus(count=60, seed=0):
    """Translations that are references with some words gone, changed or moved; one or two references each."""
    chance = np.random.default_rng(seed)
    said, wanted = [], []
    for _ in range(count):
        words = chance.choice(WORDS, chance.integers(1, 14)).tolist()
        wanted.append([" ".join(words)])
        if chance.random() < 0.3:
            wanted[-1].append(" ".join(chance.permutation(words)))
        if chance.random() < 0.8:
            words = [str(chance.choice(WORDS)) if chance.random() < 0.15 else word for word in words]
            words = words[: chance.integers(len(words) // 2, len(words) + 1)]
        said.append(" ".join(words))
    return said, wanted


SAID, WANTED = corpus()
COLUMNS = [[lines[0] for lines in WANTED], [lines[1] if len(lines) > 1 else None for lines in WANTED]]


@pytest.fixture(scope="module")
def scores():
    return judge_translations(SAID, WANTED, lengths=[len(lines[0].split()) for lines in WANTED])


@pytest.mark.parametrize("kind", PEERS)
def test_scores_and_signatures_are_sacrebleus_own(scores, kind):
    peer = PEERS[kind]()
    measure = scores.measures[kind]
    assert measure.score == pytest.approx(peer.corpus_score(SAID, COLUMNS).score, abs=1e-9)
    assert measure.signature == str(peer.get_signature())
    assert f"version:{sacrebleu.__version__}" in measure.signature
    assert "nrefs:var" in measure.signature


@pytest.mark.parametrize("kind", PEERS)
def test_intervals_are_as_wide_as_sacrebleus(scores, kind):
    theirs = PEERS[kind]().corpus_score(SAID, COLUMNS, n_bootstrap=300)
    low, high = scores.measures[kind].interval()
    assert low < scores.measures[kind].score < high
    assert (high - low) / 2 == pytest.approx(theirs._ci, rel=0.2)


def test_what_is_better_is_surely_so_where_the_same_items_are_drawn_for_both(scores):
    worse = judge_translations([line[: len(line) * 3 // 4] for line in SAID], WANTED, kinds=["bleu"])
    low, high = scores.measures["bleu"].difference(worse.measures["bleu"])
    apart = scores.measures["bleu"].score - worse.measures["bleu"].score
    assert 0 < low < apart < high
    alone = [measure.interval() for measure in (scores.measures["bleu"], worse.measures["bleu"])]
    assert high - low < sum(end - start for start, end in alone)
    same = scores.measures["bleu"].difference(scores.measures["bleu"])
    assert same == (0, 0)


def test_bleu_by_length_is_that_of_the_items_in_each_bucket(scores):
    lengths = np.array([len(lines[0].split()) for lines in WANTED])
    assert sum(one.items for one in scores.lengths) == len(SAID)
    assert 3 <= len(scores.lengths) <= 5
    for before, one in zip(scores.lengths, scores.lengths[1:], strict=False):
        assert before.longest < one.shortest
    for one in scores.lengths:
        inside = np.flatnonzero((lengths >= one.shortest) & (lengths <= one.longest))
        columns = [[column[i] for i in inside] for column in COLUMNS]
        assert one.items == len(inside)
        assert one.bleu == pytest.approx(BLEU().corpus_score([SAID[i] for i in inside], columns).score, abs=1e-9)
        assert one.interval[0] <= one.bleu <= one.interval[1]
    alike = judge_translations(SAID, WANTED, lengths=[7] * len(SAID), kinds=["bleu"])
    assert [(one.shortest, one.longest, one.items) for one in alike.lengths] == [(7, 7, len(SAID))]
    assert alike.lengths[0].bleu == alike.measures["bleu"].score


def test_the_facts_and_what_people_are_told(scores):
    facts = scores.to_json()
    assert facts["signature"] == scores.measures["bleu"].signature
    assert facts["exact"] == sum(one in lines for one, lines in zip(SAID, WANTED, strict=True)) / len(SAID)
    assert facts["exact_interval"][0] < facts["exact"] < facts["exact_interval"][1]
    assert len(facts["bleu_by_length"]) == len(scores.lengths)
    rows = told(facts)
    assert list(rows)[:4] == ["BLEU", "chrF", "TER", "exact"]
    assert rows["BLEU"].startswith(f"{facts['bleu']:.2f}  (")
    assert rows["BLEU"].endswith(facts["signature"])
    assert "tok:tercom" in rows["TER"]
    assert sum(name.startswith("  source of") for name in rows) == len(scores.lengths)
    only = judge_translations(SAID, WANTED, kinds=["chrf"]).to_json()
    assert "signature" not in only
    assert list(told(only)) == ["chrF", "exact"]


def test_perfect_is_perfect_whatever_the_order():
    truth = [lines[0] for lines in WANTED if len(lines[0].split()) > 4]
    perfect = judge_translations(truth, [[line] for line in truth])
    assert {kind: round(measure.score, 9) for kind, measure in perfect.measures.items()} == {
        "bleu": 100,
        "chrf": 100,
        "ter": 0,
    }
    assert perfect.exact == perfect.items
    turned = judge_translations(SAID[::-1], [lines[::-1] for lines in WANTED[::-1]], kinds=["bleu", "chrf"])
    assert turned.measures["bleu"].score == pytest.approx(judge_translations(SAID, WANTED).measures["bleu"].score)


def test_other_tokens_and_long_or_empty_lines():
    plain = judge_translations(["a,b c d e"], [["a, b c d e"]], kinds=["bleu"])
    letters = judge_translations(["a,b c d e"], [["a, b c d e"]], kinds=["bleu"], tokens="char")
    assert plain.measures["bleu"].score == pytest.approx(100)
    assert "tok:char" in letters.measures["bleu"].signature
    long = judge_translations(["a " * (LONGEST + 1), "b"], [["a b"], ["b"]])
    assert (long.long, "ter" in long.measures, long.to_json()["ter"]) == (1, False, None)
    assert told(long.to_json())["TER"] == "not counted: 1 items have a line of over 100 words"
    empty = judge_translations(["", ""], [["a b"], ["c"]]).to_json()
    assert (empty["bleu"], empty["chrf"], empty["ter"], empty["exact"]) == (0, 0, 100, 0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"translations": [], "references": []}, "0 translations and references of 0; there must be as many, and some"),
        ({"translations": ["a"], "references": [["a"], ["b"]]}, "1 translations and references of 2"),
        ({"translations": ["a"], "references": ["a"]}, "translation 1 needs a list of references, of one at least"),
        ({"translations": ["a", "b"], "references": [["a"], []]}, "translation 2 needs a list of references"),
        ({"translations": ["a"], "references": [["a"]], "lengths": []}, "0 lengths of 1 sources; each needs one"),
        ({"translations": ["a"], "references": [["a"]], "kinds": ["rouge"]}, "one of bleu, chrf, ter; got 'rouge'"),
    ],
)
def test_what_does_not_fit_is_named(arguments, says):
    with pytest.raises(ArgumentError, match=says):
        judge_translations(**arguments)


def test_without_sacrebleu_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(MissingExtraError, match=r"'sacrebleu': pip install 'throughtime\[translate\]'"):
        judge_translations(["a"], [["a"]])
