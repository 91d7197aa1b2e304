"""Embeddings that know the place, and embeddings that begin with vectors that were learned before."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from throughtime.errors import ArgumentError

FEWEST = 2  # vectors that have a deviation


class PlacedEmbedding(nn.Embedding):
    """Embeddings of symbols plus embeddings of the places they stand at, for sequences that are aligned.

    Formula: E x_t + P_t; what stands beyond the last of the places has its P.
    Shapes: ids B T, outputs B T D, P places D.

    >>> embedding = PlacedEmbedding(3, 2, places=4)
    >>> x = embedding(torch.tensor([[1, 1, 1, 1, 1]]))
    >>> bool((x[0, 0] == x[0, 1]).all()), bool((x[0, 3] == x[0, 4]).all())
    (False, True)
    """

    def __init__(self, vocab: int, width: int, *, places: int) -> None:
        if places < 1:
            raise ArgumentError(f"places must be at least 1; got {places}")
        super().__init__(vocab, width)
        self.places = nn.Parameter(torch.empty(places, width))
        nn.init.normal_(self.places, std=width**-0.5)

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        """A symbol's embedding, moved by its place."""
        places = torch.arange(ids.shape[1], device=ids.device).clamp(max=len(self.places) - 1)
        return super().forward(ids) + self.places[places]


@torch.no_grad()
def fill_embedding(embedding: nn.Embedding, places: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
    """Gives some rows of an embedding their vectors, and draws all others as if they were such vectors too.

    Formula: E[places[k]] = vectors[k]; every other row is μ + σ ∘ ε with ε ~ N(0, 1) from torch's generator, where μ
    and σ are the mean and the standard deviation of the vectors, number by number.

    Shapes: places K (each once), vectors K D.

    Raises `ArgumentError` when the vectors are not of the embedding's width, or fewer than two.

    >>> embedding = nn.Embedding(3, 2)
    >>> fill_embedding(embedding, np.array([0, 2]), np.array([[1, 5], [3, 5]], np.float32))
    >>> embedding.weight[:, 1].tolist(), embedding.weight[2].tolist()
    ([5.0, 5.0, 5.0], [3.0, 5.0])
    """
    weight = embedding.weight
    if vectors.ndim != 2 or vectors.shape[1] != weight.shape[1]:
        shape = " × ".join(map(str, vectors.shape))
        raise ArgumentError(f"the vectors are {shape}, and the embedding is {weight.shape[1]} wide; make it as wide")
    if len(vectors) < FEWEST:
        raise ArgumentError(
            f"{len(vectors)} of {len(weight):,} rows have a vector; give {FEWEST}, for the others to be like"
        )
    others = np.setdiff1d(np.arange(len(weight)), places)
    if len(places) != len(vectors) or len(others) + len(places) != len(weight):
        raise ArgumentError(
            f"places are {len(vectors):,} rows in 0..{len(weight) - 1:,}, each once; got {places!a:.80}"
        )
    given = torch.from_numpy(vectors).to(weight)
    deviation, mean = torch.std_mean(given, 0, correction=0)
    weight[torch.from_numpy(places)] = given
    weight[torch.from_numpy(others)] = mean + deviation * torch.randn(len(others), weight.shape[1]).to(weight)
