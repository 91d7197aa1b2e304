import csv
import gzip
import io
import json
import os
import sys

import polars
import pytest

from throughtime.data import rows
from throughtime.data.class_files import ClassFiles, ClassFolder
from throughtime.data.columns import find_columns
from throughtime.data.lines import Lines
from throughtime.data.records import (
    Counts,
    Layout,
    Record,
    Records,
    labels_of,
    ordinal_of,
    read_records,
)
from throughtime.data.rows import Writing, open_table
from throughtime.errors import ArgumentError, DataError, MissingExtraError

REVIEWS = [(i, f'review number {i}, "quite" long', ["good", "bad", "odd"][i % 3]) for i in range(12)]
NAMES = ("id", "review", "verdict")


def table(folder, kind, table_rows=REVIEWS, names=NAMES):
    path = folder / f"table{kind}"
    if kind == ".parquet":
        polars.DataFrame(table_rows, schema=list(names), orient="row").write_parquet(path)
        return path
    if kind.startswith((".jsonl", ".ndjson")):
        content = "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in table_rows)
    else:
        buffer = io.StringIO()
        writer = csv.writer(buffer, delimiter="\t" if kind.startswith(".tsv") else ",")
        writer.writerows([names, *table_rows])
        content = buffer.getvalue()
    path.write_bytes(gzip.compress(content.encode(), mtime=0) if kind.endswith(".gz") else content.encode())
    return path


def written(folder, content, name="table.csv"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(source, message):
    """Reading is refused with this, on one line."""
    with pytest.raises(DataError, match=message) as raised:
        list(source)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".csv.gz", ".jsonl.gz"])
@pytest.mark.parametrize("layout", [Layout(), Layout("review", "verdict"), Layout(1, 2)])
def test_every_format_gives_the_same_records_with_columns_given_or_found(tmp_path, monkeypatch, kind, layout):
    monkeypatch.setattr(rows, "SAMPLE", 10)
    path = table(tmp_path, kind)
    source = Records(path, layout, Writing(header=True))
    for _ in range(2):  # a source can be read again, and counts anew
        records = list(source)
        assert [(record.text, *record.labels) for record in records] == [row[1:] for row in REVIEWS]
        assert source.counts == Counts(rows=12, bytes=path.stat().st_size)
    first = 2 if kind.startswith((".csv", ".tsv")) else 1
    assert [record.row for record in records] == list(range(first, first + 12))
    assert records[0].where == f"{path}, {'row' if kind == '.parquet' else 'line'} {first}"
    assert "the text is column 'review'" in source.chosen
    assert "the label is column 'verdict'" in source.chosen
    assert source.chosen.count("found by itself") == (2 if layout == Layout() else 0)


def test_records_stream(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "SAMPLE", 6)
    path = table(tmp_path, ".csv", [*REVIEWS, (12, "", "good")])
    source = iter(Records(path))
    for _ in range(12):  # the row that will be refused was not come to
        next(source)
    with pytest.raises(DataError, match="line 14: its text is empty"):
        next(source)


def test_lines_end_with_line_feeds_alone_and_are_what_the_encoding_says(tmp_path):
    path = written(tmp_path, "caf\xe9 \x85 one\r\ntwo\x0bthree\n\nlast".encode("latin-1"), "text")
    lines = Lines(path, encoding="latin-1")
    assert list(lines) == ["caf\xe9 \x85 one", "two\x0bthree", "", "last"]
    assert (lines.bytes, lines.skipped_bytes) == (path.stat().st_size, 0)
    refused(Lines(path), "text is not UTF-8: byte 0xe9 at offset 3, line 1")
    skipping = Lines(path, invalid_bytes="skip")
    assert (next(iter(skipping)), skipping.skipped_bytes) == ("caf  one", 2)


@pytest.mark.parametrize(
    ("names", "row", "text", "label"),
    [
        ("a,b", "words {0},{1}", 0, 1),  # the only strings that are not of few values
        ("n,a", "{1},again and again the same", 1, 0),  # the only strings
        ("id,label,a,text", "{0},{1},x{1},y{1}", 3, 1),  # among several, by their names
        ("a,name,b", "{1},x{0}y,some words that are long {0}", 2, 0),  # the only long strings
        ("a,x,b", "words {0},0.{0},{1}", 0, 2),  # fractions are no classes
        ("a,b", "words {0},class {0}", None, None),
        ("a,b", "words {0},", 0, 1),  # what is left
    ],
)
def test_columns_are_found_where_there_is_one_choice(tmp_path, names, row, text, label):
    path = written(tmp_path, "\n".join([names, *(row.format(i, i % 2) for i in range(6))]))
    if text is None:
        refused(Records(path), "2 columns may be the text")
    else:
        columns = find_columns(open_table(path), None, None)
        assert (columns.text, columns.label) == (text, label)


@pytest.mark.parametrize(
    ("content", "layout", "message"),
    [
        ("a,b,c\n1,2,3\n", Layout(), r"no one column is of long strings; .*, one of 0 'a' \(such as '1'\), 1"),
        ("a,b\nx1,y1\nx2,y2\n", Layout(), r"2 columns may be the text \(a, b\); give --text-column"),
        ("t,b,c\nw 1,0,0\nw 2,0,1\n", Layout(text="t"), r"2 columns may be the label \(b, c\); give --label"),
        ("text,l\na,x\n", Layout(text="txet", label="l"), "has no column 'txet'; did you mean 'text'"),
        ("text,l\na,x\n", Layout(text="text", label="2"), r"no column '2'; .* 0 'text' \(such as 'a'\), 1 'l'"),
        ("text,l\na,x\n", Layout(text=0, label="text"), "text and label are both column 'text'; give two of"),
        ("text,l,l\na,x,y\n", Layout(label="l"), "has 2 columns 'l'; give one of them by its number"),
        ("text,l\n", Layout(), "table.csv has no rows but its names of columns; give some"),
        ("", Layout(), "table.csv has no rows; give some"),
        ("text,l\na,x\nb\n", Layout(), "line 3: 1 cells where the first line has 2"),
        ("text,l\na,x\n ,y\n", Layout(), "table.csv, line 3: its text is empty; fill it in, or .* --missing skip"),
        ('text,l\n"a\n\nb",x\n\nc,\n', Layout(), "table.csv, line 6: its label is missing; fill it in"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_fit_is_refused_in_one_line(tmp_path, content, layout, message):
    refused(Records(written(tmp_path, content), layout), message)


def test_an_error_shows_columns_and_no_more_than_some(tmp_path):
    header = ",".join(f"n{i}" for i in range(20))
    path = written(tmp_path, f"{header}\n" + ",".join(["1"] * 19 + [""]) + "\n")
    refused(Records(path), r"11 'n11' \(such as '1'\), ... 20 in all$")


def test_what_is_missing_is_left_out_or_kept_only_when_asked_and_always_counted(tmp_path):
    path = written(tmp_path, "text,label\n one ,x\n,y\ntwo, \n,\nthree,x\n")
    skipping = Records(path, Layout(missing="skip"))
    assert [record.text for record in skipping] == ["one", "three"]
    assert skipping.counts == Counts(5, 2, 2, 3, path.stat().st_size)
    keeping = read_records(Records(path, Layout(missing="keep")))
    assert [(record.text, record.labels) for record in keeping.records] == [
        ("one", ("x",)),
        ("", ("y",)),
        ("two", ()),
        ("", ()),
        ("three", ("x",)),
    ]
    assert (keeping.counts, keeping.classes) == (Counts(5, 2, 2, 0, path.stat().st_size), {"x": 2, "y": 1})
    with pytest.raises(DataError, match=r"table.csv: no records of 1 rows"):
        read_records(Records(written(tmp_path, "text,label\n,x\n"), Layout(missing="skip")))


def test_a_file_without_names_goes_by_numbers(tmp_path):
    path = written(tmp_path, "+,S10,\t\tacgt\n-,1169,\tttga\n+,S11,\taaaa\n", "rows.data")
    for layout in (Layout(text=2, label="0"), Layout(label=0, text="2")):
        found = read_records(Records(path, layout))
        assert [(record.row, record.text, *record.labels) for record in found.records] == [
            (1, "acgt", "+"),
            (2, "ttga", "-"),
            (3, "aaaa", "+"),
        ]
        assert "column 2 (from 0, no names); the label is column 0" in found.chosen
        assert found.chosen.endswith("the first line is data, not names: '+', 'S10', 'acgt'")
    # Its first line is data, as "+" stands below it too: nothing is lost where nobody said so.
    refused(Records(path), r"2 columns may be the text \(1, 2\).* one of 0 \(such as '\+'\), 1 \(such as 'S10'\)")
    assert len(read_records(Records(path, Layout("acgt", "+"), Writing(header=True))).records) == 2
    refused(Records(path, Layout(2, 7)), "rows.data has no column '7'; its columns are 0")


def test_cells_are_parted_and_quoted_as_one_says(tmp_path):
    path = written(tmp_path, 'text;label\n"so" it began;x\nand ended;y\n')
    refused(Records(path, writing=Writing(delimiter=";")), "line 2: .* expected after")
    found = read_records(Records(path, writing=Writing(delimiter=";", quotes=False)))
    assert [record.text for record in found.records] == ['"so" it began', "and ended"]
    for delimiter in ("", ";;", '"', "\n"):
        with pytest.raises(ArgumentError, match="delimiter is one character"):
            Writing(delimiter=delimiter)


def test_texts_alone_need_no_labels(tmp_path):
    source = Records(table(tmp_path, ".csv"), Layout("review", labelled=False))
    assert [record.labels for record in source] == [()] * 12
    assert (source.counts.missing_labels, source.chosen) == (0, "the text is column 'review'")
    assert next(iter(Records(table(tmp_path, ".csv"), Layout("review", "verdict", labelled=False)))).labels == ("good",)


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
def test_a_cell_may_hold_several_labels(tmp_path, kind):
    cells = [["drama", "war"], ["war", "war"], [], ["comedy"]]
    if kind == ".csv":
        cells = [" ; ".join(cell) for cell in cells]
    path = table(tmp_path, kind, [(f"film {i}", cell) for i, cell in enumerate(cells)], ("film", "genres"))
    found = read_records(Records(path, Layout("film", "genres", separator=";", missing="keep")))
    assert [record.labels for record in found.records] == [("drama", "war"), ("war",), (), ("comedy",)]
    assert (found.classes, found.counts.missing_labels) == ({"comedy": 1, "drama": 1, "war": 2}, 1)
    with pytest.raises(ArgumentError, match="separator is what stands between labels"):
        Layout(separator="")


def test_labels_are_words_numbers_or_truth_values():
    assert [labels_of(cell, None, "", 1) for cell in (3, 4.0, 0.5, True, " a ", "", [1, "b"])] == [
        ("3",),
        ("4",),
        ("0.5",),
        ("true",),
        ("a",),
        (),
        ("1", "b"),
    ]
    assert labels_of(float("nan"), None, "", 1) == ()
    assert labels_of(2**64 - 1, None, "", 1) == (str(2**64 - 1),)
    for cell, kind in (({"a": 1}, "an object"), (10**5000, "a number"), ([["a"]], "a list")):
        with pytest.raises(DataError, match=f"x, line 3: its label is {kind}; give a string, a number below"):
            labels_of(cell, None, "x, line", 3)


def test_ordinal_labels_are_whole_numbers(tmp_path):
    path = table(tmp_path, ".jsonl", [("text a", 4), ("text b", "-1"), ("text c", 5.0)], ("text", "stars"))
    assert read_records(Records(path, Layout("text", "stars"))).ordinal().tolist() == [4, -1, 5]
    for label in ("good", "4.5", "nan", "1e30", "inf"):
        with pytest.raises(DataError, match=f"x.csv, line 9: label '{label}' is no whole number; ordinal labels are"):
            ordinal_of(Record("x.csv, line", 9, "", (label,)))
    with pytest.raises(DataError, match=r"x.csv, line 9 has 2 labels; an ordinal one stands alone"):
        ordinal_of(Record("x.csv, line", 9, "", ("1", "2")))


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
def test_a_column_may_tell_what_belongs_together(tmp_path, kind):
    content = [(f"some long sentence number {i}", i % 2, f"writer {i // 3}") for i in range(6)]
    path = table(tmp_path, kind, content, ("text", "label", "writer"))
    found = read_records(Records(path, Layout(group="writer")))  # which is neither text nor label then
    assert [(record.text, int(record.labels[0]), record.group) for record in found.records] == content
    refused(Records(path, Layout(group="riter")), "has no column 'riter'; did you mean 'writer'")


def test_objects_without_keys_are_refused(tmp_path):
    refused(Records(written(tmp_path, "{}\n{}\n", "table.jsonl")), "table.jsonl: its first 2 objects are empty; give")


def test_lines_of_a_text_file_are_texts(tmp_path):
    path = written(tmp_path, "one, two\n\nthree\n", "lines.txt")
    found = read_records(Records(path, Layout(labelled=False, missing="keep")))
    assert [(record.row, record.text, record.labels) for record in found.records] == [
        (1, "one, two", ()),
        (2, "", ()),
        (3, "three", ()),
    ]
    assert (found.counts.empty_texts, found.counts.missing_labels) == (1, 0)
    refused(Records(path), "lines.txt: no one column is of few values")
    refused(Records(written(tmp_path, "", "lines.txt")), "lines.txt has no rows; give some")
    parted = Records(written(tmp_path, "a b|x\nc d|y\n", "parted.txt"), Layout(0, 1), Writing(delimiter="|"))
    assert [record.labels for record in parted] == [("x",), ("y",)]


def test_a_text_that_is_no_string_is_refused(tmp_path):
    path = written(tmp_path, '{"text": "a", "label": 1}\n{"text": 3, "label": 1}\n', "table.jsonl")
    refused(Records(path, Layout("text", "label")), "table.jsonl, line 2: its text is a number, not a string")


def test_a_folder_is_a_class_and_its_files_are_texts(tmp_path):
    for name, content in {"pos/a": " good\n", "pos/b": "fine\nindeed", "neg/deep/c": "caf\xe9", ".git/x": ""}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content.encode("latin-1"))
    refused(ClassFolder(tmp_path), "neg/deep/c is not UTF-8")
    found = read_records(ClassFolder(tmp_path, writing=Writing(encoding="latin-1")))
    assert [(record.text, *record.labels) for record in found.records] == [
        ("caf\xe9", "neg"),
        ("good", "pos"),
        ("fine\nindeed", "pos"),
    ]
    skipping = ClassFolder(tmp_path, writing=Writing(invalid_bytes="skip"))
    assert [record.text for record in skipping] == ["caf", "good", "fine\nindeed"]
    assert (skipping.counts.skipped_bytes, skipping.counts.bytes) == (1, 21)
    (tmp_path / "neg/deep/c").write_bytes(b"")
    refused(ClassFolder(tmp_path), "neg/deep/c, line 1: its text is empty")
    assert len(list(ClassFolder(tmp_path, missing="skip"))) == 2
    (tmp_path / "notes.md").write_text("notes")
    refused(ClassFolder(tmp_path, missing="skip"), "notes.md stands beside the folders of classes; put it")


def test_a_file_is_a_class_and_its_lines_are_texts(tmp_path):
    files = {
        "neg": written(tmp_path, b"dull \x85 dull\nlong\n", "a.neg"),
        "pos": written(tmp_path, b"fun\n\n", "a.pos"),
    }
    latin = Writing(encoding="latin-1")
    refused(ClassFiles(files, writing=latin), "a.pos, line 2: its text is empty")
    found = read_records(ClassFiles(files, writing=latin, missing="skip"))
    assert [(record.row, record.text, *record.labels) for record in found.records] == [
        (1, "dull \x85 dull", "neg"),
        (2, "long", "neg"),
        (1, "fun", "pos"),
    ]
    assert found.counts == Counts(4, 1, 0, 1, 22)


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    os.mkfifo(tmp_path / "pipe.parquet")
    for name in ("pipe.csv", "pipe.parquet"):
        refused(Records(tmp_path / name), "is a pipe or a device")
    refused(Records(tmp_path / "pip.csv"), "no such file: .*pip.csv")
    refused(Records(written(tmp_path, "text\n", "bad.parquet")), "bad.parquet does not read as Parquet")
    refused(
        Records(written(tmp_path, gzip.compress(b"text", mtime=0)[:-3], "t.csv.gz")),
        "t.csv.gz is not a whole gzip file",
    )


def test_without_polars_its_extra_is_named(tmp_path, monkeypatch):
    path = table(tmp_path, ".parquet")
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match=r"'throughtime\[tables\]'"):
        list(Records(path))
