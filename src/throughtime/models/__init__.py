"""Models: one page each."""

from throughtime.models.language import LanguageModel
from throughtime.models.writer import Scores, Writer

__all__ = ["LanguageModel", "Scores", "Writer"]
