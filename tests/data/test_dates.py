"""Written dates: one reading each, the names, orders and digits of their language."""

import re
import sys
from datetime import date

import pytest

from throughtime.data.dates import FIRST, LANGUAGES, LAST, Format, _unclear, date_pairs, formats
from throughtime.errors import MissingExtraError

DAY = date(2021, 3, 5)
COUNTS = {"train": 400, "valid": 40, "test": 20}
NUMBERS = re.compile("[0-9]{1,2}[-./ ][0-9]{1,2}[-./ ][0-9]{4}")


@pytest.fixture(scope="module")
def every():
    return [form for language in LANGUAGES for form in formats(language)]


@pytest.fixture(scope="module")
def pairs():
    return date_pairs(COUNTS)


def test_every_language_has_twenty_formats(every):
    assert len(LANGUAGES) == 10
    assert len(every) == 200


def test_nothing_that_is_written_means_two_dates(every):
    """Of all languages and formats, at days and months of one digit and of two, each of which may be the other."""
    unclear = _unclear(every)
    assert unclear[Format("en", "M/d/y")]
    meant, both = {}, (1, 2, 5, 10, 11, 12)
    for day in (date(2021, month, day) for month in both for day in (*both, 25)):
        for form in every:
            if (day.month, day.day) not in unclear.get(form.bare, ()):
                assert meant.setdefault(form.write(day), day) == day


def test_what_one_language_reads_as_another_day_is_never_written(every, pairs):
    readings = {form.write(day) for form in every for day in (date(2021, 3, 4), date(2021, 4, 3))}
    assert {"3/4/2021", "04.03.2021", "03 04 2021"} <= readings
    sources = [source for part in pairs.values() for source, _ in part]
    numbers = [[int(word) for word in re.split("[^0-9]", text)] for text in sources if NUMBERS.fullmatch(text)]
    assert len(numbers) > 20
    assert all(first == second or max(first, second) > 12 for first, second, _ in numbers)


def test_parts_share_no_date_and_languages_and_formats_take_turns(every, pairs):
    assert {name: len(part) for name, part in pairs.items()} == COUNTS
    days = [date.fromisoformat(target) for part in pairs.values() for _, target in part]
    assert len(set(days)) == sum(COUNTS.values())
    assert FIRST <= min(days) <= max(days) <= LAST
    written = {target: {form.write(date.fromisoformat(target)) for form in every} for _, target in pairs["test"]}
    assert all(source in written[target] for source, target in pairs["test"])
    for form in every[::9]:
        assert sum(form.write(date.fromisoformat(target)) == source for source, target in pairs["train"]) >= 2


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Friday, March 5, 2021", "3/5/2021", "MARCH 5, 2021", "mar 5, 2021", "03-05-2021"]),
        ("de", ["Freitag, 5. März 2021", "05.03.2021", "5. MÄRZ 2021", "5. März 2021 n. Chr."]),
        ("fr", ["vendredi 5 mars 2021", "05/03/2021", "5 MARS 2021"]),
        ("es", ["viernes, 5 de marzo de 2021", "5/3/2021", "05 03 2021"]),
        ("ru", ["пятница, 5 марта 2021\u202fг.", "05.03.2021", "5 марта 2021"]),
        ("tr", ["5 Mart 2021 Cuma", "2021-03-05", "05-03-2021"]),
        ("ar_EG", ["الجمعة، ٥ مارس ٢٠٢١", "٢٠٢١-٠٣-٠٥"]),
        ("hi", ["शुक्रवार, ५ मार्च २०२१", "०५.०३.२०२१"]),
        ("zh", ["2021年3月5日星期五", "2021/3/5", "2021 03 05"]),
        ("ja", ["2021年3月5日金曜日", "2021/03/05", "2021.03.05"]),
    ],
)
def test_languages_have_their_own_names_orders_and_digits(language, expected):
    assert set(expected) <= {form.write(DAY) for form in formats(language)}


def test_turkish_has_a_large_i_with_a_dot():
    assert "5 NİSAN 2021" in {form.write(date(2021, 4, 5)) for form in formats("tr")}


def test_without_babel_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "babel", None)
    from throughtime.data.dates import _locale

    _locale.cache_clear()
    with pytest.raises(
        MissingExtraError, match=r"this needs the package 'babel': pip install 'throughtime\[translate\]'"
    ):
        date_pairs({"train": 1})
