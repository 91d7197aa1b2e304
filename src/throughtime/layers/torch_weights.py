"""Weights to and from torch.nn.RNN, LSTM and GRU, by name."""

from typing import Any, cast

from torch import Tensor, nn

from throughtime.cells import GRU, LSTM, Elman
from throughtime.errors import ArgumentError
from throughtime.layers.bidirectional import Bidirectional
from throughtime.layers.scan import Recurrent
from throughtime.layers.stack import Stack


def from_torch(module: nn.RNN | nn.LSTM | nn.GRU) -> Stack:
    """A stack with the sizes, directions and weights of a torch module.

    Raises `ArgumentError` for a module with a projection or with dropout between layers, which have no equal here.

    >>> from_torch(nn.LSTM(3, 4, num_layers=2, bidirectional=True)).hidden
    8
    """
    if getattr(module, "proj_size", 0) or (module.dropout and module.num_layers > 1):
        raise ArgumentError(
            f"proj_size={module.proj_size} and dropout={module.dropout} have no equal in a Stack; only 0 converts"
        )
    directions = 2 if module.bidirectional else 1
    layers: list[Any] = []
    for layer in range(module.num_layers):
        width = module.input_size if layer == 0 else module.hidden_size * directions
        cells = [_cell(module, width) for _ in range(directions)]
        layers.append(Bidirectional(*cells) if module.bidirectional else Recurrent(cells[0]))
    stack = Stack(layers).to(cast(Tensor, module.weight_ih_l0))
    stack.load_state_dict({ours: module.state_dict()[theirs] for ours, theirs in _names(stack).items()})
    return stack


def to_torch(stack: Stack) -> nn.RNN | nn.LSTM | nn.GRU:
    """The torch module (batch first) with the sizes, directions and weights of a stack.

    Raises `ArgumentError` where torch has no such module: other cells, unequal layers, residual connections, dropout.

    >>> to_torch(Stack([Recurrent(GRU(3, 4))]))
    GRU(3, 4, batch_first=True)
    """
    cells = [cell for layer in stack.layers for cell in _cells(layer)]
    first, both = cells[0], isinstance(stack.layers[0], Bidirectional)
    known = {type(cell) for cell in cells} in ({Elman}, {LSTM}, {GRU})
    uniform = known and len({(cell.hidden, _variant(cell), cell.bias_ih is None) for cell in cells}) == 1
    if not uniform or _variant(first) == "before":
        raise ArgumentError("torch.nn has stacks of equal Elman, LSTM and GRU (reset after) layers only")
    directions = {"both" if isinstance(layer, Bidirectional) else layer.reverse for layer in stack.layers}
    if directions not in ({"both"}, {False}):
        raise ArgumentError("torch.nn has no mixed directions, nor the backward one by itself")
    if stack.residual or stack.dropout.rate or any(cell.recurrent_dropout for cell in cells):
        raise ArgumentError("torch.nn has no residual connections, variational dropout or recurrent dropout")
    kind: Any = {Elman: nn.RNN, LSTM: nn.LSTM, GRU: nn.GRU}[type(first)]
    options = {"nonlinearity": first.nonlinearity} if isinstance(first, Elman) else {}
    module = kind(
        first.width,
        first.hidden,
        num_layers=len(stack.layers),
        bias=first.bias_ih is not None,
        batch_first=True,
        bidirectional=both,
        **options,
    ).to(first.weight_ih)
    module.load_state_dict({theirs: stack.state_dict()[ours] for ours, theirs in _names(stack).items()})
    return cast(nn.RNN | nn.LSTM | nn.GRU, module)


def _cell(module: nn.RNN | nn.LSTM | nn.GRU, width: int) -> Elman | LSTM | GRU:
    if isinstance(module, nn.RNN):
        nonlinearity: Any = module.nonlinearity
        return Elman(width, module.hidden_size, nonlinearity=nonlinearity, bias=module.bias)
    kind: type[LSTM] | type[GRU] = LSTM if isinstance(module, nn.LSTM) else GRU
    return kind(width, module.hidden_size, bias=module.bias)


def _cells(layer: Any) -> list[Any]:
    if isinstance(layer, Bidirectional):
        return [layer.ahead.cell, layer.back.cell]
    return [getattr(layer, "cell", layer)]


def _variant(cell: Any) -> str:
    return str(getattr(cell, "nonlinearity", getattr(cell, "reset", "")))


def _names(stack: Stack) -> dict[str, str]:
    """Our names of parameters to torch's: layers.1.back.cell.weight_hh is weight_hh_l1_reverse."""
    names = {}
    for ours in stack.state_dict():
        _, layer, *middle, name = ours.split(".")
        names[ours] = f"{name}_l{layer}" + ("_reverse" if "back" in middle else "")
    return names
