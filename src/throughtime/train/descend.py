"""The one training loop: a generator that makes an update of the weights and tells of it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from throughtime import tree
from throughtime.errors import DivergedError
from throughtime.tally import Tally


@runtime_checkable
class Batch(Protocol):
    """What the loop asks of a batch."""

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        ...

    def split(self, parts: int) -> list[Any]:
        """Its rows in groups."""
        ...


@runtime_checkable
class Batches(Protocol):
    """Batches by number: which one comes when is a function of epoch and position alone."""

    def chunks(self, epoch: int) -> int:
        """How many batches an epoch has."""
        ...

    def chunk(self, epoch: int, position: int) -> Any:
        """The batch at a position of an epoch."""
        ...


class Place(NamedTuple):
    """Where training stands: with the weights and the optimiser, all that it takes to go on."""

    step: int = 0  # updates made
    epoch: int = 0  # of the next batch
    position: int = 0  # of the next batch in its epoch
    units: int = 0  # targets read so far
    state: tuple[Any, ...] = ()  # carried to the next batch, one for each group of rows; none at an epoch's start


@dataclass(frozen=True)
class Update:
    """One update of the weights."""

    place: Place  # after it
    loss: Tally
    gradient_norm: float  # of the mean loss, before clipping
    learning_rate: float


def descend(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Batches,
    *,
    learning_rate: Callable[[int], float],
    start: Place = Place(),  # noqa: B008  (a value)
    clip: float = 1.0,
    accumulate: int = 1,
    precision: torch.dtype = torch.float32,
    frozen: Callable[[int], Iterable[nn.Parameter]] = lambda step: (),
) -> Iterator[Update]:
    """Updates without end, from `start` on; whoever iterates decides when to stop.

    An update: the loss of each of `accumulate` groups of rows and its gradient, as sums; one division by the count
    of all; clipping to the norm `clip`; a step at the rate `learning_rate(step)`. The state is carried from batch to
    batch within an epoch, detached: truncated back-propagation through time (Williams and Peng, 1990). The weights
    that `frozen(step)` gives are left as they are: no gradient, no decay, and nothing for the optimiser to remember.
    A batch without a target that is scored leaves all weights as they are.

    `model.loss(batch, state)` gives a Tally and the state; it is the only thing that the loop asks of a model.

    Raises `DivergedError` before the weights are touched when a loss or a gradient is not finite.
    """
    loss_of: Callable[[Any, Any], tuple[Tally, Any]] = cast(Any, model).loss
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    device, place = parameters[0].device, start
    arithmetic = torch.autocast(device.type, precision) if precision != torch.float32 else nullcontext()
    while True:
        batch = batches.chunk(place.epoch, place.position).to(device)
        model.train()
        optimiser.zero_grad(set_to_none=True)
        loss, after = Tally(0.0, 0), []
        groups = batch.split(accumulate)
        with _held(frozen(place.step)):
            for group, state in zip(groups, place.state or [None] * len(groups), strict=True):
                with arithmetic:
                    tally, carried = loss_of(group, state)
                torch.autograd.backward(cast(Tensor, tally.total))
                loss = loss + tally.detach()
                after.append(tree.detach(carried))
        norm = _divide_and_clip([p.grad for p in parameters if p.grad is not None], loss.count, clip)
        for name, value in (("loss", loss.mean if loss.count else float(loss.total)), ("gradient", norm)):
            if value - value != 0:
                raise DivergedError(f"the {name} is {value} at step {place.step + 1}")
        rate = learning_rate(place.step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        if loss.count:  # else there is nothing to learn from, and what the optimiser remembers would move the weights
            optimiser.step()
        carries = next(tree.leaves(after), None) is not None  # else groups may be fewer in a smaller batch
        place = _next(place, batches, loss.count, tuple(after) if carries else ())
        yield Update(place, loss, norm, rate)


@contextmanager
def _held(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Parameters get no gradient in here, and so no step after it."""
    held = [parameter for parameter in parameters if parameter.requires_grad]
    try:
        for parameter in held:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


def _divide_and_clip(gradients: list[Tensor], count: int, clip: float) -> float:
    """Divides the gradients of a sum by its count and scales them to a norm of at most `clip`, in one pass."""
    norms = torch._foreach_norm(gradients)
    norm = float(torch.linalg.vector_norm(torch.stack(norms))) / max(1, count)
    scale = min(1.0, clip / norm) if norm > 0 else 1.0
    torch._foreach_mul_(gradients, scale / max(1, count))
    return norm


def _next(place: Place, batches: Batches, units: int, state: tuple[Any, ...]) -> Place:
    last = place.position + 1 == batches.chunks(place.epoch)
    return Place(
        step=place.step + 1,
        epoch=place.epoch + last,
        position=0 if last else place.position + 1,
        units=place.units + units,
        state=() if last else state,
    )
