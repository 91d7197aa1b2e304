import functools
import hashlib
import http.server
import io
import threading
import zipfile

import pytest

from throughtime.cli.main import run
from throughtime.data import corpora
from throughtime.data.corpora import Corpus, File, get_corpus
from throughtime.data.library import library_text
from throughtime.errors import DataError

BODY = b"to be or not to be\n" * 10


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(f"inside/{name}", body)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("served")
    (home / "text.txt").write_bytes(BODY)
    (home / "archive.zip").write_bytes(zipped(a=b"aaa", b=b"bbb", bomb=bytes(2**20)))
    (home / "broken.zip").write_bytes(b"not a zip")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=home)) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield home, f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


def file(server, name, **more):
    home, url = server
    body = (home / name).read_bytes()
    return File(name, f"{url}/{name}", "sha256:" + hashlib.sha256(body).hexdigest(), **more)


def test_a_corpus_is_fetched_checked_and_kept(server, tmp_path):
    corpus = Corpus("made", "a text", "none", (file(server, "text.txt"),))
    assert get_corpus(corpus, tmp_path) == [tmp_path / "text.txt"]
    assert (tmp_path / "text.txt").read_bytes() == BODY
    gone = Corpus("made", "a text", "none", (File("text.txt", "http://127.0.0.1:1/x", corpus.files[0].checksum),))
    assert get_corpus(gone, tmp_path) == [tmp_path / "text.txt"]  # not fetched again


def test_a_wrong_checksum_leaves_no_file(server, tmp_path):
    good = file(server, "text.txt")
    corpus = Corpus("made", "a text", "none", (File(good.name, good.url, "sha256:" + "0" * 64),))
    with pytest.raises(DataError, match="its checksum is not"):
        get_corpus(corpus, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("path", "says"), [("/missing.txt", "the server answered 404"), (None, "no connection")])
def test_no_network_or_no_file_is_one_line(server, tmp_path, path, says):
    url = server[1] + path if path else "http://127.0.0.1:1/text.txt"
    corpus = Corpus("made", "a text", "none", (File("text.txt", url, "sha256:" + "0" * 64),))
    with pytest.raises(DataError, match=says) as error:
        get_corpus(corpus, tmp_path)
    assert "\n" not in str(error.value)


def test_offline_the_command_is_one_line_and_status_two(monkeypatch, tmp_path, capsys):
    offline = Corpus("plays", "a text", "none", (File("p.txt", "http://127.0.0.1:1/p.txt", "sha256:" + "0" * 64),))
    monkeypatch.setattr(corpora, "CORPORA", (offline,))
    assert run(["data", "get", "plays", "--out", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "no connection" in lines[0]


def test_the_wanted_members_of_an_archive_are_unpacked(server, tmp_path):
    archive = file(server, "archive.zip", members=(("inside/a", "one.txt"), ("inside/b", "two.txt")))
    paths = get_corpus(Corpus("made", "texts", "none", (archive,)), tmp_path)
    assert [path.read_bytes() for path in paths] == [b"aaa", b"bbb"]


@pytest.mark.parametrize(
    ("name", "member", "says"),
    [
        ("archive.zip", "inside/none", "does not unpack"),
        ("broken.zip", "inside/a", "does not unpack"),
        ("archive.zip", "inside/bomb", "unpacks to more than"),
    ],
)
def test_an_archive_that_does_not_fit_is_refused(server, tmp_path, name, member, says):
    archive = file(server, name, members=((member, "out.txt"),), member_limit=1000)
    with pytest.raises(DataError, match=says):
        get_corpus(Corpus("made", "texts", "none", (archive,)), tmp_path)
    assert not (tmp_path / "out.txt").exists()


def test_every_listed_corpus_has_checksums_and_plain_file_names():
    names = [corpus.name for corpus in corpora.CORPORA]
    assert len(set(names)) == len(names)
    for corpus in corpora.CORPORA:
        for item in corpus.files:
            algorithm, digest = item.checksum.split(":")
            assert len(digest) == {"sha256": 64, "md5": 32}[algorithm]
            assert item.url.startswith("https://")
            assert not any("/" in name for name in (item.name, *(name for _, name in item.members)))


def test_the_standard_library_is_code_in_a_fixed_order():
    text = library_text()
    assert text == library_text()
    assert text.isascii()
    assert len(text) > 2_000_000
    assert text.count("\ndef ") > 2000
    assert "import" in text[-len(text) // 10 :]
