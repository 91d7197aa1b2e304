"""Packed weights: torch's products, faster, and a row by itself to the last bit."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from throughtime.layers import packed as made

WIDTH, DEPTH = 300, 130  # no multiples of any number of lanes


@pytest.fixture(autouse=True)
def _large(monkeypatch):
    monkeypatch.setattr(made, "LARGE", 1)


def packed():
    """Of a model that is taken to be large."""
    return made.packed(nn.Linear(1, 1))


@pytest.fixture
def counted(monkeypatch):
    """How often the packed product was called, with how many rows."""
    calls = []
    multiply = made._multiply
    monkeypatch.setattr(made, "_multiply", lambda kind, *numbers: (calls.append(numbers[5]), multiply(kind, *numbers)))
    return calls


def weights(dtype=torch.float32):
    return nn.Parameter(torch.randn(WIDTH, DEPTH, dtype=dtype)), nn.Parameter(torch.randn(WIDTH, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1,), (7,), (13, 3), (2, 0, 5), (1025,), ()])
@pytest.mark.parametrize("biased", [True, False])
def test_is_torchs_product(dtype, shape, biased, counted):
    weight, bias = weights(dtype)
    x = torch.randn(*shape, DEPTH, dtype=dtype)
    with torch.no_grad():
        expected = F.linear(x, weight, bias if biased else None)
        with packed():
            found = F.linear(x, weight, bias if biased else None)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 if dtype == torch.float32 else 1e-12)
    assert bool(counted) == (expected.numel() > 0)


def test_a_row_does_not_depend_on_the_rows_beside_it():
    weight, bias = weights()
    x = torch.randn(1500, DEPTH)
    with torch.no_grad(), packed():
        whole = F.linear(x, weight, bias)
        for rows in ([64], [3, 0], list(range(10, 43)), list(range(1100, 1200)), list(range(1400))):
            assert torch.equal(F.linear(x[rows], weight, bias), whole[rows])


def test_parts_of_a_weight_rows_far_apart_and_modules(counted):
    linear = nn.Linear(DEPTH, WIDTH + 40)
    far = torch.randn(5, 2 * DEPTH)[:, ::2]
    repeated = far[:, None].expand(-1, 2, -1)

    def products():
        return linear(far), F.linear(far, linear.weight[40:]), F.linear(repeated, linear.weight)

    with torch.no_grad():
        expected = products()
        with packed():
            found = products()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert counted == [5, 5, 10]


def test_a_weight_that_changes_is_seen():
    weight, bias = weights()
    x = torch.randn(3, DEPTH)
    with torch.no_grad(), packed():
        F.linear(x, weight, bias)
        weight.mul_(2)
        changed = F.linear(x, weight, bias)
        torch.testing.assert_close(changed, x @ weight.T + bias, rtol=1e-4, atol=1e-4)


def test_the_outer_ones_weights_are_used_inside(monkeypatch):
    times = []
    pack = made.product.pack
    monkeypatch.setattr(made.product, "pack", lambda *arguments: (times.append(1), pack(*arguments))[1])
    weight, _ = weights()
    x = torch.randn(3, DEPTH)
    with torch.no_grad(), packed():
        for _ in range(2):
            with packed():
                F.linear(x, weight)
    assert len(times) == 1
    with torch.no_grad(), packed():
        F.linear(x, weight)
    assert len(times) == 2


def test_what_is_torchs_stays_torchs(counted):
    weight, bias = weights()
    x, small = torch.randn(3, DEPTH), nn.Parameter(torch.randn(8, DEPTH))
    with packed():
        loss = F.linear(x, weight, bias).sum()
        loss.backward()
        assert weight.grad is not None
        with torch.no_grad():
            F.linear(x, small)
            F.linear(x, torch.randn(WIDTH, DEPTH))
            with torch.autocast("cpu", torch.bfloat16):
                assert F.linear(x, weight).dtype == torch.bfloat16
        with torch.no_grad(), pytest.raises(RuntimeError, match="shapes"):
            F.linear(torch.randn(3, DEPTH + 1), weight)
    assert counted == []


def test_two_threads_share_the_columns(monkeypatch):
    weight, bias = weights()
    x = torch.randn(70, DEPTH)
    monkeypatch.setattr(made, "PARALLEL", 1)
    with torch.no_grad(), packed():
        alone = F.linear(x, weight, bias)
        monkeypatch.setattr(made.launch, "threads", lambda: 2)
        assert torch.equal(F.linear(x, weight, bias), alone)


def test_a_small_model_is_left_to_torch(monkeypatch, counted):
    monkeypatch.setattr(made, "LARGE", 3)
    with torch.no_grad(), packed():
        F.linear(torch.randn(3, DEPTH), weights()[0])
    assert counted == []
