"""Comparing and tuning taggers."""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.errors import RunError
from throughtime.inspect.comparison import Measure
from throughtime.metrics import spans
from throughtime.metrics.scores import f1s, ratio
from throughtime.recipes.tag import Tag
from throughtime.recipes.tagged import read_tagged
from throughtime.trials.kinds import Counts, Items, answered

if TYPE_CHECKING:
    from throughtime.models.tagger import Tagger


def items(recipe: Tag, path: Path) -> Items:
    """The sentences of a file with their tags."""
    file = read_tagged(path, replace(recipe.reading, letters=False))
    bodies = [_lines(sentence.tokens, sentence.tags) for sentence in file.sentences]
    keys: list[Hashable] = [tuple(sentence.tokens) for sentence in file.sentences]
    reading = {"token_column": "form", "column": "upos"}
    return Items(bodies, b"", ".conllu", reading, [()] * len(bodies), keys, False, file.chosen)


def _lines(tokens: list[str], tags: list[str]) -> bytes:
    """A sentence in CoNLL-U, whose tags are in the column upos, whatever they are of."""
    both = enumerate(zip(tokens, tags, strict=True), 1)
    return ("".join(f"{place}\t{token}\t_\t{tag}" + "\t_" * 6 + "\n" for place, (token, tag) in both) + "\n").encode()


def measures(recipe: Tag, facts: Mapping[str, Any]) -> list[Measure]:
    """F1 of entities where tags are of some, else accuracy."""
    if "entity_f1" in facts:
        return [Measure("entity_f1"), Measure("accuracy")]
    return [Measure("accuracy"), Measure("macro_f1")]


def counts(trained: "Tagger", recipe: Tag, path: Path) -> Counts:
    """Of each sentence the tokens that are right, and all of them; or entities right, found and true."""
    truth = [sentence.tags for sentence in read_tagged(path, recipe.reading).sentences]
    said: list[list[str]] = [facts["tags"] for facts in answered(trained, recipe, path)]
    if len(said) != len(truth):
        raise RunError(f"{path} has {len(truth):,} sentences and {len(said):,} answers: it was changed meanwhile")
    both = zip(said, truth, strict=True)
    if trained.scheme is None:
        rows = [[sum(a == b for a, b in zip(found, true, strict=True)), len(true)] for found, true in both]
        return Counts(np.array(rows, float), lambda sums: ratio(*sums.T))
    pairs = [(set(spans(found)), set(spans(true))) for found, true in both]
    triples = [[len(found & true), len(found), len(true)] for found, true in pairs]
    return Counts(np.array(triples, float), lambda sums: f1s(*sums.T))
