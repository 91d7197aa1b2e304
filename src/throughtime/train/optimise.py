"""Optimisers, and their state as named tensors."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from throughtime.errors import RunError

Name = Literal["adamw", "sgd"]


def make_optimiser(
    name: Name, model: nn.Module, *, learning_rate: float, weight_decay: float = 0.0, momentum: float = 0.0
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, 2019; β 0.9 and 0.99) or stochastic gradient descent.

    Weights decay; biases and gains, which have one dimension, do not.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.99), fused=True)
    if not momentum:
        return torch.optim.SGD(groups, lr=learning_rate, fused=True)
    # The fused step fails when some parameters have momentum and others, which were frozen until now, have none yet.
    return torch.optim.SGD(groups, lr=learning_rate, momentum=momentum, foreach=True)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimiser remembers, each tensor under the number of its parameter."""
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": value
        for number, entry in state.items()
        for name, value in entry.items()
        if isinstance(value, Tensor)
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor], *, steps: int) -> None:
    """Makes an optimiser remember what `optimiser_tensors` gave after so many steps.

    A parameter that no gradient has reached yet, as those of a band of rare words, has no tensors; every other one has
    all of them.

    Raises `RunError` for anything else: the fused step would read past the end of a tensor that is too short.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    names = _remembered(optimiser)
    state: dict[int, dict[str, Tensor]] = {}
    for number, parameter in enumerate(parameters):
        entry = {name: tensors[key] for name in names if (key := f"{number}.{name}") in tensors}
        for name, tensor in entry.items():
            _check(f"{number}.{name}", tensor, parameter, steps)
        if entry:
            state[number] = entry
    if sum(map(len, state.values())) < len(tensors) or any(len(entry) < len(names) for entry in state.values()):
        raise RunError("the optimiser's memory is not that of this recipe's optimiser and model")
    if names and steps and not state:
        raise RunError(f"the optimiser's memory is gone: nothing is left of {steps} steps")
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _remembered(optimiser: torch.optim.Optimizer) -> tuple[str, ...]:
    """What an optimiser remembers of each parameter."""
    if isinstance(optimiser, torch.optim.AdamW):
        return ("step", "exp_avg", "exp_avg_sq")
    return ("momentum_buffer",) if any(group["momentum"] for group in optimiser.param_groups) else ()


def _check(key: str, tensor: Tensor, parameter: Tensor, steps: int) -> None:
    """Raises `RunError` unless the tensor is what could be remembered of the parameter."""
    counter = key.endswith(".step")
    shape, dtype = (torch.Size(), torch.float32) if counter else (parameter.shape, parameter.dtype)
    if (tensor.shape, tensor.dtype) != (shape, dtype):
        raise RunError(
            f"the optimiser's memory {key} does not fit: {tensor.dtype} {tuple(tensor.shape)}, "
            f"where this recipe has {dtype} {tuple(shape)}"
        )
    finite = bool(torch.isfinite(tensor).all())
    positive = not key.endswith(("_sq", ".step")) or bool((tensor >= 0).all())
    if not finite or not positive or (counter and float(tensor) > steps):
        raise RunError(f"the optimiser's memory {key} holds what {steps} steps cannot have left")
