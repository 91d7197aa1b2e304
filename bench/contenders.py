"""Who is measured: our scan of each cell, and what one would take instead of it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import runtime
import torch
from own import MinimalGated
from timing import Call
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from throughtime import Padded, cells, scan, tree
from throughtime.layers.scan import fold

CELLS: dict[str, Callable[[int, int], Any]] = {
    "lstm": cells.LSTM,
    "gru": cells.GRU,
    "elman": cells.Elman,
    "peephole": cells.PeepholeLSTM,
    "coupled": cells.CoupledLSTM,
    "gru-before": lambda width, hidden: cells.GRU(width, hidden, reset="before"),
    "layernorm": cells.LayerNormLSTM,
    "phased": cells.PhasedLSTM,
    "own": MinimalGated,
}
TORCH: dict[str, Callable[..., nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU, "elman": nn.RNN}
TITLES = {
    "lstm": "LSTM",
    "gru": "GRU",
    "elman": "Elman",
    "peephole": "PeepholeLSTM",
    "coupled": "CoupledLSTM",
    "gru-before": 'GRU, reset="before"',
    "layernorm": "LayerNormLSTM",
    "phased": "PhasedLSTM",
    "own": "a user's own cell",
}
PARTS = ("grid", "lengths", "short", "loop")  # dense; unequal lengths; one small point; torch.compile


class Case(NamedTuple):
    """A point: which part of the benchmark, which mode ("inference", "training"), which sizes."""

    part: str
    mode: str
    hidden: int
    batch: int
    steps: int

    @property
    def training(self) -> bool:
        return self.mode == "training"

    def __str__(self) -> str:
        return f"{self.part} {self.mode} H {self.hidden} B {self.batch} T {self.steps}"


class Data(NamedTuple):
    """What a case is run on: inputs, lengths, and the gradient that comes back to the outputs."""

    x: Tensor  # B T H, zero past a length
    lengths: Tensor  # B
    cotangent: Tensor  # B T H


class Contender(NamedTuple):
    """A call, and how to read what it gives: outputs, and gradients by name where the case is training."""

    name: str
    call: Call
    read: Callable[[Any], dict[str, Tensor]]


def data_of(case: Case) -> Data:
    """Random, the same for each call; lengths are uniform in 1..T, the longest T, where the part is "lengths"."""
    generator = torch.Generator().manual_seed(0)
    x, cotangent = (torch.randn(case.batch, case.steps, case.hidden, generator=generator) for _ in range(2))
    lengths = torch.full((case.batch,), case.steps)
    if case.part == "lengths":
        lengths = torch.randint(1, case.steps + 1, (case.batch,), generator=generator)
        lengths[0] = case.steps
    return Data(Padded(x, lengths).zeroed().data, lengths, cotangent)


def cell_of(name: str, case: Case) -> Any:
    """The cell, its vectors (biases, peepholes) moved off zeros and ones, where a mistake would not show."""
    torch.manual_seed(0)
    cell = CELLS[name](case.hidden, case.hidden).train(case.training)
    for parameter in cell.parameters():
        if parameter.dim() == 1:
            parameter.data.add_(0.1 * torch.rand_like(parameter))
    return cell


def operations(cell: Any, case: Case, data: Data) -> float:
    """Of the matrix products, two for a weight and a step; training takes them three times."""
    weights = sum(parameter.numel() for parameter in cell.parameters() if parameter.dim() == 2)
    return float(2 * weights * int(data.lengths.sum()) * (3 if case.training else 1))


def contenders(name: str, cell: Any, case: Case, data: Data, *, ours: bool = True) -> Iterator[Contender]:
    """All for one cell; what the first gives is what the others must give."""
    if name in TORCH:
        yield torch_module(name, cell, case, data)
    if not ours:
        return
    eager = case.part != "lengths"
    if eager:
        yield _made("eager loop", lambda x: fold(cell, Padded.full(x), cell.initial(len(x)))[0].data, cell, case, data)
    if case.part == "lengths":
        yield _made("ours", lambda x: scan(cell, Padded(x, data.lengths))[0].data, cell, case, data)
    else:
        yield _made("ours", lambda x: scan(cell, Padded.full(x))[0].data, cell, case, data)
    if case.part == "loop":
        yield _made("torch.compile", torch.compile(_loop(cell, case.steps)), cell, case, data)
    if name in runtime.OPERATORS and case.part == "grid" and not case.training and runtime.available():
        call, read = runtime.runner(name, cell, data.x, torch.get_num_threads())
        yield Contender("onnxruntime", call, lambda raw: {"outputs": read(raw)})


def torch_module(name: str, cell: Any, case: Case, data: Data) -> Contender:
    """torch.nn's module with the weights of the cell; with lengths, through packing and back."""
    module: Any = TORCH[name](case.hidden, case.hidden, batch_first=True).train(case.training)
    module.load_state_dict({f"{key}_l0": value for key, value in cell.state_dict().items()})
    if case.part != "lengths":
        return _made("torch.nn", lambda x: module(x)[0], module, case, data)

    def packed(x: Tensor) -> Tensor:
        sequence = pack_padded_sequence(x, data.lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(module(sequence)[0], batch_first=True, total_length=case.steps)[0]

    return _made("torch.nn packed", packed, module, case, data)


def _loop(cell: Any, steps: int) -> Callable[[Tensor], Tensor]:
    """The loop as one would write it for torch.compile, which unrolls it."""

    def loop(x: Tensor) -> Tensor:
        z, state, outputs = cell.project(x), cell.initial(len(x)), []
        for t in range(steps):
            y, state = cell.step(tree.map(lambda tensor, t=t: tensor[:, t], z), state)
            outputs.append(y)
        return torch.stack(outputs, 1)

    return loop


def _made(name: str, forward: Callable[[Tensor], Tensor], module: nn.Module, case: Case, data: Data) -> Contender:
    """The forward call alone, or with the gradients of inputs and weights."""
    x = data.x.detach().requires_grad_(case.training)
    if not case.training:
        return Contender(name, lambda: forward(x), lambda outputs: {"outputs": outputs})
    leaves = {"x": x} | {key.removesuffix("_l0"): parameter for key, parameter in module.named_parameters()}

    def call() -> tuple[Tensor, list[Tensor]]:
        outputs = forward(x)
        torch.autograd.backward(outputs, data.cotangent)
        gradients = [cast(Tensor, leaf.grad) for leaf in leaves.values()]
        for leaf in leaves.values():
            leaf.grad = None
        return outputs.detach(), gradients

    def read(raw: tuple[Tensor, list[Tensor]]) -> dict[str, Tensor]:
        return {"outputs": raw[0]} | {f"gradient of {key}": g for key, g in zip(leaves, raw[1], strict=True)}

    return Contender(name, call, read)


def disagreement(got: dict[str, Tensor], wanted: dict[str, Tensor], tolerance: float = 5e-3) -> str:
    """Where two results differ by more than the tolerance of the largest number; empty where they agree.

    It looks for mistakes, not for rounding: at H 512, T 128 the plain loop over LayerNormLSTM in float32 is itself 1e-3
    away from float64. Tests hold sweeps to 1e-10 in float64.
    """
    for key, value in wanted.items():
        far, scale = float((got[key] - value).abs().max()), max(1.0, float(value.abs().max()))
        if not far <= tolerance * scale:
            return f"{key} is off by {far:.2g} (the largest is {scale:.2g})"
    return ""
