"""What does not fit is refused as torch.nn refuses it: the same type, the same words."""

import warnings
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from throughtime import drop_in

NAMES = ["RNN", "LSTM", "GRU"]


def raised(call: Any, *arguments: Any, **options: Any) -> tuple[type[BaseException], str]:
    with pytest.raises(Exception) as caught:  # noqa: PT011  (whichever torch raises)
        call(*arguments, **options)
    return caught.type, str(caught.value)


CONSTRUCTORS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "no sizes": ((), {}),
    "a size of zero": ((0, 4), {}),
    "hidden of zero": ((3, 0), {}),
    "a size that is no integer": ((3.0, 4), {}),
    "hidden that is no integer": ((3, "4"), {}),
    "no layers": ((3, 4, 0), {}),
    "dropout over one": ((3, 4, 2), {"dropout": 1.5}),
    "dropout that is a truth": ((3, 4, 2), {"dropout": True}),
    "bias that is no truth": ((3, 4), {"bias": 1}),
    "batch_first that is no truth": ((3, 4), {"batch_first": 1}),
    "a projection too large": ((3, 4), {"proj_size": 4}),
    "a negative projection": ((3, 4), {"proj_size": -1}),
    "a nonlinearity that is none": ((3, 4), {"nonlinearity": "sigmoid"}),
    "a word that is unknown": ((3, 4), {"hidden": 4}),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", CONSTRUCTORS)
def test_constructors_refuse_what_torchs_refuse(case, name):
    arguments, options = CONSTRUCTORS[case]
    ours, theirs = (raised(getattr(home, name), *arguments, **options) for home in (drop_in, nn))
    assert ours == theirs


@pytest.mark.parametrize("name", NAMES)
def test_dropout_without_a_layer_above_it_warns_as_torchs(name):
    seen = []
    for home in (drop_in, nn):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            getattr(home, name)(3, 4, dropout=0.5)
        seen.append([(each.category, str(each.message)) for each in caught])
    assert seen[0] == seen[1]
    assert len(seen[0]) == 1


def hidden(name: str, *shape: int, dtype: torch.dtype = torch.float32) -> Any:
    """A state of this shape, once or twice."""
    state = torch.zeros(*shape, dtype=dtype)
    return (state, state) if name == "LSTM" else state


PACKED = pack_sequence([torch.zeros(3, 3), torch.zeros(2, 3)])
CALLS: dict[str, Any] = {
    "a list": lambda name: ([1.0, 2.0],),
    "None": lambda name: (None,),
    "one axis": lambda name: (torch.zeros(3),),
    "four axes": lambda name: (torch.zeros(1, 5, 2, 3),),
    "another width": lambda name: (torch.zeros(5, 2, 4),),
    "another width, not batched": lambda name: (torch.zeros(5, 4),),
    "another width, packed": lambda name: (pack_sequence([torch.zeros(3, 4)]),),
    "doubles": lambda name: (torch.zeros(5, 2, 3, dtype=torch.float64),),
    "doubles, packed": lambda name: (pack_sequence([torch.zeros(3, 3, dtype=torch.float64)]),),
    "halves": lambda name: (torch.zeros(5, 2, 3, dtype=torch.float16),),
    "integers": lambda name: (torch.zeros(5, 2, 3, dtype=torch.int64),),
    "complex numbers": lambda name: (torch.zeros(5, 2, 3, dtype=torch.complex64),),
    "no steps": lambda name: (torch.zeros(0, 2, 3),),
    "no steps, not batched": lambda name: (torch.zeros(0, 3),),
    "a sparse input": lambda name: (torch.zeros(5, 2, 3).to_sparse(),),
    "a meta input": lambda name: (torch.zeros(5, 2, 3, device="meta"),),
    "a state for other rows": lambda name: (torch.zeros(5, 2, 3), hidden(name, 2, 3, 4)),
    "a state of other layers": lambda name: (torch.zeros(5, 2, 3), hidden(name, 1, 2, 4)),
    "a state of other units": lambda name: (torch.zeros(5, 2, 3), hidden(name, 2, 2, 5)),
    "a state with the wrong axis first": lambda name: (torch.zeros(5, 1, 3), hidden(name, 1, 2, 4)),
    "a state without rows": lambda name: (torch.zeros(5, 2, 3), hidden(name, 2, 4)),
    "a state with rows, not batched": lambda name: (torch.zeros(5, 3), hidden(name, 2, 1, 4)),
    "a state of other units, not batched": lambda name: (torch.zeros(5, 3), hidden(name, 2, 5)),
    "a state of doubles": lambda name: (torch.zeros(5, 2, 3), hidden(name, 2, 2, 4, dtype=torch.float64)),
    "a state for other rows, packed": lambda name: (PACKED, hidden(name, 2, 3, 4)),
    "a state of other units, packed": lambda name: (PACKED, hidden(name, 2, 2, 5)),
    "one tensor for two, two for one": lambda name: (
        torch.zeros(5, 2, 3),
        hidden("GRU" if name == "LSTM" else "LSTM", 2, 2, 4),
    ),
    "three states": lambda name: (torch.zeros(5, 2, 3), (torch.zeros(2, 2, 4),) * 3),
    "a state that is a number": lambda name: (torch.zeros(5, 2, 3), 0.0),
    "a packing of too few rows": lambda name: (PackedSequence(torch.zeros(3, 3), torch.tensor([2, 2])),),
    "a packing that grows": lambda name: (PackedSequence(torch.zeros(3, 3), torch.tensor([1, 2])),),
}


def outcome(module: Any, arguments: tuple[Any, ...]) -> Any:
    """What was raised, or the shapes of what was given where torch has no objection."""
    try:
        outputs, final = module(*arguments)
    except Exception as error:
        return type(error), str(error)
    return [tuple(part.shape) for part in (outputs.data, *(final if isinstance(final, tuple) else (final,)))]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", CALLS)
def test_calls_that_do_not_fit_end_as_torchs(case, name):
    modules = [getattr(home, name)(3, 4, 2) for home in (drop_in, nn)]
    arguments = CALLS[case](name)
    ours, theirs = (outcome(module, arguments) for module in modules)
    assert ours == theirs


@pytest.mark.parametrize("name", NAMES)
def test_most_of_these_are_errors(name):
    module = getattr(nn, name)(3, 4, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused = [case for case in CALLS if isinstance(outcome(module, CALLS[case](name)), tuple)]
    assert len(refused) >= len(CALLS) - 3


@pytest.mark.parametrize("name", NAMES)
def test_weights_that_do_not_fit_end_as_torchs(name):
    outcomes = []
    for home in (drop_in, nn):
        module = getattr(home, name)(3, 4).double()  # in single precision torch's LSTM reads past the weights' end
        module.weight_hh_l0 = nn.Parameter(torch.zeros(5, 4).double())
        outcomes.append(outcome(module, (torch.zeros(5, 2, 3).double(),)))
    assert outcomes[0] == outcomes[1]
    assert isinstance(outcomes[0], tuple)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_dict_that_does_not_fit_is_refused_as_torchs(name):
    wrong = getattr(nn, name)(3, 5, 2).state_dict()
    ours, theirs = (raised(getattr(home, name)(3, 4).load_state_dict, wrong) for home in (drop_in, nn))
    assert ours == theirs
