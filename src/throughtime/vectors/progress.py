"""How far the training of vectors is: what every method of training yields."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from throughtime.vectors.table import Table


@dataclass(frozen=True)
class Progress:
    """Where training stands after a round of it."""

    done: float  # share of all the work, 1 at the end
    epoch: int  # passes begun, from 1 on
    units: int  # so far: words of the text as it was read, or non-zeros of the counts
    seconds: float  # of training so far
    loss: float | None  # mean of the objective over the last round, nats
    table: Callable[[], "Table"]  # makes the table as it stands

    @property
    def units_per_second(self) -> float:
        """The rate so far."""
        return self.units / self.seconds if self.seconds else 0.0
