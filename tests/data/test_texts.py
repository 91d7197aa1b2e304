import csv
import gzip
import hashlib
import io
import json
import os
import re
import sys

import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from throughtime.data import tables, texts
from throughtime.data.read import read_text
from throughtime.data.texts import Texts
from throughtime.errors import ArgumentError, DataError, MissingExtraError

CELLS = ["one  text", None, 'with "quotes", and\nlines', "é一\t🙂", "last"]
LINES = 'one  text\n\nwith "quotes", and lines\né一\t🙂\nlast\n'


def table(folder, kind, cells=CELLS, others=1):
    """A file with the cells in its last column, or key, `text`, and numbers in the others."""
    path = folder / f"table{kind}"
    names = [f"number{i}" for i in range(others)]
    rows = [{**dict.fromkeys(names, n + 0.5), "text": cell} for n, cell in enumerate(cells)]
    if kind == ".parquet":
        polars.DataFrame(rows, schema_overrides={"text": polars.String}).write_parquet(path, row_group_size=2)
        return path
    buffer = io.StringIO()
    if kind.startswith((".csv", ".tsv")):
        writer = csv.DictWriter(buffer, [*names, "text"], delimiter="," if kind.startswith(".csv") else "\t")
        writer.writeheader()
        writer.writerows(rows)
    else:
        buffer.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    content = buffer.getvalue().encode()
    path.write_bytes(gzip.compress(content, mtime=0) if kind.endswith(".gz") else content)
    return path


def refused(path, message, **options):
    """Reading is refused with this, on one line."""
    with pytest.raises(DataError, match=message) as raised:
        list(Texts.open(path, **options))
    assert "\n" not in str(raised.value)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "bc", "é", "🙂🙂", " ", "\n", "\u3000", "\r\n", "\x1c"]), min_size=1),
    st.integers(4, 9),
)
def test_blocks_are_the_text_and_no_word_straddles_two(tmp_path_factory, parts, size):
    content = "".join([*parts, "x"])
    path = tmp_path_factory.getbasetemp() / "blocks.txt"
    path.write_bytes(content.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "BLOCK", size)
        opened = Texts.open(path)
        blocks = list(opened)
    assert "".join(blocks) == content
    assert [word for block in blocks for word in block.split()] == content.split()
    assert all(re.search(r"\s\Z", block) for block in blocks[:-1])
    assert (opened.files, opened.bytes, opened.skipped_bytes) == (1, len(content.encode()), 0)
    assert opened.size == opened.bytes
    assert opened.sha256 == hashlib.sha256(content.encode()).hexdigest()


def test_a_long_line_comes_in_blocks_and_short_ones_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "BLOCK", 10)
    path = tmp_path / "text"
    path.write_text("one two three four five\nsix\nseven eight")
    assert list(Texts.open(path)) == ["one two ", "three four ", "five\nsix\n", "seven ", "eight"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([b"a", b"\n", b" ", b"\xc3\xa9", b"\xff", b"\xf0\x9f"])).map(b"".join), st.integers(1, 7)
)
def test_what_is_not_utf8_is_told_of_or_left_out_as_for_a_whole_text(tmp_path_factory, content, size):
    path = tmp_path_factory.getbasetemp() / "bytes.txt"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "BLOCK", size)
        for invalid in ("refuse", "skip"):
            opened = Texts.open(path, invalid_bytes=invalid)
            try:
                whole = read_text(path, invalid)
            except DataError as error:
                message = str(error) if "is not UTF-8" in str(error) else "there is no text in"
                with pytest.raises(DataError, match=re.escape(message)):
                    list(opened)
            else:
                if whole.text.isspace():
                    with pytest.raises(DataError, match="there is no text in"):
                        list(opened)
                    continue
                assert "".join(opened) == whole.text
                assert (opened.skipped_bytes, opened.sha256) == (whole.skipped_bytes, whole.sha256)


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbfabc \xef\xbb\xbf")
    assert "".join(Texts.open(path)) == "abc \ufeff"


def test_compressed_text_is_text_and_its_sum_is_of_the_file(tmp_path):
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(b"one ", mtime=0) + gzip.compress("é\n".encode(), mtime=0))
    opened = Texts.open(path)
    assert "".join(opened) == "one é\n"
    assert (opened.bytes, opened.sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not gzip", r"text.gz is not a whole gzip file: Not a gzipped file"),
        (gzip.compress(b"one two three", mtime=0)[:-9], "is not a whole gzip file: Compressed file ended"),
        (gzip.compress(b"one", mtime=0)[:10] + b"\xff" * 9, "is not a whole gzip file: Error -3"),
        (gzip.compress(b"one \xff", mtime=0), r"text.gz is not UTF-8: byte 0xff at offset 4, line 1"),
        (gzip.compress(b"a\0", mtime=0), r"text.gz is binary \(a zero byte at 1\); give UTF-8 text$"),
        (
            gzip.compress(b"", mtime=0),
            "there is no text in .*text.gz: 20 bytes were read, of which 0 are not UTF-8",
        ),
    ],
)
def test_compressed_text_that_does_not_fit_is_refused(tmp_path, content, message):
    (tmp_path / "text.gz").write_bytes(content)
    refused(tmp_path / "text.gz", message)


def test_what_cannot_be_opened_is_refused_before_it_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").touch()
    for name, message in (("tex", r"no such file: .*; did you mean 'text'\?"), ("pipe", "pipe is a pipe or a device")):
        with pytest.raises(DataError, match=message):
            Texts.open(tmp_path / name)
    refused(tmp_path / "text", "there is no text in .*text: 0 bytes were read")


def test_a_word_without_end_is_refused_with_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "BLOCK", 8)
    monkeypatch.setattr(texts, "WORD_LIMIT", 20)
    path = tmp_path / "text"
    path.write_text("one\n\ntwo three " + "x" * 20)
    assert "".join(Texts.open(path)) == path.read_text()
    path.write_text("one\n\ntwo three " + "x" * 30 + " four")
    refused(path, "text, line 3: over 20 characters without white space, from 'xxxxxxxxxxxxxxxxxxxx' on; put some")
    refused(table(tmp_path, ".jsonl", ["a", None, "y" * 40]), r"table.jsonl, row 3: over 20 characters without")


def test_a_folder_is_its_files_in_the_order_of_their_names(tmp_path):
    for name, content in {
        "b": "four",
        "a/y": "two",
        "a/x": "one\n",
        "a.txt": "three",
        ".h/x": "no",
        "c/.z": "no",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    table(tmp_path, ".csv.gz", ["five"])
    (tmp_path / "empty").touch()
    opened = Texts.open(tmp_path)
    assert "".join(opened) == "one\ntwo\nthree\nfour\nfive\n"
    assert (opened.files, opened.hidden) == (6, 2)
    files = [tmp_path / name for name in ("a/x", "a/y", "a.txt", "b", "empty", "table.csv.gz")]
    assert opened.sha256 == hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    assert opened.bytes == opened.size == sum(path.stat().st_size for path in files)
    assert "".join(Texts.open(tmp_path, column="text")).endswith("five\n")


def test_a_folder_with_something_unreadable_in_it_is_refused_by_its_name(tmp_path):
    refused(tmp_path, r"holds no files \(and 0 hidden names, which are not read\)")
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_bytes(b"\x7fELF\0")
    refused(tmp_path, r"/b is binary \(a zero byte at 4\); give UTF-8 text$")
    (tmp_path / "b").write_bytes(b"caf\xe9")
    refused(tmp_path, "/b is not UTF-8: byte 0xe9 at offset 3, line 1")
    (tmp_path / "b").unlink()
    (tmp_path / "b").symlink_to(tmp_path / "nowhere")
    refused(tmp_path, "no such file: .*/b; ")
    (tmp_path / "b").unlink()
    (tmp_path / "b").symlink_to(tmp_path)
    refused(tmp_path, "/b is a link to a folder, which is not followed; put the folder itself there")


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path, monkeypatch):
    def listdir(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", listdir)
    with pytest.raises(DataError, match=r"cannot read the folder .*: Permission denied"):
        Texts.open(tmp_path)


def test_the_standard_input_is_read_once(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("één\n".encode())))
    opened = Texts.open(None)
    assert (list(opened), opened.files, opened.size, opened.bytes) == (["één\n"], 1, None, 6)
    with pytest.raises(DataError, match="the standard input was read before and cannot be read again"):
        list(opened)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(DataError, match="there is no text in the standard input: 0 bytes"):
        list(Texts.open(None))


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".csv.gz", ".jsonl.gz"])
@pytest.mark.parametrize("column", ["text", None])
def test_a_cell_is_a_text(tmp_path, monkeypatch, kind, column):
    monkeypatch.setattr(texts, "BLOCK", 16)
    monkeypatch.setattr(tables, "SAMPLE", 2)
    path = table(tmp_path, kind)
    opened = Texts.open(path, column=column)
    assert ("".join(opened), opened.null_cells, opened.files) == (LINES, 1, 1)
    assert (opened.bytes, opened.sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_table_of_many_rows_is_read_to_its_end_in_its_order(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PART", 2**14)
    cells = [str(row) for row in range(5000)]
    for kind in (".csv", ".jsonl", ".parquet"):
        assert "".join(Texts.open(table(tmp_path, kind, cells), column="text")).split() == cells


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_column_that_is_not_there_or_not_the_only_one_is_refused_with_a_list(tmp_path, kind):
    path = table(tmp_path, kind)
    refused(path, r"table\.\w+ has no column 'txet'; did you mean 'text'\?", column="txet")
    nothing = "and 2 cells without text" if kind == ".parquet" else "it has no column of strings; choose one of its 2"
    refused(table(tmp_path, kind, [None, None]), nothing)
    if kind == ".parquet":
        polars.DataFrame({"a": ["x"], "b": [1], "c": ["y"]}).write_parquet(path)
        refused(path, "column 'b' holds Int64, not strings; its columns of strings are a, c", column="b")
    elif kind == ".jsonl":
        path.write_text('{"a": "x", "b": 1, "c": "y"}\n')
        refused(path, "line 1: 'b' is a number, not a string", column="b")
    else:
        path.write_text("a,b,c\nx,1,y\n".replace(",", "\t" if kind == ".tsv" else ","))
    refused(path, "its columns of strings are a, c; choose one of its 3 columns with --column")
    assert list(Texts.open(path, column="c")) == ["y\n"]


def test_a_table_with_names_alone_holds_no_text(tmp_path):
    (tmp_path / "table.csv").write_text("text\n")
    refused(tmp_path / "table.csv", "there is no text in .*table.csv: 5 bytes were read, .* and 0 cells without text")
    refused(table(tmp_path, ".csv", [None, None]), "and 2 cells without text", column="text")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", 'text,n\n"a,1\nb,2\n', r"t.csv, line 3: unexpected end of data; cells with quotes in them stand in"),
        ("t.csv", 'text,n\na,1\n"b"c,2\n', "t.csv, line 3: .*; cells with quotes in them stand in .quotes., theirs"),
        ("t.csv", "text,n\na,1\nb\n", "t.csv, line 3: 1 cells where the first line has 2; cells with separators"),
        ("t.csv", "text,n\na,1,2\n", "t.csv, line 2: 3 cells where the first line has 2"),
        ("t.csv", "\n", "t.csv has no names of columns in its first line"),
        ("t.csv", "text,text\na,b\n", "t.csv has 2 columns 'text'; rename all but one"),
        ("t.jsonl", '{"text": "a"}\n\n{"text": "b"\n', "t.jsonl, line 3 does not read as JSON: "),
        ("t.jsonl", '{"text": "a"}\n["b"]\n', "t.jsonl, line 2 holds a list, not an object with a text in it"),
        ("t.jsonl", '{"text": "a"}\n{"text": ["b"]}\n', "t.jsonl, line 2: 'text' is a list, not a string"),
        ("t.jsonl", '{"text": "\\ud800"}\n', "t.jsonl, line 1 does not read as JSON"),
        ("t.jsonl", "[" * 10000, "t.jsonl, line 1 does not read as JSON: recursion limit"),
        ("t.parquet", "text,n\n", "t.parquet does not read as Parquet: "),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_its_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    refused(tmp_path / name, message, column="text")


def test_a_line_that_is_too_long_for_a_table_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "LINE_LIMIT", 30)
    monkeypatch.setattr(tables, "LINE_LIMIT", 30)
    limit = csv.field_size_limit()
    try:
        path = tmp_path / "table.csv"
        path.write_text("text\nshort\n" + "long " * 7 + "\n")
        monkeypatch.setattr(texts, "BLOCK", 8)
        refused(path, r"table.csv, line 3 has over 30 characters, too many for a row of a table")
        path.write_text('text\nshort\n"' + "\n".join(["more"] * 9))
        refused(path, r"table.csv, line 9: field larger than field limit \(30\)")
    finally:
        csv.field_size_limit(limit)


def test_a_column_of_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "text").touch()
    for path in (tmp_path, tmp_path / "text", None):
        with pytest.raises(ArgumentError, match=r"column 'text' is of a table, and .* is none; leave it out, or give"):
            Texts.open(path, column="text")


def test_without_polars_its_extra_is_named(tmp_path, monkeypatch):
    path = table(tmp_path, ".parquet")
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match=r"'polars': pip install 'throughtime\[tables\]'"):
        list(Texts.open(path))
