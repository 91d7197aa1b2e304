"""History: back-pointers of a beam, from which the tokens are read once, at its end."""

import torch
from torch import Tensor


class History:
    """What every step of so many beams kept: which row it came from, and which symbol was added.

    >>> history = History(beams=1, vocab=10)
    >>> history.add(torch.tensor([[0, 0]]), torch.tensor([[3, 4]]), torch.tensor([0]))
    >>> history.add(torch.tensor([[1, 0]]), torch.tensor([[5, 6]]), torch.tensor([0]))
    >>> history.read(torch.tensor([0]), torch.tensor([2]), torch.tensor([0])).tolist()
    [[4, 5]]
    """

    def __init__(self, beams: int, vocab: int) -> None:
        self._beams, self._vocab = beams, vocab
        self._steps: list[Tensor] = []

    def add(self, parents: Tensor, tokens: Tensor, alive: Tensor) -> None:
        """A step of the beams named by `alive`; the others have left. Shapes: parents and tokens b W, alive b."""
        came = parents * self._vocab + tokens
        if len(alive) < self._beams:
            came = came.new_zeros(self._beams, came.shape[1]).index_copy_(0, alive, came)
        self._steps.append(came)

    def read(self, beams: Tensor, times: Tensor, rows: Tensor) -> Tensor:
        """The tokens (F T) of the hypotheses that stood in these rows of their beams after so many steps."""
        tokens = rows.new_zeros(len(rows), len(self._steps))
        for time in reversed(range(len(self._steps))):
            came, going = self._steps[time][beams, rows], time < times
            tokens[:, time] = came % self._vocab
            rows = torch.where(going, came // self._vocab, rows)
        return tokens
