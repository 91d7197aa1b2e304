"""Encoders: texts to ids, series to numbers of mean 0 and deviation 1."""

import json

import numpy as np
import pytest
import torch

from throughtime.data.encoders import Encoder, SeriesEncoder, TextEncoder, series_encoder_from_json
from throughtime.data.units import ByteUnits, CharacterUnits
from throughtime.errors import ArgumentError, RunError

CHANNELS = ("x", "constant", "large")


def series(seed=0, sizes=(5, 1, 9)):
    chance = np.random.default_rng(seed)
    found = [chance.normal([1, 0, 1e6], [3, 0, 0.5], (size, 3)) for size in sizes]
    return [np.where(np.arange(3) == 1, 0.1, item).astype(np.float32) for item in found]


def test_channels_get_mean_0_and_deviation_1_and_one_that_never_changes_gets_0():
    items = series()
    encoder = SeriesEncoder.learn(items, CHANNELS)
    assert isinstance(encoder, Encoder)
    steps = torch.cat(encoder.encode(items)).double()
    assert steps.shape == (15, 3)
    torch.testing.assert_close(steps.mean(0), torch.zeros(3).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(steps[:, [0, 2]].std(0, correction=0), torch.ones(2).double(), atol=1e-5, rtol=0)
    assert steps[:, 1].abs().max() < 1e-6
    moved = [item + np.float32(0.25) for item in items]  # by which the constant channel shows, unscaled
    torch.testing.assert_close(torch.cat(encoder.encode(moved))[:, 1], torch.full((15,), 0.25), atol=1e-6, rtol=0)


def test_scales_come_back_from_json_with_every_bit():
    encoder, items = SeriesEncoder.learn(series(), CHANNELS), series(1)
    again = series_encoder_from_json(json.loads(json.dumps(encoder.to_json())))
    assert (again.channels, again.steps, again.width) == (CHANNELS, (1, 9), 3)
    for one, other in zip(encoder.encode(items), again.encode(items), strict=True):
        assert torch.equal(one, other)
    assert encoder.sentence() == "numbers of 3 channels (x, constant, large), each of mean 0 and deviation 1"
    assert (encoder.vocab, encoder.unknown(encoder.encode(items))) == (None, 0)


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"channels": [], "mean": [], "deviation": [], "steps": [1, 1]},
        {"channels": ["x"], "mean": [0.0], "deviation": [0.0], "steps": [1, 1]},
        {"channels": ["x"], "mean": [0.0, 1.0], "deviation": [1.0], "steps": [1, 1]},
        {"channels": ["x"], "mean": [float("nan")], "deviation": [1.0], "steps": [1, 1]},
        {"channels": ["x"], "mean": [0.0], "deviation": [1.0], "steps": [1]},
        {"channels": ["x"], "mean": [0.0], "deviation": [1.0], "steps": [1, 1], "other": 1},
    ],
)
def test_what_are_no_scales_is_refused(content):
    with pytest.raises(RunError, match="the scales do not read as such") as raised:
        series_encoder_from_json(content)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (np.zeros((4, 2)), "series 2 has 2 channels; give 3 a time: x, constant, large"),
        (np.zeros(4), r"series 2 has \? channels; give 3 a time"),
        (np.zeros((0, 3)), "series 2 has no times; give one at least, or leave it out"),
        (np.array([[0, 0, 0], [0, np.nan, 0]]), "series 2, time 2, channel 'constant': the value is nan; fill it in"),
        (np.array([[0, 0, -np.inf]]), "series 2, time 1, channel 'large': the value is -inf; fill it in, or leave"),
    ],
)
def test_a_series_that_does_not_fit_is_named(item, says):
    with pytest.raises(ArgumentError, match=says):
        SeriesEncoder.learn(series(), CHANNELS).encode([np.zeros((1, 3)), item])
    with pytest.raises(ArgumentError, match=says):
        SeriesEncoder.learn([np.zeros((1, 3)), item], CHANNELS)


def test_scales_of_nothing_are_refused():
    with pytest.raises(ArgumentError, match="there are no series to learn a scale from; give one at least"):
        SeriesEncoder.learn([], CHANNELS)


def test_a_text_without_units_has_one_that_is_unknown_or_stands_before_texts():
    encoder = TextEncoder(CharacterUnits("abc"))
    assert isinstance(encoder, Encoder)
    assert [ids.tolist() for ids in encoder.encode(["ab", "", "x"])] == [[1, 2], [0], [0]]
    assert encoder.unknown(encoder.encode(["abx", "xx", ""])) == 4
    assert [ids.tolist() for ids in TextEncoder(ByteUnits()).encode(["a", ""])] == [[97], [10]]
    assert TextEncoder(ByteUnits()).unknown([torch.tensor([0, 1])]) == 0
    assert (encoder.vocab, encoder.sentence()) == (4, "character, a vocabulary of 4")
