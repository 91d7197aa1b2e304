"""The calendar: against the standard library's, and the times that come next."""

import math
from datetime import datetime, timedelta

import numpy as np
import pytest

from throughtime.data.calendar import FEATURES, calendar_features
from throughtime.data.clock import Pace, following, pace_of
from throughtime.errors import ArgumentError


def test_it_says_what_the_standard_library_says():
    moments = [datetime(1969, 12, 28, 1) + timedelta(hours=31 * i, minutes=7 * i) for i in range(400)]
    found = calendar_features(np.array(moments, "datetime64[us]"))
    assert found.shape == (400, len(FEATURES))
    for moment, row in zip(moments, found, strict=True):
        day = (moment.hour + moment.minute / 60) / 24
        for place, share in enumerate((day, (moment.weekday() + day) / 7, (moment.month - 1) / 12)):
            wanted = math.sin(2 * math.pi * share), math.cos(2 * math.pi * share)
            assert row[2 * place : 2 * place + 2] == pytest.approx(wanted, abs=1e-5)


def test_numbers_have_no_calendar():
    with pytest.raises(ArgumentError, match="times that are dates, such as 2016-07-01 13:00; these are numbers"):
        calendar_features(np.arange(3.0))


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        (np.array([0.5, 0.75, 1.0]), np.array([1.25, 1.5])),
        (
            np.array(["2024-02-28T23", "2024-02-29T00"], "datetime64[us]"),
            np.array(["2024-02-29T01", "2024-02-29T02"], "datetime64[us]"),
        ),
        (
            np.array(["2023-09-15T06", "2023-12-15T06"], "datetime64[us]"),
            np.array(["2024-03-15T06", "2024-06-15T06"], "datetime64[us]"),
        ),
    ],
    ids=["numbers", "hours", "quarters"],
)
def test_times_go_on_at_their_pace(times, wanted):
    found = following(times[-1], pace_of(times), 2)
    assert found.dtype == wanted.dtype
    assert (found == wanted).all()


@pytest.mark.parametrize(
    "times", [["9998-12-31", "9999-12-30"], ["9999-10-31", "9999-11-30T01"], ["9999-11", "9999-12"]]
)
def test_no_time_is_beyond_what_a_date_can_tell(times):
    given = np.array(times, "datetime64[us]")
    with pytest.raises(ArgumentError, match=rf"3 steps after {times[1]}.* the year is beyond 9999; give earlier times"):
        following(given[-1], pace_of(given), 3)
    pace = pace_of(np.array(["2024-11-05", "2024-12-05"], "datetime64[us]"))
    assert following(np.datetime64("9999-10-31", "us"), pace, 2)[-1].item() == datetime(9999, 12, 31)
    with pytest.raises(ArgumentError, match="beyond 9999"):
        following(given[-1], Pace(1e300, "seconds", 0, 0, 0), 1)
