"""Hard attention, and that its two gradients are what they are said to be."""

from itertools import product

import pytest
import torch
from torch import Tensor

from throughtime import Padded
from throughtime.cells import GRU
from throughtime.errors import ArgumentError
from throughtime.layers import Additive, Attend, Attentive, General, Hard, Recurrent, Reinforced, hard

MASK = torch.arange(5) < torch.tensor([5, 3, 0])[:, None]


def given(heads: int = 2) -> tuple[Tensor, ...]:
    scores, queries = torch.randn(3, 4, heads, 5).double(), torch.randn(3, 4, 6).double()
    return scores, MASK, queries, torch.zeros(3, 4).long()


def chances_of(scores: Tensor) -> Tensor:
    weights = torch.softmax(scores.masked_fill(~MASK[:, None, None], -1e9), -1)
    return weights * MASK[:, None, None]


@pytest.mark.parametrize("where", [Hard(), Reinforced(6).double()], ids=["straight through", "reinforced"])
@pytest.mark.parametrize("training", [True, False])
def test_one_real_place_is_looked_at(where, training):
    scores, *rest = given()
    used, chances = where.train(training)(scores, *rest)
    assert used.unique().tolist() == [0, 1]
    assert used.sum(-1)[:2].eq(1).all()
    assert not used[2].any()
    torch.testing.assert_close(chances, chances_of(scores))
    if not training:
        assert torch.equal(used[0].argmax(-1), scores[0].argmax(-1))
        assert torch.equal(used[1].argmax(-1), scores[1, ..., :3].argmax(-1))


def test_places_are_drawn_by_their_chances():
    chances = torch.tensor([0.5, 0.3, 0.2, 0.0]).expand(20_000, 1, 1, 4)
    shares = hard.picked(chances, True).mean(0).flatten()
    assert torch.allclose(shares, chances[0].flatten(), atol=0.015)  # four deviations
    assert not shares[3]


def test_no_place_of_no_source():
    assert hard.picked(torch.zeros(2, 1, 1, 0), True).shape == (2, 1, 1, 0)


def test_straight_through_is_the_gradient_of_soft_weights():
    scores, *rest = given()
    scores.requires_grad_()
    slopes = torch.randn(3, 4, 2, 5).double()
    used, _ = Hard().train()(scores, *rest)
    found = torch.autograd.grad((used * slopes).sum(), scores)
    torch.testing.assert_close(found, torch.autograd.grad((chances_of(scores) * slopes).sum(), scores))
    assert not Hard().eval()(scores, *rest).used.requires_grad


def test_reinforced_weights_give_no_gradient_to_the_scores():
    scores, *rest = given()
    assert not Reinforced(6).double().train()(scores.requires_grad_(), *rest).used.requires_grad


def gains_of(decoder: Attentive, inputs: Padded, state: object) -> tuple[Tensor, object]:
    """log p of made-up targets at each step, and what was seen."""
    outputs, seen, _ = decoder.explore(inputs, state)
    logits = torch.stack([outputs.data.sum(-1), outputs.data[..., 0] * 2], -1)
    return torch.log_softmax(logits, -1)[..., 0] * inputs.mask, seen


@pytest.mark.parametrize("feeding", [False, True])
@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize("heads", [1, 2])
def test_the_expected_gradient_is_that_of_the_expected_loss(monkeypatch, feeding, coverage, heads):
    """Over every way to draw: Σ p ∂(loss + surrogate) = ∂ Σ p loss, whatever is guessed."""
    decoder = Attentive(
        Recurrent(GRU(7 if feeding else 3, 4)),
        Attend([General(4, 5) for _ in range(heads)], Reinforced(4, entropy=0.0), coverage=coverage),
        feeding=feeding,
    ).double()
    for weight in decoder.parameters():
        weight.data.add_(0.4 * torch.randn_like(weight))
    places = 4 - heads
    source, inputs = Padded.full(torch.randn(1, places, 5).double()), Padded.full(torch.randn(1, 2, 3).double())
    weights = [weight for name, weight in decoder.named_parameters() if "guess" not in name]
    expected, surrogates = torch.zeros(()).double(), [torch.zeros_like(weight) for weight in weights]
    for ways in product(range(places), repeat=2 * heads):
        drawn = iter(ways)
        monkeypatch.setattr(hard, "picked", lambda chances, _, drawn=drawn: forced(chances, drawn))
        gains, seen = gains_of(decoder, inputs, decoder.begin(source, decoder.core.initial(1)))
        chance = (seen.weights.chances * seen.weights.used).sum(-1).prod()
        surrogate = decoder.surrogate(seen, gains)
        assert surrogate.item() == 0
        each = torch.autograd.grad(surrogate - gains.sum(), weights, retain_graph=True)
        surrogates = [total + chance.detach() * part for total, part in zip(surrogates, each, strict=True)]
        expected = expected - chance * gains.sum()
    torch.testing.assert_close(surrogates, list(torch.autograd.grad(expected, weights)))


def forced(chances: Tensor, drawn: object) -> Tensor:
    """The places that are given, one for each head of a step, instead of any that are drawn."""
    used = torch.zeros_like(chances)
    for step, head in product(range(chances.shape[1]), range(chances.shape[2])):
        used[:, step, head, next(drawn)] = 1.0
    return used


def test_the_guess_learns_the_reward_and_more_entropy_is_sought():
    where = Reinforced(6, entropy=0.5).double()
    scores, mask, queries, places = given(heads=1)
    scores.requires_grad_()
    rewards = torch.randn(3, 4).double()
    weights = where(scores, mask, queries, places)
    found = torch.autograd.grad(where.surrogate(weights, queries, rewards), [scores, *where.parameters()])
    guess = where.guess(queries)[..., 0]
    real = mask.any(1)[:, None]
    missed = ((rewards - guess).square() * real).sum() / 2
    torch.testing.assert_close(found[1:], torch.autograd.grad(missed, where.parameters()))
    log_chances = chances_of(scores).clamp(min=1e-300).log()
    entropy = -(chances_of(scores) * log_chances).sum()
    chosen = ((log_chances * weights.used).sum((2, 3)) * (rewards - guess).detach()).sum()
    torch.testing.assert_close(found[0], torch.autograd.grad(-(chosen + 0.5 * entropy), scores)[0])


def test_steps_past_a_length_and_sources_of_no_steps_are_not_reinforced():
    decoder = Attentive(Recurrent(GRU(3, 4)), Attend(Additive(4, 5), Reinforced(4))).double().train()
    source = Padded(torch.randn(3, 4, 5).double(), torch.tensor([4, 0, 2])).zeroed()
    inputs = Padded(torch.randn(3, 6, 3).double(), torch.tensor([3, 6, 0])).zeroed()
    _, seen, _ = decoder.explore(inputs, decoder.begin(source, decoder.core.initial(3)))
    gains = torch.randn(3, 6).double()
    where = decoder.attend.where
    found = torch.autograd.grad(decoder.surrogate(seen, gains), where.guess.bias)
    wanted = -gains[0, :3].sum()  # as all guesses are zero at first
    torch.testing.assert_close(found[0][0], wanted)


def test_a_reinforced_decoder_says_so_in_training_alone():
    decoder = Attentive(Recurrent(GRU(3, 4)), Attend(Additive(4, 5), Reinforced(4)))
    assert decoder.train().reinforced
    assert not decoder.eval().reinforced
    assert not Attentive(Recurrent(GRU(3, 4)), Attend(Additive(4, 5), Hard())).train().reinforced
    assert not Attentive(Recurrent(GRU(3, 4)), None).train().reinforced


def test_hard_attention_learns_by_reinforcement_where_to_look():
    """The place to look at is marked in the source, and what stands there is to be told."""
    torch.manual_seed(1)
    decoder = Attentive(Recurrent(GRU(1, 4)), Attend(Additive(4, 2, 8), Reinforced(4)))
    optimiser = torch.optim.Adam(decoder.parameters(), 0.05)

    def batch(rows: int) -> tuple[Padded, Tensor]:
        place, sign = torch.randint(4, (rows, 1)), torch.randint(2, (rows, 4)) * 2.0 - 1
        return Padded.full(torch.stack([torch.arange(4) == place, sign], -1)), sign.gather(1, place) > 0

    def told(rows: int) -> tuple[Tensor, object]:
        source, truth = batch(rows)
        inputs = Padded.full(torch.ones(rows, 1, 1))
        outputs, seen, _ = decoder.explore(inputs, decoder.begin(source, decoder.core.initial(rows)))
        return torch.nn.functional.logsigmoid((truth * 2 - 1) * 5 * outputs.data[..., 0]), seen

    for _ in range(80):
        gains, seen = told(64)
        optimiser.zero_grad()
        (decoder.surrogate(seen, gains) - gains.sum()).backward()
        optimiser.step()
    with torch.no_grad():
        decoder.eval()
        assert told(500)[0].exp().mean() > 0.9


REFUSED = {
    "no width": (lambda: Reinforced(0), "query must be at least 1 and entropy at least 0; got 0 and 0.01"),
    "less than no entropy": (
        lambda: Reinforced(4, entropy=-1.0),
        "query must be at least 1 and entropy at least 0; got 4 and -1.0",
    ),
    "nothing to reinforce": (
        lambda: refused(Attend(General(4, 5))),
        "nothing is reinforced: that is for attention whose where is Reinforced",
    ),
    "no attention": (lambda: refused(None), "nothing is reinforced: that is for attention whose where is Reinforced"),
}


def refused(attend: Attend | None) -> None:
    decoder = Attentive(Recurrent(GRU(3, 4)), attend)
    _, seen, _ = decoder.explore(Padded.full(torch.zeros(2, 1, 3)))
    decoder.surrogate(seen, torch.zeros(2, 1))


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(ArgumentError) as error:
        make()
    assert str(error.value) == message
