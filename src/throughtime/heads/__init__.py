"""Heads: from features to a loss and to predictions."""

from throughtime.heads.softmax import AdaptiveSoftmax, Softmax

__all__ = ["AdaptiveSoftmax", "Softmax"]
