"""Questions: a sequence, an answer of a model to it, and what stands for nothing in it; each kind of model has its own.

`explain` answers one: which parts of the sequence the answer was due to.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from throughtime.errors import ArgumentError
from throughtime.inspect.attribution import (
    Answer,
    Attribution,
    Claim,
    integrated_gradients,
    occlusion,
    of_inputs,
    of_seen,
    spread,
)
from throughtime.layers.dense import activate
from throughtime.models.bag import BagOfWords
from throughtime.models.tagging import TaggingModel
from throughtime.padded import Padded

By = Literal["occlusion", "gradients"]

VARIED = 2**22  # steps of all variants of a sequence that occlusion reads, at most
WINDOWS = 20  # of a series: what is left out at once is this part of it


@dataclass(frozen=True)
class Question:
    """What is asked about a sequence.

    sequence  T, or T D of numbers
    nothing   what a step is replaced by; None: it is left out
    answer    the answer to sequences
    seen      T D, what the core sees of the sequence; and of nothing (T D, or D where it is the same at all steps)
    beyond    the answer to what the core sees
    """

    sequence: Tensor
    nothing: Tensor | None
    answer: Answer
    seen: Tensor
    unseen: Tensor
    beyond: Answer


def explain(question: Question, by: By = "occlusion") -> tuple[Attribution, By]:
    """What each step (T), or each number of a series (T D), had to do with an answer, and how that was found.

    Occlusion of a series takes a twentieth of it at once. A sequence that is too long to be read again for each of its
    steps is explained by gradients. The model should be at rest.

    Raises `ArgumentError` for another way.
    """
    if by not in ("occlusion", "gradients"):
        raise ArgumentError(f"by is {by!a:.80}; choose occlusion or gradients")
    sequence = question.sequence
    if by == "gradients" or len(sequence) * sequence.numel() > VARIED:
        return integrated_gradients(question.beyond, question.seen, question.unseen), "gradients"
    if sequence.dim() == 1:
        return occlusion(question.answer, sequence, question.nothing), by
    span = min(-(-len(sequence) // WINDOWS), len(sequence))
    found = occlusion(question.answer, sequence, question.nothing, span=span)
    return Attribution(spread(found.weights, span), found.whole, found.nothing), by


@torch.no_grad()
def of_classifier(model: Any, sequence: Tensor, claim: Claim, unknown: int | None = None) -> Question:
    """What a classifier says of units (T) or of a series (T D).

    For a unit stands `unknown`, or none, its embedding being 0; for a series zeros.
    """
    if isinstance(model, BagOfWords):
        return of_bag(model, sequence, claim)
    sequence = sequence.to(next(model.parameters()).device)
    seen = _embedded(model, sequence)
    unseen, nothing = torch.zeros_like(seen[0]), None
    if sequence.dim() > 1:
        nothing = torch.zeros_like(sequence[0])
    elif unknown is not None:
        nothing = sequence.new_tensor(unknown)
        unseen = _embedded(model, nothing.expand_as(sequence))  # of each place, which may have an embedding too
    return Question(sequence, nothing, of_inputs(model, claim), seen, unseen, of_seen(model, claim))


@torch.no_grad()
def of_bag(model: BagOfWords, sequence: Tensor, claim: Claim) -> Question:
    """What a bag of words says of a text (T); words are left out.

    What it sees is the rows of W; where repeats do not count, the places of a word share its row. So without hidden
    layers the answer is linear in it, and gradients are exact.
    """
    sequence = sequence.to(model.words.weight.device)
    times = Counter(sequence.tolist())
    shares = [1.0 if model.counts else 1 / times[word] for word in sequence.tolist()]
    seen = model.words.weight[sequence] * model.words.weight.new_tensor(shares)[:, None]

    def beyond(rows: Padded) -> Tensor:
        sums = rows.data.sum(1) if model.bias is None else rows.data.sum(1) + model.bias
        above = sums if model.dense is None else model.dense(activate(sums, model.activation))
        return claim(model.head.log_probabilities(above))

    def answer(inputs: Padded) -> Tensor:
        return claim(model.log_probabilities(inputs))

    return Question(sequence, None, answer, seen, torch.zeros_like(seen[0]), beyond)


@torch.no_grad()
def of_tagger(model: TaggingModel, vectors: Tensor, claim: Claim) -> Question:
    """What a tagger says of the words of a sentence, given by their vectors (T D), for which zeros may stand.

    The claim is of the steps (B T K): see `at_step`.
    """
    unseen = torch.zeros_like(vectors[0])
    table = torch.cat([vectors, unseen[None]])  # a word goes by its place, so that its whole vector is replaced

    def beyond(seen: Padded) -> Tensor:
        shares = model.probabilities(model.features(seen))
        return claim(shares.clamp(min=torch.finfo(shares.dtype).tiny).log())

    def answer(places: Padded) -> Tensor:
        return beyond(places.replace(table[places.data]))

    places = torch.arange(len(vectors), device=vectors.device)
    return Question(places, places.new_tensor(len(vectors)), answer, vectors, unseen, beyond)


def _embedded(model: Any, sequence: Tensor) -> Tensor:
    seen: Tensor = model.embedded(Padded.full(sequence[None])).data[0]
    return seen
