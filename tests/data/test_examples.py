"""Readers by the kind of a file, and examples of every kind, with what they lack."""

import json

import numpy as np
import pytest

from throughtime.data.examples import open_examples
from throughtime.data.records import Example, Layout, Source, read_records
from throughtime.data.rows import Writing
from throughtime.data.series import SeriesLayout
from throughtime.data.sources import Letters, Reading, Windows, content_of, open_records, open_series
from throughtime.errors import DataError

TS = "@classLabel true a b\n@data\n1,2,3:4,5,6:a\n4,?:7,8:b\n9:9:?\n"
LONG = "id,t,kind,who,x,y\nq,0,run,ann,1,2\np,0,walk,bob,3,4\nq,1,run,ann,5,6\n"
FASTA = ">one x;y\nACG\nT\n>two\nacn\n>three z\nA\n"


def written(folder, content, name):
    path = folder / name
    path.write_text(content)
    return path


def read(path, reading=None, *, series=False):
    found = open_examples(path, reading or Reading(), series=series)
    assert isinstance(found, Source)
    whole = read_records(found)
    assert all(isinstance(record, Example) for record in whole.records)
    return whole


def skipping(**changes):
    return Reading(Layout(missing="skip", **changes))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.CSV", "texts"),
        ("folder", "texts"),
        ("a.conllu.gz", "sentences"),
        ("a.fa", "sequences"),
        ("a.FAA.gz", "sequences"),
        ("a.ts", "series"),
        ("a.npy", "series"),
    ],
)
def test_a_name_tells_what_is_in_a_file(tmp_path, name, content):
    assert content_of(tmp_path / name) == content


def test_texts_keep_their_places_labels_and_groups(tmp_path):
    path = written(tmp_path, "who,text,label\nann,acg,x\nbob,ttt,y\n", "some.csv")
    found = read(path, Reading(Layout(text="text", label="label", group="who"), letters=Letters("dna")))
    assert [(e.item, e.labels, e.group, e.where) for e in found.records] == [
        ("ACG", ("x",), "ann", f"{path}, line 2"),
        ("TTT", ("y",), "bob", f"{path}, line 3"),
    ]
    with pytest.raises(DataError, match=r"some.csv, line 2, letter 2: 'C' is not of the alphabet AGT; choose another"):
        read(path, Reading(Layout(text="text", label="label"), letters=Letters("AGT")))


def test_a_header_is_found_out_or_said(tmp_path):
    path = written(tmp_path, "text,label\na b,x\nc d,y\n", "some.csv")
    columns = Layout(text="0", label="1")
    assert [e.item for e in read(path, Reading(columns)).records] == ["text", "a b", "c d"]
    found = read(path, Reading(columns, Writing(header=True)))
    assert [e.item for e in found.records] == ["a b", "c d"]
    assert "the first line is data, not names: 'text', 'label'" in read(path, Reading(columns)).chosen
    assert len(read(path, Reading(Layout(text="0", label="1"), Writing(header=False))).records) == 3


def test_labels_of_letters_are_a_part_of_a_header_or_in_a_table(tmp_path):
    path = written(tmp_path, FASTA, "some.fasta")
    with pytest.raises(DataError, match=r"some.fasta, line 4: its label is missing; fill it in, or leave such rows"):
        read(path)
    found = read(path, skipping())
    assert [(e.item, e.labels) for e in found.records] == [("ACGT", ("x;y",)), ("A", ("z",))]
    assert (found.counts.skipped, found.counts.missing_labels) == (1, 1)
    assert "its label part 1 (from 0) of its header" in found.chosen
    assert [e.labels for e in read(path, skipping(label="0")).records] == [("one",), ("two",), ("three",)]
    parts = Reading(Layout(label="1", missing="skip"), letters=Letters(separator=";"))
    assert [e.labels for e in read(path, parts).records] == [("y",)]
    assert [e.labels for e in read(path, Reading(Layout(labelled=False))).records] == [(), (), ()]
    table = written(tmp_path, "name,kind\none,a|b\ntwo,\nthree,b\n", "labels.csv")
    several = Reading(Layout(separator="|", empty_set=True), letters=Letters(labels=table))
    found = read(path, several)
    assert [e.labels for e in found.records] == [("a", "b"), (), ("b",)]
    assert (found.counts.missing_labels, found.counts.skipped) == (0, 0)
    with pytest.raises(DataError, match="a label in a FASTA header is a part of it, by number from 0; got 'kind'"):
        open_records(path, Reading(Layout(label="kind")))


def test_no_labels_are_an_empty_set_where_labels_are_several(tmp_path):
    path = written(tmp_path, "text,label\na b,x\nc d,\n", "some.csv")
    found = read(path, Reading(Layout(text="text", label="label", empty_set=True)))
    assert [e.labels for e in found.records] == [("x",), ()]
    with pytest.raises(DataError, match="line 3: its label is missing"):
        read(path, Reading(Layout(text="text", label="label")))


def test_series_lack_values_or_labels_and_are_left_out_when_asked(tmp_path):
    path = written(tmp_path, TS, "some.ts")
    with pytest.raises(DataError, match=r"some.ts, line 4, channel 0, value 2: the value is missing"):
        read(path, series=True)
    found = read(path, skipping(), series=True)
    assert [(e.item.tolist(), e.labels, e.where) for e in found.records] == [
        ([[1, 4], [2, 5], [3, 6]], ("a",), f"{path}, series 3")
    ]
    assert (found.counts.rows, found.counts.skipped, found.counts.missing_labels) == (3, 2, 1)
    assert found.counts.bytes == path.stat().st_size
    path = written(tmp_path, TS.replace("?:7", "1:7"), "some.ts")
    with pytest.raises(DataError, match=r"some.ts, series 5: its label is missing; tell where labels are, or leave"):
        read(path, series=True)
    assert len(read(path, Reading(Layout(labelled=False)), series=True).records) == 3
    found = read(path, Reading(Layout(empty_set=True, separator="|")), series=True)
    assert [e.labels for e in found.records] == [("a",), ("b",), ()]


def test_a_table_holds_series_in_many_rows_or_one(tmp_path):
    path = written(tmp_path, LONG, "long.csv")
    numbers = SeriesLayout(time="t", id="id", label="kind", group="who")
    found = read(path, Reading(numbers=numbers), series=True)
    assert [(e.item.tolist(), e.labels, e.group, e.row) for e in found.records] == [
        ([[1, 2], [5, 6]], ("run",), "ann", "q"),
        ([[3, 4]], ("walk",), "bob", "p"),
    ]
    wide = written(tmp_path, "up|down,1,2,3,4\nup,5,6,7,8\n", "wide.csv")
    reading = Reading(Layout(separator="|"), numbers=SeriesLayout(label=0), windows=Windows(2, "channel"))
    found = read(wide, reading, series=True)
    assert [(e.item.tolist(), e.labels) for e in found.records] == [
        ([[1, 3], [2, 4]], ("up", "down")),
        ([[5, 7], [6, 8]], ("up",)),
    ]


def test_arrays_have_labels_in_another_file(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(2, 3, 2))
    np.save(tmp_path / "y.npy", np.array(["a", "b"]))
    found = read(tmp_path / "x.npy", Reading(letters=Letters(labels=tmp_path / "y.npy")), series=True)
    assert [e.labels for e in found.records] == [("a",), ("b",)]
    assert found.chosen.endswith(f"; labels in {tmp_path / 'y.npy'}")
    with pytest.raises(DataError, match=r"x.npy, series 0: its label is missing"):
        read(tmp_path / "x.npy", series=True)
    (tmp_path / "y.npy").rename(tmp_path / "x.labels.npy")
    assert [e.labels for e in read(tmp_path / "x.npy", series=True).records] == [("a",), ("b",)]
    assert [e.labels for e in read(tmp_path / "x.npy", Reading(Layout(labelled=False)), series=True).records] == [
        (),
        (),
    ]


@pytest.mark.parametrize(
    ("name", "open_it", "says"),
    [
        ("some.csv", lambda path: open_series(path, Reading()), "some.csv is not read as series; give .ts or .npy, or"),
        ("some.fasta", lambda path: open_series(path, Reading(numbers=SeriesLayout())), "is not read as series; give"),
        ("some.ts", open_records, "some.ts holds series; give texts"),
        ("some.conllu", open_records, "some.conllu holds sentences; give texts"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path, name, open_it, says):
    with pytest.raises(DataError, match=says) as raised:
        open_it(written(tmp_path, "x", name))
    assert "\n" not in str(raised.value)


def test_nothing_that_is_left_is_refused(tmp_path):
    path = written(tmp_path, "".join(json.dumps({"text": "", "label": "x"}) + "\n" for _ in range(3)), "some.jsonl")
    with pytest.raises(DataError, match=r"some.jsonl: no records of 3 rows; give some with labels"):
        read(path, skipping(text="text"))
