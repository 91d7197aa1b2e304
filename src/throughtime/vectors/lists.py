"""Lists of words: from files, in JSON or a line each, and small ones of our own."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from throughtime.data.read import read_bytes
from throughtime.errors import DataError

Pair = tuple[str, str]

# Caliskan et al. (2017), table 1, by the names that the lists go by in the file WEAT.json that is passed around.
CALISKAN = {
    "flowers and insects": ("flowers", "insects", "pleasant_5", "unpleasant_5a"),
    "instruments and weapons": ("instruments", "weapons", "pleasant_5", "unpleasant_5b"),
    "names, after Greenwald": (
        "european_american_names_5",
        "african_american_names_5",
        "pleasant_5",
        "unpleasant_5b",
    ),
    "names, after Bertrand": ("european_american_names_7", "african_american_names_7", "pleasant_5", "unpleasant_5b"),
    "names, few attributes": ("european_american_names_7", "african_american_names_7", "pleasant_9", "unpleasant_9"),
    "career and family": ("male_names", "female_names", "career", "family"),
    "mathematics and arts": ("math", "arts", "male_terms", "female_terms"),
    "science and arts": ("science", "arts_2", "male_terms_2", "female_terms_2"),
    "diseases": ("mental_disease", "physical_disease", "temporary", "permanent"),
    "age": ("young_people_names", "old_people_names", "pleasant_9", "unpleasant_9"),
}
FORMS = (
    'an object of lists, "tests" beside them: [{"name": ..., "targets": [list, list], "attributes": [list, list]}], '
    "or the lists of Caliskan et al. under their usual names"
)


@dataclass(frozen=True)
class Association:
    """Two sets of target words and two of attributes, each under its name: what `weat` tests."""

    name: str
    targets: dict[str, list[str]]
    attributes: dict[str, list[str]]


def own(name: str) -> Path:
    """The file of one of our own lists: definitional, equalise, specific, neutral, associations."""
    return Path(str(files("throughtime.vectors") / "lists" / f"{name}.json"))


def read_word_pairs(path: Path) -> list[Pair]:
    """Pairs of words: a JSON list of lists of two, or two words a line with a tab, a comma or spaces between.

    Raises `DataError` for an item or a line that is not two different words, and for a file that has none.
    """
    pairs = []
    for place, item in _items(path, "pairs"):
        words = item if isinstance(item, list) else _cut(item) if isinstance(item, str) else []
        if len(words) != 2 or not all(isinstance(word, str) and word for word in words) or words[0] == words[1]:
            raise DataError(f"{place} of {path} is {item!a:.80}; give two different words")
        pairs.append((words[0], words[1]))
    return pairs


def read_words(path: Path) -> list[str]:
    """Words: a JSON list of words, or of lists that begin with one; or one a line. Each is kept once.

    Raises `DataError` for an item that is no word, and for a file that has none.
    """
    words: dict[str, None] = {}
    for place, item in _items(path, "words"):
        word = item[0] if isinstance(item, list) and item else item
        if not isinstance(word, str) or not word:
            raise DataError(f"{place} of {path} is {item!a:.80}; give a word, or a list that begins with one")
        words[word] = None
    return list(words)


def read_associations(path: Path) -> list[Association]:
    """The association tests of a JSON file: those it states, or those of Caliskan et al. whose lists it has.

    Raises `DataError` for a file of another form, and for one without tests.
    """
    content = _json(path, text_of(path))
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no object; give {FORMS}")
    lists = {name: _word_list(path, name, words) for name, words in content.items() if name != "tests"}
    if "tests" in content:
        tests = content["tests"]
        if not isinstance(tests, list):
            raise DataError(f'"tests" of {path} is no list; give {FORMS}')
        found = [_association(path, i, test, lists) for i, test in enumerate(tests, 1)]
    else:
        found = [
            Association(name, {x: lists[x], y: lists[y]}, {a: lists[a], b: lists[b]})
            for name, (x, y, a, b) in CALISKAN.items()
            if {x, y, a, b} <= set(lists)
        ]
    if not found:
        raise DataError(f"{path} has no association tests; give {FORMS}")
    return found


def text_of(path: Path) -> str:
    """The text of a UTF-8 file, without its byte order mark. Raises `DataError` when it is not such a file."""
    body = read_bytes(path).removeprefix(b"\xef\xbb\xbf")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8: byte 0x{body[error.start]:02x} in line {line}; convert it (iconv -t utf-8)"
        ) from None


def _association(path: Path, number: int, test: Any, lists: Mapping[str, list[str]]) -> Association:
    sides: list[dict[str, list[str]]] = []
    for key in ("targets", "attributes"):
        names = test.get(key) if isinstance(test, dict) else None
        if not isinstance(names, list) or len(names) != 2 or names[0] == names[1]:
            raise DataError(f"test {number} of {path} needs two lists as its {key}; give {FORMS}")
        for name in names:
            if not isinstance(name, str) or name not in lists:
                raise DataError(f"test {number} of {path} names {name!a:.80}, which is none of its lists")
        sides.append({name: lists[name] for name in names})
    name = test.get("name", " and ".join(sides[0]))
    if not isinstance(name, str):
        raise DataError(f"the name of test {number} of {path} is {name!a:.80}; give text")
    return Association(name, *sides)


def _word_list(path: Path, name: str, words: Any) -> list[str]:
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        raise DataError(f"{name!a:.80} of {path} is no list of words; give {FORMS}")
    return list(dict.fromkeys(words))


def _items(path: Path, things: str) -> list[tuple[str, Any]]:
    """What stands in a list of JSON, or line by line, each with its place."""
    text = text_of(path)
    if text.lstrip()[:1] in ("[", "{"):
        content = _json(path, text)
        if not isinstance(content, list):
            raise DataError(f"{path} holds an object; give a list of {things}")
        items = [(f"item {i}", item) for i, item in enumerate(content, 1)]
    else:
        lines = enumerate(text.split("\n"), 1)
        items = [(f"line {i}", line.strip()) for i, line in lines if line.strip()]
    if not items:
        raise DataError(f"{path} has no {things}; give a list of them, in JSON or one a line")
    return items


def _json(path: Path, text: str) -> Any:
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise DataError(f"{path} does not read as JSON: {error}") from None


def _cut(line: str) -> list[str]:
    for separator in ("\t", ","):
        if separator in line:
            return [field.strip() for field in line.split(separator)]
    return line.split()
