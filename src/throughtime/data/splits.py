"""Splits of rows into parts and folds: indices that depend on their arguments alone, on any machine.

Chance is integer arithmetic on (seed, place), not a generator whose stream another version may change.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, DataError

Indices = NDArray[np.int64]
FEW = 20  # different rows, of which some can hardly be held out
NEAR = 1e-9  # by which shares may be off a whole


class Fold(NamedTuple):
    """Rows to learn from and rows that are held out, each in rising order."""

    train: Indices
    test: Indices


def shuffled(count: int, seed: int) -> Indices:
    """The numbers below `count` in an order that the seed decides.

    Source: Steele, Lea and Flood (2014), SplitMix with the function mix64variant13; ours mixes the seed as well.

    >>> shuffled(6, 0).tolist(), sorted(shuffled(6, 1).tolist())
    ([2, 4, 5, 1, 0, 3], [0, 1, 2, 3, 4, 5])
    """
    if not 0 <= seed < 2**63:
        raise ArgumentError(f"seed is a whole number from 0 to 2^63 − 1; got {seed}")
    start = _mixed(np.array([seed], np.uint64))
    keys = _mixed(start + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return np.argsort(keys, kind="stable").astype(np.int64)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def stratified(labels: Sequence[Hashable] | NDArray[Any], shares: Sequence[float], seed: int) -> list[Indices]:
    """Rows by chance in parts of those shares, in each of which every label has its share, to within two rows.

    The first part has at least one row of each label.

    >>> [part.tolist() for part in stratified("aaaabbbb", (0.5, 0.5), 0)]
    [[1, 2, 4, 6], [0, 3, 5, 7]]

    Raises `ArgumentError` when the shares do not fit, or leave a part empty.
    """
    edges = _edges(shares)
    codes, classes = numbered(labels)
    parts = np.full(len(codes), -1)
    order = shuffled(len(codes), seed)
    ordered = order[np.argsort(codes[order], kind="stable")]  # a class after the other, each by chance
    counts = np.bincount(codes, minlength=classes)
    done = 0
    for count in counts:
        cuts = np.floor(edges * (done + count) + 0.5) - np.floor(edges * done + 0.5)
        cuts = np.clip(np.maximum.accumulate(cuts), 1, count).astype(np.int64)
        for part, (first, last) in enumerate(pairwise((0, *cuts))):
            parts[ordered[done + first : done + last]] = part
        done += int(count)
    return _filled([np.flatnonzero(parts == part) for part in range(len(shares))], shares)


def together(keys: Sequence[Hashable], labels: Sequence[Hashable], shares: Sequence[float], seed: int) -> list[Indices]:
    """As `stratified`, of rows that differ: rows of one key are in one part, by the label of the first of them.

    >>> [part.tolist() for part in together("xyxz", "abab", (0.5, 0.5), 0)]
    [[0, 2, 3], [1]]
    """
    codes, _ = numbered(keys)
    first = np.unique(codes, return_index=True)[1]
    parts = stratified([labels[row] for row in first], shares, seed)
    return [np.flatnonzero(np.isin(codes, part)) for part in parts]


def held_out(
    keys: Sequence[Hashable],
    share: float,
    seed: int,
    *,
    what: str,
    labels: Sequence[Hashable] | None = None,
    groups: Sequence[Hashable] | None = None,
) -> Fold:
    """Rows to learn from, and a share that is held out: of each label, and of a group all or none.

    Where there are no groups, rows that are equal, of one key, are held out together; unless fewer than 20 are
    different, so that equal ones have to be torn apart.

    >>> held_out("abcdefghijklmnopqrstuvwxyzab", 0.1, 0, what="letters").test.tolist()
    [3, 9, 22]

    Raises `DataError`, which says `what` rows are, when they are too few.
    """
    shares, known = (1 - share, share), labels or [""] * len(keys)
    try:
        if groups is not None:
            return Fold(*grouped(groups, shares, seed, labels=known))
        if len(set(keys)) < FEW:
            return Fold(*stratified(known, shares, seed))
        return Fold(*together(keys, known, shares, seed))
    except ArgumentError:
        of = "of them" if labels is None else "of each class"
        raise DataError(
            f"{len(keys):,} {what} are too few to hold {share:g} {of} out: "
            "give more of them, another --held-out, or data to validate on"
        ) from None


def rarest(labels: Sequence[tuple[str, ...]]) -> list[str]:
    """The rarest of the labels of each row, for a combination of them may be there only once.

    >>> rarest([("a", "b"), ("a",), ()])
    ['b', 'a', '']
    """
    counts = Counter(label for some in labels for label in some)
    return [min(some, key=lambda label: (counts[label], label), default="") for some in labels]


def grouped(
    groups: Sequence[Hashable] | NDArray[Any],
    shares: Sequence[float],
    seed: int,
    *,
    labels: Sequence[Hashable] | NDArray[Any] | None = None,
) -> list[Indices]:
    """Rows in parts of about those shares, so that no group is in two; with labels, each about as frequent in all.

    Groups are dealt by falling size, equal ones by chance, each to the part that is nearer to its share by it.

    >>> [part.tolist() for part in grouped("aabbccd", (0.5, 0.5), 0)]
    [[0, 1, 4, 5], [2, 3, 6]]

    Raises `ArgumentError` when the shares do not fit, or leave a part empty, or there are fewer groups than parts.
    """
    edges = _edges(shares)
    codes, count = numbered(groups)
    if count < len(shares):
        raise ArgumentError(
            f"{count} groups do not make {len(shares)} parts; a group is in one part, give more of them"
        )
    classes = numbered(labels) if labels is not None else (np.zeros(len(codes), np.int64), 1)
    if len(classes[0]) != len(codes):
        raise ArgumentError(f"{len(classes[0])} labels do not fit {len(codes)} rows")
    dealt = _dealt(codes, count, classes, np.diff(edges, prepend=0.0), seed)
    return _filled([np.flatnonzero(dealt[codes] == part) for part in range(len(shares))], shares)


def _dealt(codes: Indices, count: int, classes: tuple[Indices, int], shares: NDArray[np.float64], seed: int) -> Indices:
    """The part of each group; the number of parts for what goes into none."""
    kinds, many = classes
    if shares.sum() < 1 - NEAR:
        shares = np.append(shares, 1 - shares.sum())
    held = np.bincount(codes * many + kinds, minlength=count * many).reshape(count, many)
    order = shuffled(count, seed)
    order = order[np.argsort(-held.sum(1)[order], kind="stable")]
    wanting = shares[:, None] * held.sum(0)  # of each label, in each part
    weights = 1 / np.maximum(held.sum(0), 1)
    dealt = np.empty(count, np.int64)
    for group in order:
        # To give x lowers the sum of squares of what is wanting by x (2 wanting - x), of which x² is the same for all.
        gain = (wanting * (held[group] * weights)).sum(1)
        best = int(np.argmax(gain))
        dealt[group] = best
        wanting[best] -= held[group]
    return dealt


def in_order(count: int, shares: Sequence[float]) -> list[Indices]:
    """Rows in the order they are in: the first share of them, the next, and so on.

    >>> [part.tolist() for part in in_order(5, (0.6, 0.4))]
    [[0, 1, 2], [3, 4]]

    Raises `ArgumentError` when the shares do not fit, or leave a part empty.
    """
    cuts = np.floor(_edges(shares) * count + 0.5).astype(np.int64)
    return _filled([np.arange(first, last) for first, last in pairwise((0, *cuts))], shares)


def by_time(times: NDArray[Any], shares: Sequence[float]) -> list[Indices]:
    """Rows in parts of about those shares, each part wholly later than the one before; rows of one time stay together.

    >>> [part.tolist() for part in by_time(np.array([3, 1, 2, 2]), (0.5, 0.5))]
    [[1, 2, 3], [0]]

    Raises `ArgumentError` when the shares do not fit, or leave a part empty.
    """
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    cuts = np.floor(_edges(shares) * len(times) + 0.5).astype(np.int64)
    ends = [int(np.searchsorted(ordered, ordered[cut - 1], "right")) if cut else 0 for cut in cuts]
    return _filled([np.sort(order[first:last]) for first, last in pairwise((0, *ends))], shares)


def stratified_folds(labels: Sequence[Hashable] | NDArray[Any], folds: int, seed: int) -> list[Fold]:
    """Folds by chance, in each of which every label has its share, to within one row.

    Raises `ArgumentError` when there are fewer rows than folds.
    """
    codes, _ = numbered(labels)
    _check_folds(folds, len(codes))
    order = shuffled(len(codes), seed)
    ordered = order[np.argsort(codes[order], kind="stable")]
    fold_of = np.empty(len(codes), np.int64)
    fold_of[ordered] = np.arange(len(codes)) % folds  # dealt round and round, a class after the other
    return _folds(fold_of, folds)


def grouped_folds(
    groups: Sequence[Hashable] | NDArray[Any],
    folds: int,
    seed: int,
    *,
    labels: Sequence[Hashable] | NDArray[Any] | None = None,
) -> list[Fold]:
    """Folds of about the same size, so that no group is in two; with labels, each about as frequent in all.

    Raises `ArgumentError` when there are fewer groups than folds.
    """
    _check_folds(folds, len(groups))
    fold_of = np.empty(len(groups), np.int64)
    for fold, rows in enumerate(grouped(groups, [1 / folds] * folds, seed, labels=labels)):
        fold_of[rows] = fold
    return _folds(fold_of, folds)


def block_folds(
    count: int, folds: int, *, gap: int = 0, within: Sequence[Hashable] | NDArray[Any] | None = None
) -> list[Fold]:
    """Folds that are contiguous blocks of rows; with `within`, of the rows of each label.

    So many rows as `gap` says, on each side of a block, are left out of what is learnt from: neighbours of what is
    held out that overlap with it.

    >>> block_folds(6, 3, gap=1)[1]
    Fold(train=array([0, 5]), test=array([2, 3]))

    Raises `ArgumentError` when there are fewer rows than folds, or the gap is negative.
    """
    if gap < 0:
        raise ArgumentError(f"gap is a number of rows, at least 0; got {gap}")
    _check_folds(folds, count)
    places, sizes = _places_within(count, within)
    fold_of = places * folds // sizes
    found = []
    for train, test in _folds(fold_of, folds):
        near = np.concatenate([test + shift for shift in range(-gap, gap + 1)])
        found.append(Fold(np.setdiff1d(train, near), test))
    return found


def modulo_folds(count: int, folds: int, *, within: Sequence[Hashable] | NDArray[Any] | None = None) -> list[Fold]:
    """Folds by the place of a row, modulo their number; with `within`, by its place among the rows of its label.

    >>> modulo_folds(5, 2)[1], modulo_folds(5, 2, within="aabbb")[1].test.tolist()
    (Fold(train=array([0, 2, 4]), test=array([1, 3])), [1, 3])

    Raises `ArgumentError` when there are fewer rows than folds.
    """
    _check_folds(folds, count)
    return _folds(_places_within(count, within)[0] % folds, folds)


def groups_of(keys: Sequence[Hashable]) -> Indices:
    """The number of each row's group: rows with equal keys are of one, such as repeats of a text.

    >>> groups_of(["acgt", "ttga", "acgt"]).tolist()
    [0, 1, 0]
    """
    return numbered(keys)[0]


def numbered(values: Sequence[Hashable] | NDArray[Any]) -> tuple[Indices, int]:
    """Values by number, in the order in which they first come, and how many different ones there are."""
    codes = dict[Hashable, int]()
    items = values.tolist() if isinstance(values, np.ndarray) else values
    found = np.fromiter((codes.setdefault(item, len(codes)) for item in items), np.int64, len(items))
    return found, len(codes)


def _edges(shares: Sequence[float]) -> NDArray[np.float64]:
    """Where each part ends, as shares of all."""
    if not shares or min(shares) <= 0 or sum(shares) > 1 + NEAR:
        raise ArgumentError(f"shares are above 0 and make 1 together, or less; got {tuple(shares)}")
    edges = np.cumsum(np.array(shares, np.float64))
    return np.where(np.abs(edges - 1) < NEAR, 1.0, edges)


def _filled(parts: list[Indices], shares: Sequence[float]) -> list[Indices]:
    """The parts, of which none may be empty."""
    for part, share in zip(parts, shares, strict=True):
        if not len(part):
            raise ArgumentError(
                f"a share of {share:g} is empty: the parts have {', '.join(f'{len(part):,}' for part in parts)} rows; "
                "give a larger share, or more rows"
            )
    return parts


def _places_within(count: int, within: Sequence[Hashable] | NDArray[Any] | None) -> tuple[Indices, Indices]:
    """The place of each row among those of its label, and how many these are."""
    if within is None:
        return np.arange(count), np.full(count, count)
    codes, classes = numbered(within)
    if len(codes) != count:
        raise ArgumentError(f"{len(codes)} labels do not fit {count} rows")
    sizes = np.bincount(codes, minlength=classes)
    order = np.argsort(codes, kind="stable")
    places = np.empty(count, np.int64)
    places[order] = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return places, sizes[codes]


def _check_folds(folds: int, rows: int) -> None:
    if not 2 <= folds <= rows:
        raise ArgumentError(f"folds must be from 2 to the number of rows, {rows:,}; got {folds}")


def _folds(fold_of: Indices, folds: int) -> list[Fold]:
    return [Fold(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(folds)]
