"""Translating, by an encoder and decoder with attention, beside the same model as one writes it with torch.nn.

    python bench/translate.py                               a table, and bench/translate.csv
    python bench/translate.py --run RUN --source FILE       decoding by a run that was trained, of sentences of a file
    python bench/translate.py --quick                       a smoke run, without a CSV

Both have GRUs of the same sizes and the same weights: embeddings, an encoder of two directions, a bridge, general
attention after the decoder, a softmax over the vocabulary. They work in one process, in turns, on the same batches.
Figures are medians over rounds, in seconds of the processor on one thread and of the clock on more.

training    updates of Adam on batches of about the same length, target tokens a second, ends counted
greedy      32 sentences at a time, sorted by length
beam        the same with five hypotheses each, and beside it the sentences one by one

Sentences are made: lengths as those of captions, words as frequent as in a language. A model that has learned nothing
never ends, so that the limit of each sentence, its reference's length, does it. With --run nothing is made, and the run
has to be of this model: GRUs of one layer, both ways, one head of general attention, no input feeding.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from peer import machine, write
from rich.table import Table
from rows import terminal
from torch import Tensor, nn
from translate_peer import PAD, Peer

from throughtime import load
from throughtime.cells import GRU
from throughtime.data.lines import Lines
from throughtime.data.pair_batches import PairBatch, PairBatches
from throughtime.data.units import Ids
from throughtime.heads import Softmax
from throughtime.layers import Bidirectional, Bridge, Recurrent
from throughtime.layers.attend import Attend
from throughtime.layers.attentive import Attentive
from throughtime.layers.packed import packed
from throughtime.layers.scores import General
from throughtime.models.translation import Encoder, Reader, TranslationModel, Uncounted
from throughtime.padded import Padded
from throughtime.search import Beam, Rules, beam, greedy

WIDTH, BATCH, BEAM = 256, 32, 5
SIZES = ((512, 8000), (256, 64))  # units and vocabulary: of words or their parts, of letters or phones
Call = Callable[[], Any]


class Sentences(NamedTuple):
    """A batch to translate, and how long each translation may be."""

    source: Padded
    longest: list[int]


def made(count: int, vocab: int, seed: int = 0) -> tuple[list[Ids], ...]:
    """Sources and targets (without their ends): about 13 words, by the frequencies of a language."""
    chance = np.random.default_rng(seed)
    shares = 1 / np.arange(1, vocab)  # the last symbol is the end
    lengths = np.clip(np.exp(chance.normal(np.log(12), 0.35, count)), 3, 40)
    both = lengths, np.clip(lengths * chance.normal(1, 0.15, count), 2, 45)
    return tuple(
        np.split(chance.choice(vocab - 1, int(ends[-1]), p=shares / shares.sum()).astype(np.int32), ends[:-1])
        for ends in (np.cumsum(sizes.astype(np.int64)) for sizes in both)
    )


def model_of(hidden: int, vocab: int) -> TranslationModel:
    core, inner = Bidirectional(GRU(WIDTH, hidden), GRU(WIDTH, hidden)), Recurrent(GRU(WIDTH, hidden))
    encoder = Encoder(Reader(nn.Embedding(vocab, WIDTH)), core, Bridge(core, inner))
    decoder = Attentive(inner, Attend(General(hidden, 2 * hidden)))
    return TranslationModel(encoder, Reader(nn.Embedding(vocab, WIDTH)), decoder, Softmax(hidden, vocab), end=vocab - 1)


@torch.no_grad()
def peer_of(model: TranslationModel) -> Peer:
    """The peer with the model's weights."""
    core, decoder = model.encoder.core, model.decoder
    source, target = model.encoder.reader.embedding, model.target.embedding
    sizes = {"width": target.embedding_dim, "hidden": decoder.core.hidden, "readout": decoder.hidden}
    peer = Peer(source.num_embeddings, target.num_embeddings, **sizes)
    pairs = [(peer.source, source), (peer.target, target), (peer.head, model.head), (peer.join, decoder.join)]
    pairs += [(peer.bridge, model.encoder.bridge.linear), (peer.keys, decoder.attend.scores[0].key)]
    for theirs, ours in pairs:
        for name, weight in theirs.named_parameters():
            weight.copy_(getattr(ours, name))
    cells = [
        ("encoder", "", core.ahead.cell),
        ("encoder", "_reverse", core.back.cell),
        ("decoder", "", decoder.core.cell),
    ]
    for part, end, cell in cells:
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(getattr(peer, part), f"{name}_l0{end}").copy_(getattr(cell, name))
    return peer


class Measured(NamedTuple):
    """What a contender took in the median of all rounds, and how much it did."""

    seconds: float
    done: int  # tokens
    rounds: int


def in_turns(calls: dict[str, Call], rounds: int) -> dict[str, Measured]:
    """Every contender once a round, forwards and backwards by turns, after a round that warms up."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    taken: dict[str, list[float]] = {name: [] for name in calls}
    done = {name: call() for name, call in calls.items()}
    for number in range(rounds):
        for name in list(calls)[:: 1 - 2 * (number % 2)]:
            start = clock()
            calls[name]()
            taken[name].append(clock() - start)
    return {name: Measured(median(taken[name]), done[name], rounds) for name in calls}


def updates_of(model: nn.Module, losses: Sequence[Callable[[], Tensor]]) -> Call:
    """An update for each of the losses; gives nothing."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def run() -> None:
        for loss in losses:
            optimiser.zero_grad()
            loss().backward()
            optimiser.step()

    return run


def mean_loss(model: TranslationModel, batch: PairBatch) -> Tensor:
    tally, _ = model.loss(batch)
    return cast(Tensor, tally.total) / tally.count


def training(model: TranslationModel, peer: Peer, tokens: int, count: int) -> dict[str, Call]:
    """An update for each of some batches, by both."""
    order = PairBatches(*made(count * tokens // 10, peer.end + 1), tokens=tokens, seed=0)
    batches: list[PairBatch] = [order.chunk(0, number) for number in range(count)]
    ours, theirs = [], []
    for batch in batches:
        ends = torch.full((len(batch.target.data), 1), peer.end)
        read = torch.cat([ends, batch.target.data], 1)
        places, last = torch.arange(read.shape[1]), batch.target.lengths[:, None]
        predicted = torch.cat([batch.target.data, ends], 1).masked_fill(places == last, peer.end)
        inputs = batch.source.data, batch.source.lengths, read, predicted.masked_fill(places > last, PAD)
        ours.append(lambda batch=batch: mean_loss(model, batch))
        theirs.append(lambda inputs=inputs: peer.loss(*inputs))
    for mine, yours in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine(), yours(), rtol=1e-4, atol=1e-4)
    units = sum(int((batch.target.lengths + 1).sum()) for batch in batches)
    calls = {"ours": updates_of(model, ours), "torch.nn": updates_of(peer, theirs)}
    return {name: lambda call=call: call() or units for name, call in calls.items()}


def batched(sources: Sequence[Tensor], longest: Sequence[int]) -> list[Sentences]:
    """Sorted by length, so many at a time."""
    order = sorted(range(len(sources)), key=lambda place: len(sources[place]))
    parts = [order[first : first + BATCH] for first in range(0, len(order), BATCH)]
    return [Sentences(Padded.of([sources[i] for i in part]), [longest[i] for i in part]) for part in parts]


def alone(parts: Sequence[Sentences]) -> list[Sentences]:
    """The same sentences one by one."""
    return [
        Sentences(
            Padded(part.source.data[row : row + 1, :size], part.source.lengths[row : row + 1]), [part.longest[row]]
        )
        for part in parts
        for row, size in enumerate(part.source.lengths.tolist())
    ]


def decoding(model: TranslationModel, peer: Peer, parts: Sequence[Sentences]) -> dict[str, dict[str, Call]]:
    """Greedy and beam, by both, and the beam of ours one by one; each gives how many tokens it made, ends counted."""
    rules, settings, stepper = Rules(end=model.end), Beam(width=BEAM), Uncounted(model)
    model.eval()
    peer.eval()

    def ours_greedy() -> list[Sequence[int]]:
        with packed(model):
            found = [greedy(stepper, part.source, rules=rules, longest=part.longest) for part in parts]
        return [one.tokens for batch in found for one in batch]

    def ours_beam(some: Sequence[Sentences]) -> list[Sequence[int]]:
        with packed(model):
            found = [beam(stepper, one.source, rules=rules, longest=one.longest, settings=settings) for one in some]
        return [best[0].tokens for batch in found for best in batch]

    def theirs(some: Sequence[Sentences], search: Callable[..., list[list[int]]], **more: Any) -> list[Sequence[int]]:
        whole = (search(one.source.data, one.source.lengths, torch.tensor(one.longest), **more) for one in some)
        return [tokens for batch in whole for tokens in batch]

    single = alone(parts)
    calls: dict[str, dict[str, Callable[[], list[Sequence[int]]]]] = {
        "greedy": {"ours": ours_greedy, "torch.nn": lambda: theirs(parts, peer.greedy)},
        "beam": {
            "ours": lambda: ours_beam(parts),
            "torch.nn": lambda: theirs(parts, peer.beam, width=BEAM),
            "ours, one by one": lambda: ours_beam(single),
            "torch.nn, one by one": lambda: theirs(single, peer.beam, width=BEAM),
        },
    }
    return {
        part: {name: lambda call=call: sum(len(tokens) + 1 for tokens in call()) for name, call in some.items()}
        for part, some in calls.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a run of translate")
    parser.add_argument("--source", type=Path, help="sentences that the run translates")
    parser.add_argument("--tokens", type=int, default=4096, help="of a batch of training, padding counted")
    parser.add_argument("--sentences", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a smoke run, no CSV")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.quick:
        options.sentences, options.rounds, options.tokens = 32, 1, 512
    rows = asked(options) if options.run else [row for sizes in SIZES for row in sized(options, *sizes)]
    table = Table("", "units", "vocabulary", "who", "tokens/s", "ours is × of it", "rounds")
    shown = "task", "hidden", "vocab", "contender", "tokens_per_second", "ours_times", "rounds"
    for row in rows:
        table.add_row(*(str(row[key]) for key in shown))
    console = terminal()
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()))
    if not options.quick:
        write(options.out, [row | machine() for row in rows])


def sized(options: argparse.Namespace, hidden: int, vocab: int) -> list[dict[str, Any]]:
    """All rows of models of a size, on sentences that are made."""
    torch.manual_seed(0)
    model, learning = model_of(hidden, vocab), model_of(hidden, vocab)
    sources, targets = made(options.sentences, vocab, seed=1)
    parts = batched([torch.from_numpy(ids).long() for ids in sources], list(map(len, targets)))
    tasks = {"training": training(learning, peer_of(learning), options.tokens, 2 if options.quick else 4)}
    tasks |= decoding(model, peer_of(model), parts)
    sizes = {"data": "made", "hidden": hidden, "vocab": vocab}
    return [sizes | row for task, calls in tasks.items() for row in measured(task, calls, options.rounds)]


def asked(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of a run's decoding, on sentences of a file."""
    translator = load(options.run)
    lines = list(Lines(options.source))[: options.sentences]
    sources = [torch.from_numpy(translator.read(line)).long() for line in lines]
    parts = batched(sources, [translator.lengths.limit(len(ids)) for ids in sources])
    tasks = decoding(translator.model, peer_of(translator.model), parts)
    weight = translator.model.head.weight
    sizes = {"data": options.source.name, "hidden": translator.model.decoder.core.hidden, "vocab": len(weight)}
    return [sizes | row for task, calls in tasks.items() for row in measured(task, calls, options.rounds)]


def measured(task: str, calls: dict[str, Call], rounds: int) -> list[dict[str, Any]]:
    """A row for each contender."""
    found = in_turns(calls, rounds)
    done = {name: one.done for name, one in found.items()}
    assert max(done.values()) <= 1.05 * min(done.values()), f"{task}: these do not do the same: {done}"
    rates = {name: one.done / one.seconds for name, one in found.items()}
    return [
        {
            "task": task,
            "contender": name,
            "tokens": found[name].done,
            "tokens_per_second": round(rate),
            "ours_times": round(rates["ours"] / rate, 2),
            "rounds": rounds,
        }
        for name, rate in rates.items()
    ]


if __name__ == "__main__":
    main()
