"""Parts of words, against gensim and against the mean of rows; composed, saved and loaded."""

import numpy as np
import pytest
from gensim.models.fasttext import ft_ngram_hashes
from gensim.models.fasttext_inner import compute_ngrams
from hypothesis import given
from hypothesis import strategies as st

from throughtime.errors import ArgumentError
from throughtime.vectors.corpus import corpus_of
from throughtime.vectors.subwords import Subwords, fnv, ngrams, parts
from throughtime.vectors.table import Table
from throughtime.vectors.word2vec import Word2Vec

words = st.text(st.characters(codec="utf-8"), min_size=0, max_size=12)
letters = st.text(st.sampled_from("abßé漢🙂"), min_size=1, max_size=7)


@given(words, st.integers(1, 4), st.integers(0, 4), st.sampled_from([1, 7, 2000, 2_000_000]))
def test_ngrams_and_their_numbers_are_gensims(word, shortest, more, buckets):
    longest = shortest + more
    own = list(ngrams(word, shortest, longest))
    theirs = [gram for gram in compute_ngrams(word, shortest, longest) if shortest > 1 or gram not in ("<", ">")]
    assert sorted(own) == sorted(theirs)
    numbers = [fnv(gram.encode()) % buckets for gram in own]
    assert numbers == ft_ngram_hashes(word, shortest, longest, buckets)


@given(st.lists(letters, min_size=1, max_size=8, unique=True), st.integers(1, 3), st.integers(0, 3))
def test_rows_of_parts_are_those_of_the_ngrams(words, shortest, more):
    starts, rows, kept = parts(words, shortest, shortest + more, 50)
    grams = [[fnv(gram.encode()) % 50 for gram in ngrams(word, shortest, shortest + more)] for word in words]
    assert kept.tolist() == sorted({number for numbers in grams for number in numbers})
    for w, numbers in enumerate(grams):
        own, *others = rows[starts[w] : starts[w + 1]].tolist()
        assert own == w
        assert [int(kept[row - len(words)]) for row in others] == numbers
    assert starts[-1] == len(rows)


@given(st.lists(letters, min_size=1, max_size=8, unique=True), letters)
def test_a_word_is_composed_of_the_parts_that_are_kept(words, word):
    _, _, kept = parts(words, 2, 3, 50)
    vectors = np.random.default_rng(0).normal(size=(len(kept), 4)).astype(np.float32)
    subwords = Subwords(2, 3, 50, kept, vectors)
    found = {int(number): vectors[i] for i, number in enumerate(kept)}
    numbers = [fnv(gram.encode()) % 50 for gram in ngrams(word, 2, 3)]
    rows = [found[number] for number in numbers if number in found]
    composed = subwords.compose(word)
    if rows:
        assert composed == pytest.approx(np.mean(rows, 0), abs=1e-6)
    else:
        assert composed is None
    if word in words:
        assert len(rows) == len(numbers)


@pytest.fixture(scope="module")
def trained():
    """A model with parts, its state at the end, and its table."""
    chance = np.random.default_rng(0)
    stems = ["walk", "talk", "jump", "look"]
    text = corpus_of([[f"{chance.choice(stems)}{chance.choice(['', 's', 'ed', 'ing'])}"] * 2 for _ in range(2000)])
    model = Word2Vec(dimension=10, subwords=(3, 4, 5000), epochs=1, negatives=2)
    state = model.start(text)
    progress = list(model.train(text, state=state))[-1]
    return text, model, state, progress.table()


def test_words_of_a_trained_table_are_the_means_of_their_rows(trained):
    text, _, state, table = trained
    starts, rows, kept = parts(text.vocabulary.words, 3, 4, 5000)
    assert len(state.inputs) == len(table) + len(kept)
    for w, word in enumerate(table.words):
        mean = state.inputs[rows[starts[w] : starts[w + 1]], :10].mean(0)
        assert table[word] == pytest.approx(mean, abs=1e-6)
    assert (table.subwords.vectors == state.inputs[len(table) :, :10]).all()


def test_unseen_words_are_composed_also_after_saving_and_loading(trained, tmp_path):
    _, _, state, table = trained
    table.save(tmp_path / "table")
    again = Table.load(tmp_path / "table")
    kept = {int(number): i for i, number in enumerate(table.subwords.kept)}
    numbers = [fnv(gram.encode()) % 5000 for gram in ngrams("walker", 3, 4)]
    rows = [len(table) + kept[number] for number in numbers if number in kept]
    assert len(rows) > 3
    assert table["walker"] == pytest.approx(state.inputs[rows, :10].mean(0), abs=1e-6)
    assert (again["walker"] == table["walker"]).all()
    assert (again.vectors == table.vectors).all()
    for stranger in ("zzz", "x", "", "漢", "\udcff\udcff"):
        assert table.subwords.compose(stranger) is None
        with pytest.raises(ArgumentError, match="is not in the table"):
            again[stranger]


def test_words_without_any_part_have_their_own_row_alone():
    text = corpus_of([["a", "bb", "a", "bb"]])
    starts, rows, kept = parts(text.vocabulary.words, 5, 6, 100)
    assert (starts.tolist(), rows.tolist(), kept.tolist()) == ([0, 1, 2], [0, 1], [])
    progress = list(Word2Vec(dimension=3, subwords=(5, 6, 100)).train(text))[-1]
    assert progress.table().subwords.compose("anything") is None


@pytest.mark.parametrize(
    ("shortest", "longest", "buckets", "says"),
    [
        (0, 3, 9, "shortest must be in 1..longest; got 0 and 3"),
        (4, 3, 9, "shortest must be in 1..longest; got 4 and 3"),
        (3, 6, 0, "buckets must be in 1..268,435,456; got 0"),
        (3, 6, 2**28 + 1, "buckets must be in 1..268,435,456; got 268,435,457"),
    ],
)
def test_settings_of_parts_that_do_not_fit(shortest, longest, buckets, says):
    with pytest.raises(ArgumentError, match=says):
        parts(["word"], shortest, longest, buckets)
