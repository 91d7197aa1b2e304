"""What is said of a classifier's run: what was read, its worst mistakes, its card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughtime.recipes import cards

if TYPE_CHECKING:
    from throughtime.data.records import Example
    from throughtime.models.text_classifier import TextClassifier
    from throughtime.recipes.class_data import ClassifyData, Part
    from throughtime.recipes.classify import Classify

QUICK = 2000  # items of the held-out part, at most, that are judged while training
SAMPLE = 256  # and among which mistakes are looked for


def made_of(recipe: Classify) -> str:
    """The core, for people."""
    size = f"{recipe.layers} × {recipe.hidden}"
    if recipe.core == "bag":
        layers = f", hidden layers of {', '.join(map(str, recipe.dense))} units" if recipe.dense else ""
        return f"perceptron over a bag of {recipe.unit}s ({recipe.bag}){layers}"
    if recipe.core == "average":
        return "average of values" if recipe.of_series else "average of embeddings"
    if recipe.core == "self-attention":
        return f"self-attention, {size}, heads {recipe.heads}, {recipe.positions} positions"
    if recipe.core == "convolution":
        return f"convolution, {recipe.hidden} filters of each of {', '.join(map(str, recipe.widths))} steps"
    return f"{recipe.core}, {size}{', from both ends' if recipe.both else ''}"


def notes(recipe: Classify, data: ClassifyData) -> tuple[str, ...]:
    """What was read, counted and taken from vectors."""
    facts, targets, items = data.facts, data.train.targets, data.encoder.items
    shares = targets.bincount(minlength=len(data.classes)) if targets.dim() == 1 else targets.sum(0)
    told = ", ".join(f"{name} {int(n):,}" for name, n in list(zip(data.classes, shares, strict=True))[:12])
    more = f", ... {len(data.classes):,} in all" if len(data.classes) > 12 else ""
    learned, held = (_units(facts, part, data.encoder.unit) for part in ("train", "valid"))
    return (
        data.chosen,
        f"{facts['train_items']:,} {items} to train on ({told}{more}), {learned}; {facts['valid_items']:,} held out, "
        f"{held}; {data.encoder.sentence()}; {facts['skipped_rows']:,} rows skipped",
        *repeated(facts, items),
        *(data.taken.notes(recipe.frozen_updates) if data.taken else ()),
        *(data.pretrained.notes() if data.pretrained else ()),
    )


def repeated(facts: dict[str, Any], items: str) -> tuple[str, ...]:
    """What is there more than once, or in both parts, or has no label; nothing where nothing is."""
    said = []
    if facts["shared"]:
        said.append(f"{facts['shared']:,} held-out {items} are among those to train on as well: they are no test of it")
    if facts["repeats"]:
        said.append(f"{facts['repeats']:,} {items} repeat another one of their part")
    if facts["unlabelled_rows"]:
        said.append(f"{facts['unlabelled_rows']:,} {items} have no label, which is read as none of the classes")
    return tuple(said)


def _units(facts: dict[str, Any], part: str, unit: str) -> str:
    units, unknown, longest = (facts[f"{part}_{what}"] for what in ("units", "unknown", "longest"))
    return f"{units:,} {unit}s, {longest:,} at most" if unit == "time" else f"{unknown:,} of {units:,} {unit}s unknown"


def mistakes(reader: TextClassifier, part: Part, *, final: bool) -> str:
    """The mistakes about a part of which a classifier is surest; of 256 items at most while training."""
    from throughtime.metrics.mistakes import surest

    part = part if final else part.thinned(SAMPLE)
    count, length = (20, 100) if final else (3, 24)
    lines = []
    for one in surest(reader.log_probabilities_encoded(part.sequences), part.targets.numpy(), count)[0]:
        truly = ", ".join(part.labels[one.place]) or "none"
        shown = _shown(part.examples[one.place], length)
        lines.append(f"{one.probability:.2f} {one.said(reader.classes)}, truly {truly}: {shown}")
    return "\n".join(lines) or "none"


def _shown(example: Example, length: int) -> str:
    """A text, cut where it is long; of a series, where it stands."""
    if not isinstance(example.item, str):
        return f"{example.where}, {len(example.item):,} times"
    text = " ".join(example.item.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def card(recipe: Classify, data: ClassifyData, size: int, score: Any) -> str:
    """A page about a run: the model of so many weights, what it was made from, how good it is."""
    facts, items = data.facts, data.encoder.items
    sources = {name: f"{facts[name]}: {facts[f'{name}_items']:,} {items}" for name in ("train", "valid")}
    rows = {
        "model": f"{recipe.made_of}, {size:,} weights",
        "classes": cards.listed(data.classes),
        "units": data.encoder.sentence(),
        "trained on": f"{sources['train']} (sha256 {facts['train_sha256'][:12]}…)",
        "validated on": sources["valid"],
        "rows skipped": f"{facts['skipped_rows']:,}",
        **({"to be known": "; ".join(said)} if (said := repeated(facts, items)) else {}),
        **({"embeddings": data.taken.notes(recipe.frozen_updates)[0]} if data.taken else {}),
        **({"begun with": data.pretrained.notes()[0]} if data.pretrained else {}),
    }
    return cards.card(f"A classifier of {items}", rows, None if score is None else score.sentence())
