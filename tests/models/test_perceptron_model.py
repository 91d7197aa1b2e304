"""The perceptron: its formula, what it cannot learn without a hidden layer, and logistic regression as the oracle."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from throughtime.data.feature_batches import FeatureBatch, FeatureBatches
from throughtime.data.scale import Scale
from throughtime.errors import ArgumentError
from throughtime.heads.classes import Classes
from throughtime.heads.regress import Regression
from throughtime.models.feature_reader import FeatureReader
from throughtime.models.perceptron import PerceptronModel
from throughtime.train import make_optimiser
from throughtime.train.descend import descend

XOR = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), torch.tensor([0, 1, 1, 0])
ACTIVATIONS = ["sigmoid", "tanh", "relu", "leaky_relu"]


def learned(model, inputs, targets, *, steps, rate, rows=None):
    batches = FeatureBatches(inputs, targets, rows=rows or len(inputs))
    optimiser = make_optimiser("adamw", model, learning_rate=rate)
    for update in descend(model, optimiser, batches, learning_rate=lambda step: rate, clip=100.0):
        if update.place.step == steps:
            return model.eval()
    raise AssertionError


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)])
def test_classes_are_the_formula(activation, hidden):
    model = PerceptronModel(2, Classes(hidden[-1] if hidden else 2, 3), hidden=hidden, activation=activation).double()
    x, y = torch.randn(5, 2, dtype=torch.float64), torch.tensor([0, 2, 1, 1, 0])
    h, functions = x, {"leaky_relu": lambda a: torch.where(a > 0, a, 0.1 * a)}
    for layer in model.dense.layers:
        h = functions.get(activation, getattr(torch, activation, None))(h @ layer.weight.T + layer.bias)
    wanted = F.cross_entropy(h @ model.head.linear.weight.T + model.head.linear.bias, y, reduction="sum")
    loss, state = model.loss(FeatureBatch(x, y))
    torch.testing.assert_close(loss.total, wanted)
    assert (loss.count, state) == (5, None)
    assert all(bool(g.any()) for g in torch.autograd.grad(loss.total, list(model.parameters())))


def test_two_classes_are_one_sigmoid_unit_and_binary_cross_entropy():
    model = PerceptronModel(3, Classes(3, 2)).double()
    x, y = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1, 0])
    weight, bias = model.head.linear.weight, model.head.linear.bias
    z = x @ (weight[1] - weight[0]) + bias[1] - bias[0]
    wanted = F.binary_cross_entropy(torch.sigmoid(z), y.double(), reduction="sum")
    torch.testing.assert_close(model.loss(FeatureBatch(x, y))[0].total, wanted)


def test_exclusive_or_is_learned_with_a_hidden_layer_and_not_without():
    straight = learned(PerceptronModel(2, Classes(2, 2)), *XOR, steps=150, rate=0.1)
    shares = straight.head.log_probabilities(straight(XOR[0])).exp()
    torch.testing.assert_close(shares, torch.full((4, 2), 0.5), atol=0.01, rtol=0)
    bent = learned(PerceptronModel(2, Classes(4, 2), hidden=(4,), activation="tanh"), *XOR, steps=150, rate=0.1)
    assert float(bent.head.log_probabilities(bent(XOR[0])).exp().detach()[range(4), XOR[1]].min()) > 0.9


def test_without_hidden_layers_it_is_logistic_regression():
    linear_model = pytest.importorskip("sklearn.linear_model")
    chance = np.random.default_rng(0)
    x = chance.normal(size=(150, 3))
    y = (x @ chance.normal(size=(3, 3)) + chance.gumbel(size=(150, 3))).argmax(1)
    peer = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, y)
    model = PerceptronModel(3, Classes(3, 3)).double()
    optimiser = torch.optim.LBFGS(model.parameters(), max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe")
    batch = FeatureBatch(torch.from_numpy(x), torch.from_numpy(y))

    def closure():
        optimiser.zero_grad()
        loss = model.loss(batch)[0].total
        loss.backward()
        return loss

    optimiser.step(closure)
    found = model.head.log_probabilities(model(batch.inputs)).exp().detach().numpy()
    np.testing.assert_allclose(found, peer.predict_proba(x), atol=1e-4)


def reader_of_numbers(delta=None):
    model = PerceptronModel(2, Regression(2, 1, delta=delta))
    target = Scale(np.array([10.0]), np.array([4.0]))
    return FeatureReader(model, ("a", "b"), Scale(np.array([1.0, 2.0]), np.array([2.0, 0.5])), target=target)


@pytest.mark.parametrize(("delta", "loss"), [(None, F.mse_loss), (1.0, F.huber_loss)])
def test_numbers_are_judged_in_their_own_units_and_the_loss_in_deviations(delta, loss):
    reader = reader_of_numbers(delta)
    values, targets = np.random.default_rng(0).normal(size=(7, 2)), np.linspace(-3, 3, 7)
    scaled = torch.from_numpy((values - [1, 2]) / [2, 0.5]).float()
    outputs = reader.model.head(reader.model(scaled))[:, 0].detach()
    said = outputs.numpy() * 4 + 10
    np.testing.assert_allclose([answer.label for answer in reader.predict(values)], said, rtol=1e-5)
    score = reader.score(values, targets)
    assert score.loss == pytest.approx(float(loss(outputs.double(), torch.from_numpy(targets))), rel=1e-5)
    truth = targets * 4 + 10
    assert score.facts["mean_absolute_error"] == pytest.approx(abs(said - truth).mean(), rel=1e-5)
    assert score.facts["root_mean_squared_error"] == pytest.approx(((said - truth) ** 2).mean() ** 0.5, rel=1e-5)
    assert score.facts["r2"] == pytest.approx(1 - ((said - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())
    assert reader.score(values, np.zeros(7)).facts["r2"] is None
    assert [place for place, *_ in reader.worst(values, targets, 2)] == np.argsort(-abs(said - truth))[:2].tolist()
    assert "mean absolute error" in score.sentence()


def reader_of_classes():
    scale = Scale.learn([np.array([[0.0, 1.0], [2.0, 3.0]])])
    return FeatureReader(PerceptronModel(2, Classes(2, 3)), ("a", "b"), scale, classes=["x", "y", "z"])


def test_classes_are_told_with_their_probabilities_and_judged():
    reader = reader_of_classes()
    values, targets = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 3
    answers, logs = reader.predict(values), reader.outputs(values)
    for answer, row in zip(answers, np.exp(logs), strict=True):
        assert answer.label == "xyz"[row.argmax()]
        assert list(answer.probabilities.values()) == pytest.approx(row.tolist())
        assert sum(row) == pytest.approx(1)
    score = reader.score(values, targets)
    assert score.loss == pytest.approx(-logs[range(40), targets].mean())
    assert score.facts["accuracy"] == pytest.approx((logs.argmax(1) == targets).mean())
    assert score.to_json()["rows"] == 40
    assert set(score.tables["classes"]) == {"x", "y", "z"}
    wrong = [place for place, *_ in reader.worst(values, targets, 40)]
    assert sorted(wrong) == np.flatnonzero(logs.argmax(1) != targets).tolist()


def test_long_tables_go_through_in_parts(monkeypatch):
    reader, values = reader_of_classes(), np.random.default_rng(0).normal(size=(10, 2))
    whole = reader.outputs(values)
    monkeypatch.setattr("throughtime.models.feature_reader.ROWS", 3)
    np.testing.assert_allclose(reader.outputs(values), whole, rtol=1e-6)
    assert reader.outputs(np.zeros((0, 2))).shape == (0, 3)


def test_a_constant_column_is_left_where_it_is():
    values = np.full((3, 2), 0.1, np.float32)
    values[:, 1] = [1, 2, 3]
    scale = Scale.learn([values])
    assert scale.deviation[0] == 1
    np.testing.assert_allclose(scale.apply(values)[:, 0], 0, atol=1e-8)
    np.testing.assert_allclose(scale.undo(scale.apply(values)), values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 3)), r"3 features do not fit: give 2, a row for each vector \(a, b\)"),
        (np.zeros(2), r"an array \(2,\) features do not fit"),
        (np.array([[0.0, 1.0], [np.nan, 1.0]]), r"row 1 \(from 0\) has a value that is missing or infinite"),
        (np.array([[1e308, 1.0]]), r"1e\+308 is too far from what was learned"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(values, message):
    with pytest.raises(ArgumentError, match=message):
        reader_of_classes().predict(values)


def test_readers_that_do_not_fit_are_refused():
    with pytest.raises(ArgumentError, match="no rows to judge"):
        reader_of_classes().score(np.zeros((0, 2)), np.zeros(0, np.int64))
    with pytest.raises(ArgumentError, match="either the names of the classes or the scale"):
        FeatureReader(PerceptronModel(1, Regression(1, 1)), ("a",), Scale(np.zeros(1), np.ones(1)))
