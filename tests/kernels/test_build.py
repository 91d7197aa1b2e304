"""The cache of machine code: whole files of one user, used where they can be, and never needed."""

import errno
import multiprocessing
import os
import stat
import sys
import tempfile
import threading
import warnings
from pathlib import Path

import pytest
import torch
from comparing import batch_for, distance, plain, sweep
from numba.core.caching import IndexDataCacheFile

from throughtime.cells import Elman
from throughtime.errors import StorageError
from throughtime.kernels import build

SOURCE = '''"""One more than a number. Größe."""

from numba import cfunc, types


@cfunc(types.int64(types.int64), nopython=True, cache=True)
def sweep(x):
    return x + 1
'''


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache of its own, and a process that knows of no module."""
    place = tmp_path / "cache"
    monkeypatch.setenv(build.ENVIRONMENT, str(place))
    monkeypatch.setattr(build, "_said", set())
    build._module.cache_clear()
    yield place
    build._module.cache_clear()


def again():
    """As in the next process."""
    build._module.cache_clear()


def built(source=SOURCE, name="adds"):
    made = build.module(source, name)
    assert made.sweep.ctypes(41) == 42
    return made


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


# --- what is kept


def test_a_source_is_kept_readable_beside_its_machine_code(folder):
    made = built()
    assert made.sweep.cache_hits == 0
    (path,) = folder.rglob("*.py")
    assert path.read_bytes() == SOURCE.encode()
    assert path.parent == folder / build.toolchain()
    assert path.name.startswith("adds_")
    assert {p.suffix for p in files(folder)} == {".py", ".nbi", ".nbc"}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_is_kept_is_not_compiled_again(folder):
    built()
    before = {path: path.stat().st_mtime_ns for path in files(folder)}
    again()
    assert built().sweep.cache_hits == 1
    assert {path: path.stat().st_mtime_ns for path in files(folder)} == before


def test_a_module_is_made_once_in_a_process():
    assert built() is built()


def test_other_sources_are_other_files(folder):
    built()
    built(SOURCE.replace("x + 1", "1 + x"))
    built(name="other")
    assert len(list(folder.rglob("*.py"))) == 3


def test_names_are_fit_for_files(folder):
    for name in ("A/../../b", "Größe", "x" * 300, ""):
        built(name=name)
    assert all(path.parent == folder / build.toolchain() for path in folder.rglob("*.py"))


def test_the_place_is_that_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv(build.ENVIRONMENT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "there"))
    assert build.cache_folder() == tmp_path / "there" / "throughtime"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert build.cache_folder() == tmp_path / ".cache" / "throughtime"
    monkeypatch.setenv(build.ENVIRONMENT, "~/mine")
    assert build.cache_folder() == tmp_path / "mine"


def test_the_place_may_change_in_a_process(folder, monkeypatch, tmp_path):
    built()
    monkeypatch.setenv(build.ENVIRONMENT, str(tmp_path / "second"))
    built()
    assert len(list((tmp_path / "second").rglob("*.py"))) == 1


# --- what cannot be kept


def refused(*parts):
    """Builds twice, in memory, with one warning for both."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        built()
        built(SOURCE.replace("x + 1", "1 + x"))
    assert len(said) == 1, [str(warning.message) for warning in said]
    assert "compiled sweeps are not kept in" in str(said[0].message)
    for part in parts:
        assert part in str(said[0].message)


def test_a_file_in_its_place(folder):
    folder.write_text("mine")
    refused(str(folder))
    assert folder.read_text() == "mine"


def test_a_folder_that_may_not_be_made(folder, monkeypatch):
    def mkdir(self, *args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    refused("Read-only")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for the superuser")
def test_a_folder_that_may_not_be_written(folder):
    folder.mkdir()
    folder.chmod(0o500)
    refused("Permission")
    folder.chmod(0o700)


def test_a_read_only_folder(folder, monkeypatch):
    def mkstemp(**_):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(tempfile, "mkstemp", mkstemp)
    refused("Permission denied")


def test_a_folder_that_is_read_only_by_now_still_serves(folder, monkeypatch):
    built()
    again()

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    monkeypatch.setattr(IndexDataCacheFile, "_open_for_write", refuse)
    assert built().sweep.cache_hits == 1


def test_a_full_disk(folder, monkeypatch):
    class Full:
        def __init__(self, handle, _mode):
            self.handle = handle

        def __enter__(self):
            return self

        def __exit__(self, *_):
            os.close(self.handle)

        def write(self, text):
            os.write(self.handle, text[: len(text) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fdopen", Full)
    refused("No space left")
    assert files(folder) == []


@pytest.mark.parametrize("what", ["_save_index", "_save_data"])
def test_a_disk_that_is_full_when_the_machine_code_comes(folder, monkeypatch, what):
    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(IndexDataCacheFile, what, full)
        refused("No space left")
    again()
    assert built().sweep.cache_hits == 0  # and with room it is kept
    again()
    assert built().sweep.cache_hits == 1


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to(folder, mode):
    place = folder / build.toolchain()
    place.mkdir(parents=True)
    place.chmod(mode)
    refused("may be written by others")
    assert files(folder) == []


def test_a_folder_of_another_user(folder, monkeypatch):
    (folder / build.toolchain()).mkdir(parents=True, mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    refused("belongs to another user")
    assert files(folder) == []


def test_a_home_that_there_is_not(monkeypatch):
    monkeypatch.setenv(build.ENVIRONMENT, "~nobody-of-this-name/cache")
    refused("no home folder")


def test_sweeps_need_no_cache(folder):
    folder.write_text("mine")
    cell = Elman(3, 4).double()
    inputs, state = batch_for(cell, (3, 2)), cell.initial(2)
    with torch.no_grad(), pytest.warns(UserWarning, match="not kept"):
        assert distance(sweep(cell, inputs, state), plain(cell, inputs, state)) <= 1e-10


# --- what is broken


@pytest.mark.parametrize("text", [b"", b"def sweep(", b"\xff\xfe\x00", b"import os\nos.abort()\n"])
def test_a_source_that_was_tampered_with_is_written_anew_and_never_run(folder, text):
    built()
    (path,) = folder.rglob("*.py")
    path.write_bytes(text)
    again()
    built()
    assert path.read_bytes() == SOURCE.encode()


def cut(data):
    return data[: len(data) // 2]


BREAKS = {"empty": lambda data: b"", "cut": cut, "zeros": lambda data: bytes(len(data)), "text": lambda data: b"x" * 99}


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_machine_code_that_cannot_be_read_is_made_anew(folder, suffix, how):
    built()
    (path,) = folder.rglob(f"*.{suffix}")
    path.write_bytes(BREAKS[how](path.read_bytes()))
    again()
    with pytest.warns(UserWarning, match=r"adds_.* is compiled anew"):
        built()
    again()
    assert built().sweep.cache_hits == 1


@pytest.mark.parametrize("suffix", ["nbi", "nbc", "py"])
def test_machine_code_that_is_gone_is_made_anew(folder, suffix):
    built()
    (path,) = folder.rglob(f"*.{suffix}")
    path.unlink()
    again()
    built()
    again()
    assert built().sweep.cache_hits == 1


def test_an_error_of_the_compiler_is_no_broken_cache(folder):
    wrong = SOURCE.replace("x + 1", "x + nothing_of_this_name")
    with pytest.raises(Exception, match="nothing_of_this_name"):
        build.module(wrong, "wrong")
    assert not issubclass(StorageError, TypeError)


# --- many at once


def build_apart(start, found):
    """What a process of its own does; its threads are lost, so it answers by a queue."""
    build._module.cache_clear()
    start.wait(60)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            made = [build.module(SOURCE.replace("x + 1", f"x + {n}"), f"adds{n}").sweep.ctypes(1) for n in (1, 2)]
        found.put(made)
    except BaseException as error:
        found.put(repr(error))


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_ten_processes_start_on_an_empty_cache_at_once(folder):
    context = multiprocessing.get_context("fork")
    start, found = context.Barrier(10), context.Queue()
    processes = [context.Process(target=build_apart, args=(start, found)) for _ in range(10)]
    for process in processes:
        process.start()
    results = [found.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert results == [[2, 3]] * 10
    assert [p for p in files(folder) if p.suffix not in (".py", ".nbi", ".nbc")] == []
    sources = list(folder.rglob("*.py"))
    assert sorted(path.read_text() for path in sources) == [SOURCE, SOURCE.replace("x + 1", "x + 2")]
    again()
    for n in (1, 2):
        assert build.module(SOURCE.replace("x + 1", f"x + {n}"), f"adds{n}").sweep.cache_hits == 1


def test_threads_build_one_module_at_once():
    found = []
    threads = [threading.Thread(target=lambda: found.append(build.module(SOURCE, "adds"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [made.sweep.ctypes(1) for made in found] == [2] * 8


def sweep_apart(found):
    for name in [name for name in sys.modules if name.startswith("throughtime_sweep_")]:
        del sys.modules[name]
    cell = Elman(3, 4).double()
    with torch.no_grad():
        sweep(cell, batch_for(cell, (3, 2)), cell.initial(2))
    hits = [m.sweep.cache_hits for name, m in sys.modules.items() if name.startswith("throughtime_sweep_elman")]
    found.put(hits)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_second_process_compiles_no_sweep(folder):
    context = multiprocessing.get_context("fork")
    hits = []
    for _ in range(2):
        found = context.Queue()
        process = context.Process(target=sweep_apart, args=(found,))
        process.start()
        hits.append(found.get(timeout=120))
        process.join()
    assert hits == [[0], [1]]
