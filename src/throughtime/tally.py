"""A sum and a count that add up exactly: the only form in which losses and metrics travel."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Tally:
    """A total and how many things it is a total of. Only the training loop and reports divide.

    Adding tallies of parts gives the tally of the whole, whatever the sizes of the parts, which a mean of
    means does not.

    >>> (Tally(6.0, 2) + Tally(1.0, 8)).mean
    0.7
    """

    total: Tensor | float
    count: int

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.total + other.total, self.count + other.count)

    @property
    def mean(self) -> float:
        """Total over count, as a number; nan where nothing was counted."""
        return float(self.detach().total) / self.count if self.count else float("nan")

    def detach(self) -> "Tally":
        """The same tally as plain numbers, holding on to no computation."""
        total = self.total.detach() if isinstance(self.total, Tensor) else self.total
        return Tally(float(total), self.count)
