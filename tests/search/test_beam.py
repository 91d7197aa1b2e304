import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from throughtime.errors import ArgumentError, DivergedError
from throughtime.search import Beam, Candidates, Ranking, Rules, Stepper, beam, exhaustive, greedy, rescored
from throughtime.search.rules import within

RANKINGS = [Ranking(0.0), Ranking(0.7), Ranking(1.0, "wu"), Ranking(2.0), Ranking(0.6, "wu", coverage=0.4)]
RULES = {
    "nothing": Rules(end=0),
    "shortest": Rules(end=0, shortest=3),
    "forbidden": Rules(end=0, forbidden=[2, (1, 1), (3, 4, 3)]),
    "required": Rules(end=0, required=[2, (1, 4)]),
    "overlapping": Rules(end=0, required=[(1, 4, 1), (4, 1, 3), (1, 4)]),
    "tight": Rules(end=0, required=[(1, 2, 1), (2, 1, 2, 3)], forbidden=[(3, 3)]),
    "spellings": Rules(end=0, required=[[(1, 2), (3,)], [(2, 2, 4), (4, 1)]]),
    "letters": Rules(end=0, forbidden=[b"ab", b"b"], required=[(2,)], spelling=(b"", b"a", b"ab", b" ", b"b")),
    "all": Rules(end=0, shortest=2, forbidden=[(2, 2), (3, 3)], required=[(3, 2)]),
}
ALL = torch.arange(8)


def close(found, expected):
    assert [[one.tokens for one in several] for several in found] == [[o.tokens for o in s] for s in expected]
    for several, others in zip(found, expected, strict=True):
        assert [one.log_probability for one in several] == pytest.approx([o.log_probability for o in others], abs=1e-5)
        assert [one.score for one in several] == pytest.approx([one.score for one in others], abs=1e-5)


@pytest.mark.parametrize("name", RULES)
def test_a_beam_of_everything_is_exhaustive(chances, name):
    stepper, source = chances(seed=len(name)), torch.tensor([0, 1])
    asked = {"rules": RULES[name], "longest": [5, 5] if name in ("tight", "overlapping") else [4, 3]}
    for ranking in RANKINGS if name == "nothing" else RANKINGS[1:2]:
        expected = exhaustive(stepper, source, **asked, keep=4, ranking=ranking)
        close(
            beam(stepper, source, **asked, settings=Beam(1300 if asked["longest"] == [5, 5] else 300, 4, ranking)),
            expected,
        )


def test_a_beam_of_everything_is_exhaustive_for_six_of_five_symbols(chances):
    stepper, asked = chances(spread=0.3), {"rules": Rules(end=2), "longest": [6]}
    source, ranking = torch.tensor([3]), Ranking(1.5)  # which prefers what is long
    expected = exhaustive(stepper, source, **asked, keep=50, ranking=ranking)
    assert {len(one.tokens) for one in expected[0]} >= {5, 6}
    close(beam(stepper, source, **asked, settings=Beam(6000, 50, ranking)), expected)


@pytest.mark.parametrize("prefixes", [[(), (4, 1), (3,)], [(1,), (1, 2, 3), ()]])
def test_rules_and_prefixes_are_each_sources_own(chances, prefixes):
    stepper, source = chances(seed=3), torch.tensor([5, 0, 6])
    rules = [RULES["forbidden"], Rules(end=0), RULES["required"]]
    asked = {"rules": rules, "longest": [3, 4, 4], "prefixes": [[3], *prefixes[1:]]}
    together = beam(stepper, source, **asked, settings=Beam(400, 3))
    close(together, exhaustive(stepper, source, **asked, keep=3))
    for row in range(3):
        alone = {"rules": rules[row], "longest": asked["longest"][row : row + 1]}
        prefix = asked["prefixes"][row : row + 1]
        close([together[row]], exhaustive(stepper, source[row : row + 1], **alone, prefixes=prefix, keep=3))


class Straight:
    """One long way is nearly certain; whoever leaves it ends at the next step, or is lost."""

    def start(self, source):
        rows = torch.zeros(len(source), dtype=torch.int64)
        return self._chances(rows, rows == 0), (rows, rows == 0)

    def step(self, token, state):
        times, on = state[0] + 1, state[1] & (token == 1)
        return self._chances(times, on), (times, on)

    def _chances(self, times, on):
        chances = torch.full((len(times), 6), 0.004)
        chances[:, 0] = torch.where(on, torch.where(times == 12, 0.98, 0.004), 0.9)
        chances[:, 1] = torch.where(on & (times < 12), 0.98, 0.004)
        return (chances / chances.sum(1, keepdim=True)).log()


@pytest.mark.parametrize("ranking", [Ranking(0.0), Ranking(0.7), Ranking(1.0, "wu")], ids=str)
def test_many_bad_ends_do_not_end_the_search_for_the_good_one(ranking):
    asked = {"rules": Rules(end=0), "longest": [20]}
    found = beam(Straight(), torch.zeros(1), **asked, settings=Beam(5, 1, ranking))
    assert found[0][0].tokens == (1,) * 12
    assert found[0][0] == greedy(Straight(), torch.zeros(1), **asked, ranking=ranking)[0]


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.floats(0.1, 4.0), st.integers(0, 7), st.integers(0, 2))
def test_a_beam_of_one_is_greedy(chances, seed, spread, limit, shortest):
    stepper = chances(seed=seed, spread=spread, vocab=7)
    rules = Rules(end=3, shortest=min(shortest, limit), forbidden=[0, (1, 2)])
    asked = {"rules": rules, "longest": [limit] * 7 + [limit + 3]}
    one_by_one = greedy(stepper, ALL, **asked)
    close(beam(stepper, ALL, **asked, settings=Beam(width=1)), [[one] for one in one_by_one])


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.floats(0.1, 4.0), st.integers(1, 6), st.sampled_from(RANKINGS))
def test_what_is_found_is_sorted_distinct_and_scored_as_forced_decoding_says(chances, seed, spread, width, ranking):
    stepper = chances(seed=seed, spread=spread, vocab=6)
    asked = {"rules": Rules(end=5), "longest": list(range(8))}
    found = beam(stepper, ALL, **asked, settings=Beam(width, width, ranking))
    for several in found:
        assert [one.score for one in several] == sorted((one.score for one in several), reverse=True)
        assert len({one.tokens for one in several}) == len(several) <= width
    best = [several[0] for several in found]
    again = rescored(stepper, ALL, [one.tokens for one in best], end=5, ranking=ranking)
    close([best], [again])
    few = slice(0, 3)
    whole = exhaustive(stepper, ALL[few], rules=Rules(end=5), longest=asked["longest"][few], ranking=ranking)
    assert all(one.score <= most[0].score + 1e-9 for one, most in zip(best[few], whole, strict=True))


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.integers(2, 7), st.integers(1, 3), st.data())
def test_a_narrow_beam_keeps_to_its_rules(chances, seed, width, phrases, data):
    symbols = st.integers(1, 5)
    required = data.draw(st.lists(st.lists(symbols, min_size=1, max_size=3).map(tuple), max_size=phrases))
    forbidden = data.draw(st.lists(st.lists(symbols, min_size=2, max_size=3).map(tuple), max_size=2))
    forbidden = [one for one in forbidden if not any(within(one, phrase) for phrase in required)]
    rules = Rules(end=0, shortest=data.draw(st.integers(0, 9)), required=required, forbidden=forbidden)
    found = beam(chances(seed=seed, vocab=9), ALL, rules=rules, longest=[9] * 8, settings=Beam(width, width))
    for one in (one for several in found for one in several):
        assert rules.shortest <= len(one.tokens) <= 9
        assert all(within(phrase, one.tokens) for phrase in required)
        assert not any(within(phrase, one.tokens) for phrase in forbidden)
        assert one.log_probability > -torch.inf
    assert all(found), "six symbols that nothing forbids lead around whatever is forbidden"


def test_required_words_are_said_by_a_beam_of_one_too(chances):
    rules = Rules(end=0, required=[(3, 1), 4])
    for several in beam(chances(), ALL, rules=rules, longest=[3] * 8, settings=Beam(1)):
        assert sorted(several[0].tokens) == [1, 3, 4]


@pytest.mark.parametrize("how", [Beam(), Beam(6, 4, Ranking(0.9, "wu", 0.3), groups=3, diversity=0.5)])
def test_neither_the_size_of_a_batch_nor_its_order_matters(chances, how):
    stepper = chances(vocab=11, sources=64)
    longest = [2 + source % 4 for source in range(64)]
    rules = [
        Rules(end=0, shortest=source % 3, forbidden=[(source % 5, 7)] if source % 5 else []) for source in range(64)
    ]
    prefixes = [[1 + source % 10] * (source % 2) for source in range(64)]
    runs = []
    for size, step in ((1, 1), (7, 1), (64, 1), (64, -1)):
        found = {}
        order = list(range(64))[::step]
        for part in (order[at : at + size] for at in range(0, 64 if size > 1 else 16, size)):
            asked = {"rules": [rules[i] for i in part], "prefixes": [prefixes[i] for i in part]}
            asked["longest"] = [longest[i] for i in part]
            found |= dict(zip(part, beam(stepper, torch.tensor(part), **asked, settings=how), strict=True))
        runs.append([found[source] for source in sorted(found)])
    assert runs[0] == runs[1][:16]
    assert runs[1] == runs[2] == runs[3]


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.floats(0.1, 4.0), st.integers(1, 5), st.sampled_from(RANKINGS))
def test_stopping_early_finds_what_going_on_to_the_end_does(chances, seed, spread, keep, ranking):
    class Endless(Ranking):
        def bound(self, log_probabilities, longest):
            return torch.where(log_probabilities > -torch.inf, torch.inf, log_probabilities)

    asked = {"rules": Rules(end=0), "longest": list(range(9, 1, -1))}
    stepper, whole = chances(seed=seed, spread=spread), chances(seed=seed, spread=spread)
    early = beam(stepper, ALL, **asked, settings=Beam(5, keep, ranking))
    endless = Endless(ranking.alpha, ranking.form, ranking.coverage)
    assert early == beam(whole, ALL, **asked, settings=Beam(5, keep, endless))
    assert sum(stepper.rows) <= sum(whole.rows)


def test_the_bound_spares_steps(chances):
    stepper, whole = chances(vocab=9, spread=4.0), chances(vocab=9, spread=4.0)
    asked = {"rules": Rules(end=0), "longest": [30] * 8}
    beam(stepper, ALL, **asked, settings=Beam(5, 1, Ranking(0.0)))
    beam(whole, ALL, **asked, settings=Beam(5, 5, Ranking(0.0)))
    assert sum(stepper.rows) < 0.8 * sum(whole.rows)


def test_sources_that_are_done_leave(chances):
    stepper = chances(vocab=20)
    beam(stepper, ALL, rules=Rules(end=0, shortest=1), longest=list(range(1, 9)), settings=Beam(3))
    assert stepper.rows[0] == 24
    assert stepper.rows == sorted(stepper.rows, reverse=True)
    assert stepper.rows[-1] <= 6
    assert len(stepper.rows) <= 8


def test_a_beam_wider_than_what_there_is_gives_what_there_is(chances):
    found = beam(chances(vocab=3), ALL, rules=Rules(end=0), longest=[1] * 8, settings=Beam(50, 50))
    assert all(sorted(one.tokens for one in several) == [(), (1,), (2,)] for several in found)
    rules = Rules(end=0, forbidden=[1, 2])
    assert [len(several) for several in beam(chances(vocab=3), ALL, rules=rules, longest=[4] * 8)] == [1] * 8
    nothing = Rules(end=0, shortest=1, forbidden=[1, 2])
    assert beam(chances(vocab=3), ALL, rules=nothing, longest=[4] * 8) == [[]] * 8


def test_of_no_sources_nothing_is_found(chances):
    assert beam(chances(), ALL[:0], rules=Rules(end=0), longest=[]) == []


def test_what_the_limit_ended_is_not_finished(chances):
    stepper = chances(vocab=9, spread=0.1)
    stepper.log_p[:, :, 0] = -9.0
    for one in beam(stepper, ALL, rules=Rules(end=0), longest=[4] * 8):
        assert not one[0].finished
        assert len(one[0].tokens) == 4
    stepper.log_p[:, :, 0] = -0.1
    assert all(one[0].finished for one in beam(stepper, ALL, rules=Rules(end=0), longest=[0] * 8))


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.floats(0.1, 3.0), st.integers(1, 3))
def test_groups_find_no_worse_than_the_first_of_them(chances, seed, diversity, part):
    stepper, asked = chances(seed=seed), {"rules": Rules(end=0), "longest": [6] * 8}
    plain = beam(stepper, ALL, **asked, settings=Beam(part))
    grouped = Beam(3 * part, 3 * part, groups=3, diversity=diversity)
    for several, first in zip(beam(stepper, ALL, **asked, settings=grouped), plain, strict=True):
        assert len({one.tokens for one in several}) == len(several)
        assert [one.score for one in several] == sorted((one.score for one in several), reverse=True)
        assert several[0].score >= first[0].score - 1e-9


def test_much_diversity_lets_groups_begin_with_different_symbols(chances):
    asked = {"rules": Rules(end=0, shortest=3), "longest": [3] * 8}
    apart = beam(chances(vocab=9), ALL, **asked, settings=Beam(4, 4, groups=4, diversity=50.0))
    assert all(len({one.tokens[0] for one in several}) == 4 for several in apart)
    little = beam(chances(vocab=9), ALL, **asked, settings=Beam(4, 4, groups=4, diversity=1e-6))
    assert all(len(several) == 1 for several in little), "groups that find the same give it once"


@pytest.mark.parametrize(
    "how", [Beam(4, 2), Beam(4, 4, Ranking(0.5, coverage=0.2)), Beam(4, 3, groups=2, diversity=1.0)]
)
def test_who_watches_can_tell_all_that_was_found(chances, how):
    stepper, asked = chances(vocab=6, seed=4), {"rules": Rules(end=0), "longest": [7] * 8}
    seen: list[Candidates] = []
    found = beam(stepper, ALL, **asked, settings=how, watch=seen.append)
    assert found == beam(stepper, ALL, **asked, settings=how)
    beams: dict[int, dict[int, tuple[int, ...]]] = {source: dict.fromkeys(range(4), ()) for source in range(8)}
    ended: dict[int, dict[tuple[int, ...], float]] = {source: {} for source in range(8)}
    for time, step in enumerate(seen):
        assert step.time == time
        for at, source in enumerate(step.sources.tolist()):
            columns = zip(*(column[at].tolist() for column in step[2:]), strict=True)
            kept = {}
            for parent, token, log_p, score, _, row, is_ended in columns:
                if row >= 0:
                    kept[row] = (*beams[source][parent], token)
                    assert log_p > -torch.inf
                if is_ended:
                    assert token == 0
                    ended[source][beams[source][parent]] = score
            beams[source] = kept
    for source, several in enumerate(found):
        scores = sorted(ended[source].values(), reverse=True)
        assert [one.score for one in several] == pytest.approx(scores[: len(several)])
        assert all(ended[source][one.tokens] == pytest.approx(one.score) for one in several)


def test_numbers_that_are_none_are_refused(chances):
    for search in (beam, greedy):
        for where in (0, 1, 4):
            stepper = chances()
            stepper.log_p[2, :, where] = torch.nan
            with pytest.raises(DivergedError, match="the model's probabilities are not numbers"):
                search(stepper, ALL, rules=Rules(end=0), longest=[5] * 8)


def test_a_coverage_penalty_needs_attention(chances):
    class Blind:
        start, step = chances().start, chances().step

    class Looking(Blind):
        def covered(self, state):
            return torch.zeros(len(state.memory), 0)

    assert isinstance(Blind(), Stepper)
    for stepper in (Blind(), Looking()):
        with pytest.raises(ArgumentError, match=r"a coverage penalty needs a model with attention, which .* has not"):
            beam(stepper, ALL, rules=Rules(end=0), longest=[3] * 8, settings=Beam(ranking=Ranking(coverage=0.1)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "width must be at least 1; got 0"),
        ({"width": 3, "keep": 4}, r"keep must be in 1..3, the width of the beam; got 4"),
        ({"keep": 0}, r"keep must be in 1..5"),
        ({"width": 4, "groups": 3, "diversity": 1.0}, "groups must divide the width 4; got 3"),
        ({"groups": 0}, "groups must divide the width 5; got 0"),
        ({"width": 4, "groups": 2, "diversity": float("nan")}, "diversity must be at least 0 and finite; got nan"),
        ({"width": 4, "groups": 2}, "groups above 1 and a diversity above 0 go together; got 2 and 0.0"),
        ({"diversity": 0.5}, "groups above 1 and a diversity above 0 go together; got 1 and 0.5"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ArgumentError, match=message):
        Beam(**settings)


def test_groups_and_required_words_do_not_go_together(chances):
    with pytest.raises(ArgumentError, match="required words and diverse groups do not go together"):
        beam(chances(), ALL, rules=RULES["required"], longest=[4] * 8, settings=Beam(4, groups=2, diversity=1.0))
