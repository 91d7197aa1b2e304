"""Series to forecast: which columns are what, what is missing and what is ahead, and every way a file does not fit."""

import numpy as np
import pytest

from throughtime.data.tracks import Roles, read_tracks
from throughtime.errors import ArgumentError, DataError

HEAD = "when,id,load,price,holiday"


def table(tmp_path, *rows, head=HEAD):
    path = tmp_path / "table.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def day(number, *cells):
    return ",".join([f"2024-01-{number:02}", *map(str, cells)])


def test_columns_are_what_they_are_named(tmp_path):
    path = table(tmp_path, day(1, "a", 1, 2, 0), day(1, "b", 5, 6, 1), day(2, "a", 3, 4, 1), day(2, "b", 7, 8, 0))
    roles = Roles("when", "id", ("price",), ("load",), ("holiday",), calendar=True)
    read = read_tracks(path, roles)
    assert (read.targets, read.inputs, read.future, read.rows) == (("price",), ("load",), ("holiday",), 4)
    assert [track.name for track in read.tracks] == ["a", "b"]
    assert read.tracks[1].values.tolist() == [[6, 5], [8, 7]]
    assert read.tracks[1].known.tolist() == [[1], [0]]
    assert read.tracks[0].calendar.shape == (2, 6)
    rest = read_tracks(path, Roles("when", "id", inputs=("price",)))
    assert (rest.targets, rest.inputs) == (("load", "holiday"), ("price",))
    assert rest.tracks[0].values.tolist() == [[1, 0, 2], [3, 1, 4]]


def test_rows_that_have_only_what_is_known_ahead_are_the_future(tmp_path):
    path = table(tmp_path, day(1, "a", 1, 2, 0), day(2, "a", 3, 4, 1), day(3, "a", "", "", 1), day(4, "a", "", "", 0))
    track = read_tracks(path, Roles("when", "id", ("load",), ("price",), ("holiday",))).tracks[0]
    assert (len(track), track.known.ravel().tolist(), len(track.times)) == (2, [0, 1, 1, 0], 4)


def test_missing_values_are_filled_from_before_and_counted(tmp_path):
    rows = [day(i + 1, "a", load, i, 0) for i, load in enumerate([3, "", "", 4, "", 5, ""])]
    path = table(tmp_path, *rows)
    read = read_tracks(path, Roles("when", "id"), "fill")
    assert read.tracks[0].values[:, 0].tolist() == [3, 3, 3, 4, 4, 5, 5]
    assert read.filled == 4
    with pytest.raises(DataError, match=r"line 3, column 'load': the value is missing, as are 3 more .*--missing fill"):
        read_tracks(path, Roles("when", "id"))
    with pytest.raises(DataError, match=r"series 'a', row 2, 2024-01-02T00:00:00.000000, column 'load'.* missing"):
        read_tracks(path, Roles("when", "id", ("load", "price"), (), ("holiday",)))
    with pytest.raises(DataError, match="column 'load' has no value at all; leave it out"):
        read_tracks(table(tmp_path, day(1, "a", "", 1, 1), day(2, "a", "", 1, 1)), Roles("when", "id"), "fill")


@pytest.mark.parametrize("future", [(), ("load",)])
def test_nothing_is_filled_from_what_comes_later(tmp_path, future):
    path = table(tmp_path, *[day(i + 1, "a", load, i, 0) for i, load in enumerate(["", "", 3, ""])])
    message = "series 'a': column 'load' starts at row 3; cut the rows before it, or leave the column out"
    with pytest.raises(DataError, match=message):
        read_tracks(path, Roles("when", "id", future=future), "fill")


def test_arrays_and_archives_are_read_by_their_channels(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(12.0).reshape(6, 2))
    read = read_tracks(tmp_path / "a.npy", Roles(targets=("1",), inputs=("channel 0",)))
    assert read.targets == ("channel 1",)
    assert read.tracks[0].values[0].tolist() == [1, 0]
    (tmp_path / "a.ts").write_text("@classLabel false\n@data\n1,2,3:4,5,6\n1,2:3,4\n")
    read = read_tracks(tmp_path / "a.ts", Roles())
    assert [len(track) for track in read.tracks] == [3, 2]
    assert read.targets == ("channel 0", "channel 1")
    with pytest.raises(DataError, match="no column '7' of values; known: channel 0, channel 1"):
        read_tracks(tmp_path / "a.npy", Roles(targets=("7",)))
    with pytest.raises(DataError, match="no column is left to forecast"):
        read_tracks(tmp_path / "a.npy", Roles(inputs=("0", "1")))
    with pytest.raises(ArgumentError, match="--time-column and --id-column are for tables"):
        read_tracks(tmp_path / "a.npy", Roles(time="0"))
    with pytest.raises(DataError, match="no times for a calendar; give --time-column, or leave --calendar out"):
        read_tracks(tmp_path / "a.npy", Roles(calendar=True))


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([day(1, "a", 1, 2, 0), day(2, "a", "inf", 1, 0)], {}, "line 3, column 'load': the value is infinite"),
        ([day(2, "a", 1, 2, 0), day(1, "a", 1, 1, 0)], {}, "line 3: time '2024-01-01' is not after the one before"),
        ([day(1, "a", 1, 2, 0)], {"targets": ("laod",)}, "no column 'laod'; did you mean 'load'"),
        ([day(1, "a", 1, 2, 0)], {"future": ("laod",)}, "no column 'laod' of values; did you mean 'load'"),
        ([day(1, "a", 1, 2, 0)], {"time": "date"}, "no column 'date'"),
        ([day(1, "a", "x", 2, 0)], {}, "'x' is no number"),
        (["1,a,1,2,0", "2,a,1,2,0"], {"calendar": True}, "its times are numbers, of which no calendar is known"),
        ([day(1, "a", 1, 2, 0), "3,b,1,2,3"], {}, "the times of some series are dates, of others numbers"),
    ],
)
def test_files_that_do_not_fit_are_told(tmp_path, rows, columns, message):
    with pytest.raises(DataError, match=message):
        read_tracks(table(tmp_path, *rows), Roles(**({"time": "when", "id": "id"} | columns)))


def test_names_that_are_there_twice_are_told(tmp_path):
    with pytest.raises(ArgumentError, match="column 'load' is named twice"):
        Roles(targets=("load",), future=("load",))
    path = table(tmp_path, "1,2,3", head="when,load,load")
    with pytest.raises(DataError, match="two columns 'load'; rename one of them"):
        read_tracks(path, Roles("when"))
