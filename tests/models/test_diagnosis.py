"""Whose fault: a search that finds everything is never blamed, one that is led astray is; and trees of what it saw."""

import math
import random
from functools import cache
from itertools import product

import pytest
import torch

from throughtime.data.line_units import LineUnits
from throughtime.data.pair_lengths import TargetLengths
from throughtime.errors import ArgumentError
from throughtime.models.beam_tree import beam_tree
from throughtime.models.diagnosis import diagnose, sweep
from throughtime.models.sought import Search
from throughtime.models.translation import TranslationModel
from throughtime.models.translator import Translator


class Told(TranslationModel):
    """After `said` words, the words of `table[said]` have these probabilities; "" is the end; others have `rest`."""

    def __init__(self, units, table, rest):
        torch.nn.Module.__init__(self)
        self.units, self.table, self.rest, self.end = units, table, rest, units.end

    def _after(self, said):
        return torch.stack([self._row(tuple(ids)) for ids in said.tolist()]).log(), (said,)

    @cache  # noqa: B019
    def _row(self, ids):
        chances = torch.full((len(self.units),), self.rest, dtype=torch.float64)
        for word, chance in self.table.get(" ".join(self.units.names(ids)), {"": 1.0}).items():
            chances[int(self.units.encode(word)[0]) if word else self.end] = chance
        return chances / chances.sum()

    def start(self, source, *, counted=True):
        return self._after(torch.zeros(len(source.data), 0, dtype=torch.int64))

    def step(self, token, state):
        return self._after(torch.cat([state[0], token[:, None]], 1))

    def covered(self, state):
        """As if each symbol looked at a place of its own, and at the last one ever after."""
        return (torch.arange(5) < state[0].shape[1] + 1).double().expand(len(state[0]), -1)


def translator(table, words="a b c d", rest=1e-6):
    units = LineUnits.learn("word", [words])
    return Translator(Told(units, table, rest), units, units, lengths=TargetLengths(1.0, 4))


# A path in a garden: "a" is likelier at first, and "b b" in the end.
GARDEN = {"": {"a": 0.6, "b": 0.4}, "a": {"c": 0.5, "d": 0.5}, "b": {"b": 1.0}}


def random_table(seed):
    """Chances after everything that can be said in two words."""
    chance = random.Random(seed)
    said = [" ".join(some) for length in range(3) for some in product("ab", repeat=length)]
    return {one: {name: chance.random() + 0.01 for name in ["a", "b", ""]} for one in said}


LINES = [" ".join(some) for length in (1, 2, 3) for some in product("ab", repeat=length)]


def test_where_greedy_is_led_astray_the_search_is_blamed_and_a_wider_one_is_not():
    one = translator(GARDEN)
    greedy = diagnose(one, ["x"], [["b b"]], Search(width=1, alpha=0.0))
    assert greedy.faults() == greedy.faults("probability") == {"search": 1, "model": 0, "tie": 0, "unsayable": 0}
    (verdict,) = greedy.wrong
    assert (verdict.item, verdict.reference.text, verdict.translation.text[0]) == (0, "b b", "a")
    assert verdict.reference.log_probability == pytest.approx(math.log(0.4), abs=1e-4)
    assert verdict.translation.log_probability == pytest.approx(math.log(0.3), abs=1e-4)
    assert greedy.shares() == {"search": 1.0, "model": 0.0, "tie": 0.0, "unsayable": 0.0}
    right = diagnose(one, ["x"], [["b b"]], Search(width=2, alpha=0.0))
    assert (right.wrong, right.items, right.length) == ((), 1, 1.0)
    assert set(right.shares().values()) == {None}
    other = diagnose(one, ["x"], [["d"]], Search(width=2, alpha=0.0))
    assert other.faults()["model"] == 1


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_a_beam_that_finds_everything_is_never_blamed_and_a_narrow_one_by_all_that_it_missed(alpha):
    missed = 0
    for seed in (2, 5):
        one, wanted = translator(random_table(seed), "a b"), [[line] for line in LINES]
        scores = [found.score for found in one.score(["x"] * len(LINES), LINES, Search(alpha=alpha))]
        for width in (1, 45):
            found = diagnose(one, ["x"] * len(LINES), wanted, Search(width=width, alpha=alpha, longest=3))
            best = found.wrong[0].translation
            above = sum(score > best.score + 1e-5 for score in scores)
            assert found.faults() == {"search": above, "model": len(found.wrong) - above, "tie": 0, "unsayable": 0}
            assert sum(found.faults("probability").values()) == len(found.wrong) == len(LINES) - (best.text in LINES)
            assert best.score == pytest.approx(one.score(["x"], [best.text], Search(alpha=alpha))[0].score, abs=1e-5)
            missed += above
        assert above == 0  # of the widest
    assert missed > 0


def test_ties_are_the_models_by_the_rule_and_counted_by_themselves():
    one = translator({"": {"a": 0.5, "b": 0.5}})
    tied = diagnose(one, ["x"], [["b"]], Search(width=4))
    other = diagnose(one, ["x"], [["a"]], Search(width=4))
    assert {len(tied.wrong), len(other.wrong)} == {0, 1}
    both = [*tied.wrong, *other.wrong]
    assert (both[0].by_score, both[0].by_probability) == ("tie", "tie")


def test_the_ranking_may_turn_round_what_the_probability_prefers():
    """The longer one is less likely, and the likelier by symbol."""
    one = translator({"": {"a": 0.6, "b": 0.4}, "b": {"c": 1.0}, "b c": {"d": 1.0}}, rest=0.0)
    short = diagnose(one, ["x"], [["a"]], Search(width=2, alpha=1.0))
    assert short.wrong[0].translation.text == "b c d"
    assert (short.wrong[0].by_score, short.wrong[0].by_probability, short.turned) == ("model", "search", 1)
    assert short.to_json()["turned_by_ranking"] == 1
    assert diagnose(one, ["x"], [["a"]], Search(width=2, alpha=0.0)).wrong == ()
    (never,) = diagnose(one, ["x"], [["d"]], Search(width=2, alpha=1.0)).wrong
    assert (never.by_score, never.reference.log_probability) == ("model", -math.inf)


def test_what_no_search_could_say_is_no_fault_of_one():
    one = translator(GARDEN)
    for reference, limits in [("b z", {}), ("b b b b", {"longest": 3}), ("b", {"shortest": 2})]:
        (verdict,) = diagnose(one, ["x"], [[reference]], Search(width=1, **limits)).wrong
        assert (verdict.by_score, verdict.by_probability) == ("unsayable", "unsayable")
    (verdict,) = diagnose(one, ["x"], [["z z", "b b"]], Search(width=1)).wrong
    assert (verdict.by_score, verdict.reference.text) == ("search", "b b")


def test_a_search_that_must_say_more_may_say_more():
    one, search = translator(random_table(7)), Search(width=1, shortest=40)
    (limit,) = one.limits([one.read("x")], search)
    for words, sayable in [(39, False), (40, True), (limit, True), (limit + 1, False)]:
        (verdict,) = diagnose(one, ["x"], [["a " * words]], search).wrong
        assert (verdict.by_score != "unsayable") is sayable
    assert len(beam_tree(one, "x", "a", search).best) > 40


def test_any_reference_makes_right_and_the_one_that_ranks_highest_is_compared():
    one = translator(GARDEN)
    assert diagnose(one, ["x"], [["d d", "b b"]], Search(width=4, alpha=0.0)).wrong == ()
    (verdict,) = diagnose(one, ["x"], [["d d", "c", "b b", "d"]], Search(width=1, alpha=0.0)).wrong
    assert verdict.reference.text == "b b"
    assert diagnose(one, ["x"], [["b  b"]], Search(width=4, alpha=0.0)).wrong == ()  # white space is no error


def test_a_sweep_is_every_search_by_itself():
    one, wanted, sources = translator(random_table(5), "a b"), [[line] for line in LINES], ["x"] * len(LINES)
    swept = list(sweep(one, sources, wanted, Search(longest=3), widths=[1, 3], alphas=[0.0, 1.0]))
    assert [(found.alpha, found.width) for found in swept] == [(0.0, 1), (0.0, 3), (1.0, 1), (1.0, 3)]
    for found in swept:
        alone = diagnose(one, sources, wanted, Search(width=found.width, alpha=found.alpha, longest=3))
        assert alone.to_json() == found.to_json()
    with_words = Search(width=3, alpha=1.0, longest=3, keep=3, forbidden=("a",), prefix="b")
    assert diagnose(one, sources, wanted, with_words) == swept[-1]


def test_no_references_no_diagnosis():
    one = translator(GARDEN)
    for references in ([], [[]]):
        with pytest.raises(ArgumentError, match="1 sources need as many lists of references, none of them empty"):
            diagnose(one, ["x"], references, Search())
    with pytest.raises(ArgumentError, match="source 1 is empty, for which nothing is searched: leave it out"):
        diagnose(one, ["x", " "], [["b b"], ["b"]], Search())
    nothing = diagnose(one, [], [], Search())
    assert (nothing.items, nothing.length, nothing.to_json()["search_share"]) == (0, None, None)


def walk(tree, places):
    return [tree.names[tree.branches[place].token] for place in places]


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_tree_holds_the_search_it_watched(width):
    one, search = translator(random_table(7)), Search(width=width, longest=3, coverage=0.2)
    tree = beam_tree(one, "x", "d d", search)
    translation = one.translate(["x"], search)[0][0]
    assert tree.texts == ("x", translation.text, "d d")
    assert walk(tree, tree.best) == [*translation.text.split(), "<eos>"]
    last = tree.branches[tree.best[-1]]
    assert last.log_probability == pytest.approx(translation.log_probability, abs=1e-9)
    assert last.score == pytest.approx(translation.score, abs=1e-9)
    assert last.coverage < 0
    for place, branch in enumerate(tree.branches):
        parent = tree.branches[branch.parent] if branch.parent >= 0 else None
        assert branch.time == (parent.time + 1 if parent else 0)
        assert parent is None or (parent.kept and not parent.ended and branch.log_probability <= parent.log_probability)
        assert place not in tree.best or branch.kept
    for time in range(3):
        logs = [tree.branches[place].log_probability for place in tree.kept(time)]
        going = [place for place in tree.kept(time) if not tree.branches[place].ended]
        assert logs == sorted(logs, reverse=True)
        assert len(going) <= width
    scored = one.score(["x"], ["d d"], search)[0]
    assert tree.reference[-1].log_probability == pytest.approx(scored.log_probability, abs=1e-9)
    assert tree.reference[-1].score == pytest.approx(scored.score, abs=1e-9)


def test_the_reference_falls_off_where_it_is_pruned_and_not_before():
    first, second = {"a": 0.9, "b": 0.05, "c": 0.05}, {"b": 0.5, "c": 0.3, "d": 0.2}
    one = translator({"": first, "a": second, "a d": {"d": 1.0}, "a b": {"a": 1.0}})
    fallen = beam_tree(one, "x", "a d d", Search(width=2, alpha=0.0))
    assert (fallen.fell, fallen.how) == (1, "pruned")
    assert walk(fallen, [fallen.reference[0].branch]) == ["a"]
    assert not any(fallen.branches[said.branch].kept for said in fallen.reference[1:] if said.branch >= 0)
    assert [said.branch for said in fallen.reference[2:]] == [-1, -1]
    assert [round(math.exp(said.log_probability), 3) for said in fallen.reference] == [0.9, 0.18, 0.18, 0.18]
    found = beam_tree(one, "x", "a b a", Search(width=2, alpha=0.0))
    assert (found.fell, found.how, found.best) == (None, None, tuple(said.branch for said in found.reference))
    assert found.texts[1] == "a b a"
    unsaid = beam_tree(one, "x", "z", Search(width=2))
    assert (unsaid.fell, unsaid.names[unsaid.reference[0].token]) == (0, "<unk>")


def test_a_search_that_was_over_did_not_prune():
    one = translator({"": {"a": 1.0}, "a": {"": 0.9, "b": 0.1}})
    early = beam_tree(one, "x", "a b c", Search(width=1, alpha=0.0))
    assert (early.fell, early.how) == (1, "stopped")
    assert early.texts[1] == "a"
    limit = beam_tree(one, "x", "a b c d", Search(width=3, alpha=0.0, longest=1))
    assert (limit.fell, limit.how) == (1, "stopped")
