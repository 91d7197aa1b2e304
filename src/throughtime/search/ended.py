"""Ended: the best hypotheses of every beam that are finished."""

import torch
from torch import Tensor

from throughtime.search.history import History
from throughtime.search.ranking import Hypothesis


class Ended:
    """The `keep` best finished hypotheses of each beam, as numbers: score, log-probability, and where it ended."""

    def __init__(self, beams: int, keep: int, width: int, device: torch.device) -> None:
        self._best = torch.full((3, beams, keep), -torch.inf, dtype=torch.float64, device=device)
        self._width = width
        self.some = False  # whether any has ended

    def add(self, beams: Tensor, time: int, scores: Tensor, log_probabilities: Tensor, finished: Tensor) -> None:
        """What ended in some beams after `time` symbols; a score of -inf is of one that did not.

        Shapes: beams n; the others n w, a column for each row of a beam.
        """
        self.some = True
        places = 2 * (time * self._width + torch.arange(scores.shape[1], device=scores.device)) + finished
        new = torch.stack((scores, log_probabilities.double(), places.double()))
        both = torch.cat((self._best[:, beams], new), 2)
        order = both[0].topk(self._best.shape[2]).indices
        self._best[:, beams] = both.gather(2, order.expand(3, -1, -1))

    def least(self, beams: Tensor) -> Tensor:
        """The score of the last that is kept of each; -inf where there are fewer."""
        return self._best[0, beams, -1]

    def hypotheses(self, history: History, groups: int, keep: int) -> list[list[Hypothesis]]:
        """The best `keep` of each source, no two alike; a source has so many beams."""
        beams, columns = (self._best[0] > -torch.inf).nonzero(as_tuple=True)
        scores, log_probabilities, places = self._best[:, beams, columns].unbind()
        places = places.long()
        times, rows = places // 2 // self._width, places // 2 % self._width
        found: list[list[Hypothesis]] = [[] for _ in range(self._best.shape[1] // groups)]
        read = zip(
            (beams // groups).tolist(),
            history.read(beams, times, rows).tolist(),
            times.tolist(),
            log_probabilities.tolist(),
            scores.tolist(),
            (places % 2 == 1).tolist(),
            strict=True,
        )
        for source, tokens, time, log_probability, score, finished in read:
            found[source].append(Hypothesis(tuple(tokens[:time]), log_probability, score, finished))
        return [_distinct(several)[:keep] for several in found]


def _distinct(several: list[Hypothesis]) -> list[Hypothesis]:
    """Best first; of those with the same tokens one."""
    ordered = sorted(several, key=lambda hypothesis: -hypothesis.score)
    return list({hypothesis.tokens: hypothesis for hypothesis in reversed(ordered)}.values())[::-1]
