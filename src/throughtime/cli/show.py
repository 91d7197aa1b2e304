"""throughtime show RUN: what a run is, how it went, what it was made from."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError, printable


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
    from throughtime import folder
    from throughtime.inspect.draw import draw_curve, read_curve
    from throughtime.recipes.language import Language
    from throughtime.recipes.load import classifier_facts_of, facts_of, find_whole, load_from, recipe_of

    home = find_whole(options.run)
    model, recipe, manifest = load_from(home), recipe_of(home), folder.read_manifest(home)
    of_language = isinstance(recipe, Language)
    curve = read_curve(_progress(options.run, home))
    facts: dict[str, Any] = {
        "run": str(options.run),
        "status": manifest.status,
        "weights": sum(parameter.numel() for parameter in model.model.parameters()),
        "files": {name: entry.bytes for name, entry in manifest.files.items()},
        "recipe": recipe.model_dump(mode="json"),
        "data": (facts_of if of_language else classifier_facts_of)(home).model_dump(exclude_none=True),
        "validation": dict(zip(curve.validated, curve.validation, strict=True)),
        "final": curve.final.model_dump() if curve.final else None,
    }
    if options.curve:
        draw_curve(curve, options.curve, title=options.run.absolute().name, unit=recipe.item)
    if options.gradients:
        if not of_language:
            raise ArgumentError(f"--gradients is for language models, and {options.run} holds a classifier")
        _draw_gradients(options, home, model, recipe)
    if options.json:
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        sys.stdout.write(_page(facts, curve, recipe, of_language=of_language))
    return 0


def _draw_gradients(options: Options, home: Path, writer: Any, recipe: Any) -> None:
    from throughtime.inspect.draw import draw_gradients
    from throughtime.inspect.measure import gradient_by_distance
    from throughtime.recipes.load import data_of

    batches = recipe.batches(data_of(home, recipe, writer))
    norms = gradient_by_distance(writer.model, batches.chunk(0, 0))
    assert options.gradients is not None
    draw_gradients(norms.tolist(), options.gradients, title=f"{options.run.absolute().name}: gradient by distance")


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


def _page(facts: dict[str, Any], curve: Any, recipe: Any, *, of_language: bool) -> str:
    from throughtime.inspect.draw import sparkline

    rows = {"run": f"{facts['run']} ({facts['status']})", **(_language if of_language else _classifier)(facts, recipe)}
    rows["files"] = ", ".join(f"{name} {size:,} B" for name, size in facts["files"].items())
    if curve.validation:
        ends = f"{curve.validation[0]:.3f} → {curve.validation[-1]:.3f}, best {min(curve.validation):.3f}"
        rows["validation"] = f"{sparkline(curve.validation)} {ends} nats per {recipe.item}"
    if final := facts["final"]:
        rows["final"] = _final(final, recipe.unit) if of_language else f"{final['nats_per_unit']:.4f} nats per text"
    files = ("text", "train", "valid", "vectors")
    changed = {k: v for k, v in facts["recipe"].items() if k not in files and v != _default(recipe, k)}
    rows["settings"] = ", ".join(f"{name} {value}" for name, value in changed.items()) or "all defaults"
    width = max(len(name) for name in rows)
    return "".join(f"{name:<{width}}  {printable(value)}\n" for name, value in rows.items())


def _language(facts: dict[str, Any], recipe: Any) -> dict[str, str]:
    data = facts["data"]
    what = f"window of {recipe.window}" if recipe.core == "window" else recipe.cell
    return {
        "model": f"{what}, {recipe.layers} × {recipe.hidden}, {facts['weights']:,} weights",
        "units": f"{recipe.unit}, a vocabulary of {data['vocab']:,}",
        "text": f"{data['text']} ({data['text_bytes']:,} bytes, {data['skipped_bytes']:,} skipped)",
        "sha256": data["text_sha256"],
        "training": f"{data['train_units']:,} {recipe.unit}s, {data['train_unknown']:,} unknown",
        "held out": f"{data['valid']}: {data['valid_units']:,} {recipe.unit}s, {data['valid_unknown']:,} unknown",
        **_vectors(facts),
    }


def _classifier(facts: dict[str, Any], recipe: Any) -> dict[str, str]:
    from throughtime.recipes.classify import listed

    data = facts["data"]
    parts = {"training": "train", "held out": "valid"}
    return {
        "model": f"{recipe.made_of}, {facts['weights']:,} weights",
        "classes": listed(data["classes"]),
        "units": f"{recipe.unit}, a vocabulary of {data['vocab']:,}",
        "sha256": data["train_sha256"],
        **{
            name: f"{data[part]}: {data[part + '_texts']:,} texts, {data[part + '_unknown']:,} of "
            f"{data[part + '_units']:,} {recipe.unit}s unknown"
            for name, part in parts.items()
        },
        "skipped": f"{data['skipped_rows']:,} rows",
        **_vectors(facts),
    }


def _final(final: dict[str, Any], unit: str) -> str:
    perplexity = "beyond measure" if final["perplexity"] is None else f"{final['perplexity']:.2f}"
    return (
        f"{final['nats_per_unit']:.4f} nats, {final['bits_per_unit']:.4f} bits per {unit}, "
        f"perplexity {perplexity}, {final['bits_per_byte']:.4f} bits per byte"
    )


def _vectors(facts: dict[str, Any]) -> dict[str, str]:
    from throughtime.recipes.transfer import VectorFacts

    data = facts["data"]
    if "vectors" not in data:
        return {}
    return {"vectors": VectorFacts(**data["vectors"]).sentence(), "their sha256": data.get("vectors_sha256", "—")}


def _default(recipe: Any, name: str) -> Any:
    default = type(recipe).model_fields[name].default
    return list(default) if isinstance(default, tuple) else default
