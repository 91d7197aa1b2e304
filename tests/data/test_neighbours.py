"""Sentences of a text and their neighbours, against counting by hand."""

import gzip

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.neighbours import NONE, NeighbourBatches, Neighbours, SentenceText, read_sentences
from throughtime.data.units import WordUnits
from throughtime.errors import DataError

UNITS = WordUnits.learn("a b c d e f g h")


def test_a_sentence_is_a_line_and_an_empty_line_ends_a_document(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"\n\na b \r\n  c\n \t\n\n\nd\ne\nf")
    text = read_sentences(path)
    assert (text.lines, text.begins) == (["a b", "c", "d", "e", "f"], [0, 2])
    assert (text.bytes, text.skipped_bytes, len(text.sha256)) == (path.stat().st_size, 0, 64)
    packed = tmp_path / "text.txt.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_sentences(packed).lines == text.lines


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has 0 sentences and no two that stand together"),
        (b"\n \n", "has 0 sentences and no two that stand together"),
        (b"one\n\ntwo\n\n", "has 2 sentences and no two that stand together; give a sentence a line"),
        (b"one\n\0\n", "is binary"),
        (b"one\n\xff\n", "is not UTF-8: byte 0xff at offset 4, line 2"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(tmp_path, content, says):
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_sentences(tmp_path / "text.txt")


def test_bytes_that_are_not_text_can_be_skipped(tmp_path):
    (tmp_path / "text.txt").write_bytes(b"one\xff\ntwo\n")
    text = read_sentences(tmp_path / "text.txt", "skip")
    assert (text.lines, text.skipped_bytes) == (["one", "two"], 1)


documents = st.lists(st.lists(st.text("abcdefgh ", min_size=1, max_size=9).filter(str.strip), min_size=1), min_size=1)


@given(documents, st.floats(0.01, 0.99))
def test_splitting_loses_nothing_and_what_was_beside_stays_so_but_at_the_cut(texts, share):
    lines = [line for document in texts for line in document]
    if len(lines) < 2:
        return
    begins = np.cumsum([0, *map(len, texts)])[:-1].tolist()
    parts = SentenceText(lines, begins).split(share)
    assert [*parts[0].lines, *parts[1].lines] == lines
    cut = len(parts[0].lines)
    assert 0 < cut < len(lines)
    assert sorted({*parts[0].begins, *(begin + cut for begin in parts[1].begins)}) == sorted({*begins, cut})


@given(documents, st.integers(1, 5))
def test_neighbours_are_those_of_a_walk_over_each_document(texts, longest):
    lines = [line for document in texts for line in document]
    begins = np.cumsum([0, *map(len, texts)])[:-1].tolist()
    found = Neighbours.of(SentenceText(lines, begins), UNITS, longest=longest)
    place = 0
    for document in texts:
        fits = [len(line.split()) <= longest for line in document]
        for i in range(len(document)):
            before = place - 1 if i and fits[i - 1] and fits[i] else NONE
            after = place + 1 if i + 1 < len(document) and fits[i] and fits[i + 1] else NONE
            assert (found.before[place], found.after[place]) == (before, after)
            place += 1
    assert found.left_out == sum(len(line.split()) > longest for line in lines)


def test_batches_have_every_sentence_with_a_neighbour_once_an_epoch_by_number_alone():
    text = SentenceText(["a b c", "d", "e f", "g", "h h h h", "a"], [0, 3, 4])
    neighbours = Neighbours.of(text, UNITS, longest=9)
    batches = NeighbourBatches(neighbours, rows=2, seed=4)
    for epoch in range(3):
        chunks = [batches.chunk(epoch, position) for position in range(batches.chunks(epoch))]
        seen = [
            tuple(part.data[row, : part.lengths[row]].tolist() for part in (chunk.before, chunk.source, chunk.after))
            for chunk in chunks
            for row in range(len(chunk.source.lengths))
        ]
        ids = [UNITS.encode(line).tolist() for line in text.lines]
        wanted = [([], ids[0], ids[1]), (ids[0], ids[1], ids[2]), (ids[1], ids[2], []), ([], ids[4], ids[5])]
        assert sorted(seen) == sorted([*wanted, (ids[4], ids[5], [])])
    again = NeighbourBatches(neighbours, rows=2, seed=4).chunk(2, 1)
    assert torch.equal(again.source.data, batches.chunk(2, 1).source.data)


def test_groups_of_a_batch_are_the_batch():
    batch = Neighbours.of(SentenceText(["a b", "c", "d e"], [0]), UNITS, longest=9).batch([0, 1, 2])
    for parts in (1, 2, 9):
        groups = batch.split(parts)
        assert len(groups) == min(parts, 3)
        for name in ("source", "before", "after"):
            rows = torch.cat([getattr(group, name).data for group in groups])
            assert torch.equal(rows, getattr(batch, name).data)


def test_a_text_whose_sentences_stand_alone_has_no_batches():
    with pytest.raises(DataError, match="there are no sequences to make batches of"):
        NeighbourBatches(Neighbours.of(SentenceText(["a", "b"], [0, 1]), UNITS, longest=9), rows=2)
