"""Vectors of sequences: what a model makes of each, in batches of about equal lengths, in the order they came in."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from throughtime.layers.pool import MeanPool
from throughtime.layers.rest import at_rest
from throughtime.models.classifier import Classifier
from throughtime.models.text_classifier import TextClassifier
from throughtime.models.translator import Translator
from throughtime.padded import Padded

ROWS, STEPS = 64, 2**16  # of a batch, at most


def in_batches(lengths: Sequence[int]) -> list[NDArray[np.int64]]:
    """The places of sequences of such lengths, in batches of about equal ones that hold no more than fits.

    >>> [rows.tolist() for rows in in_batches([3, 1, 2])]
    [[1, 2, 0]]
    """
    order, found, first = np.argsort(lengths, kind="stable"), list[NDArray[np.int64]](), 0
    for end in range(1, len(order) + 1):  # the longest of a batch is its last
        full = end - first == ROWS or (end < len(order) and (end - first + 1) * lengths[order[end]] > STEPS)
        if full or end == len(order):
            found.append(order[first:end])
            first = end
    return found


def vectors_of(
    read: Callable[[Padded], Tensor], sequences: Sequence[Tensor], width: int, device: torch.device
) -> NDArray[np.float32]:
    """What `read` makes of sequences (N W), in their order; however many there are, a batch is read at a time."""
    result = np.zeros((len(sequences), width), np.float32)
    for rows in in_batches([len(sequence) for sequence in sequences]):
        batch = Padded.of([sequences[row] for row in rows])
        result[rows] = read(Padded(batch.data.to(device), batch.lengths)).float().cpu().numpy()
    return result


def normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors (N W), each of length one; zeros stay zeros.

    >>> normalised(np.array([[3, 4], [0, 0]], np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    sizes = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.where(sizes > 0, sizes, 1.0)).astype(np.float32)


class PooledTexts:
    """The vectors by which a classifier of texts tells them apart: what its head sees."""

    def __init__(self, classifier: TextClassifier, model: Classifier) -> None:
        self.classifier, self.model, self.width = classifier, model, model.core.hidden

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of texts (N W), in their order."""
        device = next(self.model.parameters()).device
        with at_rest(self.model):
            return vectors_of(self.model.features, self.classifier.encoded(sentences), self.width, device)


class PooledSources:
    """The vectors that a translator has of lines it could translate: the means of what its encoder gives."""

    def __init__(self, translator: Translator) -> None:
        self.translator, self.width = translator, translator.model.encoder.core.hidden

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of lines (N W), in their order. Raises `DataError` as `Translator.read` does."""
        model, pool = self.translator.model, MeanPool()
        lines = [torch.from_numpy(self.translator.read(line)).long() for line in sentences]
        with at_rest(model):
            return vectors_of(
                lambda ids: pool(model.encoder(ids)[0]), lines, self.width, next(model.parameters()).device
            )
