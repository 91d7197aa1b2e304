"""Pairs of lines: what is read, counted and refused, from parallel files and from tables."""

import csv
import gzip
import hashlib
import io
import json

import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from throughtime.data import pairs as module
from throughtime.data.pairs import divide, overlap, read_pairs, read_parallel
from throughtime.errors import DataError

LINES = [("a cat", "eine Katze"), ('"no"', '"nein"'), ("tea , please", "Tee, bitte"), ("a cat", "ein Kater")]
TABLES = [".tsv", ".csv", ".jsonl", ".ndjson", ".parquet", ".tsv.gz", ".csv.gz", ".jsonl.gz"]


def written(folder, name, content):
    path = folder / name
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    return path


def parallel(folder, sources, targets, ending=""):
    return written(folder, f"a.en{ending}", sources), written(folder, f"a.de{ending}", targets)


def table(folder, kind, rows, names):
    """A file of that kind; a line of names, if there are names."""
    if kind == ".parquet":
        polars.DataFrame(rows, schema=list(names), orient="row").write_parquet(folder / f"pairs{kind}")
        return folder / f"pairs{kind}"
    if "json" in kind:
        content = "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)
    elif kind.startswith(".tsv"):
        content = "".join("\t".join(row) + "\n" for row in ([names, *rows] if names else rows))
    else:
        buffer = io.StringIO()
        csv.writer(buffer).writerows([names, *rows] if names else rows)
        content = buffer.getvalue()
    return written(folder, f"pairs{kind}", content)


def both(pairs):
    return list(zip(pairs.sources, pairs.targets, strict=True))


def refused(read, message):
    """Reading is refused with this, on one line."""
    with pytest.raises(DataError, match=message) as raised:
        read()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_of_parallel_files_are_pairs(tmp_path, ending, newline):
    paths = parallel(tmp_path, *(newline.join(side) + newline for side in zip(*LINES, strict=True)), ending)
    pairs = read_parallel(*paths)
    assert both(pairs) == LINES
    assert (pairs.lines, len(pairs), pairs.paths) == ([1, 2, 3, 4], 4, paths)
    assert pairs.where(2) == f"{paths[0]} and {paths[1]}, line 3"
    assert pairs.bytes == sum(path.stat().st_size for path in paths)
    assert pairs.sha256 == tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    assert set(pairs.left_out.values()) == {0}


def test_the_last_line_needs_no_end_and_only_a_line_feed_ends_one(tmp_path):
    pairs = read_parallel(*parallel(tmp_path, "a\u2028b\x0bc\nd", "x\ny\n"))
    assert both(pairs) == [("a\u2028b\x0bc", "x"), ("d", "y")]


def test_lines_stay_as_they_are_but_for_white_space_around(tmp_path):
    composed, decomposed = "é", "e\N{COMBINING ACUTE ACCENT}"
    pairs = read_parallel(*parallel(tmp_path, f"\ufeff  {composed}  {decomposed}\t\n", f"{decomposed}\n"))
    assert both(pairs) == [(f"{composed}  {decomposed}", decomposed)]


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        ("a\nb\nc\nd\n", "x\ny\n", "a.en has 4 lines and .*a.de 2: line 3 of .*a.en is left alone, 'c'"),
        ("a\n", "x\ny\n", "a.en has 1 lines and .*a.de 2: line 2 of .*a.de is left alone, 'y'"),
        ("", "x\n", "a.en has 0 lines and .*a.de 1: line 1 of .*a.de is left alone"),
        ("a\n", "x\n\n", "a.en has 1 lines and .*a.de 2: line 2 of .*a.de is left alone, ''"),
        (
            "a\n\nc\n",
            "x\ny\nz\n",
            "line 2: the source is empty where the target is 'y'; fill it in, or .*--missing skip",
        ),
        ("a\nb\n", "x\n \t\n", "line 2: the target is empty where the source is 'b'"),
        ("\n\n", "\n \n", "a.en and .*a.de: no pairs, only 2 empty"),
        ("a\n\x1b[31m\n", "x\n\n", r"the source is '\\\\u001b\[31m'"),
        (b"a\nb\n", b"x\n\xfcber\n", "a.de is not UTF-8: byte 0xfc at offset 2, line 2; convert it"),
        ("a\n".encode("utf-16"), b"x\n", r"a.en is binary \(a zero byte at 3\); give UTF-8 text"),
    ],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_what_is_no_pair_is_refused_with_its_line(tmp_path, sources, targets, message, ending):
    refused(
        lambda: read_parallel(*parallel(tmp_path, sources, targets, ending)),
        message.replace("a.en", f"a.en{ending}").replace("a.de", f"a.de{ending}"),
    )


def test_what_is_left_out_is_counted(tmp_path):
    paths = parallel(tmp_path, "a\n\n\nd\n\n", "x\n \ny\nz\n\n")
    pairs = read_parallel(*paths, missing="skip")
    assert (both(pairs), pairs.lines) == ([("a", "x"), ("d", "z")], [1, 4])
    assert pairs.left_out == {"both_empty": 2, "one_empty": 1, "joined": 0, "skipped_bytes": 0}
    pairs = read_parallel(*parallel(tmp_path, b"a\xff\n", b"\xfe\xfex\n"), invalid_bytes="skip")
    assert (both(pairs), pairs.left_out["skipped_bytes"]) == ([("a", "x")], 3)


def test_files_that_are_none_are_refused(tmp_path):
    here = written(tmp_path, "a.en", "a\n")
    refused(lambda: read_parallel(here, tmp_path / "a.de"), r"no such file: .*a.de; did you mean .a.en.\?")
    refused(lambda: read_parallel(tmp_path, here), "is a folder")
    refused(lambda: read_pairs(tmp_path / "b.tsv"), "no such file: .*b.tsv")
    (tmp_path / "cut.tsv.gz").write_bytes(gzip.compress(b"a\tb\n" * 99)[:-5])
    refused(lambda: read_pairs(tmp_path / "cut.tsv.gz"), "is not a whole gzip file")


def test_more_than_is_held_is_refused(tmp_path, monkeypatch):
    paths = parallel(tmp_path, "a\nb\nc\n", "x\ny\nz\n")
    monkeypatch.setattr(module, "PAIRS_LIMIT", 2)
    refused(lambda: read_parallel(*paths), "line 3: over 2 pairs or .* more than are held; give fewer")
    monkeypatch.setattr(module, "PAIRS_LIMIT", 3)
    monkeypatch.setattr(module, "CHARACTERS_LIMIT", 5)
    refused(lambda: read_parallel(*paths), "line 3: over 3 pairs or 5 characters of them")


ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\t\0"), max_size=6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=8))
def test_any_lines_are_read_as_they_are(tmp_path_factory, rows):
    """But for white space around; what is empty is counted."""
    folder = tmp_path_factory.mktemp("any")
    first = tuple(line.removeprefix("\ufeff") for line in rows[0])  # which is a byte order mark there
    full = [(source.strip(), target.strip()) for source, target in [first, *rows[1:]]]
    wanted = [pair for pair in full if all(pair)]
    paths = parallel(folder, *("".join(f"{line}\n" for line in side) for side in zip(*rows, strict=True)))
    if not wanted:
        refused(lambda: read_parallel(*paths, missing="skip"), "no pairs")
        return
    pairs = read_parallel(*paths, missing="skip")
    assert both(pairs) == wanted
    assert pairs.both_empty == sum(not any(pair) for pair in full)
    assert pairs.one_empty == len(full) - len(wanted) - pairs.both_empty
    assert [full[line - 1] for line in pairs.lines] == wanted


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("columns", [(), ("en", "de"), ("0", "1"), (0, None)])
def test_every_format_gives_the_same_pairs_with_columns_given_or_found(tmp_path, kind, columns):
    path = table(tmp_path, kind, LINES, ("en", "de"))
    pairs = read_pairs(path, *columns)
    assert both(pairs) == LINES
    first = 2 if kind.startswith((".tsv", ".csv")) else 1
    assert pairs.lines == list(range(first, first + 4))
    assert pairs.where(1) == f"{path}, {'row' if kind == '.parquet' else 'line'} {first + 1}"
    assert (pairs.bytes, pairs.sha256) == (path.stat().st_size, (hashlib.sha256(path.read_bytes()).hexdigest(),))
    assert pairs.chosen.startswith("sources are column 'en', targets column 'de'")
    assert ("found by itself" in pairs.chosen) == (None in columns or not columns)
    told = first == 2 and columns != ("en", "de")
    assert ("the first line is names (if not, --no-header)" in pairs.chosen) == told


@pytest.mark.parametrize("kind", [".tsv", ".csv"])
def test_a_first_line_that_is_no_names_is_a_pair(tmp_path, kind):
    pairs = read_pairs(table(tmp_path, kind, LINES, ()))
    assert (both(pairs), pairs.lines[0]) == (LINES, 1)
    assert pairs.chosen == (
        "sources are column 0, targets column 1 (from 0), found by itself; the first line is data, not names: "
        "'a cat' and 'eine Katze' (else give --header)"
    )


@pytest.mark.parametrize(
    ("names", "header", "expected"),
    [
        (("source", "target"), None, True),
        (("Input", "OUTPUT"), None, True),
        (("pt-BR", "en"), None, True),
        (("word", "pronunciation"), None, True),
        (("cat", "dog"), None, False),
        (("ab", "ba"), None, False),
        (("source", "K AE T"), None, False),
        (("cat", "dog"), True, True),
        (("source", "target"), False, False),
    ],
)
def test_names_are_known_or_told(tmp_path, names, header, expected):
    pairs = read_pairs(table(tmp_path, ".tsv", LINES, names), header=header)
    assert len(pairs) == 4 + (not expected)


def test_columns_are_found_by_what_they_are_called(tmp_path):
    rows = [("1", "x", "a", "note"), ("2", "y", "b", "")]
    path = table(tmp_path, ".csv", rows, ("id", "target", "source", "remark"))
    assert both(read_pairs(path)) == [("a", "x"), ("b", "y")]
    assert both(read_pairs(path, "id", 1)) == [("1", "x"), ("2", "y")]
    assert both(read_pairs(path, target_column="id")) == [("a", "1"), ("b", "2")]
    objects = [(1, "a", "x"), (2, "b", "y")]
    for kind in (".jsonl", ".parquet"):
        assert both(read_pairs(table(tmp_path, kind, objects, ("id", "front", "back")))) == [("a", "x"), ("b", "y")]


def test_quotes_are_letters_in_tsv_and_quotes_in_csv(tmp_path):
    assert both(read_pairs(written(tmp_path, "a.tsv", '"a\tb"\n"c" d\t"e"\n'))) == [('"a', 'b"'), ('"c" d', '"e"')]
    assert both(read_pairs(written(tmp_path, "a.csv", '"a, b",c\n'))) == [("a, b", "c")]


def test_lines_of_a_cell_are_joined_and_counted(tmp_path):
    path = table(tmp_path, ".jsonl", [("a \r\n b", "x"), ("c", "y")], ("source", "target"))
    pairs = read_pairs(path)
    assert (both(pairs), pairs.left_out["joined"]) == ([("a b", "x"), ("c", "y")], 1)


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        ("a.tsv", "a\nb\n", (), "a.tsv has one column, and pairs are two; call the file .tsv if a tab parts them"),
        ("a.txt", "a\tb\n", (), "a.txt has one column, and pairs are two"),
        ("a.jsonl", '{"a": "b"}\n', (), "a.jsonl has one column, and pairs are two$"),
        ("a.tsv", "a\tb\nc\n", (), "a.tsv, line 2: 1 cells where the first line has 2"),
        ("a.tsv", "a\tb\n\td\n", (), "a.tsv, line 2: the source is empty where the target is 'd'"),
        ("a.tsv", "a\tb\n", (0, 0), "source and target are both column '0'; give two of 0"),
        ("a.tsv", "a\tb\n", (0, 2), "a.tsv has no column '2'; its columns are 0"),
        ("a.tsv", "a\tb\nc\td\n", ("a", "x"), "a.tsv has no column 'x'; "),
        ("a.tsv", "source\ttarget\n", (), "a.tsv has no rows but its names of columns; give some"),
        ("a.tsv", "", (), "a.tsv has no rows"),
        ("a.tsv", b"a\tb\nc\t\xe9\n", (), "a.tsv is not UTF-8: byte 0xe9 at offset 6, line 2"),
        ("a.tsv", b"a\tb\n\0\t\0\n", (), "a.tsv is binary"),
        ("a.csv", 'a,b\n"c,d\n', (), 'a.csv, line 2: .*stand in "quotes"'),
        (
            "a.jsonl",
            '{"a": "b", "c": "d", "e": "f"}\n',
            (),
            "which columns are pairs is not plain; give --source-column",
        ),
        ("a.jsonl", '{"a": "b", "c": 4}\n', (), "which columns are pairs is not plain"),
        (
            "a.jsonl",
            '{"source": "b", "target": ["x", "y"]}\n',
            (),
            "a.jsonl, line 1: its target is a list, not a string",
        ),
        ("a.jsonl", '{"source": 3, "target": "x"}\n', (), "a.jsonl, line 1: its source is a number, not a string"),
        ("a.jsonl", '{"source": "b", "target": null}\n', (), "line 1: the target is empty where the source is 'b'"),
        ("a.jsonl", '{"source": "b", "target": "\\ud800"}\n', (), "a.jsonl, line 1 does not read as JSON"),
        ("a.parquet", "PAR1", (), "a.parquet does not read as Parquet"),
    ],
)
def test_tables_that_do_not_fit_are_refused_with_their_line(tmp_path, name, content, columns, message):
    refused(lambda: read_pairs(written(tmp_path, name, content), *columns), message)


def test_a_part_is_held_out_and_equal_sources_are_not_torn_apart(tmp_path):
    rows = [(f"line {i % 40}", f"target {i}") for i in range(100)]
    pairs = read_pairs(table(tmp_path, ".tsv", rows, ()))
    train, valid = divide(pairs, None, held_out=0.2, seed=1)
    assert sorted(both(train) + both(valid)) == sorted(rows)
    assert 10 <= len(valid) <= 30
    assert not {*train.sources} & {*valid.sources}
    assert overlap(train, valid) == 0
    assert [valid.where(i) for i in range(len(valid))] == [
        f"{pairs.origin} {rows.index(pair) + 1}" for pair in both(valid)
    ]
    assert divide(pairs, None, held_out=0.2, seed=1)[1].lines == valid.lines
    assert divide(pairs, None, held_out=0.2, seed=2)[1].lines != valid.lines
    assert divide(train, valid, held_out=0.2, seed=1) == (train, valid)
    assert overlap(pairs, valid) == len(valid)
    with pytest.raises(DataError, match=r"1 pairs are too few to hold 0\.2 of them out"):
        divide(pairs.take(np.array([0])), None, held_out=0.2, seed=1)
