"""Runs that are over, judged by the same items, one beside the other."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from throughtime import folder, runs
from throughtime.errors import RunError
from throughtime.inspect.comparison import Comparison, Judged, Measure, Standing
from throughtime.metrics import difference_interval
from throughtime.runs import Asked, application_of
from throughtime.train.course import PROGRESS
from throughtime.trials.compare import Run
from throughtime.trials.kinds import Counts, asked_of, kind_of
from throughtime.trials.parts import Parts

ROUNDS, LEAST_ROUNDS, ENOUGH = 7, 3, 20.0  # of timing, and the seconds after which only the least are made


class Line(BaseModel):
    """What a line of progress.jsonl says, as far as it is needed here."""

    model_config = folder.STRICT

    step: folder.Count
    seconds: Annotated[float, Field(ge=0)]
    validation: dict[str, Any] | None = None
    final: dict[str, Any] | None = None


@dataclass
class _Gathered:
    """What was found of the runs of a variation."""

    runs: list[Judged] = field(default_factory=list)
    counts: list[Counts] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    model: Any = None  # of the first of them
    first: Run | None = None


def judged(
    plan: Sequence[Run],
    parts: Parts,
    failed: Mapping[Path, str],
    *,
    terms: str,
    tell: Callable[[float, float, str], None] = lambda done, whole, facts: None,
) -> Comparison:
    """What runs came to on the part that none has seen; of those that `failed`, by folder, it is told why.

    `tell` is called with the runs that were judged, all of them, and the name of the next.

    Raises `RunError` where another one is not finished, and where all failed.
    """
    asked = asked_of(parts.recipe, parts.files["test"])
    gathered, measures, item = _collected(plan, parts, failed, asked, tell)
    if not measures:
        raise RunError(f"no run came to its end; the first failed so: {next(iter(failed.values()), 'there is none')}")
    tell(len(plan), len(plan), "how long an answer takes")
    times = item_seconds({name: (its.model, its.first.recipe) for name, its in gathered.items() if its.first}, asked)
    standings = [_standing(name, its, plan, times.get(name)) for name, its in gathered.items()]
    notes = [*parts.notes, *_notes(plan, gathered)]
    curves = f"{measures[0].title if _is_followed(gathered, measures[0]) else 'loss'} on the part valid"
    comparison = Comparison(measures, standings, item, parts.sizes["test"], terms, curves, notes)
    return _with_differences(comparison, {name: its.counts for name, its in gathered.items()})


def _collected(
    plan: Sequence[Run],
    parts: Parts,
    failed: Mapping[Path, str],
    asked: Asked,
    tell: Callable[[float, float, str], None],
) -> tuple[dict[str, _Gathered], list[Measure], str]:
    """What was found of each variation, what it is measured by, and what an item is called."""
    kind = kind_of(type(parts.recipe))
    gathered = {run.name: _Gathered() for run in plan}
    measures, item = list[Measure](), "item"
    for place, run in enumerate(plan):
        tell(place, len(plan), run.home.name)
        its = gathered[run.name]
        if run.home in failed:
            its.failed[run.seed] = failed[run.home]
            continue
        application = application_of(run.recipe)
        facts, model = application.evaluate(run.home, run.recipe, asked).facts, runs.load(run.home)
        measures = measures or kind.measures(run.recipe, facts)
        its.runs.append(_judged(run, facts, measures))
        its.counts.append(kind.counts(model, run.recipe, parts.files["test"]))
        if its.first is None:
            its.model, its.first = model, run
            item = application.predict(model, run.recipe, asked).item
    return gathered, measures, item


def item_seconds(models: Mapping[str, tuple[Any, Any]], asked: Asked) -> dict[str, float]:
    """How long each trained model takes for an item: the median over rounds in which all of them come in turn.

    What is measured is all that `predict` does with the first block of a file: reading it, encoding, the model.
    """
    for trained, recipe in models.values():
        _block_seconds(trained, recipe, asked)  # the first time, kernels may be compiled
    found: dict[str, list[float]] = {name: [] for name in models}
    begun = time.monotonic()
    for number in range(ROUNDS):
        if number >= LEAST_ROUNDS and time.monotonic() - begun > ENOUGH:
            break
        for name, (trained, recipe) in models.items():
            found[name].append(_block_seconds(trained, recipe, asked))
    return {name: median(times) for name, times in found.items()}


def _block_seconds(trained: Any, recipe: Any, asked: Asked) -> float:
    answers = application_of(recipe).predict(trained, recipe, asked)
    begun = time.perf_counter()
    block = next(iter(answers))
    return (time.perf_counter() - begun) / len(block)


def _judged(run: Run, facts: Mapping[str, Any], measures: Sequence[Measure]) -> Judged:
    """A finished run, from what evaluating it gave and from what it wrote down while training."""
    lines = lines_of(run.home)
    name = measures[0].name
    curve = [(line.seconds, _followed(line.validation, name)) for line in lines if line.validation]
    return Judged(
        run.seed,
        {measure.name: facts[measure.name] for measure in measures},
        lines[-1].seconds,
        lines[-1].step,
        [(seconds, value) for seconds, value in curve if value is not None],
    )


def lines_of(home: Path) -> list[Line]:
    """What a run wrote down. Raises `RunError` where it does not read."""
    try:
        lines = [Line.model_validate_json(line) for line in folder.read_file(home, PROGRESS).splitlines()]
    except ValidationError as error:
        raise RunError(f"{home}/{PROGRESS} does not read: {error.errors()[0]['msg']:.200}") from None
    if not lines:
        raise RunError(f"{home}/{PROGRESS} is empty; remove the folder, and it is made again")
    return lines


def final_of(home: Path) -> Line:
    """What a finished run wrote down at its end. Raises `RunError` where there is none."""
    line = lines_of(home)[-1]
    if line.final is None:
        raise RunError(f"{home} is not finished; rerun the command that was to make it")
    return line


def _followed(validation: Mapping[str, Any], name: str) -> float | None:
    value = validation.get(name, validation.get("loss"))
    return float(value) if isinstance(value, int | float) else None


def _is_followed(gathered: Mapping[str, _Gathered], measure: Measure) -> bool:
    """Whether runs wrote the measure down while training."""
    first = next((its.first for its in gathered.values() if its.first), None)
    return first is not None and any(measure.name in (line.validation or {}) for line in lines_of(first.home))


def _standing(name: str, its: _Gathered, plan: Sequence[Run], seconds: float | None) -> Standing:
    settings = next(run.recipe for run in plan if run.name == name).model_dump(mode="json", exclude={"seed"})
    if its.first is None:
        return Standing(name, settings, [], its.failed)
    weights = sum(parameter.numel() for parameter in its.model.model.parameters())
    size = sum(entry.bytes for entry in folder.read_manifest(its.first.home).files.values())
    return Standing(name, settings, its.runs, its.failed, weights, size, seconds)


def _notes(plan: Sequence[Run], gathered: Mapping[str, _Gathered]) -> list[str]:
    """What did not go as it should: runs that failed, and such as were over before they were judged twice."""
    notes = [f"{name}, seed {seed}: {why}" for name, its in gathered.items() for seed, why in its.failed.items()]
    every = {run.name: run.recipe.evaluate_every for run in plan}
    for name, its in gathered.items():
        least = min((run.updates for run in its.runs), default=every[name])
        if least < every[name]:
            notes.append(
                f"{name} made {least:,} of the {every[name]:,} updates between evaluations, so that its weights were "
                "judged at the end only; give more --minutes or --epochs, or a lower --evaluate-every"
            )
    return notes


def _with_differences(comparison: Comparison, counted: Mapping[str, list[Counts]]) -> Comparison:
    """The comparison, with how far each is from the best."""
    best, standings = comparison.best, []
    for one in comparison.standings:
        found = None
        if best is not None and one is not best and counted[one.name]:
            rows = [np.stack([counts.rows for counts in counted[name]]) for name in (one.name, best.name)]
            found = difference_interval(counted[one.name][0].statistic, rows[0], rows[1])
        standings.append(replace(one, difference=found))
    return replace(comparison, standings=standings)
