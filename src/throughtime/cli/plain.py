"""Tables on stdout: drawn on a terminal, columns alone elsewhere."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from throughtime.errors import printable


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, bold: int | None = None) -> None:
    """Prints a table, of which the first column stands left and the others right; `bold` is the row that stands out."""
    safe = [[printable(cell) for cell in row] for row in (heads, *rows)]
    if not sys.stdout.isatty():
        widths = [max(map(len, column)) for column in zip(*safe, strict=True)]
        for first, *rest in safe:
            cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
            sys.stdout.write("  ".join([first.ljust(widths[0]), *cells]).rstrip() + "\n")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, head in enumerate(safe[0]):
        table.add_column(escape(head), justify="right" if place else "left", no_wrap=True)
    for place, row in enumerate(safe[1:]):
        table.add_row(*map(escape, row), style="bold" if place == bold else None)
    console = Console(highlight=False)
    console.width = max(console.width, console.measure(table, options=console.options.update(width=1000)).maximum)
    console.print(table)  # wider than a narrow terminal, which breaks lines; cells that break are harder to read
