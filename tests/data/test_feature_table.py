"""Tables of feature vectors: which columns are read, what is missing, and that no format says anything else."""

import json

import numpy as np
import pytest

from throughtime.data import feature_table
from throughtime.data.feature_table import FeatureLayout, FeatureRows, read_features
from throughtime.errors import DataError

NAMES, ROWS = ["a", "b", "kind"], [[1.5, 2.0, "x"], [3.0, -4.25, "y"], [0.0, 1e6, "x"]]
LABELS, VALUES = [row[2] for row in ROWS], np.array([row[:2] for row in ROWS], np.float32)


def text(names, rows, between=","):
    return "\n".join(between.join(map(str, row)) for row in [names, *rows]) + "\n"


def written(path, body):
    path.write_text(body)
    return path


def parquet(path):
    import polars

    polars.DataFrame(ROWS, schema=NAMES, orient="row").write_parquet(path)


FORMATS = {
    "x.csv": lambda path: path.write_text(text(NAMES, ROWS)),
    "x.tsv": lambda path: path.write_text(text(NAMES, ROWS, "\t")),
    "x.jsonl": lambda path: path.write_text("\n".join(json.dumps(dict(zip(NAMES, row, strict=True))) for row in ROWS)),
    "x.parquet": parquet,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_the_same(name, tmp_path, monkeypatch):
    FORMATS[name](tmp_path / name)
    table = read_features(tmp_path / name)
    np.testing.assert_array_equal(table.rows.values, VALUES)
    assert (table.names, table.label, table.rows.labels) == (("a", "b"), "kind", LABELS)
    assert table.chosen == "2 features: a, b; the label is column 'kind', found by itself"
    monkeypatch.setattr(feature_table, "BLOCK", 2)
    again = read_features(tmp_path / name)
    np.testing.assert_array_equal(again.rows.values, VALUES)
    assert (again.rows.labels, again.rows.numbers.tolist()) == (LABELS, table.rows.numbers.tolist())
    assert [len(block.labels) for block in FeatureRows(tmp_path / name)] == [2, 1]


def test_arrays_of_numpy_go_by_numbers(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1, 2, 0], [3, 4, 1]], np.int16))
    table = read_features(tmp_path / "x.npy", FeatureLayout(label="2"))
    assert (table.names, table.label, table.rows.labels) == (("0", "1"), "2", ["0", "1"])
    np.testing.assert_array_equal(table.rows.values, [[1, 2], [3, 4]])
    assert table.rows.numbers.tolist() == [1, 2]
    bare = read_features(tmp_path / "x.npy", FeatureLayout(("2", "0"), labelled=False))
    np.testing.assert_array_equal(bare.rows.values, [[0, 1], [1, 3]])
    assert bare.rows.labels == []


@pytest.mark.parametrize(
    ("body", "layout", "names", "label"),
    [
        ("a,b,label\n1,2,0\n3,4,1\n", FeatureLayout(), ("a", "b"), "label"),
        ("a,b,c\n1,2,0\n3,4,1\n", FeatureLayout(("b", "a")), ("b", "a"), "c"),
        ("a,b,c\n1,2,0\n3,4,1\n", FeatureLayout(label="a"), ("b", "c"), "a"),
        ("a,b,c\n1,2,0\n3,4,1\n", FeatureLayout(("2",), label="0"), ("c",), "a"),
        ("1,2,x\n3,4,y\n", FeatureLayout(), ("0", "1"), "2"),
        ("1,2,x\n3,4,y\n", FeatureLayout(("1",), label=2), ("1",), "2"),
        ("a,b\n1,2\n3,4\n", FeatureLayout(labelled=False), ("a", "b"), None),
        ("5,6\n7,8\n", FeatureLayout(("u", "v"), labelled=False), ("0", "1"), None),
    ],
)
def test_columns_are_found_or_given(tmp_path, body, layout, names, label):
    rows = FeatureRows(written(tmp_path / "x.csv", body), layout)
    assert (rows.names, rows.label) == (names, label)
    assert len(list(rows)) == 1


def test_rows_that_lack_something_are_skipped_and_counted_when_asked(tmp_path):
    path = written(tmp_path / "x.csv", "a,b,kind\n1,NA,x\n2,3,\n4,5,y\ninf,1,x\n16777217,1,x\n")
    table = read_features(path, FeatureLayout(missing="skip"))
    np.testing.assert_array_equal(table.rows.values, [[4, 5], [16777216, 1]])
    assert (table.rows.labels, table.rows.numbers.tolist()) == (["y", "x"], [4, 6])
    assert (table.counts.rows, table.counts.skipped, table.counts.rounded) == (5, 3, 1)


@pytest.mark.parametrize(
    ("body", "layout", "message"),
    [
        ("a,b,kind\n1,2,x\n1,,x\n", {}, r"x.csv, line 3, column 'b': the value is missing; fill it in, or .* skip"),
        ("a,b,kind\n1,2,x\n-inf,2,x\n", {}, r"x.csv, line 3, column 'a': the value is infinite"),
        ("a,b,kind\n1,2,x\n1,2,\n", {}, r"x.csv, line 3: there is no label; correct it, or leave such rows out"),
        (
            "a,b,kind\n1,2,x\n1,two,x\n",
            {"label": "kind"},
            r"line 3, column 'b': 'two' is no number; correct it, or leave the column",
        ),
        ("a,b,kind\n1,2,x\n1,1e39,x\n", {}, r"line 3, column 'b': 1e\+39 is beyond single precision"),
        ("a,b,kind\n1,2,x\n1,2\n", {}, r"line 3: 2 cells where the first line has 3"),
        ("a,b,c\n1,2,3\n", {}, r"all columns hold numbers, so that no one .* give --label-column, one of 0 'a'"),
        ("a,b,c\n1,x,y\n", {}, r"2 columns hold words, so that no one of them must be the label"),
        ("a,b,kind\n1,2,x\n", {"features": ("a", "c")}, r"has no column 'c'; known: a, b, kind"),
        (
            "a,b,kind\n1,2,x\n",
            {"features": ("a", "c"), "labelled": False},
            r"lacks 1 of 2 features \(c\); known: a, b, kind",
        ),
        ("a,b,kind\n1,2,x\n", {"label": "kin"}, r"no column 'kin'; did you mean 'kind'"),
        ("a,b,kind\n1,2,x\n", {"features": ("a", "kind"), "label": "kind"}, r"a column is used twice, or none is"),
        ("kind\nx\n", {}, r"a column is used twice, or none is left for features"),
        ("a,a,kind\n1,2,x\n", {}, r"has 2 features 'a'; rename all but one"),
        ("1,2,3\n4,5,6\n", {"features": ("a", "b"), "labelled": False}, r"3 columns of numbers, and 2 features are"),
        ("a,b,kind\nNA,1,x\n", {"missing": "skip"}, r"each of its 1 rows lacks a number or a label"),
        ("a,b,kind\n", {}, r"has no rows but its names of columns"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, body, layout, message):
    with pytest.raises(DataError, match=message):
        read_features(written(tmp_path / "x.csv", body), FeatureLayout(**layout))


@pytest.mark.parametrize("array", [np.zeros((2, 2, 2)), np.zeros(3), np.array([["a"]]), np.zeros((0, 2))])
def test_arrays_that_are_no_table_are_refused(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(DataError, match=r"x.npy holds .* of shape .*; give numbers, rows × columns"):
        read_features(tmp_path / "x.npy")


def test_a_cell_with_two_labels_is_refused(tmp_path):
    path = written(tmp_path / "x.jsonl", '{"a": 1, "label": ["x", "y"]}\n')
    with pytest.raises(DataError, match=r"x.jsonl, line 1: there is 2 labels, and one is wanted"):
        read_features(path)
