"""To everything in torch that handles modules, these are torch.nn's: names, copies, files, parametrisations, tools."""

import copy
import gc
import inspect
import threading
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrize, prune
from torch.nn.utils.parametrizations import orthogonal, weight_norm
from torch.nn.utils.rnn import pack_sequence

import throughtime
from throughtime import check_cell, drop_in, from_torch
from throughtime.drop_in import modules, sweeps
from throughtime.drop_in.projected import ProjectedLSTM

NAMES = ["RNN", "LSTM", "GRU"]
EVERY = pytest.mark.parametrize("name", NAMES)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2},
    {"num_layers": 3, "bidirectional": True, "dropout": 0.25},
    {"bias": False, "batch_first": True},
    {"device": "cpu", "dtype": torch.float64},
]


def both(name: str, *sizes: int, **options: Any) -> tuple[Any, Any]:
    """Ours and torch's, with the same weights."""
    ours, theirs = (getattr(home, name)(*(sizes or (3, 4)), **options) for home in (drop_in, nn))
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def same(ours: Any, theirs: Any, *input: Any) -> None:
    (y, final), (their_y, their_final) = ours(*input), theirs(*input)
    torch.testing.assert_close(getattr(y, "data", y), getattr(their_y, "data", their_y))
    torch.testing.assert_close(final, their_final)


def inputs(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(5, 2, 3, dtype=dtype)


CONSTRUCTED = [(name, options) for name in NAMES for options in OPTIONS] + [
    ("LSTM", {"proj_size": 2, "bidirectional": True}),
    ("RNN", {"nonlinearity": "relu"}),
]


@pytest.mark.parametrize(("name", "options"), CONSTRUCTED)
def test_a_module_looks_like_torchs(name, options):
    ours, theirs = (getattr(home, name)(3, 4, **options) for home in (drop_in, nn))
    assert repr(ours) == repr(theirs)
    assert isinstance(ours, getattr(nn, name))
    ours(inputs(ours.weight_ih_l0.dtype).transpose(0, 1))  # nothing of this is changed by a call
    assert vars(ours).keys() == vars(theirs).keys()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert list(ours.named_modules()) == [("", ours)]
    assert [[w.shape for w in row] for row in ours.all_weights] == [
        [w.shape for w in row] for row in theirs.all_weights
    ]
    for name, weight in theirs.named_parameters():
        assert getattr(ours, name).dtype == weight.dtype
    assert ours.load_state_dict(theirs.state_dict(), strict=True) == theirs.load_state_dict(ours.state_dict())


@EVERY
def test_arguments_have_torchs_names_and_places(name):
    for function in ("__init__", "forward"):
        ours, theirs = (inspect.signature(getattr(getattr(home, name), function)) for home in (drop_in, nn))
        assert list(ours.parameters) == list(theirs.parameters)
    same(*both(name), inputs())
    ours, theirs = both(name)
    x = inputs()
    assert torch.equal(ours(input=x, hx=None)[0], ours(x)[0])


@EVERY
def test_weights_start_as_torchs(name):
    drawn = []
    for home in (drop_in, nn):
        torch.manual_seed(1)
        module = getattr(home, name)(3, 4, 2, bidirectional=True)
        drawn.append((module.state_dict(), torch.rand(1)))
    assert drawn[0][1] == drawn[1][1]
    assert all(torch.equal(drawn[0][0][key], value) for key, value in drawn[1][0].items())


@EVERY
def test_a_call_draws_nothing_at_random(name):
    module, x = getattr(drop_in, name)(3, 4, 2), inputs()
    before = torch.get_rng_state()
    module(x)
    assert torch.equal(torch.get_rng_state(), before)


@EVERY
def test_copies_and_files_are_modules_of_their_own(name, tmp_path):
    ours, theirs = both(name, 3, 4, 2)
    x = inputs()
    for called in (False, True):
        if called:
            same(ours, theirs, x)
        torch.save(ours, tmp_path / "whole.pt")
        for again in (copy.deepcopy(ours), copy.copy(ours), torch.load(tmp_path / "whole.pt", weights_only=False)):
            assert type(again) is type(ours)
            same(again, theirs, x)
    twin = copy.deepcopy(ours)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.zero_()
    assert not twin(x)[0].any()
    same(ours, theirs, x)


@EVERY
def test_weights_may_be_replaced_between_calls(name):
    ours, theirs = both(name)
    same(ours, theirs, inputs())
    other = getattr(nn, name)(3, 4)
    for module in (ours, theirs):
        module.load_state_dict(other.state_dict(), assign=True)
    same(ours, theirs, inputs())
    for module in (ours, theirs):
        module.weight_hh_l0 = nn.Parameter(torch.eye(4).repeat(len(module.weight_hh_l0) // 4, 1))
    same(ours, theirs, inputs())
    same(ours.double(), theirs.double(), inputs(torch.float64))
    same(ours.float(), theirs.float(), inputs())


@EVERY
def test_a_module_that_is_gone_leaves_nothing(name):
    gc.collect()
    before = len(sweeps._KNOWN)
    module = getattr(drop_in, name)(3, 4)
    module(inputs())[0].sum().backward()
    assert len(sweeps._KNOWN) == before + 1
    del module
    gc.collect()
    assert len(sweeps._KNOWN) == before


@EVERY
def test_what_is_known_of_a_module_lasts(name, monkeypatch):
    module = getattr(drop_in, name)(3, 4)
    module(inputs())
    monkeypatch.setattr(sweeps, "_cell", None)
    module(inputs())
    module.double()(inputs(torch.float64))


@EVERY
def test_threads_may_share_a_module(name):
    ours, theirs = both(name, 3, 4, 2)
    batches = [inputs() for _ in range(8)]
    answers: dict[int, Tensor] = {}

    def call(place: int) -> None:
        with torch.no_grad():
            answers[place] = ours(batches[place])[0]

    threads = [threading.Thread(target=call, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place, batch in enumerate(batches):
        torch.testing.assert_close(answers[place], theirs(batch)[0].detach())


@pytest.mark.parametrize("made", ["weight norm", "orthogonal", "own", "pruned", "old weight norm"])
@EVERY
@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_weights_may_be_computed_from_others(name, made):
    class Doubled(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return 2 * weight

    changes: dict[str, Any] = {
        "weight norm": lambda module: weight_norm(module, "weight_hh_l0"),
        "orthogonal": lambda module: orthogonal(module, "weight_hh_l0", use_trivialization=False),
        "own": lambda module: parametrize.register_parametrization(module, "weight_ih_l0", Doubled()),
        "pruned": lambda module: prune.l1_unstructured(module, "weight_hh_l0", 0.5),
        "old weight norm": lambda module: nn.utils.weight_norm(module, "weight_hh_l0"),
    }
    pair = both(name, dtype=torch.float64)
    for module in pair:
        torch.manual_seed(0)
        changes[made](module)
    pair[0].load_state_dict(pair[1].state_dict())
    assert repr(pair[0]) == repr(pair[1])
    for _ in range(2):
        x, gradients = inputs(torch.float64), []
        for module in pair:
            module.zero_grad()
            module(x)[0].pow(2).sum().backward()
            gradients.append({name: weight.grad for name, weight in module.named_parameters()})
            with torch.no_grad():
                for weight in module.parameters():
                    weight.sub_(0.1 * weight.grad)
        assert gradients[0].keys() == gradients[1].keys()
        for name, gradient in gradients[1].items():
            assert gradient.any()
            torch.testing.assert_close(gradients[0][name], gradient, rtol=0, atol=1e-10)


@EVERY
def test_other_weights_for_one_call(name):
    ours, theirs = both(name)
    x, other = inputs(), {key: torch.randn_like(value, requires_grad=True) for key, value in ours.named_parameters()}
    torch.testing.assert_close(functional_call(ours, other, (x,)), functional_call(theirs, other, (x,)))
    loss = functional_call(ours, other, (x,))[0].sum()
    assert all(gradient.any() for gradient in torch.autograd.grad(loss, list(other.values())))
    same(ours, theirs, x)


@EVERY
def test_hooks_are_called(name):
    module, seen = getattr(drop_in, name)(3, 4), []
    module.register_forward_pre_hook(lambda module, given: seen.append(given[0].shape))
    module.register_forward_hook(lambda module, given, result: seen.append(result[0].shape))
    module(inputs())
    assert seen == [(5, 2, 3), (5, 2, 4)]


@EVERY
def test_a_module_converts_to_a_stack(name):
    ours, _ = both(name, 3, 4, 2, bidirectional=True)
    x = inputs()
    outputs, _ = from_torch(ours)(throughtime.Padded.full(x.transpose(0, 1).contiguous()))
    torch.testing.assert_close(outputs.data.transpose(0, 1), ours(x)[0])


@pytest.mark.usefixtures("imitated")
def test_the_projected_cell_is_a_lawful_cell():
    check_cell(ProjectedLSTM(3, 4, 2))
    check_cell(ProjectedLSTM(3, 4, 2, bias=False))


class Subclass(Tensor):
    pass


def listened(module: Any) -> Tensor:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module.double()(inputs(torch.float64))
    return torch.tensor(counter.get_total_flops())


def autocast(module: Any) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return module(inputs())[0]


def gradient(module: Any) -> Tensor:
    weights = dict(module.named_parameters())
    loss = lambda weights, x: functional_call(module, weights, (x,))[0].sum()  # noqa: E731
    return torch.cat([part.flatten() for part in torch.func.grad(loss)(weights, inputs()).values()])


def tangent(module: Any) -> Tensor:
    from torch.autograd import forward_ad

    module = module.double()
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(inputs(torch.float64), inputs(torch.float64))
        return forward_ad.unpack_dual(module(dual)[0]).tangent


def pushed(module: Any) -> Tensor:
    x, module = inputs(torch.float64), module.double()
    return torch.func.jvp(lambda x: module(x)[0], (x,), (x,))[1]


LEFT_TO_TORCH: dict[str, Any] = {
    "bfloat16": lambda module: module.bfloat16()(inputs(torch.bfloat16))[0],
    "meta": lambda module: module.to("meta")(inputs().to("meta"))[0],
    "no rows": lambda module: module(torch.zeros(5, 0, 3))[0],
    "a subclass of Tensor": lambda module: module(inputs().as_subclass(Subclass))[0],
    "autocast": autocast,
    "a counter of operations": listened,
    "torch.func.grad": gradient,
    "torch.func.jvp": pushed,
    "forward-mode derivatives": tangent,
    "torch.jit.trace": lambda module: torch.jit.trace(module, inputs(), check_trace=False)(inputs())[0],
}


@pytest.mark.parametrize("case", LEFT_TO_TORCH)
@EVERY
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::torch.jit.TracerWarning")
def test_torchs_own_forward_answers_where_nothing_is_swept(name, case, monkeypatch):
    monkeypatch.setattr(modules, "scan", None)
    answers = []
    for module in both(name, 3, 4, 2):
        torch.manual_seed(2)
        answers.append(LEFT_TO_TORCH[case](module))
    assert type(answers[0]) is type(answers[1])
    assert answers[0].shape == answers[1].shape
    assert answers[0].dtype == answers[1].dtype
    if not answers[1].is_meta:
        torch.testing.assert_close(answers[0], answers[1], rtol=0, atol=0)


def scanned(module: Any, monkeypatch: Any, *input: Any) -> int:
    """How many sweeps a call takes."""
    calls = []
    scan = modules.scan
    with monkeypatch.context() as patch:
        patch.setattr(modules, "scan", lambda *args, **named: calls.append(args) or scan(*args, **named))
        module(*input)
    return len(calls)


@EVERY
def test_what_is_common_is_swept(name, monkeypatch):
    module = getattr(drop_in, name)(3, 4, 2, bidirectional=True, dropout=0.5)
    x = inputs()
    with torch.no_grad():
        begin = module(x)[1]
    packed = pack_sequence([torch.zeros(3, 3), torch.zeros(5, 3)], enforce_sorted=False)
    for given in ((x,), (x.requires_grad_(),), (x[:, 0],), (x, begin), (packed,), (packed, begin), (nn.Parameter(x),)):
        assert scanned(module, monkeypatch, *given) == 4
    if name == "LSTM":
        assert scanned(module, monkeypatch, x, list(begin)) == 4
    with torch.inference_mode():
        assert scanned(module, monkeypatch, inputs()) == 4
    with torch.device("meta"):  # where new tensors are made is nothing to these
        assert scanned(module, monkeypatch, x) == 4
        assert scanned(module, monkeypatch, packed) == 4
    weight_norm(module, "weight_hh_l1")
    assert scanned(module, monkeypatch, x) == 4


@EVERY
def test_activations_may_be_computed_again(name):
    from torch.utils.checkpoint import checkpoint

    ours, theirs = both(name, dtype=torch.float64)
    x = inputs(torch.float64).requires_grad_()
    checkpoint(lambda x: ours(x)[0], x, use_reentrant=False).sum().backward()
    theirs(x.detach())[0].sum().backward()
    for name, weight in theirs.named_parameters():
        torch.testing.assert_close(getattr(ours, name).grad, weight.grad)
