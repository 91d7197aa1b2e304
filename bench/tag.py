"""Tagging sentences, from Python's words to tags, beside the same model as one writes it with torch.nn.

    python bench/tag.py --run RUN --data test.conllu.gz            a table of words a second, and bench/tag.csv
    python bench/tag.py --run RUN --data test.conllu.gz --quick    a smoke run, without a CSV

RUN is a tagger of one layer of LSTM with a softmax. The peer has its very weights: nn.Embedding, nn.Conv1d over the
letters of the different words of a batch, nn.LSTM on packed batches, nn.Linear. Both look words up in dictionaries,
sort sentences by length, read batches of the same sentences, and give the tag and its probability at each word. They
work in one process, in turns: once as if no word had been met before, and once with the vectors of all words there,
which the peer is given too. The tags of both are the same.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from peer import machine, write
from rich.table import Table
from rows import terminal
from timing import Runner, interleave, seconds
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from throughtime import load
from throughtime.data.conll import Sentences
from throughtime.data.lexicon import Lexicon
from throughtime.layers.characters import CharacterConvolution
from throughtime.models.tagger import ROWS, STEPS, Tagger

Sentence = Sequence[str]
NAMES = ("ours, new words", "torch.nn, new words", "ours, words met", "torch.nn, words met")


class Peer(nn.Module):
    """The model, and what is remembered of words: the numbers of each, and, if it may, its vector."""

    def __init__(self, tagger: Tagger) -> None:
        super().__init__()
        words, (layer,) = tagger.model.words, tagger.model.core.layers
        assert isinstance(words.letters, CharacterConvolution)
        self.lexicon, self.tags = tagger.lexicon, tagger.tags
        self.words, self.features = words.embedding, words.features
        self.letters, self.filters = words.letters.embedding, words.letters.core.filters
        self.lstm = nn.LSTM(words.width, layer.ahead.hidden, batch_first=True, bidirectional=True)
        for end, cell in (("", layer.ahead.cell), ("_reverse", layer.back.cell)):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(self.lstm, f"{name}_l0{end}").data.copy_(getattr(cell, name))
        self.linear = tagger.model.head.linear
        self.known: dict[str, int] = {}
        self.vectors = torch.empty(0, words.width)

    def vectors_of(self, words: list[str]) -> Tensor:
        """Of different words."""
        numbers = torch.tensor([self.lexicon.features(word) for word in words])
        spelled = [torch.tensor(self.lexicon.spelled(word)) for word in words]
        lengths = torch.tensor([len(one) for one in spelled])
        letters = self.letters(pad_sequence(spelled, batch_first=True))
        beyond = torch.arange(letters.shape[1]) >= lengths[:, None]
        x = letters.masked_fill(beyond[..., None], 0).transpose(1, 2)
        found = []
        for part in self.filters:
            (size,) = part.kernel_size
            answers = part(nn.functional.pad(x, ((size - 1) // 2, size // 2)))
            found.append(torch.relu(answers).masked_fill(beyond[:, None], -torch.inf).amax(2))
        others = [part(column) for part, column in zip(self.features, numbers[:, 1:].unbind(1), strict=True)]
        return torch.cat([self.words(numbers[:, 0]), *others, *found], 1)

    def remember(self, sentences: list[Sentence]) -> None:
        """Keeps the vectors of all words."""
        self.known = {word: place for place, word in enumerate(dict.fromkeys(w for s in sentences for w in s))}
        self.vectors = self.vectors_of(list(self.known))

    def batch(self, sentences: list[Sentence]) -> Tensor:
        """B T D."""
        known, vectors = self.known, self.vectors
        if not known:
            known = {word: place for place, word in enumerate(dict.fromkeys(w for s in sentences for w in s))}
            vectors = self.vectors_of(list(known))
        places = [torch.tensor([known[word] for word in sentence]) for sentence in sentences]
        return nn.functional.embedding(pad_sequence(places, batch_first=True), vectors)

    @torch.no_grad()
    def tag(self, sentences: list[Sentence]) -> list[tuple[list[str], Any]]:
        found: list[Any] = [None] * len(sentences)
        for places in parts(sentences):
            some = [sentences[place] for place in places]
            lengths = torch.tensor([len(sentence) for sentence in some])
            packed = pack_padded_sequence(self.batch(some), lengths, batch_first=True, enforce_sorted=False)
            features, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
            shares, best = torch.softmax(self.linear(features), -1).max(-1)
            for place, length, numbers, share in zip(places, lengths.tolist(), best.tolist(), shares, strict=True):
                found[place] = [self.tags[number] for number in numbers[:length]], share[:length].numpy()
        return found


def parts(sentences: list[Sentence]) -> list[list[int]]:
    """The places of sentences in batches of about the same length, of the sizes that ours has."""
    found: list[list[int]] = [[]]
    for place in sorted(range(len(sentences)), key=lambda place: len(sentences[place])):
        if found[-1] and (len(found[-1]) == ROWS or (len(found[-1]) + 1) * len(sentences[place]) > STEPS):
            found.append([])
        found[-1].append(place)
    return found


def contenders(tagger: Tagger, sentences: list[Sentence]) -> dict[str, Any]:
    fresh, met, peer, peer_met = (make(tagger) for make in (again, again, Peer, Peer))
    with torch.no_grad():
        peer_met.remember(sentences)
    calls = (
        lambda: again(fresh).tag(sentences),
        lambda: peer.tag(sentences),
        lambda: met.tag(sentences),
        lambda: peer_met.tag(sentences),
    )
    return dict(zip(NAMES, calls, strict=True))


def again(tagger: Tagger) -> Tagger:
    """The tagger, which has met no word."""
    lexicon: Lexicon = tagger.lexicon
    return Tagger(tagger.model, lexicon, tagger.tags, scheme=tagger.scheme, learned=tagger.learned)


def agree(calls: dict[str, Any]) -> None:
    """All give the same tags but where two are equally likely, which roundings decide."""
    ours, *others = (call() for call in calls.values())
    for other in others:
        tags = [one.tags if hasattr(one, "tags") else one[0] for one in other]
        same = sum(a == b for one, some in zip(ours, tags, strict=True) for a, b in zip(one.tags, some, strict=True))
        assert same >= 0.9999 * sum(len(one.tags) for one in ours)


def processor_seconds(call: Any) -> float:
    """What a call takes of the processor, whoever else works on the machine: the median of three."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="a run folder of a tagger")
    parser.add_argument("--data", type=Path, required=True, help="sentences, CoNLL-U or columns")
    parser.add_argument("--quick", action="store_true", help="a smoke run: a hundred sentences, no CSV")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each contender")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sentences: list[Sentence] = [sentence.tokens for sentence in Sentences(options.data, tagged=False)]
    if options.quick:
        sentences = sentences[:100]
    words = sum(map(len, sentences))
    calls = contenders(load(options.run), sentences)
    agree(calls)
    runners = [Runner(call, seconds(call)) for call in calls.values()]
    interleave(runners, 0.1 if options.quick else options.seconds)
    rows = []
    for place, (name, runner) in enumerate(zip(NAMES, runners, strict=True)):
        theirs = runners[place + 1 - place % 2]
        rows.append(
            {
                "contender": name,
                "sentences": len(sentences),
                "words": words,
                "words_per_second": round(words / runner.seconds),
                "words_per_cpu_second": round(words / processor_seconds(runner.call)),
                "turns": len(runner.turns),
                "times_torch": round(theirs.seconds / runner.seconds, 2),
            }
        )
    table = Table("who", "words/s", "words/s of the processor", "× torch.nn", "turns")
    shown = "contender", "words_per_second", "words_per_cpu_second", "times_torch", "turns"
    for row in rows:
        table.add_row(*(str(row[key]) for key in shown))
    console = terminal()
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()))
    if not options.quick:
        write(Path(__file__).with_suffix(".csv"), [row | machine() for row in rows])


if __name__ == "__main__":
    main()
