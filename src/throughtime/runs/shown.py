"""What is told of answers and scores, in the forms that all applications share."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

from throughtime.errors import printable


def csv_row(cells: Iterable[Any]) -> str:
    """A row of CSV, without the end of line.

    >>> csv_row(["a,b", 1])
    '"a,b",1'
    """
    row = StringIO()
    csv.writer(row, lineterminator="").writerow(cells)
    return row.getvalue()


def figure(value: float | None) -> str:
    """A number for people, such as a share; a line where there is none.

    >>> figure(0.5), figure(None)
    ('0.5000', '—')
    """
    return "—" if value is None else f"{value:.4f}"


def class_rows(tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, str]:
    """Precision, recall and F1 of each class of some tables, for people; `learned` is false of one that never was."""
    rows = {}
    for table in tables.values():
        for name, one in table.items():
            said = "  ".join(f"{what} {figure(one[what])}" for what in ("precision", "recall", "f1"))
            never = "" if one.get("learned", True) else "  (never learned)"
            rows[f"  {printable(name)}"] = f"{said}  of {one['support']:,}{never}"
    return rows
