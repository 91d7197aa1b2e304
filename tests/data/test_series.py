import json
from datetime import datetime, timedelta

import numpy as np
import polars
import pytest

from throughtime.data.clock import Pace, is_date, pace_of, parse_times
from throughtime.data.precision import Checks, checked
from throughtime.data.rows import Writing
from throughtime.data.series import SeriesLayout, read_series, read_windows
from throughtime.data.series_files import read_npy, read_ts
from throughtime.errors import ArgumentError, DataError

WIDE = "date,x,y\n2020-01-01 00:00,1,0.5\n2020-01-01 01:00,2,1e-3\n2020-01-01 04:00,-3,4\n"
LONG = "id,t,kind,x\nb,0,run,1\na,5,walk,10\nb,1,run,2\na,6,walk,20\nb,2,run,3\n"
TS = """# a comment
@problemName made
@timeStamps false
@equalLength true
@seriesLength 3
@classLabel true up Down
@data
1,2,3:4,5,6:up
7,8,?:1,1,1:Down
"""


def written(folder, content, name="file.csv"):
    path = folder / name
    path.write_text(content)
    return path


def one_line(raised):
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_row_is_a_time_and_a_column_a_variable(tmp_path, kind):
    cells = [line.split(",") for line in WIDE.splitlines()]
    path = tmp_path / f"file{kind}"
    table = [{"date": row[0], "x": int(row[1]), "y": float(row[2])} for row in cells[1:]]
    if kind == ".parquet":
        dated = [row | {"date": datetime.fromisoformat(row["date"])} for row in table]
        polars.DataFrame(dated).write_parquet(path)
    elif kind == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in table))
    else:
        path.write_text(WIDE.replace(",", "\t") if kind == ".tsv" else WIDE)
    for layout in (SeriesLayout(), SeriesLayout(time="date", values=("x", "y")), SeriesLayout(time=0, values=(1, "2"))):
        found = read_series(path, layout, Writing(header=True))
        (series,) = found.series
        assert found.channels == ("x", "y")
        assert "times are column 'date'; 2 of values, 1 series" in found.chosen
        assert series.values.dtype == np.float32
        assert series.values.tolist() == np.float32([[1, 0.5], [2, 1e-3], [-3, 4]]).tolist()
        assert series.times.tolist() == [datetime(2020, 1, 1, hour) for hour in (0, 1, 4)]
        assert series.pace == Pace(3600.0, "seconds", 1, 2, 0)
        assert (found.checks, series.labels) == (Checks(), ())


def test_rows_of_several_series_may_be_mixed(tmp_path):
    found = read_series(written(tmp_path, LONG), SeriesLayout(time="t", id="id", label="kind"))
    b, a = found.series
    assert (b.name, b.labels, b.values.ravel().tolist(), b.times.tolist()) == ("b", ("run",), [1, 2, 3], [0, 1, 2])
    assert (a.name, a.labels, a.values.ravel().tolist(), a.times.tolist()) == ("a", ("walk",), [10, 20], [5, 6])
    assert found.channels == ("x",)
    assert b.pace.is_regular


def test_a_file_without_times_or_names_is_read_in_its_order(tmp_path):
    found = read_series(written(tmp_path, "1,2\n3,4\n"))
    assert (found.series[0].times, found.series[0].pace, found.channels) == (None, None, ("0", "1"))
    assert found.series[0].values.tolist() == [[1, 2], [3, 4]]


def test_missing_and_infinite_values_are_found_with_their_place(tmp_path):
    path = written(tmp_path, "x,y\n1,\n nan ,2\n-inf,3\nNA,?\n")
    with pytest.raises(
        DataError, match=r"file.csv, line 2, column 'y': the value is missing, and so are 3 more"
    ) as raised:
        read_series(path)
    one_line(raised)
    found = read_series(path, SeriesLayout(missing="keep"))
    assert np.isnan(found.series[0].values).tolist() == [[False, True], [True, False], [False, False], [True, True]]
    places = [f"{path}, line {line}, column {column!r}" for line, column in ((2, "y"), (3, "x"), (5, "x"), (5, "y"))]
    assert found.checks == Checks(4, tuple(places), 1, (f"{path}, line 4, column 'x'",))
    mixed = written(tmp_path, "id,x\na,1\nb,\na,inf\n", "mixed.csv")
    with pytest.raises(
        DataError, match=r"mixed.csv, line 3, column 'x': the value is missing; fill in what is, or leave it"
    ):
        read_series(mixed, SeriesLayout(id="id"))


def test_whole_numbers_of_any_size_are_met_with_a_message(tmp_path):
    path = written(tmp_path, '{"x": 1}\n{"x": 1' + "0" * 400 + "}\n", "large.jsonl")
    with pytest.raises(DataError, match=r"large.jsonl, line 2, column 'x': the value is infinite"):
        read_series(path)
    with pytest.raises(DataError, match=r"large.jsonl, line 2: time 1.* is neither a number nor a date"):
        read_series(written(tmp_path, path.read_text().replace("}", ', "y": 1}'), "large.jsonl"), SeriesLayout("x"))


def test_what_single_precision_does_not_hold_is_counted_or_refused():
    where = "row {}, column {}".format
    values = np.array([[2.0**24, 0.1], [2.0**24 + 1, 0.1 + 1e-12], [2.0**24 + 2, 0.2], [2.0**24 + 2, 0.2]])
    single, checks = checked(values, where, "refuse")
    assert single.dtype == np.float32
    assert (checks.rounded, checks.merged) == (1, 2)
    for big in (1e39, -1e300):
        with pytest.raises(DataError, match=r"row 1, column 0: -?1e\+\d+ is beyond single precision"):
            checked(np.array([[0.0], [big]]), where, "keep")


@pytest.mark.parametrize(
    ("content", "layout", "message"),
    [
        ("x,y\n1,2\n1,a1\n", {}, "line 3, column 'y': 'a1' is no number; correct it, or leave the column out"),
        ("x,y\n1,2\n1,1_0\n", {}, "file.csv, line 3, column 'y': '1_0' is no number"),
        ("x,y\n1,2\n1\n", {}, "file.csv, line 3: 1 cells where the first line has 2"),
        ("x,y\n1,2\n", {"values": ("z",)}, "file.csv has no column 'z'; known: x, y"),
        ("x,y\n1,2\n", {"values": ("x",), "label": "x"}, "a column is used twice, or none is left for values"),
        ("t\n1\n", {"time": "t"}, "a column is used twice, or none is left for values; it has 0 't'"),
        ("t,x\n1,1\n3,1\n3,1\n", {"time": "t"}, "line 4: time '3' is not after the one before it; sort the rows"),
        ("t,x\n2,1\n1,1\n", {"time": "t"}, "line 3: time '1' is not after the one before it"),
        ("t,x\n1,1\n,1\n", {"time": "t"}, "line 3: time None is neither a number nor a date such as 2016-07-01"),
        ("t,x\n2020-01-01,1\n5,1\n", {"time": "t"}, "line 3: time '5' is no date such as 2016"),
        ("t,x\n2020-01-01,1\n2020-01-02T00:00Z,1\n", {"time": "t"}, "line 3: time .* has a zone, unlike the first"),
        ("t,x\n0001-01-01T00:00+12:00,1\n", {"time": "t"}, "line 2: time .* is outside of the years 1 to 9999"),
        ("a,b,x\n2020-01-01,2020-01-01,1\n", {}, r"2 columns are dates; give --time-column, one of 0 'a'"),
        ("i,l,x\na,u,1\na,v,1\n", {"id": "i", "label": "l"}, "line 3: series 'a' has label 'v' here and 'u' before"),
        ("i,t,x\na,1,1\na,1,1\n", {"id": "i", "time": "t"}, "line 3: time '1' is not after .* in series 'a'; sort"),
        ("i,g,x\na,u,1\na,v,1\n", {"id": "i", "group": "g"}, "line 3: series 'a' has group 'v' here and 'u' before"),
        ("i,x\na,1\n,1\n", {"id": "i"}, "line 3: nothing tells which series the row is of"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_fit_is_refused_in_one_line(tmp_path, content, layout, message):
    with pytest.raises(DataError, match=message) as raised:
        read_series(written(tmp_path, content), SeriesLayout(**layout))
    one_line(raised)


def test_times_are_numbers_or_dates_with_zones_or_without():
    def times(*cells):
        return parse_times(cells, str)

    assert times("1", "2.5", 3).tolist() == [1.0, 2.5, 3.0]
    assert times("2020-01-01", "2020-01-01T00:00:00.5").tolist() == [
        datetime(2020, 1, 1),
        datetime(2020, 1, 1, 0, 0, 0, 500000),
    ]
    assert times("2020-01-01T01:00+01:00", "2020-01-01T00:00Z")[0] == times("2020-01-01")[0]
    assert times("2020-02", "2020/03/01", "2020-04-01 00:00").astype("datetime64[M]").astype(int).tolist() == [
        601,
        602,
        603,
    ]
    for cell in ("2020-1-1", "2020-13", "2020-02-30", "2020-01T05:00", "01/02/2020"):
        assert not is_date(cell)
        with pytest.raises(DataError, match="is no date such as"):
            times("2020-01-01", cell)
    for cell in ("inf", "nan", "x", None):
        with pytest.raises(DataError, match="is neither a number nor a date"):
            times("1", cell)


def test_paces_are_told_with_their_gaps():
    start = datetime(2020, 1, 31, 5)
    hours = [start + timedelta(hours=hour) for hour in (0, 1, 2, 4, 5, 9)]
    assert pace_of(np.array(hours, "datetime64[us]")) == Pace(3600.0, "seconds", 2, 4, 0)
    months = [datetime(2019 + m // 12, m % 12 + 1, 1) for m in (0, 1, 2, 3, 6, 7)]
    assert pace_of(np.array(months, "datetime64[us]")) == Pace(1.0, "months", 1, 2, 0)
    uneven = np.array(["2020-01-01", "2020-02-03", "2020-03-01"], "datetime64[us]")
    assert pace_of(uneven) == Pace(27 * 86400.0, "seconds", 0, 0, 1)
    assert pace_of(np.array([0.0, 0.1, 0.2, 0.30000000000000004, 0.4])).is_regular
    assert pace_of(np.array([0.0, 1.0, 2.0, 2.5, 3.5])) == Pace(1.0, "numbers", 0, 0, 1)
    assert pace_of(np.array([1.0])) is None


@pytest.mark.parametrize("by", ["time", "channel"])
def test_a_row_may_be_a_series(tmp_path, by):
    values = np.arange(24.0).reshape(2, 4, 3)  # N T D
    flat = (values if by == "time" else values.swapaxes(1, 2)).reshape(2, 12)
    lines = [",".join(["ab"[i], *map(str, row)]) for i, row in enumerate(flat)]
    path = written(tmp_path, "\n".join(lines))
    found = read_windows(path, SeriesLayout(label=0), channels=3, by=by)
    assert [series.values.tolist() for series in found.series] == values.tolist()
    assert [(series.name, series.labels, series.group) for series in found.series] == [
        ("1", ("a",), ""),
        ("2", ("b",), ""),
    ]
    chosen = read_windows(path, SeriesLayout(values=(1, 2, 3), id=0, group=4), channels=3, by=by)
    assert [(series.name, series.values.shape, series.group) for series in chosen.series] == [
        ("a", (1, 3), lines[0].split(",")[4]),
        ("b", (1, 3), lines[1].split(",")[4]),
    ]
    path = written(tmp_path, "\n".join([lines[0], lines[1].replace("17.0", "", 1)]))
    with pytest.raises(DataError, match=f"line 2, column '{6 if by == 'time' else 10}': the value is missing"):
        read_windows(path, SeriesLayout(label=0), channels=3, by=by)
    with pytest.raises(DataError, match="has 12 columns of values, which 5 channels cannot share"):
        read_windows(path, SeriesLayout(label=0), channels=5, by=by)
    with pytest.raises(ArgumentError, match="channels is at least 1; got 0"):
        read_windows(path, channels=0)
    with pytest.raises(ArgumentError, match="a row has no time of its own where it is a series; got column 0"):
        read_windows(path, SeriesLayout(time=0))


def test_ts_files_hold_channels_and_a_label(tmp_path):
    path = written(tmp_path, TS, "file.ts")
    with pytest.raises(
        DataError, match=r"file.ts, line 9, channel 0, value 3: the value is missing; fill in what is, or leave it out"
    ):
        read_ts(path)
    found = read_ts(path, missing="keep")
    assert [series.labels for series in found.series] == [("up",), ("Down",)]
    assert found.series[0].values.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert np.isnan(found.series[1].values).sum() == found.checks.missing == 1
    ragged = written(tmp_path, "@classLabel false\n@data\n1,2\n3\n4,5,6\n", "ragged.ts")
    assert [series.values.ravel().tolist() for series in read_ts(ragged).series] == [[1, 2], [3], [4, 5, 6]]
    target = written(tmp_path, "@targetLabel true\n@data\n1,2:0.5\n3,4:?\n", "target.ts")
    assert [series.labels for series in read_ts(target).series] == [("0.5",), ()]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("4,5,6:up", "4,5:up", r"file.ts, line 8: its channels have \[2, 3\] values; all have as many"),
        ("4,5,6:up", "4,5,x:up", "file.ts, line 8, channel 1, value 3: 'x' is no number"),
        ("1,1,1:Down", "Down", "file.ts, line 9 has 1 channels, the first series 2"),
        (":Down", ":down", "file.ts, line 9: label 'down' is none of the head's; did you mean 'Down'"),
        ("1,2,3:4,5,6:up", "1,2,3", "file.ts, line 8 has no label after a last colon"),
        ("seriesLength 3", "seriesLength 4", r"file.ts, line 8 has 3 values a channel, the head says 4"),
        ("seriesLength 3", f"seriesLength {'9' * 5000}", r"file.ts, line 8 has 3 values a.* head says 9{20} \(@"),
        ("timeStamps false", "timeStamps true", r"file.ts has times beside its values \(@timeStamps true\)"),
        ("@data\n", "", "file.ts, line 7: '1,2,3:4,5,6:up' stands before a line '@data'"),
        (TS[TS.index("1,2") :], "", "file.ts has no series after a line '@data'"),
    ],
)
def test_a_ts_file_that_does_not_fit_is_refused_in_one_line(tmp_path, old, new, message):
    assert old in TS
    with pytest.raises(DataError, match=message) as raised:
        read_ts(written(tmp_path, TS.replace(old, new), "file.ts"))
    one_line(raised)


@pytest.mark.parametrize("shape", [(5,), (5, 2), (3, 5, 2)])
@pytest.mark.parametrize("kind", ["float64", "float32", "int16", "bool"])
def test_arrays_are_one_series_or_many(tmp_path, shape, kind):
    array = (np.arange(np.prod(shape)) % 7).reshape(shape).astype(kind)
    np.save(tmp_path / "x.npy", array)
    found = read_npy(tmp_path / "x.npy")
    assert np.array_equal(np.stack([series.values for series in found.series]).reshape(shape), array.astype(np.float32))
    assert len(found.series) == (3 if len(shape) == 3 else 1)
    assert len(found.channels) == (1 if len(shape) == 1 else 2)


def test_labels_of_arrays_stand_in_another(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 1)))
    np.save(tmp_path / "y.npy", np.array(["a", "b"]))
    np.save(tmp_path / "z.npy", np.array([1, 2, 3]))
    found = read_npy(tmp_path / "x.npy", labels=tmp_path / "y.npy")
    assert [series.labels for series in found.series] == [("a",), ("b",)]
    with pytest.raises(DataError, match=r"z.npy holds int64 of shape \(3,\); give 2 labels, numbers or words"):
        read_npy(tmp_path / "x.npy", labels=tmp_path / "z.npy")


def test_hostile_arrays_are_refused_in_one_line(tmp_path):
    def refused(content, message):
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(DataError, match=message) as raised:
            read_npy(tmp_path / "x.npy")
        one_line(raised)

    def header(text):
        body = text.encode().ljust(117) + b"\n"
        return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body

    large = "{'descr': '<f8', 'fortran_order': False, 'shape': (4000000000, 4000000000, 4000000000), }"
    refused(header(large), "x.npy: its header says that it holds [0-9,]+ bytes, and has 128")
    refused(
        header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }") + b"x" * 8, "it is of objects, which are"
    )
    refused(
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }"),
        r"x.npy does not read as a .npy file: no array has shape \(-1,\)",
    )
    refused(header("__import__('os')"), "x.npy does not read as a .npy file")
    refused(b"x,y\n1,2\n", "x.npy does not read as a .npy file")
    refused(b"", "x.npy does not read as a .npy file")
    refused(header("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }") + b"\0" * 8, "x.npy holds complex64 of")
    refused(
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }"), r"x.npy holds float64 of shape \(0, 3\)"
    )
    np.save(tmp_path / "nan.npy", np.array([[1.0, 2.0], [np.nan, 4.0]]))
    with pytest.raises(DataError, match=r"nan.npy, row 0, time 1, channel 0 \(from 0\): the value is missing"):
        read_npy(tmp_path / "nan.npy")
