"""throughtime tune RECIPE DATA --trials N: settings are searched, and the best become a recipe file."""

import json
import sys
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from throughtime.cli.listen import listening
from throughtime.cli.many import ManyDisplay
from throughtime.cli.plain import print_table
from throughtime.cli.repeated import CONFIG, DATA, JSON, Extra, options_of, recipe_named
from throughtime.errors import ArgumentError, MissingExtraError, printable
from throughtime.recipes.read import make_recipe

if TYPE_CHECKING:
    from throughtime.trials.found import Found, Tried
    from throughtime.trials.tune import Search, Step

BEST = 10  # trials that are shown
MOST = 100_000  # trials
TRIALS = Annotated[int, tyro.conf.arg(help="trials that there are to be, those of an earlier sitting among them")]
MINUTES = Annotated[float | None, tyro.conf.arg(help="for all trials together; each has its share at most")]
BY = Annotated[str, tyro.conf.arg(help="what trials are judged by: loss, or a number of the score, such as accuracy")]
OUT = Annotated[Path, tyro.conf.arg(help="the folder of the study: new, empty, or one to go on with")]
ABOUT = """Searches settings of a recipe (cell, width, depth, dropout, learning rate, more) by many short trainings.

What is given as an option is not searched. Trials that do poorly are given up early. Rerunning the same command
resumes. The settings of the best trial are written for train --config."""


def command(words: list[str]) -> int:
    """Searches; the status is 0, or 130 and 143 when Ctrl-C or SIGTERM stopped it, with everything kept."""
    from throughtime.trials.spaces import SPACES, space_of

    if words[:1] in (["--help"], ["-h"]):
        sys.stdout.write("usage: throughtime tune RECIPE DATA --trials N --minutes M --out DIR [OPTIONS]\n\n")
        sys.stdout.write(f"RECIPE is one of {', '.join(SPACES)}; throughtime tune RECIPE --help tells its options\n")
        return 0
    if not words or words[0].startswith("-"):
        raise ArgumentError(f"tune what? throughtime tune RECIPE DATA --trials N --out DIR; known: {', '.join(SPACES)}")
    recipe = recipe_named(words[0], (), "tune")
    source = space_of(recipe).source
    extra: Extra = [
        ("data", DATA, field()),
        ("trials", TRIALS, field()),
        ("out", OUT, field()),
        ("minutes", MINUTES, field(default=None)),
        ("by", BY, field(default="loss")),
        ("config", CONFIG, field(default=None)),
        ("json", JSON, field(default=False)),
    ]
    without = ("application", source, "minutes")
    given, options, settings = options_of(
        recipe, words[1:], extra, without=without, command=f"tune {words[0]}", about=ABOUT
    )
    if not 1 <= options.trials <= MOST:
        raise ArgumentError(f"--trials is how many there are to be, from 1 to {MOST:,}; got {options.trials}")
    minutes = None if options.minutes is None else options.minutes / options.trials
    made = make_recipe(recipe, {**settings, source: options.data, "minutes": minutes})
    return _tune(made, given, options)


def _tune(recipe: Any, given: set[str], options: Any) -> int:
    display = ManyDisplay()
    with listening() as stopped:
        from throughtime.trials import tune
        from throughtime.trials.found import found_in
        from throughtime.trials.parts import check_home
        from throughtime.trials.spaces import searched

        check_home(options.out, tune.CONTENTS)
        dimensions = searched(recipe, given)
        display.say(f"Reading {recipe.reads}; searching {', '.join(one.name for one in dimensions)}")
        search = tune.Search(_with_parts(recipe, options.out, display), dimensions, options.trials, options.by)
        study = tune.open_study(search, options.out)
        _try(search, options.out, display, stopped)
        found = found_in(study, search)
    _write(recipe, found, options, display)
    if stopped:
        display.say(f"Stopped. What was done is kept in {options.out}; the same command goes on from here.")
        return 128 + stopped[0]
    return 0


def _with_parts(recipe: Any, out: Path, display: ManyDisplay) -> Any:
    """The recipe, which for all trials alike learns from one part of the data and is judged by another."""
    from throughtime.trials.kinds import KNOWN
    from throughtime.trials.parts import Given, divide

    if recipe.application not in KNOWN:
        return recipe  # whose parts do not depend on its seed
    share = 0.0 if recipe.valid else recipe.held_out
    parts = divide(recipe, Given(recipe.train, recipe.valid, None, (share, 0.0)), out)
    for note in (f"{parts.sizes['train']:,} to learn from, {parts.sizes['valid']:,} to judge by", *parts.notes):
        display.say(note)
    return parts.recipe


def _try(search: "Search", out: Path, display: ManyDisplay, stopped: list[int]) -> None:
    """Makes the trials that are still to be made, until stopped."""
    from throughtime.trials.tune import tune

    started = False
    stream = tune(search, out)
    with display.bar:
        for step in stream:
            if not started:
                display.begin(step.number / step.of)
                started = True
            what = f"trial {step.number + 1} of {step.of}"
            if step.ending:
                display.say(f"{what}: {_shown(step.settings)}: {_ending(search, step)}")
            else:
                display.show(what, step.done)
            if stopped:
                break
        stream.close()  # type: ignore[attr-defined]


def _ending(search: "Search", step: "Step") -> str:
    if step.ending == "finished" and step.value is not None:
        return f"{search.by} {step.value:.4f}"
    return f"{step.ending}: {step.why}" if step.why else step.ending


def _shown(settings: Any) -> str:
    """Settings in one line."""
    return ", ".join(
        f"{name} {one:.3g}" if isinstance(one, float) else f"{name} {one}" for name, one in settings.items()
    )


def _write(recipe: Any, found: "Found", options: Any, display: ManyDisplay) -> None:
    """Writes the best settings and the picture, and prints the table."""
    from throughtime import folder
    from throughtime.inspect.importance import draw_importances
    from throughtime.trials.found import recipe_of
    from throughtime.trials.tune import IMPORTANCE, RECIPE, home_of

    out = options.out
    for note in found.notes:
        display.say(note)
    if found.importances:
        try:
            title = f"{recipe.application} by {found.search.by}, {found.counts['finished']} finished trials"
            draw_importances(
                found.importances, out / IMPORTANCE, title=title, note=found.notes[0] if found.notes else ""
            )
        except MissingExtraError as error:
            display.say(f"no picture of how settings matter: {error}")
    if options.json:
        sys.stdout.write(json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False) + "\n")
    else:
        _print(found)
    if found.best:
        best = found.best[0]
        folder.write_file(out / RECIPE, folder.to_bytes(recipe_of(recipe, best)))
        display.say(f"The best trial is the run {home_of(out, best.number - 1)}; its settings: {out / RECIPE}")
        places = " ".join(f"--{name} {path}" for name, path in _places(recipe))
        display.say("Try next:")
        display.say(f"  throughtime train {recipe.application} --config {out / RECIPE} {places} --out RUN")


def _places(recipe: Any) -> list[tuple[str, Path]]:
    """The options that say where files lie, which the written recipe leaves out."""
    infos = [(name, info) for name, info in type(recipe).model_fields.items() if name in recipe.places]
    found = [((info.alias or name).replace("_", "-"), getattr(recipe, name)) for name, info in infos]
    return [(name, path) for name, path in found if path is not None]


def _print(found: "Found") -> None:
    """The best trials, as a table, and how many there were."""
    shown = found.best[:BEST]
    others = [name for name in ("accuracy", "macro_f1", "entity_f1") if name != found.search.by]
    more = [name for name in others if any(name in one.final for one in shown)]
    names = list(shown[0].settings) if shown else []
    heads = ["trial", found.search.by, *more, *names, "updates", "seconds"]
    if shown:
        print_table(heads, [_row(found, one, more, names) for one in shown], bold=0)
    counts = {name.replace("_", " "): count for name, count in found.counts.items()}
    sys.stdout.write(printable(", ".join(f"{count:,} {name}" for name, count in counts.items())) + "\n")


def _row(found: "Found", one: "Tried", more: list[str], names: list[str]) -> list[str]:
    scores = [one.value, *(one.final.get(name) for name in more)]
    settings = [one.settings.get(name) for name in names]
    return [
        str(one.number),
        *("–" if score is None else f"{score:.4f}" for score in scores),
        *(f"{value:.3g}" if isinstance(value, float) else str(value) for value in settings),
        f"{one.final.get('updates', 0):,}",
        f"{one.final.get('seconds', 0.0):.1f}",
    ]
