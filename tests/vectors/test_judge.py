import sys

import numpy as np
import pytest
import scipy.stats
from gensim.models import KeyedVectors

from throughtime.errors import ArgumentError, DataError, MissingExtraError
from throughtime.metrics import bootstrap
from throughtime.vectors.judge import (
    Pairs,
    common,
    judge_analogies,
    judge_similarity,
    read_pairs,
    read_questions,
)
from throughtime.vectors.table import Table

# Capitals and spellings of one word that differ in them, in an order that is not theirs.
WORDS = [f"w{i}" for i in range(40)] + [f"W{i}" for i in range(0, 30, 3)] + [f"N{i}" for i in range(10)]


@pytest.fixture(scope="module")
def table():
    chance = np.random.default_rng(5)
    return Table([WORDS[i] for i in chance.permutation(len(WORDS))], chance.normal(size=(len(WORDS), 4)).astype("f4"))


@pytest.fixture(scope="module")
def peer(table):
    vectors = KeyedVectors(table.dimension)
    vectors.add_vectors(table.words, table.vectors)
    return vectors


@pytest.fixture(scope="module")
def files(table, tmp_path_factory):
    """Questions that the table answers right more often than by chance, and pairs with tied scores."""
    chance, folder = np.random.default_rng(6), tmp_path_factory.mktemp("judge")
    names, lines = [*table.words, "away", "W1", "n3", "N77"], []
    for category in ("capital", "grades", "gram1-plural", "gram2-past", "gram9-never"):
        lines.append(f": {category}")
        for _ in range(70):
            a, b, c, d = (names[i] for i in chance.choice(len(names), 4, replace=False))
            if {a, b, c} <= set(table.words) and chance.random() < 0.6:
                d = table.analogy(a, b, c, 1)[0][0]
            lines.append("absent a b c" if "never" in category else f"{a} {b} {c} {d}")
    (folder / "questions.txt").write_text("\n".join(lines) + "\n")
    pairs = [[names[i] for i in chance.choice(len(names), 2)] for _ in range(90)]
    (folder / "pairs.txt").write_text("".join(f"{a}\t{b}\t{chance.integers(0, 5)}\n" for a, b in pairs))
    return folder


@pytest.mark.parametrize("maximum_vocab", [300_000, 35])
@pytest.mark.parametrize("lower", [True, False])
def test_analogies_agree_with_gensim(table, peer, files, lower, maximum_vocab):
    score = judge_analogies(table, read_questions(files / "questions.txt"), lower=lower, maximum_vocab=maximum_vocab)
    whole, sections = peer.evaluate_word_analogies(
        str(files / "questions.txt"), restrict_vocab=maximum_vocab, case_insensitive=lower
    )
    theirs = [(s["section"], len(s["correct"]), len(s["correct"]) + len(s["incorrect"])) for s in sections]
    assert [(s.name, s.right, s.covered) for s in score.categories] == theirs[:-1]
    assert (score.total.right, score.total.covered) == theirs[-1][1:]
    assert score.total.accuracy == pytest.approx(whole)
    assert 0 < score.total.right < score.total.covered < score.total.questions == 350
    assert (score.lower, score.words) == (lower, min(maximum_vocab, len(table)))


def test_only_folding_finds_other_spellings_and_takes_none_of_them_for_an_answer():
    table = Table(["a", "b", "c", "C", "d", "e"], np.array([[1, 0], [1, 1], [2, 0], [2, 2.1], [2, 1], [9, 1]], "f4"))
    questions = _questions(("A", "b", "c", "D"))
    assert judge_analogies(table, questions, lower=False).total.covered == 0
    assert judge_analogies(table, questions, lower=None).total.covered == 0
    assert table.analogy("a", "b", "c", 1)[0][0] == "C"
    assert judge_analogies(table, questions, lower=True).total.right == 1


def test_tables_without_capitals_are_asked_in_lower_case():
    table = Table(["a", "b", "c", "d"], np.array([[1, 1], [1, 2], [2, 1], [2, 2]], "f4"))
    score = judge_analogies(table, _questions(("A", "B", "C", "D")))
    assert (score.lower, score.total.right) == (True, 1)
    assert judge_analogies(table, _questions(("A", "B", "C", "D")), lower=False).total.covered == 0


def test_multiplication_is_asked_as_the_table_answers_it(table):
    questions = _questions(*((w, x, y, table.analogy(w, x, y, 1, by="multiplication")[0][0]) for w, x, y in _triples()))
    score = judge_analogies(table, questions, by="multiplication", lower=False)
    assert (score.by, score.total.right, score.total.covered) == ("multiplication", 20, 20)
    assert judge_analogies(table, questions, by="addition", lower=False).total.right < 20


def test_a_table_of_three_words_has_no_answers():
    table = Table(["a", "b", "c", "A"], np.eye(4, dtype="f4"))
    assert judge_analogies(table, _questions(("a", "b", "c", "c"), ("a", "b", "c", "a")), lower=True).total.right == 0
    assert judge_analogies(table, _questions(("a", "b", "c", "c")), lower=False, maximum_vocab=3).total.right == 0


def test_semantic_and_syntactic_questions_make_up_all(table, files):
    score = judge_analogies(table, read_questions(files / "questions.txt"))
    for count in ("questions", "covered", "right"):
        parts = [getattr(share, count) for share in (score.semantic, score.syntactic)]
        assert sum(parts) == getattr(score.total, count) == sum(getattr(share, count) for share in score.categories)
    assert score.syntactic.questions == 210
    never = score.categories[-1]
    assert (never.covered, never.accuracy, never.interval) == (0, None, None)
    assert score.to_json()["total"]["accuracy"] == score.total.accuracy


@pytest.mark.parametrize("lower", [True, False])
def test_similarity_agrees_with_gensim(table, peer, files, lower):
    score = judge_similarity(table, read_pairs(files / "pairs.txt"), lower=lower)
    pearson, spearman, unknown = peer.evaluate_word_pairs(str(files / "pairs.txt"), case_insensitive=lower)
    assert score.spearman == pytest.approx(spearman[0], abs=1e-6)
    assert score.pearson == pytest.approx(pearson[0], abs=1e-6)
    assert 100 * (1 - score.covered / score.pairs) == pytest.approx(unknown)
    assert 0 < score.covered < score.pairs == 90
    assert score.spearman_interval[0] < score.spearman < score.spearman_interval[1]
    assert score.pearson_interval[0] < score.pearson < score.pearson_interval[1]


def test_correlations_that_are_none(table):
    one = Pairs("one", [("w0", "w1")], np.ones(1))
    same = Pairs("same", [("w0", "w1"), ("w1", "w2"), ("w2", "w3")], np.full(3, 0.1))
    for pairs in (one, same):
        score = judge_similarity(table, pairs)
        assert (score.spearman, score.pearson, score.spearman_interval, score.pearson_interval) == (None,) * 4
    assert judge_similarity(table, Pairs("away", [("x", "y")], np.ones(1))).covered == 0


def test_bootstrap_is_that_of_drawing_again_by_hand(monkeypatch):
    chance = np.random.default_rng(0)
    one, other = chance.integers(0, 4, 60).astype(float), chance.normal(size=60)
    other += one
    whole = bootstrap.correlation_intervals(one, other, np.random.default_rng(3))
    drawn = np.random.default_rng(3).integers(0, 60, (1000, 60))
    for kind, interval in zip((scipy.stats.spearmanr, scipy.stats.pearsonr), whole, strict=True):
        assert interval == pytest.approx(np.percentile([kind(one[i], other[i])[0] for i in drawn], [2.5, 97.5]))
    monkeypatch.setattr(bootstrap, "BLOCK", 60 * 7)
    assert bootstrap.correlation_intervals(one, other, np.random.default_rng(3)) == whole  # in blocks of seven


def test_intervals_of_accuracy_shrink_as_the_law_of_large_numbers_says():
    chance = np.random.default_rng(0)
    for asked in (100, 10_000):
        low, high = bootstrap.accuracy_interval(asked // 5, asked, chance)
        assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(0.2 * 0.8 / asked), rel=0.12)
        assert low < 0.2 < high
    assert bootstrap.accuracy_interval(0, 9, chance) == (0, 0)


def test_the_same_seed_gives_the_same_intervals(table, files):
    questions, pairs = read_questions(files / "questions.txt"), read_pairs(files / "pairs.txt")
    assert judge_analogies(table, questions, seed=4) == judge_analogies(table, questions, seed=4)
    assert judge_similarity(table, pairs, seed=4) == judge_similarity(table, pairs, seed=4)
    assert judge_similarity(table, pairs, seed=4) != judge_similarity(table, pairs, seed=5)


def test_tables_are_compared_on_what_they_have_in_common(table, files):
    questions, pairs = read_questions(files / "questions.txt"), read_pairs(files / "pairs.txt")
    small = Table(table.words[20:], table.vectors[20:])
    whole, part = judge_analogies(table, common([table], questions)), common([table, small], questions)
    assert whole.total.questions == whole.total.covered == judge_analogies(table, questions).total.covered
    assert whole.total.right == judge_analogies(table, questions).total.right
    known = set(table.words) & set(small.words)
    assert part.words == [words for words in questions.words if set(words) <= known]
    assert judge_analogies(small, part).total.covered == judge_analogies(table, part).total.covered == len(part.words)
    assert [judge_analogies(table, part).categories[i].questions for i in range(5)] == [
        int((part.category == i).sum()) for i in range(5)
    ]
    some = common([small, table], pairs)
    assert some.words == [words for words in pairs.words if set(words) <= known]
    assert len(some.scores) == len(some.words) < 90
    assert judge_similarity(small, some).spearman == judge_similarity(small, pairs).spearman
    assert judge_similarity(table, common([table], pairs, maximum_vocab=1)).covered == 0


class Letters:
    """Subwords that compose a vector from the first letter, of words that begin with one they know."""

    vectors = np.zeros((0, 3), "f4")

    def compose(self, word):
        return {"x": np.array([0, 3, 4], "f4"), "y": np.array([2, 0, 0], "f4")}.get(word[0])


def test_unseen_words_are_composed_where_that_is_asked_for():
    table = Table(["a", "b", "c"], np.array([[1, 0, 0], [0, 2, 0], [1, 1, 1]], "f4"), subwords=Letters())
    pairs = Pairs(
        "made", [("a", "b"), ("Xa", "b"), ("yy", "xx"), ("c", "y"), ("a", "zero")], np.array([0, 3, 1, 2, 9.0])
    )
    score = judge_similarity(table, pairs, compose=True)
    assert (score.pairs, score.covered, score.composed) == (5, 4, 3)
    cosines = [0, 0.6, 0, 1 / np.sqrt(3)]
    assert score.pearson == pytest.approx(scipy.stats.pearsonr([0, 3, 1, 2], cosines)[0])
    assert score.spearman == pytest.approx(scipy.stats.spearmanr([0, 3, 1, 2], cosines)[0])
    alone = judge_similarity(table, pairs)
    assert (alone.covered, alone.composed) == (1, 0)
    assert judge_similarity(Table(table.words, table.vectors), pairs, compose=True) == alone


def test_what_is_missing_is_named(monkeypatch, table):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingExtraError, match=r"throughtime\[vectors\]"):
        judge_similarity(table, Pairs("made", [("w1", "w2")], np.ones(1)))


@pytest.mark.parametrize("judge", [judge_analogies, judge_similarity])
def test_an_empty_vocabulary_is_refused(table, judge):
    with pytest.raises(ArgumentError, match=r"maximum_vocab must be at least 1; got 0"):
        judge(table, _questions(("a", "b", "c", "d")), maximum_vocab=0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (": a\nx y z\n", "line 2 of .* has 3 words"),
        (": a\nx y z w\nx y z w v\n", "line 3 of .* has 5 words"),
        ("x y z w\n", "line 1 of .* stands before the first category"),
        (":\n", "line 1 of .* has 1 words"),
        (": a\n\n", "has no questions"),
        (": a\n:b\n", "line 2 of .* has 1 words"),
    ],
)
def test_questions_that_are_none(tmp_path, text, says):
    (tmp_path / "q").write_text(text)
    with pytest.raises(DataError, match=says) as error:
        read_questions(tmp_path / "q")
    assert "four words" in str(error.value)


def test_categories_may_come_in_parts(tmp_path):
    (tmp_path / "q").write_bytes(b": a b\r\nx y z w\r\n\r\n: c\nX Y Z W\n: a b\n1 2 3 4")
    questions = read_questions(tmp_path / "q")
    assert (questions.categories, questions.category.tolist()) == (["a b", "c"], [0, 1, 0])
    assert questions.words[2] == ("1", "2", "3", "4")


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a b 1\nc d 2.5\n", [("a", "b", 1), ("c", "d", 2.5)]),
        ("Word 1,Word 2,Human (mean)\ntiger,cat,7.35\n", [("tiger", "cat", 7.35)]),
        ("New York\tBig Apple\t-1e1\r\n\r\n", [("New York", "Big Apple", -10)]),
    ],
)
def test_pairs_by_any_separator(tmp_path, text, pairs):
    (tmp_path / "set.txt").write_bytes(text.encode())
    read = read_pairs(tmp_path / "set.txt")
    assert [(*words, score) for words, score in zip(read.words, read.scores, strict=True)] == pairs
    assert (read.name, bool(read.header)) == ("set", "Human" in text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a b 1\na b x\n", "line 2 of .* has the score 'x'"),
        ("a b 1\na b nan\n", "line 2 of .* has the score 'nan'"),
        ("a b nan\n", "line 1 of .* has the score 'nan'"),
        ("a b\n", "line 1 of .* has 2 fields"),
        ("a,b,1,2\n", "line 1 of .* has 4 fields"),
        ("a,,1\n", None),
        ("one two score\n", "has no pairs"),
        ("a b 1\n\tb\t1\n", "line 2 of .* lacks a word"),
    ],
)
def test_pairs_that_are_none(tmp_path, text, says):
    (tmp_path / "p").write_text(text)
    with pytest.raises(DataError, match=says or "line 1 of .* lacks a word"):
        read_pairs(tmp_path / "p")


def _questions(*words):
    from throughtime.vectors.judge import Questions

    return Questions(["all"], np.zeros(len(words), np.int64), list(words))


def _triples():
    chance = np.random.default_rng(1)
    return [[WORDS[i] for i in chance.choice(len(WORDS), 3, replace=False)] for _ in range(20)]
