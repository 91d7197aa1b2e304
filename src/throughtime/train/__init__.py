"""Training: the loop, its schedule, and runs that cannot be lost."""

from throughtime.train.descend import Place, Update, descend
from throughtime.train.fit import Evaluation, Progress, finished, fit
from throughtime.train.optimise import make_optimiser
from throughtime.train.schedule import Waiting, multiplier

__all__ = [
    "Evaluation",
    "Place",
    "Progress",
    "Update",
    "Waiting",
    "descend",
    "finished",
    "fit",
    "make_optimiser",
    "multiplier",
]
