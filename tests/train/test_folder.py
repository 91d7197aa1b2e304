import json
import os

import pytest
import torch

from throughtime.errors import RunError, StorageError
from throughtime.train import folder

FILES = {"a.json": b'{"x": 1}\n', "b.bin": bytes(range(256))}


def written(path):
    folder.write_files(path, FILES, status="finished")
    return path


def test_what_is_written_reads_back(tmp_path):
    run = written(tmp_path / "run")
    assert folder.read_manifest(run)["status"] == "finished"
    assert {name: folder.read_file(run, name) for name in FILES} == FILES
    assert folder.read_json(run, "a.json") == {"x": 1}
    assert {p.name for p in run.iterdir()} == {*FILES, folder.MANIFEST, folder.MARK}


def test_tensors_read_back(tmp_path):
    tensors = {"w": torch.randn(3, 4), "n": torch.tensor(7)}
    folder.write_files(tmp_path, {"t.safetensors": folder.tensor_bytes(tensors)}, status="finished")
    back = folder.read_tensors(tmp_path, "t.safetensors")
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


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ({"format": 99, "status": "finished", "files": {}}, "upgrade"),
        ({"format": "new", "files": {}}, "upgrade"),
        ({"format": 1, "files": {"../../etc/passwd": {"sha256": "", "bytes": 1}}}, "does not list"),
        ({"format": 1, "files": ["a"]}, "does not list"),
        ([1, 2], "JSON object"),
    ],
)
def test_a_hostile_manifest_is_refused(tmp_path, manifest, says):
    run = written(tmp_path / "run")
    (run / folder.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=says):
        folder.read_manifest(run)


def test_a_manifest_that_is_no_json_is_refused(tmp_path):
    run = written(tmp_path / "run")
    (run / folder.MANIFEST).write_bytes(b"\x80\x04pickle")
    with pytest.raises(RunError, match="does not read as JSON"):
        folder.read_manifest(run)


def test_a_file_larger_than_the_manifest_says_is_not_read(tmp_path):
    run = written(tmp_path / "run")
    with (run / "b.bin").open("ab") as file:
        file.truncate(2**40)  # sparse: reading it would take a terabyte
    with pytest.raises(RunError, match="larger than the manifest says"):
        folder.read_file(run, "b.bin")


def test_not_safetensors_is_refused(tmp_path):
    folder.write_files(tmp_path, {"t.safetensors": b"\xff" * 64}, status="finished")
    with pytest.raises(RunError, match="safetensors"):
        folder.read_tensors(tmp_path, "t.safetensors")


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
