"""What is said of sentences, whatever stands beside them, and how well it is judged."""

import numpy as np
import pytest
import torch

from throughtime import Bidirectional, Recurrent
from throughtime.cells import GRU
from throughtime.data.lexicon import Lexicon, View
from throughtime.errors import ArgumentError, DataError
from throughtime.heads import CRF, Classes
from throughtime.layers.characters import CharacterConvolution
from throughtime.layers.words import WordVectors
from throughtime.metrics import Span, transitions
from throughtime.models import tagger as taggers
from throughtime.models.tagger import Tagger
from throughtime.models.tagging import TaggingModel

TAGS = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]
PIECES = ["B-PER", "E-PER", "I-PER", "O", "S-LOC", "S-PER"]
CHANCE = np.random.default_rng(0)
SENTENCES = [
    ["w" + "abcdefghij"[CHANCE.integers(10)] * int(CHANCE.integers(1, 5)) for _ in range(n)]
    for n in (3, 0, 7, 1, 12, 1, 5, 30)
]
LEXICON = Lexicon(View(plain=True, casing=True, affixes=0, letters=True), ["wa", "wb"], [], "wabcd")


def make(head="softmax", tags=TAGS, both=True, **schemes):
    torch.manual_seed(0)
    words = WordVectors(len(LEXICON), 4, [(10, 2)], CharacterConvolution(6, 3, 2), word_dropout=0.5)
    core = Bidirectional(GRU(12, 3), GRU(12, 3)) if both else Recurrent(GRU(12, 6))
    forbidden = torch.tensor(transitions(tags, schemes.get("learned") or schemes["scheme"]).whole) if schemes else None
    made = CRF(6, len(tags), forbidden=forbidden) if head == "crf" else Classes(6, len(tags))
    model = TaggingModel(words, core, made, dropout=0.5)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(20)  # far from even, so that there are tags to be sure of
    return Tagger(model, LEXICON, tags, **schemes)


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_sentences_of_any_length_keep_their_order_and_are_said_what_each_is_said_alone(head, monkeypatch):
    tagger = make(head)
    alone = [make(head).tag([sentence])[0] for sentence in SENTENCES]
    shares = [make(head).probabilities([sentence])[0] for sentence in SENTENCES]
    for rows, steps in ((128, 4096), (2, 4096), (128, 9)):
        monkeypatch.setattr(taggers, "ROWS", rows)
        monkeypatch.setattr(taggers, "STEPS", steps)
        for one, other, share, every in zip(
            tagger.tag(SENTENCES), alone, tagger.probabilities(SENTENCES), shares, strict=True
        ):
            assert one.tags == other.tags
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
            np.testing.assert_allclose(share, every, atol=1e-5)
            best = [share[place, TAGS.index(tag)] for place, tag in enumerate(one.tags)]
            np.testing.assert_allclose(one.probabilities, best, atol=1e-6)
    assert tagger.tag([[]])[0].tags == []
    assert tagger.probabilities([[]])[0].shape == (0, 5)
    assert tagger.tag([]) == []


def test_reading_is_without_dropout_and_leaves_training_as_it_was():
    tagger = make()
    tagger.model.train()
    first = tagger.tag(SENTENCES)
    assert tagger.model.training
    assert [one.tags for one in make().tag(SENTENCES)] == [one.tags for one in first]
    tagger.model.eval()
    tagger.tag(SENTENCES)
    assert not tagger.model.training


def test_vectors_of_words_are_worked_out_once_and_forgotten_when_they_are_many(monkeypatch):
    tagger, met = make(), []
    worked = tagger.model.words.forward
    monkeypatch.setattr(tagger.model.words, "forward", lambda words: met.append(len(words.features)) or worked(words))
    first = tagger.tag(SENTENCES)
    assert sum(met) == len({word for sentence in SENTENCES for word in sentence})
    met.clear()
    assert [one.tags for one in tagger.tag(SENTENCES)] == [one.tags for one in first]
    assert met == []
    monkeypatch.setattr(taggers, "REMEMBERED", 3)
    assert [one.tags for one in tagger.tag(SENTENCES[:3])] == [one.tags for one in first[:3]]
    assert sum(met) == len({word for sentence in SENTENCES[:3] for word in sentence})
    assert tagger.unknown([["Wa", "wc", "wb"], []]) == 1


def test_entities_are_told_and_written_by_the_scheme_of_the_file():
    tagger = make("crf", PIECES, scheme="BIO", learned="IOBES")
    found = tagger.tag(SENTENCES)
    assert {tag for one in found for tag in one.tags} <= {*TAGS}
    assert any(one.spans for one in found)
    for one, sentence in zip(found, SENTENCES, strict=True):
        assert len(one.tags) == len(sentence)
        for kind, start, stop in one.spans:
            assert one.tags[start:stop] == [f"B-{kind}", *[f"I-{kind}"] * (stop - start - 1)]
        assert sum(tag != "O" for tag in one.tags) == sum(span.stop - span.start for span in one.spans)
    assert make(tags=["N", "V"]).tag(SENTENCES)[0].spans == []


def test_a_word_at_a_time_is_tagged_as_the_sentence_whole():
    tagger = make(both=False)
    assert tagger.waits is None
    for sentence, whole in zip(SENTENCES, tagger.tag(SENTENCES), strict=True):
        state, said = None, []
        for place, word in enumerate(sentence):
            tag, share, state = tagger.step(word, state)
            said.append(tag)
            assert share == pytest.approx(float(whole.probabilities[place]), abs=1e-5)
        assert said == whole.tags


@pytest.mark.parametrize(
    ("tagger", "says"),
    [
        (make, "this tagger reads from both ends: give it whole sentences"),
        (lambda: make("crf", both=False), r"decides the tags of a sentence together \(--head crf\): give it whole"),
        (
            lambda: make(tags=PIECES, both=False, scheme="BIO", learned="IOBES"),
            r"writes its tags when the whole sentence is there \(--convert\)",
        ),
    ],
)
def test_a_tagger_that_needs_the_sentence_refuses_a_word(tagger, says):
    with pytest.raises(ArgumentError, match=says):
        tagger().step("w", None)


def said(monkeypatch, tagger, tags):
    """The tagger, which says these."""
    monkeypatch.setattr(tagger, "best", lambda sentences: tags)
    return tagger


@pytest.mark.parametrize("schemes", [{}, {"scheme": "BIO", "learned": "IOBES"}])
def test_the_best_tags_are_those_of_tag_and_are_scored_without_probabilities(monkeypatch, schemes):
    tagger = make("crf", PIECES, **schemes)
    tags = [one.tags for one in tagger.tag(SENTENCES)]
    monkeypatch.setattr(tagger.model, "probabilities", None)  # all paths of a CRF, forwards and backwards
    assert tagger.best(SENTENCES) == tags
    assert tagger.score(SENTENCES, tags).facts["accuracy"] == 1


def test_a_score_is_counted_by_hand(monkeypatch):
    true = [["B-PER", "I-PER", "O"], ["B-LOC", "O"]]
    tagger = said(monkeypatch, make(scheme="BIO"), [["B-PER", "I-PER", "B-LOC"], ["B-LOC", "O"]])
    score = tagger.score([["a", "b", "c"], ["d", "e"]], true)
    assert (score.sentences, score.tokens, score.facts["accuracy"]) == (2, 5, 0.8)
    assert score.facts["entity_precision"] == pytest.approx(2 / 3)
    assert score.facts["entity_recall"] == 1
    assert score.facts["entities"] == 2
    assert score.loss == pytest.approx(1 - 0.8)  # F1 = 2 · 2/3 / (5/3)
    assert score.sentence() == "entity f1 80.00 %, entity precision 66.67 %, entity recall 100.00 %, accuracy 80.00 %"
    assert score.tables["types"]["LOC"]["precision"] == 0.5
    assert score.tables["tags"]["O"]["recall"] == 0.5
    assert {"loss", "tokens", "accuracy"} <= set(score.to_json())


def test_a_tag_that_was_never_learned_counts_as_wrong_and_is_shown(monkeypatch):
    tagger = said(monkeypatch, make(tags=["N", "V"]), [["N", "N", "V"]])
    score = tagger.score([["a", "b", "c"]], [["N", "X", "X"]])
    assert score.facts["accuracy"] == pytest.approx(1 / 3)
    assert (score.facts["unlearned_tags"], score.facts["unlearned_tokens"]) == (1, 2)
    assert score.loss == pytest.approx(2 / 3)
    assert score.tables["tags"]["X"] | {"learned": False} == score.tables["tags"]["X"]
    assert (score.tables["tags"]["X"]["recall"], score.tables["tags"]["X"]["support"]) == (0, 2)
    assert score.tables["tags"]["N"]["learned"]


def test_all_tags_of_the_files_scheme_count_as_learned_and_broken_ones_are_counted(monkeypatch):
    tagger = said(monkeypatch, make("crf", PIECES, scheme="BIO", learned="IOBES"), [["O", "B-PER"]])
    score = tagger.score([["a", "b"]], [["I-LOC", "B-PER"]])
    assert score.facts["unlearned_tags"] == 0
    assert score.facts["broken_tags"] == 1
    assert set(score.tables["tags"]) == set(TAGS)


def test_without_entities_to_find_the_loss_is_whole(monkeypatch):
    score = said(monkeypatch, make(scheme="BIO"), [["O"]]).score([["a"]], [["O"]])
    assert (score.facts["entity_f1"], score.loss, score.sentence()) == (None, 1.0, "accuracy 100.00 %")


@pytest.mark.parametrize(
    ("sentences", "tags", "kind", "says"),
    [
        ([], [], ArgumentError, "there are no words to judge a tagger by; give one at least"),
        ([[]], [[]], ArgumentError, "there are no words to judge"),
        ([["a"]], [], ArgumentError, "every sentence has its tags: 1 and 0 do not fit"),
        ([["a"], ["b"]], [["O"], []], ArgumentError, "sentence 2 has 1 words and 0 tags, not one each"),
        ([["a"]], ["O"], ArgumentError, "sentence 1 has 1 words and 1 tags, not one each"),
        ([["a"]], [["NOUN"]], DataError, "sentence 1, token 1: the tag 'NOUN' is of no scheme"),
    ],
)
def test_what_cannot_be_judged_is_refused(sentences, tags, kind, says):
    with pytest.raises(kind, match=says):
        make(scheme="BIO").score(sentences, tags)


def test_spans_are_public_spans():
    assert all(isinstance(span, Span) for one in make("crf", scheme="BIO").tag(SENTENCES) for span in one.spans)
