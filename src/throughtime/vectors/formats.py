"""Files of word vectors, whose kind their ending tells: ours, and those of others."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from throughtime.vectors.table import Table


def read(path: Path) -> "Table":
    """A table from a folder of ours."""
    from throughtime.vectors.store import load

    return load(path)


def write(table: "Table", path: Path) -> None:
    """Writes a table as a folder of ours."""
    from throughtime.vectors.store import save

    save(table, path)
