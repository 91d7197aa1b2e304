"""Vectors of texts and of lines to translate: each as if it stood alone, in their order."""

import numpy as np
import pytest
import torch
from torch import nn

from throughtime import Padded, layers
from throughtime.cells import GRU
from throughtime.data.encoders import TextEncoder
from throughtime.data.line_units import LineUnits
from throughtime.data.pair_lengths import TargetLengths
from throughtime.data.units import WordUnits
from throughtime.heads import Softmax
from throughtime.heads.classes import Classes
from throughtime.models import pooled
from throughtime.models.classifier import Classifier
from throughtime.models.text_classifier import TextClassifier
from throughtime.models.translation import Encoder, Reader, TranslationModel
from throughtime.models.translator import Translator

LINES = ["ab", "abcabc", "c", "ab", "cba"]


def of_texts():
    model = Classifier(5, layers.Recurrent(GRU(3, 4)), layers.MaximumPool(), Classes(4, 2), dropout=0.5)
    units = WordUnits.learn("ab c cba")
    return pooled.PooledTexts(TextClassifier(model, TextEncoder(units), ["no", "yes"]), model), model


def of_sources():
    units = LineUnits.learn("character", ["abc"])
    core, inner = layers.Bidirectional(GRU(3, 2), GRU(3, 2)), layers.Recurrent(GRU(3, 4))
    encoder = Encoder(Reader(nn.Embedding(len(units), 3), dropout=0.5), core, layers.Bridge(core, inner), dropout=0.5)
    decoder = layers.Attentive(inner, layers.Attend([layers.General(4, 4)]), hidden=4)
    target = Reader(nn.Embedding(len(units), 3))
    model = TranslationModel(encoder, target, decoder, Softmax(4, len(units)), end=units.end)
    return pooled.PooledSources(Translator(model, units, units, lengths=TargetLengths(1.0, 4))), model


@pytest.mark.parametrize("make", [of_texts, of_sources])
def test_vectors_stand_in_the_order_of_lines_and_know_no_others(make, monkeypatch):
    vectors, model = make()
    together = vectors.embed(LINES)
    assert (together.shape, together.dtype) == ((5, vectors.width), np.float32)
    assert model.training
    monkeypatch.setattr(pooled, "ROWS", 2)
    np.testing.assert_allclose(vectors.embed(LINES), together, atol=1e-6)
    np.testing.assert_allclose(np.concatenate([vectors.embed([line]) for line in LINES]), together, atol=1e-6)
    assert np.allclose(together[0], together[3], atol=1e-6)
    assert not np.allclose(together[0], together[1], atol=1e-3)


def test_they_are_what_the_head_sees_and_the_mean_of_what_the_decoder_sees():
    vectors, model = of_texts()
    model.eval()
    ids = vectors.classifier.encoded(["ab c"])[0]
    states = model.core(Padded.full(model.embedding(ids[None])))[0].data
    np.testing.assert_allclose(vectors.embed(["ab c"])[0], states[0].amax(0).detach(), atol=1e-6)
    sources, other = of_sources()
    other.eval()
    read = torch.from_numpy(sources.translator.read("cab")).long()[None]
    outputs, _ = other.encoder(Padded.full(read))
    np.testing.assert_allclose(sources.embed(["cab"])[0], outputs.data[0].mean(0).detach(), atol=1e-6)
