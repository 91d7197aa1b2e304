import pytest
import torch
from torch import nn

from throughtime.errors import ArgumentError
from throughtime.layers.self_attention import CrossAttention, SelfAttention, Sight


def pair(kind: type[SelfAttention] | type[CrossAttention], hidden: int, heads: int):
    ours = kind(hidden, heads).double()
    theirs = nn.MultiheadAttention(hidden, heads, batch_first=True).double()
    for parameter in ours.parameters():
        parameter.data.normal_()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_self_attention_is_torchs(heads):
    ours, theirs = pair(SelfAttention, 8, heads)
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    torch.testing.assert_close(ours(x, None, Sight(None))[0], theirs(x, x, x)[0])
    seen = torch.rand(2, 5, 5) < 0.5
    seen |= torch.eye(5, dtype=torch.bool)
    hidden = ~seen.repeat_interleave(heads, 0)
    torch.testing.assert_close(ours(x, None, Sight(seen))[0], theirs(x, x, x, attn_mask=hidden)[0])
    later = torch.ones(5, 5, dtype=torch.bool).triu(1)
    torch.testing.assert_close(ours(x, None, Sight(None, causal=True))[0], theirs(x, x, x, attn_mask=later)[0])


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_to_a_source_is_torchs_and_so_are_its_weights(heads):
    ours, theirs = pair(CrossAttention, 8, heads)
    x, source = torch.randn(2, 3, 8, dtype=torch.float64), torch.randn(2, 5, 8, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    wanted, weights = theirs(x, source, source, key_padding_mask=~mask, average_attn_weights=False)
    memory = ours.memory(source, mask)
    torch.testing.assert_close(ours(x, memory, mask), wanted)
    found, told = ours.weighted(x, memory, mask)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(told, weights.transpose(1, 2))


def test_hypotheses_of_a_source_look_at_one_row_of_memory():
    attention = CrossAttention(8, 2).double()
    source = torch.randn(2, 5, 8, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    x = torch.randn(6, 3, 8, dtype=torch.float64)
    copied = attention.memory(source.repeat_interleave(3, 0), mask.repeat_interleave(3, 0))
    wanted, weights = attention.weighted(x, copied, mask.repeat_interleave(3, 0))
    memory = attention.memory(source, mask)
    assert memory.keys.shape == (2, 2, 5, 4)
    torch.testing.assert_close(attention(x, memory, mask), wanted)
    found, told = attention.weighted(x, memory, mask)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(told, weights)


@pytest.mark.parametrize("places", [0, 4])
def test_an_empty_source_gives_nothing_but_the_bias_and_a_gradient_that_is_a_number(places):
    attention = CrossAttention(4, 2)
    source, x = torch.randn(1, places, 4, requires_grad=True), torch.randn(2, 3, 4)
    mask = torch.zeros(1, places, dtype=torch.bool)
    memory = attention.memory(source, mask)
    found, told = attention.weighted(x, memory, mask)
    assert not told.any()
    for output in (attention(x, memory, mask), found):
        assert torch.equal(output, attention.out_proj.bias.expand(2, 3, 4))
    (gradient,) = torch.autograd.grad(found.sum() + attention(x, memory, mask).sum(), source)
    assert torch.isfinite(gradient).all()


def test_dropout_falls_on_weights_in_training_alone():
    attention, x = CrossAttention(4, 1, dropout=0.5), torch.randn(1, 3, 4)
    mask = torch.ones(1, 6, dtype=torch.bool)
    memory = attention.memory(torch.randn(1, 6, 4), mask)
    whole = attention.eval()(x, memory, mask)
    assert torch.equal(whole, attention(x, memory, mask))
    attention.train()
    for output in (attention(x, memory, mask), attention.weighted(x, memory, mask)[0]):
        assert not torch.allclose(output, whole)
    assert torch.allclose(attention.weighted(x, memory, mask)[1].sum(-1), torch.ones(1, 3, 1))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ArgumentError, match="hidden 8 does not part into 3 heads: give a number that divides it"):
        SelfAttention(8, 3)
    with pytest.raises(ArgumentError, match=r"dropout must be in \[0, 1\); got 1"):
        SelfAttention(8, 2, dropout=1.0)
    attention = CrossAttention(4, 2)
    mask = torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(ArgumentError, match="3 rows of queries do not part among 2 sources"):
        attention(torch.zeros(3, 1, 4), attention.memory(torch.zeros(2, 3, 4), mask), mask)
