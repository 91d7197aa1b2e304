"""Scripts: fonts that have the letters of a text, wherever they are installed, or what to install."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unicodedata import bidirectional, category, name

from throughtime.inspect.pictures import Fonts, find_fonts

TOFU = "\u25af"  # what stands for a letter that no font has
EAST = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC")


def fonts_for(text: str) -> tuple[Fonts, list[str]]:
    """Fonts that have the letters of a text, in the order of who is asked first; and what of it cannot be written.

    Beside those of our list every other font of this machine is asked, also one that matplotlib has not seen yet.
    The sentences name the scripts, and what to install.

    Raises `MissingExtraError` without matplotlib.
    """
    known = find_fonts()
    families, letters = list(known.families), set(known.letters)
    wanted = {letter for letter in text if letter.isprintable() and not letter.isspace()}
    missing = {ord(letter) for letter in wanted} - letters
    for family, found in _others(missing) if missing else ():
        if found & missing:
            families.append(family)
            letters |= found
            missing -= found
        if not missing:
            break
    fonts = Fonts(families, frozenset(letters), known.joined)
    return fonts, [*_told(missing), *_unshaped(wanted, fonts)]


def writable(text: str, fonts: Fonts) -> str:
    """The text, with a box for each letter that no font has; what is not seen is left out.

    >>> writable("a\u200bb", Fonts(["any"], frozenset(map(ord, "ab")), True))
    'ab'
    """
    return "".join(
        letter if letter.isspace() or ord(letter) in fonts.letters else TOFU
        for letter in text
        if ord(letter) in fonts.letters or category(letter) != "Cf"
    )


def is_right_to_left(text: str) -> bool:
    """Whether a text runs from right to left, which its first letter of a direction says.

    >>> is_right_to_left("1. \u0645\u0631"), is_right_to_left("a \u0645")
    (True, False)
    """
    ways = (bidirectional(letter) for letter in text)
    return next((way for way in ways if way in ("L", "R", "AL")), "L") != "L"


def script_of(letter: str) -> str:
    """What the script of a letter is called.

    >>> script_of("\u0928"), script_of("\u6f22"), script_of("\U0001f600")
    ('Devanagari', 'Chinese, Japanese or Korean', 'symbol')
    """
    first = _first(letter)
    if first in EAST:
        return "Chinese, Japanese or Korean"
    return first.title() if category(letter)[0] in "LM" and first != "COMBINING" else "symbol"


def _first(letter: str) -> str:
    """The first word of a letter's name, which is mostly its script."""
    return name(letter, "symbol").replace("-", " ").split()[0]


def _others(missing: set[int]) -> Iterator[tuple[str, set[int]]]:
    """Each other font of this machine by its family, with its letters: first those that are called by a script."""
    from matplotlib import font_manager

    scripts = {script_of(chr(code)).split(",")[0] for code in missing}
    here = {entry.fname for entry in font_manager.fontManager.ttflist}
    paths = sorted(here.union(font_manager.findSystemFonts()), key=lambda path: _rank(Path(path).stem, scripts))
    for path in paths:
        try:
            font: Any = font_manager.get_font(path)
            found = set(font.get_charmap())
        except (OSError, RuntimeError):  # it does not read as a font
            continue
        if not font.scalable or "Last Resort" in font.family_name:
            continue
        if path not in here and found & missing:
            font_manager.fontManager.addfont(path)
        yield font.family_name, found


def _rank(stem: str, scripts: set[str]) -> tuple[bool, ...]:
    """Where a font stands among others: upright ones without serifs, and those of the scripts, are asked first."""
    called = any(script in stem for script in scripts)
    return (not called, "Sans" not in stem, "Regular" not in stem, "UI" in stem)


def _told(missing: set[int]) -> list[str]:
    """A sentence for each script of letters that no font has."""
    scripts, here = defaultdict[str, list[str]](list), {script_of(chr(code)) for code in missing}
    for letter in map(chr, sorted(missing)):
        own = _first(letter).title()  # punctuation goes with its letters
        scripts[own if own in here else script_of(letter)].append(letter)
    told = []
    for script, letters in scripts.items():
        east, symbols = "," in script, script == "symbol"
        wanted = "CJK" if east else "Symbols" if symbols else script
        package = "fonts-noto-cjk" if east else "fonts-noto-core"
        many = f"{len(letters):,} {script} character" + ("s" if len(letters) > 1 else "")
        told.append(
            f"no font here has {many} ({''.join(letters[:4])}), drawn as {TOFU}: install Noto Sans {wanted} "
            f"(Debian, Ubuntu: {package}) or another font that has them, and draw again"
        )
    return told


def _unshaped(letters: set[str], fonts: Fonts) -> list[str]:
    """What an older matplotlib does to letters that are joined, or run from right to left."""
    joined = sorted({script_of(c) for c in letters if bidirectional(c) in ("R", "AL") or category(c) == "Mc"})
    if fonts.joined or not joined:
        return []
    return [
        f"this version of matplotlib writes {' and '.join(joined)} letter by letter from the left: "
        "pip install --upgrade 'matplotlib>=3.11'"
    ]
