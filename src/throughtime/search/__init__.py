"""Search: turning a model's steps into sequences."""

from throughtime.search.sample import sample, truncate
from throughtime.search.stepper import Stepper

__all__ = ["Stepper", "sample", "truncate"]
