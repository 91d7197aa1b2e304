"""Vectors of words from their letters, against the layers that they are made of and against torch."""

import pytest
import torch

from throughtime import Padded
from throughtime.errors import ArgumentError
from throughtime.layers import MaximumPool
from throughtime.layers.characters import CharacterConvolution, CharacterRecurrence

LENGTHS = (5, 1, 0, 12, 2)


def letters(lengths=LENGTHS, steps=None):
    rows = torch.randint(9, (len(lengths), steps or max(lengths)))  # padding that is not zero
    return Padded(rows, torch.tensor(lengths))


@pytest.mark.parametrize("widths", [(1,), (2, 3, 4), (5, 2), (20,)])
def test_a_convolution_is_the_core_and_the_maximum_pool_in_values_and_gradients(widths):
    layer, words = CharacterConvolution(9, 4, 3, widths=widths).double(), letters()
    outputs, _ = layer.core(words.replace(layer.embedding(words.data)))
    wanted, found = MaximumPool()(outputs), layer(words)
    assert found.shape == (5, layer.hidden) == (5, 3 * len(widths))
    torch.testing.assert_close(found, wanted)
    assert not found[2].any()
    assert found.any()
    weights = torch.randn_like(found)
    parameters = list(layer.parameters())
    ours, theirs = (torch.autograd.grad((one * weights).sum(), parameters) for one in (found, wanted))
    for mine, yours in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, yours)
        assert mine.isfinite().all()
        assert mine.any()


def test_a_recurrence_is_the_final_states_of_torchs():
    layer, words = CharacterRecurrence(9, 4, 3).double(), letters((5, 1, 12))
    both = torch.nn.LSTM(4, 3, bidirectional=True, batch_first=True).double()
    cells = {"": layer.core.ahead.cell, "_reverse": layer.core.back.cell}
    with torch.no_grad():
        for end, cell in cells.items():
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(both, f"{name}_l0{end}").copy_(getattr(cell, name))
    for row, length in enumerate(words.lengths.tolist()):
        _, (hidden, _) = both(layer.embedding(words.data[row : row + 1, :length]))
        torch.testing.assert_close(layer(words)[row], hidden.flatten())


@pytest.mark.parametrize("kind", [CharacterConvolution, CharacterRecurrence])
def test_more_padding_and_other_words_beside_change_nothing_and_every_weight_learns(kind):
    layer = kind(9, 4, 3).double()
    words = letters()
    wide = Padded(torch.nn.functional.pad(words.data, (0, 7), value=3), words.lengths)
    found = layer(words)
    torch.testing.assert_close(layer(wide), found)
    torch.testing.assert_close(layer(words.take(torch.tensor([3, 0]))), found[[3, 0]])
    assert not found[2].any()
    found.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())


@pytest.mark.parametrize("kind", [CharacterConvolution, CharacterRecurrence])
def test_dropout_is_for_training(kind):
    layer, words = kind(9, 4, 3, dropout=0.5), letters()
    assert not torch.equal(layer(words), layer(words))
    layer.eval()
    assert torch.equal(layer(words), layer(words))


def test_words_without_a_letter_among_them_are_zeros():
    assert not CharacterConvolution(9, 4, 3)(Padded.full(torch.zeros(2, 0, dtype=torch.long))).any()


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: CharacterConvolution(0, 4, 3), "characters and width must be at least 1; got 0 and 4"),
        (lambda: CharacterRecurrence(9, 0, 3), "characters and width must be at least 1; got 9 and 0"),
        (lambda: CharacterConvolution(9, 4, 3, widths=()), "widths must be different numbers from 1 on"),
        (lambda: CharacterRecurrence(9, 4, 3, dropout=1.0), r"dropout must be in \[0, 1\); got 1.0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(made, says):
    with pytest.raises(ArgumentError, match=says):
        made()
