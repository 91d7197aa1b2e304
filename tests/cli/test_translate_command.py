"""translate through the command line's own door: order, blocks, rules, what is seen, and what is refused."""

import gzip
import io
import json
import os
import re

import pytest
import torch
from torch import nn

from throughtime import layers, runs
from throughtime.cells import GRU
from throughtime.cli import sources, translate
from throughtime.cli.main import run
from throughtime.data.line_units import LineUnits
from throughtime.data.pair_lengths import TargetLengths
from throughtime.heads import Softmax
from throughtime.inspect import alignments
from throughtime.models import translator as models
from throughtime.models.sought import Search
from throughtime.models.translation import Encoder, Reader, TranslationModel
from throughtime.models.translator import Translator
from throughtime.recipes import Classify

LINES = ["abc", "", "?b", "abcab", "  ", " bb "]


def translator(seed=0, *, letters="abc ", attend=True, width=2):
    """One that was not trained, and is sure of what it says all the same."""
    units = LineUnits.learn("character", [letters])
    torch.manual_seed(seed)
    core, inner = layers.Bidirectional(GRU(4, 5), GRU(4, 5)), layers.Recurrent(GRU(4, 6))
    encoder = Encoder(Reader(nn.Embedding(len(units), 4)), core, layers.Bridge(core, inner))
    decoder = layers.Attentive(inner, layers.Attend([layers.General(6, 10)]) if attend else None, hidden=6)
    head = Softmax(6, len(units))
    with torch.no_grad():
        for weight in head.parameters():
            weight.mul_(2.0)
        head.bias[units.end] = -1.0
    model = TranslationModel(encoder, Reader(nn.Embedding(len(units), 4)), decoder, head, end=units.end)
    return Translator(model, units, units, lengths=TargetLengths(1.0, 4), search=Search(width=width, longest=4))


ONE, OTHER, FOREIGN, BLIND = translator(2), translator(1), translator(2, letters="abxyz"), translator(attend=False)


@pytest.fixture
def ask(monkeypatch, capsys, tmp_path):
    """Translates bytes of stdin, or a file: the exit status, what is on stdout, what on stderr."""
    known = {"RUN": ONE, "OTHER": OTHER, "FOREIGN": FOREIGN, "BLIND": BLIND}
    monkeypatch.setattr(translate, "_loaded", lambda path: known[path.name])
    monkeypatch.chdir(tmp_path)

    def asked(*words, stdin=None, home="RUN"):
        monkeypatch.setattr("sys.stdin", None if stdin is None else io.TextIOWrapper(io.BytesIO(stdin)))
        status = run(["translate", home, *map(str, words)])
        return status, *capsys.readouterr()

    return asked


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"{line}\n" for line in LINES))
    return path


def best(line, one=ONE, search=None, **options):
    return one.translate([line.strip()], search or one.search, **options)[0]


def refused(asked):
    status, out, err = asked
    assert (status, out) == (2, "")
    assert err.startswith("throughtime: ")
    assert err.count("\n") == 1
    assert err.strip().isprintable()
    return err


@pytest.mark.parametrize(("block", "held"), [(2, 2**18), (1024, 4)])
def test_a_line_for_a_line_whatever_the_blocks_are(ask, lines, monkeypatch, block, held):
    monkeypatch.setattr(sources, "BLOCK", block)
    monkeypatch.setattr(sources, "HELD", held)
    status, out, err = ask(lines)
    assert (status, out.split("\n")) == (0, [*(best(line)[0].text for line in LINES), ""])
    assert len({*out.split()}) > 2
    assert err.startswith(
        "6 lines, 2 of them empty; 12 characters\n1 of 12 source characters are not in the vocabulary"
    )


def test_stdin_and_packed_files_say_what_files_do(ask, lines):
    out = ask(lines)[1]
    with gzip.open(lines.with_suffix(".gz"), "wb") as file:
        file.write(b"\xef\xbb\xbf" + lines.read_bytes().replace(b"\n", b"\r\n").removesuffix(b"\r\n"))
    assert ask(lines.with_suffix(".gz"))[:2] == (0, out)
    assert ask(stdin=lines.read_bytes())[:2] == (0, out)
    assert ask(stdin=b"") == (0, "", "")
    assert ask(stdin=b"\n") == (0, "\n", "")


def test_each_line_of_stdin_is_answered_before_the_next_is_read(ask, monkeypatch):
    answered, out = [], io.StringIO()

    class Slow(io.BytesIO):
        def readline(self, size=-1):
            answered.append(out.getvalue().count("\n"))
            return super().readline(size)

    class Held(io.StringIO):
        def flush(self):
            out.write(self.getvalue())
            self.truncate(0)
            self.seek(0)

    ask(stdin=b"")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Slow(b"abc\n\nc\n")))
    monkeypatch.setattr("sys.stdout", Held())
    assert run(["translate", "RUN"]) == 0
    assert answered == [0, 1, 2, 3]


def test_ctrl_c_and_a_closed_pipe_end_quietly(ask, monkeypatch, capsys, tmp_path):
    class Struck(io.BytesIO):
        def readline(self, size=-1):
            raise KeyboardInterrupt

    ask(stdin=b"")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Struck()))
    assert run(["translate", "RUN", "--alignments", "links.txt", "--page", "page.html"]) == 130
    assert not list(tmp_path.iterdir())
    read, write = os.pipe()
    os.close(read)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"abc\n")))
    with os.fdopen(write, "w") as gone:
        monkeypatch.setattr("sys.stdout", gone)
        assert run(["translate", "RUN"]) == 0
    assert capsys.readouterr() == ("", "")


def test_several_translations_of_a_line_with_their_scores(ask, lines):
    wanted = [best(line, search=Search(width=3, keep=3, alpha=0.5, longest=4)) for line in LINES]
    options = ["--n-best", 3, "--beam", 3, "--alpha", 0.5]
    rows = [row.split("\t") for row in ask(lines, *options, "--scores")[1].splitlines()]
    told = [
        [str(number), str(rank), f"{one.score:.4f}", f"{one.log_probability:.4f}", one.text]
        for number, found in enumerate(wanted, 1)
        for rank, one in enumerate(found, 1)
        if LINES[number - 1].strip()
    ]
    nothing = [["2", "1", "", "", ""], ["5", "1", "", "", ""]]
    assert [row for row in rows if row not in nothing] == told
    assert [row for row in rows if row in nothing] == nothing
    facts = [json.loads(row) for row in ask(lines, *options, "--json")[1].splitlines()]
    assert [fact["line"] for fact in facts] == list(range(1, 7))
    assert [[one["text"] for one in fact["translations"]] for fact in facts] == [
        [one.text for one in f] for f in wanted
    ]
    assert facts[0]["translations"][0] == {
        "text": wanted[0][0].text,
        "log_probability": pytest.approx(wanted[0][0].log_probability, abs=1e-4),
        "score": pytest.approx(wanted[0][0].score, abs=1e-4),
        "finished": wanted[0][0].finished,
    }
    assert [row.count("\t") for row in ask("--scores", stdin=b"abc\n\n")[1].splitlines()] == [2, 2]


def test_rules_are_kept_and_what_is_cut_off_is_told(ask, lines):
    out = ask(lines, "--forbid", "a", "b", "--shortest", 2, "--longest", 5, "--prefix", "c", "--beam", 3)[1]
    for line, row in zip(LINES, out.split("\n"), strict=False):
        assert not line.strip() or (row.startswith("c") and not {*row.split()} & {*"ab"} and 2 <= len(row) <= 5)
    assert "bc" in ask("--require", "bc", "--beam", 4, stdin=b"abc\n")[1]
    err = ask("--longest", 1, "--shortest", 1, stdin=b"abc\na\n")[2]
    assert re.search(r"\d translations were cut off at --longest 1: raise --longest if they should go on", err)


def test_a_line_for_which_there_is_nothing_has_an_empty_row(ask, lines, monkeypatch, tmp_path):
    drawn = lambda self, texts, search, partners: [[] for _ in texts]  # noqa: E731
    monkeypatch.setattr(models.Translator, "translate", drawn)
    status, out, err = ask(lines, "--alignments", "links.txt")
    assert (status, out, (tmp_path / "links.txt").read_text()) == (0, "\n" * 6, "\n" * 6)
    assert "6 lines have no translation that keeps to the rules; their rows are empty" in err


def test_several_runs_are_searched_together(ask, lines):
    assert ask("--with", "RUN", "RUN", stdin=b"abc\n")[1].strip("\n") == best("abc")[0].text
    out = ask("--with", "OTHER", stdin=b"abc\n")[1]
    assert out.strip("\n") == best("abc", partners=[OTHER])[0].text
    assert "have the same units" in refused(ask(lines, "--with", "FOREIGN"))


def test_what_is_drawn_by_chance_is_the_same_by_its_seed(ask, lines):
    words = [lines, "--sample", "--longest", 3, "--temperature", 1.5, "--top-k", 3, "--top-p", 0.99, "--n-best", 2]
    first, again, other = (ask(*words, "--seed", seed)[1] for seed in (3, 3, 4))
    assert first == again != other
    err = ask(*words)[2]
    assert re.match(r"seed \d+\n6 lines", err)


def test_links_a_page_and_a_picture(ask, lines, tmp_path):
    status, out, _ = ask(lines, "--alignments", "links.txt", "--page", "p.html", "--picture", "p.svg", "--line", 4)
    assert (status, out) == ask(lines)[:2]
    links = (tmp_path / "links.txt").read_text().split("\n")
    assert len(links) == 7
    for line, row in zip(LINES, links, strict=False):
        pairs = [tuple(map(int, pair.split("-"))) for pair in row.split()]
        assert pairs == (ONE.align(line.strip(), best(line)[0].ids).links() if line.strip() else [])
    assert any(links)
    text = (tmp_path / "p.html").read_text()
    assert text.count("<li ") == 4
    assert 'aria-label="Source"><span>?</span><span>b</span>' in text  # as it is, though it is not known
    assert "RUN, line 4" not in text
    assert (tmp_path / "p.svg").read_text().startswith("<?xml")
    ask(lines, "--alignments", "all.txt", "--threshold", 0.01)
    assert len((tmp_path / "all.txt").read_text()) > len("\n".join(links))
    assert {path.name for path in tmp_path.iterdir()} == {"lines.txt", "links.txt", "p.html", "p.svg", "all.txt"}


def test_hostile_lines_are_texts_on_the_page_and_steer_no_terminal(ask, tmp_path, monkeypatch):
    evil = "</script><img src=x onerror=a>"
    status, _, err = ask("--page", "p.html", stdin=f"{evil}\x1b[2J\n".encode())
    text = (tmp_path / "p.html").read_text()
    assert status == 0
    assert "<img" not in text
    assert "\x1b" not in text + err
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(
        models.Translator, "said", lambda self, one: models.Translation("a\x1b[2J\tb", (1,), -1.0, -1.0, True)
    )
    assert ask(stdin=b"abc\n")[1] == "a\x1b[2J b\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"abc\n")))
    monkeypatch.setattr("sys.stdout", terminal)
    assert run(["translate", "RUN"]) == 0
    assert terminal.getvalue() == "a\\u001b[2J b\n"


def test_a_long_source_is_translated_and_one_too_long_refused_by_its_line(ask, lines, monkeypatch):
    status, out, _ = ask("--longest", 3, "--beam", 1, stdin=b"ab" * 500 + b"\n")
    assert status == 0
    assert len(out) <= 4
    monkeypatch.setattr(models, "SOURCE_LIMIT", 5)
    says = "4: a source has 5 characters, and 4 is the limit: part it; or leave its row empty with --on-error skip\n"
    assert refused(ask(lines)).endswith(f"lines.txt, line {says}")
    status, out, err = ask(stdin=lines.read_bytes())
    assert (status, out.count("\n"), err) == (2, 3, f"throughtime: line {says}")
    for asked in (ask(lines, "--on-error", "skip"), ask("--on-error", "skip", stdin=lines.read_bytes())):
        status, out, err = asked
        assert out.split("\n") == ["" if len(line) > 4 else best(line)[0].text for line in LINES] + [""]
        assert "its row is empty\n" in err
        assert "1 lines could not be read; their rows are empty" in err
    monkeypatch.setattr(sources, "LIMIT", 4)
    assert "it has 5 characters, and 4 is the limit" in refused(ask(lines))


def test_a_line_of_stdin_that_is_not_utf8_keeps_its_row(ask):
    status, out, err = ask("--on-error", "skip", stdin=b"\xff\nabc\n\xff\n\xff")
    assert (status, out) == (0, f"\n{best('abc')[0].text}\n\n\n")
    assert "3 lines could not be read" in err
    assert "line 1: byte 0xff at 1 is not UTF-8" in refused(ask(stdin=b"\xff\nabc\n"))


BAD = [
    ("none.txt", None, [], "no such file: none.txt"),
    ("folder", ..., [], "folder is a folder; give a text file"),
    ("empty.txt", b"", [], "empty.txt is empty; give a file with a line"),
    ("a.bin", b"ab\0c\n", [], "a.bin is binary (a zero byte at 2)"),
    ("a.txt", b"abc\nb\xe9\n", [], "a.txt is not UTF-8: byte 0xe9 at offset 5, line 2; convert it"),
    ("a.gz", b"abc\n", [], "a.gz is not a whole gzip file"),
    *(
        ("a.txt", b"abc\n", options, says)
        for options, says in [
            (["--beam", 0], "--beam must be in 1..1,000; got 0"),
            (["--beam", 10**6], "--beam must be in 1..1,000; got 1000000"),
            (["--n-best", 0], "--n-best must be in 1..1,000"),
            (["--n-best", 4, "--beam", 3], "--n-best must be in 1..3, the width of the beam; got 4"),
            (["--alpha", -1], "--alpha must be at least 0 and finite; got -1"),
            (["--coverage", "nan"], "--coverage must be at least 0 and finite; got nan"),
            (["--groups", 0], "--groups must be at least 1; got 0"),
            (["--groups", 2, "--beam", 3, "--diversity", 1], "groups must divide the width 3; got 2"),
            (["--groups", 2, "--beam", 4], "groups above 1 and a diversity above 0 go together"),
            (["--groups", 2, "--beam", 4, "--diversity", 1, "--require", "a"], "--require and --groups do not go"),
            (["--longest", 10**7], "--longest must be at most 32,768; got 10000000"),
            (["--longest", 2, "--prefix", "abc"], "the prefix has 3 symbols, over longest 2"),
            (["--longest", 0], "--longest must be at least 1; got 0"),
            (["--shortest", 5, "--longest", 4], "--shortest 5 is over --longest 4: change one of them"),
            (["--forbid", "b", "--require", "b"], "--require 'b' says --forbid 'b': leave one of them out"),
            (["--forbid", "b", "--prefix", "a b"], "--prefix 'a b' says --forbid 'b': leave one of them out"),
            (["--forbid", ""], "--forbid has an empty word: leave it out"),
            (["--forbid", "x"], "forbidden 'x' has characters that the vocabulary lacks"),
            (["--forbid", "c,a"], "forbidden 'c,a' has characters"),  # commas are no end of a phrase
            (["--prefix", "ax"], "prefix 'ax' has characters that the vocabulary lacks"),
            (["--temperature", 0.5], "--temperature belongs to --sample: give both, or leave it out"),
            (["--sample", "--beam", 2], "--beam is of a search, and --sample draws by chance"),
            (["--sample", "--with", "OTHER"], "--with is of a search"),
            (["--seed", -1, "--sample"], "--seed must be in 0..2^63; got -1"),
            (["--threshold", 0.5], "--threshold belongs to --alignments"),
            (["--threshold", 1.5, "--alignments", "l.txt"], "--threshold is a weight in (0, 1]; got 1.5"),
            (["--line", 1], "--line belongs to --picture"),
            (["--picture", "p.gif"], "drawings go into a .png, .svg or .pdf file; got p.gif"),
            (["--picture", "none/p.png"], "cannot write none/p.png: there is no folder none; choose another --picture"),
            (["--alignments", "."], "cannot write .: it is a folder; choose another --alignments"),
            (["--page", "p.pdf"], "--page is an .html file; got 'p.pdf'"),
            (["--baem", 3], "unknown option --baem; did you mean '--beam'?"),
        ]
    ),
]


@pytest.mark.parametrize(("name", "body", "options", "says"), BAD)
def test_what_does_not_fit_is_one_line(ask, tmp_path, name, body, options, says):
    if body is ...:
        (tmp_path / name).mkdir()
    elif body is not None:
        (tmp_path / name).write_bytes(body)
    before = {*tmp_path.iterdir()}
    assert says in refused(ask(name, *options))
    assert {*tmp_path.iterdir()} == before


def test_a_closed_stdin_is_one_line(ask):
    assert "translate reads stdin, which is closed; pipe lines into it or give a FILE" in refused(ask())


@pytest.mark.parametrize("options", [["--alignments", "l.txt"], ["--page", "p.html"], ["--picture", "p.png"]])
def test_a_model_that_does_not_look_is_told_before_any_line(ask, lines, tmp_path, options):
    assert "attention" in refused(ask(lines, *options, home="BLIND"))
    assert ask(lines, home="BLIND")[0] == 0
    assert {*tmp_path.iterdir()} == {lines}


def test_lines_whose_weights_would_be_too_many_are_counted(ask, lines, monkeypatch, tmp_path):
    monkeypatch.setattr(models, "WEIGHTS", 6 * 3)
    status, out, err = ask(lines, "--longest", 2, "--shortest", 2, "--alignments", "l.txt", "--page", "p.html")
    assert status == 0
    assert "nothing is seen of them" not in err
    monkeypatch.setattr(models, "WEIGHTS", 6 * 3 - 1)
    again = ask(lines, "--longest", 2, "--shortest", 2, "--alignments", "l.txt", "--page", "p.html")
    assert again[:2] == (status, out)
    assert "1 lines are too long for their weights to be held; nothing is seen of them" in again[2]
    assert (tmp_path / "l.txt").read_text().split("\n")[3] == ""
    assert (tmp_path / "p.html").read_text().count("<li ") == 3


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (99, "there is no line 99 to draw in 6 lines; choose another --line"),
        (2, "line 2 has no translation, or one too long to be drawn; choose another --line"),
    ],
)
def test_a_line_that_cannot_be_drawn(ask, lines, tmp_path, line, says):
    status, _, err = ask(lines, "--picture", "p.png", "--line", line)
    assert status == 2
    assert says in err
    assert {*tmp_path.iterdir()} == {lines}


def test_a_line_too_long_to_be_drawn_does_no_harm_to_the_rest(ask, lines, tmp_path, monkeypatch):
    monkeypatch.setattr(alignments, "MOST_UNITS", 4)
    options = ["--longest", 3, "--picture", "p.png", "--page", "p.html", "--alignments", "l.txt"]
    status, out, err = ask(lines, *options, "--line", 4)
    assert (status, out.count("\n")) == (2, len(LINES))
    assert "line 4: a picture shows at most 4 units of a side; got 6 of the source" in err
    assert (tmp_path / "p.html").read_text().count("<li ") == 4
    assert (tmp_path / "l.txt").read_text().count("\n") == len(LINES)
    assert not (tmp_path / "p.png").exists()
    lines.write_text("abcab\nab\n")
    assert ask(lines, *options)[0] == 0  # the first that can be drawn
    assert (tmp_path / "p.png").exists()


def test_a_run_of_another_kind_says_what_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(runs, "find_whole", lambda run: run)
    monkeypatch.setattr(runs, "recipe_of", lambda home: Classify(train="x"))
    assert run(["translate", "some/run"]) == 2
    err = capsys.readouterr().err
    assert "some/run holds a classifier, and translate is for translators; try throughtime predict" in err
    monkeypatch.undo()
    assert run(["translate", str(tmp_path / "none")]) == 2
    assert "no such run folder" in capsys.readouterr().err
