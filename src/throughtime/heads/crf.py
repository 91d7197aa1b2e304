"""A conditional random field: one distribution over all the labels of a sequence together."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from throughtime.errors import ArgumentError
from throughtime.heads import paths
from throughtime.kernels.chain import Scores
from throughtime.padded import Padded
from throughtime.tally import Tally


class CRF(nn.Module):
    """A linear-chain conditional random field: neighbouring labels of a sequence are decided together.

    `forbidden` (K+1 K+1) says what is impossible, exactly: at [i, j] label j after label i, at [K, j] label j as the
    first, at [i, K] label i as the last one. Its last corner means nothing, and is False.

    Formula: with e_t = weight h_t + bias,
        score(y) = start(y_0) + Σ_t e_t(y_t) + Σ_t transitions(y_{t-1}, y_t) + end(y_{T-1})
        p(y | h) = exp score(y) / Σ_{y'} exp score(y');  the loss is Σ −log p(target)

    It begins without transitions, as a softmax at each position. The count of a loss is of positions, not of sequences,
    so that it stands beside the softmax's, and long sequences weigh as much as they have to tell. A row of length 0
    has one path, without labels, and adds nothing.

    Shapes: features B T H, targets B T (those past a length are not looked at), weight K H, transitions K K.
    Source: Lafferty, McCallum and Pereira (2001), "Conditional random fields".

    >>> head = CRF(4, 3)
    >>> tally = head.loss(Padded.full(torch.zeros(2, 5, 4)), torch.zeros(2, 5, dtype=torch.int64))
    >>> round(tally.mean, 4), tally.count  # log 3 for each of ten positions
    (1.0986, 10)
    """

    forbidden: Tensor | None

    def __init__(self, hidden: int, labels: int, *, forbidden: Tensor | None = None) -> None:
        super().__init__()
        if labels < 1:
            raise ArgumentError(f"labels is {labels}; a sequence needs one label at least")
        if forbidden is not None:
            _check(forbidden, labels)
        self.register_buffer("forbidden", forbidden)
        self.weight = nn.Parameter(torch.empty(labels, hidden))
        self.bias = nn.Parameter(torch.zeros(labels))
        self.transitions = nn.Parameter(torch.zeros(labels, labels))
        self.start = nn.Parameter(torch.zeros(labels))
        self.end = nn.Parameter(torch.zeros(labels))
        nn.init.normal_(self.weight, std=hidden**-0.5)

    def scores(self, features: Float[Tensor, "B T H"]) -> Scores:
        """All that the score of a path is made of, in float32 at least; −inf what is forbidden."""
        if features.shape[-1] != self.weight.shape[1]:
            raise ArgumentError(
                f"features have the width {features.shape[-1]}; this head was made for {self.weight.shape[1]}"
            )
        emissions = F.linear(features, self.weight, self.bias)
        wide = torch.promote_types(emissions.dtype, torch.float32)
        parts = [part.to(wide) for part in (emissions, self.transitions, self.start, self.end)]
        if self.forbidden is not None:
            barred = self.forbidden[:-1, :-1], self.forbidden[-1, :-1], self.forbidden[:-1, -1]
            parts[1:] = [part.masked_fill(bar, -torch.inf) for part, bar in zip(parts[1:], barred, strict=True)]
        return Scores(*parts)

    def loss(
        self, features: Padded, targets: Shaped[Tensor, "B T"], costs: Float[Tensor, "B T K"] | None = None
    ) -> Tally:
        """The sum of −log p(target) over the rows, and the count of their positions.

        `costs` are added to the scores of labels while learning: what would be a costly mistake is learned to be less
        likely (the softmax-margin of Gimpel and Smith, 2010).

        Raises `ArgumentError` for a target that is none of the labels, or that goes a way that is forbidden.
        """
        _check_targets(targets, features)
        scores = self.scores(features.data)
        if costs is not None:
            scores = scores._replace(emissions=scores.emissions + costs)
        total = paths.nats(scores, features.lengths, targets.long())
        return Tally(total, int(features.lengths.sum()))

    def log_probability(self, features: Padded, targets: Shaped[Tensor, "B T"]) -> Float[Tensor, " B"]:
        """log p(target) of each row. Raises as `loss` does."""
        _check_targets(targets, features)
        return paths.log_probability(self.scores(features.data), features.lengths, targets.long())

    @torch.no_grad()
    def predict(self, features: Padded) -> Padded:
        """The most probable labels (B T) of each row; of equal ones: see `heads.paths.best_paths`.

        Raises `ArgumentError` for a row without a possible path.
        """
        return features.replace(paths.best_paths(self.scores(features.data), features.lengths)[0])

    def marginals(self, features: Padded) -> Padded:
        """p(y_t = k) at each position (B T K). Raises `ArgumentError` for a row without a possible path."""
        return features.replace(paths.marginals(self.scores(features.data), features.lengths))


def _check_targets(targets: Tensor, features: Padded) -> None:
    if targets.shape != features.data.shape[:2]:
        raise ArgumentError(
            f"targets {tuple(targets.shape)} do not fit features {tuple(features.data.shape)}: one for each position"
        )
    if targets.is_floating_point() or targets.dtype == torch.bool:
        raise ArgumentError(f"targets are {targets.dtype}; they have to be integers, the numbers of labels")


def _check(forbidden: Tensor, labels: int) -> None:
    if forbidden.dtype != torch.bool or forbidden.shape != (labels + 1, labels + 1):
        raise ArgumentError(
            f"forbidden is {forbidden.dtype} {tuple(forbidden.shape)}; it has to be bool "
            f"({labels + 1}, {labels + 1}): {labels} labels, then the start as a row and the end as a column"
        )
    if forbidden[-1, -1]:
        raise ArgumentError(
            "forbidden is True at [-1, -1], from the start to the end, which means nothing; leave it False"
        )
    for place, ways in (("first", forbidden[-1, :-1]), ("last", forbidden[:-1, -1])):
        if ways.all():
            raise ArgumentError(f"forbidden allows no label as the {place} one; allow one at least")
