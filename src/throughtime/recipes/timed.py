"""Series as the recipe of forecasts takes them: read, cut in parts, scaled, and what there is to tell of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from throughtime.data.clock import Pace
from throughtime.data.scale import Scale
from throughtime.data.tracks import Stretch, Track, Tracks
from throughtime.data.windows import Windows
from throughtime.errors import printable

DAY = 86_400
SEASONS = {("seconds", DAY): 7, ("seconds", 7 * DAY): 52, ("months", 1): 12, ("months", 3): 4}


@dataclass(frozen=True)
class ForecastData:
    """Series to learn from, to choose by and to judge by."""

    tracks: Tracks
    stretches: list[list[Stretch]]  # of each part, those of each series
    scale: Scale
    train: Windows
    valid: Windows
    test: Windows
    season: int
    pace: Pace | None
    facts: dict[str, Any]  # data.json

    def notes(self) -> tuple[str, ...]:
        """What was read, counted, and is to be known of the clock."""
        facts, many = self.facts, len(self.tracks.tracks)
        columns = listed(self.tracks.targets)
        ahead = f"; known ahead: {listed(self.tracks.future)}" if self.tracks.future else ""
        inputs = f"; seen besides: {listed(self.tracks.inputs)}" if self.tracks.inputs else ""
        parts = ", ".join(f"{facts[f'{part}_windows']:,} {what}" for part, what in PARTS.items())
        told = [
            f"{self.tracks.chosen}; forecast: {columns}{inputs}{ahead}",
            f"{facts['rows']:,} rows in {many:,} series; windows: {parts}; {facts['unused_rows']:,} rows in no part, "
            f"{facts['short_series']:,} series without a window to learn from; {facts['filled_values']:,} "
            "values filled",
            self._season(),
        ]
        if facts["uneven"] or facts["gaps"]:
            told.append(
                f"the clock is irregular: {facts['gaps']:,} gaps with {facts['missing_steps']:,} times missing, "
                f"{facts['uneven']:,} distances that are no whole number of steps; rows are taken as steps all the same"
            )
        return tuple(told)

    def _season(self) -> str:
        if self.season == 1:
            return "no season is known (see --season)"
        longer = self.season > self.train.context
        return (
            f"a season of {self.season} steps{', more than are seen: none is repeated as a measure' if longer else ''}"
        )


PARTS = {"train": "to learn from", "valid": "held out to choose by", "test": "held out to judge by"}


def season_of(pace: Pace | None) -> int:
    """The steps after which a series of this pace is likely to repeat: a day's, a week's, a year's; 1 where unknown.

    >>> season_of(Pace(3600.0, "seconds", 0, 0, 0)), season_of(Pace(1.0, "numbers", 0, 0, 0))
    (24, 1)
    """
    if pace is None:
        return 1
    step = round(pace.step)
    if pace.unit == "seconds" and 0 < step < DAY and DAY % step == 0:
        return DAY // step
    return SEASONS.get((pace.unit, step), 1)


def pace_facts(tracks: list[Track]) -> tuple[Pace | None, dict[str, int]]:
    """The pace of the longest series, and how irregular all are together."""
    from throughtime.data.clock import pace_of

    paces = [pace_of(track.times) for track in tracks if track.times is not None]
    known = [pace for pace in paces if pace is not None]
    counts = {name: sum(getattr(pace, name) for pace in known) for name in ("gaps", "missing_steps", "uneven")}
    longest = max((track for track in tracks if track.times is not None), key=len, default=None)
    return (None if longest is None or longest.times is None else pace_of(longest.times)), counts


def facts_of(read: Tracks, pace: Pace | None) -> dict[str, Any]:
    """What data.json tells of series that were read."""
    return {
        "series_sha256": hash_of(read),
        "targets": list(read.targets),
        "inputs": list(read.inputs),
        "future": list(read.future),
        "series_count": len(read.tracks),
        "rows": read.rows,
        "filled_values": read.filled,
        "step": None if pace is None else pace.step,
        "step_unit": None if pace is None else pace.unit,
    }


def hash_of(tracks: Tracks) -> str:
    """The sha256 of what was read: names, values and times in their order."""
    digest = hashlib.sha256(json.dumps([tracks.targets, tracks.inputs, tracks.future]).encode())
    for track in tracks.tracks:
        digest.update(json.dumps([track.name, len(track)]).encode())
        for block in (track.values, track.known, track.times):
            if block is not None:
                digest.update(block.tobytes())
    return digest.hexdigest()


def size_of(path: Path) -> int | None:
    """How large a file is."""
    return path.stat().st_size if path.is_file() else None


def listed(names: tuple[str, ...]) -> str:
    """The names of columns, the first 12 of them.

    >>> listed(("load", "price"))
    'load, price'
    """
    told = ", ".join(printable(name)[:40] for name in names[:12])
    return told + (f", ... {len(names):,} in all" if len(names) > 12 else "")
