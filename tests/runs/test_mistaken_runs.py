"""The surest mistakes of classifiers and taggers, made here and wrong on purpose."""

import numpy as np
import pytest
import torch

from throughtime.cells import GRU
from throughtime.data.encoders import SeriesEncoder, TextEncoder
from throughtime.data.lexicon import Lexicon, View
from throughtime.data.units import ByteUnits, WordUnits
from throughtime.errors import ArgumentError
from throughtime.heads.classes import Classes, Several
from throughtime.layers import Direct, MeanPool, Recurrent
from throughtime.layers.words import WordVectors
from throughtime.models.classifier import Classifier
from throughtime.models.tagger import Tagger
from throughtime.models.tagging import TaggingModel
from throughtime.models.text_classifier import TextClassifier, targets_of
from throughtime.runs.mistakes import Items, TaggedSentences, Wanted, of_classifier, of_tagger

WORDS = ["bad", "fine", "film", "so"]


def classifier(units=None, kind="single"):
    """A mean of embeddings that says which of the classes bad and good a text is by its words bad and fine."""
    units = units or WordUnits(WORDS)
    head = (Several if kind == "multiple" else Classes)(2, 2)
    model = Classifier(len(units), Direct(2), MeanPool(), head, dropout=0.5)
    with torch.no_grad():
        model.embedding.weight.zero_()
        if isinstance(units, WordUnits):
            model.embedding.weight[2] = torch.tensor([6.0, -6.0])  # bad
            model.embedding.weight[3] = torch.tensor([-6.0, 6.0])  # fine
        else:
            torch.nn.init.normal_(model.embedding.weight)
        head.linear.weight.copy_(torch.eye(2))
        head.linear.bias.zero_()
    return TextClassifier(model.train(), TextEncoder(units), ["bad", "good"], kind)


def items_of(trained, items, labels):
    sequences = trained.encoded(items)
    truth = targets_of(labels, trained.classes, trained.kind).numpy()
    wheres = [f"a.csv, line {number}" for number in range(2, 2 + len(items))]
    return Items(wheres, items, sequences, truth, labels), trained.log_probabilities(items)


@pytest.mark.parametrize("by", ["occlusion", "gradients"])
def test_the_words_that_made_a_classifier_wrong(by):
    trained = classifier()
    texts = ["so bad film", "bad bad", "a fine\nfilm bad bad fine fine", "so fine", "film"]
    labels = [("good",), ("good",), ("bad",), ("good",), ("bad",)]
    found = of_classifier(trained, *items_of(trained, texts, labels), Wanted(2, by))
    first, second = found
    assert (first.where, first.answer, first.truth, first.parts) == ("a.csv, line 3", "bad", "good", ("bad", "bad"))
    assert first.probability == pytest.approx(1 / (1 + np.exp(-12)))
    np.testing.assert_allclose(first.weights, [6, 6], rtol=1e-4)
    assert first.residual == pytest.approx(0, abs=1e-4)
    assert (second.where, second.parts) == ("a.csv, line 2", ("so", "bad", "film"))
    np.testing.assert_allclose(second.weights, [0, 4, 0], atol=1e-4)
    third = of_classifier(trained, *items_of(trained, texts, labels), Wanted(9, by))[2]
    assert third.parts == ("a", "fine", "\n", "film", "bad", "bad", "fine", "fine")
    np.testing.assert_allclose(third.weights, np.array([0, 1, 0, 0, -1, -1, 1, 1]) * 12 / 8, atol=1e-4)
    assert third.unknown == (0,)
    assert trained.model.training


def test_what_is_denied_is_said_so():
    trained = classifier(kind="multiple")
    given = items_of(trained, ["fine", "bad"], [("bad", "good"), ()])
    first, second = of_classifier(trained, *given, Wanted())
    assert (first.answer, first.truth) == ("no bad", "bad, good")
    np.testing.assert_allclose(first.weights, [6], rtol=1e-3)  # fine speaks against bad, so for its denial
    assert (second.answer, second.truth) == ("bad", "none")


def test_bytes_are_weighed_as_the_letters_that_they_are():
    trained = classifier(ByteUnits())
    logs = trained.log_probabilities(["né", ""])
    wrong = [("good",) if row.argmax() == 0 else ("bad",) for row in logs]
    given, logs = items_of(trained, ["né", ""], wrong)
    found = {one.where: one for one in of_classifier(trained, given, logs, Wanted(by="gradients"))}
    assert found["a.csv, line 2"].parts == ("n", "é")
    assert found["a.csv, line 2"].weights.shape == (2,)
    assert found["a.csv, line 3"].weights.shape == (1,)


def test_the_times_that_made_a_classifier_wrong():
    head = Classes(2, 2)
    model = Classifier(None, Direct(2), MeanPool(), head)
    with torch.no_grad():
        head.linear.weight.copy_(torch.eye(2))
        head.linear.bias.zero_()
    series = [np.zeros((10, 2), np.float32) for _ in range(2)]
    series[0][4, 1] = 50
    series[1][3, 0] = 9
    scales = SeriesEncoder.learn([np.array([[-1.0, -1], [1, 1]])], ("x", "y"))
    trained = TextClassifier(model, scales, ["left", "right"], "single")
    given = items_of(trained, series, [("left",), ("left",)])
    (one,) = of_classifier(trained, *given, Wanted())
    assert (one.answer, one.truth, one.channels) == ("right", "left", ("x", "y"))
    wanted = np.zeros((10, 2))
    wanted[4, 1] = 5
    np.testing.assert_allclose(one.weights, wanted, atol=1e-4)
    assert one.values is not None
    assert "[y 4 +5.00]" in one.plain()


def tagger(scheme=None, learned=None, tags=("N", "V", "X")):
    torch.manual_seed(0)
    lexicon = Lexicon(View(plain=True, casing=False, affixes=0, letters=False), ["dogs", "bark"], [], "")
    model = TaggingModel(WordVectors(3, 4, [], None), Recurrent(GRU(4, 5)), Classes(5, len(tags)), dropout=0.4)
    torch.nn.init.normal_(model.words.embedding.weight)
    torch.nn.init.normal_(model.head.linear.weight)
    return Tagger(model.train(), lexicon, list(tags), scheme=scheme, learned=learned)


@pytest.mark.parametrize("by", ["occlusion", "gradients"])
def test_the_words_that_made_a_tag_wrong(by, imitated):
    trained = tagger()
    sentences = [["dogs", "bark"], ["bark", "zebra", "dogs", "dogs"], ["bark"]]
    said = trained.tag(sentences)
    true = [list(one.tags) for one in said]
    true[1][1:3] = ["Q", "V" if said[1].tags[2] != "V" else "N"]  # Q was never learned
    true[2][0] = "N" if said[2].tags[0] != "N" else "X"
    given = TaggedSentences([f"a.conll, line {i}" for i in (1, 4, 9)], sentences, true)
    found = of_tagger(trained, given, Wanted(by=by))
    assert (found.judged, found.wrong, found.items) == (3, 2, "sentences")
    sure = {"a.conll, line 4": max(said[1].probabilities[1:3]), "a.conll, line 9": said[2].probabilities[0]}
    assert [one.where for one in found.mistakes] == sorted(sure, key=lambda where: -sure[where])
    one = next(one for one in found.mistakes if one.where.endswith("4"))
    at = 1 + int(said[1].probabilities[2] > said[1].probabilities[1])
    assert (one.at, one.answer, one.truth) == (at, said[1].tags[at], true[1][at])
    assert one.probability == pytest.approx(sure["a.conll, line 4"])
    assert one.parts == tuple(sentences[1])
    assert one.unknown == (1,)
    assert abs(one.weights[at]) > 1e-3
    assert not one.weights[at + 1 :].any()  # what comes later plays no part for a core that reads ahead
    if by == "gradients":
        assert abs(one.residual) < 1e-3
    assert trained.model.training


def test_tags_are_compared_as_they_are_written_and_weighed_as_they_were_learned(imitated):
    trained = tagger("BIO", "IOBES", ["O", "S-A", "B-A", "I-A", "E-A"])
    (said,) = trained.tag([["dogs", "bark", "dogs"]])
    true = ["O" if tag != "O" else "B-A" for tag in said.tags]
    found = of_tagger(trained, TaggedSentences(["f, line 1"], [["dogs", "bark", "dogs"]], [true]), Wanted())
    (one,) = found.mistakes
    assert (one.answer, one.truth) == (said.tags[one.at], true[one.at])
    assert np.isfinite(one.weights).all()


def test_what_does_not_fit_is_said():
    with pytest.raises(ArgumentError, match="count must be from 1 to 1,000 mistakes; got 0"):
        Wanted(0)
