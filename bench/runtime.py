"""Our cells in onnxruntime, by ONNX's own recurrent operators, for those that it has."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

OPERATORS = {"lstm": "LSTM", "peephole": "LSTM", "gru": "GRU", "gru-before": "GRU", "elman": "RNN"}
ORDERS = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}  # i f g o is i o f c there, r z n is z r h
STATES = {"LSTM": ("hidden", "cell"), "GRU": ("hidden",), "RNN": ("hidden",)}
HINT = 'onnxruntime: not here; pip install "throughtime[bench]"'


def available() -> bool:
    try:
        import onnx
        import onnxruntime
    except ImportError:
        return False
    return bool(onnx.__version__ and onnxruntime.__version__)


def session(name: str, cells: Sequence[Any], threads: int) -> Any:
    """Layers of a cell as one session: x (T B D), and a state in and out for each layer, to outputs (T B H).

    States are named hidden0, cell0, ...; each is 1 B H.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")  # between runs, that is: others have turns
    return onnxruntime.InferenceSession(_model(name, cells).SerializeToString(), options, ["CPUExecutionProvider"])


def runner(name: str, cell: Any, x: Tensor, threads: int) -> tuple[Callable[[], Any], Callable[[Any], Tensor]]:
    """A call over the whole of x (B T D), and how to read its outputs as B T H."""
    ready, batch, hidden = session(name, [cell], threads), len(x), int(cell.hidden)
    feed = {"x": np.ascontiguousarray(x.detach().transpose(0, 1).numpy())}
    feed |= {f"{state}0": np.zeros((1, batch, hidden), np.float32) for state in STATES[OPERATORS[name]]}
    return lambda: ready.run(["outputs"], feed), lambda raw: torch.from_numpy(raw[0]).transpose(0, 1)


def _model(name: str, cells: Sequence[Any]) -> Any:
    from onnx import TensorProto, helper

    operator = OPERATORS[name]
    nodes, constants, below = [], [_constant("axis", np.array([1]))], "x"
    inputs, outputs = [_value("x", ["T", "B", cells[0].width])], []
    for i, cell in enumerate(cells):
        above = "outputs" if i == len(cells) - 1 else f"outputs{i}"
        states = [f"{state}{i}" for state in STATES[operator]]
        weights = _weights(name, cell)
        constants += [_constant(f"{key}{i}", value) for key, value in weights.items()]
        taken = [below, f"W{i}", f"R{i}", f"B{i}", "", *states]
        taken += [f"P{i}"] if "P" in weights else []
        given = [f"raw{i}", *(f"next_{state}" for state in states)]
        options: dict[str, Any] = {"linear_before_reset": int(name == "gru")} if operator == "GRU" else {}
        nodes.append(helper.make_node(operator, taken, given, hidden_size=cell.hidden, **options))
        nodes.append(helper.make_node("Squeeze", [f"raw{i}", "axis"], [above]))
        inputs += [_value(state, [1, "B", cell.hidden]) for state in states]
        outputs += [_value(f"next_{state}", [1, "B", cell.hidden]) for state in states]
        below = above
    outputs.insert(0, helper.make_tensor_value_info("outputs", TensorProto.FLOAT, ["T", "B", cells[-1].hidden]))
    graph = helper.make_graph(nodes, "cells", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def _value(name: str, shape: list[Any]) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _constant(name: str, value: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(value, name)


def _weights(name: str, cell: Any) -> dict[str, Any]:
    """W, R and B, and the peepholes P, with blocks in ONNX's order and its leading axis of directions."""
    order = ORDERS[OPERATORS[name]]

    def blocks(weight: Tensor) -> Tensor:
        parts = weight.detach().chunk(len(order))
        return torch.cat([parts[i] for i in order])

    weights = {
        "W": blocks(cell.weight_ih),
        "R": blocks(cell.weight_hh),
        "B": torch.cat([blocks(cell.bias_ih), blocks(cell.bias_hh)]),
    }
    if name == "peephole":
        weights["P"] = torch.cat([cell.weight_ci, cell.weight_co, cell.weight_cf]).detach()
    return {key: value[None].numpy() for key, value in weights.items()}
