"""What `throughtime vectors debias` tells of its work: a page for people."""

from collections.abc import Sequence
from typing import Any

from throughtime.errors import printable

NAMED = 10  # missing words that are told by name
Row = tuple[str, ...]


def page(facts: dict[str, Any]) -> str:
    """The facts of a debiasing, in lines."""
    before, after = facts["before"], facts["after"]
    first, second = facts["pairs"][0]
    about = _about(facts)
    table: list[Row] = [("", "before", "after")]
    name = f"direct bias of {facts['measured']:,} neutral words"
    table.append((name, f"{before['direct_bias']:.4f}", f"{after['direct_bias']:.4f}"))
    table.append(("  along the direction found anew", *(_bias(each) for each in (before, after))))
    for one, other in zip(before["associations"], after["associations"], strict=True):
        table.append((f"association, {one['name']}", _effect(one), _effect(other)))
    reasons = [
        f"not tested {when}: {each['reason']}"
        for when, measured in (("before", before), ("after", after))
        for each in measured["associations"]
        if each["effect"] is None
    ]
    ends = [
        (f"most like {printable(name)}, {when}", _words(each[end]))
        for name, end in ((first, "most"), (second, "least"))
        for when, each in (("before", before), ("after", after))
    ]
    parts = [_aligned(about), _aligned(table), _aligned(ends), [printable(reason) for reason in reasons]]
    return "\n".join("".join(f"{line}\n" for line in lines) for lines in parts if lines)


def _about(facts: dict[str, Any]) -> list[Row]:
    done, pairs = facts["done"], facts["pairs"]
    first, second = pairs[0]
    shares = ", ".join(f"{100 * share:.1f} %" for share in facts["shares"][:6])
    axes = "its axis explains" if done["components"] == 1 else f"its {done['components']} axes explain"
    rows = [
        ("direction", f"{first} – {second} and {len(pairs) - 1} more pairs; {axes} {100 * facts['explained']:.1f} %"),
        ("  of the differences", f"by components {shares}{', ...' if len(facts['shares']) > 6 else ''}"),
    ]
    if done["method"] == "hard":
        rows.append(
            (
                "hard",
                f"{done['neutralised']:,} words neutralised, {done['specific']:,} keep the direction, "
                f"{done['equalised_pairs']:,} pairs equalised",
            )
        )
        odd = {"words vanished": done["vanished"], "pairs are alike and stay": done["equalised_alike"]}
        rows += [("", f"{count:,} {what}") for what, count in odd.items() if count]
    else:
        settled = "" if done["settled"] else ", not settled"
        rows.append(
            (
                "soft",
                f"strength {done['strength']:g}, {done['neutral']:,} neutral words; objective "
                f"{done['objective_before']:.6g} → {done['objective_after']:.6g} in {done['rounds']} rounds{settled}",
            )
        )
    if done["subwords_left_out"]:
        rows.append(("", f"{done['subwords_left_out']:,} vectors of n-grams left out: they compose what was removed"))
    missing = {
        "pairs": [" – ".join(pair) for pair in facts["pairs_missing"]],
        "pairs to equalise": [" – ".join(pair) for pair in done.get("equalised_missing", [])],
        "specific words": done.get("specific_missing", []),
        "neutral words": sorted({*facts["measured_missing"], *done.get("neutral_missing", [])}),
    }
    rows += [
        ("not in the table", f"{len(names):,} {what}: {_named(names)}") for what, names in missing.items() if names
    ]
    return [*rows, ("written to", facts["out"])]


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _bias(measured: dict[str, Any]) -> str:
    value = measured["direct_bias_along_new_direction"]
    return "—" if value is None else f"{value:.4f}"


def _effect(found: dict[str, Any]) -> str:
    if found["effect"] is None:
        return "—"
    return f"d {found['effect']:+.2f}, p {found['p_value']:.2g}{'' if found['method'] == 'exact' else ' (sampled)'}"


def _words(ends: list[list[Any]]) -> str:
    shown = [f"{word} {value:+.3f}" for word, value in ends if abs(value) >= 0.0005]
    return ", ".join(shown) if shown else "no word leans that way"


def _aligned(rows: Sequence[Row]) -> list[str]:
    """Lines with each column as wide as its widest cell, but for the last."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]) - 1)] if cells else []
    return [
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in cells
    ]
