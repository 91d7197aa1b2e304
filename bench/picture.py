"""The picture of bench/cells.py: for every cell and mode a map of how many times faster than the peer we are."""

import math
from pathlib import Path
from typing import Any

from claims import MODES, Ratio, mean, ratios
from contenders import TITLES, TORCH
from rows import Row

SLOWER, EVEN, FASTER = "#c2410c", "#faf7f2", "#0f6a78"
INK, PALE = "#1f2937", "#6b7280"
LIMIT = 4.0  # times faster or slower: the deepest colours
ACROSS = 3  # cells beside each other, a map for each mode
PEERS = {"lstm": "torch.nn.LSTM", "gru": "torch.nn.GRU", "elman": "torch.nn.RNN"}


def draw(rows: list[Row], path: Path) -> None:
    """Draws the maps: H down, B across, the number in a field the geometric mean over T."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    panels = panels_of(rows)
    if not panels:
        raise SystemExit("there are no points of ours beside torch.nn's to draw")
    down = math.ceil(len(panels) / ACROSS)
    figure = Figure(figsize=(10.4, 0.9 + 2.15 * down), layout=ConstrainedLayoutEngine(hspace=0.06, wspace=0.04))
    head = "How many times faster than torch.nn on the CPU\n"
    figure.suptitle(head, color=INK, fontsize=12, fontweight="bold", x=0.012, ha="left")
    legend = "geometric means over T, hidden size down, batch across; over 1 ours is faster"
    figure.text(0.012, 1 - 0.29 / figure.get_figheight(), legend, color=PALE, fontsize=9, va="top")
    colours = LinearSegmentedColormap.from_list("ratio", [SLOWER, EVEN, FASTER])
    groups = figure.subfigures(down, ACROSS, squeeze=False)
    for group, (title, peer, maps) in zip(groups.flat, panels, strict=False):
        group.suptitle(title, fontsize=9, fontweight="bold", color=INK, x=0.02, ha="left")
        group.text(0.985, 0.978, f"beside {peer}", fontsize=8, color=PALE, ha="right", va="top")
        for i, (axes, mode) in enumerate(zip(group.subplots(1, len(MODES)), MODES, strict=True)):
            panel(axes, maps[mode], mode, colours, first=i == 0)
    figure.savefig(path, dpi=150, facecolor="white")


def panels_of(rows: list[Row]) -> list[tuple[str, str, dict[str, list[Ratio]]]]:
    """Title, peer and the ratios of each mode: the cells of the grid, then those with unequal lengths."""
    panels = []
    for cell, title in TITLES.items():
        of = "" if cell in TORCH else "lstm"
        maps = {mode: ratios(rows, cell, "torch.nn", of=of, mode=mode) for mode in MODES}
        panels.append((title, PEERS.get(cell, PEERS["lstm"]), maps))
    for cell in TORCH:
        maps = {mode: ratios(rows, cell, "torch.nn packed", part="lengths", mode=mode) for mode in MODES}
        panels.append((f"{TITLES[cell]}, unequal lengths", "packing", maps))
    return [panel for panel in panels if any(panel[-1].values())]


def panel(axes: Any, some: list[Ratio], mode: str, colours: Any, *, first: bool) -> None:
    """One map."""
    axes.set_title(f"{mode}  {mean(some):.2f}×" if some else mode, fontsize=8, color=PALE)
    if not some:
        axes.axis("off")
        return
    hidden = sorted({ratio.ours.hidden for ratio in some})
    batch = sorted({ratio.ours.batch for ratio in some})
    for y, h in enumerate(hidden):
        for x, b in enumerate(batch):
            here = [ratio for ratio in some if (ratio.ours.hidden, ratio.ours.batch) == (h, b)]
            if here:
                field(axes, x, y, mean(here), colours)
    axes.set(xlim=(-0.5, len(batch) - 0.5), ylim=(len(hidden) - 0.5, -0.5))
    axes.set_xticks(range(len(batch)), batch, fontsize=7, color=PALE)
    axes.set_yticks(range(len(hidden)), hidden if first else [""] * len(hidden), fontsize=7, color=PALE)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def field(axes: Any, x: int, y: int, ratio: float, colours: Any) -> None:
    """A field in the ratio's colour with the ratio in it."""
    from matplotlib.patches import Rectangle

    depth = max(-1.0, min(1.0, math.log(ratio) / math.log(LIMIT)))
    axes.add_patch(Rectangle((x - 0.48, y - 0.47), 0.96, 0.94, color=colours((depth + 1) / 2), linewidth=0))
    text = f"{ratio:.2f}" if ratio < 9.95 else f"{ratio:.0f}"
    axes.text(x, y, text, ha="center", va="center", fontsize=7.5, color="white" if abs(depth) > 0.55 else INK)
