"""What a run takes over from a table of word vectors: the settings that a recipe of words has for it, and its answers.

Such a recipe is a `Transfer` and not only a `Training`. The table is read once, when a run begins: from then on the
run's own weights have it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar, cast

from pydantic import BaseModel, Field, model_validator

from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.folder import JSON_LIMIT, MANIFEST, STRICT, Count, Sha256, check_form, read_bounded, read_json
from throughtime.recipes.read import OptionalPlace, make_recipe
from throughtime.recipes.training import Training

if TYPE_CHECKING:
    from torch import nn

    from throughtime.vectors.found import Found
    from throughtime.vectors.table import Table

D = TypeVar("D")  # data with `facts` and `taken`


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


class Transfer(Training):
    """The settings of a recipe of words whose embeddings may begin with vectors, and what such a recipe answers."""

    vectors: OptionalPlace = Field(
        None, description="a table of word vectors that the embeddings begin with: a folder of ours, or a file"
    )
    frozen_updates: Annotated[int, Field(ge=0)] | Literal["all"] = Field(
        0, description="updates during which embeddings from --vectors stay as they are: a number, or all"
    )
    embedding: int | None = Field(None, ge=1, le=65536, description="width of embeddings (that of --vectors, else 100)")

    @model_validator(mode="after")
    def _vectors_are_of_words(self) -> Self:
        unit = getattr(self, "unit", None)  # none of what is no text, which others refuse
        if self.vectors and unit not in ("word", None):
            raise ValueError(f"vectors needs --unit word, for they are of words; got --unit {unit}")
        if self.frozen_updates and not self.vectors:
            raise ValueError(f"frozen_updates needs --vectors; got {self.frozen_updates} and none")
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """The settings, as recipe.json has them, that make a run the run it is: all but where files lie and `device`.

        Which data these are is said by the hashes of data.json, which vectors by its `vectors_sha256`.
        """
        settings = super().identity
        if self.vectors:
            del settings["vectors"]
            if self.embedding is None:  # the table decides
                del settings["embedding"]
        return settings

    def taking(self, data: D, words: Sequence[str], kept: Path | None, table: Table | None = None) -> D:
        """The data, with the vectors that a table has for the words of a vocabulary, if there is one.

        `kept` is the run that goes on, if one does: then the table is only compared with the one that the run began
        with, if it is still there. A `table` that is given is the one that was read already.

        Raises `DataError` or `RunError` when the table cannot be read, or has too few of the words; `ArgumentError`
        when it does not have the width; `RunError` when the run that goes on began with none.
        """
        from throughtime.vectors.table import Table

        if self.vectors is None:
            return data
        if kept is None:
            taken = _taken(self.vectors, table or Table.load(self.vectors), words, self.embedding)
        else:
            taken = _taken_before(self.vectors, kept)
        known: Any = data
        return cast("D", replace(known, taken=taken, facts={**known.facts, **taken.to_json()}))

    def settled(self, data: Any) -> Self:
        """The recipe, with the width that the vectors have, if it left that to them."""
        if data.taken is None or self.embedding is not None:
            return self
        return make_recipe(type(self), {**self.model_dump(), "embedding": data.taken.facts.dimension})

    def frozen_of(self, embedding: nn.Module | None, step: int) -> tuple[nn.Parameter, ...]:
        """The weights of an embedding, as long as they are frozen.

        >>> from torch import nn
        >>> recipe = Transfer(vectors="table", frozen_updates=2)
        >>> [len(recipe.frozen_of(nn.Embedding(3, 2), step)) for step in range(4)]
        [1, 1, 0, 0]
        """
        if self.frozen_updates != "all" and step >= self.frozen_updates:
            return ()
        return (cast("nn.Parameter", cast("Any", embedding).weight),)


def _taken(path: Path, table: Table, words: Sequence[str], width: int | None) -> Taken:
    """The vectors of a table for some words, and as many numbers a word as were asked for."""
    from throughtime.layers.embed import FEWEST
    from throughtime.vectors.found import find

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


def _taken_before(path: Path, kept: Path) -> Taken:
    content = read_json(kept, "data.json")
    if content.get("vectors") is None:
        raise RunError("the run in --out began without vectors: leave --vectors out, or give --out another folder")
    known = check_form(Kept, {name: content.get(name) for name in Kept.model_fields}, Path("data.json"))
    facts, gone = known.vectors.model_copy(update={"path": str(path)}), not os.path.exists(path)
    return Taken(facts, known.vectors_sha256 if gone else identity_of(path), None, gone)


def identity_of(path: Path) -> str:
    """The sha256 of a table: of its file, or of the manifest of its folder, which has those of all files in it."""
    from throughtime.data.read import opened

    if path.is_dir():
        return hashlib.sha256(read_bounded(path / MANIFEST, JSON_LIMIT)).hexdigest()
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
