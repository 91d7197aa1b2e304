"""How the parts of a classifier are made from the settings of its recipe."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from throughtime.heads import classes as heads
from throughtime.layers.convolve import Convolution, Direct
from throughtime.layers.pool import AttentivePool, LastPool, MaximumPool, MeanPool
from throughtime.models.bag import BagOfWords
from throughtime.models.classifier import ClassHead, Classifier
from throughtime.recipes.parts import both_ways, one_way, self_attention

if TYPE_CHECKING:
    from torch import Tensor, nn

    from throughtime.layers import Core
    from throughtime.recipes.cells import CellName
    from throughtime.recipes.classify import Classify


def model_of(
    recipe: Classify, vocab: int | None, classes: int, weights: Tensor | None, *, channels: int | None
) -> Classifier | BagOfWords:
    """A new model for so many classes, of a vocabulary of that size, or of so many channels of numbers."""
    rate, dropped, sizes = recipe.dropout, recipe.word_dropout or 0.0, recipe.dense
    if recipe.core == "bag" and vocab is not None:
        made, counts = partial(_head, recipe, classes=classes, weights=weights), recipe.bag == "counts"
        return BagOfWords(vocab, made, hidden=sizes, counts=counts, dropout=rate, word_dropout=dropped)
    core = _core(recipe, channels or recipe.embedding or 100)
    head, pool = _head(recipe, core.hidden, classes, weights), _pool(recipe, core.hidden)
    return Classifier(vocab, core, pool, head, dropout=rate, word_dropout=dropped, places=recipe.aligned)


def _head(recipe: Classify, hidden: int, classes: int, weights: Tensor | None) -> ClassHead:
    if recipe.labels == "single":
        return heads.Classes(hidden, classes, smoothing=recipe.smoothing, weights=weights)
    return (heads.Ordinal if recipe.labels == "ordinal" else heads.Several)(hidden, classes)


def _core(recipe: Classify, width: int) -> Core[Any]:
    if recipe.core == "convolution":
        return Convolution(width, recipe.hidden, widths=recipe.widths)
    if recipe.core == "average":
        return Direct(width)
    if recipe.core == "self-attention":
        return self_attention(width, recipe.hidden, recipe.layers, recipe.heads, recipe.positions, recipe.dropout)
    make = both_ways if recipe.both else one_way
    return make(cast("CellName", recipe.core), width, recipe.hidden, recipe.layers, dropout=recipe.dropout)


def _pool(recipe: Classify, hidden: int) -> nn.Module:
    pool = recipe.pool or ("mean" if recipe.core == "average" else "maximum")
    if pool == "last":
        return LastPool(both=recipe.both)
    if pool == "attention":
        return AttentivePool(hidden, 64)
    return MaximumPool() if pool == "maximum" else MeanPool()
