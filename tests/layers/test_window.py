import pytest
import torch

from throughtime import Padded
from throughtime.layers import Window


def by_hand(core: Window, row: torch.Tensor, resets: list[int]) -> torch.Tensor:
    """Each output from the inputs of its window, one at a time; nothing from before the latest reset."""
    outputs = []
    for t in range(len(row)):
        first = max([0, *(r for r in resets if r <= t)])
        seen = [row[s] if s >= first else torch.zeros_like(row[0]) for s in range(t - core.window + 1, t + 1)]
        y = torch.cat(seen)
        for layer in core.layers:
            y = torch.tanh(layer.weight @ y + layer.bias)
        outputs.append(y)
    return torch.stack(outputs)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("window", [1, 2, 5, 9])
def test_an_output_is_a_perceptron_of_the_last_inputs(window, layers):
    core = Window(3, 4, window=window, layers=layers).double()
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    resets = torch.zeros(2, 6, dtype=torch.bool)
    resets[1, [2, 3]] = True
    outputs, _ = core(Padded.full(x), None, resets)
    torch.testing.assert_close(outputs.data[0], by_hand(core, x[0], []))
    torch.testing.assert_close(outputs.data[1], by_hand(core, x[1], [2, 3]))
    assert len(core.layers) == layers


def test_the_state_is_the_last_inputs_oldest_first():
    x = torch.arange(1.0, 7.0).view(1, 6, 1)
    _, state = Window(1, 2, window=4)(Padded(x, torch.tensor([5])).zeroed())
    assert state.recent.flatten().tolist() == [3, 4, 5]
    _, state = Window(1, 2, window=4)(Padded(x[:, :2], torch.tensor([2])), state)
    assert state.recent.flatten().tolist() == [5, 1, 2]
    _, state = Window(1, 2, window=4)(Padded(x, torch.tensor([1])).zeroed())
    assert state.recent.flatten().tolist() == [0, 0, 1]
