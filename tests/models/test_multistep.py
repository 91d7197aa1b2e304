"""Three ways to many steps: every option forward and backward, what they are relative to, and each by hand."""

from itertools import product
from typing import get_args

import pytest
import torch

from throughtime.data.windows import WindowBatch
from throughtime.errors import ArgumentError
from throughtime.models.frames import Form, framed, unframed
from throughtime.models.multistep import AtOnce, EncoderDecoder, Head, InStep
from throughtime.padded import Padded
from throughtime.recipes.cells import CellName
from throughtime.recipes.parts import one_way

WAYS = {"direct": AtOnce, "in-step": InStep, "encoder-decoder": EncoderDecoder}
SIZES = {"context": 6, "horizon": 4, "targets": 2}


def made(way, *, cell="gru", layers=1, levels=(), delta=None, dropout=0.0, **form):
    form = Form(**(SIZES | form))
    head = Head(form, 5, levels=levels, delta=delta)
    cores = [one_way(cell, 4, 5, layers, dropout=dropout) for _ in range(2 if way == "encoder-decoder" else 1)]
    return WAYS[way](form, *cores, head, dropout=dropout)


def batch(form, rows=3):
    return WindowBatch(
        torch.randn(rows, form.context, form.targets + form.inputs),
        torch.randn(rows, form.context + form.horizon, form.known),
        torch.randn(rows, form.horizon, form.targets),
    )


FORMS = [
    {},
    {"segment": 2, "known": 1, "shared": True},
    {"segment": 2, "known": 3, "normalise": "mean"},
    {"shared": True, "normalise": "none", "layers": 2},
    {"shared": True, "normalise": "mean", "levels": (0.5,), "dropout": 0.2, "layers": 2},
    {"known": 2, "delta": 1.0, "normalise": "none"},
]


@pytest.mark.parametrize(("way", "options"), list(product(WAYS, FORMS)), ids=str)
def test_every_option_runs_forward_and_backward(way, options, imitated):
    model = made(way, **options)
    given = batch(model.form)
    tally, state = model.loss(given)
    assert state is None
    form, steps = model.form, model.form.horizon
    if way == "in-step" and form.normalise == "none":
        steps += form.context - form.segment
    assert tally.count == 3 * steps * 2
    tally.total.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())
    outputs = model.eval()(given.history, given.known)
    assert outputs.shape == (3, 4, 2, *([1] if options.get("levels") else []))
    assert model.head.points(outputs).shape == (3, 4, 2)


@pytest.mark.parametrize("way", ["direct", "encoder-decoder"])
def test_quantiles_rise_and_inputs_are_seen_but_not_forecast(way, imitated):
    model = made(way, inputs=3, levels=(0.1, 0.5, 0.9), normalise="mean")
    given = batch(model.form)
    outputs = model(given.history, given.known)
    assert outputs.shape == (3, 4, 2, 3)
    assert (outputs.diff(dim=-1) > 0).all()
    given.history.requires_grad_(True)
    model(given.history, given.known).sum().backward()
    assert (given.history.grad[..., 2:].abs().sum((0, 1)) > 0).all()


@pytest.mark.parametrize("name", sorted(set(get_args(CellName)) - {"gru"}))
def test_every_cell_walks_all_three_ways(name, imitated):
    for way in WAYS:
        model = made(way, cell=name)
        model.loss(batch(model.form))[0].total.backward()
        assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shared", [True, False])
def test_forecasts_move_with_what_they_are_relative_to(way, shared, imitated):
    shift, scale = torch.tensor([3.0, -5.0]), torch.tensor([4.0, 0.5])
    for normalise, moved in (("last", lambda x: x + shift), ("mean", lambda x: x * scale + shift)):
        model = made(way, normalise=normalise, shared=shared).double()
        given = batch(model.form)
        history = given.history.double() * 100  # beside which what is added to the variance is nothing
        known = given.known.double()
        torch.testing.assert_close(model(moved(history), known), moved(model(history, known)), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("shared", [True, False])
def test_windows_of_means_have_no_mean_and_a_deviation_of_one(shared):
    form = Form(**(SIZES | {"segment": 2, "shared": shared, "normalise": "mean"}))
    history = 5 + 100 * torch.randn(3, 6, 2, dtype=torch.float64)
    rows = framed(form, history, torch.zeros(3, 10, 0, dtype=torch.float64))
    values = rows.values.reshape(len(rows.values), 6, -1)
    torch.testing.assert_close(values.mean(1), torch.zeros_like(values[:, 0]), atol=1e-9, rtol=0)
    torch.testing.assert_close((values**2).mean(1), torch.ones_like(values[:, 0]), atol=1e-6, rtol=0)
    back = unframed(form, rows, rows.values)
    torch.testing.assert_close(back, history)


@pytest.mark.parametrize("way", WAYS)
def test_rows_know_nothing_of_one_another(way, imitated):
    model = made(way, segment=2, shared=True, known=1).eval()
    given = batch(model.form, 5)
    whole, order = model(given.history, given.known), torch.tensor([3, 0, 4])
    torch.testing.assert_close(model(given.history[order], given.known[order]), whole[order])


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_in_groups_is_the_batch(way, imitated):
    model = made(way, shared=True, levels=(0.5,)).eval()
    given = batch(model.form, 5)
    whole, parts = model.loss(given)[0].detach(), [model.loss(group)[0].detach() for group in given.split(3)]
    assert sum(part.count for part in parts) == whole.count
    assert sum(part.total for part in parts) == pytest.approx(whole.total, rel=1e-5)


def test_shared_channels_are_rows_of_their_own(imitated):
    model = made("in-step", shared=True).eval()  # which does not know which channel a row is of
    given = batch(model.form)
    both = model(given.history, given.known)
    torch.testing.assert_close(model(given.history.flip(-1), given.known), both.flip(-1))
    changed = given.history.clone()
    changed[..., 1] += torch.randn(3, 6)
    torch.testing.assert_close(model(changed, given.known)[..., 0], both[..., 0])


def test_direct_asks_the_last_state_once_for_each_segment(imitated):
    model = made("direct", segment=2, shared=True, normalise="none").eval()
    given = batch(model.form, 1)
    rows = framed(model.form, given.history, given.known)
    _, state = model.core(Padded.full(model.embedding(rows.values, rows.known[:, :3])))
    for channel, part in product(range(2), range(2)):
        asked = model.queries.place[part] + model.queries.channel[channel]
        features, _ = model.core.step(asked[None], tuple(type(s)(s.hidden[channel : channel + 1]) for s in state))
        wanted = model.head(features)[0]
        torch.testing.assert_close(model(given.history, given.known)[0, 2 * part : 2 * part + 2, channel], wanted)


def test_a_model_in_step_is_fed_its_own_forecasts_and_taught_by_the_truth(imitated):
    model = made("in-step", normalise="last", known=1).double().eval()
    given = batch(model.form)
    given = WindowBatch(given.history.double(), given.known.double(), given.targets.double())

    def one_ahead(past, steps):  # the forecast of the value after `past`, by reading all of it again
        level = given.history[:, -1:]
        data = model.embedding(past - level, given.known[:, 1 : steps + 1])
        features, _ = model.core(Padded.full(data))
        return past[:, -1] + model.head(features.data[:, -1])

    said = given.history
    for step in range(6, 10):
        said = torch.cat([said, one_ahead(said, step)[:, None]], 1)
    torch.testing.assert_close(model(given.history, given.known), said[:, 6:])
    whole = torch.cat([given.history, given.targets], 1)
    errors = [one_ahead(whole[:, :step], step) - whole[:, step] for step in range(6, 10)]
    assert model.loss(given)[0].mean == pytest.approx((torch.stack(errors).detach() ** 2).mean().item())


@pytest.mark.parametrize("normalise", ["last", "mean", "none"])
@pytest.mark.parametrize("shared", [True, False])
def test_no_forecast_that_a_model_in_step_is_judged_by_has_seen_what_it_is_of(normalise, shared, monkeypatch, imitated):
    model = made("in-step", segment=2, normalise=normalise, shared=shared)
    whole, judged = torch.randn(3, 10, 2, requires_grad=True), []
    loss = model.head.loss
    monkeypatch.setattr(model.head, "loss", lambda *pair: judged.append(pair) or loss(*pair))
    model.loss(WindowBatch(whole[:, :6], torch.zeros(3, 10, 0), whole[:, 6:]))
    ((said, truth),) = judged
    steps = truth.shape[1]
    assert steps == (8 if normalise == "none" else 4)
    assert truth.equal(whole[:, -steps:])
    for step in range(steps):
        (seen,) = torch.autograd.grad(said[:, step].sum(), whole, retain_graph=True)
        first = 10 - steps + step // 2 * 2  # of the segment that it is part of
        assert seen[:, first - 2 : first].abs().sum() > 0
        assert not seen[:, first:].any()


def test_a_bridge_leaves_the_state_as_it_is_at_first_and_the_decoder_walks_by_the_queries(imitated):
    model = made("encoder-decoder", known=2, normalise="none", cell="lstm").eval()
    given = batch(model.form)
    rows = framed(model.form, given.history, given.known)
    _, state = model.encoder(Padded.full(model.embedding(rows.values, rows.known[:, :6])))
    asked = model.queries(rows)
    for step in range(4):
        features, state = model.decoder.step(asked[:, step], state)
        torch.testing.assert_close(model(given.history, given.known)[:, step], model.head(features))
    changed = given.known.clone()
    changed[:, 8] += 1  # two steps ahead, from 0: seen there and after
    moved = (model(given.history, changed) - model(given.history, given.known)).abs().sum((0, 2)) > 0
    assert moved.tolist() == [False, False, True, True]


def test_losses_are_those_of_standardised_values(imitated):
    model = made("direct", normalise="mean").eval()
    given = batch(model.form)
    errors = (model(given.history, given.known) - given.targets).detach()
    assert model.loss(given)[0].mean == pytest.approx((errors**2).mean().item(), rel=1e-5)
    model = made("direct", normalise="mean", levels=(0.5,)).eval()
    errors = (model.head.points(model(given.history, given.known)) - given.targets).detach()
    assert model.loss(given)[0].mean == pytest.approx(errors.abs().mean().item(), rel=1e-5)


@pytest.mark.parametrize(
    ("way", "options", "message"),
    [
        ("direct", {"segment": 4}, "context is whole segments of 4; got 6"),
        ("direct", {"segment": 3}, "horizon is whole segments of 3; got 4"),
        ("direct", {"targets": 0}, "targets must be at least 1; got 0"),
        ("direct", {"inputs": 1, "shared": True}, "1 inputs are seen together with targets; they need shared=False"),
        ("direct", {"levels": (0.1, 0.9)}, "levels must have 0.5 among them"),
        ("in-step", {"inputs": 1}, "a model in step cannot forecast 1 inputs"),
        ("in-step", {"levels": (0.1, 0.5)}, "feeds back one forecast, not quantiles"),
    ],
)
def test_forms_that_do_not_fit_are_told(way, options, message):
    with pytest.raises(ArgumentError, match=message):
        made(way, **options)
