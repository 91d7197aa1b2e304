"""Parts of series that follow on one another: what is learnt from, what is chosen by, what is judged by."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from throughtime.data.splits import NEAR, shuffled
from throughtime.data.tracks import Stretch, Track
from throughtime.errors import ArgumentError, DataError

PARTS = 3  # learnt from, chosen by, judged by


def parse_split(words: str) -> tuple[float, ...]:
    """The three sizes that a split says: shares of all, counts of times, or proportions.

    Counts are as they are; shares and proportions make 1 together.

    >>> parse_split("0.7,0.1,0.2"), parse_split("8640,2880,2880"), parse_split("12:4:4")
    ((0.7, 0.1, 0.2), (8640.0, 2880.0, 2880.0), (0.6, 0.2, 0.2))

    Raises `ArgumentError` for anything else.
    """
    wrong = ArgumentError(
        f"split is three shares (0.7,0.1,0.2), counts of times (8640,2880,2880) or proportions (12:4:4); got {words!r}"
    )
    try:
        sizes = tuple(float(word) for word in words.split(":" if ":" in words else ","))
    except ValueError:
        raise wrong from None
    if len(sizes) != PARTS or not all(0 < size < 2**53 for size in sizes):
        raise wrong
    if ":" in words:
        return tuple(size / sum(sizes) for size in sizes)
    if sum(sizes) > 1 + NEAR and not all(size == int(size) for size in sizes):
        raise wrong
    return sizes


def cuts_of(sizes: Sequence[float], count: int, what: str) -> list[int]:
    """Where each part ends, among so many; `what` they are is for people.

    >>> cuts_of((0.6, 0.2, 0.2), 10, "times"), cuts_of((4.0, 3.0, 2.0), 10, "times")
    ([6, 8, 10], [4, 7, 9])

    Raises `DataError` when there are too few for the counts, or for a part.
    """
    ends = np.cumsum(sizes)
    if ends[-1] <= 1 + NEAR:
        ends = np.floor(ends * count + 0.5)
    if ends[-1] > count:
        raise DataError(f"split {' + '.join(f'{size:,.0f}' for size in sizes)} is more than the {count:,} {what}")
    cuts = ends.astype(np.int64).tolist()
    if min(last - first for first, last in pairwise((0, *cuts))) < 1:
        raise DataError(f"{count:,} {what} leave a part of the split empty; give another --split, or more of them")
    return list(cuts)


def by_time(tracks: Sequence[Track], sizes: Sequence[float]) -> list[list[Stretch]]:
    """Three parts of every series, cut at the same moments: no part has anything from after the next one begins.

    Sizes are of all different times of all series; of series without times, of the rows of each.

    Raises `DataError` as `cuts_of` does.
    """
    if any(track.times is None for track in tracks):
        ends = [cuts_of(sizes, len(track), "rows of a series") for track in tracks]
    else:
        times = [track.times[: len(track)] for track in tracks if track.times is not None]
        every = times[0] if len(times) == 1 else np.unique(np.concatenate(times))
        last = [every[cut - 1] for cut in cuts_of(sizes, len(every), "times")]
        ends = [[int(np.searchsorted(own, moment, "right")) for moment in last] for own in times]
    return [[Stretch((0, *own)[part], own[part]) for own in ends] for part in range(PARTS)]


def by_series(tracks: Sequence[Track], sizes: Sequence[float], seed: int) -> list[list[Stretch]]:
    """Three parts of whole series, by chance: of each series all rows are in one part, or in none.

    Raises `DataError` as `cuts_of` does.
    """
    order = shuffled(len(tracks), seed)
    found = []
    for first, last in pairwise((0, *cuts_of(sizes, len(tracks), "series"))):
        chosen = set(order[first:last].tolist())
        found.append([Stretch(0, len(track) if i in chosen else 0) for i, track in enumerate(tracks)])
    return found
