"""Skip-thought against its formula, walked step by step; which decoder learns from which sentence."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from throughtime import Bidirectional, Padded, Recurrent, Stack
from throughtime.cells import GRU, LSTM
from throughtime.data.neighbours import NeighbourBatch
from throughtime.errors import ArgumentError
from throughtime.heads import AdaptiveSoftmax, Softmax
from throughtime.layers import Direct, LastPool, MaximumPool, MeanPool
from throughtime.models.skip_thought import SkipThought

END, VOCAB = 1, 9


def padded(rows):
    return Padded.of([torch.tensor(row, dtype=torch.long) for row in rows])


BATCH = NeighbourBatch(padded([[3, 4, 5], [6], [2, 2]]), padded([[], [3, 4, 5], [6]]), padded([[6], [2, 2], []]))


def make(
    encoder=None,
    pool=None,
    decoder=lambda width: Recurrent(GRU(width, 6)),
    feeding=True,
    tied=False,
    dropout=0.0,
    cutoffs=(),
):
    encoder = encoder or Recurrent(GRU(4, 5))
    decoders = [decoder(encoder.width + encoder.hidden * feeding) for _ in range(2)]
    embedding = nn.Embedding(VOCAB, encoder.width)
    head = Softmax(decoders[0].hidden, VOCAB, tied=embedding.weight if tied else None)
    if cutoffs:
        head = AdaptiveSoftmax(decoders[0].hidden, VOCAB, cutoffs=cutoffs)
    model = SkipThought(
        embedding, encoder, pool or LastPool(), decoders, head, end=END, feeding=feeding, dropout=dropout
    )
    return model.double()


WAYS = {
    "as published": make,
    "the vector begins, and is not fed": lambda: make(feeding=False),
    "both ways, LSTMs": lambda: make(
        Bidirectional(LSTM(4, 3), LSTM(4, 3)), LastPool(both=True), lambda width: Recurrent(LSTM(width, 6))
    ),
    "in bands": lambda: make(cutoffs=(4,)),
    "averages": lambda: make(Direct(4), MeanPool()),
    "deep, maximum, tied": lambda: make(
        Stack([Recurrent(GRU(4, 5)), Recurrent(GRU(5, 5))]), MaximumPool(),
        lambda width: Stack([Recurrent(GRU(width, 4)), Recurrent(GRU(4, 4))]), tied=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_the_loss_is_that_of_a_walk_over_each_neighbour_alone(way):
    model = WAYS[way]()
    total = torch.zeros((), dtype=torch.float64)
    count = 0
    for number, targets in enumerate((BATCH.before, BATCH.after)):
        decoder, bridge = model.decoders[number], model.bridges[number]
        for row, length in enumerate(targets.lengths.tolist()):
            if not length:
                continue
            one = Padded.full(BATCH.source.data[row : row + 1, : BATCH.source.lengths[row]])
            vector = model.pool(model.encoder(Padded.full(model.embedding(one.data)))[0])
            state, read = bridge(Padded.full(vector[:, None]), None), END
            for symbol in [*targets.data[row, :length].tolist(), END]:
                x = model.embedding(torch.tensor([read]))
                y, state = decoder.step(torch.cat([x, vector], 1) if model.feeding else x, state)
                total = total - model.head.log_probabilities(y)[0, symbol]
                read, count = symbol, count + 1
    tally, state = model.loss(BATCH)
    torch.testing.assert_close(tally.total, total)
    assert (tally.count, state) == (count, None)


@pytest.mark.parametrize("way", WAYS)
def test_padding_order_and_groups_change_nothing(way):
    model = WAYS[way]()
    wide = NeighbourBatch(
        *(Padded(F.pad(part.data, (0, 3)), part.lengths) for part in (BATCH.source, BATCH.before, BATCH.after))
    )
    turned = NeighbourBatch(*(part.take(torch.tensor([2, 0, 1])) for part in (BATCH.source, BATCH.before, BATCH.after)))
    whole = model.loss(BATCH)[0]
    for other in (wide, turned):
        torch.testing.assert_close(model.loss(other)[0].total, whole.total)
    groups = [model.loss(group)[0] for group in BATCH.split(3)]
    torch.testing.assert_close(sum(group.total for group in groups), whole.total)
    assert sum(group.count for group in groups) == whole.count
    torch.testing.assert_close(model.vectors(wide.source), model.vectors(BATCH.source))


@pytest.mark.parametrize("way", WAYS)
def test_every_weight_learns_and_each_decoder_from_its_own_side(way):
    model = WAYS[way]()
    model.loss(BATCH)[0].total.backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in model.parameters() if p.numel())
    model.zero_grad()
    none = padded([[], [], []])
    model.loss(NeighbourBatch(BATCH.source, BATCH.before, none))[0].total.backward()
    for number, learns in enumerate((True, False)):
        parts = [*model.decoders[number].parameters(), *model.bridges[number].parameters()]
        assert any(p.grad is not None and bool(p.grad.any()) for p in parts) is learns


def test_without_neighbours_there_is_nothing_to_learn():
    model, none = make(), padded([[], [], []])
    tally, _ = model.loss(NeighbourBatch(BATCH.source, none, none))
    tally.total.backward()
    assert (float(tally.total.detach()), tally.count) == (0.0, 0)


def test_dropout_is_of_training_alone():
    model = make(dropout=0.5)
    assert model.loss(BATCH)[0].mean != model.loss(BATCH)[0].mean
    model.eval()
    assert model.loss(BATCH)[0].mean == model.loss(BATCH)[0].mean


def test_a_sentence_without_words_has_zeros():
    assert not make().vectors(padded([[2], []]))[1].any()


@pytest.mark.parametrize(
    ("decoders", "says"),
    [
        ([Recurrent(GRU(9, 6))], r"decoders are two of as many units, for before and after; got units \[6\]"),
        ([Recurrent(GRU(9, 6)), Recurrent(GRU(9, 7))], r"got units \[6, 7\]"),
        ([Recurrent(GRU(4, 6)), Recurrent(GRU(4, 6))], "reads 9 numbers, the width of the embeddings and the vector"),
        ([Bidirectional(GRU(9, 3), GRU(9, 3))] * 2, "a decoder must be causal"),
    ],
)
def test_parts_that_do_not_fit_are_refused(decoders, says):
    with pytest.raises(ArgumentError, match=says):
        SkipThought(nn.Embedding(VOCAB, 4), Recurrent(GRU(4, 5)), LastPool(), decoders, Softmax(6, VOCAB), end=END)
