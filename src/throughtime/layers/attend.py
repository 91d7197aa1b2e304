"""Attend: what a source says to each query."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from throughtime.errors import ArgumentError
from throughtime.layers.scores import Cosine, ScaledDot, Score
from throughtime.layers.where import Global, Weights, Where
from throughtime.padded import Padded


class Memory(NamedTuple):
    """A source that is looked at: each tensor has a row for each source."""

    keys: Tensor  # B S A   those of all heads side by side
    values: Tensor  # B S W
    mask: Tensor  # B S     true at real places


class Attend(nn.Module):
    """For each query the mean of a source's values, with weights that a score gives: one score for each head.

    Formula: e_nts = score_n(q_t, v_s); α_nt = where(e_nt); c_nt = Σ_s α_nts v_s; c_t = Σ_n c_nt, or [c_1t; ...; c_Nt].

    `join` says what becomes of the contexts of several heads: "sum", or "concatenate" side by side. With `coverage`
    what was looked at before is in the keys, as k_s + w C_s, where C_s is the sum of the weights so far: in an additive
    score that is the formula of Tu et al., and in a plain product it adds q_t · w C_s. `ScaledDot` and `Cosine` have
    brought their keys to a length, which is lost if anything is added: they are refused.

    Shapes: queries B' T Q, where K rows of queries that stand together look at one row of the memory, B' = K B; the
    memory is not copied. Contexts B' T W, or B' T N·W side by side; weights B' T N S, zero on padding. A source of no
    steps gives zeros.

    Raises `ArgumentError` when scores do not fit each other or coverage, or rows of queries do not fit the memory.

    Source: Bahdanau et al. (2015), section 3.1; Tu et al. (2016), "Modeling Coverage for Neural Machine Translation",
    section 3, linguistic coverage with a fertility of one.

    >>> from throughtime.layers.scores import Dot
    >>> attend = Attend(Dot(2, 2))
    >>> memory = attend.memory(Padded(torch.ones(1, 3, 2), torch.tensor([2])))
    >>> contexts, weights = attend(torch.zeros(1, 1, 2), memory, torch.tensor([0]))
    >>> contexts.tolist(), weights.tolist()
    ([[[1.0, 1.0]]], [[[[0.5, 0.5, 0.0]]]])
    """

    def __init__(
        self,
        scores: Score | Sequence[Score],
        where: Where | None = None,
        *,
        join: Literal["sum", "concatenate"] = "concatenate",
        coverage: bool = False,
    ) -> None:
        super().__init__()
        heads = list(scores) if isinstance(scores, Sequence) else [scores]
        _check(heads, join, coverage)
        self.scores = nn.ModuleList(cast(list[nn.Module], heads))
        self.where = cast(nn.Module, Global() if where is None else where)
        self.join, self.heads, self.query, self.values = join, len(heads), heads[0].query, heads[0].width
        self.width = self.values * (self.heads if join == "concatenate" else 1)
        self.covering: nn.Parameter | None = None
        if coverage:
            self.covering = nn.Parameter(torch.zeros(sum(score.keys for score in heads)))

    def memory(self, outputs: Padded) -> Memory:
        """The source's outputs (B S W), projected once for all queries."""
        if outputs.data.dim() != 3 or outputs.data.shape[2] != self.values:
            raise ArgumentError(f"outputs {tuple(outputs.data.shape)} do not fit: B S W with W = {self.values}")
        values = outputs.zeroed().data
        keys = [score.project(values) for score in self._each()]
        return Memory(keys[0] if len(keys) == 1 else torch.cat(keys, -1), values, outputs.mask)

    def forward(
        self,
        queries: Float[Tensor, "rows T Q"],
        memory: Memory,
        at: Int[Tensor, " rows"],
        covered: Float[Tensor, "rows S"] | None = None,
    ) -> tuple[Float[Tensor, "rows T W"], Float[Tensor, "rows T N S"]]:
        """Contexts and weights; `at` is the place of each row's first query in its sequence.

        `covered` is the sum of the weights of the queries before, which only `coverage` asks for.
        """
        contexts, weights = self.look(queries, memory, at, covered)
        return contexts, weights.used

    def look(
        self, queries: Tensor, memory: Memory, at: Tensor, covered: Tensor | None = None
    ) -> tuple[Tensor, Weights]:
        """`forward`, with the chances by which weights came to be what they are."""
        rows, steps = queries.shape[:2]
        sources, places = memory.mask.shape
        if rows % max(1, sources) or bool(rows) != bool(sources):
            raise ArgumentError(f"{rows} rows of queries cannot look at {sources} rows of memory: as many for each")
        folded = (sources, rows // max(1, sources) * steps)
        scores = self._scores(queries, memory, covered).view(*folded, self.heads, places)
        order = at[:, None] + torch.arange(steps, device=at.device)
        weights = self.where(scores, memory.mask, queries.reshape(*folded, self.query), order.view(folded))
        used = weights.used.sum(2) if self.join == "sum" else weights.used.flatten(1, 2)
        contexts = (used @ memory.values).view(rows, steps, self.width)
        return contexts, Weights(*(each.view(rows, steps, self.heads, places) for each in weights))

    def _scores(self, queries: Tensor, memory: Memory, covered: Tensor | None) -> Tensor:
        """e of every query, head and place, K rows of queries being as many queries of one row."""
        rows, sources, keys = len(queries), len(memory.mask), memory.keys
        if self.covering is not None and covered is not None:
            keys = keys.repeat_interleave(rows // max(1, sources), 0)  # each row has seen other places
            keys = keys + covered[..., None] * self.covering
        queries = queries.reshape(len(keys), rows // max(1, len(keys)) * queries.shape[1], queries.shape[2])
        scores = self._each()
        if self.heads == 1:
            return scores[0](queries, keys)[:, :, None]
        parts = torch.split(keys, [score.keys for score in scores], -1)
        return torch.stack([score(queries, part) for score, part in zip(scores, parts, strict=True)], 2)

    def _each(self) -> list[Score]:
        return cast(list[Score], list(self.scores))


def whole_past(covered: Float[Tensor, "rows S"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "rows S"]:
    """What was looked at, with one for each place that is none; K rows that stand together are of one source.

    >>> whole_past(torch.zeros(2, 2), torch.tensor([[True, False]])).tolist()
    [[0.0, 1.0], [0.0, 1.0]]
    """
    if not mask.numel():
        return covered
    return covered.view(len(mask), -1, mask.shape[1]).masked_fill(~mask[:, None], 1.0).view_as(covered)


def _check(heads: list[Score], join: str, coverage: bool) -> None:
    """Refuses heads that do not fit each other or coverage, or that would all say the same."""
    if not heads:
        raise ArgumentError("scores is empty: attention has at least one head")
    if join not in ("sum", "concatenate"):
        raise ArgumentError(f"join is 'sum' or 'concatenate'; got {join!r}")
    sizes = sorted({(score.query, score.width) for score in heads})
    if len(sizes) > 1:
        raise ArgumentError(f"all heads take the same queries and values; got (query, width) of {sizes}")
    if len(heads) > 1 and not all(list(cast(nn.Module, score).parameters()) for score in heads):
        raise ArgumentError(f"{len(heads)} heads without weights of their own are one: let scores project their keys")
    scaled = next((score for score in heads if isinstance(score, ScaledDot | Cosine)), None)
    if coverage and scaled is not None:
        raise ArgumentError(f"coverage is for Additive, General and Dot; got {type(scaled).__name__}")
