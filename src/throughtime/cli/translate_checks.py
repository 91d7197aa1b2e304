"""What does not go together among the options of `throughtime translate`, refused before anything is loaded."""

import math
from typing import Any

from throughtime.cli.searches import WIDEST, check_search
from throughtime.data.pair_lengths import TARGET_LIMIT
from throughtime.errors import ArgumentError


def check(options: Any) -> None:
    """Raises `ArgumentError` for what does not fit, by the names that the options have."""
    _numbers(options)
    _belongings(options)
    _constraints(options)


def _numbers(options: Any) -> None:
    """Numbers outside of what there is."""
    beam = options.beam
    check_search(beam, options.alpha)
    if options.n_best < 1 or (beam is not None and not options.sample and options.n_best > beam):
        raise ArgumentError(f"--n-best must be in 1..{beam or WIDEST:,}, the width of the beam; got {options.n_best}")
    if options.n_best > WIDEST:
        raise ArgumentError(f"--n-best must be in 1..{WIDEST:,}; got {options.n_best}")
    for name in ("coverage", "diversity"):
        value = getattr(options, name)
        if not (math.isfinite(value) and value >= 0):
            raise ArgumentError(f"--{name} must be at least 0 and finite; got {value}")
    for name, least in (("groups", 1), ("shortest", 0), ("longest", 1), ("line", 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise ArgumentError(f"--{name} must be at least {least}; got {value}")
    if max(options.longest or 0, options.shortest) > TARGET_LIMIT:
        name = "longest" if (options.longest or 0) > TARGET_LIMIT else "shortest"
        raise ArgumentError(f"--{name} must be at most {TARGET_LIMIT:,}; got {getattr(options, name)}")
    if options.threshold is not None and not 0 < options.threshold <= 1:
        raise ArgumentError(f"--threshold is a weight in (0, 1]; got {options.threshold}")
    if options.seed is not None and not 0 <= options.seed < 2**63:
        raise ArgumentError(f"--seed must be in 0..2^63; got {options.seed}")


def _belongings(options: Any) -> None:
    """Options that mean nothing without another, or beside it."""
    owners = {"sample": ("temperature", "top_k", "top_p", "seed"), "alignments": ("threshold",), "picture": ("line",)}
    for owner, names in owners.items():
        for name in names:
            if getattr(options, name) is not None and not getattr(options, owner):
                raise ArgumentError(f"--{name.replace('_', '-')} belongs to --{owner}: give both, or leave it out")
    if not options.sample:
        return
    searched = {"beam": options.beam, "alpha": options.alpha, "coverage": options.coverage or None}
    searched |= {"groups": None if options.groups == 1 else options.groups, "diversity": options.diversity or None}
    searched |= {"with": options.ensemble or None, "require": options.require or None}
    for name, value in searched.items():
        if value is not None:
            raise ArgumentError(f"--{name} is of a search, and --sample draws by chance: leave one of them out")


def _constraints(options: Any) -> None:
    """Rules that no translation can keep to."""
    if options.longest is not None and options.shortest > options.longest:
        raise ArgumentError(f"--shortest {options.shortest} is over --longest {options.longest}: change one of them")
    if options.groups > 1 and options.require:
        raise ArgumentError("--require and --groups do not go together: leave one of them out")
    for name in ("forbid", "require"):
        if not all(getattr(options, name)):
            raise ArgumentError(f"--{name} has an empty word: leave it out")
    for forbidden in options.forbid:
        for name, said in [("require", words) for words in options.require] + [("prefix", options.prefix)]:
            if f" {forbidden} " in f" {said} ":
                raise ArgumentError(f"--{name} {said!a:.80} says --forbid {forbidden!a:.80}: leave one of them out")
