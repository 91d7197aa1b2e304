from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.splits import (
    block_folds,
    by_time,
    grouped,
    grouped_folds,
    groups_of,
    held_out,
    in_order,
    modulo_folds,
    numbered,
    shuffled,
    stratified,
    stratified_folds,
    together,
)
from throughtime.errors import ArgumentError, DataError

SHARES = st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.5), (1 / 3, 1 / 3, 1 / 3), (0.7, 0.2)])


def mixed(word):
    """SplitMix64's last step, in whole numbers of any size."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % 2**64
    return word ^ (word >> 31)


def test_the_arithmetic_is_splitmix64s():
    # The first numbers that the generator's published C gives for the seed 1234567.
    golden = 0x9E3779B97F4A7C15
    assert [mixed((1234567 + i * golden) % 2**64) for i in (1, 2)] == [6457827717110365317, 3203168211198807973]


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_an_order_by_chance_is_the_same_as_in_plain_whole_numbers(seed):
    start = mixed(seed)
    keys = [mixed((start + i * 0x9E3779B97F4A7C15) % 2**64) for i in range(1, 101)]
    assert shuffled(100, seed).tolist() == sorted(range(100), key=keys.__getitem__)


def test_orders_by_chance_are_even():
    orders = [tuple(shuffled(5, seed).tolist()) for seed in range(1200)]
    assert len(set(orders)) == 120
    for place in range(5):
        counts = Counter(order[place] for order in orders)
        assert all(abs(counts[i] - 240) < 5 * (1200 * 0.2 * 0.8) ** 0.5 for i in range(5))
    assert shuffled(0, 0).tolist() == []


@given(st.lists(st.sampled_from("aaaabbc"), min_size=12, max_size=80), SHARES, st.integers(0, 5))
def test_stratified_parts_have_each_label_by_its_share(labels, shares, seed):
    parts = stratified(labels, shares, seed)
    assert [part.tolist() for part in stratified(np.array(labels), shares, seed)] == [part.tolist() for part in parts]
    together = np.sort(np.concatenate(parts))
    assert len(set(together.tolist())) == len(together)
    if sum(shares) > 0.99:
        assert together.tolist() == list(range(len(labels)))
    for part, share in zip(parts, shares, strict=True):
        counts = Counter(labels[i] for i in part)
        for label, count in Counter(labels).items():
            assert abs(counts[label] - share * count) < 2
    assert {labels[i] for i in parts[0]} == set(labels)


@given(st.lists(st.integers(0, 9), min_size=20, max_size=60), SHARES, st.integers(0, 5))
def test_no_group_is_in_two_parts(groups, shares, seed):
    groups = [*groups, *range(10)]
    labels = [group % 3 for group in groups]
    for options in ({}, {"labels": labels}):
        try:
            parts = grouped(groups, shares, seed, **options)
        except ArgumentError as error:
            assert "is empty" in str(error)  # noqa: PT017
            continue
        homes = [{groups[i] for i in part} for part in parts]
        assert sum(len(home) for home in homes) == len(set.union(*homes))
        if sum(shares) > 0.99:
            assert np.sort(np.concatenate(parts)).tolist() == list(range(len(groups)))
        largest = max(Counter(groups).values())
        if not options:
            for part, share in zip(parts, shares, strict=True):
                assert abs(len(part) - share * len(groups)) <= largest


def test_groups_are_dealt_so_that_labels_are_as_frequent_in_all_parts():
    chance = np.random.default_rng(0)
    groups = chance.integers(0, 150, 400)
    labels = chance.choice(["a", "b", "c"], 150, p=[0.6, 0.3, 0.1])[groups]
    whole = Counter(labels)
    for fold in grouped_folds(groups, 5, 0, labels=labels):
        counts = Counter(labels[fold.test])
        assert all(abs(counts[label] - count / 5) <= 4 for label, count in whole.items())
        assert not set(groups[fold.train]) & set(groups[fold.test])


@given(st.integers(10, 50), st.integers(2, 10), st.integers(0, 3))
def test_folds_hold_out_each_row_once(count, folds, seed):
    labels = np.arange(count) % 3
    made = {
        "stratified": stratified_folds(labels, folds, seed),
        "grouped": grouped_folds(np.arange(count), folds, seed),
        "block": block_folds(count, folds),
        "modulo": modulo_folds(count, folds),
    }
    for found in made.values():
        assert len(found) == folds
        assert np.sort(np.concatenate([fold.test for fold in found])).tolist() == list(range(count))
        for train, test in found:
            assert np.array_equal(np.setdiff1d(np.arange(count), test), train)
            assert count // folds <= len(test) <= -(-count // folds)
    for fold in made["stratified"]:
        counts = Counter(labels[fold.test].tolist())
        assert all(abs(counts[label] - (labels == label).sum() / folds) < 1 for label in range(3))
    for number, fold in enumerate(made["modulo"]):
        assert set(fold.test % folds) == {number}
    for fold in made["block"]:
        assert (np.diff(fold.test) == 1).all()


def test_what_is_equal_or_of_a_group_is_held_out_together():
    keys = [f"t{i % 40}" for i in range(200)]
    labels = ["ab"[i % 2] for i in range(200)]
    for seed in range(3):
        fold = held_out(keys, 0.1, seed, what="texts", labels=labels)
        sides = [Counter(keys[row] for row in part) for part in fold]
        assert not sides[0].keys() & sides[1].keys()
        assert [sum(side.values()) for side in sides] == [180, 20]
        assert Counter(labels[row] for row in fold.test) == {"a": 10, "b": 10}
        groups = [i % 7 for i in range(200)]
        fold = held_out(keys, 0.1, seed, what="texts", labels=labels, groups=groups)
        assert not {groups[row] for row in fold.train} & {groups[row] for row in fold.test}
    few = held_out(keys[:19] * 10, 0.1, 0, what="texts", labels=["x"] * 190)
    assert len(few.test) == 19
    assert {(*some.tolist(),) for some in together(keys, labels, (0.9, 0.1), 2)} == {
        (*part.tolist(),) for part in held_out(keys, 0.1, 2, what="texts", labels=labels)
    }


@pytest.mark.parametrize(
    ("labels", "says"), [(None, "2 texts are too few to hold 0.1 of them out"), ("ab", "0.1 of each class out: give")]
)
def test_too_few_rows_to_hold_some_out_are_refused(labels, says):
    with pytest.raises(DataError, match=says):
        held_out(["x", "y"], 0.1, 0, what="texts", labels=labels)


def test_seeds_and_only_seeds_change_folds():
    labels = [0, 1] * 20
    tests = [[fold.test.tolist() for fold in stratified_folds(labels, 4, seed)] for seed in (0, 0, 1)]
    assert tests[0] == tests[1] != tests[2]
    # These are kept, as results that were published with them stand on them.
    assert stratified_folds("aabbab", 3, 7)[0].test.tolist() == [1, 5]
    assert grouped("aabbccddee", (0.6, 0.4), 7)[1].tolist() == [4, 5, 8, 9]


def test_blocks_may_be_of_each_label_and_keep_their_neighbours_out():
    labels = [0] * 8 + [1] * 4
    assert block_folds(12, 4, within=labels)[1].test.tolist() == [2, 3, 9]
    fold = block_folds(12, 4, gap=2)[1]
    assert (fold.train.tolist(), fold.test.tolist()) == ([0, 8, 9, 10, 11], [3, 4, 5])
    fold = block_folds(12, 4, gap=1)[0]
    assert (fold.train.tolist(), fold.test.tolist()) == ([4, 5, 6, 7, 8, 9, 10, 11], [0, 1, 2])
    assert modulo_folds(6, 2, within="abbabb")[0].test.tolist() == [0, 1, 4]


def test_parts_in_order_and_by_time():
    assert [part.tolist() for part in in_order(10, (0.5, 0.25, 0.25))] == [[0, 1, 2, 3, 4], [5, 6, 7], [8, 9]]
    assert [len(part) for part in in_order(14400, (0.6, 0.2, 0.2))] == [8640, 2880, 2880]
    times = np.array(["2020-03", "2020-01", "2020-02", "2020-02", "2020-05", "2020-04"], "datetime64[M]")
    early, late = by_time(times, (0.5, 0.5))
    assert (early.tolist(), late.tolist()) == ([1, 2, 3], [0, 4, 5])
    early, late = by_time(times, (0.34, 0.66))  # the cut falls between equal times
    assert (early.tolist(), late.tolist()) == ([1, 2, 3], [0, 4, 5])


def test_equal_keys_are_a_group():
    assert groups_of(["b", "a", "b"]).tolist() == [0, 1, 0]
    assert groups_of([("x", 1), ("x", 2), ("x", 1)]).tolist() == [0, 1, 0]
    assert numbered(np.array([3.5, 1.0, 3.5]))[1] == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: shuffled(3, -1), r"seed is a whole number from 0 to 2\^63 − 1; got -1"),
        (lambda: shuffled(3, 2**63), "seed is a whole number"),
        (lambda: stratified("ab", (0.5, 0.6), 0), r"shares are above 0 and make 1 together, or less; got \(0.5, 0.6\)"),
        (lambda: stratified("ab", (0.5, 0.0), 0), "shares are above 0"),
        (lambda: in_order(5, ()), "shares are above 0"),
        (lambda: in_order(5, (0.99, 0.01)), "a share of 0.01 is empty: the parts have 5, 0 rows; give a larger share"),
        (lambda: by_time(np.zeros(4), (0.5, 0.5)), "a share of 0.5 is empty: the parts have 4, 0 rows"),
        (lambda: stratified("ab", (0.5, 0.5), 0), "a share of 0.5 is empty"),
        (lambda: grouped("aab", (0.4, 0.3, 0.3), 0), "2 groups do not make 3 parts; a group is in one part"),
        (lambda: grouped("aabb", (0.5, 0.5), 0, labels="abc"), "3 labels do not fit 4 rows"),
        (lambda: stratified_folds("ab", 3, 0), "folds must be from 2 to the number of rows, 2; got 3"),
        (lambda: block_folds(5, 1), "folds must be from 2 to the number of rows, 5; got 1"),
        (lambda: block_folds(5, 2, gap=-1), "gap is a number of rows, at least 0; got -1"),
        (lambda: modulo_folds(5, 2, within="abc"), "3 labels do not fit 5 rows"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()
