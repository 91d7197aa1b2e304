"""Columns of a terminal in which words of any script stand in line."""

from collections.abc import Sequence

from rich.cells import cell_len


def align(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """The rows as lines, each column as wide as its widest cell on a terminal; `right` says which columns end in line.

    >>> align([["word", "value"], ["日本", "1.5"]], right=[False, True])
    ['word  value', '日本    1.5']
    """
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        spaces = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        cells = [fill + cell if end else cell + fill for cell, fill, end in zip(row, spaces, right, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines
