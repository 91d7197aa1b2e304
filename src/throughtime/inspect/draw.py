"""Drawings: arrays to figures, in a file or in a line of text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from throughtime.errors import ArgumentError, MissingExtraError, RunError, StorageError

BLOCKS = "▁▂▃▄▅▆▇█"


class Found(BaseModel):
    """What a line of progress says of an evaluation: its loss, and whatever else there is for such a model."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    loss: FiniteFloat = Field(validation_alias=AliasChoices("loss", "nats_per_unit"))  # the latter in older runs


class Line(BaseModel):
    """A line of progress.jsonl."""

    model_config = ConfigDict(strict=True, frozen=True)

    step: Annotated[int, Field(ge=0, lt=2**53)]
    loss: FiniteFloat | None = Field(None, validation_alias=AliasChoices("loss", "loss_nats"))
    validation: Found | None = None
    final: Found | None = None


@dataclass(frozen=True)
class Curve:
    """How a run went: losses over updates."""

    steps: list[int]  # of the training losses
    training: list[float]
    validated: list[int]  # steps of the validation losses
    validation: list[float]
    final: Found | None = None  # of the best weights on all that was held out


def read_curve(progress: str) -> Curve:
    """The curve in the text of a progress.jsonl.

    Raises `RunError` for a line that is not one of progress.

    >>> read_curve('{"step": 50, "loss": 2.5}\\n{"step": 50, "validation": {"loss": 2.6}}').validation
    [2.6]
    """
    lines = []
    for number, body in enumerate(progress.splitlines(), 1):
        try:
            lines.append(Line.model_validate_json(body))
        except ValidationError as error:
            raise RunError(f"line {number} of progress.jsonl does not read: {error.errors()[0]['msg']:.200}") from None
    training = [(line.step, line.loss) for line in lines if line.loss is not None]
    validation = [(line.step, line.validation.loss) for line in lines if line.validation is not None]
    return Curve(
        [step for step, _ in training],
        [loss for _, loss in training],
        [step for step, _ in validation],
        [loss for _, loss in validation],
        next((line.final for line in reversed(lines) if line.final is not None), None),
    )


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """Values as a line of blocks, the lowest as the lowest block; thinned to `width`.

    >>> sparkline([4.0, 3.0, 2.0, 1.0])
    '█▆▃▁'
    """
    if len(values) > width:
        values = [values[i * (len(values) - 1) // (width - 1)] for i in range(width)]
    low, high = min(values), max(values)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(BLOCKS[round((value - low) * scale)] for value in values)


def draw_curve(curve: Curve, path: Path, *, title: str = "", units: tuple[str, str] = ("nats", "nats")) -> None:
    """Draws the curve into a .png, .svg or .pdf file; validation has an axis of its own where it has another unit.

    Raises `ArgumentError` for an empty curve or another kind of file, `MissingExtraError` without matplotlib.
    """
    if not curve.steps and not curve.validated:
        raise ArgumentError("the run has no losses to draw yet")
    axes = _axes(path)
    other = axes.twinx() if units[1] != units[0] and curve.validation else axes
    lines = [
        *axes.plot(curve.steps, curve.training, color="#9aa7b5", linewidth=1.2),
        *other.plot(curve.validated, curve.validation, color="#c2410c", linewidth=1.8, marker="o", ms=3.5),
    ]
    if curve.validation:
        best = min(zip(curve.validation, curve.validated, strict=True))
        other.annotate(f"{best[0]:.3f}", (best[1], best[0]), textcoords="offset points", xytext=(0, -14), ha="center")
    if other is axes:
        _limit(axes, curve.training + curve.validation)
    else:
        _limit(axes, curve.training)
        _limit(other, curve.validation)
        other.set_ylabel(f"validation: {units[1]}")
        other.spines["top"].set_visible(False)
    axes.set(xlabel="updates", ylabel=units[0])
    axes.set_title(title, parse_math=False)
    axes.legend(lines, ["training", "validation"], frameon=False)
    save_figure(axes.figure, path)


def _limit(axes: Any, losses: Sequence[float]) -> None:
    """Leaves the highest losses out, which are of the first updates."""
    if losses:
        low, high = min(losses), sorted(losses)[int(0.98 * (len(losses) - 1))]
        axes.set_ylim(low - 0.1 * (high - low) - 0.01, high + 0.01)


def draw_gradients(norms: Sequence[float], path: Path, *, title: str = "") -> None:
    """Draws how much of the last step's gradient reaches the states before it, over the distance in steps.

    Raises `ArgumentError` and `MissingExtraError` as `draw_curve` does.
    """
    axes = _axes(path)
    axes.semilogy(range(len(norms)), norms, color="#c2410c", linewidth=1.8)
    axes.set(xlabel="distance in steps, T − k", ylabel="‖∂L_T / ∂s_k‖")
    axes.set_title(title, parse_math=False)
    save_figure(axes.figure, path)


def check_picture(path: Path) -> None:
    """Raises `ArgumentError` for a file of a kind that we do not draw, before there is anything to draw."""
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise ArgumentError(f"drawings go into a .png, .svg or .pdf file; got {path}")


def blank_figure(path: Path, size: tuple[float, float]) -> Any:
    """An empty figure of a size in inches, for a file of a kind that we draw.

    Raises `ArgumentError` for another kind of file, `MissingExtraError` without matplotlib.
    """
    check_picture(path)
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "draw") from None
    return Figure(figsize=size, layout="constrained")


def save_figure(figure: Any, path: Path) -> None:
    """Writes a figure into its file. Raises `StorageError` where that cannot be written."""
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; choose another file") from error


def _axes(path: Path) -> Any:
    """An empty drawing of a curve."""
    axes = blank_figure(path, (7, 4)).add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e7eb")
    return axes
