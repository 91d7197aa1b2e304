"""What the calendar says of times: hour, day of the week and month as points on circles, known however far ahead."""

import numpy as np
from numpy.typing import NDArray

from throughtime.data.clock import Times
from throughtime.errors import ArgumentError

DAY, WEEK = 86_400_000_000, 7 * 86_400_000_000  # microseconds
MONDAY = 4 * DAY  # the first one after the 1st of January 1970, a Thursday
FEATURES = (
    "hour of day, sine",
    "hour of day, cosine",
    "day of week, sine",
    "day of week, cosine",
    "month, sine",
    "month, cosine",
)


def calendar_features(times: Times) -> NDArray[np.float32]:
    """(T 6) where each time stands in its day, its week and its year of months: `FEATURES`, all within −1..1.

    Formula: sin 2πp and cos 2πp, p the share of the day or week that is over, or of the year at the month's beginning.

    >>> calendar_features(np.array(["2024-01-01T06"], "datetime64[us]")).round(2).tolist()
    [[1.0, 0.0, 0.2199999988079071, 0.9700000286102295, 0.0, 1.0]]

    Raises `ArgumentError` for times that are numbers: no calendar is known of them.
    """
    if times.dtype.kind != "M":
        raise ArgumentError("calendar features need times that are dates, such as 2016-07-01 13:00; these are numbers")
    moments = times.astype("datetime64[us]").astype(np.int64)
    months = times.astype("datetime64[M]").astype(np.int64)
    shares = (moments % DAY / DAY, (moments - MONDAY) % WEEK / WEEK, months % 12 / 12)
    angles = 2 * np.pi * np.stack(shares, -1)
    circles: NDArray[np.float32] = np.stack([np.sin(angles), np.cos(angles)], -1).reshape(-1, 6).astype(np.float32)
    return circles
