"""The same call of the same weights gives what torch.nn gives: values, states, gradients, layouts, memory."""

from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from throughtime import drop_in
from throughtime.drop_in import modules

WIDTH, HIDDEN, STEPS, ROWS = 3, 4, 6, 4
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "tanh": ("RNN", {"nonlinearity": "tanh"}),
    "relu": ("RNN", {"nonlinearity": "relu"}),
    "lstm": ("LSTM", {}),
    "projected": ("LSTM", {"proj_size": 2}),
    "gru": ("GRU", {}),
}
BOTH = pytest.mark.parametrize("both", [False, True], ids=["forward", "both ways"])
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


class Pair(NamedTuple):
    ours: Any
    theirs: Any


def pair(kind: str, *sizes: int, dtype: torch.dtype = torch.float64, **options: Any) -> Pair:
    """Ours and torch's, with the same weights."""
    name, more = KINDS[kind]
    made = Pair(*(getattr(home, name)(*(sizes or (WIDTH, HIDDEN)), **more, **options) for home in (drop_in, nn)))
    made.ours.load_state_dict(made.theirs.state_dict())
    return Pair(made.ours.to(dtype), made.theirs.to(dtype))


def states(module: Any, rows: int | None, dtype: torch.dtype = torch.float64) -> Any:
    """A state drawn at random; one without rows where there are none."""
    middle = () if rows is None else (rows,)
    units = [module.proj_size or module.hidden_size, module.hidden_size][: 2 if module.mode == "LSTM" else 1]
    first = module.num_layers * (2 if module.bidirectional else 1)
    drawn = tuple(torch.randn(first, *middle, size, dtype=dtype) for size in units)
    return drawn if len(drawn) == 2 else drawn[0]


def packed(lengths: list[int], width: int, dtype: torch.dtype = torch.float64, ordered: bool = False) -> PackedSequence:
    data = torch.randn(len(lengths), max(lengths), width, dtype=dtype)
    return pack_padded_sequence(data, torch.tensor(lengths), batch_first=True, enforce_sorted=ordered)


FORMS: dict[str, Any] = {
    "batch": lambda: (torch.randn(STEPS, ROWS, WIDTH, dtype=torch.float64), ROWS),
    "batch first": lambda: (torch.randn(ROWS, STEPS, WIDTH, dtype=torch.float64), ROWS),
    "not batched": lambda: (torch.randn(STEPS, WIDTH, dtype=torch.float64), None),
    "not batched, batch first": lambda: (torch.randn(STEPS, WIDTH, dtype=torch.float64), None),
    "packed in order": lambda: (packed([6, 4, 4, 1], WIDTH, ordered=True), 4),
    "packed in any order": lambda: (packed([2, 6, 1, 5], WIDTH), 4),
    "packed, all as long": lambda: (packed([3, 3], WIDTH), 2),
}


def parts(result: Any) -> list[Tensor]:
    """The tensors in what a module gave."""
    outputs, final = result
    fields = list(final) if isinstance(final, tuple) else [final]
    return [outputs.data if isinstance(outputs, PackedSequence) else outputs, *fields]


def called(module: Any, input: Any, hx: Any) -> tuple[Any, dict[str, Tensor]]:
    """What the module gives, and the gradients of all that went in."""
    x = (input.data if isinstance(input, PackedSequence) else input).detach().clone().requires_grad_()
    given = () if hx is None else hx if isinstance(hx, tuple) else (hx,)
    begin = [part.detach().clone().requires_grad_() for part in given]
    sequence = input._replace(data=x) if isinstance(input, PackedSequence) else x
    arguments = () if hx is None else (tuple(begin),) if isinstance(hx, tuple) else (begin[0],)
    result = module(sequence, *arguments)
    loss = sum((part * torch.linspace(-1, 1, part.numel()).to(part).view(part.shape)).sum() for part in parts(result))
    leaves = {"x": x, **{f"begin {i}": b for i, b in enumerate(begin)}, **dict(module.named_parameters())}
    return result, dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))


def agree(made: Pair, input: Any, hx: Any = None, tolerance: float = 1e-10, seed: int = 0) -> set[str]:
    """Holds the two modules to equal answers, in equal form, with equal gradients; names those that are not zero."""
    answers = []
    for module in made:
        torch.manual_seed(seed)
        answers.append(called(module, input, hx))
    (ours, our_gradients), (theirs, their_gradients) = answers
    assert type(ours[0]) is type(theirs[0])
    assert type(ours[1]) is type(theirs[1])
    for a, b in zip(parts(ours), parts(theirs), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=tolerance, check_stride=True)
    if isinstance(theirs[0], PackedSequence):
        for a, b in zip(ours[0][1:], theirs[0][1:], strict=True):
            assert a is b if b is None else torch.equal(a, b)
    assert our_gradients.keys() == their_gradients.keys()
    for name, gradient in their_gradients.items():
        torch.testing.assert_close(our_gradients[name], gradient, rtol=0, atol=10 * tolerance, msg=name)
    return {name for name, gradient in their_gradients.items() if gradient.any()}


@pytest.fixture
def swept(monkeypatch):
    """Torch's own forward is out of reach for our modules; what is given is given by `scan`."""

    def count(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return scan(*arguments, **options)

    calls: list[Any] = []
    scan = modules.scan
    monkeypatch.setattr(modules, "scan", count)
    return calls


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@BOTH
@pytest.mark.parametrize("layers", [1, 2, 3])
@EVERY_KIND
def test_all_forms_of_inputs_have_torchs_values_states_and_gradients(kind, layers, both, bias, swept):
    made = pair(kind, WIDTH, HIDDEN, layers, bias=bias, bidirectional=both)
    compared = set()
    for form, draw in FORMS.items():
        for module in made:
            module.batch_first = "batch first" in form
        input, rows = draw()
        for hx in (None, states(made.theirs, rows)):
            swept.clear()
            compared |= agree(made, input, hx)
            assert len(swept) == layers * (1 + both)
    assert {"x", "begin 0", *dict(made.theirs.named_parameters())} <= compared


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # torch.nn's
@BOTH
@EVERY_KIND
def test_in_single_precision_only_rounding_differs(kind, both, swept):
    made = pair(kind, 8, 16, 2, dtype=torch.float32, bidirectional=both, batch_first=True)
    for input in (torch.randn(3, 20, 8), packed([7, 20, 1], 8, torch.float32)):
        agree(made, input, states(made.theirs, 3, torch.float32), tolerance=1e-5)
        for module in made:
            module.eval()
        agree(made, input, tolerance=1e-5)
    assert swept


SIZES = some.integers(1, 5)


@given(
    kind=some.sampled_from(sorted(KINDS)),
    width=SIZES,
    hidden=some.integers(2, 5),
    layers=some.integers(1, 2),
    both=some.booleans(),
    batch_first=some.booleans(),
    lengths=some.lists(SIZES, min_size=1, max_size=5),
    form=some.sampled_from(["batch", "not batched", "packed"]),
    hx=some.booleans(),
    seed=some.integers(0, 99),
)
def test_any_shape(kind, width, hidden, layers, both, batch_first, lengths, form, hx, seed):
    torch.manual_seed(seed)
    name, more = KINDS[kind]
    options = {**more, "num_layers": layers, "bidirectional": both, "batch_first": batch_first}
    if kind == "projected":
        options["proj_size"] = 1 + seed % (hidden - 1)
    made = Pair(*(getattr(home, name)(width, hidden, **options).double() for home in (drop_in, nn)))
    made.theirs.load_state_dict(made.ours.state_dict())
    steps, rows = max(lengths), len(lengths)
    if form == "packed":
        input: Any = packed(lengths, width)
    else:
        middle = {"batch": (rows, steps) if batch_first else (steps, rows), "not batched": (steps,)}[form]
        input = torch.randn(*middle, width, dtype=torch.float64)
    begin = states(made.theirs, None if form == "not batched" else rows) if hx else None
    with torch.no_grad():
        ours, theirs = made.ours(input, begin), made.theirs(input, begin)
    for a, b in zip(parts(ours), parts(theirs), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("rate", [0.4, 1.0])
@BOTH
@EVERY_KIND
def test_dropout_draws_what_torch_draws(kind, both, rate, swept):
    made = pair(kind, WIDTH, HIDDEN, 3, bidirectional=both, dropout=rate)
    with torch.no_grad():
        for form, draw in FORMS.items():
            for module in made:
                module.batch_first = "batch first" in form
            input, _ = draw()
            answers, following = [], []
            for module in made:
                torch.manual_seed(5)
                answers.append(parts(module(input)))
                following.append(torch.rand(1))
            for a, b in zip(*answers, strict=True):
                torch.testing.assert_close(a, b, rtol=0, atol=1e-10)
            assert following[0] == following[1]
    assert swept


@EVERY_KIND
def test_dropout_in_training_has_torchs_gradients_and_in_evaluation_is_off(kind):
    made = pair(kind, WIDTH, HIDDEN, 2, dropout=0.3, bidirectional=True)
    for input in (FORMS["batch"]()[0], FORMS["packed in any order"]()[0]):
        agree(made, input, seed=3)
    for module in made:
        module.eval()
    input, _ = FORMS["batch"]()
    agree(made, input)
    assert torch.equal(made.ours(input)[0], made.ours(input)[0])


def test_dropout_keeps_its_share_and_scales_it():
    module = drop_in.RNN(1, 100, 2, dropout=0.25, nonlinearity="relu", bias=False)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.copy_(torch.ones(100, 1) if name == "weight_ih_l0" else torch.zeros_like(weight))
        module.weight_ih_l1.copy_(torch.eye(100))
        outputs, _ = module(torch.ones(50, 8, 1))
    assert set(outputs.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert abs(float((outputs > 0).float().mean()) - 0.75) < 0.01


@EVERY_KIND
def test_outputs_can_be_viewed_as_torchs_can(kind):
    made = pair(kind, bidirectional=True)
    outputs, final = made.ours(torch.randn(STEPS, ROWS, WIDTH, dtype=torch.float64))
    assert outputs.view(STEPS * ROWS, -1).shape == (STEPS * ROWS, outputs.shape[-1])
    for part in final if isinstance(final, tuple) else (final,):
        part.mul_(2).view(-1).sum().backward(retain_graph=True)


@EVERY_KIND
def test_inputs_of_any_strides(kind, swept):
    made = pair(kind)
    wide = torch.randn(2 * STEPS, ROWS, 2 * WIDTH, dtype=torch.float64)
    for input in (
        wide[::2, :, 1::2],
        wide[:STEPS, :1, :WIDTH].expand(-1, ROWS, -1),
        wide[:WIDTH, :, :STEPS].permute(2, 1, 0),
    ):
        hx = states(made.theirs, ROWS)
        turned = tuple(
            part.transpose(1, 2).contiguous().transpose(1, 2) for part in (hx if isinstance(hx, tuple) else [hx])
        )
        with torch.no_grad():
            given = turned if isinstance(hx, tuple) else turned[0]
            for a, b in zip(*(parts(module(input, given)) for module in made), strict=True):
                torch.testing.assert_close(a, b, rtol=0, atol=1e-10)
    assert len(swept) == 3


@EVERY_KIND
def test_states_carried_on_go_on(kind):
    made = pair(kind, WIDTH, HIDDEN, 2)
    data = torch.randn(2 * STEPS, ROWS, WIDTH, dtype=torch.float64)
    outputs, between = made.ours(data[:STEPS])
    rest, final = made.ours(data[STEPS:], between)
    for a, b in zip(parts((torch.cat([outputs, rest]), final)), parts(made.theirs(data)), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@EVERY_KIND
def test_trained_alike_they_stay_alike(kind, swept):
    made = pair(kind, WIDTH, HIDDEN, 2, bidirectional=True)
    input = torch.randn(STEPS, ROWS, WIDTH, dtype=torch.float64)
    for module in made:
        optimiser = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
        for _ in range(4):
            optimiser.zero_grad()
            module(input)[0].pow(2).mean().backward()
            optimiser.step()
    for name, weight in made.theirs.state_dict().items():
        torch.testing.assert_close(made.ours.state_dict()[name], weight, rtol=0, atol=1e-10)
    assert swept


@EVERY_KIND
def test_some_weights_may_be_frozen_and_some_tied(kind, swept):
    made = pair(kind, HIDDEN, HIDDEN, 2)
    for module in made:
        module.weight_ih_l0.requires_grad_(False)
        module.bias_hh_l1 = module.bias_hh_l0  # across layers
        module.bias_ih_l1 = module.bias_hh_l1  # and inside one
        if kind != "projected":
            module.weight_hh_l1 = module.weight_ih_l1
    input = torch.randn(STEPS, ROWS, HIDDEN, dtype=torch.float64)
    for module in made:
        module(input)[0].pow(2).sum().backward()
    gradients = [{name: weight.grad for name, weight in module.named_parameters()} for module in made]
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[1].items():
        if gradient is None:
            assert gradients[0][name] is None
        else:
            torch.testing.assert_close(gradients[0][name], gradient, rtol=0, atol=1e-9)
    assert swept
