import pytest
import torch
from torch import nn

from throughtime import Padded
from throughtime.errors import ArgumentError
from throughtime.layers import CausalTransformer, Design, TransformerDecoder, TransformerEncoder

DESIGNS = {
    "before, relu": (Design(activation="relu", feedforward=7), {"norm_first": True, "activation": "relu"}),
    "before, gelu": (Design(feedforward=7), {"norm_first": True, "activation": "gelu"}),
    "after, relu": (Design(norm="after", activation="relu", feedforward=7), {"activation": "relu"}),
}


def batch(*lengths: int, width: int = 8) -> Padded:
    return Padded(torch.randn(len(lengths), max(lengths), width, dtype=torch.float64), torch.tensor(lengths)).zeroed()


def moved(core: nn.Module) -> nn.Module:
    core.double().eval()
    for parameter in core.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return core


def torch_encoder(core: TransformerEncoder | CausalTransformer, design: Design, options: dict) -> nn.Module:
    """torch's, with the weights of ours, by name."""
    layer = nn.TransformerEncoderLayer(8, 2, 7, dropout=0.0, batch_first=True, **options)
    last = nn.LayerNorm(8) if design.norm == "before" else None
    theirs = nn.TransformerEncoder(layer, 3, norm=last, enable_nested_tensor=False).double()
    theirs.load_state_dict(core.state_dict())
    return theirs.eval()


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
@pytest.mark.parametrize("name", DESIGNS)
def test_the_encoder_is_torchs_with_the_weights_copied_by_name(name):
    design, options = DESIGNS[name]
    core = moved(TransformerEncoder(8, 8, 3, 2, positions="none", design=design))
    theirs, inputs = torch_encoder(core, design, options), batch(5, 3)
    with torch.no_grad():
        wanted = theirs(8**0.5 * inputs.data, src_key_padding_mask=~inputs.mask)
        torch.testing.assert_close(core(inputs)[0].data, inputs.replace(wanted).zeroed().data)


@pytest.mark.parametrize("name", DESIGNS)
def test_the_causal_one_is_torchs_too(name):
    design, options = DESIGNS[name]
    core = moved(CausalTransformer(8, 8, 3, 2, positions="none", context=4, design=design))
    theirs, inputs = torch_encoder(core, design, options), batch(7, 7)
    steps = torch.arange(7)
    hidden = (steps > steps[:, None]) | (steps <= steps[:, None] - 4)
    with torch.no_grad():
        torch.testing.assert_close(core(inputs)[0].data, theirs(8**0.5 * inputs.data, mask=hidden))


@pytest.mark.parametrize("name", DESIGNS)
def test_the_decoder_is_torchs_too(name):
    design, options = DESIGNS[name]
    core = moved(TransformerDecoder(8, 8, 3, 2, memory=8, positions="none", design=design))
    layer = nn.TransformerDecoderLayer(8, 2, 7, dropout=0.0, batch_first=True, **options)
    theirs = nn.TransformerDecoder(layer, 3, norm=nn.LayerNorm(8) if design.norm == "before" else None).double()
    theirs.load_state_dict(core.state_dict())
    source, inputs = batch(5, 3), batch(4, 4)
    later = torch.ones(4, 4, dtype=torch.bool).triu(1)
    with torch.no_grad():
        wanted = theirs.eval()(8**0.5 * inputs.data, source.data, tgt_mask=later, memory_key_padding_mask=~source.mask)
        torch.testing.assert_close(core(inputs, core.begin(source, None))[0].data, wanted)


def test_an_encoder_of_no_positions_sees_a_set_and_of_any_others_a_sequence():
    inputs, order = batch(6), torch.tensor([3, 1, 0, 5, 4, 2])
    for positions in ("none", "sinusoidal", "learnt", "rotary"):
        core = moved(TransformerEncoder(8, 8, 1, 2, positions=positions))
        first, second = core(inputs)[0].data, core(Padded.full(inputs.data[:, order]))[0].data
        assert torch.allclose(first[:, order], second) == (positions == "none")


@pytest.mark.parametrize("positions", ["rotary", "none"])
def test_where_distances_alone_count_a_text_may_begin_anywhere(positions):
    core = moved(CausalTransformer(8, 8, 2, 2, context=3, positions=positions))
    assert core.reach == 5
    inputs = batch(12)
    whole, _ = core(inputs)
    for begin in range(1, 7):
        late, _ = core(Padded.full(inputs.data[:, begin:]))
        torch.testing.assert_close(late.data[:, core.reach - 1 :], whole.data[:, begin + core.reach - 1 :])
        assert not torch.allclose(late.data[:, core.reach - 2], whole.data[:, begin + core.reach - 2])


@pytest.mark.parametrize("positions", ["sinusoidal", "learnt"])
def test_places_that_are_counted_go_round_with_the_context(positions):
    core = moved(CausalTransformer(8, 8, 2, 2, context=3, positions=positions))
    inputs = batch(12)
    whole, after = core(inputs)
    assert after.time.tolist() == [12]
    late, _ = core(Padded.full(inputs.data[:, 3:]))
    torch.testing.assert_close(late.data[:, 4:], whole.data[:, 7:])
    state = core.initial(1)._replace(time=torch.tensor([2]))
    late, _ = core(Padded.full(inputs.data[:, 2:]), state)
    torch.testing.assert_close(late.data[:, 4:], whole.data[:, 6:])
    late, _ = core(Padded.full(inputs.data[:, 2:]))
    assert ((late.data[:, core.reach :] - whole.data[:, 2 + core.reach :]).abs().amax(2) > 1e-3).all()


@pytest.mark.parametrize("positions", ["sinusoidal", "learnt", "rotary", "none"])
@pytest.mark.parametrize("kind", [TransformerEncoder, CausalTransformer])
def test_every_weight_learns_with_dropout_at_every_place(kind, positions):
    core = kind(3, 8, 2, 2, positions=positions, dropout=0.3)
    x = torch.randn(3, 7, 3)
    outputs, _ = core(Padded.full(x))
    assert not torch.equal(outputs.data, core(Padded.full(x))[0].data)
    outputs.data.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in core.parameters())


def test_an_empty_batch_and_empty_rows_are_read():
    for core in (TransformerEncoder(3, 4, 1, 2), CausalTransformer(3, 4, 1, 2)):
        assert core(Padded.full(torch.zeros(0, 3, 3)))[0].data.shape == (0, 3, 4)
        assert core(Padded.full(torch.zeros(2, 0, 3)))[0].data.shape == (2, 0, 4)
        outputs, _ = core(Padded(torch.zeros(2, 3, 3), torch.tensor([3, 0])))
        outputs.data.sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in core.parameters() if p.grad is not None)


def test_what_does_not_fit_is_refused():
    cases = {
        "rotary positions turn pairs of features, and 6 units in 2 heads are 3 a head": {"hidden": 6},
        "hidden 8 does not part into 3 heads": {"heads": 3},
        "layers must be at least 1; got 0": {"layers": 0},
        "context must be at least 1; got 0": {"context": 0},
        "width and hidden must be at least 1; got 0 and 8": {"width": 0},
    }
    for message, changes in cases.items():
        with pytest.raises(ArgumentError, match=message):
            CausalTransformer(**({"width": 8, "hidden": 8, "layers": 1, "heads": 2} | changes))
    with pytest.raises(ArgumentError, match="feedforward must be at least 1; got 0"):
        Design(feedforward=0)
    unchecked = getattr(Design.__post_init__, "__wrapped__", Design.__post_init__)  # as in production: no type checker
    for name, known in (("activation", "'gelu' or 'relu'"), ("norm", "'before' or 'after'")):
        design = Design()
        object.__setattr__(design, name, "tanh")
        with pytest.raises(ArgumentError, match=f"{name} must be {known}; got 'tanh'"):
            unchecked(design)
    encoder = TransformerEncoder(3, 4, 1, 2)
    with pytest.raises(ArgumentError, match=r"inputs \(1, 2, 5\) do not fit TransformerEncoder: .* with D = 3"):
        encoder(Padded.full(torch.zeros(1, 2, 5)))
    with pytest.raises(ArgumentError, match="attention sees across resets: give the pieces as sequences of their own"):
        encoder(Padded.full(torch.zeros(1, 2, 3)), None, torch.zeros(1, 2, dtype=torch.bool))
    with pytest.raises(ArgumentError, match="needs the whole sequence: it cannot go step by step"):
        encoder.step(torch.zeros(1, 3), encoder.initial(1))
