import pytest
import torch
from torch import Tensor

from throughtime import Padded
from throughtime.errors import ArgumentError
from throughtime.layers import (
    Additive,
    Attend,
    Cosine,
    Dot,
    General,
    Hard,
    Local,
    LocalPredicted,
    Memory,
    Reinforced,
    ScaledDot,
)

ATTENDS = {
    "dot": lambda: Attend(Dot(4, 4)),
    "general": lambda: Attend(General(4, 4)),
    "scaled dot": lambda: Attend(ScaledDot(4, 4)),
    "cosine": lambda: Attend(Cosine(4, 4)),
    "additive": lambda: Attend(Additive(4, 4, 3)),
    "two heads": lambda: Attend([General(4, 4), Additive(4, 4, 3)]),
    "two heads, summed": lambda: Attend([ScaledDot(4, 4), ScaledDot(4, 4, 2)], join="sum"),
    "coverage": lambda: Attend(Additive(4, 4, 3), coverage=True),
    "local": lambda: Attend(General(4, 4), Local(1)),
    "local, predicted": lambda: Attend(General(4, 4), LocalPredicted(4, 2, 3)),
    "local, predicted, two heads": lambda: Attend([General(4, 4), Cosine(4, 4)], LocalPredicted(4, 2), join="sum"),
    "hard": lambda: Attend(Additive(4, 4), Hard()),
    "hard, two heads": lambda: Attend([General(4, 4), Cosine(4, 4)], Hard()),
    "reinforced": lambda: Attend(Additive(4, 4), Reinforced(4)),
    "coverage, general": lambda: Attend(General(4, 4), coverage=True),
    "coverage, dot": lambda: Attend(Dot(4, 4), coverage=True),
    "coverage of two heads": lambda: Attend([General(4, 4), Additive(4, 4, 3)], coverage=True),
}
LENGTHS = (5, 0, 3)


@pytest.fixture(params=ATTENDS)
def attend(request) -> Attend:
    made = ATTENDS[request.param]().double()
    for weight in made.parameters():
        weight.data.add_(0.3 * torch.randn_like(weight))
    return made.eval()


def sources(lengths: tuple[int, ...] = LENGTHS) -> Padded:
    return Padded(torch.randn(len(lengths), 5, 4).double(), torch.tensor(lengths)).zeroed()


def asked(rows: int, steps: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, their places and what is covered."""
    return torch.randn(rows, steps, 4).double(), torch.arange(rows) % 3, torch.rand(rows, 5).double()


def look(attend: Attend, outputs: Padded, queries: Tensor, at: Tensor, covered: Tensor) -> tuple[Tensor, Tensor]:
    return attend(queries, attend.memory(outputs), at, covered[:, : outputs.steps])


def test_weights_sum_to_one_over_real_places_and_are_zero_on_padding(attend):
    outputs = sources()
    contexts, weights = look(attend, outputs, *asked(3))
    assert weights.shape == (3, 2, attend.heads, 5)
    assert contexts.shape == (3, 2, attend.width)
    assert not weights.masked_select(~outputs.mask[:, None, None]).any()
    wanted = torch.tensor([1.0, 0.0, 1.0]).double()[:, None, None].expand(3, 2, attend.heads)
    if isinstance(attend.where, LocalPredicted):
        assert (weights.sum(-1) <= wanted).all()
    else:
        torch.testing.assert_close(weights.sum(-1), wanted)
    assert (weights >= 0).all()


def test_contexts_are_means_of_the_values(attend):
    outputs = sources()
    contexts, weights = look(attend, outputs, *asked(3))
    means = torch.einsum("btns,bsw->btnw", weights, outputs.data)
    torch.testing.assert_close(contexts, means.sum(2) if attend.join == "sum" else means.flatten(2))


def test_a_source_of_no_steps_gives_zeros_and_finite_gradients(attend):
    outputs = sources((0, 0, 2))
    data = outputs.data.requires_grad_()
    contexts, weights = look(attend, outputs, *asked(3))
    assert not contexts[:2].any()
    assert not weights[:2].any()
    gradients = torch.autograd.grad(contexts.sum(), [data, *attend.parameters()], allow_unused=True)
    assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)
    nothing = Padded.full(torch.zeros(3, 0, 4).double())
    assert not look(attend, nothing, *asked(3))[0].any()


def test_padding_changes_nothing_whatever_stands_in_it(attend):
    outputs, question = sources(), asked(3)
    contexts, weights = look(attend, outputs, *question)
    for padding in (0.0, -3.0, torch.inf):
        data = torch.nn.functional.pad(outputs.data, (0, 0, 0, 2))
        more = Padded(data, outputs.lengths)
        more = more.replace(data.masked_fill(~more.mask[..., None], padding))
        covered = torch.nn.functional.pad(question[2], (0, 2), value=5.0)
        found, wider = look(attend, more, question[0], question[1], covered)
        torch.testing.assert_close(found, contexts)
        torch.testing.assert_close(wider[..., :5], weights)
        assert not wider[..., 5:].any()


def test_the_order_and_number_of_rows_change_nothing(attend):
    outputs, question = sources(), asked(3)
    contexts, weights = look(attend, outputs, *question)
    for rows in (torch.tensor([2, 0, 1]), torch.tensor([2])):
        found, chosen = look(attend, outputs.take(rows), *(part[rows] for part in question))
        torch.testing.assert_close(found, contexts[rows])
        torch.testing.assert_close(chosen, weights[rows])


def test_several_rows_of_queries_look_at_one_row_of_memory_as_at_copies_of_it(attend):
    outputs, question = sources(), asked(6)
    found = look(attend, outputs, *question)
    copies = outputs.take(torch.arange(3).repeat_interleave(2))
    torch.testing.assert_close(found, look(attend, copies, *question))


def test_queries_together_are_queries_one_by_one(attend):
    outputs, (queries, at, covered) = sources(), asked(3, steps=3)
    whole = look(attend, outputs, queries, at, covered)
    parts = [look(attend, outputs, queries[:, t : t + 1], at + t, covered) for t in range(3)]
    torch.testing.assert_close(whole, tuple(torch.cat(part, 1) for part in zip(*parts, strict=True)))


def test_gradients_are_finite_differences(attend):
    outputs, (queries, at, covered) = sources(), asked(3)
    leaves = [outputs.data, queries, covered]
    leaves = [leaf.requires_grad_() for leaf in leaves] + list(attend.parameters())
    assert torch.autograd.gradcheck(
        lambda x, q, c, *_: look(attend, outputs.replace(x), q, at, c), leaves, fast_mode=True
    )


def test_every_weight_receives_gradient(attend):
    attend.train()
    outputs, question = sources((5, 4, 3)), asked(3)
    contexts, _ = look(attend, outputs, *question)
    loss = contexts.square().sum()
    if isinstance(attend.where, Reinforced):
        _, weights = attend.look(question[0], attend.memory(outputs), question[1])
        loss = loss + attend.where.surrogate(weights, question[0], torch.randn(3, 2).double())
    if not list(attend.parameters()):
        return
    loss.backward()
    idle = [name for name, weight in attend.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not idle


@pytest.mark.parametrize("join", ["sum", "concatenate"])
def test_several_heads_are_heads_alone(join):
    heads = [General(4, 4), Additive(4, 4, 3), ScaledDot(4, 4, 2)]
    outputs, question = sources(), asked(6)
    together = look(Attend(heads, join=join).double(), outputs, *question)
    alone = [look(Attend(head), outputs, *question) for head in heads]
    torch.testing.assert_close(together[1], torch.cat([weights for _, weights in alone], 2))
    contexts = [context for context, _ in alone]
    torch.testing.assert_close(together[0], sum(contexts) if join == "sum" else torch.cat(contexts, -1))


def test_what_was_looked_at_matters_only_where_it_is_asked_for(attend):
    outputs, (queries, at, covered) = sources(), asked(3)
    same = torch.equal(
        look(attend, outputs, queries, at, covered)[1], look(attend, outputs, queries, at, 1 - covered)[1]
    )
    assert same == (attend.covering is None)


@pytest.mark.parametrize("name", ["additive", "general", "dot"])
def test_coverage_enters_a_score_as_in_its_formula(name):
    score = {"additive": Additive(4, 4, 3), "general": General(4, 4), "dot": Dot(4, 4)}[name]
    attend = Attend(score, coverage=True).double()
    assert attend.covering is not None
    torch.nn.init.normal_(attend.covering)
    outputs, (queries, at, covered) = sources((5,)), asked(1, steps=1)
    shift = covered[..., None] * attend.covering
    if name == "additive":
        scores = torch.tanh(score.ask(queries) + score.key(outputs.data) + shift) @ score.judge
    else:
        keys = score.key(outputs.data) if name == "general" else outputs.data
        scores = (queries * keys).sum(-1) + (queries * shift).sum(-1)
    found = look(attend, outputs, queries, at, covered)[1][:, 0, 0]
    torch.testing.assert_close(found, torch.softmax(scores, -1))


def looks_at(rows: int) -> None:
    attend = Attend(Dot(4, 4))
    attend(torch.zeros(rows, 1, 4), attend.memory(Padded.full(torch.zeros(2, 5, 4))), torch.zeros(rows).long())


REFUSED = {
    "no heads": (lambda: Attend([]), "scores is empty: attention has at least one head"),
    "heads of two widths": (
        lambda: Attend([General(4, 4), General(4, 3)]),
        "all heads take the same queries and values; got (query, width) of [(4, 3), (4, 4)]",
    ),
    "heads that are one": (
        lambda: Attend([Dot(4, 4), Dot(4, 4)]),
        "2 heads without weights of their own are one: let scores project their keys",
    ),
    "coverage of a cosine": (
        lambda: Attend([General(4, 4), Cosine(4, 4)], coverage=True),
        "coverage is for Additive, General and Dot; got Cosine",
    ),
    "coverage of a scaled product": (
        lambda: Attend(ScaledDot(4, 4), coverage=True),
        "coverage is for Additive, General and Dot; got ScaledDot",
    ),
    "outputs of another width": (
        lambda: Attend(Dot(4, 4)).memory(Padded.full(torch.zeros(2, 5, 3))),
        "outputs (2, 5, 3) do not fit: B S W with W = 4",
    ),
    "rows that are no multiple": (
        lambda: looks_at(3),
        "3 rows of queries cannot look at 2 rows of memory: as many for each",
    ),
    "no rows": (lambda: looks_at(0), "0 rows of queries cannot look at 2 rows of memory: as many for each"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(ArgumentError) as refused:
        make()
    assert str(refused.value) == message


def test_a_batch_of_no_rows_is_looked_at():
    attend = Attend(General(4, 4))
    memory = attend.memory(Padded.full(torch.zeros(0, 5, 4)))
    assert isinstance(memory, Memory)
    contexts, weights = attend(torch.zeros(0, 2, 4), memory, torch.zeros(0).long())
    assert contexts.shape == (0, 2, 4)
    assert weights.shape == (0, 2, 1, 5)


def test_an_unknown_join_is_refused_with_those_that_are_known():
    unchecked = getattr(Attend.__init__, "__wrapped__", Attend.__init__)  # as in production: no type checker
    with pytest.raises(ArgumentError, match="join is 'sum' or 'concatenate'; got 'mean'"):
        unchecked(Attend.__new__(Attend), Dot(4, 4), join="mean")
