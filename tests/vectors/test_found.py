import numpy as np

from throughtime.vectors.found import find
from throughtime.vectors.subwords import Subwords
from throughtime.vectors.table import Table

WORDS = ["river", "The", "the", "HOUSE", "north"]
VECTORS = np.arange(10, dtype=np.float32).reshape(5, 2)


def test_a_word_is_looked_up_as_it_is_and_then_in_lower_case():
    found = find(Table(WORDS, VECTORS), ["The", "THE", "house", "River", "the", "<unk>"])
    assert found.places.tolist() == [0, 1, 3, 4]
    assert found.vectors.tolist() == [VECTORS[row].tolist() for row in (1, 2, 0, 2)]
    assert (found.found, found.lower, found.composed, found.unknown) == (2, 2, 0, 2)


def test_a_table_with_subwords_composes_what_it_does_not_have():
    parts = Subwords(2, 2, 50, np.array([], np.int32), np.zeros((0, 2), np.float32))
    kept = np.unique([parts.number(gram) for gram in ("<n", "no")]).astype(np.int32)
    parts = Subwords(2, 2, 50, kept, np.array([[1, 0], [0, 4]], np.float32)[: len(kept)])
    table = Table(WORDS, VECTORS, subwords=parts)
    found = find(table, ["north", "North", "no", "zzz"])
    assert (found.found, found.lower, found.composed, found.unknown) == (1, 1, 1, 1)
    assert found.places.tolist() == [0, 1, 2]
    assert found.vectors[0].tolist() == found.vectors[1].tolist() == VECTORS[4].tolist()
    assert found.vectors[2].tolist() == parts.compose("no").tolist() == table["no"].tolist() == [0.5, 2.0]


def test_nothing_found_has_the_shape_of_something():
    found = find(Table(WORDS, VECTORS), ["x"])
    assert found.vectors.shape == (0, 2)
    assert (found.places.tolist(), found.unknown) == ([], 1)
