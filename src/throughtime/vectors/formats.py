"""Files of word vectors, whose kind their ending tells: ours, and those of others.

    a folder                our table: everything, checked by sha256, mapped into memory
    .txt, .vec              text with a header, as word2vec and fastText write it
    .glove.txt              text without a header, as GloVe writes it
    .bin                    word2vec's binary form
    .npz                    numpy's: words, vectors, and counts where there are some
    .safetensors            tensors: words (UTF-8, a newline after each), vectors, counts; mapped into memory

Text is read from .txt.gz, .vec.gz and .glove.txt.gz too. Of subwords and facts, only our folder keeps something.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, DataError
from throughtime.folder import cannot_write
from throughtime.vectors import binary, lines, store
from throughtime.vectors.lines import Block
from throughtime.vectors.table import Table, first_repeated

if TYPE_CHECKING:
    from zipfile import ZipInfo

Tell = Callable[[int, int], None]
TEXT = {".glove.txt": False, ".txt": True, ".vec": True}  # whether there is a header
ENDINGS = ".txt, .vec, .glove.txt (each also with .gz), .bin, .npz or .safetensors"
PACKED = 64  # times that an array in an .npz may be as large as it is there
LARGEST_WORDS = 2**31  # bytes of an array of words of one width


def read(path: Path, tell: Tell | None = None) -> Table:
    """A table from a folder or a file.

    Raises `RunError` for a folder that is not whole or was changed, and `DataError` for a file that is malformed, with
    the number of its line.
    """
    if path.is_dir():
        return store.load(path)
    store.file_size(path)
    kind = _kind(path)
    if kind is None:
        raise DataError(f"{path} is of no kind that is known; give a folder of ours, or a file that ends in {ENDINGS}")
    content = _readers(path, tell)[kind]()
    try:
        return Table(**content)
    except ArgumentError as error:
        words, first = content["words"], 2 if kind in (".txt", ".vec") else 1
        if len(set(words)) == len(words):
            raise DataError(f"{path} does not hold a table: {error}") from None
        once, again = first_repeated(words)
        name = "line" if kind in TEXT else "word"
        first = first if kind in TEXT else 1
        raise DataError(
            f"{path}, {name} {again + first:,}: the word {words[again]!a:.80} stands in {name} {once + first:,} already"
        ) from None


def write(table: Table, path: Path, tell: Tell | None = None) -> None:
    """Writes a table as a folder or as a file: whole, or not at all.

    Raises `ArgumentError` when the kind of file cannot hold a word, or something else is there already.
    """
    kind = _kind(path)
    if path.suffix == ".gz":
        raise ArgumentError(f"{path}: .gz is for reading only; write {path.with_suffix('').name} and pack it")
    if kind is None:
        store.save(table, path)
        return
    if path.exists() and not path.is_file():
        raise ArgumentError(f"{path} exists and is not a file; choose another --out")
    block = Block(table.words, table.vectors)
    if kind == ".npz":
        with _replacing(path) as file:
            np.savez(file, allow_pickle=False, **_arrays(table))
        return
    if kind == ".safetensors":
        pieces: Iterable[bytes | memoryview] = store.tensor_parts(_tensors(table))
    else:
        _refuse_words(table, path, " \n")
        text = kind != ".bin"
        pieces = lines.write_lines(block, header=TEXT[kind], tell=tell) if text else binary.write_records(block, tell)
    with _replacing(path) as file:
        for piece in pieces:
            file.write(piece)


def left_behind(table: Table, path: Path) -> list[str]:
    """What of a table a file of this kind does not keep.

    >>> left_behind(Table(["a"], np.ones((1, 1), np.float32), facts={"method": "svd"}), Path("a.txt"))
    ['facts']
    """
    kind = _kind(path)
    if kind is None:
        return []
    counts = table.counts is not None and kind not in (".npz", ".safetensors")
    lost = {"counts": counts, "subwords": table.subwords is not None, "facts": bool(table.facts)}
    return [name for name, is_lost in lost.items() if is_lost]


def _kind(path: Path) -> str | None:
    """The ending of the kinds above, without .gz; None for every other name."""
    name = path.name.lower()
    text = next((ending for ending in TEXT if name.removesuffix(".gz").endswith(ending)), None)
    return text or next((ending for ending in (".bin", ".npz", ".safetensors") if name.endswith(ending)), None)


def _readers(path: Path, tell: Tell | None) -> dict[str, Callable[[], dict[str, Any]]]:
    text = {
        ending: lambda header=header: lines.read_lines(path, header=header, tell=tell)._asdict()
        for ending, header in TEXT.items()
    }
    return {
        **text,
        ".bin": lambda: binary.read_records(path, tell)._asdict(),
        ".npz": lambda: _read_arrays(path),
        ".safetensors": lambda: _read_tensors(path),
    }


def _arrays(table: Table) -> dict[str, NDArray[Any]]:
    longest = max(table.words, key=len)
    if 4 * len(longest) * len(table) > LARGEST_WORDS or any(word.endswith("\0") for word in table.words):
        raise ArgumentError(
            f"the words do not fit numpy's arrays of text: {longest!a:.80} is too long, or one ends in a zero; "
            "choose .safetensors"
        )
    arrays: dict[str, NDArray[Any]] = {"words": np.array(table.words), "vectors": table.vectors}
    return arrays if table.counts is None else arrays | {"counts": table.counts}


def _read_arrays(path: Path) -> dict[str, Any]:
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as packed:
            for about in packed.infolist():
                _check_member(path, packed.open(about), about)
        with np.load(path, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in ("words", "vectors", "counts") if name in arrays}
    except DataError:
        raise
    except (BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path} does not read as .npz: {error}") from None
    if not {"words", "vectors"} <= set(content) or content["words"].ndim != 1 or content["words"].dtype.kind != "U":
        raise DataError(f"{path} should hold the arrays words, a list of text, and vectors; it has {sorted(content)}")
    return content | {"words": content["words"].tolist()}


def _check_member(path: Path, file: IO[bytes], about: "ZipInfo") -> None:
    """Raises `DataError` when an array would take more memory than its size in the file speaks for."""
    with file:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = reader(file)
    size = int(np.prod([int(length) for length in shape], dtype=object)) * kind.itemsize
    if size > about.file_size or about.file_size > PACKED * about.compress_size + 2**20:
        raise DataError(
            f"{path}: {about.filename!a:.80} takes {max(size, about.file_size):,} bytes out of {about.compress_size:,};"
            " save it with numpy.savez, not packed"
        )


def _tensors(table: Table) -> dict[str, NDArray[Any]]:
    _refuse_words(table, Path("a .safetensors file"), "\n")
    words = np.frombuffer("".join(f"{word}\n" for word in table.words).encode(), np.uint8)
    arrays = {} if table.counts is None else {"counts": table.counts}
    return arrays | {"vectors": table.vectors, "words": words}


def _read_tensors(path: Path) -> dict[str, Any]:
    arrays = store.map_tensors(path)
    content = {name: arrays[name] for name in ("vectors", "counts") if name in arrays}
    if "vectors" not in arrays or "words" not in arrays or arrays["words"].dtype != np.uint8:
        raise DataError(f"{path} should hold the tensors words (bytes of text, a newline after each) and vectors")
    try:
        return content | {"words": lines.decoded(arrays["words"].tobytes())}
    except lines.MalformedError as error:
        raise DataError(f"{path}, word {error.row + 1:,}: {error}") from None


def _refuse_words(table: Table, path: Path, letters: str) -> None:
    """Raises `ArgumentError` for a word with one of the letters, which would end it in such a file."""
    joined = "".join(table.words)
    if any(letter in joined for letter in letters):
        word = next(word for word in table.words if any(letter in word for letter in letters))
        raise ArgumentError(
            f"{word!a:.80} has a space or a newline in it, which {path} cannot hold; leave it out, or write a folder"
        )


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of another when it is whole. Raises `StorageError` when the disk refuses."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):  # where there is no such folder, there is no such file either
            temporary.unlink(missing_ok=True)
