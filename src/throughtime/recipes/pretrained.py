"""What a run takes over from one that learned to fill in masked units: its vocabulary, its embeddings and its core.

That run is read once, when a run begins: from then on the run's own weights have it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import BaseModel

from throughtime.errors import ArgumentError, RunError
from throughtime.folder import JSON_LIMIT, MANIFEST, STRICT, TEXT_LIMIT, Sha256, check_form, read_bounded, read_json
from throughtime.recipes import fields
from throughtime.recipes.read import make_recipe
from throughtime.recipes.transfer import Transfer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from throughtime.data.units import Units
    from throughtime.recipes.language import Language

CORE = ("hidden", "layers", "heads", "positions")  # settings that a core has under the same name everywhere
TAKEN = ("core", "both", "embedding", *CORE)  # those of a recipe that a pretrained run decides


class PretrainedFacts(BaseModel):
    """What data.json tells of the run that a run began with."""

    model_config = STRICT

    pretrained: str
    pretrained_sha256: Sha256


@dataclass(frozen=True)
class Pretrained:
    """A run that learned to fill in masked units, as far as another one begins with it."""

    facts: PretrainedFacts
    settings: dict[str, Any]  # of the core and the embeddings, as other recipes call them
    units: Units
    tensors: dict[str, Tensor] | None  # None where the weights of the run have them already
    gone: bool = False  # whether that run is no longer there, so that it cannot be told from another

    def fill(self, embedding: nn.Embedding, core: nn.Module, rows: Tensor | None = None) -> None:
        """Puts its weights into an embedding and a core, if they are not in those of a run that goes on.

        `rows` has the number of a unit for each row of the embedding; None: they are the same.
        """
        import torch

        if self.tensors is None:
            return
        taken, index = self.tensors["embedding.weight"], torch.arange(len(embedding.weight), device="cpu")
        with torch.no_grad():
            embedding.weight.copy_(taken[index if rows is None else rows])
            for name, parameter in core.named_parameters():
                parameter.copy_(self.tensors[f"core.{name}"])

    def to_json(self) -> dict[str, Any]:
        """What data.json keeps of it."""
        return self.facts.model_dump()

    def notes(self) -> tuple[str, ...]:
        """What a person should know before training begins."""
        what = (
            f"embeddings, core and a vocabulary of {len(self.units):,} {self.units.kind}s from {self.facts.pretrained}"
        )
        gone = ("the pretrained run is gone, which does no harm: this run has its weights",) if self.gone else ()
        return (what, *gone)


class Pretrainable(Transfer):
    """Settings of a recipe whose model may begin with such a run, or with vectors, and what such a recipe answers."""

    besides: ClassVar[Mapping[str, Any]] = {}  # what such a run decides, but for TAKEN: settings, as they are then

    pretrained: fields.Pretrained = None

    def begun(self, kept: Path | None) -> Pretrained | None:
        """The run that the model begins with, if with any; raises as `begun` does."""
        if self.pretrained is None:
            return None
        asked = {name: getattr(self, name) for name in self.model_fields_set}
        return begun(self.pretrained, kept, cast("Any", self).unit, asked, self.besides)

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that make a run the run it is; of a core that is taken over, what it was taken from."""
        decided = () if self.pretrained is None else (*TAKEN, *self.besides)
        return {name: value for name, value in super().identity.items() if name not in decided}

    def settled(self, data: Any) -> Self:
        """The recipe, with what vectors or a pretrained run decide."""
        if data.pretrained is None:
            return super().settled(data)
        return make_recipe(type(self), {**self.model_dump(), **data.pretrained.settings})


def begun(path: Path, kept: Path | None, unit: str, asked: Mapping[str, Any], more: Mapping[str, Any]) -> Pretrained:
    """The run at a path; `kept` is the run that goes on, if one does, and has what was taken from it.

    `asked` are settings that were given, by name: they must be those of the run, or what else it needs (`more`).

    Raises `RunError` when it is no run, or not of masked units, or the run that goes on began without one;
    `ArgumentError` that names what does not fit.
    """
    taken = _taken(path) if kept is None else _taken_before(path, kept, unit)
    if taken.units.kind != unit:
        raise ArgumentError(
            f"{path} has {taken.units.kind}s, and {unit}s are read: give --unit {taken.units.kind}, or another run"
        )
    taken = replace(taken, settings={**taken.settings, **more})
    for name, value in asked.items():
        if name in taken.settings and taken.settings[name] != value:
            raise ArgumentError(
                f"{path} has {name} {taken.settings[name]}, and {value} was asked for: leave it out, "
                "or begin with another run"
            )
    return taken


def _taken(path: Path) -> Pretrained:
    from throughtime import folder
    from throughtime.train import course

    home = _found(path)
    folder.check_files(home)
    recipe = _masked(home, path)
    units = _units(home)
    if units.kind != recipe.unit:
        raise RunError(f"the vocabulary in {home} is of {units.kind}s, and its recipe is of {recipe.unit}s")
    facts = PretrainedFacts(pretrained=f"{path} ({recipe.made_of})", pretrained_sha256=_identity(home))
    weights = course.read_weights(lambda: recipe.model_of(len(units)), home)
    return Pretrained(facts, settings_of(recipe), units, weights)


def settings_of(recipe: Language) -> dict[str, Any]:
    """The settings of a recipe that must be the same where its weights are taken over."""
    settings = {"core": recipe.cell, "both": True, "embedding": recipe.width}
    return settings | {name: getattr(recipe, name) for name in CORE}


def _found(path: Path) -> Path:
    """A whole folder: the run, or its last checkpoint."""
    from throughtime import folder
    from throughtime.train import course

    home = path if folder.is_whole(path) else course.last_checkpoint(path) if path.is_dir() else None
    if home is None:
        raise RunError(
            f"{path} is no run to begin with; make one with "
            f"`throughtime train language --objective masked --text FILE --out {path}`"
        )
    return home


def _masked(home: Path, path: Path) -> Language:
    """The recipe of a run of masked units. Raises `RunError` for any other."""
    from throughtime.recipes.language import Language

    values = read_json(home, "recipe.json")
    if values.get("application") != "language" or values.get("objective") != "masked":
        raise RunError(
            f"{path} did not learn to fill in masked units; give a run of "
            "`throughtime train language --objective masked`"
        )
    try:
        return make_recipe(Language, values)
    except ArgumentError as error:
        raise RunError(f"the recipe in {home} does not fit this version: {error}") from None


def _units(home: Path) -> Units:
    from throughtime.data.units import units_from_json

    return units_from_json(read_json(home, "vocabulary.json", TEXT_LIMIT))


def _identity(home: Path) -> str:
    """The sha256 of a run's manifest, which has those of all files in it."""
    return hashlib.sha256(read_bounded(home / MANIFEST, JSON_LIMIT)).hexdigest()


def _taken_before(path: Path, kept: Path, unit: str) -> Pretrained:
    """What a run that goes on began with, by what it keeps of it."""
    facts, settings = read_json(kept, "data.json"), read_json(kept, "recipe.json")
    if facts.get("pretrained") is None:
        raise RunError(
            "the run in --out began without a pretrained one: leave --pretrained out, or give --out another folder"
        )
    told = {name: value for name, value in facts.items() if name in PretrainedFacts.model_fields}
    known = check_form(PretrainedFacts, told, kept / "data.json")
    there = path.is_dir()
    sha256 = _identity(_found(path)) if there else known.pretrained_sha256
    same = {name: settings[name] for name in TAKEN if name in settings}
    now = known.model_copy(update={"pretrained_sha256": sha256})
    return Pretrained(now, same, cast("Units", _kept_units(kept, unit)), None, gone=not there)


def _kept_units(kept: Path, unit: str) -> Any:
    """The vocabulary that a run keeps: its own units, or of a tagger the words that it knows."""
    from throughtime.data.lexicon import Lexicon
    from throughtime.data.units import CharacterUnits, WordUnits, units_from_json

    content = read_json(kept, "vocabulary.json", TEXT_LIMIT)
    if "kind" in content:
        return units_from_json(content)
    words = Lexicon.from_json(content, kept / "vocabulary.json").words
    return WordUnits(words) if unit == "word" else CharacterUnits("".join(words))
