"""The translator: lines in, lines out, in their order, the same in any company."""

import random
from dataclasses import replace

import pytest
import torch
from torch import nn

from throughtime import layers
from throughtime.cells import GRU
from throughtime.data.line_units import LineUnits
from throughtime.data.pair_lengths import TargetLengths
from throughtime.errors import ArgumentError, DataError
from throughtime.heads import Softmax
from throughtime.layers import packed
from throughtime.layers.self_attention import CrossAttention
from throughtime.models import translator as translators
from throughtime.models.beam_tree import beam_tree
from throughtime.models.sought import Search
from throughtime.models.translation import Encoder, Reader, TranslationModel
from throughtime.models.translator import SOURCE_LIMIT, Translator
from throughtime.search import Sampling

LINES = ["abc", "", "c", "abcabc", "?b", "  ", "bb", "a"]


def translator(seed=0, *, letters="abc", spread=2.0, units=None, times=1):
    units = units or LineUnits.learn("character", [letters])
    width, sees, says = 4 * times, 5 * times, 6 * times
    torch.manual_seed(seed)
    core, inner = layers.Bidirectional(GRU(width, sees), GRU(width, sees)), layers.Recurrent(GRU(width, says))
    encoder = Encoder(Reader(nn.Embedding(len(units), width)), core, layers.Bridge(core, inner))
    decoder = layers.Attentive(inner, layers.Attend([layers.General(says, 2 * sees)]), hidden=says)
    head = Softmax(says, len(units))
    with torch.no_grad():
        for weight in head.parameters():
            weight.mul_(spread)
        head.bias[units.end] = -1.0
    model = TranslationModel(encoder, Reader(nn.Embedding(len(units), width)), decoder, head, end=units.end)
    return Translator(model, units, units, lengths=TargetLengths(1.0, 4))


@pytest.mark.parametrize("rows", [1, 3, 64])
@pytest.mark.parametrize("width", [1, 3])
def test_lines_come_back_in_their_order_whatever_stands_beside_them(rows, width):
    one = translator()
    search = Search(width=width, keep=width, alpha=0.5)
    found = one.translate(LINES, search, rows=rows)
    alone = [one.translate([line], search)[0] for line in LINES]
    assert [[best.ids for best in some] for some in found] == [[best.ids for best in some] for some in alone]
    assert [some[0].text for some in found][1] == ""
    assert found[5][0].finished


def test_a_large_model_says_the_same_in_batches_of_1_and_7_and_64():
    one, chance = translator(letters="abcdefgh", spread=10.0, times=57), random.Random(0)
    assert sum(weight.numel() for weight in one.model.parameters()) > packed.LARGE
    lines = ["".join(chance.choices("abcdefgh", k=chance.randint(1, 9))) for _ in range(64)]
    with one.ready():
        whole = [best for (best,) in one.translate(lines, Search(width=2, longest=5), rows=64)]
        assert len({best.ids for best in whole}) > 20
        for rows, many in ((1, 10), (7, 21)):
            found = [best for (best,) in one.translate(lines[:many], Search(width=2, longest=5), rows=rows)]
            assert [best.ids for best in found] == [best.ids for best in whole[:many]]
            logs = [best.log_probability for best in found]
            assert logs == pytest.approx([best.log_probability for best in whole[:many]], abs=1e-4)


def test_what_is_found_is_worth_what_forcing_it_says():
    one = translator()
    with torch.no_grad():
        one.model.head.bias[one.target_units.end] = 1.0  # so that all end by themselves
    search = Search(width=4, keep=4, alpha=0.7, coverage=0.2)
    for line in LINES[::2]:
        (found,) = one.translate([line], search)
        assert len(found) == 4
        assert all(best.finished for best in found)
        for best, scored in zip(found, one.score([line] * 4, [best.text for best in found], search), strict=True):
            assert best.log_probability == pytest.approx(scored.log_probability, abs=1e-5)
            assert best.score == pytest.approx(scored.score, abs=1e-5)


def test_a_score_of_a_target_is_its_share_of_the_nats():
    one = translator()
    sources, targets = ["abc", "b"], ["ca", ""]
    scored = one.score(sources, targets)
    ids = [one.read(line) for line in sources], [one.target_units.encode(line) for line in targets]
    tally = one.nats(*ids)
    assert tally.count == 4
    assert -sum(pair.log_probability for pair in scored) == pytest.approx(float(tally.total), abs=1e-5)
    assert [pair.text for pair in scored] == targets


def test_what_must_and_must_not_come_does_and_does_not():
    one = translator(spread=0.5)
    (found,) = one.translate(["abc"], Search(width=6, required=("cb",), shortest=3, longest=6))
    assert "cb" in found[0].text
    assert len(found[0].text) >= 3
    spaced = translator(spread=0.5, letters="ab ")
    (found,) = spaced.translate(["ab"], Search(width=30, keep=30, longest=3))
    assert any("b" in best.text.split() for best in found)
    (found,) = spaced.translate(["ab"], Search(width=30, keep=30, forbidden=("b",), longest=3))
    assert not any("b" in best.text.split() for best in found)
    assert any("b" in best.text for best in found), "within longer words it may"
    (found,) = one.translate(["abc"], Search(width=6, prefix="cc", longest=6))
    assert found[0].text.startswith("cc")


def test_subwords_say_a_word_in_any_way_or_in_none():
    units = LineUnits.learn("subword", ["haus", "das haus"] * 4)
    one = translator(spread=0.1, units=units)
    assert len(units.encode("haus")) == len(units.encode(" haus")) == 1
    with torch.no_grad():  # it likes to spell, letter after letter
        one.model.head.bias[[units.encode(letter)[0] for letter in "haus "]] = 6.0
        one.model.head.bias[units.end] = 6.0
    asked = Search(width=12, keep=12, prefix="ha", longest=5)
    said = [best.text for best in one.translate(["haus"], asked)[0]]
    free = [best.text for best in one.translate(["haus"], replace(asked, forbidden=("haus", "ha")))[0]]
    assert "ha" in said
    assert free
    assert not any({"ha", "haus"} & set(text.split()) for text in free)
    (found,) = one.translate(["haus"], Search(width=12, keep=12, required=("haus",), longest=2))
    assert all("haus" in best.text for best in found)
    assert {"haus", " haus"} <= {best.text for best in found}, "in either way of cutting it"


@pytest.mark.parametrize("word", ["x", "", "ax"])
def test_a_word_that_the_vocabulary_lacks_can_be_neither_required_nor_forbidden(word):
    for search in (Search(required=(word,)), Search(forbidden=(word,))):
        with pytest.raises(ArgumentError, match="that the vocabulary lacks, or none"):
            translator().translate(["a"], search)


def test_unknown_units_of_a_source_are_counted():
    assert [translator().unknown(line) for line in ("a?b!", "abc", "")] == [2, 0, 0]


def test_a_source_that_is_too_long_is_refused_by_its_length():
    one = translator()
    one.read("a" * (SOURCE_LIMIT - 1))
    with pytest.raises(DataError, match="a source has 32,768 characters, and 32,767 is the limit: part it"):
        one.translate(["a", "a" * SOURCE_LIMIT])


def test_the_search_gives_up_at_a_length_that_targets_may_have():
    one = translator()
    with torch.no_grad():
        one.model.head.bias[one.target_units.end] = -1e4
    (found,) = one.translate(["abc"], Search(width=2))
    assert (len(found[0].ids), found[0].finished) == (one.lengths.limit(4), False)
    assert one.lengths.limit(4) == 20
    (found,) = one.translate(["abc"], Search(width=2, longest=4))
    assert len(found[0].ids) == 4


def test_partners_search_the_mean_of_their_probabilities():
    one, other = translator(), translator(1)
    search = Search(width=3)
    alone = [found[0].ids for found in one.translate(LINES, search)]
    assert [found[0].ids for found in one.translate(LINES, search, partners=[one])] == alone
    assert [found[0].ids for found in one.translate(LINES, search, partners=[other] * 9)] != alone
    with pytest.raises(ArgumentError, match="have the same units"):
        one.translate(LINES, search, partners=[translator(letters="abd")])


def test_samples_are_drawn_again_from_the_same_seed():
    one = translator()
    settings = Sampling(copies=3, seed=5)
    drawn = [[best.text for best in some] for some in one.sample(LINES, settings)]
    assert drawn == [[best.text for best in some] for some in one.sample(LINES, settings)]
    assert [len(some) for some in drawn] == [1 if not line.strip() else 3 for line in LINES]


def test_an_alignment_names_what_looks_at_what():
    one = translator()
    alignment = one.align("abc", one.target_units.encode("ca"))
    assert alignment.source == ("a", "b", "c", "<eos>")
    assert alignment.target == ("c", "a", "<eos>")
    assert alignment.weights.shape == (1, 3, 4)
    assert alignment.weights.sum(-1) == pytest.approx(1)


def test_rows_and_training_are_as_they_were():
    one = translator()
    one.model.train()
    one.translate(["a"])
    assert one.model.training
    with pytest.raises(ArgumentError, match="rows must be at least 1; got 0"):
        one.translate(["a"], rows=0)


def test_a_draw_is_of_its_seed_and_line_whatever_stands_beside_it():
    one, settings = translator(), Sampling(copies=2, seed=1)

    def drawn(lines, how=settings, **asked):
        return [[best.ids for best in some] for some in one.sample(lines, how, **asked)]

    same = drawn(["abc"] * 9, rows=4)
    assert len({ids for some in same for ids in some}) > 9
    assert same == drawn(["abc"] * 9, rows=9)
    assert drawn(["abc"], numbers=[6]) == [same[5]]
    assert drawn(["b", "abc"])[1] == same[1]
    assert drawn(["abc"], Sampling(2, seed=2)) != [same[1]]


def test_an_alignment_is_of_the_symbols_that_were_said_and_of_all_who_searched():
    one, other = translator(), translator(1)
    ids = one.target_units.encode("ca")
    both = one.align("abc", ids, partners=[other]).weights
    assert both == pytest.approx((one.align("abc", ids).weights + other.align("abc", ids).weights) / 2, abs=1e-6)
    assert one.align("abc", [0, 1]).target == ("<unk>", "a", "<eos>")
    with pytest.raises(ArgumentError, match="have the same units"):
        one.align("abc", ids, partners=[translator(letters="abd")])


def test_more_weights_than_are_held_are_refused(monkeypatch):
    one = translator()
    monkeypatch.setattr(translators, "WEIGHTS", 3 * 4)
    one.align("abc", [1, 1])
    with pytest.raises(DataError, match="1 x 4 x 4 weights of attention are over 12: choose a shorter line"):
        one.align("abc", [1, 1, 1])


def test_a_limit_leaves_room_for_what_the_rules_need_and_a_given_one_is_held_against_them():
    one = translator(spread=0.5)
    found = one.translate(["a" * 20, "b"], Search(width=2, shortest=40))
    assert all(len(best.ids) >= 40 for (best,) in found)
    (found,) = one.translate(["a"], Search(width=2, prefix="abc" * 20))
    assert len(found[0].ids) > 60
    for asked, says in [
        ({"shortest": 5}, "shortest 5 is over longest 4"),
        ({"prefix": "abcab"}, "the prefix has 5 symbols, over longest 4"),
        ({"prefix": "ab", "required": ("cca",)}, "required words need .* over longest 4"),
    ]:
        with pytest.raises(ArgumentError, match=says):
            one.translate([], Search(longest=4, **asked))
    one.lengths = TargetLengths(32768.0, 32768.0)
    assert one.limits([one.read("abc")], Search(shortest=40)) == [32768]
    with pytest.raises(ArgumentError, match="shortest 40000 is over longest 32768"):
        one.translate([], Search(shortest=40000))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"longest": 0}, r"longest must be in 1\.\.32,768; got 0"),
        ({"longest": 10**7}, r"longest must be in 1\.\.32,768; got 10000000"),
        ({"shortest": -1}, "shortest must be at least 0; got -1"),
        ({"width": 0}, "width must be at least 1; got 0"),
    ],
)
def test_a_search_checks_itself(asked, says):
    with pytest.raises(ArgumentError, match=says):
        Search(**asked)


def test_what_does_not_fit_a_translator_is_refused():
    one = translator()
    with pytest.raises(ArgumentError, match="there are 2 sources and 1 targets: give one for each"):
        one.score(["a", "b"], ["a"])
    with pytest.raises(ArgumentError, match="lines are several; got 'abc': put a single one into a list"):
        one.translate("abc")
    with pytest.raises(ArgumentError, match="prefix 'zq' has characters that the vocabulary lacks"):
        one.translate([], Search(prefix="zq"))


def test_what_is_looked_at_is_worked_out_for_a_penalty_alone(monkeypatch):
    one = translator()
    one.model.decoder = layers.TransformerDecoder(4, 6, 2, 2, memory=10)
    found = [best.ids for (best,) in one.translate(LINES, Search(coverage=1e-9))]
    monkeypatch.delattr(CrossAttention, "weighted")
    assert [best.ids for (best,) in one.translate(LINES, partners=[one])] == found
    one.sample(["abc"], Sampling(seed=1))
    one.score(["abc"], ["b"])
    assert beam_tree(one, "abc", "b", Search()).best
    with pytest.raises(AttributeError, match="weighted"):
        one.translate(["abc"], Search(coverage=0.1))


def test_partners_are_trained_again_if_they_were():
    one, other = translator(), translator(1)
    other.model.train()
    one.translate(["a"], partners=[other])
    assert other.model.training
