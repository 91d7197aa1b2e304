"""throughtime show RUN: what a run is, how it went, what it was made from."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError, printable

PICTURES = ("gradients", "forecast", "boundary")  # that some applications can draw


@dataclass
class Options:
    """Shows what a run is: model, data and its hash, curve, sizes."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run folder")]
    curve: Annotated[Path | None, tyro.conf.arg(help="draw the loss curve into this .png, .svg or .pdf file")] = None
    gradients: Annotated[
        Path | None, tyro.conf.arg(help="draw how far gradients reach back in time into this .png, .svg or .pdf file")
    ] = None
    forecast: Annotated[
        Path | None, tyro.conf.arg(help="draw forecasts beside what came into this .png, .svg or .pdf file")
    ] = None
    boundary: Annotated[
        Path | None, tyro.conf.arg(help="draw the border between classes of two features into such a file")
    ] = None
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Shows."""
    options = parse(Options, words, "show")
    from throughtime import folder
    from throughtime.inspect.draw import draw_curve, read_curve
    from throughtime.runs import application_of, find_whole, recipe_of
    from throughtime.runs.folders import facts_of

    home = find_whole(options.run)
    folder.check_files(home)
    recipe, manifest = recipe_of(home), folder.read_manifest(home)
    application = application_of(recipe)
    trained, data = application.load(home, recipe), facts_of(home, application.Facts)
    curve = read_curve(_progress(options.run, home))
    weights = sum(parameter.numel() for parameter in trained.model.parameters())
    facts: dict[str, Any] = {
        "run": str(options.run),
        "status": manifest.status,
        "weights": weights,
        "files": {name: entry.bytes for name, entry in manifest.files.items()},
        "recipe": recipe.model_dump(mode="json"),
        "data": data.model_dump(exclude_none=True),
        "validation": dict(zip(curve.validated, curve.validation, strict=True)),
        "final": curve.final.model_dump() if curve.final else None,
    }
    if options.curve:
        units = f"{recipe.loss_unit} per {recipe.item}", recipe.score_unit
        draw_curve(curve, options.curve, title=options.run.absolute().name, units=units)
    for picture in PICTURES:
        path = getattr(options, picture)
        if path is not None and picture not in application.PICTURES:
            raise ArgumentError(f"{options.run} holds {recipe.makes}, which has no picture of its {picture}")
        if path is not None:
            application.PICTURES[picture](home, recipe, path)
    if options.json:
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        sys.stdout.write(_page(facts, curve, recipe, application.rows(data, recipe, weights)))
    return 0


def _progress(run: Path, home: Path) -> str:
    """What a whole run kept of its progress; of one that is only a checkpoint, the lines that were written out."""
    from throughtime import folder
    from throughtime.train.course import PROGRESS

    if PROGRESS in folder.read_manifest(home).files:
        return folder.read_file(home, PROGRESS).decode(errors="replace")
    if home == run or not (run / PROGRESS).exists():
        return ""
    body = folder.read_bounded(run / PROGRESS, folder.TEXT_LIMIT)
    return body[: body.rfind(b"\n") + 1].decode(errors="replace")


def _page(facts: dict[str, Any], curve: Any, recipe: Any, told: dict[str, str]) -> str:
    from throughtime.inspect.draw import sparkline

    rows = {"run": f"{facts['run']} ({facts['status']})", **told}
    rows["files"] = ", ".join(f"{name} {size:,} B" for name, size in facts["files"].items())
    if curve.validation:
        ends = f"{curve.validation[0]:.3f} → {curve.validation[-1]:.3f}, best {min(curve.validation):.3f}"
        rows["validation"] = f"{sparkline(curve.validation)} {ends} {recipe.score_unit}"
    if facts["final"]:
        rows["final"] = _final(facts["final"])
    changed = {
        k: v for k, v in facts["recipe"].items() if k not in {*recipe.places, "vectors"} and v != _default(recipe, k)
    }
    rows["settings"] = ", ".join(f"{name} {value}" for name, value in changed.items()) or "all defaults"
    width = max(len(name) for name in rows)
    return "".join(f"{name:<{width}}  {printable(value)}\n" for name, value in rows.items())


def _final(final: dict[str, Any]) -> str:
    """The numbers of the last evaluation."""
    numbers = {name: value for name, value in final.items() if isinstance(value, int | float) and name != "loss"}
    return ", ".join(
        f"{name.replace('_', ' ')} {value:,}" if isinstance(value, int) else f"{name.replace('_', ' ')} {value:.4f}"
        for name, value in numbers.items()
    )


def _default(recipe: Any, name: str) -> Any:
    default = type(recipe).model_fields[name].default
    return list(default) if isinstance(default, tuple) else default
