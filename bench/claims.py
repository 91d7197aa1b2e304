"""What is asked of the speed of cells, and whether the rows of a benchmark hold it."""

from collections.abc import Callable, Iterable, Iterator
from statistics import geometric_mean
from typing import NamedTuple

from contenders import TITLES, TORCH
from rich.console import Console
from rich.table import Table
from rows import Row

MODES = ("inference", "training")
OTHERS = [name for name in TITLES if name not in TORCH]  # the cells that torch.nn does not have
Where = Callable[[Row], bool]


class Ratio(NamedTuple):
    value: float  # the peer's time over ours: over 1 we are faster
    ours: Row


class Claim(NamedTuple):
    text: str
    asked: str
    measured: str
    worst: str
    holds: bool


def ratios(
    rows: Iterable[Row],
    cell: str,
    peer: str,
    *,
    of: str = "",
    part: str = "grid",
    mode: str = "",
    where: Where = lambda row: True,
) -> list[Ratio]:
    """Our time of a cell beside a peer's, of the same cell or of another (`of`), at all points that have both."""
    rows = [row for row in rows if row.part == part]
    peers = {row[3:7]: row.value for row in rows if (row.cell, row.contender) == (of or cell, peer)}
    ours = [row for row in rows if (row.cell, row.contender) == (cell, "ours") and mode in ("", row.mode)]
    return [Ratio(peers[row[3:7]] / row.value, row) for row in ours if row[3:7] in peers and where(row)]


def mean(some: list[Ratio]) -> float:
    return geometric_mean(ratio.value for ratio in some)


def at_least(text: str, bound: float, some: list[Ratio], *, every: bool = False) -> Iterator[Claim]:
    """That we are so many times faster in the geometric mean, or at every point."""
    if some:
        worst = min(some)
        measured = worst.value if every else mean(some)
        where = f"{worst.value:.2f}× at {worst.ours.mode} {worst.ours.point}"
        yield Claim(text, f"≥ {bound:.2f}×", f"{measured:.2f}×", where, measured >= bound)


def within(text: str, bound: float, some: list[Ratio]) -> Iterator[Claim]:
    """That we take at most so many times the peer's time."""
    if some:
        worst = min(some)
        measured, where = 1 / mean(some), f"{1 / worst.value:.2f}× at {worst.ours.point}"
        yield Claim(text, f"≤ {bound:.2f}× its time", f"{measured:.2f}×", where, measured <= bound)


def claims(rows: list[Row]) -> Iterator[Claim]:
    """Every claim for which there are rows."""
    yield from _of_torch_cells(rows)
    for cell in OTHERS:
        yield from _of_other_cells(rows, cell)
    for cell in TORCH:
        for mode in MODES:
            some = ratios(rows, cell, "torch.nn packed", part="lengths", mode=mode, where=lambda row: row.steps == 128)
            yield from at_least(f"{TITLES[cell]} with lengths / torch.nn packed, {mode}, T 128", 5.0, some)
    yield from _of_memory(rows)
    yield from _of_starts(rows)


def _of_torch_cells(rows: list[Row]) -> Iterator[Claim]:
    lstm = ratios(rows, "lstm", "torch.nn")
    yield from at_least("LSTM / torch.nn.LSTM", 1.0, lstm)
    yield from at_least("LSTM / torch.nn.LSTM, B 1", 1.3, [ratio for ratio in lstm if ratio.ours.batch == 1])
    for cell, peer, bound in (("gru", "GRU", 1.5), ("elman", "RNN", 1.8)):
        for mode in MODES:
            some = ratios(rows, cell, "torch.nn", mode=mode)
            yield from at_least(f"{TITLES[cell]} / torch.nn.{peer}, {mode}", bound, some)
    yield from at_least("GRU / torch.nn.GRU, every point", 0.95, ratios(rows, "gru", "torch.nn"), every=True)


def _of_other_cells(rows: list[Row], cell: str) -> Iterator[Claim]:
    title = TITLES[cell]
    for mode, lstm, eager in (("inference", 1.5, 2.0), ("training", 1.4, 3.0)):
        yield from within(
            f"{title} / torch.nn.LSTM, {mode}", lstm, ratios(rows, cell, "torch.nn", of="lstm", mode=mode)
        )
        yield from at_least(f"{title} / eager loop, {mode}", eager, ratios(rows, cell, "eager loop", mode=mode))
    short = ratios(rows, cell, "eager loop", part="short", mode="training")
    yield from at_least(f"{title} / eager loop, training, H 64 B 8 T 64", 7.0, short)


def _of_memory(rows: list[Row]) -> Iterator[Claim]:
    found = {row.contender: row for row in rows if row.part == "memory" and row.cell == "gru"}
    for contender, text, bound in (("ours", "", 1.1), ("ours, recompute", ", recompute=True", 0.5)):
        if contender in found and "torch.nn" in found:
            ours, peer = found[contender], found["torch.nn"]
            measured, told = ours.value / peer.value, f"{ours.value:.0f} of {peer.value:.0f} MiB at {ours.point}"
            claim = f"memory of a training sweep, GRU{text} / torch.nn.GRU"
            yield Claim(claim, f"≤ {bound:.2f}×", f"{measured:.2f}×", told, measured <= bound)


def _of_starts(rows: list[Row]) -> Iterator[Claim]:
    for row in rows:
        bound = {"first compile": 10.0, "cached start": 1.0}.get(row.contender) if row.part == "start" else None
        if bound:
            text = f"{row.contender}, {TITLES[row.cell]}, to the end of the first training step"
            yield Claim(text, f"≤ {bound:.0f} s", f"{row.value:.2f} s", row.point, row.value <= bound)


def show(rows: list[Row], console: Console) -> None:
    """Prints every cell beside its peers, then the claims."""
    console.print(_summary(rows))
    table = Table("claim", "asked", "measured", "worst point", "", title="What is asked, in geometric means")
    for claim in claims(rows):
        table.add_row(claim.text, claim.asked, claim.measured, claim.worst, "pass" if claim.holds else "MISS")
    console.print(table)


def _summary(rows: list[Row]) -> Table:
    title = "How many times faster than the peer: geometric mean (least–most). Share: our rate by torch.mm's"
    table = Table("cell", "peer", "points", *MODES, *(f"share, {mode}" for mode in MODES), title=title)
    for cell, title in TITLES.items():
        for part, peer, of in _peers(rows, cell):
            both = [ratios(rows, cell, peer, of=of, part=part, mode=mode) for mode in MODES]
            if not any(both):
                continue
            told = f"{peer} {TITLES[of]}" if of else peer + ("" if part in ("grid", "lengths") else f", {part}")
            points = "+".join(str(len(some)) for some in both)
            table.add_row(title, told, points, *map(_spread, both), *map(_share, both))
    return table


def _peers(rows: list[Row], cell: str) -> list[tuple[str, str, str]]:
    """Part, contender, and the cell that the contender runs where it is another."""
    found = {(row.part, row.contender, "") for row in rows if row.cell == cell and row.contender != "ours"}
    found |= {("grid", "torch.nn", "lstm")} if cell in OTHERS else set()
    return sorted(one for one in found if one[0] in ("grid", "lengths", "loop"))


def _spread(some: list[Ratio]) -> str:
    return f"{mean(some):.2f}× ({min(some).value:.2f}–{max(some).value:.2f})" if some else ""


def _share(some: list[Ratio]) -> str:
    return f"{geometric_mean(max(ratio.ours.share_of_mm, 1e-9) for ratio in some):.0%}" if some else ""
