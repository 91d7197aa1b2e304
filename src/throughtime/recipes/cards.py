"""A page for people about a run, and what such a page says of all runs alike."""

from collections.abc import Mapping, Sequence

from throughtime.errors import printable

NAMES = 50  # of classes or tags that are listed


def card(title: str, rows: Mapping[str, str], judged: str | None) -> str:
    """A page in Markdown: a table of what there is to tell, and last how well the model did, if it came to its end.

    >>> print(card("A tagger", {"tags": "A|B"}, None))
    # A tagger
    <BLANKLINE>
    | what | value |
    | --- | --- |
    | tags | A\\|B |
    | validation | training was stopped before its end |
    <BLANKLINE>
    """
    told = {**rows, "validation": judged or "training was stopped before its end"}
    lines = [f"| {name} | {printable(value).replace('|', chr(92) + '|')} |" for name, value in told.items()]
    return "\n".join([f"# {title}", "", "| what | value |", "| --- | --- |", *lines, ""])


def listed(names: Sequence[str]) -> str:
    """Names, the first 50 of them.

    >>> listed(["bad", "good"])
    'bad, good'
    """
    return ", ".join(names[:NAMES]) + (f", ... {len(names):,} in all" if len(names) > NAMES else "")
