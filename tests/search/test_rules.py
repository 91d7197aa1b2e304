from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from throughtime.errors import ArgumentError
from throughtime.search import Beam, Rules, beam, exhaustive, greedy, sampled
from throughtime.search.forbidden import Forbidden
from throughtime.search.phrases import Phrases
from throughtime.search.rules import within

PHRASES = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple), min_size=1, max_size=4)
SEARCHES = [beam, greedy, sampled, exhaustive]


@settings(max_examples=10)
@given(PHRASES, PHRASES, st.lists(st.integers(0, 4), min_size=2, max_size=8))
def test_automata_know_which_words_were_said_and_how_far_others_are(one, other, said):
    wanted = [tuple((phrase,) for phrase in dict.fromkeys(one)), (tuple(dict.fromkeys(other)),)]
    automata = Phrases.of(wanted, 5, torch.device("cpu"))
    states, met = automata.roots, automata.lengths == 0
    for time, token in enumerate(said):
        states = automata.next(states, torch.tensor([token, token]))
        met = met | automata.ending[states]
        so_far = tuple(said[: time + 1])
        for row, words in enumerate(wanted):
            assert met[row, : len(words)].tolist() == [any(within(p, so_far) for p in word) for word in words]
            begun = [
                max(
                    max(0, k + min(map(len, word)) - len(p))
                    for p in word
                    for k in range(min(len(p), time + 2))
                    if so_far[len(so_far) - k :] == p[:k]
                )
                for word in words
            ]
            assert automata.progress[states[row], : len(words)].tolist() == begun
    assert met[:, max(map(len, wanted)) :].all(), "what pads fewer words wants nothing"


def test_no_words_need_no_automata():
    assert Phrases.of([(), ()], 5, torch.device("cpu")) is None
    assert Forbidden.of([Rules(0)], 5, torch.device("cpu")) is None


SPELLING = (b"", b"a", b"ab", b" ", b"b", b" b", b"a b", "\u201d".encode(), b"\xc3", b"\xa4", "\u732b".encode())
TEXTS = ["ab", "a", "b a", "\u00e4", "ab b", "\u201d", "b\u201da", "\u732b", "ab\u732b", "bab"]


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(1, len(SPELLING) - 1), max_size=7),
    st.booleans(),
)
def test_a_word_is_forbidden_as_a_word_however_it_is_cut(words, said, as_text):
    forbidden = [word.encode() for word in words] if as_text else [[1, 2], [4, 4, 1], [3]]
    rules = Rules(0, forbidden=forbidden, spelling=SPELLING if as_text else None)
    automaton, states = Forbidden.of([rules], len(SPELLING), torch.device("cpu"))
    for time in range(len(said) + 1):
        table = torch.zeros(1, len(SPELLING))
        automaton.restrict(table, states)
        ends = [rules.says(said[:time], ended=True)]
        ends += [rules.says([*said[:time], symbol], ended=False) for symbol in range(1, len(SPELLING))]
        assert (table[0] < 0).tolist() == [word is not None for word in ends]
        if time == len(said) or table[0, said[time]] < 0:
            break
        states = automaton.next(states, torch.tensor([said[time]]))


def test_a_long_list_of_words_is_read_once_and_has_a_state_a_letter():
    words = [f"{number:x}w".encode() for number in range(3000)]
    rules = [Rules(0, forbidden=words, spelling=SPELLING) for _ in range(2)]
    made = [Forbidden.of([one], len(SPELLING), torch.device("cpu"))[0] for one in rules]
    assert made[0] is made[1]
    assert len(made[0].following) <= sum(map(len, words)) + 3


def test_a_prefix_and_required_words_share_a_limit():
    rules = Rules(0, required=[(1, 2), [(3,), (4, 4)]])
    rules.check(4, (5, 1))
    rules.check(3, (1, 2))
    with pytest.raises(ArgumentError, match="the required words need 3 symbols after a prefix of 2, over longest 4"):
        rules.check(4, (5, 5))
    with pytest.raises(ArgumentError, match="required words have 257 symbols, over the limit of 256"):
        Rules(0, required=[[1] * 257])


@settings(max_examples=15)
@given(PHRASES)
def test_a_limit_is_refused_only_where_nothing_shorter_says_it_all(phrases):
    shortest = min(len(_joined(order)) for order in permutations(phrases))
    rules = Rules(end=0, required=phrases)
    rules.check(shortest, (), 0)
    with pytest.raises(ArgumentError, match="the required words need"):
        rules.check(max(map(len, phrases)) - 1, (), 0)


def _joined(phrases):
    said: tuple[int, ...] = ()
    for phrase in phrases:
        if not within(phrase, said):
            size = max(k for k in range(len(phrase) + 1) if said[len(said) - k :] == phrase[:k])
            said += phrase[size:]
    return said


@pytest.mark.parametrize(
    ("given_rules", "message"),
    [
        ({"end": -1}, "the end symbol must be at least 0; got -1"),
        ({"shortest": -2}, "shortest must be at least 0; got -2"),
        ({"forbidden": [()]}, "a forbidden word has no symbols: leave it out"),
        ({"required": [(3, 0)]}, "the required word 3 0 has the end symbol, which rules do not name"),
        ({"forbidden": [0]}, "the forbidden word 0 has the end symbol"),
        ({"forbidden": [-4]}, "the forbidden word -4 has a symbol below 0"),
        (
            {"forbidden": [b"a"], "required": [[(1, 2), (2, 1)]], "spelling": (b"", b" ", b"a ")},
            "the required word 1 2 says the forbidden word 'a': drop one",
        ),
        ({"forbidden": [3], "required": [3]}, "the required word 3 says the forbidden word 3: drop one"),
        ({"forbidden": [(2, 1)], "required": [(3, 2, 1)]}, "the required word 3 2 1 says the forbidden word 2 1"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(given_rules, message):
    with pytest.raises(ArgumentError, match=message):
        Rules(**{"end": 0} | given_rules)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"longest": [3, -1]}, r"longest must be at least 0; got -1 \(source 1\)"),
        ({"rules": Rules(0, shortest=4)}, r"shortest 4 is over longest 3 \(source 0\): change one of them"),
        ({"prefixes": [(), (1, 2, 1, 2)]}, r"the prefix has 4 symbols, over longest 3 \(source 1\)"),
        ({"prefixes": [(), (1, 0)]}, r"the prefix 1 0 has the end symbol 0 \(source 1\)"),
        ({"prefixes": [(9,), ()]}, "the symbol 9 is none of the model's: they are 0 to 4"),
        ({"rules": Rules(0, spelling=(b"", b"a"))}, "the spelling is of 2 symbols, and the model has 5"),
        ({"rules": Rules(5)}, "the symbol 5 is none of the model's"),
        ({"rules": Rules(0, forbidden=[(1, 7)])}, "the symbol 7 is none of the model's"),
        (
            {"rules": Rules(0, forbidden=[(2, 1)]), "prefixes": [(), (3, 2, 1)]},
            r"the prefix 3 2 1 says the forbidden word 2 1 \(source 1\)",
        ),
        ({"rules": Rules(0, required=[(1, 2), (3, 4)])}, "the required words need 4 symbols, over longest 3"),
        ({"rules": [Rules(0)]}, "there are 1 rules for 2 sources"),
        ({"prefixes": [()] * 3}, "there are 3 prefixes for 2 sources"),
        ({"rules": [Rules(0), Rules(1)]}, r"all rules need the same end symbol; got \[0, 1\]"),
        ({"rules": [Rules(0), Rules(0, spelling=(b"",) * 5)]}, "all rules need the same spelling"),
        ({"longest": [3]}, "there are 2 sources and 1 limits: longest has one for each"),
    ],
)
def test_what_contradicts_a_limit_or_a_prefix_is_refused(chances, search, asked, message):
    with pytest.raises(ArgumentError, match=message) as raised:
        search(chances(), torch.tensor([0, 1]), **{"rules": Rules(end=0), "longest": [3, 3]} | asked)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("search", [greedy, sampled])
def test_required_words_need_a_beam(chances, search):
    with pytest.raises(ArgumentError, match="required words need a beam"):
        search(chances(), torch.tensor([0]), rules=Rules(end=0, required=[1]), longest=[4])


def test_exhaustive_search_is_for_tiny_problems(chances):
    with pytest.raises(ArgumentError, match=r"2 sources of up to 9 of 5 symbols are over 1,000,000 targets"):
        exhaustive(chances(), torch.tensor([0, 1]), rules=Rules(end=0), longest=[9, 9])


def test_words_may_be_symbols_or_phrases(chances):
    rules = Rules(end=0, required=[3, [1, 2]], forbidden=(4, (3, 1)))
    found = beam(chances(), torch.tensor([0]), rules=rules, longest=[4], settings=Beam(8, 8))[0]
    assert found
    assert all(within((1, 2), one.tokens) and 3 in one.tokens and 4 not in one.tokens for one in found)
