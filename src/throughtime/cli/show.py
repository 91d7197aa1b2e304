"""throughtime show RUN: what a run is, how it went, what it was made from."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from throughtime.cli.parse import parse


@dataclass
class Options:
    """Shows what a run is: model, data and its hash, curve, sizes."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run folder")]
    curve: Annotated[Path | None, tyro.conf.arg(help="draw the loss curve into this .png, .svg or .pdf file")] = None
    gradients: Annotated[
        Path | None, tyro.conf.arg(help="draw how far gradients reach back in time into this .png, .svg or .pdf file")
    ] = None
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Shows."""
    options = parse(Options, words, "show")
    from throughtime.inspect.draw import draw_curve, read_curve
    from throughtime.recipes.load import find_whole, load, recipe_of
    from throughtime.train import folder
    from throughtime.train.course import PROGRESS

    home = find_whole(options.run)
    writer, recipe, manifest = load(options.run), recipe_of(home), folder.read_manifest(home)
    progress = (options.run / PROGRESS).read_text() if (options.run / PROGRESS).is_file() else ""
    curve = read_curve(progress)
    facts: dict[str, Any] = {
        "run": str(options.run),
        "status": manifest["status"],
        "weights": sum(parameter.numel() for parameter in writer.model.parameters()),
        "files": {name: entry["bytes"] for name, entry in manifest["files"].items()},
        "recipe": json.loads(recipe.model_dump_json()),
        "data": folder.read_json(home, "data.json"),
        "validation": dict(zip(curve.validated, curve.validation, strict=True)),
        "final": _final(progress),
    }
    if options.curve:
        draw_curve(curve, options.curve, title=options.run.absolute().name, unit=recipe.unit)
    if options.gradients:
        _draw_gradients(options, writer, recipe)
    if options.json:
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_page(facts, curve, recipe))
    return 0


def _draw_gradients(options: Options, writer: Any, recipe: Any) -> None:
    from throughtime.inspect.draw import draw_gradients
    from throughtime.inspect.measure import gradient_by_distance

    batches = recipe.batches(recipe.data())
    norms = gradient_by_distance(writer.model, batches.chunk(0, 0))
    assert options.gradients is not None
    draw_gradients(norms.tolist(), options.gradients, title=f"{options.run.absolute().name}: gradient by distance")


def _final(progress: str) -> dict[str, Any] | None:
    lines = [json.loads(line) for line in progress.splitlines()]
    return next((line["final"] for line in reversed(lines) if "final" in line), None)


def _page(facts: dict[str, Any], curve: Any, recipe: Any) -> str:
    from throughtime.inspect.draw import sparkline

    data, final = facts["data"], facts["final"]
    what = f"window of {recipe.window}" if recipe.core == "window" else recipe.cell
    rows = {
        "run": f"{facts['run']} ({facts['status']})",
        "model": f"{what}, {recipe.layers} × {recipe.hidden}, {facts['weights']:,} weights",
        "units": f"{recipe.unit}, a vocabulary of {data['vocab']:,}",
        "text": f"{data['text']} ({data['text_bytes']:,} bytes, {data['skipped_bytes']:,} skipped)",
        "sha256": data["text_sha256"],
        "training": f"{data['train_units']:,} {recipe.unit}s, {data['train_unknown']:,} unknown",
        "held out": f"{data['valid']}: {data['valid_units']:,} {recipe.unit}s, {data['valid_unknown']:,} unknown",
        "files": ", ".join(f"{name} {size:,} B" for name, size in facts["files"].items()),
    }
    if curve.validation:
        ends = f"{curve.validation[0]:.3f} → {curve.validation[-1]:.3f}, best {min(curve.validation):.3f}"
        rows["validation"] = f"{sparkline(curve.validation)} {ends} nats per {recipe.unit}"
    if final:
        rows["final"] = (
            f"{final['nats_per_unit']:.4f} nats, {final['bits_per_unit']:.4f} bits per {recipe.unit}, "
            f"perplexity {final['perplexity']:.2f}, {final['bits_per_byte']:.4f} bits per byte"
        )
    changed = {k: v for k, v in facts["recipe"].items() if k != "text" and v != _default(recipe, k)}
    rows["settings"] = ", ".join(f"{name} {value}" for name, value in changed.items()) or "all defaults"
    width = max(len(name) for name in rows)
    return "".join(f"{name:<{width}}  {value}\n" for name, value in rows.items())


def _default(recipe: Any, name: str) -> Any:
    default = type(recipe).model_fields[name].default
    return list(default) if isinstance(default, tuple) else default
