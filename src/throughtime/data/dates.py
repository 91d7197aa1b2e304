"""Dates as ten languages write them, in twenty formats each, beside ISO 8601: pairs to learn a translation from."""

import re
from collections import deque
from datetime import date, timedelta
from functools import cache
from typing import Any, NamedTuple

from throughtime.data.splits import shuffled
from throughtime.errors import MissingExtraError

FIRST, LAST = date(1900, 1, 1), date(2100, 12, 31)
LANGUAGES = {  # and the digits that each has
    "en": "0123456789",
    "de": "0123456789",
    "fr": "0123456789",
    "es": "0123456789",
    "ru": "0123456789",
    "tr": "0123456789",
    "ar_EG": "٠١٢٣٤٥٦٧٨٩",
    "hi": "०१२३४५६७८९",
    "zh": "0123456789",
    "ja": "0123456789",
}
LENGTHS = ("full", "long", "medium", "short")
SKELETONS = ("yMd", "yMEd", "yMMMd", "yMMMEd", "GyMMMd")
FIXED = ("d MMMM y", "MMMM d, y", "y MMMM d", "d-MMM-y", "y-MM-dd")
PARTED = (".", "-", " ")  # what stands between numbers of two digits, in the order that a language has
PROBE = 2000  # any year


class Format(NamedTuple):
    """A way to write a date in a language."""

    language: str
    pattern: str  # as the Unicode Locale Data Markup Language has it, the year in four digits
    letters: str = ""  # "upper" or "lower": all letters large, or small

    def write(self, day: date) -> str:
        """The date.

        >>> Format("de", "EEEE, d. MMMM y").write(date(2024, 2, 29))
        'Donnerstag, 29. Februar 2024'
        """
        text = str(_pattern(self.pattern).apply(day, _locale(self.language)))
        text = text.translate(str.maketrans(LANGUAGES["en"], LANGUAGES[self.language]))
        if self.letters == "upper":
            return (text.replace("i", "İ") if self.language == "tr" else text).upper()  # where ı is the small I
        return text.lower() if self.letters == "lower" else text

    @property
    def is_numeric(self) -> bool:
        """Whether the month is a number, so that another language may read it as the day."""
        return "MMM" not in self.pattern

    @property
    def bare(self) -> "Format":
        """The same without a day of the week."""
        return self._replace(pattern=re.sub("[Ec]+", "", self.pattern))


def formats(language: str) -> list[Format]:
    """The twenty formats of a language.

    Four lengths and five skeletons that its locale has; the full one with shorter names of days, the long one in
    large letters and the medium one in small; four orders that all languages share; the numbers in the order of the
    language, parted by dots, hyphens or spaces; and ISO 8601 in the digits of the language.
    """
    locale = _locale(language)
    found = {length: _whole_year(locale.date_formats[length].pattern) for length in LENGTHS}
    order = [run[0] for run in re.findall("d+|M+|y+", found["short"])]
    numbers = [letter if letter == "y" else letter * 2 for letter in order]
    return [
        *(Format(language, pattern) for pattern in found.values()),
        *(Format(language, _whole_year(locale.datetime_skeletons[skeleton].pattern)) for skeleton in SKELETONS),
        Format(language, found["full"].replace("EEEE", "EEE")),
        Format(language, found["long"], "upper"),
        Format(language, found["medium"], "lower"),
        *(Format(language, pattern) for pattern in FIXED),
        *(Format(language, part.join(numbers)) for part in PARTED),
    ]


def date_pairs(counts: dict[str, int]) -> dict[str, list[tuple[str, str]]]:
    """So many pairs of each part, of dates from 1900 to 2100 that are all different: a written date, and ISO 8601.

    Languages and formats take turns. Nothing but what is written tells the language, so what two languages would read
    as two days, such as 3/4/2020, is not written: every source has one reading.

    Raises `MissingExtraError` without Babel, from whose locale data (CLDR) the names and the orders are.
    """
    every = [form for some in zip(*map(formats, LANGUAGES), strict=True) for form in some]
    unclear = _unclear(every)
    days = _days()
    parts = dict[str, list[tuple[str, str]]]()
    for name, count in counts.items():
        parts[name] = []
        for place in range(count):
            form = every[place % len(every)]
            parts[name].append(_pair(form, days, unclear.get(form.bare, frozenset())))
        parts[name] = [parts[name][place] for place in shuffled(count, 0)]
    return parts


def _days() -> deque[date]:
    """All dates, in an order that is always the same."""
    return deque(FIRST + timedelta(int(place)) for place in shuffled((LAST - FIRST).days + 1, 0))


def _pair(form: Format, days: deque[date], unclear: frozenset[tuple[int, int]]) -> tuple[str, str]:
    """The next date that is clear in a format; those before it are for others."""
    passed = []
    while ((day := days.popleft()).month, day.day) in unclear:
        passed.append(day)
    days.extendleft(reversed(passed))
    return form.write(day), day.isoformat()


def _unclear(every: list[Format]) -> dict[Format, frozenset[tuple[int, int]]]:
    """Months and days that numbers of a format, without a day of the week, may mean beside others."""
    bare = {form.bare for form in every if form.is_numeric}
    days = [date(PROBE, month, day) for month in range(1, 13) for day in range(1, 13)]  # later days are no months
    # Numbers are the same in all languages of the same digits, so one of these will do.
    written = {(LANGUAGES[form.language], form.pattern): [form.write(day) for day in days] for form in bare}
    meant = dict[str, set[date]]()
    for texts in written.values():
        for day, text in zip(days, texts, strict=True):
            meant.setdefault(_without_zeros(text), set()).add(day)
    found = dict[Format, frozenset[tuple[int, int]]]()
    for form in bare:
        texts = written[LANGUAGES[form.language], form.pattern]
        several = (day for day, text in zip(days, texts, strict=True) if len(meant[_without_zeros(text)]) > 1)
        found[form] = frozenset((day.month, day.day) for day in several)
    return found


def _without_zeros(text: str) -> str:
    """What a date is if no zero stands before a number: whether one does shall not tell the language."""
    return re.sub(r"(?<!\d)[0٠०]", "", text)


def _whole_year(pattern: str) -> str:
    """A pattern whose year has four digits, for two may mean two centuries."""
    return re.sub("y+", "y", pattern)


@cache
def _pattern(pattern: str) -> Any:
    return _babel().dates.parse_pattern(pattern)


@cache
def _locale(language: str) -> Any:
    return _babel().Locale.parse(language)


def _babel() -> Any:
    try:
        import babel
        import babel.dates
    except ImportError:
        raise MissingExtraError("babel", "translate") from None
    return babel
