"""Search: turning a model's steps into sequences."""

from throughtime.search.beam import Beam, Candidates, beam
from throughtime.search.ensemble import Ensemble
from throughtime.search.exhaustive import exhaustive
from throughtime.search.forced import forced, rescored
from throughtime.search.greedy import greedy
from throughtime.search.ranking import Hypothesis, Ranking
from throughtime.search.rules import Rules
from throughtime.search.sample import Sampling, sample, sampled, truncate
from throughtime.search.stepper import Stepper

__all__ = [
    "Beam",
    "Candidates",
    "Ensemble",
    "Hypothesis",
    "Ranking",
    "Rules",
    "Sampling",
    "Stepper",
    "beam",
    "exhaustive",
    "forced",
    "greedy",
    "rescored",
    "sample",
    "sampled",
    "truncate",
]
