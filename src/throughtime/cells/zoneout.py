"""Zoneout: units that now and then keep their old value, around any cell."""

from typing import Any, Generic, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from throughtime.cells.cell import Cell, check_rate
from throughtime.errors import ArgumentError

S = TypeVar("S")


class ZonedProjected(NamedTuple):
    """The inner cell's projection, and for each zoned field a mask: 1 where a unit takes its new value."""

    inner: Any
    fresh: tuple[Tensor, ...]  # each B T H; in evaluation B T 1, the chance of a new value


class Zoneout(nn.Module, Generic[S]):
    """A cell whose state keeps, at each step, a random part of its old values.

    Formula: s' = d s_new + (1 − d) s_old, with d ~ Bernoulli(1 − rate) for each unit and step in training, and
    d = 1 − rate in evaluation. The output is the hidden state so mixed.

    Shapes: as the inner cell. `hidden` and `cell` are the rates for the state's fields of those names.

    Source: Krueger et al. (2017), "Zoneout", equations 2-5.

    >>> from throughtime.cells import LSTM
    >>> Zoneout(LSTM(3, 4), hidden=0.05, cell=0.5).hidden
    4
    """

    def __init__(self, inner: Cell[S], *, hidden: float = 0.1, cell: float = 0.0) -> None:
        super().__init__()
        fields = getattr(inner.initial(1), "_fields", ())
        for name, rate in (("hidden", hidden), ("cell", cell)):
            if check_rate(name, rate) and name not in fields:
                raise ArgumentError(
                    f"{type(inner).__name__}'s state has no field '{name}' to zone out; it has {', '.join(fields)}"
                )
        self.inner, self.width, self.hidden = inner, inner.width, inner.hidden
        self.rates = {name: rate for name, rate in (("hidden", hidden), ("cell", cell)) if rate}

    def initial(self, batch: int) -> S:
        """The inner cell's."""
        return self.inner.initial(batch)

    def project(self, x: Tensor) -> ZonedProjected:
        """The inner projection, and the masks, drawn for all steps at once."""
        fresh = []
        for rate in self.rates.values():
            chance = x.new_full((*x.shape[:2], self.hidden if self.training else 1), 1 - rate)
            fresh.append(torch.bernoulli(chance) if self.training else chance)
        return ZonedProjected(self.inner.project(x), tuple(fresh))

    def step(self, z: ZonedProjected, state: S) -> tuple[Tensor, S]:
        """The inner step, then the mixture."""
        y, new = self.inner.step(z.inner, state)
        named = cast(Any, new)
        for name, fresh in zip(self.rates, z.fresh, strict=True):
            old = getattr(state, name)
            named = named._replace(**{name: old + fresh * (getattr(new, name) - old)})
        return (named.hidden if "hidden" in self.rates else y), cast(S, named)
