"""Ctrl-C and SIGTERM, heard rather than suffered, so that what was done can be kept."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def listening() -> Iterator[list[int]]:
    """A list to which the first Ctrl-C or SIGTERM adds its number; the second one acts as it always does.

    A signal that was ignored when we were started, as `nohup` has it, stays ignored.
    """
    heard: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}

    def hear(number: int, frame: object) -> None:
        heard.append(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, hear)
    try:
        yield heard
    finally:
        restore()


@contextmanager
def leaving() -> Iterator[None]:
    """SIGTERM ends the program by an exception, as Ctrl-C does, so that what is temporary is removed on the way out."""
    before = signal.getsignal(signal.SIGTERM)

    def leave(number: int, frame: object) -> None:
        signal.signal(number, before)
        raise SystemExit(128 + number)

    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
