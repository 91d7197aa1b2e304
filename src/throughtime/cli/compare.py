"""throughtime compare DATA --cores A,B,...: each is trained on equal terms, and all are judged by the same items."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from throughtime.cli.bar import bar
from throughtime.cli.listen import listening
from throughtime.cli.many import ManyDisplay
from throughtime.cli.plain import print_table
from throughtime.cli.repeated import (
    CONFIG,
    DATA,
    FILLED,
    JSON,
    SENTENCES,
    VALID,
    Extra,
    choices_of,
    options_of,
    recipe_named,
)
from throughtime.errors import ArgumentError, nearest, printable
from throughtime.recipes.read import make_recipe

if TYPE_CHECKING:
    from throughtime.inspect.comparison import Comparison
    from throughtime.trials.compare import Run
    from throughtime.trials.parts import Parts

USUAL = ("bag", "average", "convolution", "lstm", "gru")
CORES = Annotated[
    str | None, tyro.conf.arg(help="which, with commas between (bag,average,convolution,lstm,gru: those that fit)")
]
VARIATIONS = Annotated[
    Path | None, tyro.conf.arg(help="instead of --cores: a .toml with a table of settings for each name")
]
SEEDS = Annotated[int, tyro.conf.arg(help="runs of each, with --seed and the numbers after it")]
TEST = Annotated[Path | None, tyro.conf.arg(help="data to judge by, instead of a part of DATA")]
SHARE = Annotated[float, tyro.conf.arg(help="share of DATA held out to judge by, which no training sees")]
OUT = Annotated[Path, tyro.conf.arg(help="the folder for runs, table and page: new, empty, or one to go on with")]
APPLICATION = Annotated[str | None, tyro.conf.arg(help="the recipe (classify; tag of .conllu and .conll)")]
ABOUT = """Trains several cores with several seeds on equal terms, and judges them by what no training has seen.

All else is an option of the recipe and the same for all. Rerunning the same command resumes."""


def command(words: list[str]) -> int:
    """Compares; the status is 0, or 130 and 143 when Ctrl-C or SIGTERM stopped it, with everything kept."""
    recipe = recipe_named(_application(words), ("train", "valid", "core"), "compare")
    extra: Extra = [
        ("data", DATA, field()),
        ("out", OUT, field()),
        ("cores", CORES, field(default=None)),
        ("variations", VARIATIONS, field(default=None)),
        ("seeds", SEEDS, field(default=3)),
        ("valid", VALID, field(default=None)),
        ("test", TEST, field(default=None)),
        ("test_share", SHARE, field(default=0.2)),
        ("application", APPLICATION, field(default=None)),
        ("config", CONFIG, field(default=None)),
        ("json", JSON, field(default=False)),
    ]
    without = (*FILLED, "core")
    _, options, settings = options_of(recipe, words, extra, without=without, command="compare", about=ABOUT)
    if not 0 < options.test_share < 1:
        raise ArgumentError(f"--test-share is a share of DATA, above 0 and below 1; got {options.test_share}")
    made = make_recipe(recipe, {**settings, "train": options.data, "valid": options.valid})
    return _compare(made, _variations(options, made), options)


def _application(words: Sequence[str]) -> str:
    """What --application says, or the endings of the files among the words."""
    values = list(_values(words))
    said = next((value for option, value in values if option == "--application"), None)
    files = [value.removesuffix(".gz") for option, value in values if option != "--out"]
    return said or ("tag" if any(file.endswith(SENTENCES) for file in files) else "classify")


def _values(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """All words that are no options, each with the option before it, if there is one.

    >>> list(_values(["--out", "c", "films.csv", "--seeds=3"]))
    [('--out', 'c'), ('', 'films.csv'), ('--seeds', '3')]
    """
    for before, word in pairwise(["", *words]):
        option, equals, value = word.partition("=")
        if not word.startswith("--"):
            yield before if before.startswith("--") else "", word
        elif equals:
            yield option, value


def _variations(options: Any, made: Any) -> dict[str, dict[str, Any]]:
    """The settings that each name stands for. Raises `ArgumentError` for cores that are not there."""
    if options.variations is not None:
        if options.cores is not None:
            raise ArgumentError("--cores and --variations both say what is compared; give one of them")
        return _read_variations(options.variations)
    known = choices_of(type(made).model_fields["core"].annotation)
    if options.cores is None:
        return {core: {"core": core} for core in USUAL if core in known and _fits(made, core)}
    names = [name.strip() for name in options.cores.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise ArgumentError(f"unknown core {name!a:.60}; {nearest(name, known)}; known: {', '.join(known)}")
    if len(set(names)) < len(names):
        raise ArgumentError(f"--cores has one twice: {options.cores}")
    return {name: {"core": name} for name in names}


def _fits(made: Any, core: str) -> bool:
    """Whether one of the usual cores takes the settings that all have; it is told where it does not."""
    try:
        make_recipe(type(made), {**made.model_dump(), "core": core})
    except ArgumentError as error:
        sys.stderr.write(f"{core} is left out: {printable(str(error))}\n")
        return False
    return True


def _read_variations(path: Path) -> dict[str, dict[str, Any]]:
    """The tables of a TOML file. Raises `ArgumentError` for anything else."""
    from throughtime.recipes.read import read_values

    tables = read_values(path)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ArgumentError(f"{path}: {name!a:.60} is no table of settings; write [{name}] and settings below it")
    return tables


def _compare(recipe: Any, variations: Mapping[str, dict[str, Any]], options: Any) -> int:
    display = ManyDisplay()
    with listening() as stopped:
        from throughtime.trials import compare
        from throughtime.trials.parts import Given, check_home, divide, seeds_of

        out: Path = options.out
        check_home(out, compare.CONTENTS)
        seeds = seeds_of(recipe.seed, options.seeds)
        compare.planned(recipe, variations, seeds, out)  # settings that do not fit are told before anything is read
        display.say(f"Reading {recipe.train}")
        share = options.test_share if options.test is None else 0.0
        given = Given(recipe.train, recipe.valid, options.test, (0.0 if recipe.valid else recipe.held_out, share))
        parts = divide(recipe, given, out)
        terms = _terms(parts, seeds)
        for note in (terms, *parts.notes):
            display.say(note)
        plan = compare.planned(parts.recipe, variations, seeds, out)
        failed = _train(plan, display, stopped)
        if failed is None:
            display.say(f"Stopped. What was done is kept in {out}; the same command goes on from here.")
            return 128 + stopped[0]
    return _judge(plan, parts, failed, terms, options)


def _terms(parts: "Parts", seeds: Sequence[int]) -> str:
    """What is the same for all."""
    recipe = parts.recipe
    bounds = [_many(recipe.minutes, "minute"), _many(recipe.epochs, "epoch")]
    each = " or ".join(bound for bound in bounds if bound)
    listed = ", ".join(map(str, seeds)) if len(seeds) <= 10 else f"{seeds[0]} to {seeds[-1]}"
    train, valid, test = (f"{parts.sizes[name]:,}" for name in ("train", "valid", "test"))
    which = f"{'seed' if len(seeds) == 1 else 'seeds'} {listed}"
    return f"{each} a run, {which}; {train} to learn from, {valid} to choose weights by, {test} to judge by"


def _many(count: float | None, what: str) -> str:
    return "" if not count else f"{count:g} {what}{'' if count == 1 else 's'}"


def _train(plan: Sequence["Run"], display: ManyDisplay, stopped: list[int]) -> dict[Path, str] | None:
    """Trains what is not finished; gives why runs failed, by folder, or None when stopped."""
    from throughtime.trials.compare import trained

    failed = dict[Path, str]()
    stream, started = trained(plan), False
    with display.bar:
        for step in stream:
            what = f"{step.run.name}, seed {step.run.seed} ({step.place + 1} of {step.of})"
            if step.failure:
                failed[step.run.home] = step.failure
                display.say(f"{what} failed: {step.failure}")
            elif step.progress is None:
                display.say(f"{what} is finished already")
            else:
                if not started:
                    display.begin(step.done)
                    started = True
                display.show(what, step.done)
                if step.progress.evaluation and step.progress.final:
                    display.say(f"{what}: {step.run.recipe.tell(step.progress.evaluation.score)[1]} on the part valid")
            if stopped and not (step.progress is None or step.progress.final):
                break
            if stopped and step.place + 1 < step.of:
                break
        stream.close()  # type: ignore[attr-defined]
    return None if stopped else failed


def _judge(plan: Sequence["Run"], parts: "Parts", failed: Mapping[Path, str], terms: str, options: Any) -> int:
    """Judges the runs, writes the table and the page, and prints the table."""
    from throughtime import folder
    from throughtime.inspect.comparison_page import page
    from throughtime.trials.judge import judged

    with bar("judging") as tell:
        comparison = judged(plan, parts, failed, terms=terms, tell=tell)
    content, out = comparison.to_json(), options.out
    title = f"{options.data.name}: {len(comparison.standings)} compared"
    folder.write_file(out / "comparison.json", folder.to_bytes(content))
    folder.write_file(out / "comparison.html", page(comparison, title=title).encode())
    if options.json:
        sys.stdout.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        _print(comparison)
    for note in comparison.notes[len(parts.notes) :]:
        sys.stderr.write(f"{printable(note)}\n")
    sys.stderr.write(f"{out}/comparison.html shows the same\n")
    return 0


def _print(comparison: "Comparison") -> None:
    """The table."""
    from throughtime.inspect.comparison import cells, columns

    rows = [cells(comparison, one) for one in comparison.standings]
    best = next((place for place, one in enumerate(comparison.standings) if one is comparison.best), None)
    print_table(columns(comparison), rows, bold=best)
