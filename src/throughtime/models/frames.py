"""Windows as the rows of segments that a core reads, each relative to its own level; and forecasts put back."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, ones_like, zeros_like

from throughtime.errors import ArgumentError

Normalising = Literal["last", "mean", "none"]
NEGLIGIBLE = 1e-5  # added to the variance of a window


@dataclass(frozen=True)
class Form:
    """The sizes of windows, and how they are cut into steps.

    context, horizon          L and H, in rows
    segment                   rows that are one step of the core
    targets, inputs, known    K, D − K and F
    shared                    whether each target is a row of its own, all of them with the same weights
    normalise                 what a window is relative to: its last values, its means and deviations, or nothing

    Raises `ArgumentError` when the sizes do not fit one another.
    """

    context: int
    horizon: int
    segment: int = 1
    targets: int = 1
    inputs: int = 0
    known: int = 0
    shared: bool = False
    normalise: Normalising = "last"

    def __post_init__(self) -> None:
        for name in ("context", "horizon", "segment", "targets"):
            if getattr(self, name) < 1:
                raise ArgumentError(f"{name} must be at least 1; got {getattr(self, name)}")
        for name in ("context", "horizon"):
            if getattr(self, name) % self.segment:
                raise ArgumentError(f"{name} is whole segments of {self.segment}; got {getattr(self, name)}")
        if self.shared and self.inputs:
            raise ArgumentError(f"{self.inputs} inputs are seen together with targets; they need shared=False")

    @property
    def columns(self) -> int:
        """C, the channels of a row."""
        return 1 if self.shared else self.targets + self.inputs

    @property
    def outputs(self) -> int:
        """O, the numbers that a row has at each time ahead."""
        return 1 if self.shared else self.targets

    @property
    def read(self) -> int:
        """Segments of the context."""
        return self.context // self.segment

    @property
    def ahead(self) -> int:
        """Segments of the horizon."""
        return self.horizon // self.segment


class Rows(NamedTuple):
    """Windows as a core reads them, relative to their level.

    values    R N wC    segments of the context
    known     R N+M wF  segments of what is known
    level     R 1 O     what was taken off the targets
    spread    R 1 O     what they were divided by then
    """

    values: Tensor
    known: Tensor
    level: Tensor
    spread: Tensor


def framed(form: Form, history: Float[Tensor, "B L D"], known: Float[Tensor, "B T F"]) -> Rows:
    """Windows as rows of segments, each normalised by itself.

    Formula: (x − x_L) / 1 for "last"; (x − mean) / sqrt(variance + 1e-5) for "mean".
    Source: Kim et al. (2022), "Reversible Instance Normalization", equations 1-3, without its learnt gain and bias;
    Zeng et al. (2023), NLinear, for the last value.
    """
    if form.shared:
        history = history.transpose(1, 2).flatten(0, 1)[..., None]
        known = known.repeat_interleave(form.targets, 0)
    level, spread = zeros_like(history[:, :1]), ones_like(history[:, :1])
    if form.normalise == "last":
        level = history[:, -1:]
    elif form.normalise == "mean":
        level = history.mean(1, keepdim=True)
        spread = (history.var(1, keepdim=True, correction=0) + NEGLIGIBLE).sqrt()
    values = segments((history - level) / spread, form.segment)
    return Rows(values, segments(known, form.segment), level[..., : form.outputs], spread[..., : form.outputs])


def unframed(form: Form, rows: Rows, outputs: Tensor) -> Tensor:
    """Outputs (R M wO, or R M wO Q) as windows have them: (B H K, or B H K Q), standardised."""
    whole = outputs.reshape(len(outputs), -1, form.outputs, *outputs.shape[3:])
    level, spread = (part.view(*part.shape, *[1] * (whole.dim() - 3)) for part in (rows.level, rows.spread))
    whole = whole * spread + level
    if form.shared:
        whole = whole.reshape(-1, form.targets, *whole.shape[1:2], *whole.shape[3:]).transpose(1, 2)
    return whole


def segments(values: Tensor, segment: int) -> Tensor:
    """Rows (R T C) cut in segments (R T/w wC)."""
    return values.reshape(len(values), values.shape[1] // segment, -1)
