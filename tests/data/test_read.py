import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.read import Text, beginning, read_bytes, read_raw, read_text
from throughtime.errors import DataError

MARK = b"\xef\xbb\xbf"  # a byte order mark


def written(folder: Path, content: bytes) -> Path:
    path = folder / "input.txt"
    path.write_bytes(content)
    return path


def test_a_text_is_read_to_the_last_character_with_what_its_file_was(tmp_path):
    content = "één\r\ntwee\n\n🙂 ".encode()
    text = read_text(written(tmp_path, content))
    assert text == Text(content.decode(), len(content), hashlib.sha256(content).hexdigest())


def test_a_byte_order_mark_is_of_the_file_and_not_of_the_text(tmp_path):
    text = read_text(written(tmp_path, MARK + b"abc"))
    assert (text.text, text.bytes) == ("abc", 6)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"abc\xf0\x9f", bytes(range(256)), "één".encode()])
def test_raw_text_gives_back_every_byte(tmp_path, content):
    raw = read_raw(written(tmp_path, content))
    assert raw.text.encode("utf-8", "surrogateescape") == content
    assert (raw.bytes, raw.sha256) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("read", [read_bytes, read_raw, read_text])
def test_a_missing_file_is_refused_with_its_neighbours(tmp_path, read):
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(name)
    with pytest.raises(DataError, match=r"no such file: .*aa.txt; did you mean 'a.txt'\?$"):
        read(tmp_path / "aa.txt")
    with pytest.raises(DataError, match=r"no such file: .*other; known: a.txt, b.txt$"):
        read(tmp_path / "other")
    with pytest.raises(DataError, match=r"no such file: .*/nowhere/aa.txt; .*/nowhere holds no files$"):
        read(tmp_path / "nowhere" / "aa.txt")


@pytest.mark.parametrize("read", [read_bytes, read_raw, read_text])
def test_what_is_no_file_is_refused(tmp_path, read):
    with pytest.raises(DataError, match="is a folder; give a text file"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"cannot read .*: Not a directory"):
        read(written(tmp_path, b"abc") / "deeper")


@pytest.mark.parametrize("read", [read_bytes, read_raw, read_text])
def test_what_may_have_no_end_and_what_no_file_can_be_called_are_refused(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(DataError, match="is a pipe or a device, which may have no end"):
            read(path)
    with pytest.raises(DataError, match=r"cannot read 'a\\x00b': embedded null"):
        read(Path("a\0b"))


@pytest.mark.parametrize("read", [read_bytes, read_raw, read_text])
def test_an_empty_file_is_refused(tmp_path, read):
    with pytest.raises(DataError, match=r"input.txt is empty; give a file with text in it"):
        read(written(tmp_path, b""))


@pytest.mark.parametrize("invalid", ["refuse", "skip"])
def test_a_file_of_a_byte_order_mark_alone_is_refused(tmp_path, invalid):
    with pytest.raises(DataError, match="is empty but for a byte order mark"):
        read_text(written(tmp_path, MARK), invalid)


@pytest.mark.parametrize("content", [b"ab\0cd", "abc".encode("utf-16")])
@pytest.mark.parametrize("invalid", ["refuse", "skip"])
def test_a_binary_file_is_refused_with_the_place_of_a_zero(tmp_path, content, invalid):
    place = content.index(0)
    with pytest.raises(DataError, match=rf"is binary \(a zero byte at {place}\); give UTF-8 text, or .* --unit byte"):
        read_text(written(tmp_path, content), invalid)


@pytest.mark.parametrize(
    ("content", "byte", "line"),
    [
        (b"caf\xe9", "e9", 1),
        (b"one\ntwo\nthr\xff\nfour", "ff", 3),
        (b"cut short \xf0\x9f", "f0", 1),
        (b"\n\xc3\xa9\n\x80", "80", 3),
        (MARK + b"ab\n\xfe", "fe", 2),
    ],
)
def test_what_is_not_utf8_is_refused_with_its_place_in_the_file(tmp_path, content, byte, line):
    offset = content.rindex(bytes.fromhex(byte))
    message = rf"is not UTF-8: byte 0x{byte} at offset {offset}, line {line}; .* --invalid-bytes skip"
    with pytest.raises(DataError, match=message):
        read_text(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "text", "skipped"),
    [
        (b"caf\xe9s", "cafs", 1),
        (b"\xff\xfea\xf0\x9f", "a", 4),
        (MARK + b"a\x80", "a", 1),
        ("é".encode(), "é", 0),
    ],
)
def test_skipped_bytes_are_left_out_and_counted(tmp_path, content, text, skipped):
    got = read_text(written(tmp_path, content), "skip")
    assert (got.text, got.skipped_bytes, got.bytes) == (text, skipped, len(content))


def test_nothing_left_after_skipping_is_refused(tmp_path):
    with pytest.raises(DataError, match="has no UTF-8 text in it: all 2 bytes were skipped"):
        read_text(written(tmp_path, b"\xff\xfe"), "skip")


def test_the_beginning_of_a_text_ends_with_a_line_that_ends_near_there():
    assert beginning("ab\n" * 100, 0.5) == "ab\n" * 50
    assert beginning("ab\n" * 100, 0.505) == "ab\n" * 50
    assert beginning("ab\n" + "c" * 97, 0.5) == "ab\n" + "c" * 47
    assert beginning("abc", 1.0) == beginning("abc", 7.0) == "abc"


@given(st.text(), st.floats(0.0, 1.0))
def test_split_keeps_every_character_in_its_order(text, held_out):
    first, last = Text(text, 0, "").split(held_out)
    assert first + last == text
    assert abs(len(last) - held_out * len(text)) <= 0.5 + 1e-9
