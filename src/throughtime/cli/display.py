"""What a person sees while a model learns: a live bar on stderr, and a sample at every evaluation."""

import math
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from throughtime.errors import printable

if TYPE_CHECKING:
    from throughtime import train

SHORT = 160  # characters of a sample while training


class Display:
    """A live bar on stderr where stderr is a terminal; plain lines elsewhere. It lives inside of `with display.bar`."""

    def __init__(self, recipe: Any) -> None:
        self.recipe, self.console = recipe, Console(stderr=True, highlight=False)
        self.bar = Progress(
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[facts]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("training", total=1.0, facts="")
        self.smooth = math.nan  # until something was scored

    def say(self, line: str) -> None:
        """A line, above the bar if there is one."""
        self.console.print(Text(printable(line)), soft_wrap=True)

    def show(self, progress: "train.Progress") -> None:
        """One update, and what an evaluation found after it."""
        for note in progress.notes:
            self.say(note[0].upper() + note[1:])
        if progress.loss.count:
            loss = progress.loss.mean
            self.smooth = loss if math.isnan(self.smooth) else 0.95 * self.smooth + 0.05 * loss
        left = progress.seconds * (1 - progress.done) / progress.done if progress.done else 0.0
        bits = f" {self.smooth / math.log(2):.3f} bits" if self.recipe.loss_unit == "nats" else ""
        facts = (
            f"{self.smooth:.3f} {self.recipe.loss_unit}{bits}  gradient {progress.gradient_norm:.2f}  "
            f"{progress.units_per_second:,.0f} {self.recipe.item[:4]}/s  {clock(left)} left"
        )
        self.bar.update(self.task, completed=progress.done, facts=facts, refresh=False)
        if progress.evaluation:
            self._evaluated(progress, progress.evaluation)

    def _evaluated(self, progress: "train.Progress", evaluation: "train.Evaluation") -> None:
        judged, how = self.recipe.tell(evaluation.score)
        what = f"all {judged}, best weights:" if evaluation.final else f"{judged}:"
        line = f"[{clock(progress.seconds)}] step {progress.step:,}, epoch {progress.epoch}: {what} {how}"
        self.say(line + ("" if evaluation.best else " (not the best)"))
        sample = evaluation.sample if evaluation.final else evaluation.sample[:SHORT]
        safe = "\n".join(printable(row.expandtabs()) for row in sample.split("\n"))
        self.console.print(Panel(Text(safe), title=self.recipe.shows, title_align="left", border_style="dim"))


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are some."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
