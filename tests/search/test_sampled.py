from collections import Counter

import pytest
import torch

from throughtime import tree
from throughtime.errors import ArgumentError, DivergedError
from throughtime.search import Rules, Sampling, rescored, sampled, truncate

SOURCE = torch.tensor([1, 4])


def test_targets_are_drawn_as_often_as_the_model_says(chances):
    stepper = chances(vocab=4, spread=0.5)
    drawn = sampled(stepper, SOURCE, rules=Rules(end=0), longest=[2, 2], settings=Sampling(copies=3000, seed=1))
    for row, several in enumerate(drawn):
        first, state = stepper.start(SOURCE[row : row + 1])
        second, _ = stepper.step(torch.arange(1, 4), tree.take(state, torch.zeros(3, dtype=torch.int64)))
        expected = {(): first[0, 0].exp()}
        for a in (1, 2, 3):
            expected |= {(a,): (first[0, a] + second[a - 1, 0]).exp()}
            expected |= {(a, b): (first[0, a] + second[a - 1, b]).exp() for b in (1, 2, 3)}  # which the limit ends
        counts = Counter(one.tokens for one in several)
        assert sum(map(float, expected.values())) == pytest.approx(1, abs=1e-5)
        square = sum((counts[tokens] - 3000 * float(p)) ** 2 / (3000 * float(p)) for tokens, p in expected.items())
        assert square < 33  # chi-square with 12 degrees of freedom: one seed in 1,000 is over 33


@pytest.mark.parametrize("cut", [{"temperature": 0.5}, {"top_k": 2}, {"top_p": 0.6}])
def test_chances_are_cut_as_truncate_cuts_them(chances, cut):
    stepper = chances(vocab=6, spread=1.0)
    drawn = sampled(stepper, SOURCE[:1], rules=Rules(end=5), longest=[1], settings=Sampling(2000, **cut, seed=2))[0]
    expected = 2000 * truncate(stepper.start(SOURCE[:1])[0][0], **cut).exp()
    counts = Counter(one.tokens[0] if one.tokens else 5 for one in drawn)
    assert not any(counts[symbol] for symbol in range(6) if expected[symbol] == 0)
    square = sum((counts[s] - float(e)) ** 2 / float(e) for s, e in enumerate(expected) if e > 0)
    assert square < 20.5  # chi-square with at most 5 degrees of freedom: one seed in 1,000 is over 20.5


def test_scores_are_the_models_own_whatever_was_cut(chances):
    stepper, settings = chances(vocab=8), Sampling(copies=4, top_k=3, seed=0)
    drawn = sampled(stepper, SOURCE, rules=Rules(end=0), longest=[6, 3], settings=settings)
    assert [len(several) for several in drawn] == [4, 4]
    for copy in range(4):
        again = rescored(stepper, SOURCE, [several[copy].tokens for several in drawn], end=0)
        for several, one in zip(drawn, again, strict=True):
            assert several[copy].log_probability == several[copy].score == pytest.approx(one.log_probability, abs=1e-5)


def test_the_same_seed_draws_the_same(chances):
    def drawn(seed):
        settings = Sampling(copies=5, seed=seed)
        return sampled(chances(vocab=9), SOURCE, rules=Rules(end=0), longest=[9, 9], settings=settings)

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)
    assert drawn(None) != drawn(None)


def test_what_is_drawn_keeps_to_rules_prefixes_and_limits(chances):
    rules = Rules(end=0, shortest=2, forbidden=[3, (1, 1)])
    asked = {"rules": rules, "longest": [4, 7], "prefixes": [(4, 2), ()]}
    drawn = sampled(chances(), SOURCE, **asked, settings=Sampling(copies=50, temperature=3.0, seed=0))
    for several, limit in zip(drawn, (4, 7), strict=True):
        for one in several:
            assert 2 <= len(one.tokens) <= limit
            assert 3 not in one.tokens
            assert "11" not in "".join(map(str, one.tokens))
            assert one.finished or len(one.tokens) == limit
    assert all(one.tokens[:2] == (4, 2) for one in drawn[0])
    assert {len(one.tokens) for one in drawn[1]} >= {2, 3, 7}


def test_where_nothing_is_possible_it_ends_with_what_was_said(chances):
    rules = Rules(end=0, shortest=2, forbidden=[(1, 1), (1, 2)])
    one = sampled(chances(vocab=3), SOURCE[:1], rules=rules, longest=[3], prefixes=[(1,)])[0][0]
    assert one.log_probability == -torch.inf
    assert not one.finished
    assert one.tokens == (1,)


def test_sources_leave_when_all_their_copies_have_ended(chances):
    stepper = chances()
    sampled(stepper, SOURCE, rules=Rules(end=0), longest=[2, 6], settings=Sampling(copies=6, seed=0))
    assert stepper.rows[0] == 12
    assert stepper.rows[-1] == 6


def test_settings_that_do_not_fit_are_refused(chances):
    with pytest.raises(ArgumentError, match="copies must be at least 1; got 0"):
        Sampling(copies=0)
    with pytest.raises(ArgumentError, match="seed must be at least 0; got -1"):
        Sampling(seed=-1)
    with pytest.raises(ArgumentError, match="top_k must be at least 1; got 0"):
        sampled(chances(), SOURCE, rules=Rules(end=0), longest=[2, 2], settings=Sampling(top_k=0))


def test_numbers_that_are_none_are_refused(chances):
    stepper = chances()
    stepper.log_p[1] = torch.nan
    with pytest.raises(DivergedError, match="the model's probabilities are not numbers"):
        sampled(stepper, SOURCE, rules=Rules(end=0), longest=[2, 2])


def test_a_draw_is_of_its_seed_and_number_whatever_stands_beside_it(chances):
    def drawn(symbols, numbers, seed=3):
        asked = {"rules": Rules(end=0), "longest": [9] * len(symbols), "settings": Sampling(copies=3, seed=seed)}
        return sampled(chances(vocab=9), torch.tensor(symbols), **asked, numbers=numbers)

    several = drawn([1, 1, 4, 1], [7, 8, 9, 10])
    assert len({tuple(one.tokens for one in copies) for copies in several}) == 4
    for place, symbol in enumerate([1, 1, 4, 1]):
        (alone,) = drawn([symbol], [7 + place])
        assert [one.tokens for one in alone] == [one.tokens for one in several[place]]
    assert drawn([1], [8], seed=1) != drawn([1], [7], seed=2)
    with pytest.raises(ArgumentError, match="there are 2 numbers for 1 sources: give one for each"):
        drawn([1], [1, 2])
