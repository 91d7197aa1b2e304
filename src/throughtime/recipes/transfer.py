"""What a run takes over from a table of word vectors: the two settings that any recipe of words may have for it.

A recipe has the fields `vectors: VectorsPath` and `frozen_updates: FrozenUpdates`, calls `take` where it begins, fills
its embedding with what that gives, and answers `is_frozen` when the loop asks. The table is read once, when a run
begins: from then on the run's own weights have it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field

from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.folder import JSON_LIMIT, MANIFEST, STRICT, check_form, read_bounded
from throughtime.recipes.read import OptionalPlace

if TYPE_CHECKING:
    from torch import nn

    from throughtime.vectors.found import Found

VectorsPath = Annotated[
    OptionalPlace,
    Field(description="a table of word vectors that the embeddings begin with: a folder of ours, or a file"),
]
FrozenUpdates = Annotated[
    Annotated[int, Field(ge=0)] | Literal["all"],
    Field(description="updates during which embeddings from --vectors stay as they are: a number, or all"),
]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class VectorFacts(BaseModel):
    """What data.json tells of the vectors that a run began with."""

    model_config = STRICT

    path: str
    dimension: Annotated[int, Field(ge=1, lt=2**53)]
    found: Count  # words of the vocabulary that the table has
    lower: Count  # that it has in lower case only
    composed: Count  # whose vectors it made of their parts
    unknown: Count  # whose vectors were drawn anew

    def sentence(self) -> str:
        """All of it, for people."""
        return (
            f"{self.path} ({self.dimension} numbers a word): {self.found:,} words found, {self.lower:,} in lower case, "
            f"{self.composed:,} composed of their parts, {self.unknown:,} unknown and drawn anew"
        )


class Kept(BaseModel):
    """The part of data.json that is about vectors."""

    model_config = STRICT

    vectors: VectorFacts
    vectors_sha256: Sha256


@dataclass(frozen=True)
class Taken:
    """The vectors that the embeddings of a run begin with."""

    facts: VectorFacts
    sha256: str  # of the table's file, or of the manifest of its folder
    found: Found | None  # None where the weights of the run have them already
    gone: bool = False  # whether the table is no longer there, so that it cannot be told from another

    def fill(self, embedding: nn.Embedding) -> None:
        """Puts them into an embedding, if they are not in the weights of a run that goes on."""
        from throughtime.layers.embed import fill_embedding

        if self.found is not None:
            fill_embedding(embedding, self.found.places, self.found.vectors)

    def to_json(self) -> dict[str, Any]:
        """What data.json keeps of it."""
        return {"vectors": self.facts.model_dump(), "vectors_sha256": self.sha256}

    def notes(self, frozen_updates: int | Literal["all"]) -> tuple[str, ...]:
        """What a person should know before training begins."""
        if frozen_updates == "all":
            then = "they stay as they are"
        elif frozen_updates:
            then = f"they stay as they are for {frozen_updates:,} updates, then learn"
        else:
            then = "they learn from the first update on"
        notes = (f"embeddings from {self.facts.sentence()}; {then}",)
        return (*notes, "the vectors are gone, which does no harm: the run has them") if self.gone else notes


def take(path: Path, words: Sequence[str], *, width: int | None, kept: Mapping[str, Any] | None) -> Taken:
    """The vectors that a table has for the words of a vocabulary.

    `width` is that of the embeddings, if it was asked for. `kept` is data.json of the run that goes on, if one does:
    then the table is only compared with the one that the run began with, if it is still there.

    Raises `DataError` or `RunError` when the table cannot be read, or has too few of the words; `ArgumentError` when
    it does not have the width; `RunError` when the run that goes on began with none.
    """
    if kept is not None:
        return _taken_before(path, kept)
    from throughtime.layers.embed import FEWEST
    from throughtime.vectors.found import find
    from throughtime.vectors.table import Table

    table = Table.load(path)
    if width not in (None, table.dimension):
        raise ArgumentError(
            f"the vectors in {path} have {table.dimension} numbers, and the embeddings would have {width}: "
            f"give --embedding {table.dimension}, or leave it out"
        )
    found = find(table, words)
    if len(found.places) < FEWEST:
        raise DataError(
            f"{path} has vectors for {len(found.places)} of the {len(words):,} words of the vocabulary; "
            "give a table that was learned from a text like this one"
        )
    facts = VectorFacts(
        path=str(path),
        dimension=table.dimension,
        found=found.found,
        lower=found.lower,
        composed=found.composed,
        unknown=found.unknown,
    )
    return Taken(facts, identity_of(path), found)


def _taken_before(path: Path, kept: Mapping[str, Any]) -> Taken:
    if kept.get("vectors") is None:
        raise RunError("the run in --out began without vectors: leave --vectors out, or give --out another folder")
    known = check_form(Kept, {name: kept.get(name) for name in Kept.model_fields}, Path("data.json"))
    facts, gone = known.vectors.model_copy(update={"path": str(path)}), not os.path.exists(path)
    return Taken(facts, known.vectors_sha256 if gone else identity_of(path), None, gone)


def identity_of(path: Path) -> str:
    """The sha256 of a table: of its file, or of the manifest of its folder, which has those of all files in it."""
    from throughtime.data.read import opened

    if path.is_dir():
        return hashlib.sha256(read_bounded(path / MANIFEST, JSON_LIMIT)).hexdigest()
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_frozen(frozen_updates: int | Literal["all"], step: int) -> bool:
    """Whether the update that follows `step` others leaves the embeddings as they are.

    >>> [is_frozen(2, step) for step in range(4)], is_frozen("all", 10**6), is_frozen(0, 0)
    ([True, True, False, False], True, False)
    """
    return frozen_updates == "all" or step < frozen_updates
