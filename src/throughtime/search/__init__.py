"""Search: turning a model's steps into sequences."""

from throughtime.search.sample import Stepper, sample, truncate

__all__ = ["Stepper", "sample", "truncate"]
