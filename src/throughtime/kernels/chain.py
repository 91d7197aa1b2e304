"""The door to the loops of conditional random fields: tensors in, tensors out, on torch's own threads."""

from array import array
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from throughtime.errors import ArgumentError
from throughtime.kernels import launch

CHUNKS = 16  # of rows: as many threads can work
PARALLEL = 1.0e6  # products below which a second thread costs more than it gives


class Scores(NamedTuple):
    """What a path y scores: start(y_0) + Σ_t emissions(t, y_t) + Σ_t transitions(y_{t-1}, y_t) + end(y_{T-1})."""

    emissions: Tensor  # B T K
    transitions: Tensor  # K K, from the row's label to the column's
    start: Tensor  # K
    end: Tensor  # K


class Sums(NamedTuple):
    """The logarithm of a sum over paths, less the score of a target, of each row; and the gradients of their sum."""

    values: Tensor  # B, float64
    gradients: Scores | None


def fits(scores: Scores) -> bool:
    """Whether the loops can take these numbers: on the CPU, in float32 or float64."""
    exact = all(part.dtype in (torch.float32, torch.float64) and part.device.type == "cpu" for part in scores)
    return exact and scores.emissions.numel() > 0


def sum_paths(scores: Scores, lengths: Tensor, targets: Tensor | None, *, gradients: bool) -> Sums:
    """For each row log Σ exp(score) over all paths; with targets (B T), less the score of the target.

    A value is infinite or NaN where a target is not one of the labels or not allowed, and where no path is.
    """
    batch, steps, labels = scores.emissions.shape
    values = torch.empty(batch, dtype=torch.float64)
    if not gradients:
        _run("sum_paths", scores, lengths, targets, values)
        return Sums(values, None)
    posteriors = torch.empty(batch, steps, labels, dtype=torch.float64)
    sums = torch.empty(min(batch, CHUNKS), labels + 2, _width(labels), dtype=torch.float64)
    _run("sum_paths", scores, lengths, targets, values, posteriors, sums)
    whole = sums.sum(0)[:, :labels]
    found = posteriors, whole[:labels], whole[labels], whole[labels + 1]
    return Sums(values, Scores(*(part.to(like.dtype) for part, like in zip(found, scores, strict=True))))


def find_paths(scores: Scores, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """The best path of each row (B T, zero past a length) and its score (B, float64); −inf where there is none."""
    paths = torch.empty(scores.emissions.shape[:2], dtype=torch.int64)
    values = torch.empty(len(paths), dtype=torch.float64)
    _run("find_paths", scores, lengths, None, values, paths)
    return paths, values


def _run(
    name: str,
    scores: Scores,
    lengths: Tensor,
    targets: Tensor | None,
    values: Tensor,
    result: Tensor | None = None,
    sums: Tensor | None = None,
) -> None:
    """Runs one of the loops over all rows; the table of addresses outlives it, and what these belong to."""
    from throughtime.kernels import lattice

    batch, steps, labels = scores.emissions.shape
    _check(scores, lengths, targets)
    threads = 1 if batch * steps * labels**2 < PARALLEL else min(launch.threads(), CHUNKS, batch)
    room = lattice.room(labels, steps)
    given: list[Tensor | None] = [part.detach().double().contiguous() for part in scores]
    given += [lengths.contiguous(), targets if targets is None else targets.contiguous()]
    given += [torch.empty(threads * room, dtype=torch.uint8), sums, values, result]
    table = array("q", [0, 0, batch, steps, labels, min(batch, CHUNKS), room])
    table.extend(0 if tensor is None else tensor.data_ptr() for tensor in given)
    launch.run(_loop(name).address, table.buffer_info()[0], threads)


def _check(scores: Scores, lengths: Tensor, targets: Tensor | None) -> None:
    """Raises `ArgumentError` for what would have the loops read where nothing is."""
    batch, steps, labels = scores.emissions.shape
    whole = targets is None or (targets.shape == (batch, steps) and targets.dtype == torch.int64 and targets.is_cpu)
    shapes = [tuple(part.shape) for part in scores[1:]] == [(labels, labels), (labels,), (labels,)]
    if not (whole and shapes and lengths.shape == (batch,) and lengths.dtype == torch.int64 and lengths.is_cpu):
        given = [tuple(tensor.shape) for tensor in (*scores, lengths, *([] if targets is None else [targets]))]
        raise ArgumentError(f"shapes {given} are not B T K, K K, K, K, B and B T, the last two int64 on the CPU")
    if not 0 <= int(lengths.min()) <= int(lengths.max()) <= steps:
        raise ArgumentError(f"lengths must be in 0..{steps}; got {lengths.tolist()}")


def _width(labels: int) -> int:
    """The labels, up to a whole vector."""
    from throughtime.kernels.lattice import LANES

    return (labels + LANES - 1) // LANES * LANES


@lru_cache
def _loop(name: str) -> Any:
    """A loop over all rows, compiled at its first use."""
    from throughtime.kernels import crf, lattice, viterbi

    return lattice.machine_code({"sum_paths": crf.sum_paths, "find_paths": viterbi.find_paths}[name])
