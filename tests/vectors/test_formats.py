import gzip
import io
import zipfile

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import example, given
from hypothesis import strategies as st

from throughtime.errors import ArgumentError, DataError
from throughtime.kernels.decimal import LONGEST, read_lines, write_numbers
from throughtime.vectors import binary, formats, lines
from throughtime.vectors.subwords import Subwords
from throughtime.vectors.table import Table

WORDS = [
    "the",
    "é",
    "日本",
    "a\tb",
    "\u00a0",
    "x\u2028y",
    "\x85",
    "“q”",
    "1.5",
    "-0",
    "\r",
    "\ufeffz",
    "\\",
    "\0a",
    "</s>",
]
PEER = {
    "a.txt": {},
    "a.vec": {},
    "a.glove.txt": {"no_header": True},
    "a.bin": {"binary": True},
}


@pytest.fixture(scope="module")
def table():
    chance = np.random.default_rng(0)
    vectors = chance.standard_normal((len(WORDS), 5)) * 10.0 ** chance.integers(-45, 38, (len(WORDS), 5))
    vectors[0] = 0, 1, -0.5, 1e-5, 123456
    return Table(WORDS, vectors.astype(np.float32), counts=np.arange(len(WORDS)))


def same(one, other):
    return one.words == other.words and np.array_equal(one.vectors, other.vectors)


@pytest.mark.parametrize("name", [*PEER, "a.npz", "a.safetensors", "A.TXT", "folder", "a.folder"])
def test_what_is_written_reads_as_the_same(tmp_path, table, name):
    table.save(tmp_path / name)
    assert same(Table.load(tmp_path / name), table)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name in ("a.npz", "a.safetensors"):
        assert np.array_equal(Table.load(tmp_path / name).counts, table.counts)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # gensim's
@pytest.mark.parametrize("name", PEER)
def test_gensim_reads_what_is_written_and_finds_the_same_neighbours(tmp_path, table, name):
    table.save(tmp_path / name)
    theirs = KeyedVectors.load_word2vec_format(tmp_path / name, **PEER[name])
    assert theirs.index_to_key == table.words
    assert np.array_equal(theirs.vectors, table.vectors)
    plain = Table(table.words[:9], np.random.default_rng(1).standard_normal((9, 5)).astype(np.float32))
    plain.save(tmp_path / name)
    theirs = KeyedVectors.load_word2vec_format(tmp_path / name, **PEER[name])
    for word in plain.words:
        assert [near for near, _ in plain.nearest([word])[0]] == [near for near, _ in theirs.most_similar(word)]


@pytest.mark.parametrize("name", PEER)
def test_what_gensim_writes_is_read(tmp_path, table, name):
    theirs = KeyedVectors(5)
    theirs.add_vectors(table.words, table.vectors)
    theirs.save_word2vec_format(tmp_path / name, binary=name == "a.bin", write_header="glove" not in name)
    assert same(Table.load(tmp_path / name), table)


@pytest.mark.parametrize("name", ["a.txt", "a.vec", "a.glove.txt"])
def test_packed_text_is_read(tmp_path, table, name):
    table.save(tmp_path / name)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes(), mtime=0))
    assert same(Table.load(tmp_path / f"{name}.gz"), table)


@pytest.mark.parametrize(("module", "name"), [(lines, "a.txt"), (lines, "a.glove.txt"), (binary, "a.bin")])
def test_files_of_many_pieces_and_progress(tmp_path, monkeypatch, module, name):
    words = [f"word{row}" for row in range(400)]
    table = Table(words, np.random.default_rng(2).standard_normal((400, 3)).astype(np.float32))
    monkeypatch.setattr(lines, "ROWS_AT_ONCE", 70)
    monkeypatch.setattr(binary, "ROWS_AT_ONCE", 70)
    said = []
    formats.write(table, tmp_path / name, lambda done, whole: said.append((done, whole)))
    assert said == [(done, 400) for done in (70, 140, 210, 280, 350, 400)]
    monkeypatch.setattr(module, "CHUNK", 300)
    monkeypatch.setattr(binary, "LONGEST_WORD", 40)
    told = []
    again = formats.read(tmp_path / name, lambda done, whole: told.append((done, whole)))
    assert same(again, table)
    size = (tmp_path / name).stat().st_size
    assert told[-1] == (size, size)
    assert len(told) > 10
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes().replace(b"word321 ", b"word123 "))
    again, first = ("line 323", "line 125") if name == "a.txt" else ("322", "124")
    with pytest.raises(DataError, match=f"{again}: the word 'word123' stands in .*{first} already"):
        Table.load(tmp_path / name)


def test_words_with_spaces_as_in_files_of_stanford(tmp_path):
    path = tmp_path / "a.glove.txt"
    path.write_bytes(b"the 0.5 1\n. . . 2 3\nat name@domain.com 4 5\r\n  x 6 7 \n")
    table = Table.load(path)
    assert table.words == ["the", ". . .", "at name@domain.com", "  x"]
    assert table.vectors.tolist() == [[0.5, 1], [2, 3], [4, 5], [6, 7]]


def test_what_others_write_more_loosely_is_read(tmp_path):
    path = tmp_path / "a.vec"
    path.write_bytes(b"3 2 \r\na 1 2 \r\nb  +.5   5. \nc 1E+2 -1e-2\n\n\n")
    table = Table.load(path)
    assert table.words == ["a", "b", "c"]
    assert np.array_equal(table.vectors, np.array([[1, 2], [0.5, 5], [100, -0.01]], np.float32))
    path.write_bytes(b"1 2\na 1 2")
    assert Table.load(path).words == ["a"]


MALFORMED = [
    ("a.txt", b"2 2\na 1 2\nb 1\n", "line 3: it has 1 numbers where there should be 2"),
    ("a.txt", b"2 2\na 1 2\nb 1 2 3\n", "line 3: it has 3 numbers where there should be 2"),
    ("a.txt", b"2 2\na 1 2\nb\n1 2\n", "line 3: it has 0 numbers"),
    ("a.txt", b"2 2\na 1 x\nb 1 2\n", "line 2: 'x' is not a number"),
    ("a.txt", b"2 2\na 1 1_0\nb 1 2\n", "line 2: '1_0' is not a number"),
    ("a.txt", b"2 2\na 1 0x1\nb 1 2\n", "line 2: '0x1' is not a number"),
    ("a.txt", b"2 2\na 1 1e\nb 1 2\n", "line 2: '1e' is not a number"),
    ("a.txt", b"2 2\na 1 -\nb 1 2\n", "line 2: '-' is not a number"),
    ("a.txt", b"2 2\na 1 .\nb 1 2\n", "line 2: '.' is not a number"),
    ("a.txt", b"2 2\na 1 1\t2\nb 1 2\n", "line 2: .* is not a number"),
    ("a.txt", b"2 2\na 1 2\nb 1 nan\n", "line 3: 'nan' is not finite"),
    ("a.txt", b"2 2\na 1 2\nb -Infinity 0\n", "line 3: '-Infinity' is not finite"),
    ("a.txt", b"2 2\na 1 2\nb 1e39 0\n", "line 3: '1e39' is too large for single precision"),
    ("a.txt", b"2 2\na 1 2\n 1 2\n", "line 3: it begins with a space"),
    ("a.txt", b"2 2\na 1 2\n\nb 1 2\n", "line 3: it is empty"),
    ("a.txt", b"2 2\na 1 2\na 1 2\n", "line 3: the word 'a' stands in line 2 already"),
    ("a.txt", b"2 2\na 1 2\n\xff 1 2\n", "line 3: the word .* is not UTF-8"),
    ("a.txt", b"3 2\na 1 2\nb 1 2\n", "has 2 words, its header says 3: it was cut short"),
    ("a.txt", b"1 2\na 1 2\nb 1 2\n", "line 3: its header, line 1, says there are 1 words"),
    ("a.txt", b"a 1 2\nb 1 2\n", "line 1: 'a 1 2.*' is not a header such as '400000 100'; name .* .glove.txt"),
    ("a.txt", b"0 2\n", "line 1: the header says 0 words"),
    ("a.txt", b"2 0\na\nb\n", "words of 0 numbers; there must be some"),
    ("a.txt", b"99999999999 300\na 1\n", "99,999,999,999 words of 300 numbers do not fit into 20 bytes"),
    ("a.txt", b"1 999999999999999\na 1\n", "do not fit into"),
    ("a.txt", b"", "is empty; give a file with vectors in it"),
    ("a.glove.txt", b"a 1 2\nb 1\n", "line 2: it has 1 numbers where there should be 2"),
    ("a.glove.txt", b"a 1 2\nb 1 2 3\n", "line 2: it has 3 numbers where there should be 2"),
    ("a.glove.txt", b"a 1 2\n  1 2\n", "line 2: it begins with a space: its word is empty"),
    ("a.glove.txt", b"a 1 2\n\nb 1 2\n", "line 2: it is empty"),
    ("a.glove.txt", b"a 1 2\na 1 2\n", "line 2: the word 'a' stands in line 1 already"),
    ("a.glove.txt", b"2 2\na 1 2\n", "line 1: .* looks like a header; name .* .txt"),
    ("a.glove.txt", b"word\n", "line 1: .* is not a word and its numbers"),
    ("a.txt.gz", b"plain", "does not unpack as gzip"),
    ("a.txt.gz", gzip.compress(b"1 2\na 1 2\n", mtime=0)[:-9], "does not unpack as gzip"),
    ("a.bin", b"1 2\na " + b"\0" * 7, "word 1: the file ends before its numbers do"),
    ("a.bin", b"3 1\na " + b"\0" * 4 + b"\nb", "do not fit into 12 bytes"),
    ("a.bin", b"2 1\na " + b"\0" * 4 + b"\nbcdef \0\0", "word 2: the file ends before"),
    ("a.bin", b"1 1\na " + b"\0" * 4 + b"\nb " + b"\0" * 4, "goes on after the 1 words"),
    ("a.bin", b"2 1\na " + b"\0" * 4 + b" " + b"\0" * 9, "word 2: .* is empty"),
    ("a.bin", b"2 1\na " + b"\0" * 4 + b"b\nc " + b"\0" * 9, "word 2: .*newline in it"),
    ("a.bin", b"1 1\n" + b"a" * 70_000 + b" " + b"\0" * 4, None),
    ("a.bin", b"1 1\n" + b"a" * 70_000, "over 65,536 bytes"),
    ("a.bin", b"2 1\na " + b"\0" * 4 + b"a " + b"\0" * 4, "word 2: the word 'a' stands in word 1 already"),
    ("a.bin", b"1 1\na " + np.float32(np.nan).tobytes(), "word 1: the vector of 'a' has numbers that are not finite"),
    ("a.bin", b"1 1\n\xff " + b"\0" * 4, "word 1: .* is not UTF-8"),
    ("a.bin", b"999999999 99\na " + b"\0" * 4, "do not fit into"),
    ("a.bin", b"\xba\x16\x4f\x2f" + b"\0" * 90, "is a model of fastText"),
    ("a.npz", b"no zip", "does not read as .npz"),
    ("a.safetensors", b"\xff" * 20, "does not read as safetensors"),
    ("a.model", b"pickle", "is of no kind that is known; give a folder of ours, or a file that ends in .txt"),
]


@pytest.mark.parametrize(("name", "body", "message"), MALFORMED)
def test_malformed_files_are_refused_with_the_place(tmp_path, name, body, message):
    (tmp_path / name).write_bytes(body)
    if message is None:
        assert len(Table.load(tmp_path / name)) == 1
        return
    with pytest.raises(DataError, match=message) as caught:
        Table.load(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "CHUNK", 100)
    for name, start, line in (("a.txt", "3 2\n", 3), ("a.glove.txt", "", 2)):
        (tmp_path / name).write_text(f"{start}a 1 2\nb {'1' * 1000} 2\nc 1 2\n")
        with pytest.raises(DataError, match=f"line {line}: "):
            Table.load(tmp_path / name)


def test_files_that_are_not_there_or_not_files_are_told(tmp_path):
    (tmp_path / "vectors.txt").write_text("1 1\na 1\n")
    with pytest.raises(DataError, match=r"no such file: .*vector.txt; did you mean 'vectors.txt'\?"):
        Table.load(tmp_path / "vector.txt")
    with pytest.raises(DataError, match="is not a regular file"):
        formats.read(__import__("pathlib").Path("/dev/zero"))
    with pytest.raises(DataError, match="cannot read"):
        Table.load(tmp_path / "a\0.txt")


def packed(arrays, *, compress=False):
    body = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(body, **arrays)
    return body.getvalue()


WORD = np.array(["a"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (packed({"words": WORD}), "should hold the arrays words, a list of text, and vectors"),
        (packed({"words": np.array([1]), "vectors": np.ones((1, 2))}), "should hold the arrays"),
        (packed({"words": np.array(["a", "a"]), "vectors": np.ones((2, 2))}), "word 2: the word 'a' stands in word 1"),
        (packed({"words": np.array(["a", "b"]), "vectors": np.ones((1, 2))}), "does not hold a table: the vectors are"),
        (packed({"words": WORD, "vectors": np.zeros((1, 10**7))}, compress=True), "save it with numpy.savez"),
    ],
)
def test_hostile_arrays_are_refused(tmp_path, body, message):
    (tmp_path / "a.npz").write_bytes(body)
    with pytest.raises(DataError, match=message):
        Table.load(tmp_path / "a.npz")


def test_arrays_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", words=np.array(["a"], object), vectors=np.ones((1, 2)), allow_pickle=True)
    with pytest.raises(DataError, match=r"does not read as \.npz: .*Object arrays"):
        Table.load(tmp_path / "a.npz")


def test_a_header_that_lies_about_its_array_is_refused(tmp_path):
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 100)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("vectors.npy", member.getvalue() + b"\0" * 8)
    with pytest.raises(DataError, match="takes 400,000,000,000,000 bytes out of"):
        Table.load(tmp_path / "a.npz")


def test_packed_arrays_of_a_common_size_are_read(tmp_path):
    (tmp_path / "a.npz").write_bytes(packed({"words": WORD, "vectors": np.ones((1, 2), np.float32)}, compress=True))
    assert Table.load(tmp_path / "a.npz")["a"].tolist() == [1, 1]


@pytest.mark.parametrize("name", ["a.txt", "a.glove.txt", "a.vec", "a.bin"])
@pytest.mark.parametrize("word", ["New York", "a\nb"])
def test_words_that_a_file_cannot_hold_are_refused_and_nothing_is_written(tmp_path, name, word):
    table = Table(["a", word], np.ones((2, 2), np.float32))
    with pytest.raises(ArgumentError, match=f"{word!a} has a space or a newline".replace("\\", "\\\\")):
        table.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_more_that_is_refused_when_writing(tmp_path):
    table = Table(["a\0"], np.ones((1, 2), np.float32))
    with pytest.raises(ArgumentError, match="do not fit numpy's arrays of text"):
        table.save(tmp_path / "a.npz")
    with pytest.raises(ArgumentError, match=r".gz is for reading only; write a.txt and pack it"):
        table.save(tmp_path / "a.txt.gz")
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(ArgumentError, match="exists and is not a file"):
        table.save(tmp_path / "b.txt")
    with pytest.raises(ArgumentError, match="has a space or a newline"):
        Table(["a\nb"], np.ones((1, 2), np.float32)).save(tmp_path / "a.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


def test_what_a_kind_of_file_does_not_keep_is_told(tmp_path):
    parts = Subwords(3, 6, 10, np.zeros(0, np.int32), np.zeros((0, 2), np.float32))
    table = Table(["a"], np.ones((1, 2), np.float32), counts=np.ones(1, np.int64), subwords=parts, facts={"a": 1})
    assert formats.left_behind(table, tmp_path / "a.txt") == ["counts", "subwords", "facts"]
    assert formats.left_behind(table, tmp_path / "a.npz") == ["subwords", "facts"]
    assert formats.left_behind(table, tmp_path / "folder") == []


def test_writing_that_is_broken_off_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("mine")

    def broken(*_arguments, **_more):
        yield b"2 2\n"
        raise KeyboardInterrupt

    monkeypatch.setattr(lines, "write_lines", broken)
    with pytest.raises(KeyboardInterrupt):
        Table(["a"], np.ones((1, 2), np.float32)).save(path)
    assert path.read_text() == "mine"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def read_number(text):
    """A number by the compiled loop; None where it leaves the line to Python."""
    body = np.frombuffer(f"w {text}\n".encode(), np.uint8)
    vectors, spelled = np.empty((1, 1), np.float32), np.empty(len(body), np.uint8)
    place, row, letters = read_lines(body, 0, vectors, 0, spelled, 0)
    assert (place, row, letters) in ((len(body), 1, 2), (0, 0, 0))
    return vectors[0, 0] if row else None


def expected(text):
    with np.errstate(over="ignore"):
        return np.float64(float(text)).astype(np.float32)


floats = st.floats(width=64, allow_nan=False, allow_infinity=False)
singles = st.floats(width=32, allow_nan=False, allow_infinity=False)
digits = st.text("0123456789", min_size=1, max_size=30)
spellings = st.one_of(
    floats.map(repr),
    singles.map(repr),
    singles.map(lambda number: f"{number:.6f}"),
    st.floats(-1, 1, width=32).map(lambda number: str(np.float32(number))),
    st.builds("{}{}.{}".format, st.sampled_from(["", "-", "+"]), digits, digits),
    st.builds("{}.{}e{}".format, digits, digits, st.integers(-60, 60)),
    st.builds("{}E{:+04d}".format, digits, st.integers(-60, 60)),
    st.builds("0.{}{}".format, st.integers(0, 40).map(lambda zeros: "0" * zeros), digits),
)


@given(st.lists(spellings, min_size=10, max_size=10))
def test_numbers_are_those_that_python_reads(texts):
    for text in texts:
        number = read_number(text)
        assert number is None or number.tobytes() == expected(text).tobytes()


fields = st.text("ab .é\r", min_size=1, max_size=4).map(lambda text: text.strip() or "w")


@given(
    st.lists(st.tuples(fields, spellings, st.sampled_from([" ", "  "]), spellings), min_size=1, max_size=8),
    st.booleans(),
)
def test_lines_are_read_as_python_reads_them_one_by_one(tmp_path_factory, rows, spaced):
    body = [f"{'' if spaced else i}{word}{i} {one}{gap}{two}".encode() for i, (word, one, gap, two) in enumerate(rows)]
    path = tmp_path_factory.getbasetemp() / ("lines.glove.txt" if spaced else "lines.txt")
    first = b"first 1 2\n" if spaced else b"%d 2\n" % len(body)
    path.write_bytes(first + b"".join(line + b"\n" for line in body))
    try:
        expected_rows = [lines.parse_line(line, 2, spaced) for line in body]
    except lines.MalformedError:
        with pytest.raises(DataError, match="line"):
            Table.load(path)
        return
    table = Table.load(path)
    assert table.words[spaced:] == [word.decode() for word, _ in expected_rows]
    assert np.array_equal(table.vectors[spaced:], [numbers for _, numbers in expected_rows])


@pytest.mark.parametrize("text", ["0.418", "-0.12345678", "1", "1e-5", ".5", "5.", "0", "-0.0", "1234567890123456789"])
def test_plain_numbers_are_read_by_the_compiled_loop(text):
    assert read_number(text).tobytes() == expected(text).tobytes()


@pytest.mark.parametrize(
    "text",
    [
        *("16777217", "1.00000005960464477539", "1.000000178813934326171875", "1e-40", "1.17549435e-38", "3.5e38"),
        *("1e400", "1e-400", "1e00001", "", "+", "1e+", "x", "1x", "1..2", "1e5.5", "--1", "nan", "\t1", "1\t"),
    ],
)
def test_halfway_tiny_and_malformed_numbers_are_left_to_python(text):
    assert read_number(text) is None


@given(st.lists(singles, min_size=1, max_size=40))
@example([1858401992704.0, 999999995904.0, 1e12, -1e15])
@example([-332413000000.0, -99999.0, -1.2e11, 123456700000.0, -3.52e11])
@example([2.4801588e-05, -8.8041095e-05, 9.9999e-05, 1e-4, -1.2345678e-4])
def test_written_numbers_read_as_the_same_and_are_no_longer_than_python_s(numbers):
    vectors = np.array([numbers], np.float32)
    text, ends = np.empty(LONGEST * len(numbers), np.uint8), np.empty(1, np.int64)
    write_numbers(vectors, text, ends)
    written = text[: ends[0]].tobytes().decode().split(" ")[1:]
    assert [float(expected(word)) for word in written] == vectors[0].tolist()
    for word, number in zip(written, vectors[0], strict=True):
        assert len(word) < LONGEST
        assert not 1.2e-38 < abs(number) < 3.4e38 or len(word) <= max(12, len(str(number)))
