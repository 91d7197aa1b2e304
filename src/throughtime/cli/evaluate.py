"""throughtime evaluate RUN: how well a text is predicted."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from throughtime.cli.parse import parse
from throughtime.errors import RunError

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
    scores, unit = evaluate(options.run, options.text)
    if options.json:
        sys.stdout.write(json.dumps(scores.to_json()) + "\n")
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


def evaluate(run: Path, text: Path | None) -> "tuple[Scores, str]":
    """The scores of a run on a text, and the name of its unit."""
    from throughtime.recipes.load import find_whole, load, recipe_of
    from throughtime.train import folder

    writer, home = load(run), find_whole(run)
    recipe = recipe_of(home)
    if text is not None:
        return writer.score(recipe.read(text).text), recipe.unit
    data, facts = recipe.data(), folder.read_json(home, "data.json")
    for name in ("text_sha256", "valid_sha256"):
        if data.facts[name] != facts.get(name):
            raise RunError(f"{facts.get('text')} was changed since {run} was trained on it; give --text FILE")
    return writer.score_ids(data.valid, data.valid_bytes), recipe.unit
