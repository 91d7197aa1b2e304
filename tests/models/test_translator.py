"""The translator: lines in, lines out, in their order, the same in any company."""

import pytest
import torch
from torch import nn

from throughtime import layers
from throughtime.cells import GRU
from throughtime.data.line_units import LineUnits
from throughtime.errors import ArgumentError, DataError
from throughtime.heads import Softmax
from throughtime.models.translation import Encoder, Reader, TranslationModel
from throughtime.models.translator import SOURCE_LIMIT, Search, Translator
from throughtime.search import Sampling

LINES = ["abc", "", "c", "abcabc", "?b", "  ", "bb", "a"]


def translator(seed=0, *, letters="abc", spread=2.0):
    units = LineUnits.learn("character", [letters])
    torch.manual_seed(seed)
    core, inner = layers.Bidirectional(GRU(4, 5), GRU(4, 5)), layers.Recurrent(GRU(4, 6))
    encoder = Encoder(Reader(nn.Embedding(len(units), 4)), core, layers.Bridge(core, inner))
    decoder = layers.Attentive(inner, layers.Attend([layers.General(6, 10)]), hidden=6)
    head = Softmax(6, len(units))
    with torch.no_grad():
        for weight in head.parameters():
            weight.mul_(spread)
        head.bias[units.end] = -1.0
    model = TranslationModel(encoder, Reader(nn.Embedding(len(units), 4)), decoder, head, end=units.end)
    return Translator(model, units, units, longest_target=4)


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
    (found,) = one.translate(["abc"], Search(width=6, keep=6, forbidden=("b",), longest=6))
    assert not any("b" in best.text for best in found)
    (found,) = one.translate(["abc"], Search(width=6, prefix="cc", longest=6))
    assert found[0].text.startswith("cc")


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
    assert (len(found[0].ids), found[0].finished) == (one.limit(3), False)
    assert one.limit(3) == 26
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
    alignment = translator().align("abc", "ca")
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
