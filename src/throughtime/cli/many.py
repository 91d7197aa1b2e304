"""What a person sees while many models learn, one after the other: one bar on stderr for all of them."""

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from throughtime.cli.display import clock
from throughtime.errors import printable


class ManyDisplay:
    """A live bar on stderr where stderr is a terminal; lines alone elsewhere. It lives inside of `with display.bar`."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[facts]}", markup=False),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("", total=1.0, facts="")
        self.began, self.first = time.monotonic(), 0.0

    def say(self, line: str) -> None:
        """A line, above the bar if there is one."""
        self.console.print(Text(printable(line)), soft_wrap=True)

    def begin(self, done: float) -> None:
        """Time left is reckoned from here: so much was done before."""
        self.began, self.first = time.monotonic(), done

    def show(self, what: str, done: float, facts: str = "") -> None:
        """What is trained now, and the share of all the work that is over."""
        gone = done - self.first
        left = (time.monotonic() - self.began) * (1 - done) / gone if gone > 0 else None
        told = f"{facts}  {clock(left)} left" if left is not None else facts
        self.bar.update(self.task, description=what, completed=done, facts=told, refresh=False)
