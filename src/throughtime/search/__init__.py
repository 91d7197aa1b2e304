"""Search: turning a model's steps into sequences. No model is known here but as a `Stepper`.

beam         the best few go on; ranking says which are better than others of other lengths
greedy       the likeliest symbol always; sample draws one
exhaustive   all there are: the oracle
forced       how likely what is given is
ensemble     several models that speak together
rules        what has to be kept to: lengths, words that never come, words that must
"""

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
