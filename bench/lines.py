"""How long `throughtime stream` takes to answer a line: there through a pipe, and back.

    python bench/lines.py RUN FILE                the lines of a file, one after the other; a table
    python bench/lines.py RUN FILE --lines 500    as many of them

Each line is sent when the one before is answered, or is known to have no answer of its own, as the empty line that ends
a sentence. Seconds are those of a clock on the wall, so the machine should have nothing else to do.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path

from rich.table import Table
from rows import terminal


def asked(process: "subprocess.Popen[bytes]", line: str) -> float:
    """Microseconds until a line is answered."""
    assert process.stdin
    assert process.stdout
    start = time.perf_counter()
    process.stdin.write(f"{line}\n".encode())
    process.stdin.flush()
    json.loads(process.stdout.readline())
    return 1e6 * (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("file", type=Path)
    parser.add_argument("--lines", type=int, default=2000)
    options = parser.parse_args()
    lines = [line for line in options.file.read_text().splitlines() if line.strip()]
    words = [sys.executable, "-m", "throughtime", "stream", options.run, "--json"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        took = sorted(asked(process, line) for line in islice(cycle(lines), options.lines))
        assert process.stdin
        process.stdin.close()
    table = Table("lines", "median µs", "95 % below µs", title=f"stream {options.run}")
    table.add_row(f"{len(took):,}", f"{statistics.median(took):.0f}", f"{took[int(0.95 * len(took))]:.0f}")
    terminal().print(table)


if __name__ == "__main__":
    main()
