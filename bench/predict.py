"""What `throughtime predict` takes of time and memory on a long csv.

    python bench/predict.py                       a million rows; a table, and bench/predict.csv
    python bench/predict.py --rows 10000000       as long as one likes
    python bench/predict.py --quick               a smoke run, without a CSV

A small classifier is trained on made texts, a csv of others is written, and a process of its own reads it. Ten times
on the way its resident memory is looked at. The texts have 3 to 15 words out of 5,000, as frequent as in a language.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from peer import machine, write
from rich.table import Table
from rows import terminal

BLOCK = 100_000  # rows that are made, and then written again and again
WORDS = 5000
RATE = 8 * 2**20  # bytes a second that are written at the most
MARKS = 10


def lines(rows: int, seed: int) -> list[str]:
    """Rows of a csv: a text, and whether it has a word of a certain kind."""
    chance = np.random.default_rng(seed)
    names = np.array([f"w{i}" if i % 3 else f"word{i}" for i in range(WORDS)])
    shares = 1 / np.arange(1, WORDS + 1)
    lengths = chance.integers(3, 16, rows)
    ids = chance.choice(WORDS, int(lengths.sum()), p=shares / shares.sum())
    return [
        f"{' '.join(names[some])},{'odd' if (some % 7 == 0).any() else 'even'}\n"
        for some in np.split(ids, np.cumsum(lengths)[:-1])
    ]


def make(path: Path, rows: int) -> None:
    """Writes a csv without haste, as others use the disk too."""
    block = lines(min(rows, BLOCK), 1)
    with path.open("w") as file:
        file.write("text,label\n")
        for first in range(0, rows, len(block)):
            start, size = time.monotonic(), file.tell()
            file.writelines(block[: rows - first])
            time.sleep(max(0.0, (file.tell() - size) / RATE - (time.monotonic() - start)))


def trained(folder: Path, core: str) -> Path:
    """A run of a small classifier."""
    path, run = folder / "train.csv", folder / "run"
    path.write_text("".join(["text,label\n", *lines(3000, 0)]))
    options = ["--text-column", "text", "--label-column", "label", "--core", core, "--epochs", "2"]
    command("train", "classify", "--train", str(path), "--out", str(run), *options).communicate()
    return run


def command(*words: str, out: int | Any = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "throughtime", *words], stdout=out, stderr=subprocess.PIPE)


def watched(process: "subprocess.Popen[bytes]", path: Path) -> Iterator[tuple[float, float, float]]:
    """How much of a file a process has read, its resident megabytes, and its seconds of work, each time a tenth."""
    marks = iter(np.arange(1, MARKS + 1) / MARKS)
    wanted, size = next(marks), path.stat().st_size
    while process.poll() is None:
        share = place(process.pid, path) / size
        if share >= wanted:
            yield share, resident(process.pid), worked(process.pid)
            wanted = next((mark for mark in marks if mark > share), 2.0)
        time.sleep(0.02)


def place(pid: int, path: Path) -> int:
    """How far a process has read a file; 0 while it has not opened it."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(link) == str(path):
                return int(Path(f"/proc/{pid}/fdinfo/{link.name}").read_text().split()[1])
        except OSError:
            continue
    return 0


def resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def worked(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--core", default="average")
    options = parser.parse_args()
    rows = 20_000 if options.quick else options.rows
    table = Table(
        "read", "resident MiB", "seconds", "CPU seconds", "rows a CPU second", title=f"predict, {rows:,} rows"
    )
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        run, path = trained(folder, options.core), folder / "texts.csv"
        make(path, rows)
        with (folder / "out.csv").open("wb") as out:
            begin = time.monotonic()
            process = command("predict", str(run), str(path), "--text-column", "text", out=out)
            for share, memory, work in watched(process, path):
                out.truncate(0)  # what is predicted is not kept: a disk has an end
                seconds = time.monotonic() - begin
                cells = [f"{100 * share:.0f} %", f"{memory:.0f}", f"{seconds:.1f}", f"{work:.1f}"]
                table.add_row(*cells, f"{rows * share / work:,.0f}")
                point = {"rows": rows, "core": options.core, "read": round(share, 3), "resident_mib": round(memory)}
                found.append({**point, "seconds": round(seconds, 1), "cpu_seconds": round(work, 1), **machine()})
        told = process.communicate()[1].decode()
        if process.returncode or f"{rows:,} texts" not in told:
            raise SystemExit(f"predict failed with {process.returncode}: {told}")
    terminal().print(table)
    if not options.quick:
        write(Path(__file__).with_suffix(".csv"), found)


if __name__ == "__main__":
    main()
