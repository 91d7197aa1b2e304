"""Judging: arrays and tags in, numbers out. No model is known here, and what is undefined is None.

classes      one class an item: accuracy, F1, the confusion matrix; stars, whose distance counts
multilabel   any number of labels an item
entities     spans in tags, by the rules in schemes; scheme errors, repair, conversion; spotting judges them
calibration  whether probabilities are what they say, and the temperature that mends them
translations BLEU, chrF and TER, with how sure they are, and by the length of the source
edits        edit distance; the error rates of phones, characters and words
brackets     trees in brackets: whether they are any, and F1 of labelled brackets
forecasts    how far numbers in time were from what came; baselines, what a model has to be better than
intervals    how sure any of it is, by the bootstrap
mistakes     about which a model was surest
scores       precision, recall and F1, from counts; given checks what comes in
"""

from throughtime.metrics.baselines import LinearForecast, drift, fit_linear, naive, seasonal_naive
from throughtime.metrics.bootstrap import Interval, accuracy_interval
from throughtime.metrics.brackets import BracketScores, Constituent, Tree, bracket_scores, parse_brackets
from throughtime.metrics.calibration import (
    Reliability,
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
    temperature,
    top_label,
)
from throughtime.metrics.classes import ClassScores, StarScores, class_scores, confusion_matrix, star_scores
from throughtime.metrics.edits import EditScores, edit_distance, edit_scores
from throughtime.metrics.entities import (
    Span,
    TagError,
    TagErrors,
    convert_tags,
    count_errors,
    fitting_schemes,
    spans,
    tag_errors,
    write_tags,
)
from throughtime.metrics.forecasts import (
    by_horizon,
    coverage,
    mean_absolute_error,
    mean_absolute_scaled_error,
    quantile_loss,
    root_mean_squared_error,
    symmetric_mean_absolute_percentage_error,
    weighted_quantile_loss,
)
from throughtime.metrics.intervals import cell_interval, difference_interval, sum_interval
from throughtime.metrics.multilabel import LabelScores, label_scores
from throughtime.metrics.schemes import Forbidden, Scheme, transitions
from throughtime.metrics.scores import Score
from throughtime.metrics.spotting import EntityScores, entity_scores
from throughtime.metrics.translations import Measure, TranslationScores, judge_translations

__all__ = [
    "BracketScores",
    "ClassScores",
    "Constituent",
    "EditScores",
    "EntityScores",
    "Forbidden",
    "Interval",
    "LabelScores",
    "LinearForecast",
    "Measure",
    "Reliability",
    "Scheme",
    "Score",
    "Span",
    "StarScores",
    "TagError",
    "TagErrors",
    "TranslationScores",
    "Tree",
    "accuracy_interval",
    "bracket_scores",
    "brier_score",
    "by_horizon",
    "cell_interval",
    "class_scores",
    "confusion_matrix",
    "convert_tags",
    "count_errors",
    "coverage",
    "difference_interval",
    "drift",
    "edit_distance",
    "edit_scores",
    "entity_scores",
    "expected_calibration_error",
    "fit_linear",
    "fitting_schemes",
    "judge_translations",
    "label_scores",
    "mean_absolute_error",
    "mean_absolute_scaled_error",
    "naive",
    "negative_log_likelihood",
    "parse_brackets",
    "quantile_loss",
    "reliability",
    "root_mean_squared_error",
    "seasonal_naive",
    "spans",
    "star_scores",
    "sum_interval",
    "symmetric_mean_absolute_percentage_error",
    "tag_errors",
    "temperature",
    "top_label",
    "transitions",
    "weighted_quantile_loss",
    "write_tags",
]
