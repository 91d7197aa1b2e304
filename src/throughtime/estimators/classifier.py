"""SequenceClassifier: a sequence, and the class it has, which ones of several, or its place in an order."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from throughtime.estimators.contract import RunEstimator
from throughtime.estimators.given import SEPARATOR, read
from throughtime.estimators.targets import read_targets
from throughtime.estimators.trained import temporary_folder, train
from throughtime.recipes import Classify
from throughtime.recipes.classify import CoreName

Labels = NDArray[Any]

RECIPE = Classify.model_construct()  # whose defaults are ours


class SequenceClassifier(ClassifierMixin, RunEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier of texts or of series of numbers, as scikit-learn's classifiers are used.

    X is a list or array of strings; a list of arrays T or T D, of any lengths; an array N T D; or an array N T, one
    number a step. y has a class for each, or is an indicator matrix N K where each may have several; `ordinal` is for
    whole numbers that stand in an order, such as stars.

    The settings are those of the recipe `Classify`, where they are told; they are flat and many, for that is how
    `GridSearchCV` and `clone` want them. Beside them: `held_out` is the share of the rows by which weights are chosen,
    not learned; where it is less than one row a class, weights are chosen by the rows they learned from. `verbose`
    prints what evaluations find. With a number as `random_state` a fit is the same each time.

    After `fit`: `classes_`, in order; `run_`, the run inside, which `save` writes as a folder; `held_out_`, how many
    rows were held out; `n_features_in_` of an array N T, which later ones must have as well.

    >>> from throughtime.estimators import SequenceClassifier
    >>> SequenceClassifier(core="gru", hidden=32)
    SequenceClassifier(core='gru', hidden=32)
    """

    # More than eight arguments: scikit-learn's contract is that every setting is one, stored as it is.
    def __init__(
        self,
        *,
        core: CoreName = RECIPE.core,
        hidden: int = RECIPE.hidden,
        layers: int = RECIPE.layers,
        both: bool = RECIPE.both,
        widths: tuple[int, ...] = RECIPE.widths,
        bag: Literal["binary", "counts"] = RECIPE.bag,
        dense: tuple[int, ...] = RECIPE.dense,
        aligned: int = RECIPE.aligned,
        embedding: int | None = RECIPE.embedding,
        pool: Literal["maximum", "mean", "last", "attention"] | None = RECIPE.pool,
        unit: Literal["word", "character", "subword", "byte"] | None = RECIPE.unit,
        minimum_count: int = RECIPE.minimum_count,
        maximum_vocab: int | None = RECIPE.maximum_vocab,
        vectors: str | Path | None = RECIPE.vectors,
        frozen_updates: int | Literal["all"] = RECIPE.frozen_updates,
        dropout: float = RECIPE.dropout,
        word_dropout: float | None = RECIPE.word_dropout,
        smoothing: float = RECIPE.smoothing,
        balanced: bool = RECIPE.balanced,
        ordinal: bool = False,
        rows: int = RECIPE.rows,
        epochs: int | None = RECIPE.epochs,
        minutes: float | None = RECIPE.minutes,
        optimiser: Literal["adamw", "sgd"] = RECIPE.optimiser,
        learning_rate: float = RECIPE.learning_rate,
        weight_decay: float = RECIPE.weight_decay,
        schedule: Literal["cosine", "plateau", "constant"] = RECIPE.schedule,
        warmup_steps: int | None = None,
        clip: float = RECIPE.clip,
        patience: int = RECIPE.patience,
        evaluate_every: int = RECIPE.evaluate_every,
        held_out: float = RECIPE.held_out,
        device: Literal["auto", "cpu", "cuda"] = RECIPE.device,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.core, self.hidden, self.layers, self.both, self.widths = core, hidden, layers, both, widths
        self.bag, self.dense, self.aligned = bag, dense, aligned
        self.embedding, self.pool, self.unit = embedding, pool, unit
        self.minimum_count, self.maximum_vocab = minimum_count, maximum_vocab
        self.vectors, self.frozen_updates = vectors, frozen_updates
        self.dropout, self.word_dropout, self.smoothing = dropout, word_dropout, smoothing
        self.balanced, self.ordinal = balanced, ordinal
        self.rows, self.epochs, self.minutes, self.optimiser = rows, epochs, minutes, optimiser
        self.learning_rate, self.weight_decay, self.schedule = learning_rate, weight_decay, schedule
        self.warmup_steps, self.clip, self.patience = warmup_steps, clip, patience
        self.evaluate_every, self.held_out = evaluate_every, held_out
        self.device, self.random_state, self.verbose = device, random_state, verbose

    def fit(self, X: Any, y: Any) -> SequenceClassifier:
        """Trains a run.

        Raises `ArgumentError` for X, y or settings that do not fit, and what `throughtime.fit` does.
        """
        given = read(self, X, reset=True)
        targets, seed = read_targets(y, len(given)), self._seed()
        names = targets.names(ordinal=self.ordinal, unfit=":?" if given.series else "")
        labels = targets.labels(names)
        learned, held = targets.divided(self._held_out_of(len(given)), given.contents, seed)
        kind = "multiple" if targets.several else "ordinal" if self.ordinal else "single"
        with temporary_folder() as home:
            path = given.write(home / "train", learned, labels)
            valid = given.write(home / "valid", held, labels) if len(held) else path
            values = {"train": path, "valid": valid, "labels": kind, "seed": seed}
            if given.series and targets.several:
                values["separator"] = SEPARATOR
            recipe = self._recipe(Classify, values, len(learned))
            run = train(recipe, home, verbose=self.verbose)
        self.run_, self.classes_, self.held_out_ = run, targets.classes, len(held)
        self._names, self._channels = names, given.channels
        return self

    def predict(self, X: Any) -> Labels:
        """The likeliest class of each row; or N K, 1 for each class that is likelier than not."""
        shares = self.predict_proba(X)
        if self.run_.trained.kind == "multiple":
            return (shares > 0.5).astype(int)
        likeliest: Labels = self.classes_[shares.argmax(1)]
        return likeliest

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probability of each class, N K, in the order of `classes_`."""
        check_is_fitted(self)
        given, trained = read(self, X, reset=False), self.run_.trained
        given.check_channels(self._channels)
        shares = np.zeros((len(given), len(self._names)))  # of a class that no row had, nothing
        columns = [self._names.index(name) for name in trained.classes]
        shares[:, columns] = np.exp(trained.log_probabilities(given.items))
        return shares if trained.kind == "multiple" else shares / shares.sum(1, keepdims=True)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True  # texts too, but one_d_array says that nothing else is taken
        tags.classifier_tags.multi_label = True
        return tags
