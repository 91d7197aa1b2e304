"""A bar on stderr while something takes long; nothing where stderr is no terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


@contextmanager
def bar(what: str) -> Iterator[Callable[..., None]]:
    """Shows a bar; gives what to call with (done, whole, facts) as the work goes on, where `facts` may be left out."""
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=1.0, facts="")

        def tell(done: float, whole: float, facts: str = "") -> None:
            progress.update(task, completed=done / whole if whole else 1.0, facts=facts)

        yield tell
