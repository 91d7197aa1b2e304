import hashlib
import json
import re
from collections import Counter
from contextlib import contextmanager
from functools import partial
from itertools import combinations_with_replacement
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from throughtime.data.texts import Texts
from throughtime.errors import ArgumentError, DataError, RunError, StorageError
from throughtime.folder import write_files
from throughtime.vectors import corpus as module
from throughtime.vectors import numbering
from throughtime.vectors.corpus import (
    Vocabulary,
    corpus_of,
    count_words,
    join_vocabularies,
    open_corpus,
    read_corpus,
)

TEXT = "the cat saw the dog\n\n  \nthe dog\nNo-one saw\n"
WORDS = st.lists(st.lists(st.sampled_from(["a", "b", "B", "cc", "é", "一", "x-y", "<unk>"]), max_size=6), max_size=8)

EMPTY = r"the text has no words|no words are left|only one word is left"


def oracle(texts, minimum_count=1, maximum_vocab=None, seen=None):
    """Words, counts and ids, the plain way; `seen` are the texts that are counted."""
    counts = Counter(word for words in (texts if seen is None else seen) for word in words)
    kept = sorted((w for w in counts if counts[w] >= minimum_count), key=lambda w: (-counts[w], w))[:maximum_vocab]
    ids = [[kept.index(word) for word in words if word in kept] for words in texts]
    return kept, [counts[w] for w in kept], [i for one in ids if one for i in [*one, -1]]


def shown(corpus):
    return corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), corpus.ids.tolist()


@contextmanager
def temporary():
    """A name for a folder, in a folder of its own: hypothesis calls a test many times in one tmp_path."""
    with TemporaryDirectory() as folder:
        yield Path(folder) / "corpus"


def cut(draw, text):
    """A text in blocks that end with white space, and the last one where the text does."""
    places = [m.end() for m in re.finditer(r"\s", text)]
    chosen = sorted(draw(st.sets(st.sampled_from(places)))) if places else []
    return [text[a:b] for a, b in zip([0, *chosen], [*chosen, len(text)], strict=True)]


@settings(max_examples=60, deadline=None)
@given(st.data(), WORDS, st.integers(1, 3), st.sampled_from([None, 2, 3]), st.booleans())
def test_a_corpus_is_what_the_plain_way_gives_however_the_text_is_cut(data, texts, minimum, maximum, lower):
    spaces = st.sampled_from([" ", "  ", "\t", "\u3000"])
    lines = [data.draw(spaces).join(words) for words in texts]
    blocks = cut(data.draw, "\n".join(lines) + data.draw(st.sampled_from(["", "\n", "\n\n"])))
    wanted = [[word.lower() for word in words] if lower else words for words in texts]
    words, counts, ids = oracle(wanted, minimum, maximum)
    with pytest.MonkeyPatch.context() as patch, temporary() as folder:
        patch.setattr(module, "BLOCK", data.draw(st.integers(1, 5)))
        options = {"minimum_count": minimum, "maximum_vocab": maximum}
        if len(words) < 2:
            with pytest.raises(DataError, match=EMPTY):
                read_corpus(blocks, folder, lower=lower, **options)
            with pytest.raises(DataError, match=EMPTY):
                corpus_of(wanted, **options)
            assert not list(folder.parent.iterdir())
            return
        corpus = read_corpus(blocks, folder, lower=lower, **options)
        assert (
            shown(corpus) == shown(open_corpus(folder)) == shown(corpus_of(wanted, **options)) == (words, counts, ids)
        )
        assert corpus.words == sum(map(len, texts)) == corpus.unknown + sum(counts)
        assert corpus.texts == sum(map(bool, texts))
        assert corpus.sha256 == hashlib.sha256("".join(blocks).encode()).hexdigest()
        assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]


@settings(max_examples=30, deadline=None)
@given(st.data(), WORDS, st.integers(1, 4))
def test_shares_with_a_common_vocabulary_are_the_whole_text(data, texts, ranks):
    blocks = cut(data.draw, "\n".join(" ".join(words) for words in texts))
    words, counts, _ = oracle(texts)
    with temporary() as folder:
        shares = [count_words(blocks, folder.with_name(str(r)), share=(r, ranks)) for r in range(ranks)]
        try:
            counted = [dict(zip(share.words, share.counts.tolist(), strict=True)) for share in shares]
            if len(words) < 2:
                return
            vocabulary = join_vocabularies(counted, minimum_count=1)
            assert (vocabulary.words, vocabulary.counts.tolist()) == (words, counts)
            for rank, share in enumerate(shares):
                mine = texts[rank::ranks]
                assert share.texts == sum(map(bool, mine))
                if not any(mine):
                    with pytest.raises(DataError, match="none of the 0 kinds of words of this share is in the vocab"):
                        share.corpus(vocabulary)
                    continue
                corpus = share.corpus(vocabulary)
                assert corpus.ids.tolist() == oracle(mine, seen=texts)[2]
                assert (corpus.words, corpus.unknown) == (sum(map(len, mine)), 0)
        finally:
            for share in shares:
                share.file.close()


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_a_share_is_the_same_wherever_blocks_end(tmp_path, ranks):
    text = "a b\n\nc a\nd e\nf\na g\nh"
    places = [0, *(match.end() for match in re.finditer(r"\s", text)), len(text)]
    for first, second in combinations_with_replacement(places, 2):
        found = []
        for rank in range(ranks):
            blocks = [text[:first], text[first:second], text[second:]]
            with count_words(blocks, tmp_path / "corpus", share=(rank, ranks)) as counted:
                counted.file.seek(0)
                numbers = np.frombuffer(counted.file.read(), dtype=np.int32)
                found.append(" ".join(["\n", *counted.words][number] for number in numbers))
        lines = text.split("\n")
        assert found == ["".join(f"{line} \n " for line in lines[rank::ranks] if line)[:-1] for rank in range(ranks)]


def test_the_facts_of_a_file_go_with_its_corpus_and_come_back(tmp_path):
    path, told = tmp_path / "text.txt", []
    path.write_bytes(TEXT.encode() + b"\xff\n")
    texts = Texts.open(path, invalid_bytes="skip")
    made = read_corpus(texts, tmp_path / "corpus", minimum_count=2, tell=lambda *at: told.append(at))
    assert told == [(path.stat().st_size, path.stat().st_size)]
    again = open_corpus(tmp_path / "corpus")
    for corpus in (made, again):
        assert (corpus.vocabulary.words, corpus.words, corpus.unknown, corpus.texts) == (["the", "dog", "saw"], 9, 2, 3)
        assert (corpus.skipped_bytes, corpus.sha256) == (1, hashlib.sha256(path.read_bytes()).hexdigest())
        assert corpus.ids.dtype == np.int32
        assert corpus.vocabulary.index == {"the": 0, "dog": 1, "saw": 2}
        assert len(corpus.vocabulary) == 3
    for corpus in (made, again, corpus_of([["a", "b"]])):
        with pytest.raises(ValueError, match="read-only"):
            corpus.ids[0] = 1


def test_cells_without_text_are_counted(tmp_path):
    (tmp_path / "table.jsonl").write_text('{"text": "a b"}\n{}\n{"text": ""}\n')
    for corpus in (
        read_corpus(Texts.open(tmp_path / "table.jsonl"), tmp_path / "corpus", minimum_count=1),
        open_corpus(tmp_path / "corpus"),
    ):
        assert (corpus.null_cells, corpus.texts, corpus.words) == (2, 1, 2)


def test_a_regular_expression_finds_the_words(tmp_path):
    corpus = read_corpus([TEXT], tmp_path / "corpus", token=r"[a-z]+(?:-[a-z]+)?", lower=True, minimum_count=1)
    assert corpus.vocabulary.words == ["the", "dog", "saw", "cat", "no-one"]
    assert corpus.ids.tolist() == [0, 3, 2, 0, 1, -1, 0, 1, -1, 4, 2, -1]


def test_a_vocabulary_is_cut_and_ties_are_alphabetical():
    vocabulary = Vocabulary.of(["d", "b", "c", "a"], np.array([2, 1, 3, 2]), minimum_count=2, maximum_vocab=2)
    assert (vocabulary.words, vocabulary.counts.tolist()) == (["c", "a"], [3, 2])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"token": "(a"}, ArgumentError, r"token '\(a' is not a regular expression: "),
        ({"token": r"(\w)(\w)"}, ArgumentError, r"has groups, which would be taken for words; write \(\?:\.\.\.\)"),
        ({"token": r"\w*"}, ArgumentError, "token finds '': a word is one character at least"),
        ({"token": r".+"}, ArgumentError, "token finds 'the cat saw the dog': .* has no white space in it"),
        ({"token": "z+"}, DataError, "the text has no words in it; .* --token"),
        ({"maximum_vocab": 1}, ArgumentError, "maximum_vocab must be at least 2, .*; got 1"),
        ({"minimum_count": 0}, ArgumentError, "minimum_count must be at least 1; got 0"),
        (
            {"minimum_count": 7},
            DataError,
            "no words are left, .*: of 5 kinds of words the most frequent was seen 3 times, and --minimum-count is 7; "
            "give a longer text or lower it$",
        ),
        ({"minimum_count": 3}, DataError, "only one word is left, 'the', and vectors need two: of 5 kinds"),
        ({"share": (2, 2)}, ArgumentError, r"share must be \(rank, ranks\) with 0 <= rank < ranks; got \(2, 2\)"),
    ],
)
def test_what_gives_no_corpus_is_refused_and_leaves_nothing(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        read_corpus([TEXT], tmp_path / "corpus", **{"minimum_count": 1, **options})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("blocks", [[], [""], [" \n\n", " \n"]])
def test_a_text_without_words_is_refused(tmp_path, blocks):
    with pytest.raises(DataError, match="the text has no words in it"):
        read_corpus(blocks, tmp_path / "corpus")
    with pytest.raises(DataError, match=r"only one word is left, 'a', .* is 1; give a longer text$"):
        read_corpus([*blocks, " a a"], tmp_path / "corpus", minimum_count=1)
    with pytest.raises(DataError, match=r"has '.udc80' in it, which is not in UTF-8"):
        read_corpus([*blocks, "a \udc80"], tmp_path / "corpus")
    assert not list(tmp_path.iterdir())


def test_what_is_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(numbering, "KINDS_LIMIT", 5)
    read_corpus([TEXT], tmp_path / "five", minimum_count=1)
    with pytest.raises(DataError, match="the text has over 5 kinds of words; split them finer with --token"):
        read_corpus([TEXT, "six"], tmp_path / "six")
    monkeypatch.setattr(module, "TEXT_LIMIT", 20)
    with pytest.raises(DataError, match=r"a vocabulary of 5 words takes \d+ bytes, over the limit of 20: raise --mini"):
        read_corpus([TEXT], tmp_path / "large", minimum_count=1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["five"]


def test_a_folder_that_is_there_stays_as_it_was(tmp_path):
    (tmp_path / "corpus").mkdir()
    read_corpus([TEXT], tmp_path / "corpus", minimum_count=1)
    before = (tmp_path / "corpus" / "corpus.json").read_bytes()
    with pytest.raises(ArgumentError, match="corpus exists already: remove it, or choose another"):
        read_corpus(["other words"], tmp_path / "corpus", minimum_count=1)
    assert (tmp_path / "corpus" / "corpus.json").read_bytes() == before


def test_a_disk_that_refuses_is_told_of(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write .*corpus: Not a directory"):
        read_corpus([TEXT], tmp_path / "file" / "corpus", minimum_count=1)
    for name, reason in (("/dev/full", "No space left on device"), ("/no/such/file", "No such file or directory")):
        file = partial(Path.open, Path(name), "r+b")
        monkeypatch.setattr(numbering.tempfile, "TemporaryFile", lambda file=file, **_: file(buffering=0))
        with pytest.raises(StorageError, match=rf"cannot write .*corpus: {reason}; free some space"):
            read_corpus([TEXT], tmp_path / "corpus")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


FACTS = {
    "words": ["b", "a"],
    "counts": [2, 1],
    "read": 4,
    "unknown": 1,
    "texts": 2,
    "skipped_bytes": 0,
    "sha256": "0" * 64,
    "null_cells": 0,
}


def written(folder, ids=(0, -1, 1, 0, -1), body=None, **changes):
    """A folder of a corpus whose manifest agrees with whatever is in it."""
    content = np.array(ids, dtype="<i4").tobytes() if body is None else body
    files = {"ids.int32": content, "corpus.json": json.dumps({**FACTS, **changes}).encode()}
    write_files(folder, files, status="finished")
    return folder


def test_a_corpus_that_is_written_by_hand_opens(tmp_path):
    assert shown(open_corpus(written(tmp_path))) == (["b", "a"], [2, 1], [0, -1, 1, 0, -1])


@pytest.mark.parametrize(
    "damage",
    [
        {"ids": (0, 2, -1)},
        {"ids": (0, -2, -1)},
        {"ids": (0, -1, -1)},
        {"ids": (-1, 0, -1)},
        {"ids": (0, 1)},
        {"words": ["a", "a"]},
        {"words": ["a", "b c"]},
        {"words": ["a", ""]},
        {"words": ["a", "b", "c"]},
        {"counts": [1, 2]},
        {"counts": [1, 0]},
        {"counts": [1, "2"]},
        {"read": -1},
        {"sha256": "none"},
        {"body": b""},
        {"body": b"12345"},
    ],
)
def test_a_corpus_that_was_made_to_harm_is_refused(tmp_path, monkeypatch, damage):
    monkeypatch.setattr(module, "BLOCK", 2)
    with pytest.raises(RunError, match=r"does not hold a corpus|is missing or no file of int32|does not hold what a"):
        open_corpus(written(tmp_path, **damage))


def test_a_corpus_that_was_changed_or_is_not_whole_is_refused(tmp_path):
    folder = written(tmp_path / "corpus")
    (folder / "ids.int32").write_bytes(np.array([0, -1, 1, 1, -1], dtype="<i4").tobytes())
    with pytest.raises(RunError, match=r"ids.int32 was changed after it was written"):
        open_corpus(folder)
    (folder / "COMPLETE").unlink()
    with pytest.raises(RunError, match="is not a finished"):
        open_corpus(folder)
    write_files(tmp_path / "other", {"ids.int32": b"1234"}, status="finished")
    with pytest.raises(RunError, match=r"other has no corpus.json"):
        open_corpus(tmp_path / "other")
