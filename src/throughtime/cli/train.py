"""throughtime train APPLICATION: a recipe and a folder to a trained run, told as it happens."""

import json
import sys
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from throughtime.cli.listen import listening
from throughtime.cli.parse import joined, parse, recipe_options, said
from throughtime.errors import ArgumentError, nearest
from throughtime.recipes import APPLICATIONS
from throughtime.recipes.read import make_recipe, read_settings

if TYPE_CHECKING:
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
        sys.stdout.write(f"usage: throughtime train APPLICATION --out RUN [OPTIONS]\n\n{listing}")
        return 0
    if not words or words[0].startswith("-"):
        raise ArgumentError(f"train what? throughtime train APPLICATION --out RUN [OPTIONS]; known: {', '.join(names)}")
    if words[0] not in names:
        raise ArgumentError(f"unknown application '{words[0]}'; {nearest(words[0], names)}")
    application = names[words[0]]
    extra: list[tuple[str, Any, Any]] = [
        ("out", OUT, field()),
        ("config", CONFIG, field(default=None)),
        ("json", JSON, field(default=False)),
    ]
    words = [words[0], *joined(recipe_options(application, {}, extra), words[1:])]
    settings = configured(words[1:], application)
    options_type = recipe_options(application, settings, extra)
    options_type.__doc__ = f"{_first_line(application)}\n\nRerunning the same command resumes."
    options = parse(options_type, words[1:], f"train {words[0]}")
    typed = (said(options_type, words[1:]) | settings.keys()) & application.model_fields.keys() - {APPLICATION}
    recipe = make_recipe(application, {name: getattr(options, name) for name in typed})  # which decides the rest
    return _train(recipe, options.out, as_json=options.json)


def _first_line(documented: type[Any]) -> str:
    return (documented.__doc__ or "").splitlines()[0]


def configured(words: list[str], application: Any) -> dict[str, Any]:
    """The settings in the file of --config, if that is among the words."""
    places = [i for i, word in enumerate(words) if word.partition("=")[0] == "--config"]
    if len(places) > 1:
        raise ArgumentError("--config was given twice; put the settings into one file")
    for i in places:
        value = words[i].partition("=")[2] or "".join(words[i + 1 : i + 2])
        if value:
            return read_settings(Path(value), application)
    return {}


def _train(recipe: Any, out: Path, *, as_json: bool) -> int:
    with listening() as stopped:
        from throughtime.cli.display import Display
        from throughtime.train import fit

        display, progress = Display(recipe), None
        display.say(f"Reading {recipe.reads}")
        stream = fit(recipe, out)
        with display.bar:
            for progress in stream:
                display.show(progress)
                if as_json and progress.evaluation:
                    _print_json(progress)
                if stopped and not progress.final:
                    display.say("Stopping: writing everything down ...")
                    break
        stream.close()  # type: ignore[attr-defined]
    if progress is None:
        display.say(f"{out} is finished already.")
    elif progress.final:
        display.say(f"Done: {out}")
    else:
        display.say(f"Stopped. {out} is kept and can be used; the same command goes on from here.")
    display.say("Try next:")
    for line in recipe.advice(out):
        display.say(f"  {line}")
    return 0 if progress is None or progress.final else 128 + stopped[0]


def _print_json(progress: "Progress") -> None:
    evaluation = progress.evaluation
    assert evaluation is not None
    line = {
        "step": progress.step,
        "epoch": progress.epoch,
        "seconds": round(progress.seconds, 3),
        "training_loss": progress.loss.mean if progress.loss.count else None,
        "gradient_norm": progress.gradient_norm,
        "final": evaluation.final,
        **evaluation.score.to_json(),
    }
    sys.stdout.write(json.dumps(line, allow_nan=False) + "\n")
    sys.stdout.flush()
