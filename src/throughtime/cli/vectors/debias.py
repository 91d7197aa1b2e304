"""throughtime vectors debias TABLE: takes a direction, such as that from he to she, out of a table."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from throughtime.cli.parse import parse
from throughtime.cli.vectors.debiased import page
from throughtime.errors import ArgumentError, StorageError

if TYPE_CHECKING:
    from throughtime.vectors.debias import Direction
    from throughtime.vectors.lists import Association
    from throughtime.vectors.table import Table

PICTURES = (".png", ".svg")
STRENGTH = 0.2
SHOWN, DRAWN = 8, 20  # words of each end


@dataclass
class Options:
    """Takes a direction out of a table, as Bolukbasi et al. (2016), and measures what that did.

    Files are JSON, or a pair or a word a line. Without --pairs, small English lists of our own say what is male, female
    and neither; with it, what the other options do not name stays empty, and all words but the specific are neutral.
    """

    table: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TABLE", help="a table")]
    out: Annotated[Path, tyro.conf.arg(help="where the new table goes; its ending says the kind of file")]
    pairs: Annotated[Path | None, tyro.conf.arg(help="pairs of words that differ along the direction")] = None
    equalise: Annotated[Path | None, tyro.conf.arg(help="pairs to be made equal but for the direction (hard only)")] = (
        None
    )
    specific: Annotated[Path | None, tyro.conf.arg(help="words that keep the direction")] = None
    neutral: Annotated[
        Path | None, tyro.conf.arg(help="words that should not lean: those measured, and what soft frees of it")
    ] = None
    method: Annotated[
        Literal["hard", "soft"], tyro.conf.arg(help="hard projects the direction away, soft trades it for products")
    ] = "hard"
    strength: Annotated[
        float | None,
        tyro.conf.arg(
            help=f"how much soft weighs the direction, {STRENGTH} if not given; 1000 changes much in 20,000 words"
        ),
    ] = None
    components: Annotated[int, tyro.conf.arg(help="axes of the direction")] = 1
    weat: Annotated[
        tuple[Path, ...], tyro.conf.arg(metavar="FILE...", help="association tests in JSON, before and after")
    ] = ()
    plot: Annotated[Path | None, tyro.conf.arg(help="draw the words that lean most into this .png or .svg")] = None
    seed: Annotated[int, tyro.conf.arg(help="of the association tests' random partitions")] = 0
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


@dataclass(frozen=True)
class Lists:
    """What the files say; `neutral` is None where all words but the specific are."""

    pairs: list[tuple[str, str]]
    equal: list[tuple[str, str]]
    specific: list[str]
    neutral: list[str] | None
    associations: "list[Association]"


def command(words: list[str]) -> int:
    """Takes a direction out."""
    options = parse(Options, words, "vectors debias")
    _check(options)
    lists = read_lists(options)
    from throughtime.vectors.debias import direction
    from throughtime.vectors.table import Table

    table = Table.load(options.table)
    found = direction(table, lists.pairs, options.components)
    others = _others(table, found, lists)
    measured, missing = _present(table, lists.neutral) if lists.neutral is not None else (others, [])
    if not measured:
        raise ArgumentError(f"none of {len(missing)} neutral words is in the table; give a --neutral of its words")
    mended = _mended(options, lists, table, found, others)
    facts = {
        "table": str(options.table),
        "out": str(options.out),
        "pairs": [list(pair) for pair in found.used],
        "pairs_missing": [list(pair) for pair in found.missing],
        "shares": found.shares,
        "explained": found.explained,
        "done": mended.facts["debias"],
        "measured": len(measured),
        "measured_missing": missing,
        "before": _measure(table, found, measured, lists, options),
        "after": _measure(mended, found, measured, lists, options),
    }
    body = _picture(options, found, table, mended, measured) if options.plot else b""
    with _ready(options.plot, body):
        mended.save(options.out)
    said = json.dumps(facts, ensure_ascii=False, allow_nan=False) + "\n" if options.json else page(facts)
    sys.stdout.write(said)
    return 0


def read_lists(options: Options) -> Lists:
    """The lists of the files; our own where --pairs is not given."""
    from throughtime.vectors.lists import own, read_associations, read_word_pairs, read_words

    ours = options.pairs is None
    equal = options.equalise or (own("equalise") if ours and options.method == "hard" else None)
    specific = options.specific or (own("specific") if ours else None)
    neutral = options.neutral or (own("neutral") if ours else None)
    tests = options.weat or ((own("associations"),) if ours else ())
    return Lists(
        read_word_pairs(options.pairs or own("definitional")),
        read_word_pairs(equal) if equal else [],
        read_words(specific) if specific else [],
        read_words(neutral) if neutral else None,
        [association for path in tests for association in read_associations(path)],
    )


def _check(options: Options) -> None:
    """What can be refused before any work."""
    if options.out.resolve() == options.table.resolve():
        raise ArgumentError(f"--out is the table itself, {options.out}; choose another name")
    if options.strength is not None and options.method == "hard":
        raise ArgumentError("--strength is of --method soft, and the method is hard; leave it out")
    if options.equalise is not None and options.method == "soft":
        raise ArgumentError("--equalise is of --method hard, and the method is soft; leave it out")
    if options.seed < 0:
        raise ArgumentError(f"--seed must be at least 0; got {options.seed}")
    if options.plot is None:
        return
    if options.plot.suffix not in PICTURES:
        raise ArgumentError(f"--plot draws into a .png or .svg file; got {options.plot}")
    if options.plot.is_dir() or not options.plot.parent.is_dir():
        what = "it is a folder" if options.plot.is_dir() else f"{options.plot.parent} is no folder"
        raise StorageError(f"cannot write {options.plot}: {what}; choose another --plot")
    from throughtime.inspect.pictures import find_fonts

    find_fonts()  # or we should learn only at the end that there is nothing to draw with


def _present(table: "Table", words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a table that a list names, and those of the list that are not in it."""
    from throughtime.vectors.lookup import Lookup

    rows, missing = Lookup.of(table).split(words)
    return [table.words[row] for row in rows.tolist()], missing


def _others(table: "Table", found: "Direction", lists: Lists) -> list[str]:
    """The words that are neither specific nor of the pairs."""
    named, _ = _present(table, [*lists.specific, *(word for pair in found.used for word in pair)])
    left_out = set(named)
    return [word for word in table.words if word not in left_out]


def _mended(options: Options, lists: Lists, table: "Table", found: "Direction", others: list[str]) -> "Table":
    if options.method == "hard":
        from throughtime.vectors.debias import hard

        return hard(table, found, lists.specific, lists.equal)
    from throughtime.vectors.soften import soft

    neutral = lists.neutral if options.neutral and lists.neutral is not None else others
    return soft(table, found, neutral, STRENGTH if options.strength is None else options.strength)


def _measure(table: "Table", found: "Direction", words: list[str], lists: Lists, options: Options) -> dict[str, Any]:
    """How much the words lean: along the direction, and along that which the pairs have in this very table."""
    from throughtime.vectors.association import extremes
    from throughtime.vectors.debias import direct_bias, direction

    try:
        anew = direct_bias(table, words, direction(table, found.used, len(found.axes)))
    except ArgumentError:  # the pairs do not differ any more
        anew = None
    high, low = extremes(table, words, found, SHOWN)
    return {
        "direct_bias": direct_bias(table, words, found),
        "direct_bias_along_new_direction": anew,
        "most": [list(each) for each in high],
        "least": [list(each) for each in low],
        "associations": [_associate(table, association, options.seed) for association in lists.associations],
    }


def _associate(table: "Table", association: "Association", seed: int) -> dict[str, Any]:
    """What an association test finds, or why it finds nothing."""
    from throughtime.vectors.association import weat

    try:
        return weat(table, association, seed=seed).to_json()
    except ArgumentError as error:
        return {"name": association.name, "effect": None, "reason": str(error)}


def _picture(options: Options, found: "Direction", table: "Table", mended: "Table", words: list[str]) -> bytes:
    from throughtime.inspect.projections import projections
    from throughtime.vectors.association import extremes, project

    chosen = [word for side in extremes(table, words, found, DRAWN) for word, _ in side] or words[:DRAWN]
    before, after = (project(each, chosen, found).tolist() for each in (table, mended))
    first, second = found.used[0]
    more = f" and {len(found.used) - 1} more pairs" if len(found.used) > 1 else ""
    assert options.plot is not None
    return projections(
        chosen,
        before,
        after,
        kind="png" if options.plot.suffix == ".png" else "svg",
        ends=(first, second),
        title=f"{options.table.absolute().name}: {options.method} debiasing",
        subtitle=f"The {len(chosen)} of {len(words):,} neutral words that lean most, {first}–{second}{more}",
    )


@contextmanager
def _ready(path: Path | None, body: bytes) -> Iterator[None]:
    """A file lies ready while something else is written, and gets its name if that goes well."""
    if path is None:
        yield
        return
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_bytes(body)
        yield
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"cannot write {path}: {error.strerror or error}; choose another --plot") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
