"""throughtime evaluate RUN: how well a text is predicted, or texts are classified."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError, printable

if TYPE_CHECKING:
    from throughtime.models import Scores


@dataclass
class Options:
    """Scores a text by a language model, labelled texts by a classifier, or a run's own held-out part."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run folder")]
    text: Annotated[Path | None, tyro.conf.arg(help="of a language model: the text to score")] = None
    data: Annotated[Path | None, tyro.conf.arg(help="of a classifier: the labelled texts to judge it by")] = None
    missing: Annotated[
        Literal["refuse", "skip"] | None,
        tyro.conf.arg(help="of --data: rows without a text or label (as in training, if not given)"),
    ] = None
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Scores."""
    options = parse(Options, words, "evaluate")
    from throughtime.recipes.language import Language
    from throughtime.recipes.load import find_whole, recipe_of

    if options.missing and options.data is None:
        raise ArgumentError(f"--missing {options.missing} is for --data, which is not given")
    home = find_whole(options.run)
    recipe = recipe_of(home)
    if isinstance(recipe, Language):
        if options.data is not None:
            raise ArgumentError(f"--data is for classifiers, and {options.run} holds a language model: give --text")
        facts, rows = _of_language(home, recipe, options.text)
    else:
        if options.text is not None:
            raise ArgumentError(f"--text is for language models, and {options.run} holds a classifier: give --data")
        facts, rows = _of_classifier(home, recipe, options.data, options.missing)
    if options.json:
        sys.stdout.write(json.dumps(facts, allow_nan=False) + "\n")
        return 0
    width = max(len(name) for name in rows)
    sys.stdout.writelines(f"{name:<{width}}  {value}\n" for name, value in rows.items())
    return 0


def _of_language(home: Path, recipe: Any, text: Path | None) -> tuple[dict[str, Any], dict[str, str]]:
    """The scores of a language model on a text, or on what its run held out."""
    scores, unit, skipped = evaluate(home, recipe, text)
    if skipped:
        sys.stderr.write(f"{skipped:,} bytes that are not UTF-8 were skipped\n")
    rows = {
        f"nats per {unit}": f"{scores.nats_per_unit:.4f}",
        f"bits per {unit}": f"{scores.bits_per_unit:.4f}",
        "perplexity": f"{scores.perplexity:.3f}",
        "bits per byte": f"{scores.bits_per_byte:.4f}",
        f"{unit}s": f"{scores.units:,}",
        "of them unknown": f"{scores.unknown:,}",
    }
    return {**scores.to_json(), "skipped_bytes": skipped}, rows


def evaluate(home: Path, recipe: Any, text: Path | None) -> "tuple[Scores, str, int]":
    """The scores of a run on a text, the name of its unit, and how many bytes of the file were skipped."""
    from throughtime.recipes.load import data_of, load_writer

    writer = load_writer(home, recipe)
    if text is not None:
        read = recipe.read(text)
        return writer.score(read.text), recipe.unit, read.skipped_bytes
    data = data_of(home, recipe, writer)
    return writer.score_ids(data.valid, data.valid_bytes), recipe.unit, data.facts["skipped_bytes"]


def _of_classifier(
    home: Path, recipe: Any, path: Path | None, missing: str | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The scores of a classifier on labelled texts, or on what its run held out."""
    from throughtime.recipes.labelled import pairs_of
    from throughtime.recipes.load import divided_of, load_classifier

    classifier = load_classifier(home, recipe)
    if path is None:
        again = divided_of(home, recipe)
        pairs, skipped = again.valid, again.facts["skipped_rows"]
    else:
        read = (recipe.model_copy(update={"missing": missing}) if missing else recipe).read(path)
        sys.stderr.write(f"{read.chosen}\n")
        pairs, skipped = pairs_of(read, recipe.labels), read.counts.skipped
    sequences = classifier.encoded([text for text, _ in pairs])
    score = classifier.score_encoded(sequences, classifier.targets([labels for _, labels in pairs]))
    unknown, units = classifier.unknown(sequences), sum(map(len, sequences))
    facts = {**score.to_json(), **score.tables, "unknown_units": unknown, "units": units, "skipped_rows": skipped}
    rows = {"texts": f"{score.texts:,}", "nats a text": f"{score.nats:.4f}"}
    for name, value in score.facts.items():
        if value is None or isinstance(value, float):
            rows[name.replace("_", " ")] = _shown(value)
    rows["unknown"] = f"{unknown:,} of {units:,} {classifier.units.kind}s"
    rows["rows skipped"] = f"{skipped:,}"
    for table in score.tables.values():
        for name, one in table.items():
            said = "  ".join(f"{what} {_shown(one[what])}" for what in ("precision", "recall", "f1"))
            rows[f"  {printable(name)}"] = f"{said}  of {one['support']:,}"
    return facts, rows


def _shown(share: float | None) -> str:
    return "—" if share is None else f"{share:.4f}"
