"""What is said of texts, and how well, against numpy and torch by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from throughtime import Padded
from throughtime.data.encoders import TextEncoder
from throughtime.data.units import ByteUnits, CharacterUnits
from throughtime.errors import ArgumentError
from throughtime.heads.classes import Classes, Ordinal, Several
from throughtime.layers import Direct, MeanPool
from throughtime.models import text_classifier
from throughtime.models.classifier import Classifier
from throughtime.models.text_classifier import TextClassifier

NAMES = ["bad", "good", "odd"]
HEADS = {"single": Classes, "ordinal": Ordinal, "multiple": Several}
TEXTS = [("abcab" * 30)[i % 3 : i % 3 + 1 + i * 7 % 90] for i in range(80)]


def make(kind="single", units=None):
    units = units or CharacterUnits("abc")
    torch.manual_seed(0)
    model = Classifier(len(units), Direct(4), MeanPool(), HEADS[kind](4, 3), dropout=0.5, word_dropout=0.2)
    with torch.no_grad():  # far from even, so that there are classes to be sure of
        model.embedding.weight.mul_(30)
        if kind == "ordinal":
            model.embedding.weight[:] = torch.tensor([0.0, -10.0, 0.0, 10.0])[:, None]
            model.head.linear.weight.fill_(0.25)
    return TextClassifier(model, TextEncoder(units), NAMES, kind)


@pytest.mark.parametrize("kind", list(HEADS))
def test_texts_of_any_length_keep_their_order_and_are_said_what_each_is_said_alone(kind, monkeypatch):
    classifier, sizes = make(kind), []
    wanted = np.stack([classifier.log_probabilities([text])[0] for text in TEXTS])
    said = classifier.model.log_probabilities

    def watched(inputs: Padded):
        sizes.append(inputs.data.numel())
        return said(inputs)

    monkeypatch.setattr(classifier.model, "log_probabilities", watched)
    for steps, batches in ((2**16, 2), (200, None)):
        monkeypatch.setattr(text_classifier, "STEPS", steps)
        sizes.clear()
        np.testing.assert_allclose(classifier.log_probabilities(TEXTS), wanted, atol=1e-5)
        assert batches in (None, len(sizes))
        assert max(sizes) <= steps + 90  # even groups: a row over, at most
    for text, row, one in zip(TEXTS, np.exp(wanted), classifier.predict(TEXTS), strict=True):
        np.testing.assert_allclose(list(one.probabilities.values()), row, atol=1e-5)
        likely = [name for name, share in zip(NAMES, row, strict=True) if share > 0.5]
        assert one.labels == (tuple(likely) if kind == "multiple" else (NAMES[row.argmax()],)), text
    assert len({one.labels for one in classifier.predict(TEXTS)}) > 1


def test_reading_is_without_dropout_and_leaves_training_as_it_was():
    classifier = make()
    assert classifier.model.training
    assert np.array_equal(classifier.log_probabilities(TEXTS[:9]), classifier.log_probabilities(TEXTS[:9]))
    assert classifier.model.training
    assert not classifier.predict([])


def test_a_text_without_units_has_one_that_is_unknown_or_stands_before_texts():
    assert [ids.tolist() for ids in make().encoded(["ab", "", "x"])] == [[1, 2], [0], [0]]
    assert [ids.tolist() for ids in make(units=ByteUnits()).encoded(["a", ""])] == [[97], [10]]
    assert len(make().predict(["", "x"])) == 2


def test_labels_become_numbers_or_marks():
    assert make().targets([("good",), ("bad",)]).tolist() == [1, 0]
    assert make("multiple").targets([("odd", "bad"), (), ("good",)]).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    with pytest.raises(ArgumentError, match=r"label 'u\\x1bgly' is none of the 3 classes that were learned: leave out"):
        make().targets([("good",), ("u\x1bgly",)])


def test_a_score_is_what_is_counted_by_hand():
    classifier, labels = make(), [(NAMES[i % 3],) for i in range(len(TEXTS))]
    logs, truth = torch.from_numpy(classifier.log_probabilities(TEXTS)), torch.arange(len(TEXTS)) % 3
    score = classifier.score(TEXTS, labels)
    assert score.items == 80
    assert score.nats == score.loss == pytest.approx(float(F.nll_loss(logs, truth)))
    chosen = replace(score, best="accuracy")
    assert chosen.loss == pytest.approx(1 - score.facts["accuracy"] + 1e-6 * score.nats)
    assert replace(chosen, nats=9.0, facts={"accuracy": 0.6}).loss < replace(chosen, facts={"accuracy": 0.59}).loss
    assert replace(chosen, facts={"subset_accuracy": 0.5}).loss == score.nats
    assert score.facts["accuracy"] == pytest.approx(float((logs.argmax(1) == truth).float().mean()))
    assert score.tables["classes"]["odd"]["support"] == 26
    assert score.sentence().startswith(f"accuracy {100 * score.facts['accuracy']:.2f} %, macro f1 ")
    assert set(score.to_json()) == {
        "nats_per_unit",
        "texts",
        "items",
        "accuracy",
        "macro_f1",
        "micro_f1",
        "weighted_f1",
    }


def test_stars_are_judged_by_their_distance_too():
    classifier, truth = make("ordinal"), np.arange(len(TEXTS)) % 3
    guess = classifier.log_probabilities(TEXTS).argmax(1)
    facts = classifier.score(TEXTS, [(NAMES[i],) for i in truth]).facts
    assert facts["mean_absolute_error"] == pytest.approx(np.abs(guess - truth).mean())
    assert -1 <= facts["quadratic_kappa"] <= 1


def test_several_labels_are_judged_each_for_itself():
    classifier = make("multiple")
    labels = [tuple(NAMES[: i % 4]) for i in range(len(TEXTS))]
    truth, shares = classifier.targets(labels), torch.from_numpy(np.exp(classifier.log_probabilities(TEXTS)))
    score = classifier.score(TEXTS, labels)
    nats = F.binary_cross_entropy(shares, truth.double(), reduction="sum") / len(TEXTS)
    assert score.nats == pytest.approx(float(nats))
    exact = ((shares > 0.5) == (truth == 1)).all(1).double().mean()
    assert score.facts["subset_accuracy"] == pytest.approx(float(exact))
    assert list(score.tables) == ["labels"]


def test_a_score_of_what_is_sure_and_wrong_is_a_number():
    classifier = make("multiple")
    with torch.no_grad():
        classifier.model.head.linear.bias.fill_(1e5)
    assert math.isfinite(classifier.score(["a"], [()]).nats)


def test_no_texts_cannot_be_scored():
    with pytest.raises(ArgumentError, match="there are no texts to judge a classifier by; give one at least"):
        make().score([], [])
