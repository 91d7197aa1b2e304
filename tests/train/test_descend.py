import math

import numpy as np
import pytest
import torch

from throughtime.cells import LSTM
from throughtime.data.lanes import Lanes
from throughtime.errors import DivergedError
from throughtime.layers import Recurrent
from throughtime.models import LanguageModel
from throughtime.tally import Tally
from throughtime.train import Place, descend, make_optimiser

VOCAB, IDS = 7, np.random.default_rng(0).integers(7, size=200).astype(np.int32)


def make(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    model = LanguageModel(VOCAB, Recurrent(LSTM(5, 6)), dropout=dropout).double()
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def lanes(steps=8):
    return Lanes(IDS, lanes=4, steps=steps)


def updates(count, model, optimiser, **options):
    batches = options.pop("batches", lanes())
    stream = descend(model, optimiser, batches, learning_rate=options.pop("learning_rate", lambda _: 0.1), **options)
    return [next(stream) for _ in range(count)]


def test_micro_batches_are_one_batch():
    whole, parts = make(), make()
    one = updates(8, *whole, accumulate=1)
    many = updates(8, *parts, accumulate=4)
    for a, b in zip(one, many, strict=True):
        assert a.loss.count == b.loss.count
        assert a.loss.mean == pytest.approx(b.loss.mean, abs=1e-12)
        assert a.gradient_norm == pytest.approx(b.gradient_norm, abs=1e-12)
    for p, q in zip(whole[0].parameters(), parts[0].parameters(), strict=True):
        assert torch.allclose(p, q, atol=1e-12)


def test_an_update_is_the_gradient_of_the_mean_clipped_and_stepped():
    model, optimiser = make()
    oracle, _ = make()
    clip = 0.05
    update = updates(1, model, optimiser, clip=clip)[0]
    tally, _ = oracle.loss(lanes().chunk(0, 0))
    (tally.total / tally.count).backward()
    norm = torch.nn.utils.clip_grad_norm_(oracle.parameters(), clip)
    assert update.gradient_norm == pytest.approx(float(norm), abs=1e-12)
    assert update.gradient_norm > clip
    for p, q in zip(model.parameters(), oracle.parameters(), strict=True):
        assert torch.allclose(p, q - 0.1 * q.grad, atol=1e-7)


def test_the_state_is_carried_within_an_epoch_and_starts_anew_with_the_next():
    chunks = lanes().chunks(0)
    made = updates(chunks + 1, *make())
    assert all(update.place.state for update in made[: chunks - 1])
    assert made[chunks - 1].place.state == ()
    assert [update.place.epoch for update in made] == [0] * (chunks - 1) + [1, 1]


def test_carrying_the_state_is_reading_the_text_in_one_go():
    model, optimiser = make()
    for group in optimiser.param_groups:
        group["lr"] = 0.0
    short = updates(6, model, optimiser, learning_rate=lambda _: 0.0)
    long = updates(3, model, optimiser, learning_rate=lambda _: 0.0, batches=lanes(16))
    totals = [short[2 * i].loss + short[2 * i + 1].loss for i in range(3)]
    assert [t.mean for t in totals] == pytest.approx([u.loss.mean for u in long], abs=1e-12)


def test_going_on_from_a_place_is_as_never_having_stopped():
    straight = updates(20, *make())
    model, optimiser = make()
    first = updates(9, model, optimiser)
    second = updates(11, model, optimiser, start=first[-1].place)
    assert [u.loss.total for u in first + second] == [u.loss.total for u in straight]


def test_the_learning_rate_is_asked_at_every_step():
    asked = []

    def rate(step):
        asked.append(step)
        return 0.5 / (step + 1)

    made = updates(4, *make(), learning_rate=rate)
    assert asked == [0, 1, 2, 3]
    assert [u.learning_rate for u in made] == [0.5, 0.25, 0.5 / 3, 0.125]


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_before_the_weights_are_touched(poison):
    model, optimiser = make()
    stream = descend(model, optimiser, lanes(), learning_rate=lambda _: 0.1)
    next(stream)
    with torch.no_grad():
        model.head.bias[0] = poison
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(DivergedError, match="at step 2"):
        next(stream)
    for p, q in zip(model.parameters(), before, strict=True):
        assert torch.equal(p, q) or (torch.isnan(q).any() or torch.isinf(q).any())


def test_a_place_counts_units():
    made = updates(lanes().chunks(0), *make())
    assert made[-1].place.units == 4 * lanes().lane_length(0)
    assert made[-1].place._replace(state=()) == Place(len(made), 1, 0, made[-1].place.units)


@pytest.mark.parametrize(("name", "momentum"), [("adamw", 0.0), ("sgd", 0.0), ("sgd", 0.9)])
def test_optimisers_learn_and_decay_matrices_only(name, momentum):
    torch.manual_seed(0)
    model = LanguageModel(VOCAB, Recurrent(LSTM(5, 6)))
    optimiser = make_optimiser(name, model, learning_rate=0.05, weight_decay=0.5, momentum=momentum)
    made = updates(60, model, optimiser, learning_rate=lambda _: 0.05)
    assert made[-1].loss.mean < made[0].loss.mean
    for group in optimiser.param_groups:
        assert all((p.dim() > 1) == (group["weight_decay"] > 0) or name == "sgd" for p in group["params"])


def test_bfloat16_computes_in_bfloat16_and_keeps_float32_weights():
    torch.manual_seed(0)
    model = LanguageModel(VOCAB, Recurrent(LSTM(16, 16)))
    optimiser = make_optimiser("adamw", model, learning_rate=0.05)
    made = updates(40, model, optimiser, precision=torch.bfloat16, learning_rate=lambda _: 0.02)
    assert made[-1].loss.mean < made[0].loss.mean
    assert {p.dtype for p in model.parameters()} == {torch.float32}


class ScoredAtFirst(torch.nn.Module):
    """A model whose first batch has targets, and no other one."""

    def __init__(self):
        super().__init__()
        self.weight, self.calls = torch.nn.Parameter(torch.ones(3)), 0

    def loss(self, batch, state):
        self.calls += 1
        scored = int(self.calls == 1)
        return Tally((self.weight * scored).sum(), scored), None


def test_a_batch_without_targets_leaves_the_weights_and_what_the_optimiser_remembers_as_they_are():
    model = ScoredAtFirst()
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1)
    stream = descend(model, optimiser, lanes(), learning_rate=lambda _: 0.1)
    assert next(stream).loss.count == 1
    before = model.weight.detach().clone()
    assert not torch.equal(before, torch.ones(3))
    update = next(stream)
    assert (update.place.step, update.loss.count, update.gradient_norm) == (2, 0, 0.0)
    assert torch.equal(model.weight, before)
    assert float(optimiser.state[model.weight]["step"]) == 1
