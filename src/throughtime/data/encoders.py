"""Encoders: from what people have, texts or series, to what a model reads, ids or numbers."""

from collections.abc import Sequence
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor

from throughtime.data.scale import Deviations, Means, Scale
from throughtime.data.units import Units, unknown_among
from throughtime.errors import ArgumentError, RunError, printable

MOST_CHANNELS = 65536


@runtime_checkable
class Encoder(Protocol):
    """What turns items into sequences of ids (T) or of numbers (T D)."""

    item: str  # what it takes, such as "text"
    items: str  # several of them
    unit: str  # what lengths are counted in, such as "word"
    file: str  # of a run folder that holds it

    @property
    def vocab(self) -> int | None:
        """How many ids there are; None where steps are numbers."""
        ...

    @property
    def width(self) -> int | None:
        """How many numbers a step has; None where it is an id."""
        ...

    def encode(self, items: Sequence[Any]) -> list[Tensor]:
        """The sequence of each item."""
        ...

    def unknown(self, sequences: Sequence[Tensor]) -> int:
        """How many units the vocabulary lacks."""
        ...

    def sentence(self) -> str:
        """What it is, for people."""
        ...

    def to_json(self) -> dict[str, Any]:
        """What it is made again from."""
        ...


class TextEncoder:
    """Texts as the ids of their units.

    >>> from throughtime.data.units import WordUnits
    >>> encoder = TextEncoder(WordUnits.learn("good film"))
    >>> sequences = encoder.encode(["good day", ""])
    >>> [ids.tolist() for ids in sequences], encoder.unknown(sequences)
    ([[3, 0], [0]], 2)
    """

    item, items, file = "text", "texts", "vocabulary.json"
    width: int | None = None

    def __init__(self, units: Units) -> None:
        self.units = units
        self.unit: str = units.kind

    @property
    def vocab(self) -> int | None:
        """Units that are known."""
        return len(self.units)

    def encode(self, items: Sequence[str]) -> list[Tensor]:
        """The ids of each text; a text without any has one unknown unit, or one that stands before texts."""
        units = self.units
        alone = np.array([units.start if units.unknown is None else units.unknown], np.int32)
        found = [ids if len(ids) else alone for ids in map(units.encode, items)]
        if not found:
            return []
        whole = torch.from_numpy(np.concatenate(found)).long()  # which is parted faster than each is made a tensor
        return list(torch.split(whole, [len(ids) for ids in found]))

    def unknown(self, sequences: Sequence[Tensor]) -> int:
        """Units that are <unk>."""
        return unknown_among(torch.cat(list(sequences)), self.units.unknown) if len(sequences) else 0

    def sentence(self) -> str:
        """The kind of its units, and how many there are."""
        return f"{self.unit}, a vocabulary of {len(self.units):,}"

    def to_json(self) -> dict[str, Any]:
        """The vocabulary."""
        return self.units.to_json()


class SeriesEncoder:
    """Series, each channel of which has mean 0 and deviation 1 over the steps of those that it was learned from.

    Shapes: items T D; `steps` are the least and the most times that a series had.

    >>> encoder = SeriesEncoder.learn([np.array([[1.0, 5.0], [3.0, 5.0]])], ("x", "y"))
    >>> encoder.encode([np.array([[2.0, 6.0]])])[0].tolist()
    [[0.0, 1.0]]
    """

    item, items, unit, file = "series", "series", "time", "scales.json"
    vocab: int | None = None

    def __init__(self, channels: Sequence[str], scale: Scale, steps: tuple[int, int]) -> None:
        self.channels, self.scale, self.steps = tuple(channels), scale, steps

    @property
    def width(self) -> int | None:
        """Its channels."""
        return len(self.channels)

    @classmethod
    def learn(cls, items: Sequence[NDArray[Any]], channels: Sequence[str]) -> "SeriesEncoder":
        """That of series. Raises `ArgumentError` when there are none, or they do not fit the channels."""
        if not len(items):
            raise ArgumentError("there are no series to learn a scale from; give one at least")
        _check(items, tuple(channels))
        lengths = [len(item) for item in items]
        return cls(channels, Scale.learn(items), (min(lengths), max(lengths)))

    def encode(self, items: Sequence[NDArray[Any]]) -> list[Tensor]:
        """Each series, scaled. Raises `ArgumentError` for other channels, no times, and values that do not fit."""
        _check(items, self.channels)
        return [torch.from_numpy(self.scale.apply(item)) for item in items]

    def unknown(self, sequences: Sequence[Tensor]) -> int:
        """None: numbers are known."""
        return 0

    def sentence(self) -> str:
        """Its channels."""
        shown = ", ".join(printable(name)[:40] for name in self.channels[:12])
        more = f", ... {len(self.channels):,} in all" if len(self.channels) > 12 else ""
        return f"numbers of {len(self.channels):,} channels ({shown}{more}), each of mean 0 and deviation 1"

    def to_json(self) -> dict[str, Any]:
        """Channels, means, deviations and lengths."""
        return {"channels": list(self.channels), **self.scale.to_json(), "steps": list(self.steps)}


class _ScaleForm(BaseModel):
    """scales.json of a run folder."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)

    channels: list[str] = Field(min_length=1, max_length=MOST_CHANNELS)
    mean: Means
    deviation: Deviations
    steps: list[Annotated[int, Field(ge=1, lt=2**53)]] = Field(min_length=2, max_length=2)

    @model_validator(mode="after")
    def _as_many(self) -> "_ScaleForm":
        if not len(self.channels) == len(self.mean) == len(self.deviation):
            raise ValueError("a channel has a mean and a deviation above 0")
        return self


def series_encoder_from_json(content: Any) -> SeriesEncoder:
    """A `SeriesEncoder` as `to_json` gave them. Raises `RunError` for anything else."""
    try:
        form = _ScaleForm.model_validate(content)
    except ValidationError as error:
        raise RunError(f"the scales do not read as such: {error.errors()[0]['msg']}") from None
    scale = Scale(np.array(form.mean), np.array(form.deviation))
    return SeriesEncoder(form.channels, scale, (form.steps[0], form.steps[1]))


def _check(items: Sequence[NDArray[Any]], channels: tuple[str, ...]) -> None:
    """Refuses series of other channels, of no times, and of what is not finite."""
    for place, item in enumerate(items, 1):
        if item.ndim != 2 or item.shape[1] != len(channels):
            many = "?" if item.ndim != 2 else item.shape[1]
            names = ", ".join(printable(name)[:40] for name in channels[:12])
            raise ArgumentError(f"series {place} has {many} channels; give {len(channels)} a time: {names}")
        if not len(item):
            raise ArgumentError(f"series {place} has no times; give one at least, or leave it out")
        if not np.isfinite(item).all():
            time, channel = (int(i) for i in np.argwhere(~np.isfinite(item))[0])
            raise ArgumentError(
                f"series {place}, time {time + 1}, channel {printable(channels[channel])[:40]!r}: "
                f"the value is {item[time, channel]}; fill it in, or leave the series out"
            )
