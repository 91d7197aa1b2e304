import math

import pytest
import torch

from throughtime.errors import ArgumentError
from throughtime.layers import Additive, Cosine, Dot, General, ScaledDot
from throughtime.layers import scores as module

SCORES = {
    "dot": lambda: Dot(4, 4),
    "general": lambda: General(4, 3),
    "scaled dot": lambda: ScaledDot(4, 3),
    "scaled dot, wide": lambda: ScaledDot(4, 3, 5),
    "cosine": lambda: Cosine(4, 3),
    "cosine, wide": lambda: Cosine(4, 3, 5),
    "additive": lambda: Additive(4, 3),
    "additive, wide": lambda: Additive(4, 3, 5),
}


@pytest.fixture(params=SCORES)
def score(request):
    return SCORES[request.param]().double()


def pairs(score, batch: int = 2, steps: int = 3, places: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(batch, steps, score.query).double(), torch.randn(batch, places, score.width).double()


def by_hand(score, query: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The formula of the class, for one pair."""
    if isinstance(score, Dot):
        return query @ value
    if isinstance(score, General):
        return query @ score.key.weight @ value
    if isinstance(score, Additive):
        return score.judge @ torch.tanh(score.ask.weight @ query + score.key.weight @ value + score.key.bias)
    asked, key = score.ask.weight @ query, score.key.weight @ value
    if isinstance(score, ScaledDot):
        return asked @ key / math.sqrt(len(key))
    return score.sharpness.exp() * (asked @ key) / (asked.norm() * key.norm())


def test_scores_are_their_formulas(score):
    queries, values = pairs(score)
    wanted = [
        [[by_hand(score, q, v).item() for v in row[1]] for q in row[0]] for row in zip(queries, values, strict=True)
    ]
    torch.testing.assert_close(score(queries, score.project(values)), torch.tensor(wanted, dtype=torch.float64))
    assert score.project(values).shape == (2, 5, score.keys)


def test_gradients_are_finite_differences(score):
    leaves = [*(part.requires_grad_() for part in pairs(score)), *score.parameters()]
    assert torch.autograd.gradcheck(lambda q, v, *_: score(q, score.project(v)), leaves)


def test_every_weight_receives_gradient(score):
    queries, values = (part.requires_grad_() for part in pairs(score))
    score(queries, score.project(values)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in score.parameters())


@pytest.mark.parametrize("shape", [(0, 3, 5), (2, 0, 5), (2, 3, 0)])
def test_nothing_scores_nothing(score, shape):
    queries, values = pairs(score, *shape)
    scores = score(queries.requires_grad_(), score.project(values))
    scores.sum().backward()
    assert scores.shape == shape
    assert not queries.grad.any()


@pytest.mark.parametrize("block", [1, 7, 30, 41, 10_000])
def test_additive_scores_are_the_same_in_blocks_of_any_size(monkeypatch, block):
    score = Additive(4, 3, 2).double()
    queries, values = (part.requires_grad_() for part in pairs(score, 3, 4, 5))
    leaves = [queries, values, *score.parameters()]
    weights = torch.randn(3, 4, 5).double()
    keys = score.project(values)
    plain = torch.tanh(score.ask(queries)[:, :, None] + keys[:, None]) @ score.judge
    wanted = torch.autograd.grad((plain * weights).sum(), leaves)
    monkeypatch.setitem(module.BLOCK, "cpu", block)
    found = score(queries, score.project(values))
    torch.testing.assert_close(found, plain)
    torch.testing.assert_close(torch.autograd.grad((found * weights).sum(), leaves), wanted)


def test_one_query_without_a_gradient_scores_as_it_does_with_one():
    score = Additive(4, 3).double()
    queries, values = pairs(score, steps=1)
    with torch.no_grad():
        plain = score(queries, score.project(values))
    torch.testing.assert_close(plain, score(queries, score.project(values)).detach())


REFUSED = {
    "dot of two widths": (
        lambda: Dot(4, 3),
        "a dot product needs queries and values of one width; got 4 and 3: General and ScaledDot project them",
    ),
    "dot of nothing": (lambda: Dot(0, 0), "query must be at least 1; got 0"),
    "general": (lambda: General(4, 0), "width must be at least 1; got 0"),
    "scaled dot": (lambda: ScaledDot(4, 3, 0), "hidden must be at least 1; got 0"),
    "cosine": (lambda: Cosine(-1, 3), "query must be at least 1; got -1"),
    "additive": (lambda: Additive(4, 3, -2), "hidden must be at least 1; got -2"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_sizes_that_do_not_fit_are_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(ArgumentError) as refused:
        make()
    assert str(refused.value) == message
