"""throughtime vectors evaluate TABLE...: how well tables answer analogies, and agree with people on similarity."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError, printable

if TYPE_CHECKING:
    from throughtime.metrics.bootstrap import Interval
    from throughtime.vectors.judge import AnalogyScore, Pairs, Questions, Share, SimilarityScore

NONE = "—"
Rows = list[tuple[str, list[str]]]  # a line of the page: its name, and what it says of each table


@dataclass
class Options:
    """Judges tables side by side, each score with 95 % of its bootstrap and what it covers."""

    tables: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="TABLE...", help="tables")]
    analogies: Annotated[Path | None, tyro.conf.arg(help="questions: lines of four words under ': category'")] = None
    similarity: Annotated[
        tuple[Path, ...], tyro.conf.arg(metavar="FILE...", help="sets of pairs: lines of two words and a score")
    ] = ()
    by: Annotated[
        Literal["addition", "multiplication"], tyro.conf.arg(help="how analogies are answered: b − a + c, or b c / a")
    ] = "addition"
    lower: Annotated[bool, tyro.conf.arg(help="fold words to lower case; done anyway for tables without capitals")] = (
        False
    )
    maximum_vocab: Annotated[int, tyro.conf.arg(help="words of a table, from its first on, that are judged")] = 300_000
    compose: Annotated[
        bool, tyro.conf.arg(help="compose vectors for unseen words of pairs, in tables that have subwords")
    ] = False
    common: Annotated[bool, tyro.conf.arg(help="judge by what all the tables cover only")] = False
    seed: Annotated[int, tyro.conf.arg(help="of the bootstrap")] = 0
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


@dataclass(frozen=True)
class Judged:
    """What one table scored."""

    path: Path
    words: int
    dimension: int
    analogies: "AnalogyScore | None"
    similarity: "list[SimilarityScore]"

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return {
            "table": str(self.path),
            "words": self.words,
            "dimension": self.dimension,
            "analogies": self.analogies.to_json() if self.analogies else None,
            "similarity": [score.to_json() for score in self.similarity],
        }


def command(words: list[str]) -> int:
    """Judges."""
    options = parse(Options, words, "vectors evaluate")
    _check(options)
    from throughtime.vectors.judge import read_pairs, read_questions

    questions = read_questions(options.analogies) if options.analogies else None
    pairs = [read_pairs(path) for path in options.similarity]
    for each in pairs:
        if each.header is not None:
            sys.stderr.write(printable(f"{each.name}: its first line is taken for a header: {each.header}") + "\n")
    judged = judge(options, questions, pairs)
    if options.json:
        content = {
            "analogies": str(options.analogies) if options.analogies else None,
            "similarity": [str(path) for path in options.similarity],
            "maximum_vocab": options.maximum_vocab,
            "common": options.common,
            "seed": options.seed,
            "tables": [each.to_json() for each in judged],
        }
        sys.stdout.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        sys.stdout.write(_page(options, judged))
    return 0


def judge(options: Options, questions: "Questions | None", pairs: "Sequence[Pairs]") -> list[Judged]:
    """What each table scores."""
    from throughtime.vectors.judge import common, judge_analogies, judge_similarity
    from throughtime.vectors.table import Table

    lower, limit, seed = True if options.lower else None, options.maximum_vocab, options.seed
    tables = [Table.load(path) for path in options.tables]
    if options.common:
        questions = common(tables, questions, lower=lower, maximum_vocab=limit) if questions else None
        pairs = [common(tables, each, lower=lower, maximum_vocab=limit) for each in pairs]
    judged = []
    for path, table in zip(options.tables, tables, strict=True):
        analogies = None
        if questions is not None:
            analogies = judge_analogies(table, questions, by=options.by, lower=lower, maximum_vocab=limit, seed=seed)
        similarity = [
            judge_similarity(table, each, lower=lower, maximum_vocab=limit, compose=options.compose, seed=seed)
            for each in pairs
        ]
        judged.append(Judged(path, len(table), table.dimension, analogies, similarity))
    return judged


def _check(options: Options) -> None:
    if not options.tables:
        raise ArgumentError("name a table to judge: throughtime vectors evaluate TABLE... --similarity FILE...")
    if options.analogies is None and not options.similarity:
        raise ArgumentError("there is nothing to judge by; give --analogies FILE, --similarity FILE..., or both")
    if options.compose and options.common:
        raise ArgumentError("--compose adds words that tables lack, and --common leaves them out; give one of the two")
    if options.maximum_vocab < 1:
        raise ArgumentError(f"--maximum-vocab must be at least 1; got {options.maximum_vocab}")
    if options.seed < 0:
        raise ArgumentError(f"--seed must be at least 0; got {options.seed}")


def _page(options: Options, judged: list[Judged]) -> str:
    rows: Rows = [
        ("", [str(each.path) for each in judged]),
        ("words, dimension", [f"{each.words:,} × {each.dimension}" for each in judged]),
    ]
    analogies = [each.analogies for each in judged if each.analogies]
    if analogies:
        rows += _analogies(options, analogies)
    for scores in zip(*(each.similarity for each in judged), strict=True):
        rows += _similarity(scores)
    widths = [max(len(printable(name)) for name, _ in rows)]
    widths += [max(len(printable(cells[i])) for _, cells in rows if cells) for i in range(len(judged))]
    lines = [[printable(cell) for cell in (name, *cells)] for name, cells in rows]
    body = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=False)).rstrip() for line in lines]
    common = ", of what all these tables cover" if options.common else ""
    return "\n".join(body) + f"\n\nin brackets 95 % of 1,000 bootstrap samples, seed {options.seed}{common}\n"


def _analogies(options: Options, scores: "Sequence[AnalogyScore]") -> Rows:
    rows: Rows = [
        ("", []),
        (f"analogies by {options.by}", ["words folded to lower case" if score.lower else "" for score in scores]),
        ("  covered", [_coverage(score.total.covered, score.total.questions) for score in scores]),
        ("  all", [_accuracy(score.total) for score in scores]),
        ("  semantic", [_accuracy(score.semantic) for score in scores]),
        ("  syntactic", [_accuracy(score.syntactic) for score in scores]),
    ]
    for categories in zip(*(score.categories for score in scores), strict=True):
        rows.append((f"    {categories[0].name}", [_accuracy(category) for category in categories]))
    return rows


def _similarity(scores: "Sequence[SimilarityScore]") -> Rows:
    return [
        ("", []),
        (scores[0].name, ["words folded to lower case" if score.lower else "" for score in scores]),
        ("  covered", [_coverage(score.covered, score.pairs, score.composed) for score in scores]),
        ("  Spearman", [_correlation(score.spearman, score.spearman_interval) for score in scores]),
        ("  Pearson", [_correlation(score.pearson, score.pearson_interval) for score in scores]),
    ]


def _coverage(covered: int, whole: int, composed: int = 0) -> str:
    share = f" ({100 * covered / whole:.1f} %)" if whole else ""
    return f"{covered:,} of {whole:,}{share}" + (f", {composed:,} composed" if composed else "")


def _accuracy(share: "Share") -> str:
    if share.accuracy is None or share.interval is None:
        return NONE
    low, high = (100 * end for end in share.interval)
    return f"{100 * share.accuracy:.1f} % [{low:.1f}, {high:.1f}] of {share.covered:,}"


def _correlation(value: float | None, interval: "Interval | None") -> str:
    if value is None:
        return NONE
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")
