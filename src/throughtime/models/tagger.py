"""A tagger together with its vocabularies and the names of its tags, which reads sentences and judges itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from throughtime.data.lexicon import Lexicon, WordTable
from throughtime.data.tokens import words_of
from throughtime.errors import ArgumentError
from throughtime.heads import CRF
from throughtime.layers.rest import at_rest
from throughtime.metrics import (
    Scheme,
    Span,
    class_scores,
    confusion_matrix,
    count_errors,
    entity_scores,
    spans,
    write_tags,
)
from throughtime.models.tagging import TaggingModel
from throughtime.padded import Padded

ROWS, STEPS = 128, 4096  # of a batch, at most; a longer sentence is one alone
WORDS = 2048  # whose vectors are worked out at once
REMEMBERED = 2**17  # words whose vectors are kept, at most


@dataclass(frozen=True)
class Tagged:
    """What a tagger says of a sentence."""

    tags: list[str]  # by the scheme of the file that was learned from
    probabilities: NDArray[np.float32]  # of each tag as it was found, given the sentence
    spans: list[Span]  # the entities, where tags are of some


@dataclass(frozen=True)
class TaggingScore:
    """How well sentences were tagged."""

    sentences: int
    tokens: int
    facts: dict[str, Any]  # accuracy, entity_f1 and what else there is, each a number
    tables: dict[str, Any] = field(repr=False)  # precision, recall and F1 of each tag, and of each type of entities

    @property
    def loss(self) -> float:
        """What training tries to lower: 1 − F1 of entities, or where tags are of none the share of wrong tags."""
        named = "entity_f1" if "entity_f1" in self.facts else "accuracy"
        return 1.0 - (self.facts[named] or 0.0)

    def sentence(self) -> str:
        """What there is to say of it, for people."""
        names = ("entity_f1", "entity_precision", "entity_recall", "accuracy")
        shares = {name: self.facts.get(name) for name in names}
        return ", ".join(
            f"{name.replace('_', ' ')} {100 * share:.2f} %" for name, share in shares.items() if share is not None
        )

    def to_json(self) -> dict[str, Any]:
        """The numbers by name, without the tables."""
        return {"loss": self.loss, "sentences": self.sentences, "tokens": self.tokens, **self.facts}


class Tagger:
    """A model of tagging, its lexicon, and the names of its tags in their order.

    `scheme` is that of the tags that are given and got, None where they are of no entities; `learned` is the one that
    the model was taught in, if another. The weights must not change: vectors of words that were met are remembered.
    """

    def __init__(
        self,
        model: TaggingModel,
        lexicon: Lexicon,
        tags: list[str],
        *,
        scheme: Scheme | None = None,
        learned: Scheme | None = None,
    ) -> None:
        self.model, self.lexicon, self.tags = model, lexicon, tags
        self.scheme, self.learned = scheme, learned or scheme
        self._forget()

    def _forget(self) -> None:
        self._table = WordTable(self.lexicon)
        self._vectors = torch.empty(0, self.model.words.width)
        self._known = 0  # words whose vectors are there

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[Tagged]:
        """What is said of each sentence, in their order."""
        found = [Tagged([], np.zeros(0, np.float32), []) for _ in sentences]
        with at_rest(self.model):
            for places, features in self._read(sentences):
                best = self.model.best(features)
                shares = self.model.probabilities(features).gather(2, best[..., None])[..., 0].float().cpu().numpy()
                for place, row, share in zip(places, best.tolist(), shares, strict=True):
                    tags, entities = self._written(row[: len(sentences[place])])
                    found[place] = Tagged(tags, share[: len(tags)], entities)
        return found

    def best(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """The tags of each sentence, as `tag` gives them; their probabilities are not worked out."""
        found = [list[str]() for _ in sentences]
        with at_rest(self.model):
            for places, features in self._read(sentences):
                for place, row in zip(places, self.model.best(features).tolist(), strict=True):
                    found[place], _ = self._written(row[: len(sentences[place])])
        return found

    def probabilities(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        """p of every tag that was learned (T K) at each word of a sentence, given the sentence."""
        found = [np.zeros((0, len(self.tags)), np.float32) for _ in sentences]
        with at_rest(self.model):
            for places, features in self._read(sentences):
                shares = self.model.probabilities(features).float().cpu().numpy()
                for place, row in zip(places, shares, strict=True):
                    found[place] = row[: len(sentences[place])].copy()
        return found

    def _written(self, numbers: list[int]) -> tuple[list[str], list[Span]]:
        """Tags by their numbers, as the scheme of the file writes them, and the entities in them."""
        tags = [self.tags[number] for number in numbers]
        if self.scheme is None:
            return tags, []
        entities = spans(tags)
        return tags if self.learned == self.scheme else write_tags(entities, len(tags), self.scheme), entities

    def _read(self, sentences: Sequence[Sequence[str]]) -> Iterator[tuple[list[int], Padded]]:
        """What the head sees of some sentences at a time, and their places; sentences without words are left out."""
        rows = self._rows(sentences)
        for places in _parts([len(row) for row in rows]):
            batch = Padded.of([torch.from_numpy(rows[place]) for place in places])
            vectors = torch.nn.functional.embedding(batch.data, self._vectors).to(self._device)
            yield places, self.model.features(batch.replace(vectors))

    @property
    def _device(self) -> torch.device:
        return self.model.words.embedding.weight.device

    def _rows(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.int64]]:
        """The places of words among the vectors, which are worked out for those that are new."""
        if len(self._table) > REMEMBERED:
            self._forget()
        rows = [self._table.rows(sentence) for sentence in sentences]
        count = len(self._table)
        if count > len(self._vectors):
            larger = torch.empty(max(count, 2 * len(self._vectors)), self.model.words.width)
            larger[: self._known] = self._vectors[: self._known]
            self._vectors = larger
        for first in range(self._known, count, WORDS):
            new = np.arange(first, min(first + WORDS, count))
            new = new[np.argsort(self._table.counts[new], kind="stable")]
            for some in np.array_split(new, 4):  # of about the same number of letters
                if len(some):
                    vectors = self.model.words(words_of(self._table, some).to(self._device))
                    self._vectors[torch.from_numpy(some)] = vectors.float().cpu()
        self._known = count
        return rows

    def step(self, word: str, state: Any) -> tuple[str, float, Any]:
        """The tag of the next word, its probability, and the state after it; `state` is None before the first.

        Raises `ArgumentError` when the core needs whole sentences, or the tags of a sentence are decided together.
        """
        if (reason := self.waits) is not None:
            raise ArgumentError(f"{reason}: give it whole sentences")
        with at_rest(self.model):
            (row,) = self._rows([[word]])
            x = self._vectors[torch.from_numpy(row)].to(self._device)
            core = self.model.core
            hidden, state = core.step(x, core.initial(1) if state is None else state)
            shares = self.model.probabilities(Padded.full(hidden[:, None]))[0, 0]
            return self.tags[int(shares.argmax())], float(shares.max()), state

    @property
    def waits(self) -> str | None:
        """Why a sentence must be there whole before its first tag is known; None where each word is tagged at once."""
        if not self.model.core.causal:
            return "this tagger reads from both ends"
        if isinstance(self.model.head, CRF):
            return "this tagger decides the tags of a sentence together (--head crf)"
        if self.learned != self.scheme:
            return "this tagger writes its tags when the whole sentence is there (--convert)"
        return None

    def unknown(self, sentences: Sequence[Sequence[str]]) -> int:
        """How many words of sentences the vocabulary lacks."""
        rows = [self._table.rows(sentence) for sentence in sentences]
        return sum(int((self._table.features[row, 0] == 0).sum()) for row in rows)

    def score(self, sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> TaggingScore:
        """How well sentences are tagged. A tag that was never learned is counted, and found nowhere.

        Entities count as conlleval counts them, also where true tags do not keep to their scheme.

        Raises `ArgumentError` when there are no words, or tags do not fit them; `DataError` for what is no tag.
        """
        if not any(len(sentence) for sentence in sentences):
            raise ArgumentError("there are no words to judge a tagger by; give one at least")
        _check(sentences, tags)
        said = self.best(sentences)
        facts, tables = _judged(tags, said, self._names())
        if self.scheme is not None:
            entities = entity_scores(tags, said)
            total = entities.total
            facts |= {"entity_f1": total.f1, "entity_precision": total.precision, "entity_recall": total.recall}
            facts |= {"entities": total.support, "broken_tags": sum(count_errors(tags, self.scheme).faults.values())}
            tables["types"] = {name: score.to_json() for name, score in entities.types.items()}
        return TaggingScore(len(sentences), sum(map(len, sentences)), facts, tables)

    def _names(self) -> list[str]:
        """The tags that can be said, by the scheme of the file."""
        if self.scheme is None or self.learned == self.scheme:
            return self.tags
        types = sorted({span.type for tag in self.tags for span in spans([tag])})
        letters = {letter for name in types for letter in _writings(name, self.scheme)}
        return ["O", *sorted(letters)]


def _writings(name: str, scheme: Scheme) -> set[str]:
    """All tags that entities of a type are written with."""
    cases = [[Span(name, 0, 1)], [Span(name, 0, 3)], [Span(name, 0, 1), Span(name, 1, 2)]]
    return {tag for entities in cases for tag in write_tags(entities, entities[-1].stop, scheme)}


def _judged(
    true: Sequence[Sequence[str]], said: Sequence[Sequence[str]], names: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is told of tags, one at a time."""
    unlearned = sorted({tag for some in true for tag in some} - set(names))
    every = [*names, *unlearned]
    index = {name: number for number, name in enumerate(every)}
    truth, taken = (np.array([index[tag] for some in rows for tag in some], np.int64) for rows in (true, said))
    scores = class_scores(confusion_matrix(truth, taken, len(every))).to_json(every)
    facts = {name: scores[name] for name in ("accuracy", "macro_f1", "weighted_f1")}
    facts |= {"unlearned_tags": len(unlearned), "unlearned_tokens": int((truth >= len(names)).sum())}
    tables = {name: row | {"learned": name in names} for name, row in scores["classes"].items()}
    return facts, {"tags": tables}


def _check(sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> None:
    if len(sentences) != len(tags):
        raise ArgumentError(f"every sentence has its tags: {len(sentences):,} and {len(tags):,} do not fit")
    for number, (words, some) in enumerate(zip(sentences, tags, strict=True), 1):
        if isinstance(some, str) or len(words) != len(some):
            raise ArgumentError(f"sentence {number} has {len(words)} words and {len(some)} tags, not one each")


def _parts(lengths: list[int]) -> Iterator[list[int]]:
    """The places of sentences in batches of about the same length, the short ones first; those of no words in none."""
    part, longest = list[int](), 0
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not lengths[place]:
            continue
        longest = lengths[place]
        if part and (len(part) == ROWS or (len(part) + 1) * longest > STEPS):
            yield part
            part = []
        part.append(place)
    if part:
        yield part
