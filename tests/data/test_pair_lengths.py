"""Where a search gives up: beyond all that was learned from, and not much beyond it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from throughtime.data.pair_lengths import TargetLengths
from throughtime.errors import ArgumentError

PAIRS = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=20)


@given(PAIRS)
@example([(11, 25)] * 60)
def test_no_target_that_was_learned_from_is_over_the_limit_of_its_source(sizes):
    lengths = TargetLengths.of([bytes(source) for source, _ in sizes], [bytes(target) for _, target in sizes])
    assert all(target + 10 <= lengths.limit(source) for source, target in sizes)
    assert lengths.surplus >= 0
    assert lengths.limit(1000) <= 1.25 * (1000 * lengths.ratio + max(target for _, target in sizes)) + 11


def test_a_limit_grows_with_the_source_beyond_what_was_seen():
    lengths = TargetLengths.of(["ab", "abcd"], ["abab", "abcdabcd"])
    assert lengths == (2.0, 0.0)
    assert [lengths.limit(size) for size in (0, 4, 400)] == [10, 20, 1010]


def test_lengths_are_those_of_pairs():
    for sources, targets in [([], []), (["a"], [])]:
        with pytest.raises(ArgumentError, match=r"there are \d sources and 0 targets: give pairs"):
            TargetLengths.of(sources, targets)
