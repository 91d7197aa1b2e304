"""The conditional random field against all paths, one by one; its compiled loops against its plain path."""

import itertools
import math

import pytest
import torch

from throughtime.errors import ArgumentError
from throughtime.heads import CRF, paths
from throughtime.heads.paths import Scores
from throughtime.kernels import chain
from throughtime.padded import Padded

LABELS, STEPS = 3, 5
LENGTHS = torch.tensor([5, 0, 3, 1, 2, 4])
FORBIDDEN = torch.zeros(LABELS + 1, LABELS + 1, dtype=torch.bool)
FORBIDDEN[0, 2] = FORBIDDEN[1, 1] = FORBIDDEN[3, 1] = FORBIDDEN[2, 3] = True
ALLOWED = torch.tensor([[0, 0, 1, 0, 1], [0] * 5, [2, 2, 1, 0, 2], [0, 9, 9, 9, 9], [0, 1, -5, 0, 0], [2, 1, 2, 1, 0]])


@pytest.fixture(params=["loops", "plain"])
def way(request, monkeypatch):
    """On the compiled loops, and as if they did not fit."""
    if request.param == "plain":
        monkeypatch.setattr(chain, "fits", lambda _: False)
    return request.param


def drawn(labels=LABELS, steps=STEPS, batch=6, scale=1.0, dtype=torch.float64):
    shapes = (batch, steps, labels), (labels, labels), (labels,), (labels,)
    return Scores(*((scale * torch.randn(shape, dtype=dtype)).requires_grad_() for shape in shapes))


def barred(scores):
    """With some ways forbidden."""
    bars = FORBIDDEN[:-1, :-1], FORBIDDEN[-1, :-1], FORBIDDEN[:-1, -1]
    parts = [part.masked_fill(bar, -torch.inf) for part, bar in zip(scores[1:], bars, strict=True)]
    return Scores(scores.emissions, *parts)


def score_of(scores, row, path):
    if not path:
        return scores.emissions.new_zeros(())
    emitted = sum(scores.emissions[row, t, label] for t, label in enumerate(path))
    moved = sum(scores.transitions[i, j] for i, j in itertools.pairwise(path))
    return scores.start[path[0]] + emitted + moved + scores.end[path[-1]]


def all_paths(scores, row, length):
    """Every possible path of a row, and its score; impossible ones are left out, so that their gradient is zero."""
    every = itertools.product(range(len(scores.start)), repeat=length)
    scored = {path: score_of(scores, row, path) for path in every}
    return {path: value for path, value in scored.items() if value > -math.inf}


def enumerated(scores, lengths):
    return [all_paths(scores, row, length) for row, length in enumerate(lengths.tolist())]


def nats_of(scores, lengths, targets):
    """Σ −log p(target), by enumeration."""
    found = enumerated(scores, lengths)
    rows = [
        torch.stack(list(one.values())).logsumexp(0) - one[tuple(y[:n])]
        for one, y, n in zip(found, targets.tolist(), lengths.tolist(), strict=True)
    ]
    return torch.stack(rows).sum()


def agree(got, wanted, **tolerance):
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, **tolerance)


@pytest.mark.parametrize("ways", ["all", "some"])
def test_loss_and_gradients_are_those_of_all_paths(way, ways):
    leaves = drawn()
    scores = barred(leaves) if ways == "some" else leaves
    ours, wanted = paths.nats(scores, LENGTHS, ALLOWED), nats_of(scores, LENGTHS, ALLOWED)
    agree([ours], [wanted])
    got = torch.autograd.grad(0.3 * ours, leaves, retain_graph=True)
    agree(got, torch.autograd.grad(0.3 * wanted, leaves))
    if ways == "some":
        assert not got[1][FORBIDDEN[:-1, :-1]].any()
    with torch.no_grad():
        agree([paths.nats(scores, LENGTHS, ALLOWED)], [wanted.detach()])
        agree([paths.log_probability(scores, LENGTHS, ALLOWED).sum()], [-wanted.detach()])


def test_posteriors_and_best_paths_are_those_of_all_paths(way):
    scores = barred(Scores(*(part.detach() for part in drawn())))
    posteriors, (best, values) = paths.marginals(scores, LENGTHS), paths.best_paths(scores, LENGTHS)
    for row, (length, found) in enumerate(zip(LENGTHS.tolist(), enumerated(scores, LENGTHS), strict=True)):
        shares = torch.stack(list(found.values())).softmax(0)
        wanted = torch.zeros(STEPS, LABELS, dtype=torch.float64)
        for path, share in zip(found, shares, strict=True):
            for t, label in enumerate(path):
                wanted[t, label] += share
        agree([posteriors[row]], [wanted])
        highest = max(found, key=lambda path: found[path])
        assert best[row].tolist() == [*highest, *[0] * (STEPS - length)]
        agree([values[row]], [found[highest]])


@pytest.mark.parametrize(("labels", "steps"), [(1, 4), (2, 1), (8, 3), (9, 6), (37, 4)])
def test_the_loops_are_the_plain_path(labels, steps):
    lengths = torch.tensor([steps, 0, 1, max(1, steps - 1)] * 5)
    for dtype, tolerance in ((torch.float64, {}), (torch.float32, {"rtol": 1e-4, "atol": 1e-4})):
        scores = drawn(labels, steps, len(lengths), scale=3.0, dtype=dtype)
        targets = torch.randint(labels, (len(lengths), steps))
        ours = paths.nats(scores, lengths, targets)
        plain = (paths.plain_log_partition(scores, lengths) - paths.plain_score(scores, lengths, targets)).sum()
        assert ours.dtype == dtype
        agree([ours], [plain], **tolerance)
        agree(torch.autograd.grad(ours, scores), torch.autograd.grad(plain, scores), **tolerance)
    scores = Scores(*(part.detach().double() for part in scores))
    agree(paths.best_paths(scores, lengths), paths.plain_best_paths(scores, lengths))


@pytest.mark.parametrize("scale", [1e4, 300.0])
def test_scores_of_any_size(scale):
    scores, lengths = drawn(5, 6, 4, scale=scale), torch.tensor([6, 4, 5, 6])
    with torch.no_grad():
        scores.emissions[0, 2, 1:] = scores.emissions[1, 3, ::2] = -torch.inf
    targets = paths.best_paths(scores, lengths)[0]
    ours, plain = paths.nats(scores, lengths, targets), -paths.log_probability(scores, lengths, targets).sum()
    agree([ours], [plain], rtol=1e-9, atol=1e-7)
    agree(torch.autograd.grad(ours, scores), torch.autograd.grad(plain, scores), rtol=1e-9, atol=1e-9)


def test_a_target_whose_emission_has_no_chance_is_an_infinite_loss(way):
    scores = Scores(*(part.detach() for part in drawn()))
    scores.emissions[2, 1, int(ALLOWED[2, 1])] = -torch.inf
    assert paths.nats(scores, LENGTHS, ALLOWED) == torch.inf


def test_gradients_are_finite_differences():
    scores = drawn(steps=3, batch=2)
    lengths, targets = torch.tensor([3, 2]), torch.tensor([[0, 2, 1], [1, 0, 0]])
    check = torch.autograd.gradcheck  # the second time backward comes by the plain path: the last bits may differ
    assert check(lambda *parts: paths.nats(Scores(*parts), lengths, targets), tuple(scores), nondet_tol=1e-12)
    assert torch.autograd.gradgradcheck(lambda *parts: paths.nats(Scores(*parts), lengths, targets), tuple(scores))


def test_backward_twice_adds_twice():
    scores = drawn()
    loss = paths.nats(scores, LENGTHS, ALLOWED)
    loss.backward(retain_graph=True)
    once = [part.grad.clone() for part in scores]
    loss.backward()
    agree([part.grad for part in scores], [2 * part for part in once])


def test_posteriors_can_be_differentiated():
    scores = drawn()
    (by_transitions,) = torch.autograd.grad(paths.marginals(scores, LENGTHS)[:, :, 0].sum(), scores.transitions)
    nudged = [scores.transitions.detach().clone() for _ in "+-"]
    nudged[0][1, 2] += 1e-6
    nudged[1][1, 2] -= 1e-6
    with torch.no_grad():
        up, down = (paths.marginals(scores._replace(transitions=one), LENGTHS)[:, :, 0].sum() for one in nudged)
    assert float(by_transitions[1, 2]) == pytest.approx(float(up - down) / 2e-6, rel=1e-5)


def test_of_equal_paths_the_lowest_from_the_end_is_taken(way):
    scores, lengths = (
        Scores(torch.zeros(2, 3, 4), torch.zeros(4, 4), torch.zeros(4), torch.zeros(4)),
        torch.tensor([3, 2]),
    )
    assert not paths.best_paths(scores, lengths)[0].any()
    scores.transitions[3, 1] = scores.transitions[2, 1] = 1.0  # 2 1 and 3 1 are best, at any place
    assert paths.best_paths(scores, lengths)[0].tolist() == [[2, 1, 0], [2, 1, 0]]


def head_and_batch():
    head = CRF(4, LABELS, forbidden=FORBIDDEN).double()
    for part in head.parameters():
        torch.nn.init.normal_(part)
    features = Padded(torch.randn(len(LENGTHS), STEPS, 4, dtype=torch.float64), LENGTHS).zeroed()
    return head, features


def gradients(head, features, targets):
    tally = head.loss(features, targets)
    return [tally.total, *torch.autograd.grad(tally.total, list(head.parameters()))]


def test_more_padding_the_order_of_rows_and_the_size_of_batches_change_nothing(way):
    head, features = head_and_batch()
    wanted = gradients(head, features, ALLOWED)
    tail = torch.randn(len(LENGTHS), 3, 4, dtype=torch.float64)
    longer = Padded(torch.cat([features.data, tail], 1), LENGTHS)
    targets = torch.cat([ALLOWED, torch.full((len(LENGTHS), 3), -1)], 1)
    agree(gradients(head, longer, targets), wanted)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    agree(gradients(head, features.take(order), ALLOWED[order]), wanted)
    assert torch.equal(head.predict(features.take(order)).data, head.predict(features).data[order])
    parts = [gradients(head, features.take(rows), ALLOWED[rows]) for rows in (torch.tensor([0, 1]), torch.arange(2, 6))]
    agree([a + b for a, b in zip(*parts, strict=True)], wanted)
    agree([head.marginals(longer).data[:, :STEPS]], [head.marginals(features).data])
    assert not head.marginals(longer).data[:, STEPS:].any()


def test_the_count_is_of_positions_and_an_empty_batch_is_no_loss(way):
    head, features = head_and_batch()
    assert head.loss(features, ALLOWED).count == int(LENGTHS.sum())
    for nothing in (features.take(torch.tensor([1])), features.split(0)[0], features.take(torch.arange(0))):
        tally = head.loss(nothing, torch.zeros(nothing.data.shape[:2], dtype=torch.int64))
        assert (tally.count, float(tally.total.detach())) == (0, 0.0)
        found = torch.autograd.grad(tally.total, list(head.parameters()), allow_unused=True)
        assert not any(part.any() for part in found if part is not None)
        assert head.predict(nothing).data.shape == nothing.data.shape[:2]


def test_without_transitions_it_is_a_softmax_at_each_position():
    head, features = CRF(4, LABELS).double(), head_and_batch()[1]
    logits = features.data @ head.weight.T + head.bias
    agree([head.marginals(features).data[features.mask]], [logits.softmax(-1)[features.mask]])
    targets = ALLOWED.masked_fill(~features.mask, -100)
    wanted = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    agree([head.loss(features, targets).total], [wanted])


def test_what_is_predicted_keeps_to_what_is_allowed_and_is_the_most_probable(way):
    head, features = head_and_batch()
    found = head.predict(features)
    assert found.lengths is features.lengths
    log_p = head.log_probability(features, found.data)
    assert (log_p >= head.log_probability(features, ALLOWED) - 1e-12).all()
    agree([-log_p.sum()], [head.loss(features, found.data).total])
    assert head.scores(features.data).transitions[0, 2] == -torch.inf


def test_half_precision_features_are_summed_in_single():
    head = CRF(4, 5).bfloat16()
    features = Padded.full(torch.randn(2, 3, 4).bfloat16())
    tally = head.loss(features, torch.zeros(2, 3, dtype=torch.int32))
    assert tally.total.dtype == head.marginals(features).data.dtype == torch.float32
    tally.total.backward()
    assert head.weight.grad.dtype == torch.bfloat16


def test_what_is_not_a_number_is_seen(way):
    head, features = head_and_batch()
    features.data[0, 1, 1] = torch.nan
    assert head.loss(features, ALLOWED).total.isnan()


def changed(*places, to):
    targets = ALLOWED.clone()
    targets[places] = to
    return targets


TARGETS_REFUSED = {
    "none of the labels": (changed(0, 2, to=3), r"target of row 0 at place 2 is 3; labels are 0\.\.2"),
    "negative": (changed(2, 1, to=-1), "target of row 2 at place 1 is -1"),
    "a transition": (
        changed(5, 2, to=1),
        "row 5 is impossible: at place 2 label 1 follows label 1, which is forbidden",
    ),
    "a start": (changed(4, 0, to=1), "row 4 is impossible: at place 0 label 1 comes first"),
    "an end": (changed(3, 0, to=2), "row 3 is impossible: at place 0 label 2 comes last"),
    "no integers": (ALLOWED.double(), r"targets are torch.float64; they have to be integers"),
    "too few": (ALLOWED[:, :4], r"targets \(6, 4\) do not fit features \(6, 5, 4\)"),
}


@pytest.mark.parametrize("case", TARGETS_REFUSED)
def test_targets_that_cannot_be_are_refused_with_their_place(way, case):
    head, features = head_and_batch()
    targets, message = TARGETS_REFUSED[case]
    for function in (head.loss, head.log_probability):
        with pytest.raises(ArgumentError, match=message):
            function(features, targets)


def mask_of(*true, size=4, dtype=torch.bool):
    mask = torch.zeros(size, size, dtype=dtype)
    for place in true:
        mask[place] = True
    return mask


REFUSED = {
    "no labels": (lambda: CRF(4, 0), "labels is 0; a sequence needs one label at least"),
    "a mask without start and end": (
        lambda: CRF(4, 3, forbidden=mask_of(size=3)),
        r"\(3, 3\); it has to be bool \(4, 4\)",
    ),
    "a mask of numbers": (lambda: CRF(4, 3, forbidden=mask_of(dtype=torch.uint8)), "forbidden is torch.uint8"),
    "from start to end": (lambda: CRF(4, 3, forbidden=mask_of((3, 3))), r"forbidden is True at \[-1, -1\]"),
    "no first label": (lambda: CRF(4, 3, forbidden=mask_of((3, slice(3)))), "allows no label as the first one"),
    "no last label": (lambda: CRF(4, 3, forbidden=mask_of((slice(3), 3))), "allows no label as the last one"),
    "another width": (
        lambda: CRF(4, 3).predict(Padded.full(torch.zeros(1, 2, 5))),
        "features have the width 5; this head was made for 4",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_what_came(case):
    construct, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=message):
        construct()


def test_a_row_without_a_possible_path_is_refused(way):
    """Label 0 is the only first one, 1 the only last one, and it takes two steps from the one to the other."""
    forbidden = mask_of((3, 1), (3, 2), (0, 3), (2, 3), (0, 1))
    head, features = CRF(4, 3, forbidden=forbidden), Padded(torch.randn(2, 3, 4), torch.tensor([3, 2]))
    for function in (head.predict, head.marginals):
        with pytest.raises(ArgumentError, match="row 1 has no possible path"):
            function(features)
        function(features.take(torch.tensor([0])))
