"""Whose fault the errors of a translator are: of a file of pairs, or of what its run held out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime.errors import ArgumentError, printable
from throughtime.runs.asked import Asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from throughtime.data.pairs import Pairs
    from throughtime.models.diagnosis import Diagnosis, Fault, Verdict
    from throughtime.models.sought import Search
    from throughtime.models.translator import Translator

MEANS: dict[Fault, str] = {
    "search": "the reference ranks higher, and was not found",
    "model": "the reference ranks lower",
    "tie": "both rank the same: the model's, by the rule",
    "unsayable": "the reference has unknown symbols, or too many",
}
HEAD = ["beam", "alpha", "wrong", "search", "model", "tie", "unsayable", "search by P", "unended", "length"]


@dataclass(frozen=True)
class Wanted:
    """Which searches are looked into; None is what the run itself does."""

    beam: int | None = None
    alpha: float | None = None
    widths: tuple[int, ...] = ()
    alphas: tuple[float, ...] = ()
    sentence: int | None = None  # the line of a tree


@dataclass(frozen=True)
class Items:
    """The different sources of pairs, each with all of its references and the numbers of their lines."""

    sources: list[str]
    references: list[list[str]]
    lines: list[list[int]]
    chosen: str  # how they were read

    @classmethod
    def of(cls, pairs: Pairs) -> Items:
        """Pairs with one source are one item, which any of their targets translates."""
        places: dict[str, int] = {}
        items = cls([], [], [], pairs.chosen)
        for source, target, line in zip(pairs.sources, pairs.targets, pairs.lines, strict=True):
            place = places.setdefault(source, len(places))
            if place == len(items.sources):
                items.sources.append(source)
                items.references.append([])
                items.lines.append([])
            items.references[place].append(target)
            items.lines[place].append(line)
        return items

    def pair(self, line: int) -> tuple[str, str]:
        """The source and the target of a line. Raises `ArgumentError` where there is none."""
        for source, references, lines in zip(self.sources, self.references, self.lines, strict=True):
            if line in lines:
                return source, references[lines.index(line)]
        most = max(max(lines) for lines in self.lines)
        raise ArgumentError(f"line {line:,} holds no pair; the last that does is {most:,}")


@dataclass(frozen=True)
class Diagnosed:
    """What was found out of a run."""

    translator: Translator
    items: Items
    search: Search
    main: Diagnosis
    table: tuple[Diagnosis, ...]  # by alpha, then by width

    def facts(self) -> dict[str, Any]:
        """All of it, for machines."""
        return {
            **self.main.to_json(),
            "table": [one.to_json() for one in self.table],
            "sentences": [self._verdict(verdict) for verdict in self.main.wrong],
        }

    def _verdict(self, verdict: Verdict) -> dict[str, Any]:
        said, wanted = verdict.translation, verdict.reference
        return {
            "line": self._line(verdict),
            "source": self.items.sources[verdict.item],
            "translation": said.text,
            "reference": wanted.text,
            "fault": verdict.by_score,
            "fault_by_probability": verdict.by_probability,
            "translation_log_probability": _finite(said.log_probability),
            "reference_log_probability": _finite(wanted.log_probability),
            "translation_score": _finite(said.score),
            "reference_score": _finite(wanted.score),
            "translation_symbols": len(said.ids) + 1,
            "reference_symbols": len(wanted.ids) + 1,
        }

    def _line(self, verdict: Verdict) -> int:
        place = self.items.references[verdict.item].index(verdict.reference.text)
        return self.items.lines[verdict.item][place]

    def rows(self) -> list[str]:
        """What there is to tell people: the shares, then the table."""
        main = self.main
        told = [
            f"{len(main.wrong):,} of {main.items:,} translations are not the reference "
            f"(beam {main.width}, alpha {main.alpha:g})"
        ]
        if main.wrong:
            told.append(f"\n{'at fault':<10}  {'by score':>15}  {'by probability':>15}")
            for fault, means in MEANS.items():
                by_score = _share(main.faults()[fault], main.shares()[fault])
                by_probability = _share(main.faults("probability")[fault], main.shares("probability")[fault])
                told.append(f"{fault:<10}  {by_score:>15}  {by_probability:>15}  {means}")
        if main.turned:
            told.append(f"{main.turned:,} errors are the ranking's: the reference is likelier, and ranks lower")
        return told + (["", *columns([HEAD, *map(_row, self.table)])] if self.table else [])

    def listed(self, count: int) -> list[str]:
        """Some errors, those of the search first, and of each kind those first that are furthest apart."""
        told = []
        for verdict in _order(self.main.wrong)[:count]:
            said, wanted = verdict.translation, verdict.reference
            told += [
                f"line {self._line(verdict):,}: {verdict.by_score} (by probability: {verdict.by_probability})",
                f"  source       {printable(self.items.sources[verdict.item])}",
                f"  translation  {_numbers(said.log_probability, said.score)}  {printable(said.text)}",
                f"  reference    {_numbers(wanted.log_probability, wanted.score)}  {printable(wanted.text)}",
            ]
        return told

    def draw(self, path: Path, line: int | None) -> list[str]:
        """Draws the beam tree of a line, or of the first error listed, into a file; tells what it shows, in sentences.

        Raises `ArgumentError` for a line without a pair, and where no line is given and nothing is wrong.
        """
        from throughtime.inspect.beam_chart import verdict
        from throughtime.inspect.beam_tree import draw_beam_tree
        from throughtime.models.beam_tree import beam_tree

        if line is None:
            first = next(iter(_order(self.main.wrong)), None)
            if first is None:
                raise ArgumentError("no translation is wrong: give the --sentence whose tree is to be drawn")
            line = self._line(first)
        source, reference = self.items.pair(line)
        tree = beam_tree(self.translator, source, reference, self.search)
        notes = draw_beam_tree(tree, path, title=f"Line {line:,}")
        return [f"line {line:,} in {path}: {verdict(tree)}", *notes]


def diagnose_run(run: Path, asked: Asked, wanted: Wanted, tell: Callable[[int, int, str], None]) -> Diagnosed:
    """Whose fault the errors of a run are. `tell` hears how many searches are done, and of how many.

    Raises `RunError` as `runs.load` does and for a run of another kind, and what reading the pairs raises.
    """
    from throughtime import folder
    from throughtime.models.diagnosis import diagnose, sweep
    from throughtime.runs import find_whole, recipe_of
    from throughtime.runs.folders import check_made
    from throughtime.runs.translate import judged_by, load

    asked.check_pairs("reference")
    home = find_whole(run)
    folder.check_files(home)
    recipe = recipe_of(home)
    check_made(recipe, run, "translate", "diagnose")
    translator = load(home, recipe)
    items = Items.of(judged_by(home, recipe, asked, translator)[0])
    if wanted.sentence is not None:
        items.pair(wanted.sentence)  # or it would be known only after all searches that there is none
    search = translator.search
    search = search if wanted.beam is None else replace(search, width=wanted.beam, groups=1, diversity=0.0)
    search = search if wanted.alpha is None else replace(search, alpha=wanted.alpha)
    widths, alphas = sorted(set(wanted.widths)), sorted(set(wanted.alphas))
    whole = len(widths) * len(alphas) + 1
    table = []
    with translator.ready():
        for one in sweep(translator, items.sources, items.references, search, widths=widths, alphas=alphas):
            table.append(one)
            tell(len(table), whole, f"beam {one.width}, alpha {one.alpha:g}")
        main = next((one for one in table if (one.width, one.alpha) == (search.width, search.alpha)), None)
        main = main or diagnose(translator, items.sources, items.references, search)
    tell(whole, whole, "")
    return Diagnosed(translator, items, search, main, tuple(table))


def columns(rows: list[list[str]]) -> list[str]:
    """A table for people, its cells on the right.

    >>> columns([["beam", "a"], ["5", "0.7"]])
    ['beam    a', '   5  0.7']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _row(one: Diagnosis) -> list[str]:
    faults = [_share(count, one.shares()[fault]) for fault, count in one.faults().items()]
    by_probability = _share(one.faults("probability")["search"], one.shares("probability")["search"])
    length = "—" if one.length is None else f"{one.length:.3f}"
    wrong = f"{len(one.wrong):,}"
    return [str(one.width), f"{one.alpha:g}", wrong, *faults, by_probability, f"{one.unfinished:,}", length]


def _share(count: int, share: float | None) -> str:
    return f"{count:,}" if share is None else f"{count:,} {100 * share:5.1f} %"


def _order(wrong: tuple[Verdict, ...]) -> list[Verdict]:
    """Errors of the search first, and of each kind those first that are furthest apart."""
    kinds = list(MEANS)
    return sorted(wrong, key=lambda one: (kinds.index(one.by_score), -abs(one.reference.score - one.translation.score)))


def _numbers(log_probability: float, score: float) -> str:
    return f"log P {log_probability:9.3f}  score {score:8.4f}"


def _finite(value: float) -> float | None:
    return value if value > float("-inf") else None
