"""Demonstrations from files: the same episodes from every format, and what is wrong with bad ones."""

import json
import tracemalloc
import zipfile

import numpy as np
import pytest

from throughtime.data import episode_files
from throughtime.data.episode_files import BYTES, read_episodes
from throughtime.errors import DataError

GOOD = [([[0.5, 1.0], [0.25, 2.0], [0.0, 3.0]], [1, 0, 1]), ([[9.0, 4.0]], [2])]


def lines(path, rows):
    path.write_text("".join(json.dumps({"observations": seen, "actions": done}) + "\n" for seen, done in rows))
    return path


def table(path, rows, head="episode,x,action,v"):
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def arrays(path, **changes):
    seen, done = (np.concatenate([np.array(one[i]) for one in GOOD]) for i in range(2))
    np.savez(path, **({"observations": seen, "actions": done, "lengths": np.array([3, 1])} | changes))
    return path


def flat(found):
    return [(one.observations.tolist(), one.actions.tolist()) for one in found.episodes]


def test_all_formats_give_the_same_episodes(tmp_path):
    rows = [
        f"{name},{x},{a},{v}" for name, (seen, done) in enumerate(GOOD) for (x, v), a in zip(seen, done, strict=True)
    ]
    given = [
        lines(tmp_path / "a.jsonl", GOOD),
        table(tmp_path / "a.csv", rows),
        table(tmp_path / "a.tsv", [row.replace(",", "\t") for row in rows], "Episode\tx\tActions\tv"),
        arrays(tmp_path / "a.npz"),
    ]
    read = [read_episodes(path) for path in given]
    for found in read:
        assert flat(found) == [(seen, done) for seen, done in GOOD]
        assert (found.discrete, found.actions, found.steps) == (True, 3, 4)
    assert [found.names for found in read] == [("0", "1"), ("x", "v"), ("x", "v"), ("0", "1")]
    assert read[0].sha256 == read[3].sha256 != read[1].sha256 == read[2].sha256
    assert "observations x, v; actions are one of several" in read[1].chosen


def test_actions_that_are_numbers(tmp_path):
    rows = [([[1], [2]], [[0.5, 1.0], [0.25, -1.0]])]
    found = [
        read_episodes(lines(tmp_path / "a.jsonl", rows)),
        read_episodes(table(tmp_path / "a.csv", ["0,1,0.5,1.0", "0,2,.25,-1.0"], "episode,x,action_0,action_1")),
        read_episodes(
            arrays(
                tmp_path / "a.npz",
                observations=np.array([[1.0], [2.0]]),
                actions=np.array(rows[0][1]),
                lengths=np.array([2]),
            )
        ),
    ]
    for one in found:
        assert (one.discrete, one.actions) == (False, 2)
        assert one.episodes[0].actions.tolist() == rows[0][1]
    single = read_episodes(table(tmp_path / "b.csv", ["0,1.0,5", "0,2.0,6"], "episode,action,x"))
    assert (single.discrete, single.actions) == (False, 1), "a point makes it a number"


BAD_LINES = {
    "no actions": ([([[1.0]], [])], "line 1: 'actions' is a list, or empty"),
    "text": ([("x", [1])], "line 1: 'observations' is a string, or empty"),
    "one too many": ([GOOD[0], ([[1.0, 2.0]], [0, 1])], "line 2: 1 observations and 2 actions; give one for each"),
    "ragged": ([([[1.0, 2.0], [1.0]], [0, 1])], "line 1, observation 1: 1 numbers, and the first has 2"),
    "missing": ([([[1.0], [None]], [0, 1])], "line 1, observation 1, number 0: nan is missing, infinite or beyond"),
    "large": ([([[1e39]], [0])], r"line 1, observation 0, number 0: 1e\+39 is missing, infinite or beyond 3.4e38"),
    "a word": ([([["up"]], [0])], "line 1, observation 0, number 0: 'up' is no number"),
    "negative": ([([[1.0]], [-1])], r"line 1: action -1 at step 0 \(from 0\) is none of 0 to 4,095"),
    "widths": ([([[1.0]], [0]), ([[1.0, 2.0]], [0])], "episodes differ: 1 observations.* 2 observations"),
    "kinds": (
        [([[1.0]], [0]), ([[1.0]], [0.5])],
        "one of several in one and 1 observations, actions 1 numbers",
    ),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_bad_lines_are_refused_with_their_place(tmp_path, case):
    rows, message = BAD_LINES[case]
    with pytest.raises(DataError, match=message):
        read_episodes(lines(tmp_path / "a.jsonl", rows))


BAD_TABLES = {
    "no episode": ("x,action", ["1,0"], "has no column 'episode'; a row is a step"),
    "no action": ("episode,x,move", ["1,0,0"], "has no column 'action'; known: episode, x, move"),
    "no observation": ("episode,action", ["1,0"], "has no observations: its columns are"),
    "come back": ("episode,x,action", ["a,1,0", "b,1,0", "a,1,0"], r"line 4: episode 'a' ended before it \(at.* 2\)"),
    "no name": ("episode,x,action", [",1,0"], "line 2: episode '.*' has no name; rows of an episode follow"),
    "missing": ("episode,x,action", ["a,1,0", "a,,0"], "observation 1, number 0: nan is missing"),
    "no rows": ("episode,x,action", [], "has no"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_are_refused_with_their_line(tmp_path, case):
    head, rows, message = BAD_TABLES[case]
    with pytest.raises(DataError, match=message):
        read_episodes(table(tmp_path / "a.csv", rows, head))


BAD_ARRAYS = {
    "lengths": ({"lengths": np.array([3, 2])}, "whole numbers from 1 on that add up to N"),
    "an empty episode": ({"lengths": np.array([4, 0])}, "whole numbers from 1 on"),
    "an endless episode": ({"lengths": np.array([2**64 - 1, 5], np.uint64)}, "whole numbers from 1 on"),
    "no such action": (
        {"actions": np.array([0, 1, -3, 0], np.int8)},
        r"action -3 at step 2 \(from 0\) is none of 0 to",
    ),
    "shape": ({"observations": np.zeros(4)}, r"observations \(4,\) of float64.* do not fit"),
    "words": ({"actions": np.array(["a", "b", "c", "d"])}, "actions.*do not fit"),
    "objects": ({"actions": np.array([1, 2, 3, None])}, "does not read as a .npz file: it is of objects"),
    "missing": ({"observations": np.full((4, 2), np.nan)}, r"observations\[0, 0\]: nan is missing"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays_are_refused(tmp_path, case):
    changes, message = BAD_ARRAYS[case]
    with pytest.raises(DataError, match=message):
        read_episodes(arrays(tmp_path / "a.npz", **changes))


def test_hostile_archives_are_refused_before_memory_is_taken(tmp_path):
    header = (
        b"\x93NUMPY\x01\x00\x76\x00"
        + (f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({BYTES}, 2), }}".ljust(117) + "\n").encode()
    )
    path = arrays(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "large.npz", "w") as archive:
        archive.writestr("observations.npy", header)
    for name, message in (("large", "'observations' takes 34,359,738,.* bytes, over what it has"), ("cut", "does not")):
        if name == "cut":
            (tmp_path / "cut.npz").write_bytes(path.read_bytes()[:-30])
        with pytest.raises(DataError, match=message):
            read_episodes(tmp_path / f"{name}.npz")
    np.savez(tmp_path / "other.npz", actions=np.zeros(3))
    with pytest.raises(
        DataError, match=r"has no array 'observations'; it has actions\.npy, and needs observations, actions"
    ):
        read_episodes(tmp_path / "other.npz")


def zeros(path, steps, lengths):
    np.savez_compressed(
        path,
        observations=np.zeros((steps, 1), np.int8),
        actions=np.zeros(steps, np.int8),
        lengths=np.array(lengths, np.int32),
    )
    return path


@pytest.mark.parametrize(("steps", "lengths"), [(4096, [4096]), (256, [1] * 256)])
def test_small_archives_of_zeros_are_bounded_by_the_memory_that_all_arrays_take_together(
    tmp_path, monkeypatch, steps, lengths
):
    path = zeros(tmp_path / "a.npz", steps, lengths)
    needed = 16 * steps + 512 * len(lengths)
    monkeypatch.setattr(episode_files, "BYTES", needed)
    assert len(read_episodes(path).episodes) == len(lengths)
    monkeypatch.setattr(episode_files, "BYTES", needed - 1)
    monkeypatch.setattr(np.lib.format, "read_array", None)  # which would take the memory
    with pytest.raises(DataError, match=f"its arrays take {needed:,} bytes of memory, over {needed - 1:,}; give fewer"):
        read_episodes(path)


def test_arrays_go_straight_to_single_precision(tmp_path):
    path = zeros(tmp_path / "a.npz", 200_000, [200_000])
    tracemalloc.start()
    try:
        read_episodes(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 200_000


def test_another_packing_is_refused_by_name(tmp_path):
    path = arrays(tmp_path / "a.npz")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_LZMA) as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name))
    packed = (tmp_path / "b.npz").read_bytes()
    broken = packed[:50] + bytes(90) + packed[140:]  # within the first member
    for content in (packed, broken):
        path.write_bytes(content)
        with pytest.raises(DataError, match="'observations' is packed by method 14 of zip, which is not read; write"):
            read_episodes(path)


def test_actions_of_thousands_of_digits_are_refused_in_a_line(tmp_path):
    path = table(tmp_path / "a.csv", [f"a,1,{'9' * 5000}"], "episode,x,action")
    with pytest.raises(DataError, match="action 0, number 0: inf is missing, infinite or beyond"):
        read_episodes(path)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    for name in ("a.jsonl", "a.csv", "a.npz"):
        with pytest.raises(DataError, match="no such file"):
            read_episodes(tmp_path / name)
