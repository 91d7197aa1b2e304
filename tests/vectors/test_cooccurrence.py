"""Counts are compared, to the last bit, with a loop over pairs that adds fractions."""

import dataclasses
import errno
import json
import re
import subprocess
import sys
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime import folder as folders
from throughtime.errors import ArgumentError, DataError, RunError, StorageError
from throughtime.vectors import counting, runs
from throughtime.vectors.cooccurrence import FILES, Counts, cooccur
from throughtime.vectors.corpus import Corpus, Vocabulary, corpus_of

ARRAYS = ("frequencies", "pointers", "columns", "values")


def enumerated(corpus, window, side, weighting):
    """Every pair of words, one after the other."""
    found = defaultdict(Fraction)
    ids = corpus.ids.tolist()
    for i, word in enumerate(ids):
        for step in {"left": [-1], "right": [1], "both": [-1, 1]}[side]:
            for d in range(1, min(window, len(ids)) + 1):
                j = i + step * d
                if word < 0 or not 0 <= j < len(ids) or ids[j] < 0:
                    break
                found[word, ids[j]] += Fraction(1, d) if weighting == "distance" else 1
    return {pair: float(value) for pair, value in found.items()}


def entries(counts):
    rows = np.repeat(np.arange(len(counts.words)), np.diff(counts.pointers))
    return dict(zip(zip(rows.tolist(), counts.columns.tolist(), strict=True), counts.values.tolist(), strict=True))


def of_ids(ids, vocab):
    """A corpus of these numbers, whatever they are."""
    vocabulary = Vocabulary([f"w{i}" for i in range(vocab)], np.ones(vocab, np.int64))
    return Corpus(vocabulary, np.array(ids, dtype=np.int32), len(ids), 0, 1, 0, "")


def assert_same(one, other):
    for name in ARRAYS:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
        assert getattr(one, name).dtype == getattr(other, name).dtype, name


@pytest.fixture(scope="module")
def corpus():
    """20,000 words of 300 kinds, some of them frequent, in texts of all lengths."""
    chance = np.random.default_rng(0)
    ids = (300 * chance.random(20_000) ** 3).astype(np.int32)
    ids[chance.random(len(ids)) < 0.03] = -1
    return of_ids(ids, 300)


@pytest.fixture(scope="module")
def counts(corpus):
    return cooccur(corpus)


TEXTS = st.lists(st.lists(st.sampled_from("abcdefg"), max_size=12), min_size=1, max_size=6)


@given(
    TEXTS.filter(lambda texts: len({word for text in texts for word in text}) > 1),
    st.integers(1, 14),
    st.sampled_from(["both", "left", "right"]),
    st.sampled_from(["distance", "none"]),
)
def test_counts_are_those_of_a_loop_over_pairs(texts, window, side, weighting):
    corpus = corpus_of(texts)
    found = cooccur(corpus, window=window, side=side, weighting=weighting)
    assert entries(found) == enumerated(corpus, window, side, weighting)
    assert found.frequencies.tolist() == corpus.vocabulary.counts.tolist()
    for r in range(len(found.words)):
        assert (np.diff(found.columns[found.pointers[r] : found.pointers[r + 1]]) > 0).all()


def test_more_columns_than_a_branch_of_the_tree_has():
    chance = np.random.default_rng(1)
    corpus = of_ids(np.append(chance.permutation(9000), [0, 4095, 4096, 8999, 63, 64, 0]), 9000)
    assert entries(cooccur(corpus, window=3)) == enumerated(corpus, 3, "both", "distance")


def test_left_is_right_turned_over_and_both_is_their_sum(corpus, counts):
    left, right = (cooccur(corpus, side=side).matrix() for side in ("left", "right"))
    assert (right != left.T).nnz == 0
    np.testing.assert_allclose(counts.matrix().toarray(), (left + right).toarray(), rtol=1e-15)


# Of a corpus of 20,000 words: all in memory; one block in sheets; runs; runs of which a row does not fit.
BOUNDS = [("memory", 2**31), ("sheets", 1_000_000), ("runs", 150_000), ("large rows", 60_000)]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("way", "memory_bytes"), BOUNDS)
def test_memory_and_threads_change_no_bit(corpus, counts, monkeypatch, tmp_path, way, memory_bytes, threads):
    begun, large = [], []
    append, large_row = runs.Runs.append, runs.Runs._large_row
    monkeypatch.setattr(runs.Runs, "append", lambda self, *rest: begun.append(1) or append(self, *rest))
    monkeypatch.setattr(runs.Runs, "_large_row", lambda self, *rest: large.append(1) or large_row(self, *rest))
    monkeypatch.setattr(counting, "SMALLEST_BLOCK", 1)
    monkeypatch.setattr(counting, "SHEET", 16_000)
    monkeypatch.setattr(counting, "TASK", 3_000)
    told = []
    found = cooccur(
        corpus,
        memory_bytes=memory_bytes,
        threads=threads,
        folder=tmp_path,
        tell=lambda done, whole: told.append((done, whole)),
    )
    assert_same(found, counts)
    assert isinstance(found.values, np.memmap) == (way != "memory")
    assert (len(begun) > 1, len(large) > 1) == (way in ("runs", "large rows"), way == "large rows")
    assert list(tmp_path.iterdir()) == []
    whole = len(corpus.ids) * (2 if begun else 1)
    assert told == sorted(told)
    assert told[-1] == (whole, whole)


def test_a_corpus_that_is_too_long_for_one_block_is_cut_whatever_the_memory(corpus, counts, monkeypatch):
    monkeypatch.setattr(counting, "LARGEST_BLOCK", 5_000)
    told = []
    assert_same(cooccur(corpus, tell=lambda done, whole: told.append(whole)), counts)
    assert set(told) == {2 * len(corpus.ids)}


@pytest.mark.parametrize(("window", "words"), [(30, 400), (60, 200), (10**9, 80)])
def test_wide_windows(window, words):
    corpus = of_ids(np.arange(words) ** 2 % 37, 37)
    found = entries(cooccur(corpus, window=window, memory_bytes=10**8))
    wanted = enumerated(corpus, window, "both", "distance")
    assert found == (wanted if window == 30 else pytest.approx(wanted, rel=1e-9))


@given(st.integers(1, 3000), st.integers(1, 2**40))
def test_whole_weights_are_near_and_no_sum_of_them_is_too_large(window, most):
    unit, weights = counting.whole_weights(window, True, most)
    assert 2 * most * sum(weights.tolist()) < 2**63
    assert (weights > 0).all()
    assert all(abs(weight * d - unit) <= d for d, weight in enumerate(weights.tolist(), 1))  # both times unit and d
    if most < 10**9:
        assert unit >= 2**20 or window < 20


def test_windows_end_with_their_texts():
    corpus = corpus_of([["a", "b"], ["c"], ["b", "a", "a"]])
    assert entries(cooccur(corpus, window=100, weighting="none")) == {(0, 1): 3, (1, 0): 3, (0, 0): 2}
    assert cooccur(corpus, window=100).row("c") == []


def test_words_that_never_stand_beside_any(tmp_path):
    found = cooccur(corpus_of([["a"], ["b"], ["c"]]), memory_bytes=10**6)
    assert (len(found.columns), found.pointers.tolist()) == (0, [0, 0, 0, 0])
    found.save(tmp_path / "none")
    assert_same(Counts.load(tmp_path / "none"), found)


def test_a_row_is_listed_best_first():
    counts = cooccur(corpus_of([["the", "cat", "saw", "the", "dog"]]), window=2)
    assert counts.row("the") == [("cat", 1.5), ("saw", 1.5), ("dog", 1.0)]
    with pytest.raises(ArgumentError, match=r"'catt' is not among the 4 words that were counted; did you mean 'cat'\?"):
        counts.row("catt")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"window": 0}, "window must be at least 1 word; got 0"),
        ({"threads": 0}, "threads must be at least 1; got 0"),
        ({"side": "lift"}, "unknown side 'lift'; did you mean 'left'?"),
        ({"weighting": "distant"}, "unknown weighting 'distant'; did you mean 'distance'?"),
    ],
)
def test_settings_that_do_not_fit(corpus, settings, says):
    with pytest.raises(ArgumentError, match=re.escape(says)):
        cooccur(corpus, **settings)


@pytest.mark.parametrize("wrong", [-2, 3, 2**31 - 1])
def test_ids_that_are_none(wrong):
    with pytest.raises(DataError, match=f"the corpus has id {wrong} at place 2, and its vocabulary ends at 2"):
        cooccur(of_ids([0, 1, wrong], 3))


@pytest.mark.parametrize("threads", [1, 2])
def test_memory_that_is_too_little_says_how_much_is_needed(corpus, counts, threads):
    with pytest.raises(ArgumentError, match="memory_bytes must be at least") as refused:
        cooccur(corpus, memory_bytes=100, threads=threads)
    needed = int(re.search("at least ([0-9,]+)", str(refused.value))[1].replace(",", ""))
    with pytest.raises(ArgumentError, match=rf"for 300 words, a window of 5 and {threads} threads; got {needed - 1:,}"):
        cooccur(corpus, memory_bytes=needed - 1, threads=threads)
    assert_same(cooccur(corpus, memory_bytes=needed, threads=threads), counts)


def test_a_disk_that_refuses(corpus, monkeypatch, tmp_path):
    with pytest.raises(StorageError, match=r"cannot write .*absent"):
        cooccur(corpus, memory_bytes=1_000_000, folder=tmp_path / "absent")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(runs.Storage, "append", full)
    with pytest.raises(StorageError, match=f"cannot write {tmp_path}: No space left"):
        cooccur(corpus, memory_bytes=1_000_000, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


MEASURED = """
import re
from pathlib import Path
import numpy as np
from throughtime.vectors.cooccurrence import cooccur
from throughtime.vectors.corpus import Corpus, Vocabulary

def corpus_of(words, vocab):
    ids = (vocab * np.random.default_rng(0).random(words) ** 2).astype(np.int32)
    vocabulary = Vocabulary(list(map(str, range(vocab))), np.ones(vocab, np.int64))
    return Corpus(vocabulary, ids, words, 0, 1, 0, "")

def highest():
    return 1024 * int(re.search("VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1])

few, some, kinds = corpus_of(20_000, 50), corpus_of(600_000, 4_000), corpus_of(400_000, 300_000)
for bound in (10**9, 60_000):  # in memory and in runs: what is loaded for either is no part of counting
    cooccur(few, memory_bytes=bound, threads=2)
before = highest()
for corpus, bound in ((some, 4_000_000), (some, 12_000_000), (kinds, 32_000_000)):
    counts = cooccur(corpus, memory_bytes=bound, threads=2)
    print(bound, highest() - before, 12 * len(counts.values))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc/self/status")
def test_resident_memory_stays_under_the_bound():
    """In runs of blocks, in sheets of one block, and where tables over the vocabulary take most of it."""
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 3
    for line in done.stdout.splitlines():
        bound, grown, matrix = map(int, line.split())
        assert matrix > bound
        assert bound / 2 < grown < bound + 2_000_000  # the interpreter's own; and something was measured


@pytest.mark.parametrize("memory_bytes", [2**31, 200_000], ids=["from memory", "from files"])
def test_what_is_saved_reads_back(corpus, counts, tmp_path, memory_bytes):
    home = tmp_path / "counts"
    saved = cooccur(corpus, memory_bytes=memory_bytes, side="left", window=2)
    counts.save(home)
    saved.save(home)  # over other counts
    back = Counts.load(home)
    assert_same(back, saved)
    assert (back.words, back.window, back.side, back.weighting) == (saved.words, 2, "left", "distance")
    assert isinstance(back.values, np.memmap)
    assert not back.values.flags.writeable
    assert (back.matrix() != saved.matrix()).nnz == 0
    back.save(home)  # over the files that it is mapped from
    assert_same(Counts.load(home), saved)


def test_counts_are_saved_over_nothing_else(counts, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArgumentError, match="exists and does not hold co-occurrence counts; choose another --out"):
        counts.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.fixture
def saved(tmp_path):
    counts = cooccur(corpus_of([["a", "b", "c", "a"], ["c", "b"]]))
    counts.save(tmp_path / "counts")
    return tmp_path / "counts"


def test_counts_that_were_changed_are_refused(saved):
    body = bytearray((saved / "values.float64").read_bytes())
    body[3] ^= 1
    (saved / "values.float64").write_bytes(body)
    with pytest.raises(RunError, match=r"values\.float64 was changed after it was written"):
        Counts.load(saved)


def test_another_kind_of_folder_is_refused(tmp_path):
    folders.write_files(tmp_path, {"table.json": b"{}"}, status="finished")
    with pytest.raises(RunError, match=r"has no columns\.int32: it does not hold co-occurrence counts"):
        Counts.load(tmp_path)


def put(place, value):
    def change(array):
        array[place] = value
        return array

    return change


HARMFUL = [
    ("pointers", put(0, 1), "its pointers do not rise from 0 to"),
    ("pointers", put(1, 10**12), "its pointers do not rise from 0 to"),
    ("pointers", put(1, -1), "its pointers do not rise from 0 to"),
    ("pointers", put(-1, 0), "its pointers do not rise from 0 to"),
    ("pointers", lambda array: array[:-1], "its arrays do not fit 3 words"),
    ("pointers", lambda array: array[:0], "its arrays do not fit 3 words"),
    ("frequencies", put(0, -1), "a word has a frequency below zero"),
    ("frequencies", lambda array: array[1:], "its arrays do not fit 3 words"),
    ("columns", put(0, 3), "row 0 has columns that do not rise within the vocabulary"),
    ("columns", put(0, -1), "row 0 has columns that do not rise within the vocabulary"),
    ("columns", put(1, 0), "row 0 has columns that do not rise within the vocabulary"),
    ("columns", lambda array: array[:2], "its arrays do not fit 3 words"),
    ("values", put(-1, 0), "row 2 has columns that do not rise within the vocabulary, or values"),
    ("values", put(-1, np.nan), "row 2 has columns"),
    ("values", put(-1, np.inf), "row 2 has columns"),
    ("values", lambda array: array.view(np.uint8)[:-3], "which is no whole number of float64"),
]


@pytest.mark.parametrize(("name", "change", "says"), HARMFUL)
def test_arrays_that_were_made_to_harm(saved, name, change, says):
    files = {n: (saved / n).read_bytes() for n in folders.read_manifest(saved).files}
    kind = FILES[name].split(".")[1]
    files[FILES[name]] = change(np.frombuffer(files[FILES[name]], kind).copy()).tobytes()
    folders.write_files(saved, files, status="finished")
    with pytest.raises(RunError, match=says):
        Counts.load(saved)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"window": 0}, "'window'"),
        ({"side": "up"}, "'side'"),
        ({"kind": "table"}, "'kind'"),
        ({"words": ["a", "b", "a"]}, "a word comes twice"),
        ({"words": ["a", "b"]}, "do not fit 2 words"),
        ({"words": 3}, "'words'"),
    ],
)
def test_settings_that_were_made_to_harm(saved, changes, says):
    files = {n: (saved / n).read_bytes() for n in folders.read_manifest(saved).files}
    files["counts.json"] = json.dumps(json.loads(files["counts.json"]) | changes).encode()
    folders.write_files(saved, files, status="finished")
    with pytest.raises(RunError, match=says):
        Counts.load(saved)


def test_counts_cannot_be_assigned_to(counts):
    with pytest.raises(dataclasses.FrozenInstanceError):
        counts.window = 3
