"""Every core is a row, every law of cores a column."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch

from throughtime import Padded, check_core, tree
from throughtime.cells import GRU, LSTM, Elman, LayerNormLSTM, PhasedLSTM, Zoneout
from throughtime.layers import (
    Additive,
    Attend,
    Attentive,
    Bidirectional,
    BothStates,
    CausalTransformer,
    Convolution,
    Design,
    Direct,
    General,
    Hard,
    LocalPredicted,
    Recurrent,
    ScaledDot,
    Stack,
    TransformerEncoder,
    Window,
)
from throughtime.layers.check import CAUSAL_LAWS, CORE_LAWS, exact

Factory = Callable[[], Any]


class Reading(Attentive):
    """A decoder whose initial state is over a source: the same for every row."""

    def initial(self, batch: int) -> Any:
        source = torch.linspace(-1, 1, 20, dtype=next(self.parameters()).dtype).sin().view(1, 5, 4)
        return self.begin(Padded(source, torch.tensor([4])).zeroed(), self.core.initial(batch))


CORES: dict[str, Factory] = {
    "Recurrent": lambda: Recurrent(LSTM(3, 4)),
    "Recurrent, plain loop": lambda: Recurrent(GRU(3, 4, reset="before")),
    "Recurrent reverse": lambda: Recurrent(LSTM(3, 4), reverse=True),
    "Stack of one": lambda: Stack([Recurrent(GRU(3, 4))]),
    "Stack deep": lambda: Stack([Recurrent(LSTM(3, 4)), Recurrent(GRU(4, 5)), Recurrent(Elman(5, 2))]),
    "Stack deep residual": lambda: Stack(
        [Recurrent(LSTM(3, 4)), Recurrent(LSTM(4, 4)), Recurrent(GRU(4, 4))], residual=True
    ),
    "Stack with dropout": lambda: Stack([Recurrent(LSTM(3, 4)), Recurrent(LSTM(4, 4))], dropout=0.5),
    "Stack of all sorts": lambda: Stack(
        [Window(3, 4, window=2), Recurrent(PhasedLSTM(4, 4, open_ratio=0.9)), Recurrent(Zoneout(LayerNormLSTM(4, 4)))],
        residual=True,
        dropout=0.5,
    ),
    "Stack in a Stack": lambda: Stack([Stack([Recurrent(GRU(3, 4))]), Recurrent(GRU(4, 4))]),
    "Bidirectional": lambda: Bidirectional(LSTM(3, 4), LSTM(3, 4)),
    "Bidirectional of two kinds": lambda: Bidirectional(LSTM(3, 2), GRU(3, 4, reset="before")),
    "Stack of Bidirectional": lambda: Stack(
        [Bidirectional(GRU(3, 2), GRU(3, 2)), Bidirectional(GRU(4, 2), GRU(4, 2))], residual=True
    ),
    "Stack of Bidirectional and Recurrent": lambda: Stack([Bidirectional(GRU(3, 2), GRU(3, 2)), Recurrent(LSTM(4, 4))]),
    "Window of 1": lambda: Window(3, 4, window=1),
    "Window of 1, 2 layers": lambda: Window(3, 4, window=1, layers=2),
    "Window of 5": lambda: Window(3, 4, window=5),
    "Window of 5, 2 layers": lambda: Window(3, 4, window=5, layers=2),
    "Window longer than the text": lambda: Window(3, 4, window=9),
    "Convolution": lambda: Convolution(3, 2, widths=(2, 3)),
    "Convolution wider than the text": lambda: Convolution(3, 4, widths=(9,)),
    "Direct": lambda: Direct(3),
    "Transformer encoder": lambda: TransformerEncoder(3, 4, 1, 2, design=Design(norm="after")),
    "Transformer encoder, rotary": lambda: TransformerEncoder(3, 4, 1, 2, positions="rotary", dropout=0.3),
    "Causal transformer": lambda: CausalTransformer(3, 4, 2, 2, context=4),
    "Causal transformer, learnt": lambda: CausalTransformer(3, 4, 1, 1, context=3, positions="learnt", dropout=0.3),
    "Causal transformer that sees one step": lambda: CausalTransformer(3, 4, 1, 2, context=1, positions="sinusoidal"),
    "Causal transformer that sees all": lambda: CausalTransformer(3, 4, 1, 2, context=20),
    "Attentive": lambda: Reading(Recurrent(GRU(3, 4)), Attend(Additive(4, 4))),
    "Attentive fed": lambda: Reading(Recurrent(LSTM(8, 4)), Attend(ScaledDot(4, 4)), feeding=True, hidden=5),
    "Attentive with coverage": lambda: Reading(Recurrent(LSTM(3, 4)), Attend(General(4, 4), coverage=True)),
    "Attentive, local, predicted": lambda: Reading(Recurrent(GRU(3, 4)), Attend(General(4, 4), LocalPredicted(4, 2))),
    "Attentive, hard": lambda: Reading(Recurrent(GRU(3, 4)), Attend(General(4, 4), Hard())),
}
WHOLE = ("Bidirectional", "reverse", "Convolution", "encoder")  # those that read the whole sequence
CAUSAL = [name for name in CORES if not any(kind in name for kind in WHOLE)]


def sequences(lengths: tuple[int, ...] = (7, 4, 1)) -> Padded:
    data = torch.randn(len(lengths), 7, 3, dtype=torch.float64)
    return Padded(data, torch.tensor(lengths)).zeroed()


def named(law: Callable[[Any], None]) -> Any:
    return pytest.param(law, id=law.__name__.strip("_"))


@pytest.mark.parametrize("law", [named(law) for law in CORE_LAWS])
@pytest.mark.parametrize("name", CORES)
def test_core_keeps_the_law(name, law):
    law(exact(CORES[name]()))


@pytest.mark.usefixtures("imitated")
@pytest.mark.parametrize("law", [named(law) for law in CAUSAL_LAWS])
@pytest.mark.parametrize("name", CAUSAL)
def test_causal_core_keeps_the_law(name, law):
    law(exact(CORES[name]()))


@pytest.mark.parametrize("name", CORES)
def test_check_core_is_silent_on_a_lawful_core(name):
    assert check_core(CORES[name]()) is None


@pytest.mark.parametrize("name", CORES)
def test_a_core_is_causal_when_no_output_changes_with_later_inputs(name):
    core = exact(CORES[name]())
    inputs = sequences((7, 7, 7))
    later = inputs.data.clone()
    later[:, 4:] += 1
    first, second = (core(Padded.full(data))[0].data[:, :4] for data in (inputs.data, later))
    assert core.causal == (name in CAUSAL) == torch.equal(first, second)


@pytest.mark.parametrize("name", CORES)
def test_a_state_that_is_carried_in_matters(name):
    core = exact(CORES[name]())
    inputs = sequences()
    _, state = core(inputs)
    if not any(leaf.numel() for _, leaf in tree.leaves(state) if leaf.dim() > 1):
        assert name.startswith(("Window of 1", "Convolution", "Direct", "Transformer encoder")) or "one step" in name
        return
    assert not torch.allclose(core(inputs, state)[0].data, core(inputs)[0].data)


@pytest.mark.parametrize("name", [name for name in CORES if name.startswith("Bidirectional")])
def test_resets_cut_a_bidirectional_core_into_pieces_for_both_directions(name):
    core = exact(CORES[name]())
    inputs = sequences((7, 5, 3))
    state = tree.detach(core(sequences((7, 5, 3)))[1])
    resets = torch.zeros(3, 7, dtype=torch.bool)
    resets[:, 3] = True  # the third row is over by then
    resets[0, 5] = True
    outputs, final = core(inputs, state, resets)
    for row, cuts in enumerate([[0, 3, 5, 7], [0, 3, 5], [0, 3]]):
        mine = tree.take(state, torch.tensor([row]))
        blank = core.initial(1)
        reached: Any = None
        for a, b in pairwise(cuts):
            carried = BothStates(
                mine.forward if a == 0 else blank.forward, mine.backward if b == cuts[-1] else blank.backward
            )
            piece, after = core(Padded.full(inputs.data[row : row + 1, a:b]), carried)
            torch.testing.assert_close(outputs.data[row : row + 1, a:b], piece.data, rtol=0, atol=1e-12)
            reached = BothStates(after.forward, after.backward if reached is None else reached.backward)
        wanted = dict(tree.leaves(reached))
        for place, ours in tree.leaves(tree.take(final, torch.tensor([row]))):
            torch.testing.assert_close(ours, wanted[place], rtol=0, atol=1e-12)
