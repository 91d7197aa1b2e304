"""Programs under torch.compile with sweeps in their graph; run by test_operator.py."""

import torch
from torch import nn

from throughtime.cells import LayerNormLSTM, PeepholeLSTM
from throughtime.layers import Recurrent
from throughtime.padded import Padded


class Model(nn.Module):
    """Something before a sweep and something after it."""

    def __init__(self, cell):
        super().__init__()
        self.core, self.head = Recurrent(cell), nn.Linear(cell.hidden, 2)

    def forward(self, x):
        outputs, state = self.core(Padded.full(x * 2))
        return self.head(torch.relu(outputs.data)), state.cell


def same(cell):
    torch._dynamo.reset()
    model, x = Model(cell(16, 32)), torch.randn(4, 20, 16, requires_grad=True)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    results = []
    for function in (model, compiled):
        y, memory = function(x)
        gradients = torch.autograd.grad(y.sum() + memory.sum(), [x, *model.parameters()])
        results.append((y, memory, *gradients))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    print(cell.__name__)


def same_without_gradients():
    torch._dynamo.reset()
    model, x = Model(PeepholeLSTM(16, 32)).eval(), torch.randn(4, 20, 16)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), model(x))
    print("inference")


if __name__ == "__main__":
    same(PeepholeLSTM)
    same(LayerNormLSTM)
    same_without_gradients()
