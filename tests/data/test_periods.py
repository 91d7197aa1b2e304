"""Parts of series: cut at moments or of whole series, sizes in three forms, and what does not fit."""

import numpy as np
import pytest

from throughtime.data.periods import by_series, by_time, cuts_of, parse_split
from throughtime.data.tracks import Track
from throughtime.errors import ArgumentError, DataError


def track(times):
    moments = None if isinstance(times, int) else np.array(times, np.float64)
    rows = times if isinstance(times, int) else len(times)
    return Track("", np.zeros((rows, 1), np.float32), *[np.zeros((rows, 0), np.float32)] * 2, moments)


def test_parts_of_several_series_are_cut_at_the_same_moments():
    tracks = [track(range(10)), track(range(5, 15)), track([0, 14])]
    parts = by_time(tracks, (0.6, 0.2, 0.2))  # of the times 0 to 14
    for stretches, (low, high) in zip(parts, ((0, 8), (9, 11), (12, 14)), strict=True):
        for one, (first, last) in zip(tracks, stretches, strict=True):
            wanted = [time for time in one.times if low <= time <= high]
            assert one.times[first:last].tolist() == wanted


def test_one_series_is_cut_by_rows_whether_it_has_times_or_not():
    for one in (track(20), track(range(100, 120))):
        assert by_time([one], (12.0, 4.0, 3.0)) == [[(0, 12)], [(12, 16)], [(16, 19)]]
    assert by_time([track(10), track(20)], (0.6, 0.2, 0.2))[2] == [(8, 10), (16, 20)]


def test_whole_series_are_in_one_part_each():
    tracks = [track(3) for _ in range(10)]
    parts = by_series(tracks, (0.6, 0.2, 0.2), seed=1)
    whole = [[i for i, stretch in enumerate(stretches) if stretch == (0, 3)] for stretches in parts]
    assert [len(part) for part in whole] == [6, 2, 2]
    assert sorted(i for part in whole for i in part) == list(range(10))
    assert parts != by_series(tracks, (0.6, 0.2, 0.2), seed=2)


@pytest.mark.parametrize(
    "words", ["", "1,2", "a,b,c", "0.5,0.4,0.3", "1.5,2,3", "0,1,1", "-1,2,3", "nan,1,1", "1:2", "1:0:1"]
)
def test_a_split_that_is_none_is_told(words):
    with pytest.raises(ArgumentError, match=r"shares \(0.7,0.1,0.2\), counts .* proportions \(12:4:4\); got "):
        parse_split(words)


def test_sizes_that_do_not_fit_are_told():
    with pytest.raises(DataError, match=r"split 8 \+ 4 \+ 4 is more than the 10 times"):
        cuts_of((8.0, 4.0, 4.0), 10, "times")
    with pytest.raises(DataError, match="3 series leave a part of the split empty"):
        cuts_of((0.9, 0.05, 0.05), 3, "series")
