"""What each kind of model is asked, against answers that are known or found by hand."""

import numpy as np
import pytest
import torch

from throughtime import Padded
from throughtime.cells import GRU
from throughtime.data.lexicon import Lexicon, View, WordTable
from throughtime.data.tokens import words_of
from throughtime.errors import ArgumentError
from throughtime.heads.classes import Classes, Several
from throughtime.heads.crf import CRF
from throughtime.inspect import questions
from throughtime.inspect.attribution import at_step, before, odds
from throughtime.inspect.questions import explain, of_bag, of_classifier, of_tagger
from throughtime.kernels import chain
from throughtime.layers import Direct, MeanPool, Recurrent
from throughtime.layers.words import WordVectors
from throughtime.models.bag import BagOfWords
from throughtime.models.classifier import Classifier
from throughtime.models.tagging import TaggingModel

IDS = torch.tensor([3, 1, 4, 1, 5])


def classifier(vocab=6):
    torch.manual_seed(0)
    model = Classifier(vocab, Direct(4), MeanPool(), Classes(4, 3), dropout=0.5)
    return model.double().eval()


@pytest.mark.parametrize("unknown", [0, None])
def test_a_unit_is_weighed_against_what_is_unknown_or_nothing(unknown):
    model = classifier()
    question = of_classifier(model, IDS, before(1, 0), unknown)
    found, by = explain(question, "gradients")
    rows, weight = model.embedding.weight.detach(), model.head.linear.weight.detach()
    base = rows[unknown] if unknown is not None else torch.zeros(4).double()
    np.testing.assert_allclose(found.by_step, (rows[IDS] - base) @ (weight[1] - weight[0]) / 5, atol=1e-12)
    assert by == "gradients"
    left, _ = explain(question)
    if unknown is not None:
        np.testing.assert_allclose(left.weights, found.by_step, atol=1e-12)
    else:  # the mean is then of four
        with torch.no_grad():
            logs = [model.log_probabilities(Padded.full(ids[None]))[0] for ids in (IDS, IDS[1:])]
        assert left.weights[0] == pytest.approx(float(logs[0][1] - logs[0][0] - logs[1][1] + logs[1][0]))


def test_places_that_have_embeddings_of_their_own_stay_when_a_unit_is_unknown():
    torch.manual_seed(0)
    model = Classifier(6, Direct(4), MeanPool(), Classes(4, 3), places=5).double().eval()
    question = of_classifier(model, IDS, before(1, 0), 0)
    by_path, left = (explain(question, by)[0] for by in ("gradients", "occlusion"))
    np.testing.assert_allclose(by_path.by_step, left.weights, atol=1e-12)
    assert by_path.nothing == pytest.approx(left.nothing)


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("head", [Classes, Several])
def test_of_a_bag_of_words_gradients_are_exact_in_one_step(counts, head):
    model = BagOfWords(6, lambda features: head(features, 3), counts=counts).double().eval()
    torch.nn.init.normal_(model.words.weight)
    torch.nn.init.normal_(model.bias)
    claim, column = (odds(1), model.words.weight[:, 1]) if head is Several else (before(2, 0), None)
    column = model.words.weight[:, 2] - model.words.weight[:, 0] if column is None else column
    question = of_bag(model, IDS, claim)
    found, _ = explain(question, "gradients")
    wanted = column.detach()[IDS].numpy() * (1 if counts else np.array([1, 0.5, 1, 0.5, 1]))
    np.testing.assert_allclose(found.by_step, wanted, atol=1e-12)
    assert abs(found.residual) < 1e-9
    with torch.no_grad():
        assert found.whole == pytest.approx(float(claim(model.log_probabilities(Padded.full(IDS[None])))))
        assert found.nothing == pytest.approx(
            float(claim(model.log_probabilities(Padded(IDS[None, :1] * 0, torch.tensor([0])))))
        )
    left, _ = explain(question, "occlusion")  # a word that is there twice stays when one of the two is gone
    np.testing.assert_allclose(left.weights, wanted if counts else wanted * [1, 0, 1, 0, 1], atol=1e-9)


def test_a_bag_with_hidden_layers_is_complete():
    model = BagOfWords(6, lambda features: Classes(features, 3), hidden=(5, 4), activation="tanh").double().eval()
    torch.nn.init.normal_(model.words.weight)
    found, _ = explain(of_classifier(model, IDS, before(1)), "gradients")
    with torch.no_grad():
        assert found.whole == pytest.approx(float(model.log_probabilities(Padded.full(IDS[None]))[0, 1]))
    assert abs(found.residual) < 1e-10
    assert abs(found.by_step).min() > 1e-4


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_the_words_that_mattered_for_a_tag(head, imitated, monkeypatch):
    monkeypatch.setattr(chain, "fits", lambda scores: False)  # the plain sums, which need no compiler
    torch.manual_seed(1)
    table = WordTable(Lexicon(View(plain=True, casing=True, affixes=0, letters=False), ["a", "cat", "saw"], [], ""))
    rows = table.rows(["a", "cat", "saw", "a"])
    words = WordVectors(4, 5, [(10, 2)], None)
    model = TaggingModel(words, Recurrent(GRU(7, 4)), Classes(4, 3) if head == "softmax" else CRF(4, 3), dropout=0.3)
    model = model.double().eval()
    if head == "crf":
        torch.nn.init.normal_(model.head.transitions)
    torch.nn.init.normal_(words.embedding.weight)
    vectors = words(words_of(table, rows)).detach()
    question = of_tagger(model, vectors, at_step(before(2, 0), 1))
    by_path, _ = explain(question, "gradients")
    left, _ = explain(question)
    assert abs(by_path.residual) < 1e-8
    with torch.no_grad():
        logs = model.probabilities(model.features(Padded.full(vectors[None]))).log()[0, 1]
    assert by_path.whole == pytest.approx(float(logs[2] - logs[0])) == left.whole
    for place in range(4):
        changed = vectors.clone()
        changed[place] = 0
        with torch.no_grad():
            logs = model.probabilities(model.features(Padded.full(changed[None]))).log()[0, 1]
        assert left.weights[place] == pytest.approx(left.whole - float(logs[2] - logs[0]), abs=1e-10)
    later = [
        left.weights[2:],
        by_path.by_step[2:],
    ]  # what comes after plays a part only where tags are decided together
    assert all((abs(part).max() < 1e-12) == (head == "softmax") for part in later)


def test_a_series_is_occluded_a_twentieth_at_a_time():
    model = classifier(None)
    series = torch.randn(50, 4).double()
    found, _ = explain(of_classifier(model, series, before(1, 0)))
    weight = (model.head.linear.weight[1] - model.head.linear.weight[0]).detach()
    own = (series * weight / 50).numpy()
    sums = np.stack([own[i : i + 3].sum(0) for i in range(48)])
    assert found.weights.shape == (50, 4)
    np.testing.assert_allclose(found.weights[10], (sums[8] + sums[9] + sums[10]) / 9, atol=1e-12)
    path, _ = explain(of_classifier(model, series, before(1, 0)), "gradients")
    np.testing.assert_allclose(path.weights, own, atol=1e-12)


def test_what_is_too_long_to_be_read_once_a_unit_is_explained_by_gradients(monkeypatch):
    question = of_classifier(classifier(), IDS, before(1), 0)
    monkeypatch.setattr(questions, "VARIED", 25)
    assert explain(question)[1] == "occlusion"
    monkeypatch.setattr(questions, "VARIED", 24)
    assert explain(question)[1] == "gradients"
    with pytest.raises(ArgumentError, match="by is 'magic'; choose occlusion or gradients"):
        explain(question, "magic")
