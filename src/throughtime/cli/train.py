"""throughtime train APPLICATION: a recipe and a folder to a trained run, told as it happens."""

import json
import math
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from throughtime.cli.parse import parse, recipe_options
from throughtime.errors import ArgumentError, nearest
from throughtime.recipes import APPLICATIONS
from throughtime.recipes.read import make_recipe, read_settings

if TYPE_CHECKING:
    from throughtime.cli.display import Display
    from throughtime.train import Progress

OUT = Annotated[Path, tyro.conf.arg(help="the run folder: new, empty, or an unfinished run of the same recipe")]
CONFIG = Annotated[Path | None, tyro.conf.arg(help="a recipe.json or .toml; options on the command line go before it")]
JSON = Annotated[bool, tyro.conf.arg(help="print evaluations as JSON lines on stdout")]
APPLICATION = "application"


def command(words: list[str]) -> int:
    """Trains; the status is 0, or 130 and 143 when Ctrl-C or SIGTERM stopped it, with everything kept."""
    names = {str(recipe.model_fields[APPLICATION].default): recipe for recipe in APPLICATIONS}
    if words[:1] in (["--help"], ["-h"]):
        listing = "".join(f"  {name:<12}{_first_line(recipe)}\n" for name, recipe in names.items())
        sys.stdout.write(f"usage: throughtime train APPLICATION --text FILE --out RUN [OPTIONS]\n\n{listing}")
        return 0
    if not words or words[0].startswith("-"):
        raise ArgumentError(
            f"train what? throughtime train APPLICATION --text FILE --out RUN; known: {', '.join(names)}"
        )
    if words[0] not in names:
        raise ArgumentError(f"unknown application '{words[0]}'; {nearest(words[0], names)}")
    application = names[words[0]]
    values = _configured(words[1:], application)
    extra: list[tuple[str, Any, Any]] = [
        ("out", OUT, field()),
        ("config", CONFIG, field(default=None)),
        ("json", JSON, field(default=False)),
    ]
    options_type = recipe_options(application, values, extra)
    options_type.__doc__ = f"{_first_line(application)}\n\nRerunning the same command resumes."
    options = parse(options_type, words[1:], f"train {words[0]}")
    given = {name: value for name, value in asdict(options).items() if name in application.model_fields}
    return _train(make_recipe(application, given), options.out, as_json=options.json)


def _first_line(documented: type[Any]) -> str:
    return (documented.__doc__ or "").splitlines()[0]


def _configured(words: list[str], application: Any) -> dict[str, Any]:
    """The settings in the file of --config, if that is among the words."""
    for i, word in enumerate(words):
        name, _, value = word.partition("=")
        if name == "--config" and (value or i + 1 < len(words)):
            return read_settings(Path(value or words[i + 1]), application)
    return {}


def _train(recipe: Any, out: Path, *, as_json: bool) -> int:
    from throughtime.cli.display import Display
    from throughtime.train import finished, fit

    display = Display(recipe.unit)
    stream = fit(recipe, out)
    display.say(f"Reading {recipe.text}")
    progress = next(stream, None)
    if progress is None and finished(out):
        display.say(f"{out} is finished already. Try: throughtime generate {out}")
        return 0
    with _listening() as stopped, display:
        while progress is not None:
            display.show(progress)
            if as_json and progress.evaluation:
                _print_json(progress)
            if stopped:
                break
            progress = next(stream, None)
        if stopped:
            display.say("Stopping: writing everything down ...")
        stream.close()  # type: ignore[attr-defined]
    _farewell(display, out, stopped)
    return 128 + stopped[0] if stopped else 0


@contextmanager
def _listening() -> Iterator[list[int]]:
    """A list to which the first Ctrl-C or SIGTERM adds its number; the second one acts as it always does."""
    heard: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def hear(number: int, frame: object) -> None:
        heard.append(number)
        for name, handler in before.items():
            signal.signal(name, handler)

    for number in before:
        signal.signal(number, hear)
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_json(progress: "Progress") -> None:
    evaluation = progress.evaluation
    assert evaluation is not None
    line = {
        "step": progress.step,
        "epoch": progress.epoch,
        "seconds": round(progress.seconds, 3),
        "training_nats": progress.loss.mean,
        "gradient_norm": progress.gradient_norm if math.isfinite(progress.gradient_norm) else None,
        "final": evaluation.final,
        **evaluation.score.to_json(),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _farewell(display: "Display", out: Path, stopped: list[int]) -> None:
    if stopped:
        display.say(f"Stopped. {out} is kept and can be used; the same command goes on from here.")
    else:
        display.say(f"Done: {out}")
    display.say("Try next:")
    display.say(f"  throughtime generate {out} --length 1000 --temperature 0.8")
    display.say(f"  throughtime evaluate {out}")
    display.say(f"  throughtime show {out}")
