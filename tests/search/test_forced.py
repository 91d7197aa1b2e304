import pytest
import torch

from throughtime.cells import GRU
from throughtime.errors import ArgumentError, DivergedError
from throughtime.layers import Recurrent
from throughtime.models.language import LanguageModel
from throughtime.search import Beam, Ensemble, Ranking, Rules, beam, forced, greedy, rescored
from throughtime.search.likeliest import likeliest

SOURCE = torch.tensor([2, 0, 5])
TARGETS = [(1, 2, 3, 4), (), (4, 4)]


def test_forced_decoding_gives_what_each_symbol_had(chances):
    stepper = chances(seed=1)
    found = forced(stepper, SOURCE, TARGETS, end=0)
    assert found.lengths.tolist() == [5, 1, 3]
    for row, target in enumerate(TARGETS):
        log_p, state = stepper.start(SOURCE[row : row + 1])
        for place, symbol in enumerate((*target, 0)):
            assert float(found.data[row, place]) == pytest.approx(float(log_p[0, symbol]))
            log_p, state = stepper.step(torch.tensor([symbol]), state)
    assert not found.data[1, 1:].any()
    assert not found.data[2, 3:].any()


def test_targets_are_scored_as_if_they_had_been_found(chances):
    ranking = Ranking(0.6, "wu", 0.3)
    scored = rescored(chances(), SOURCE, TARGETS, end=0, ranking=ranking)
    sums = forced(chances(), SOURCE, TARGETS, end=0).data.sum(1)
    assert [one.log_probability for one in scored] == pytest.approx(sums.tolist())
    found = beam(chances(), SOURCE, rules=Rules(end=0), longest=[4] * 3, settings=Beam(400, 300, ranking))
    for one, several in zip(scored, found, strict=True):
        same = next(other for other in several if other.tokens == one.tokens)
        assert (one.score, one.log_probability) == pytest.approx((same.score, same.log_probability))


def test_targets_that_are_done_leave(chances):
    stepper = chances()
    forced(stepper, SOURCE, TARGETS, end=0)
    assert stepper.rows == [2, 2, 1, 1]
    assert forced(stepper, SOURCE[:0], [], end=0).data.shape[0] == 0


@pytest.mark.parametrize(
    ("targets", "end", "message"),
    [
        ([()], 0, "there are 1 targets for 3 sources"),
        ([(), (5,), ()], 0, "target 1 has the symbol 5; the model's are 0 to 4"),
        ([(), (), (-1,)], 0, "target 2 has the symbol -1"),
        ([(), (), (1, 0)], 0, "target 2 has the end symbol 0, which is added here: leave it out"),
        ([(), (), ()], 5, "the end symbol 5 is none of the model's: they are 0 to 4"),
    ],
)
def test_targets_that_do_not_fit_are_refused(chances, targets, end, message):
    with pytest.raises(ArgumentError, match=message):
        forced(chances(), SOURCE, targets, end=end)


def test_numbers_that_are_none_are_refused(chances):
    stepper = chances()
    stepper.log_p[5] = torch.nan
    with pytest.raises(DivergedError, match="the model's probabilities are not numbers"):
        forced(stepper, SOURCE, TARGETS, end=0)


def test_an_ensemble_is_the_mean_of_probabilities(chances):
    members = [chances(seed=seed) for seed in range(3)]
    together = forced(Ensemble(members), SOURCE, TARGETS, end=0)
    first = torch.stack([member.start(SOURCE)[0].exp() for member in members]).mean(0).log()
    torch.testing.assert_close(together.data[:, 0].float(), first[torch.arange(3), torch.tensor([1, 0, 4])])


@pytest.mark.parametrize("count", [1, 3])
def test_an_ensemble_of_equals_is_any_of_them(chances, count):
    settings = Beam(4, 4, Ranking(0.7, coverage=0.2))
    asked = {"rules": Rules(end=0), "longest": [6] * 3, "settings": settings}
    alone = beam(chances(), SOURCE, **asked)
    together = beam(Ensemble([chances() for _ in range(count)]), SOURCE, **asked)
    assert [[one.tokens for one in several] for several in alone] == [[o.tokens for o in s] for s in together]
    for several, others in zip(alone, together, strict=True):
        assert [one.score for one in several] == pytest.approx([one.score for one in others], abs=1e-5)


def test_members_that_do_not_fit_are_refused(chances):
    with pytest.raises(ArgumentError, match="an ensemble has no members: give at least one stepper"):
        Ensemble([])
    with pytest.raises(ArgumentError, match=r"the members of an ensemble have \[5, 6\] symbols"):
        Ensemble([chances(), chances(vocab=6)]).start(SOURCE)


@pytest.mark.parametrize("vocab", [5, 4096, 5000, 6143])
def test_the_likeliest_are_those_of_the_whole_row(vocab):
    rows = torch.randn(7, vocab)
    rows[3, : vocab // 2] = -torch.inf
    rows[4, 2:] = -torch.inf
    for k in (1, 5):
        values, places = likeliest(rows, k)
        torch.testing.assert_close(values, rows.topk(k).values)
        torch.testing.assert_close(rows.gather(1, places), values)
        assert all(len(set(row)) == k for row in places.tolist())
    rows[5, vocab - 1] = torch.nan
    assert bool(likeliest(rows, 1)[0][5].isnan())


def test_a_language_model_goes_on_from_its_prompts(imitated):
    model = LanguageModel(9, Recurrent(GRU(4, 6))).double()
    prompts, asked = torch.tensor([[1, 2], [3, 4], [5, 5]]), {"rules": Rules(end=0), "longest": [5, 3, 6]}
    found = beam(model, prompts, **asked, settings=Beam(3, 3))
    scored = rescored(model, prompts, [several[0].tokens for several in found], end=0)
    assert [one.log_probability for one in scored] == pytest.approx([s[0].log_probability for s in found], abs=1e-9)
    for row in range(3):
        alone = {"rules": Rules(end=0), "longest": asked["longest"][row : row + 1]}
        one = beam(model, prompts[row : row + 1], **alone, settings=Beam(3, 3))[0]
        assert [other.tokens for other in one] == [other.tokens for other in found[row]]
    first = greedy(model, prompts, **asked)
    assert [one.tokens for one in first] == [s[0].tokens for s in beam(model, prompts, **asked, settings=Beam(1))]
