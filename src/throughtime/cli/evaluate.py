"""throughtime evaluate RUN: how well a text is predicted."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from throughtime.cli.parse import parse

if TYPE_CHECKING:
    from throughtime.models import Scores


@dataclass
class Options:
    """Scores a text, or the run's own held-out part."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run folder")]
    text: Annotated[Path | None, tyro.conf.arg(help="the text to score; without it the run's own held-out part")] = None
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Scores."""
    options = parse(Options, words, "evaluate")
    scores, unit, skipped = evaluate(options.run, options.text)
    if skipped:
        sys.stderr.write(f"{skipped:,} bytes that are not UTF-8 were skipped\n")
    if options.json:
        sys.stdout.write(json.dumps({**scores.to_json(), "skipped_bytes": skipped}, allow_nan=False) + "\n")
        return 0
    rows = {
        f"nats per {unit}": f"{scores.nats_per_unit:.4f}",
        f"bits per {unit}": f"{scores.bits_per_unit:.4f}",
        "perplexity": f"{scores.perplexity:.3f}",
        "bits per byte": f"{scores.bits_per_byte:.4f}",
        f"{unit}s": f"{scores.units:,}",
        "of them unknown": f"{scores.unknown:,}",
    }
    width = max(len(name) for name in rows)
    sys.stdout.writelines(f"{name:<{width}}  {value}\n" for name, value in rows.items())
    return 0


def evaluate(run: Path, text: Path | None) -> "tuple[Scores, str, int]":
    """The scores of a run on a text, the name of its unit, and how many bytes of the file were skipped."""
    from throughtime.recipes.load import data_of, find_whole, load_from, recipe_of

    home = find_whole(run)
    writer, recipe = load_from(home), recipe_of(home)
    if text is not None:
        read = recipe.read(text)
        return writer.score(read.text), recipe.unit, read.skipped_bytes
    data = data_of(home, recipe, writer)
    return writer.score_ids(data.valid, data.valid_bytes), recipe.unit, data.facts["skipped_bytes"]
