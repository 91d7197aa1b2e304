"""Heads: from features to a loss and to predictions."""

from throughtime.heads.classes import Classes, Ordinal, Several
from throughtime.heads.crf import CRF
from throughtime.heads.regress import Quantiles, Regression
from throughtime.heads.softmax import AdaptiveSoftmax, Softmax

__all__ = ["CRF", "AdaptiveSoftmax", "Classes", "Ordinal", "Quantiles", "Regression", "Several", "Softmax"]
