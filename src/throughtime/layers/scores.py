"""Scores: how well a query fits each place of a source. One small module each, with the same call.

project : values B S W -> keys B S A            all that needs no query, once for a source
score   : queries B T Q, keys B S A -> B T S    the rest, for every pair
"""

import math
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from throughtime.errors import ArgumentError

BLOCK = {"cpu": 1 << 18, "cuda": 1 << 25}  # numbers of an additive score's B T S A that are in memory at a time


@runtime_checkable
class Score(Protocol):
    """What `Attend` asks of a score."""

    query: int  # Q, the width of a query
    width: int  # W, the width of what is looked at
    keys: int  # A, the width of what that is projected to

    def project(self, values: Tensor) -> Tensor:
        """Keys (B S A) of values (B S W)."""
        ...

    def __call__(self, queries: Tensor, keys: Tensor) -> Tensor:
        """A number for each pair of a query (B T Q) and a key (B S A): B T S."""
        ...


class Dot(nn.Module):
    """How far a query and a value point the same way.

    Formula: e_ts = q_t · v_s; Q = W = A.
    Source: Luong et al. (2015), "Effective Approaches to Attention-based Neural Machine Translation", section 3.1.

    Raises `ArgumentError` when queries and values have not the same width.

    >>> score = Dot(2, 2)
    >>> score(torch.ones(1, 1, 2), score.project(torch.tensor([[[1.0, 2.0], [0.0, -1.0]]]))).tolist()
    [[[3.0, -1.0]]]
    """

    def __init__(self, query: int, width: int) -> None:
        super().__init__()
        _check(query=query, width=width)
        if query != width:
            raise ArgumentError(
                f"a dot product needs queries and values of one width; got {query} and {width}: "
                "General and ScaledDot project them"
            )
        self.query, self.width, self.keys = query, width, width

    def project(self, values: Float[Tensor, "B S W"]) -> Float[Tensor, "B S A"]:
        """The values themselves."""
        return values

    def forward(self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S A"]) -> Float[Tensor, "B T S"]:
        """One product."""
        return queries @ keys.transpose(1, 2)


class General(nn.Module):
    """How far a query and a projected value point the same way.

    Formula: e_ts = q_t · W v_s; A = Q.
    Source: Luong et al. (2015), section 3.1.
    """

    def __init__(self, query: int, width: int) -> None:
        super().__init__()
        _check(query=query, width=width)
        self.query, self.width, self.keys = query, width, query
        self.key = _projection(width, query)

    def project(self, values: Float[Tensor, "B S W"]) -> Float[Tensor, "B S A"]:
        """W v."""
        keys: Tensor = self.key(values)
        return keys

    def forward(self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S A"]) -> Float[Tensor, "B T S"]:
        """One product."""
        return queries @ keys.transpose(1, 2)


class ScaledDot(nn.Module):
    """How far both, projected, point the same way, by a scale that keeps the numbers as they were.

    Formula: e_ts = (W_q q_t) · (W_k v_s) / √A; A is `hidden`, or Q.
    Source: Vaswani et al. (2017), "Attention Is All You Need", equation 1.
    """

    def __init__(self, query: int, width: int, hidden: int | None = None) -> None:
        super().__init__()
        self.query, self.width, self.keys = query, width, query if hidden is None else hidden
        _check(query=query, width=width, hidden=self.keys)
        self.ask, self.key = _projection(query, self.keys), _projection(width, self.keys)

    def project(self, values: Float[Tensor, "B S W"]) -> Float[Tensor, "B S A"]:
        """W_k v / √A: there are fewer keys than pairs."""
        keys: Tensor = self.key(values) / math.sqrt(self.keys)
        return keys

    def forward(self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S A"]) -> Float[Tensor, "B T S"]:
        """Two products."""
        asked: Tensor = self.ask(queries)
        return asked @ keys.transpose(1, 2)


class Cosine(nn.Module):
    """The cosine of the angle between both, projected, times a sharpness that is learnt.

    Formula: e_ts = exp(b) cos(W_q q_t, W_k v_s); A is `hidden`, or Q.
    Source: Graves et al. (2014), "Neural Turing Machines", equations 5 and 6, where the sharpness is an output of
    the network; here it is a number, which starts at 5, for cosines alone could make no weight far larger than others.
    """

    def __init__(self, query: int, width: int, hidden: int | None = None) -> None:
        super().__init__()
        self.query, self.width, self.keys = query, width, query if hidden is None else hidden
        _check(query=query, width=width, hidden=self.keys)
        self.ask, self.key = _projection(query, self.keys), _projection(width, self.keys)
        self.sharpness = nn.Parameter(torch.tensor(math.log(5.0)))

    def project(self, values: Float[Tensor, "B S W"]) -> Float[Tensor, "B S A"]:
        """W_k v at length one."""
        return F.normalize(self.key(values), dim=-1)

    def forward(self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S A"]) -> Float[Tensor, "B T S"]:
        """Two products."""
        asked = F.normalize(self.ask(queries), dim=-1) * self.sharpness.exp()
        return asked @ keys.transpose(1, 2)


class Additive(nn.Module):
    """What a perceptron of one hidden layer says of both.

    Formula: e_ts = u · tanh(W_q q_t + W_k v_s + b); A is `hidden`, or Q.
    Source: Bahdanau et al. (2015), "Neural Machine Translation by Jointly Learning to Align and Translate", A.1.2.

    The B T S A numbers between are never in memory at once: they come in blocks, and again for the gradient.
    """

    def __init__(self, query: int, width: int, hidden: int | None = None) -> None:
        super().__init__()
        self.query, self.width, self.keys = query, width, query if hidden is None else hidden
        _check(query=query, width=width, hidden=self.keys)
        self.ask, self.key = _projection(query, self.keys), _projection(width, self.keys, bias=True)
        self.judge = nn.Parameter(torch.empty(self.keys))
        nn.init.normal_(self.judge, std=self.keys**-0.5)

    def project(self, values: Float[Tensor, "B S W"]) -> Float[Tensor, "B S A"]:
        """W_k v + b."""
        keys: Tensor = self.key(values)
        return keys

    def forward(self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S A"]) -> Float[Tensor, "B T S"]:
        """The sum of every pair through tanh, weighed."""
        asked: Tensor = self.ask(queries)
        with torch.autocast(asked.device.type, enabled=False):  # as σ in few bits is no tanh
            asked, keys = asked.to(self.judge), keys.to(self.judge)
            if torch.compiler.is_compiling() or (asked.shape[1] == 1 and not asked.requires_grad):
                return 2 * (_bent(2 * asked, 2 * keys) @ self.judge) - self.judge.sum()
            scores: Tensor = cast(Any, _Pairs).apply(asked, keys, self.judge)
        return scores


class _Pairs(torch.autograd.Function):
    """u · tanh(q_t + k_s) in blocks of rows and queries; the gradient works the middle out again.

    As tanh(x) = 2 σ(2x) − 1, of which torch computes σ several times faster.
    """

    @staticmethod
    def forward(ctx: Any, asked: Tensor, keys: Tensor, judge: Tensor) -> Tensor:
        ctx.save_for_backward(asked, keys, judge)
        scores = asked.new_empty(*asked.shape[:2], keys.shape[1])
        asked, keys = 2 * asked, 2 * keys
        for rows, steps in _blocks(asked, keys):
            scores[rows, steps] = _bent(asked[rows, steps], keys[rows]) @ judge
        return scores.mul_(2).sub_(judge.sum())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        asked, keys, judge = ctx.saved_tensors
        asked, keys = 2 * asked, 2 * keys
        into_asked, into_keys, into_judge = torch.empty_like(asked), torch.zeros_like(keys), torch.zeros_like(judge)
        for rows, steps in _blocks(asked, keys):
            bent, above = _bent(asked[rows, steps], keys[rows]), gradient[rows, steps]
            into_judge += above.reshape(-1) @ bent.flatten(0, 2)
            slope = torch.ops.aten.sigmoid_backward(above[..., None], bent)
            into_asked[rows, steps] = slope.sum(2)
            into_keys[rows] += slope.sum(1)
        return 4 * judge * into_asked, 4 * judge * into_keys, 2 * into_judge - gradient.sum()


def _bent(asked: Tensor, keys: Tensor) -> Tensor:
    """σ of the sum of every pair: B T S A."""
    return (asked[:, :, None] + keys[:, None]).sigmoid_()


def _blocks(asked: Tensor, keys: Tensor) -> list[tuple[slice, slice]]:
    """Rows and queries so few that all of their pairs make about `BLOCK` numbers."""
    batch, steps, width = asked.shape
    room = BLOCK.get(asked.device.type, BLOCK["cuda"])
    many = max(1, room // max(1, keys.shape[1] * width))  # queries at a time
    rows, steps_each = max(1, many // max(1, steps)), min(many, max(1, steps))
    return [
        (slice(row, row + rows), slice(step, step + steps_each))
        for row in range(0, batch, rows)
        for step in range(0, steps, steps_each)
    ]


def _projection(width: int, hidden: int, *, bias: bool = False) -> nn.Linear:
    layer = nn.Linear(width, hidden, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def _check(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ArgumentError(f"{name} must be at least 1; got {size}")
