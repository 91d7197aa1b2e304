"""Entities: every scheme against all that it can write, seqeval for the counting, and conlleval's own walk."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from seqeval import scheme as peer_scheme
from seqeval.metrics import accuracy_score, f1_score
from seqeval.metrics import sequence_labeling as peer_lenient
from seqeval.metrics import v1 as peer_strict

from throughtime.errors import ArgumentError, DataError
from throughtime.metrics import (
    Span,
    TagError,
    convert_tags,
    count_errors,
    entity_scores,
    fitting_schemes,
    spans,
    tag_errors,
    transitions,
    write_tags,
)

SCHEMES = ["BIO", "IOB1", "IOB2", "IOE", "IOE1", "IOE2", "IOBES", "BILOU"]
LETTERS = {"BIO": "BI", "IOB1": "BI", "IOE": "IE", "IOE1": "IE", "IOBES": "BIES", "BILOU": "BILU"}
STRICT = {"BIO": "IOB2", "IOE": "IOE2", "IOBES": "IOBES", "BILOU": "BILOU"}


def alphabet(letters, types="XY"):
    return ["O", *(f"{letter}-{kind}" for letter in letters for kind in types)]


def all_span_sets(length, types="XY", start=0):
    """Every way to have entities in a sentence."""
    if start >= length:
        yield []
        return
    for rest in all_span_sets(length, types, start + 1):
        yield rest
    for stop in range(start + 1, length + 1):
        for rest in all_span_sets(length, types, stop):
            for kind in types:
                yield [Span(kind, start, stop), *rest]


def sentences(letters, count=4):
    tags = some.lists(some.sampled_from(alphabet(letters)), min_size=1, max_size=8)
    return some.lists(tags.flatmap(lambda one: some.tuples(some.just(one), some.permutations(one))), max_size=count)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_written_is_read_back(scheme):
    for entities in all_span_sets(4):
        tags = write_tags(entities, 4, scheme)
        assert spans(tags) == spans(tags, scheme) == entities
        assert tag_errors(tags, scheme) == []


@pytest.mark.parametrize("scheme", LETTERS)
def test_what_is_not_forbidden_is_just_what_can_be_written(scheme):
    labels = alphabet(LETTERS[scheme])
    forbidden = transitions(labels, scheme)
    written = {tuple(write_tags(entities, 4, scheme)) for entities in all_span_sets(4)}
    legal = set()
    for places in product(range(len(labels)), repeat=4):
        steps = [forbidden.between[i, j] for i, j in pairwise(places)]
        tags = [labels[i] for i in places]
        fits = not (forbidden.start[places[0]] or forbidden.end[places[-1]] or any(steps))
        if fits:
            legal.add(tuple(tags))
        elif len(legal) % 3 == 0:
            assert tag_errors(tags, scheme)
    assert legal == written


def test_letters_of_other_schemes_are_forbidden_everywhere():
    forbidden = transitions(["O", "B-X", "E-X", "L-X"], "BIO")
    assert forbidden.between[2:].all()
    assert forbidden.between[:, 2:].all()
    assert (forbidden.start.tolist(), forbidden.end.tolist()) == ([False, False, True, True],) * 2
    assert not forbidden.between[:2, :2].any()
    assert transitions([], "BIO").between.shape == (0, 0)
    whole = transitions(["O", "B-X", "E-X"], "IOBES").whole
    assert whole.astype(int).tolist() == [[0, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize("target", SCHEMES)
@pytest.mark.parametrize("source", LETTERS)
def test_conversion_keeps_the_entities(source, target):
    for entities in list(all_span_sets(3))[::3]:
        tags = write_tags(entities, 3, source)
        assert convert_tags(tags, source, target) == write_tags(entities, 3, target)


@settings(max_examples=15)
@given(sentences("BIES"))
def test_tags_are_counted_as_by_seqeval(drawn):
    labels, predicted = [one for one, _ in drawn], [list(other) for _, other in drawn]
    for tags in labels + predicted:
        assert [(span.type, span.start, span.stop - 1) for span in spans(tags)] == peer_lenient.get_entities(tags)
    agree(entity_scores(labels, predicted), labels, predicted)


@pytest.mark.parametrize("scheme", STRICT)
def test_tags_are_counted_as_by_seqeval_in_strict_mode(scheme):
    @settings(max_examples=12)
    @given(sentences(LETTERS[scheme]))
    def check(drawn):
        labels, predicted = [one for one, _ in drawn], [list(other) for _, other in drawn]
        peer = getattr(peer_scheme, STRICT[scheme])
        for tags in labels + predicted:
            theirs = [(span.tag, span.start, span.end) for span in peer_scheme.Tokens(tags, peer).entities]
            assert spans(tags, scheme) == theirs
        agree(entity_scores(labels, predicted, scheme=scheme), labels, predicted, scheme=peer)

    check()


def agree(scores, labels, predicted, scheme=None):
    """That all our scores are seqeval's, which has 0 where there is nothing."""
    if not scores.types:
        assert (scores.f1, scores.macro_f1, scores.weighted_f1, scores.f1_interval()) == (None,) * 4
        return
    counted = peer_strict if scheme else peer_lenient
    strict = {"scheme": scheme} if scheme else {}
    how = {"zero_division": 0, "mode": "strict" if scheme else None, "scheme": scheme}
    for average, score in [("micro", scores.total), (None, list(scores.types.values()))]:
        theirs = counted.precision_recall_fscore_support(labels, predicted, average=average, zero_division=0, **strict)
        of = [score] if average else score
        for name, column in zip(["precision", "recall", "f1", "support"], theirs, strict=True):
            assert [getattr(one, name) or 0 for one in of] == pytest.approx(np.atleast_1d(column).tolist())
    assert scores.macro_f1 == pytest.approx(f1_score(labels, predicted, average="macro", **how))
    weighted = f1_score(labels, predicted, average="weighted", **how) if scores.total.support else None
    assert scores.weighted_f1 == pytest.approx(weighted)
    assert scores.tag_accuracy == pytest.approx(accuracy_score(labels, predicted))
    assert scores.counts.sum(axis=0).tolist() == [scores.total.right, scores.total.predicted, scores.total.support]


def test_iob1_is_counted_as_by_seqeval_where_its_tags_are_right():
    for entities in list(all_span_sets(4))[::5]:
        tags = write_tags(entities, 4, "IOB1")
        theirs = peer_scheme.Tokens(tags, peer_scheme.IOB1).entities
        assert spans(tags, "IOB1") == [(span.tag, span.start, span.end) for span in theirs]


@settings(max_examples=25)
@given(some.lists(some.tuples(*[some.sampled_from(alphabet("BIE"))] * 2), max_size=12))
def test_tags_are_counted_as_conlleval_walks(drawn):
    """Token by token: an entity is right if both begin at once, are of a type throughout, and end at once."""
    right = found = there = 0
    inside, last = False, ["O", "O"]
    for pair in [*drawn, ("O", "O")]:
        ends, starts = zip(*(edges(*step) for step in zip(last, pair, strict=True)), strict=True)
        if inside and ends == (True, True):
            right, inside = right + 1, False
        elif inside and (ends[0] != ends[1] or pair[0][1:] != pair[1][1:]):
            inside = False
        inside = inside or (starts == (True, True) and pair[0][1:] == pair[1][1:])
        there, found, last = there + starts[0], found + starts[1], pair
    scores = entity_scores([[one for one, _ in drawn]], [[other for _, other in drawn]])
    assert (scores.total.right, scores.total.predicted, scores.total.support) == (right, found, there)


def edges(before, tag):
    """Whether an entity ends before a tag, and whether one begins with it."""
    goes_on = before[0] in "BI" and tag[0] in "IE" and before[1:] == tag[1:]
    return before != "O" and not goes_on, tag != "O" and not goes_on


@settings(max_examples=25)
@given(some.lists(some.sampled_from(alphabet("BIESLU")), max_size=10), some.sampled_from(SCHEMES))
def test_repair_makes_tags_right_and_leaves_right_ones(tags, scheme):
    mended = convert_tags(tags, scheme, scheme, repair=True)
    assert tag_errors(mended, scheme) == []
    assert spans(mended, scheme) == spans(tags)
    if not tag_errors(tags, scheme):
        assert mended == tags == convert_tags(tags, scheme, scheme)
    else:
        with pytest.raises(DataError, match=f"breaks {scheme}, .*; mend it or ask for repair"):
            convert_tags(tags, scheme, scheme)


@pytest.mark.parametrize(
    ("scheme", "tags", "found"),
    [
        ("BIO", "I-X", [(0, "I after O")]),
        ("BIO", "B-X O I-X I-X", [(2, "I after O")]),
        ("BIO", "B-X I-Y", [(1, "type change")]),
        ("BIO", "B-X S-X E-X", [(1, "strange letter"), (2, "strange letter")]),
        ("IOB1", "B-X I-X O I-X B-Y", [(0, "needless B"), (4, "needless B")]),
        ("IOB1", "I-X I-Y B-Y", []),
        ("IOE", "I-X O E-X I-Y I-X", [(0, "no end"), (3, "no end"), (4, "no end")]),
        ("IOE1", "I-X E-X O E-X I-X", [(1, "needless E")]),
        ("IOBES", "B-X O", [(0, "no end")]),
        ("IOBES", "E-X I-X S-X", [(0, "I after O"), (1, "I after an end"), (1, "no end")]),
        ("IOBES", "B-X I-Y E-Y", [(0, "no end"), (1, "type change")]),
        ("IOBES", "U-X", [(0, "strange letter")]),
        ("BILOU", "S-X B-Y L-Y", [(0, "strange letter")]),
    ],
)
def test_errors_have_their_places(scheme, tags, found):
    tags = tags.split()
    assert tag_errors(tags, scheme) == [TagError(place, tags[place], fault) for place, fault in found]


def test_errors_of_sentences_are_counted_with_the_first():
    sentences = [[], ["B-X", "I-X"], ["O", "I-X", "I-Y"], ["S-X", "I-Y"]]
    counted = count_errors(iter(sentences), "BIO")
    assert (counted.sentences, counted.broken) == (4, 2)
    # S is strange to BIO, but it is a tag, and no O.
    assert counted.faults == {"I after O": 1, "type change": 2, "strange letter": 1}
    assert counted.first == (2, TagError(1, "I-X", "I after O"))
    assert count_errors([], "BIO").first is None
    with pytest.raises(DataError, match="sentence 2, token 1: the tag 'x'"):
        count_errors([["O"], ["x"]], "BIO")


@pytest.mark.parametrize("scheme", LETTERS)
def test_the_scheme_that_wrote_tags_fits_them(scheme):
    sentences = [write_tags(entities, 3, scheme) for entities in all_span_sets(3)]
    assert fitting_schemes(sentences) == [scheme]
    assert fitting_schemes([["O", "O"]]) == list(LETTERS)
    assert fitting_schemes([["B-X", "L-Y"]]) == []


def test_perfect_is_1_and_sentences_in_any_order_count_the_same():
    labels = [["B-X", "I-X", "O"], ["O", "B-Y"], ["B-X"]]
    perfect = entity_scores(labels, labels)
    assert (perfect.f1, perfect.macro_f1, perfect.weighted_f1, perfect.tag_accuracy) == (1, 1, 1, 1)
    assert perfect.f1_interval() == (1, 1)
    predicted = [["B-X", "O", "O"], ["O", "B-Y"], ["B-Y"]]
    scores, turned = entity_scores(labels, predicted), entity_scores(labels[::-1], predicted[::-1])
    assert (turned.types, turned.total) == (scores.types, scores.total)
    many = entity_scores(labels * 30, predicted * 30)
    low, high = many.f1_interval(seed=1)
    assert low < many.f1 == scores.f1 == 1 / 3 < high
    assert many.to_json()["types"]["X"] == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 60,
        "predicted": 30,
        "right": 0,
    }
    nothing = entity_scores([], [])
    assert (nothing.f1, nothing.tag_accuracy, nothing.types) == (None, None, {})
    missed = entity_scores([["B-X"]], [["O"]]).total
    assert (missed.precision, missed.recall, missed.f1) == (None, 0, 0)


def test_a_letter_alone_is_of_the_empty_type():
    assert spans(["B", "I", "O"]) == [Span("", 0, 2)]
    assert convert_tags(["B", "I", "O"], "BIO", "IOBES") == ["B", "E", "O"]
    assert spans(["B-a-b", "I-a-b"]) == [Span("a-b", 0, 2)]
    for scheme, tags in [("IOE1", ["I"]), ("IOB1", ["I"]), ("BIO", ["B"]), ("IOBES", ["S"]), ("BILOU", ["U"])]:
        assert write_tags([Span("", 0, 1)], 1, scheme) == tags


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: spans(["O", "NOUN"]), DataError, "token 2: the tag 'NOUN' is of no scheme"),
        (lambda: spans(["B-"]), DataError, "token 1: the tag 'B-' is of no scheme"),
        (lambda: spans(["Begin"]), DataError, "is of no scheme; tags are O, or B I E S L U with a type"),
        (lambda: spans([""]), DataError, "the tag '' is of no scheme"),
        (lambda: spans(["O-X"]), DataError, "the tag 'O-X' is of no scheme"),
        (lambda: spans(["\x1b[2J"]), DataError, r"the tag '\\x1b\[2J'"),
        (lambda: spans(["B-X", "E-X"], "BIO"), DataError, "token 2: the tag 'E-X' has a letter that BIO has not"),
        (lambda: spans(["S-X"], "BILOU"), DataError, "has a letter that BILOU has not"),
        (lambda: spans(["B-" + "X" * 9999]), DataError, "has 10,001 letters; 1,000 are the most"),
        (lambda: transitions(["O"] * 10_001, "BIO"), ArgumentError, "10,001 labels are too many .* 10,000 are"),
        (lambda: spans([], "BIOS"), ArgumentError, "scheme is 'BIOS'; did you mean 'BIO'?"),
        (lambda: transitions(["X"], "BIO"), DataError, "token 1: the tag 'X'"),
        (lambda: write_tags([Span("X", 1, 3)], 2, "BIO"), ArgumentError, "leaves the sentence of 2 tokens"),
        (lambda: write_tags([Span("X", 0, 2), Span("X", 1, 3)], 3, "BIO"), ArgumentError, "overlaps another"),
        (lambda: write_tags([Span("X", 1, 1)], 3, "BIO"), ArgumentError, "is empty"),
        (lambda: convert_tags(["I-X", "I-Y"], "BIO", "IOB1"), DataError, "'I-X' breaks BIO, I after O, and 1 more"),
        (lambda: convert_tags(["O"], "bio", "BIO", repair=True), ArgumentError, "scheme is 'bio'"),
        (lambda: entity_scores([["O"]], []), ArgumentError, "labels have 1 sentences and predicted 0"),
        (lambda: entity_scores([["O"]], [["O", "O"]]), ArgumentError, "sentence 1 has 1 tags in labels and 2"),
        (lambda: entity_scores(["O"], ["O"]), ArgumentError, "sentence 1 is a text; a sentence is a list of tags"),
        (lambda: entity_scores([[], ["O"]], [[], ["x"]]), DataError, "sentence 2, token 1: the tag 'x'"),
    ],
)
def test_what_is_no_tag_is_named(call, error, says):
    with pytest.raises(error, match=says) as raised:
        call()
    assert str(raised.value).isprintable()
