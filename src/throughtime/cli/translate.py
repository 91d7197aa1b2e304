"""throughtime translate RUN [FILE]: a line of a translation for each line, at once or in blocks."""

import json
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from throughtime.cli.bar import bar
from throughtime.cli.listen import leaving
from throughtime.cli.parse import Phrase, parse
from throughtime.cli.seen import Seen, check_files
from throughtime.cli.sources import Block, Source, of_file, of_stdin, one_line
from throughtime.cli.translate_checks import check
from throughtime.errors import ArgumentError, printable

if TYPE_CHECKING:
    from throughtime.models.sought import Search, Translation
    from throughtime.models.translator import Translator


@dataclass
class Options:
    """Translates each line of stdin at once, or a file in blocks; an empty line stays empty."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run of train translate")]
    file: Annotated[
        tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="FILE", help="lines (.gz too); else stdin is read")
    ] = None
    beam: Annotated[int | None, tyro.conf.arg(help="hypotheses of the search (as in training, if not given)")] = None
    alpha: Annotated[float | None, tyro.conf.arg(help="of lengths T: log p / T^alpha ranks; 0 favours short ones")] = (
        None
    )
    coverage: Annotated[float, tyro.conf.arg(help="weight of the penalty for source places never looked at")] = 0.0
    n_best: Annotated[int, tyro.conf.arg(help="translations of a line: each a row of line number, rank, text")] = 1
    scores: Annotated[bool, tyro.conf.arg(help="before each text its score and log-probability, with tabs")] = False
    groups: Annotated[int, tyro.conf.arg(help="groups that the beam is divided into, kept apart by --diversity")] = 1
    diversity: Annotated[float, tyro.conf.arg(help="nats a symbol costs for each earlier group that took it")] = 0.0
    longest: Annotated[
        int | None, tyro.conf.arg(help="symbols at which the search gives up (more than any target of such a line had)")
    ] = None
    shortest: Annotated[int, tyro.conf.arg(help="symbols of a translation, at least")] = 0
    prefix: Annotated[str, tyro.conf.arg(help="what every translation begins with")] = ""
    forbid: Annotated[
        tuple[Phrase, ...], tyro.conf.arg(help="words or phrases that never come, but within longer words")
    ] = ()
    require: Annotated[
        tuple[Phrase, ...], tyro.conf.arg(help="words or phrases that must come, maybe within longer words")
    ] = ()
    ensemble: Annotated[
        tuple[Path, ...], tyro.conf.arg(name="with", help="more runs with the same units: the mean of all is searched")
    ] = ()
    sample: Annotated[bool, tyro.conf.arg(help="draw translations by chance instead of searching")] = False
    temperature: Annotated[float | None, tyro.conf.arg(help="of --sample: below 1 safer, above 1 wilder")] = None
    top_k: Annotated[int | None, tyro.conf.arg(help="of --sample: among the k likeliest symbols only")] = None
    top_p: Annotated[float | None, tyro.conf.arg(help="of --sample: among the likeliest that make up this share")] = (
        None
    )
    seed: Annotated[int | None, tyro.conf.arg(help="of --sample: the same seed draws the same; told if not given")] = (
        None
    )
    alignments: Annotated[Path | None, tyro.conf.arg(help="write which word belongs to which, as Pharaoh does")] = None
    threshold: Annotated[
        float | None, tyro.conf.arg(help="of --alignments: all with this weight at least, not the strongest alone")
    ] = None
    page: Annotated[Path | None, tyro.conf.arg(help="write an .html page that shows what each word looked at")] = None
    picture: Annotated[
        Path | None, tyro.conf.arg(help="draw what a translation looked at into a .png, .svg or .pdf file")
    ] = None
    line: Annotated[int | None, tyro.conf.arg(help="of --picture: which line (the first that can be drawn)")] = None
    on_error: Annotated[
        Literal["stop", "skip"], tyro.conf.arg(help="a line that cannot be read: end it all, or leave its row empty")
    ] = "stop"
    invalid_bytes: Annotated[
        Literal["refuse", "skip"], tyro.conf.arg(help="of FILE: bytes that are not UTF-8: refuse, or skip them")
    ] = "refuse"
    json: Annotated[bool, tyro.conf.arg(help="JSON lines")] = False


def command(words: list[str]) -> int:
    """Translates."""
    options = parse(Options, words, "translate")
    check(options)
    check_files(options)
    if options.file is None and sys.stdin is None:
        raise ArgumentError("translate reads stdin, which is closed; pipe lines into it or give a FILE")
    translator, partners = _loaded(options.run), [_loaded(run) for run in options.ensemble]
    maker = _Maker(options, translator, partners)
    if options.coverage or options.alignments or options.page or options.picture:
        _check_looks({options.run: translator, **dict(zip(options.ensemble, partners, strict=True))})
    if options.sample and options.seed is None:
        sys.stderr.write(f"seed {maker.seed}\n")
    source = Source(translator, options.on_error)
    blocks = of_stdin(source) if options.file is None else of_file(source, options.file, options.invalid_bytes)
    with leaving(), translator.ready(partners), Seen(options, translator, partners) as seen:
        if options.file is None:
            _told_what_to_type()
            for block in blocks:
                _answer(maker, block, seen, options)
        else:
            with bar("translating") as tell:
                for block in blocks:
                    _answer(maker, block, seen, options)
                    tell(source.bytes, source.size, f"{block[-1].number:,} lines")
    notes = [*source.told(), *maker.told(), *seen.told]
    if options.file is not None or notes:
        sys.stderr.writelines(f"{printable(line)}\n" for line in [source.counted(), *notes])
    seen.check_drawn()
    return 0


def _loaded(run: Path) -> "Translator":
    """The translator of a run. Raises `ArgumentError` for a run of another kind, with what to do with it."""
    from throughtime.runs import find_whole, load_from, recipe_of
    from throughtime.runs.folders import check_made

    home = find_whole(run)
    check_made(recipe_of(home), run, "translate", "translate")
    translator: Translator = load_from(home)
    return translator


def _check_looks(translators: "dict[Path, Translator]") -> None:
    """Raises `ArgumentError`, before any line is read, for a run whose model does not look at the source."""
    for run, translator in translators.items():
        try:
            translator.align("", ())
        except ArgumentError as error:
            raise ArgumentError(f"{run}: {error}") from None


def _told_what_to_type() -> None:
    if sys.stdin.isatty():
        sys.stderr.write("Type a line and press Enter; Ctrl-D ends.\n")


@dataclass
class _Maker:
    """Makes translations as the options say, and counts those that did not come to their end."""

    options: Options
    translator: "Translator"
    partners: Sequence["Translator"]
    cut: int = 0
    empty: int = 0  # translations of lines that are not
    none: int = 0  # lines for which nothing keeps to the rules
    seed: int = field(init=False)
    search: "Search" = field(init=False)

    def __post_init__(self) -> None:
        given = self.options
        self.seed = secrets.randbelow(2**31) if given.seed is None else given.seed
        search = self.translator.search
        self.search = replace(
            search,
            width=given.beam or max(search.width, given.n_best) if given.groups == 1 else given.beam or search.width,
            keep=1 if given.sample else given.n_best,
            alpha=search.alpha if given.alpha is None else given.alpha,
            coverage=given.coverage,
            groups=given.groups,
            diversity=given.diversity,
            shortest=given.shortest,
            longest=search.longest if given.longest is None else given.longest,
            forbidden=given.forbid,
            required=given.require,
            prefix=given.prefix,
        )
        # What does not go together is refused before any line is read.
        _ = self.search.beam
        self.translator.translate([], self.search, partners=self.partners)

    def make(self, block: Block) -> list[list["Translation"]]:
        """The translations of each line of a block, the best first, or in the order in which they were drawn."""
        texts = [line.text for line in block]
        if self.options.sample:
            found = self.translator.sample(
                texts, self._sampling(), self.search, numbers=[line.number for line in block]
            )
        else:
            found = self.translator.translate(texts, self.search, partners=self.partners)
        self.cut += sum(not best.finished for best, *_ in filter(None, found))
        self.none += sum(not some for some in found)
        self.empty += sum(
            bool(line.text and some and not some[0].text) for line, some in zip(block, found, strict=True)
        )
        return found

    def _sampling(self) -> Any:
        """How lines are drawn."""
        from throughtime.search import Sampling

        given = self.options
        temperature = 1.0 if given.temperature is None else given.temperature
        return Sampling(given.n_best, temperature, given.top_k, given.top_p, self.seed)

    def told(self) -> list[str]:
        """What went wrong, in sentences."""
        notes = []
        if self.cut:
            limit = f"--longest {self.search.longest}" if self.search.longest else "the longest length"
            notes.append(f"{self.cut:,} translations were cut off at {limit}: raise --longest if they should go on")
        if self.empty:
            notes.append(f"{self.empty:,} lines that are not empty have an empty translation")
        if self.none:
            notes.append(f"{self.none:,} lines have no translation that keeps to the rules; their rows are empty")
        return notes


def _answer(maker: _Maker, block: Block, seen: Seen, options: Options) -> None:
    """Writes the translations of a block, and hands the best of each to whoever looks at them."""
    for line, found in zip(block, maker.make(block), strict=True):
        for row in _rows(line.number, bool(line.text), found, options):
            sys.stdout.write(row + "\n")
        if line.text and found:
            seen.take(line, found[0])
        else:
            seen.skip(line)
    sys.stdout.flush()


def _rows(number: int, filled: bool, found: Sequence["Translation"], options: Options) -> Iterator[str]:
    """The rows of a line: one, or with --n-best as many as there are translations."""
    terminal = sys.stdout.isatty()
    if options.json:
        facts = [
            {"text": one_line(one.text), "log_probability": one.log_probability, "score": one.score}
            | {"finished": one.finished}
            for one in found
        ]
        content = {"line": number, "translations": facts}
        yield json.dumps(content, ensure_ascii=terminal, allow_nan=False)
        return
    for rank, one in enumerate(found if filled and found else [None], 1):
        cells = [str(number), str(rank)] if options.n_best > 1 else []
        if options.scores:
            cells += [f"{one.score:.4f}", f"{one.log_probability:.4f}"] if one else ["", ""]
        text = one_line(one.text) if one else ""
        yield "\t".join([*cells, printable(text) if terminal else text])
