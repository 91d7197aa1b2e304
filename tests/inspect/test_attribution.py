"""Attributions against models whose answer is known, against loops by hand, and against the laws they are held to."""

import numpy as np
import pytest
import torch

from throughtime import Padded
from throughtime.cells import LSTM
from throughtime.errors import ArgumentError
from throughtime.heads.classes import Classes, Ordinal, Several
from throughtime.inspect import attribution
from throughtime.inspect.attribution import (
    at_step,
    before,
    integrated_gradients,
    nodes,
    occlusion,
    odds,
    of_inputs,
    of_seen,
    spread,
)
from throughtime.layers import Bidirectional, Convolution, Direct, MaximumPool, MeanPool
from throughtime.models.classifier import Classifier

IDS = torch.tensor([3, 1, 4, 1, 5, 2, 6])
NONE = torch.tensor(0)
CORES = {
    "lstm": lambda: Bidirectional(LSTM(4, 3), LSTM(4, 3)),
    "convolution": lambda: Convolution(4, 3, widths=(2, 3)),
    "average": lambda: Direct(4),
}


def make(core="average", pool=MeanPool, head=Classes, vocab=7):
    torch.manual_seed(1)
    made = CORES[core]()
    model = Classifier(vocab, made, pool(), head(made.hidden, 3), dropout=0.4, word_dropout=0.2 if vocab else 0.0)
    if model.embedding is not None:
        torch.nn.init.normal_(model.embedding.weight)
    return model.double().eval()


def seen_by(model, sequence=IDS):
    """What the core sees of a sequence, and of a step that is unknown."""
    with torch.no_grad():
        return model.embedded(Padded.full(sequence[None])).data[0], model.embedded(Padded.full(NONE[None, None])).data[
            0, 0
        ]


def alone(model, claim, sequence):
    with torch.no_grad():
        return float(claim(model.log_probabilities(Padded.full(sequence[None])))[0])


def test_of_a_linear_answer_both_ways_give_each_step_its_own_share_and_nothing_is_left():
    model, claim = make(), before(2, 0)
    seen, unknown = seen_by(model)
    weight = model.head.linear.weight.detach()
    wanted = ((seen - unknown) @ (weight[2] - weight[0]) / len(IDS)).numpy()
    for steps in (1, 5):
        found = integrated_gradients(of_seen(model, claim), seen, unknown, steps=steps)
        np.testing.assert_allclose(found.by_step, wanted, atol=1e-12)
        assert abs(found.residual) < 1e-12
    found = occlusion(of_inputs(model, claim), IDS, NONE)
    np.testing.assert_allclose(found.by_step, wanted, atol=1e-12)
    assert abs(found.residual) < 1e-12
    assert found.whole == pytest.approx(alone(model, claim, IDS))
    assert found.nothing == pytest.approx(alone(model, claim, torch.zeros(7, dtype=torch.long)))


@pytest.mark.parametrize("head", [Classes, Several, Ordinal])
@pytest.mark.parametrize("core", list(CORES))
@pytest.mark.parametrize("pool", [MeanPool, MaximumPool])
def test_integrated_gradients_are_complete(core, pool, head, imitated):
    model = make(core, pool, head)
    seen, unknown = seen_by(model)
    claim = odds(1, denied=True) if head is Several else before(1)
    found = integrated_gradients(of_seen(model, claim), seen, unknown, steps=20 if core == "lstm" else 64)
    with torch.no_grad():
        ends = claim(
            model.head.log_probabilities(
                model.pool(model.core(Padded.full(torch.stack([seen, unknown.expand(7, 4)])))[0])
            )
        )
    assert (found.whole, found.nothing) == pytest.approx(tuple(ends.tolist()))
    assert found.whole == pytest.approx(alone(model, claim, IDS))
    gap = float(ends[0] - ends[1])
    assert found.residual == pytest.approx(gap - found.weights.sum(), abs=1e-12)
    smooth = core != "convolution" and pool is MeanPool
    assert abs(found.residual) < (1e-7 if smooth else 0.03 * max(1, abs(gap)))  # kinks end the rule's precision
    assert abs(found.by_step).max() > 1e-3


def test_the_residual_of_trapezoids_falls_with_the_square_of_the_steps(imitated):
    model = make("lstm")
    seen, unknown = seen_by(model)
    answer = of_seen(model, before(1))
    coarse, fine = (integrated_gradients(answer, seen, unknown, steps=n, rule="trapezoid") for n in (9, 17))
    assert coarse.residual / fine.residual == pytest.approx(4, rel=0.05)
    exact = integrated_gradients(answer, seen, unknown, steps=40)
    np.testing.assert_allclose(fine.weights, exact.weights, atol=4 * abs(fine.residual) + 1e-4)


def test_the_path_is_summed_as_the_formula_says():
    model, claim = make("convolution"), before(0)
    seen, unknown = seen_by(model)
    places, shares = nodes(5, "gauss")
    wanted = torch.zeros_like(seen)
    for place, share in zip(places, shares, strict=True):
        point = (unknown + place * (seen - unknown)).requires_grad_()
        value = claim(model.head.log_probabilities(model.pool(model.core(Padded.full(point[None]))[0])))
        wanted += share * torch.autograd.grad(value.sum(), point)[0] * (seen - unknown)
    found = integrated_gradients(of_seen(model, claim), seen, unknown, steps=5)
    np.testing.assert_allclose(found.weights, wanted.numpy(), atol=1e-12)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_is_as_the_baseline_has_no_weight():
    model = make("convolution")
    ids = IDS.clone()
    ids[2] = 0
    seen, unknown = seen_by(model, ids)
    assert not integrated_gradients(of_seen(model, before(1)), seen, unknown).weights[2].any()
    assert not occlusion(of_inputs(model, before(1)), ids, NONE).weights[2]


@pytest.mark.parametrize("core", ["lstm", "convolution"])
@pytest.mark.parametrize("span", [1, 2, 7, 9])
@pytest.mark.parametrize("replacement", [NONE, None], ids=["unknown", "left_out"])
def test_occlusion_is_a_loop_over_variants(core, span, replacement, monkeypatch, imitated):
    model, claim = make(core, MaximumPool), before(1)
    width = min(span, 7)
    whole, wanted = alone(model, claim, IDS), []
    for first in range(7 - width + 1):
        changed = IDS.clone()
        changed[first : first + width] = 0
        if replacement is None:
            changed = torch.cat([IDS[:first], IDS[first + width :]])
        if len(changed):
            wanted.append(whole - alone(model, claim, changed))
        else:
            features = torch.zeros(1, model.core.hidden).double()
            wanted.append(whole - float(model.head.log_probabilities(features).detach()[0, 1]))
    for limit in (2**16, 20):
        monkeypatch.setattr(attribution, "STEPS", limit)
        found = occlusion(of_inputs(model, claim), IDS, replacement, span=span)
        np.testing.assert_allclose(found.weights, wanted, atol=1e-12)
        assert found.whole == pytest.approx(whole)
    if width == 7:
        assert found.residual == pytest.approx(0)


def test_series_have_a_weight_for_each_time_and_channel(imitated):
    model, claim = make("lstm", vocab=None), before(1, 2)
    series, mean = torch.randn(5, 4).double(), torch.randn(4).double()
    found = occlusion(of_inputs(model, claim), series, mean, span=2)
    assert found.weights.shape == (4, 4)
    for time in range(4):
        for channel in range(4):
            changed = series.clone()
            changed[time : time + 2, channel] = mean[channel]
            gap = alone(model, claim, series) - alone(model, claim, changed)
            assert found.weights[time, channel] == pytest.approx(gap, abs=1e-12)
    assert found.nothing == pytest.approx(alone(model, claim, mean.expand(5, 4)))
    np.testing.assert_allclose(found.by_step, found.weights.sum(1))
    path = integrated_gradients(of_seen(model, claim), series, mean.expand(5, 4))
    assert path.weights.shape == (5, 4)
    assert abs(path.residual) < 1e-10
    assert path.nothing == pytest.approx(found.nothing)


def test_where_order_plays_no_part_weights_go_with_their_steps():
    model, order = make(), torch.tensor([6, 2, 0, 5, 1, 4, 3])
    seen, unknown = seen_by(model)
    for find in (
        lambda rows: integrated_gradients(of_seen(model, before(1)), seen[rows], unknown).by_step,
        lambda rows: occlusion(of_inputs(model, before(1)), IDS[rows], None).by_step,
    ):
        np.testing.assert_allclose(find(order), find(torch.arange(7))[order.numpy()], atol=1e-12)


def test_steps_held_at_once_change_nothing(monkeypatch, imitated):
    model = make("lstm")
    seen, unknown = seen_by(model)
    wanted, sizes = integrated_gradients(of_seen(model, before(1)), seen, unknown, steps=11), []

    def watched(inputs):
        sizes.append(inputs.data.shape[0] * inputs.data.shape[1])
        return of_seen(model, before(1))(inputs)

    monkeypatch.setattr(attribution, "STEPS", 30)
    found = integrated_gradients(watched, seen, unknown, steps=11)
    np.testing.assert_allclose(found.weights, wanted.weights, atol=1e-12)
    assert max(sizes) <= 30
    assert len(sizes) == 4  # two or three of eleven points at once would be four calls, and one for both ends


def test_a_step_of_many_that_are_answered_is_asked_by_itself():
    weight = torch.randn(4, 3).double()

    def tags(seen):  # each step's answer is of itself and the step before
        both = seen.data + torch.nn.functional.pad(seen.data, (0, 0, 1, 0))[:, :-1]
        return torch.log_softmax(both @ weight, -1)

    seen = torch.randn(6, 4).double()
    claim = at_step(before(2, 0), 3)
    found = integrated_gradients(lambda inputs: claim(tags(inputs)), seen, torch.zeros(4).double(), steps=1)
    wanted = np.zeros(6)
    wanted[2:4] = (seen[2:4] @ (weight[:, 2] - weight[:, 0])).numpy()
    np.testing.assert_allclose(found.by_step, wanted, atol=1e-12)
    assert abs(found.residual) < 1e-12


def test_spans_share_what_they_say_among_their_steps():
    own = np.array([1.0, -2.0, 4.0, 0.0, 3.0])
    summed = np.array([own[i : i + 3].sum() for i in range(3)])
    np.testing.assert_allclose(
        spread(summed, 3), [1, (1 + 2 / 3) / 2, (1 + 2 / 3 + 7 / 3) / 3, (2 / 3 + 7 / 3) / 2, 7 / 3]
    )
    assert spread(own, 1).tolist() == own.tolist()
    assert spread(np.ones((3, 2)), 2).shape == (4, 2)
    assert spread(np.full(1, 6.0), 3).tolist() == [2, 2, 2]


def test_odds_are_sure_where_probabilities_are_not_to_be_told_from_one():
    logits = torch.tensor([[-30.0, 0.0, 60.0]])
    logs = torch.nn.functional.logsigmoid(logits)
    for label, logit in enumerate(logits[0].tolist()):
        assert float(odds(label)(logs)) == pytest.approx(logit, rel=1e-4, abs=1e-6)
        assert float(odds(label, denied=True)(logs)) == -float(odds(label)(logs))


@pytest.mark.parametrize(("steps", "rule", "degree"), [(1, "gauss", 1), (6, "gauss", 11), (2, "trapezoid", 1)])
def test_rules_are_exact_for_powers_up_to_their_degree(steps, rule, degree):
    places, shares = nodes(steps, rule)
    for power in range(degree + 1):
        assert shares @ places**power == pytest.approx(1 / (power + 1))
    assert abs(shares @ places ** (degree + 1) - 1 / (degree + 2)) > 1e-9


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: nodes(0, "gauss"), "steps must be from 1 to 4,096 for the rule gauss; got 0"),
        (lambda: nodes(1, "trapezoid"), "steps must be from 2 to 4,096 for the rule trapezoid; got 1"),
        (lambda: nodes(4, "simpson"), "rule is 'simpson'; choose gauss or trapezoid"),
        (lambda: occlusion(sum, IDS, NONE, span=0), "span must be at least 1 step; got 0"),
        (lambda: occlusion(sum, IDS[:0], NONE), r"sequence is \(0,\); it has to be T or T D, one step at least"),
        (
            lambda: occlusion(sum, torch.zeros(3, 2), None),
            "replaced, not left out: give the numbers that stand for none",
        ),
        (
            lambda: occlusion(sum, torch.zeros(3, 2), torch.zeros(3)),
            r"replacement \(3,\) does not fit a sequence \(3, 2\): it is one step of it",
        ),
        (lambda: integrated_gradients(sum, IDS, NONE), r"seen is \(7,\) of torch.int64; it has to be numbers, T D"),
        (
            lambda: integrated_gradients(sum, torch.zeros(3, 2), torch.zeros(3)),
            r"baseline \(3,\) does not fit \(3, 2\): it is as what is seen, or one step of it",
        ),
    ],
)
def test_what_does_not_fit_is_said(call, says):
    with pytest.raises(ArgumentError, match=says):
        call()
