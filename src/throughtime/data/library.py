"""A corpus that is on every machine: the source code of Python's standard library."""

import hashlib
import sysconfig
from pathlib import Path

from throughtime.errors import DataError

LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idle_test", "lib2to3", "encodings", "pydoc_data"}


def library_text() -> str:
    """The modules of the standard library, one after the other, without its tests and tables of characters.

    Modules come in an order that is fixed and mixed (by the SHA-256 of their paths), so that the end of the text,
    which is held out, is made of modules of all kinds that are nowhere else in it. Modules that are not UTF-8 or
    hold characters beyond ASCII are left out, which keeps the vocabulary to what code is made of.

    Raises `DataError` when this Python has no source of its library.
    """
    home = Path(sysconfig.get_path("stdlib"))
    modules = [
        path
        for path in home.rglob("*.py")
        if not LEFT_OUT & set(path.relative_to(home).parts) and not path.name.startswith("_sysconfigdata")
    ]
    modules.sort(key=lambda path: hashlib.sha256(path.relative_to(home).as_posix().encode()).digest())
    sources = [path.read_bytes() for path in modules]
    text = "\n\n".join(source.decode().strip() for source in sources if source.isascii() and b"\0" not in source)
    if not text:
        raise DataError(f"this Python has no source of its standard library in {home}; give a text of your own")
    return text + "\n"
