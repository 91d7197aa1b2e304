import json
import os

import pytest
import torch

from throughtime import folder
from throughtime.errors import RunError, StorageError

FILES = {"a.json": b'{"x": 1}\n', "b.bin": bytes(range(256))}


def written(path):
    folder.write_files(path, FILES, status="finished")
    return path


def test_what_is_written_reads_back(tmp_path):
    run = written(tmp_path / "run")
    assert folder.read_manifest(run).status == "finished"
    assert {name: folder.read_file(run, name) for name in FILES} == FILES
    assert folder.read_json(run, "a.json") == {"x": 1}
    assert {p.name for p in run.iterdir()} == {*FILES, folder.MANIFEST, folder.MARK}


def test_tensors_read_back(tmp_path):
    tensors = {"w": torch.randn(3, 4), "n": torch.tensor(7)}
    folder.write_files(tmp_path, {"t.safetensors": folder.tensor_bytes(tensors)}, status="finished")
    back = folder.read_tensors(tmp_path, "t.safetensors", 2**20)
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flip", "truncate", "extend", "remove"])
def test_an_altered_file_is_refused_by_name(tmp_path, name, damage):
    run = written(tmp_path / "run")
    body = (run / name).read_bytes()
    changed = {"flip": bytes([body[0] ^ 1]) + body[1:], "truncate": body[:-1], "extend": body + b"!", "remove": None}
    if changed[damage] is None:
        (run / name).unlink()
    else:
        (run / name).write_bytes(changed[damage])
    with pytest.raises(RunError, match=name):
        folder.read_file(run, name)


def test_a_folder_without_its_mark_is_none(tmp_path):
    run = written(tmp_path / "run")
    folder.unmark(run)
    assert not folder.is_whole(run)
    with pytest.raises(RunError, match="COMPLETE"):
        folder.read_manifest(run)


ENTRY = {"sha256": "0" * 64, "bytes": 1}
WHOLE = {"format": 1, "status": "finished", "files": {"a.json": ENTRY}}


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (WHOLE | {"format": 99}, "upgrade"),
        (WHOLE | {"format": "new"}, "upgrade"),
        (WHOLE | {"format": -1}, "format"),
        (WHOLE | {"status": "\x1b[31m"}, "status"),
        ({"format": 1, "files": {}}, "status"),
        (WHOLE | {"files": {"../../etc/passwd": ENTRY}}, "files"),
        (WHOLE | {"files": {"": ENTRY}}, "files"),
        (WHOLE | {"files": {"a\x1bb": ENTRY}}, "files"),
        (WHOLE | {"files": ["a"]}, "files"),
        (WHOLE | {"files": {"a.json": 3}}, "a.json"),
        (WHOLE | {"files": {"a.json": ENTRY | {"bytes": "x"}}}, "bytes"),
        (WHOLE | {"files": {"a.json": ENTRY | {"bytes": -1}}}, "bytes"),
        (WHOLE | {"files": {"a.json": ENTRY | {"bytes": 1.5}}}, "bytes"),
        (WHOLE | {"files": {"a.json": ENTRY | {"bytes": float("inf")}}}, "does not read as JSON"),
        (WHOLE | {"files": {"a.json": ENTRY | {"sha256": "short"}}}, "sha256"),
        ([1, 2], "JSON object"),
    ],
    ids=str,
)
def test_a_hostile_manifest_is_refused(tmp_path, manifest, says):
    run = written(tmp_path / "run")
    (run / folder.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=says) as error:
        folder.read_file(run, "a.json")
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    "body", [b'{"a":' * 10**5, b'{"a": "\\ud800"}', b'{"a": NaN}', b'{"a": 1' + b"0" * 9999 + b"}"]
)
def test_json_that_harms_is_refused(tmp_path, body):
    folder.write_files(tmp_path, {"a.json": body}, status="finished")
    with pytest.raises(RunError, match="does not read as JSON"):
        folder.read_json(tmp_path, "a.json")


@pytest.mark.parametrize("name", ["a.json", folder.MANIFEST])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nothing"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, name, kind):
    run = written(tmp_path / "run")
    (run / name).unlink()
    make = {"pipe": os.mkfifo, "device": lambda path: path.symlink_to("/dev/zero"), "folder": os.mkdir, "nothing": str}
    make[kind](run / name)
    for read in (folder.check_files, lambda run: folder.read_file(run, "a.json")):
        with pytest.raises(RunError, match=rf"{name}.*damaged"):
            read(run)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_checked(tmp_path, name):
    run = written(tmp_path / "run")
    folder.check_files(run)
    (run / name).write_bytes(FILES[name][::-1])
    with pytest.raises(RunError, match=f"{name} was changed"):
        folder.check_files(run)


def test_a_file_over_what_it_should_hold_is_not_read(tmp_path):
    folder.write_files(tmp_path, {"a.json": b"{}" + b" " * folder.JSON_LIMIT}, status="finished")
    with pytest.raises(RunError, match="is over 1,048,576 bytes"):
        folder.read_json(tmp_path, "a.json")


def test_a_manifest_that_is_no_json_is_refused(tmp_path):
    run = written(tmp_path / "run")
    (run / folder.MANIFEST).write_bytes(b"\x80\x04pickle")
    with pytest.raises(RunError, match="does not read as JSON"):
        folder.read_manifest(run)


def test_a_file_larger_than_the_manifest_says_is_not_read(tmp_path):
    run = written(tmp_path / "run")
    with (run / "b.bin").open("ab") as file:
        file.truncate(2**40)  # sparse: reading it would take a terabyte
    with pytest.raises(RunError, match="larger than what it should hold, or than its manifest says"):
        folder.read_file(run, "b.bin")


def test_not_safetensors_is_refused(tmp_path):
    folder.write_files(tmp_path, {"t.safetensors": b"\xff" * 64}, status="finished")
    with pytest.raises(RunError, match="safetensors"):
        folder.read_tensors(tmp_path, "t.safetensors", 2**20)


@pytest.mark.parametrize("write", [folder.write_files, folder.write_new])
def test_a_full_disk_is_one_error_and_leaves_nothing_that_looks_whole(tmp_path, monkeypatch, write):
    synced = os.fsync
    calls = iter(range(100))

    def full(descriptor):
        if next(calls) >= 2:
            raise OSError(28, "No space left on device")
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write(tmp_path / "run", FILES, status="finished")
    assert not folder.is_whole(tmp_path / "run")
    assert not list(tmp_path.rglob("*.partial"))


def test_a_new_folder_appears_only_when_it_is_full(tmp_path, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folder, "_fill", crash)
        with pytest.raises(KeyboardInterrupt):
            folder.write_new(tmp_path / "run", FILES, status="unfinished")
    assert not (tmp_path / "run").exists()
    folder.write_new(tmp_path / "run", FILES, status="unfinished")
    assert folder.is_whole(tmp_path / "run")


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "file.html"
    folder.write_file(path, b"one")
    folder.write_file(path, b"two")
    assert path.read_bytes() == b"two"
    (tmp_path / "folder.html").mkdir()
    for refused in (tmp_path / "folder.html", tmp_path / "nowhere" / "file.html"):
        with pytest.raises(StorageError, match="cannot write"):
            folder.write_file(refused, b"three")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file.html", "folder.html"]
