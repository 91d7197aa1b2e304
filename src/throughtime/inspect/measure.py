"""Measures of what happens inside the recurrence while gradients flow back through time."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from throughtime import tree
from throughtime.cells.cell import Cell
from throughtime.data.lanes import Chunk
from throughtime.models.language import LanguageModel


def gradient_by_distance(model: LanguageModel, chunk: Chunk) -> Float[Tensor, " T"]:
    """How strongly the loss of a chunk's last step depends on the states before it, by distance.

    Formula: g_d = mean over rows of ‖∂L_T / ∂s_{T−d}‖, s being all of the core's state after a step, d = 0 .. T−1.
    Values that fall to nothing are vanishing gradients, values that grow are exploding ones.

    Source: Bengio, Simard and Frasconi (1994); Pascanu, Mikolov and Bengio (2013), section 2.
    """
    training = model.training
    model.eval()
    state, states = model.initial(len(chunk.inputs)), []
    output = torch.zeros(0)
    for t in range(chunk.inputs.shape[1]):
        output, state = model.core.step(model.embedding(chunk.inputs[:, t]), state)
        states.append([leaf for _, leaf in tree.leaves(state) if leaf.requires_grad])
    loss = model.head.loss(output[:, None], chunk.targets[:, -1:])
    flat = [leaf for leaves in states for leaf in leaves]
    gradients = iter(torch.autograd.grad(torch.as_tensor(loss.total), flat, allow_unused=True))
    norms = [_row_norm([next(gradients) for _ in leaves], len(chunk.inputs)) for leaves in states]
    model.train(training)
    return torch.stack(norms).flip(0)


def step_gain(cell: Cell[Any], x: Float[Tensor, " D"], state: Any) -> float:
    """The largest factor by which one step, at an input, stretches a small change of the hidden state.

    Formula: the largest singular value of ∂h_t / ∂h_{t−1}. `state` has one row.
    """
    z = tree.map(lambda tensor: tensor[:, 0], cell.project(x[None, None]))

    def hidden_after(hidden: Tensor) -> Tensor:
        return cell.step(z, state._replace(hidden=hidden))[1].hidden[0]  # type: ignore[no-any-return]

    jacobian = torch.func.jacrev(hidden_after)(state.hidden)[:, 0].detach()
    return float(torch.linalg.matrix_norm(jacobian, ord=2))


def recurrent_gain(weight_hh: Float[Tensor, "G H"]) -> list[float]:
    """The largest singular value of each gate's block of the recurrent weights: above 1 it can make gradients explode.

    >>> recurrent_gain(torch.cat([torch.eye(3), 2 * torch.eye(3)]))
    [1.0, 2.0]
    """
    blocks = torch.split(weight_hh.detach(), weight_hh.shape[1])
    return [float(torch.linalg.matrix_norm(block, ord=2)) for block in blocks]


def _row_norm(gradients: list[Tensor | None], rows: int) -> Tensor:
    """The mean over rows of the norm of all gradients of a row."""
    present = [gradient.reshape(rows, -1) for gradient in gradients if gradient is not None]
    return torch.linalg.vector_norm(torch.cat(present, 1), dim=1).mean() if present else torch.zeros(())
