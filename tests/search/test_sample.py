import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from throughtime.errors import ArgumentError
from throughtime.search import Stepper, sample, truncate

INF = float("inf")
SCORES = st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=12).map(lambda s: torch.tensor(s).log_softmax(-1))
TEMPERATURES = st.floats(0.05, 20.0)


class Bigrams:
    """A model that knows the last symbol alone; its state is how many symbols it has read."""

    def __init__(self, vocab: int = 5) -> None:
        self.log_p = torch.randn(vocab, vocab).log_softmax(-1)
        self.steps = 0

    def start(self, prompt: Tensor) -> tuple[Tensor, int]:
        return self.log_p[prompt[:, -1]], prompt.shape[1]

    def step(self, token: Tensor, state: int) -> tuple[Tensor, int]:
        self.steps += 1
        return self.log_p[token], state + 1


def kept(scores: Tensor) -> list[bool]:
    return (scores > -INF).tolist()


@given(SCORES, TEMPERATURES, st.none() | st.integers(1, 14), st.none() | st.floats(0.01, 1.0))
def test_what_is_left_sums_to_one_in_the_same_order(scores, temperature, top_k, top_p):
    left = truncate(scores, temperature=temperature, top_k=top_k, top_p=top_p)
    assert left.shape == scores.shape
    assert float(left.exp().sum()) == pytest.approx(1, abs=1e-5)
    for a in range(len(scores)):
        for b in range(len(scores)):
            if left[a] > left[b]:
                assert scores[a] > scores[b] or left[b] == -INF, "the likelier stays the likelier"
    assert left[scores.argmax()] == left.max()


@given(SCORES, TEMPERATURES)
def test_a_temperature_divides_log_probabilities(scores, temperature):
    torch.testing.assert_close(truncate(scores, temperature=temperature), (scores / temperature).log_softmax(-1))


@given(SCORES)
def test_nothing_to_cut_changes_nothing(scores):
    torch.testing.assert_close(truncate(scores), scores)
    torch.testing.assert_close(truncate(scores, top_k=len(scores), top_p=1.0), scores)
    assert kept(truncate(scores, top_p=1.0)) == [True] * len(scores)


@given(SCORES, st.integers(1, 14))
def test_top_k_keeps_the_k_likeliest_and_their_equals(scores, top_k):
    left = truncate(scores, top_k=top_k)
    least = scores.sort(descending=True).values[min(top_k, len(scores)) - 1]
    assert kept(left) == (scores >= least).tolist()
    of_those = scores[scores >= least]
    torch.testing.assert_close(left[scores >= least], of_those - of_those.logsumexp(0))


@given(SCORES, st.floats(0.01, 0.999))
def test_top_p_keeps_the_smallest_set_that_reaches_p(scores, top_p):
    left = truncate(scores, top_p=top_p)
    inside = torch.tensor(kept(left))
    p = scores.double().exp()
    assert scores[inside].min() >= (scores[~inside].max() if (~inside).any() else -INF)
    assert float(p[inside].sum()) >= top_p - 1e-5
    assert float(p[inside].sum() - p[inside].min()) < top_p + 1e-5


def test_top_p_is_taken_of_what_top_k_left():
    scores = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    assert kept(truncate(scores, top_k=2, top_p=0.5)) == [True, False, False, False]  # 0.4 of 0.7 is over a half
    assert kept(truncate(scores, top_p=0.5)) == [True, True, False, False]


@given(SCORES, st.sampled_from([0.0, 1e-300, 1e-45, 1e-39, 1e-37, 1e-30]))
def test_a_temperature_of_nothing_leaves_the_likeliest_alone(scores, temperature):
    left = truncate(scores, temperature=temperature)
    assert float(left.exp().sum()) == pytest.approx(1)
    assert (scores[left.exp() > 0] == scores.max()).all()


def test_a_temperature_of_nearly_nothing_is_none_too_small_for_a_large_vocabulary():
    scores = torch.zeros(5000)
    scores[7] = 1.0
    left = truncate(scores.log_softmax(-1), temperature=1.2e-38)  # log p / temperature is over what float32 holds
    assert left.exp().nonzero().tolist() == [[7]]


def test_rows_are_cut_each_by_itself():
    scores = torch.randn(3, 4, 6).log_softmax(-1)
    for options in ({"temperature": 0.0}, {"temperature": 2.0, "top_k": 3, "top_p": 0.7}):
        together = truncate(scores, **options)
        for row in range(3):
            for place in range(4):
                torch.testing.assert_close(together[row, place], truncate(scores[row, place], **options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature must be at least 0 and finite; got -0.1"),
        ({"temperature": INF}, "temperature must be at least 0 and finite; got inf"),
        ({"temperature": math.nan}, "temperature must be at least 0 and finite; got nan"),
        ({"top_k": 0}, "top_k must be at least 1; got 0"),
        ({"top_k": -3}, "top_k must be at least 1; got -3"),
        ({"top_p": 0.0}, r"top_p must be in \(0, 1\]; got 0.0"),
        ({"top_p": 1.01}, r"top_p must be in \(0, 1\]; got 1.01"),
        ({"top_p": math.nan}, r"top_p must be in \(0, 1\]; got nan"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_came(options, message):
    with pytest.raises(ArgumentError, match=message):
        truncate(torch.zeros(4), **options)
    with pytest.raises(ArgumentError, match=message):
        list(sample(Bigrams(), [0], length=3, **options))


def test_an_empty_prompt_is_refused():
    with pytest.raises(ArgumentError, match="prompt is empty: begin with the units' start symbol"):
        list(sample(Bigrams(), [], length=3))


def test_the_same_seed_gives_the_same_symbols_whatever_else_is_drawn():
    def drawn(seed: int | None) -> list[int]:
        torch.rand(3)
        return list(sample(model, [0], length=50, seed=seed))

    model = Bigrams()
    assert isinstance(model, Stepper)
    assert drawn(4) == drawn(4)
    assert drawn(4) != drawn(5)
    assert drawn(None) != drawn(None)


def test_drawing_leaves_torchs_own_seed_alone():
    model, before = Bigrams(), torch.get_rng_state()
    list(sample(model, [0], length=9, seed=1))
    list(sample(model, [0], length=9))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("length", [0, 1, 7])
def test_there_are_as_many_symbols_as_asked_and_no_step_too_many(length):
    model = Bigrams()
    assert len(list(sample(model, [0], length=length, seed=0))) == length
    assert model.steps == max(0, length - 1)


def test_it_ends_after_the_stop():
    model = Bigrams()
    whole = list(sample(model, [0], length=60, seed=3))
    stop = whole[10]
    stopped = list(sample(model, [0], length=60, seed=3, stop=stop))
    assert stopped == whole[: whole.index(stop) + 1]


@pytest.mark.parametrize("temperature", [0.0, 1.0, 5.0])
def test_what_is_forbidden_is_never_drawn(temperature):
    model = Bigrams()
    forbidden = [int(model.log_p[0].argmax()), 3]
    drawn = set(sample(model, [0], length=300, seed=0, forbidden=forbidden, temperature=temperature))
    assert not drawn & set(forbidden)
    assert temperature == 0 or drawn == set(range(5)) - set(forbidden)


def test_temperature_zero_is_greedy():
    model = Bigrams()
    drawn = [2, *sample(model, [1, 2], length=8, temperature=0.0)]
    assert all(b == int(model.log_p[a].argmax()) for a, b in pairwise(drawn))


@pytest.mark.parametrize("options", [{}, {"temperature": 0.7}, {"top_k": 3}, {"top_p": 0.8}, {"forbidden": [1]}])
def test_symbols_are_drawn_as_often_as_the_model_says(options):
    model = Bigrams()
    drawn = [0, *sample(model, [0], length=3000, seed=0, **options)]
    counts = torch.zeros(5, 5)
    for a, b in pairwise(drawn):
        counts[a, b] += 1
    allowed = model.log_p.clone()
    allowed[:, options.get("forbidden", [])] = -INF
    cuts = {name: value for name, value in options.items() if name != "forbidden"}
    expected = truncate(allowed, **cuts).exp() * counts.sum(1, keepdim=True)
    assert not counts[expected == 0].any()
    square = ((counts - expected) ** 2 / expected)[expected > 0].sum()
    assert float(square) < 45  # chi-square with at most 20 degrees of freedom: one seed in 1,000 is over 45
