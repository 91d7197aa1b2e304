"""SequenceTagger: a sentence, and the tag of each of its tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from throughtime.data.splits import grouped
from throughtime.errors import ArgumentError
from throughtime.estimators.contract import RunEstimator
from throughtime.estimators.trained import temporary_folder, train
from throughtime.recipes.cells import CellName
from throughtime.recipes.tag import Tag
from throughtime.recipes.tagged import SchemeName

HEAD = "# global.columns = id form tag\n"
UNFIT = set("\t\n\r\0")  # in a cell of a file

RECIPE = Tag.model_construct()  # whose defaults are ours


class SequenceTagger(RunEstimator):
    """A tagger of sentences, as scikit-learn's estimators are used.

    X is a list of sentences, which are lists of tokens; y is a list of lists of tags, one for each token. Tags may be
    of entities, such as B-PER: their scheme is found, kept to, and what breaks it is refused unless `repair` is given.

    The settings are those of the recipe `Tag`, where they are told; they are flat and many, for that is how
    `GridSearchCV` and `clone` want them. Beside them: `held_out` is the share of the sentences by which weights are
    chosen, not learned; where it is less than one sentence, weights are chosen by those they learned from. `scoring`
    says what `score` gives: the share of tokens with the right tag, or the F1 of entities. `verbose` prints what
    evaluations find. With a number as `random_state` a fit is the same each time.

    After `fit`: `classes_`, the tags in order; `run_`, the run inside, which `save` writes as a folder; `held_out_`,
    how many sentences were held out.

    >>> from throughtime.estimators import SequenceTagger
    >>> SequenceTagger(head="crf", scoring="entity_f1")
    SequenceTagger(head='crf', scoring='entity_f1')
    """

    # More than eight arguments: scikit-learn's contract is that every setting is one, stored as it is.
    def __init__(
        self,
        *,
        head: Literal["softmax", "crf"] = RECIPE.head,
        core: CellName | Literal["self-attention"] = RECIPE.core,
        hidden: int = RECIPE.hidden,
        layers: int = RECIPE.layers,
        both: bool = RECIPE.both,
        embedding: int | None = RECIPE.embedding,
        characters: Literal["convolution", "recurrent", "none"] = RECIPE.characters,
        filters: int = RECIPE.filters,
        casing: bool = RECIPE.casing,
        affixes: int = RECIPE.affixes,
        lower: bool = RECIPE.lower,
        minimum_count: int = RECIPE.minimum_count,
        maximum_vocab: int | None = RECIPE.maximum_vocab,
        vectors: str | Path | None = RECIPE.vectors,
        frozen_updates: int | Literal["all"] = RECIPE.frozen_updates,
        scheme: SchemeName | Literal["none"] | None = RECIPE.scheme,
        repair: bool = RECIPE.repair,
        longest: int = RECIPE.longest,
        dropout: float = RECIPE.dropout,
        word_dropout: float = RECIPE.word_dropout,
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
        scoring: Literal["accuracy", "entity_f1"] = "accuracy",
        device: Literal["auto", "cpu", "cuda"] = RECIPE.device,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.head, self.core, self.hidden, self.layers, self.both = head, core, hidden, layers, both
        self.embedding, self.characters, self.filters = embedding, characters, filters
        self.casing, self.affixes, self.lower = casing, affixes, lower
        self.minimum_count, self.maximum_vocab = minimum_count, maximum_vocab
        self.vectors, self.frozen_updates = vectors, frozen_updates
        self.scheme, self.repair, self.longest = scheme, repair, longest
        self.dropout, self.word_dropout = dropout, word_dropout
        self.rows, self.epochs, self.minutes, self.optimiser = rows, epochs, minutes, optimiser
        self.learning_rate, self.weight_decay, self.schedule = learning_rate, weight_decay, schedule
        self.warmup_steps, self.clip, self.patience = warmup_steps, clip, patience
        self.evaluate_every, self.held_out, self.scoring = evaluate_every, held_out, scoring
        self.device, self.random_state, self.verbose = device, random_state, verbose

    def fit(self, X: Any, y: Any) -> SequenceTagger:
        """Trains a run.

        Raises `ArgumentError` for X, y or settings that do not fit, and what `throughtime.fit` does.
        """
        sentences, seed = _sentences(X, "X", "token"), self._seed()
        tags = _tags(y, sentences)
        learned, held = _divided(sentences, self._held_out_of(len(sentences)), seed)
        with temporary_folder() as home:
            path = _write(home / "train.conllu", sentences, tags, learned)
            valid = _write(home / "valid.conllu", sentences, tags, held) if held else path
            values = {"train": path, "valid": valid, "column": "tag", "seed": seed}
            recipe = self._recipe(Tag, values, len(learned))
            self.run_ = train(recipe, home, verbose=self.verbose)
        self.classes_, self.held_out_ = np.array(self.run_.trained.tags), len(held)
        return self

    def predict(self, X: Any) -> list[list[str]]:
        """The tags of each sentence."""
        check_is_fitted(self)
        found: list[list[str]] = self.run_.trained.best(_sentences(X, "X", "token", empty=True))
        return found

    def predict_proba(self, X: Any) -> list[NDArray[np.float32]]:
        """The probability of each tag at each token, T K for each sentence, in the order of `classes_`."""
        check_is_fitted(self)
        found: list[NDArray[np.float32]] = self.run_.trained.probabilities(_sentences(X, "X", "token", empty=True))
        return found

    def score(self, X: Any, y: Any) -> float:
        """The share of tokens with the right tag, or the F1 of entities as conlleval counts it: `scoring` says which.

        Raises `ArgumentError` for the F1 where tags are of no entities.
        """
        check_is_fitted(self)
        if self.scoring not in ("accuracy", "entity_f1"):
            raise ArgumentError(f"scoring is 'accuracy' or 'entity_f1'; got {self.scoring!r:.60}")
        sentences = _sentences(X, "X", "token", empty=True)
        facts = self.run_.trained.score(sentences, _tags(y, sentences)).facts
        if self.scoring not in facts:
            raise ArgumentError("scoring='entity_f1' needs tags of entities, such as B-PER; these are of none")
        return float(facts[self.scoring] or 0.0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string, tags.target_tags.required = False, True, True
        return tags


def _sentences(rows: Any, name: str, what: str, *, empty: bool = False) -> list[list[str]]:
    """Lists of tokens, or of tags. Raises `ArgumentError` for anything else, with its place."""
    if isinstance(rows, str) or not isinstance(rows, Iterable):
        raise ArgumentError(f"{name} is a list of sentences, which are lists of {what}s; got {type(rows).__name__}")
    found = []
    for place, row in enumerate(rows):
        if isinstance(row, str) or not isinstance(row, Iterable):
            raise ArgumentError(f"{name}[{place}] is {row!r:.40}; a sentence is a list of {what}s")
        words = list(row)
        if not words and not empty:
            raise ArgumentError(f"{name}[{place}] has no {what}s: there is nothing to learn from; leave it out")
        for word in words:
            if not isinstance(word, str):
                raise ArgumentError(f"{name}[{place}] has {word!r:.40}, which is no string; {what}s are")
        found.append([str(word) for word in words])
    if not found:
        raise ArgumentError(f"{name} has no sentences; give one at least")
    return found


def _tags(rows: Any, sentences: list[list[str]]) -> list[list[str]]:
    """As many tags as tokens."""
    if rows is None:
        raise ArgumentError("a tagger requires y to be passed, but the target y is None; give each token a tag")
    tags = _sentences(rows, "y", "tag", empty=True)
    if len(tags) != len(sentences):
        raise ArgumentError(f"X has {len(sentences):,} sentences and y {len(tags):,}; give each its tags")
    for place, (words, some) in enumerate(zip(sentences, tags, strict=True)):
        if len(words) != len(some):
            raise ArgumentError(f"X[{place}] has {len(words)} tokens and y[{place}] {len(some)} tags, not one each")
    return tags


def _divided(sentences: list[list[str]], count: int, seed: int) -> tuple[list[int], list[int]]:
    """Sentences to learn from and, about so many, that are held out; equal ones stay together."""
    every = list(range(len(sentences)))
    share = count / len(every)
    if not share:
        return every, []
    try:
        learned, held = grouped([tuple(words) for words in sentences], (1 - share, share), seed)
    except ArgumentError:  # too few that differ
        return every, []
    return learned.tolist(), held.tolist()


def _write(path: Path, sentences: list[list[str]], tags: list[list[str]], rows: Sequence[int]) -> Path:
    """Some sentences as CoNLL-U of three columns. Raises `ArgumentError` for what no cell can hold."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(HEAD)
        for row in rows:
            for place, (word, tag) in enumerate(zip(sentences[row], tags[row], strict=True), 1):
                for name, cell in (("X", word), ("y", tag)):
                    if not UNFIT.isdisjoint(cell) or cell != cell.strip(" ") or not cell or _halved(cell):
                        raise ArgumentError(
                            f"{name}[{row}] has {cell!a:.40}: give it without tabs, ends of lines, spaces at its ends "
                            "and halves of characters, and not empty"
                        )
                file.write(f"{place}\t{word}\t{tag}\n")
            file.write("\n")
    return path


def _halved(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)
