"""Data in parts, each a file: to learn from, to choose weights by, and to judge by what no training has seen."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from throughtime import folder
from throughtime.data.splits import Indices, grouped, rarest, together
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.recipes.classes import check_known
from throughtime.recipes.read import make_recipe
from throughtime.recipes.training import Training
from throughtime.trials.kinds import Items, kind_of

FOLDER = "data"  # of a comparison, where the parts lie
NAMES = ("train", "valid", "test")


@dataclass(frozen=True)
class Given:
    """Files of data, and the shares of the first that are held out where others are not given."""

    train: Path
    valid: Path | None = None
    test: Path | None = None
    shares: tuple[float, float] = (0.1, 0.2)  # to choose weights by, to judge by; 0 where there is to be no such part


@dataclass(frozen=True)
class Parts:
    """The parts as files, and the recipe that reads them."""

    recipe: Training  # its data are the parts train and valid
    files: dict[str, Path]  # by name
    sizes: dict[str, int]  # items of each
    notes: list[str]


def divide(recipe: Training, given: Given, out: Path) -> Parts:
    """Writes the parts of the data into a folder, or finds them there as they should be; given ones are written too.

    So all that is made later reads the same files, whatever rows are skipped and whatever kind of data was given. The
    parts depend on the data and on the seed of the recipe, so that all runs have the same. What has a group in
    common is in one part, or where there are no groups what is equal.

    Raises `DataError` when the data cannot be read or are too few for parts, `RunError` when other parts lie there.
    """
    kind = kind_of(type(recipe))
    taken = {"train": kind.items(recipe, given.train)}
    for name, path in (("valid", given.valid), ("test", given.test)):
        if path is not None:
            taken[name] = kind.items(recipe, path)
    wanted = {name: share for name, share in zip(NAMES[1:], given.shares, strict=True) if share and name not in taken}
    whole, chosen = taken["train"], {name: list(range(len(items.bodies))) for name, items in taken.items()}
    origin = dict.fromkeys(NAMES, whole) | taken
    if wanted:
        chosen |= {name: some.tolist() for name, some in _places(whole, wanted, recipe.seed).items()}
    keys = {name: [origin[name].keys[place] for place in chosen[name]] for name in NAMES if name in chosen}
    found = {name: {x for place in chosen[name] for x in origin[name].labels[place]} for name in keys}
    for name, labels in found.items():
        check_known(found["train"], labels, f"the part {name}")
    files = {name: out / FOLDER / f"{name}{whole.ending}" for name in keys}
    parts = {name: b"".join(origin[name].bodies[place] for place in chosen[name]) for name in keys}
    _write({path: whole.head + parts[name] for name, path in files.items()}, out)
    recipe = settings_of(recipe, {**whole.reading, "train": files["train"], "valid": files.get("valid")})
    notes = [items.told for items in taken.values() if items.told][:1] + _repeats(keys)
    return Parts(recipe, files, {name: len(keys[name]) for name in files}, notes)


def _places(items: Items, wanted: dict[str, float], seed: int) -> dict[str, Indices]:
    """Which items go into which part of the file to learn from."""
    shares = (1 - sum(wanted.values()), *wanted.values())
    if shares[0] <= 0:
        raise ArgumentError(f"the shares held out, {_listed(wanted)}, leave nothing to learn from; give smaller ones")
    try:
        found = _torn(items, shares, seed)
    except ArgumentError as error:
        raise DataError(
            f"{len(items.bodies):,} items do not make parts: {error}; or give the parts as files, --valid and --test"
        ) from None
    return dict(zip(("train", *wanted), found, strict=True))


def _torn(items: Items, shares: Sequence[float], seed: int) -> list[Indices]:
    """Items in parts, those of one key in one part."""
    strata = rarest(items.labels)
    if items.are_groups:
        return grouped(items.keys, shares, seed, labels=strata)
    return together(items.keys, strata, shares, seed)


def _listed(wanted: dict[str, float]) -> str:
    return " and ".join(f"{share:g}" for share in wanted.values())


def _write(contents: dict[Path, bytes], out: Path) -> None:
    """Writes files that are not there; refuses to change one."""
    for path, body in contents.items():
        if path.exists():
            there = folder.read_bounded(path, max(len(body), folder.TEXT_LIMIT))
            if there != body:
                raise RunError(
                    f"{out} holds something else: {path} is another part of data than these files and this seed make; "
                    "rerun with the same options and data, or give another --out"
                )
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise folder.cannot_write(path.parent, error) from error
        folder.write_file(path, body)


def _repeats(keys: Mapping[str, Sequence[Hashable]]) -> list[str]:
    """What is in two parts, which makes a model look better than it is."""
    learned = set(keys["train"])
    found = {name: sum(key in learned for key in some) for name, some in keys.items() if name != "train"}
    return [
        f"{count:,} of the {len(keys[name]):,} items of the part {name} are in the part train too"
        for name, count in found.items()
        if count
    ]


def check_home(out: Path, ours: Sequence[str]) -> None:
    """Raises `RunError` for a folder that holds what is none of ours."""
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file; give --out a folder that is new, empty, or one to go on with")
    known = {*ours, *(f".{name}.partial" for name in ours)}
    others = sorted(entry.name for entry in out.iterdir() if entry.name not in known) if out.is_dir() else []
    if others:
        raise RunError(f"{out} holds something else ({others[0]!a:.80}); give --out a folder that is new or empty")


def seeds_of(first: int, count: int) -> list[int]:
    """Seeds in a row. Raises `ArgumentError` for none, or for ones that no recipe takes.

    >>> seeds_of(3, 2)
    [3, 4]
    """
    if not 1 <= count <= 1000 or first + count > 2**63:
        raise ArgumentError(f"--seeds is how many there are to be, from 1 to 1000; got {count}")
    return list(range(first, first + count))


def seed_of(first: int, number: int) -> int:
    """A seed of its own for the trial of a number, which depends on the two numbers alone.

    >>> seed_of(0, 0) != seed_of(0, 1) != seed_of(1, 0), 0 <= seed_of(7, 7) < 2**32
    (True, True)
    """
    return int(np.random.SeedSequence((first, number)).generate_state(1)[0])


def settings_of(recipe: Training, changes: dict[str, Any]) -> Training:
    """A recipe with other settings. Raises `ArgumentError` for what does not fit."""
    return make_recipe(type(recipe), {**recipe.model_dump(), **changes})
