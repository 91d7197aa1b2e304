"""Tagged sentences as recipes take them: letters as tokens, schemes found and held to, some held out."""

import gzip

import pytest

from throughtime.data.conll import Sentence
from throughtime.errors import DataError
from throughtime.metrics import convert_tags, spans
from throughtime.recipes import Tag, classes
from throughtime.recipes.tagged import Reading, divide, in_letters, read_tagged, settle

AS_IT_IS = Reading(None, None, letters=False, longest=100)
BIO = [["B-PER", "I-PER", "O"], ["B-LOC", "O", "B-PER"], ["O", "B-LOC", "B-LOC"]]
MIXED = [["B-PER", "I-PER", "O"], ["I-LOC", "I-LOC", "O"], ["O", "B-LOC", "I-PER"], ["O", "B-PER", "I-PER"]]


def written(path, rows):
    """A file of columns; the tokens are the numbers of the sentence and the token."""
    lines = [[f"w{i}{j} {tag}" for j, tag in enumerate(tags)] for i, tags in enumerate(rows)]
    path.write_text("\n\n".join("\n".join(sentence) for sentence in lines) + "\n")
    return path


def settled(tmp_path, rows, asked=None, repair=False):
    """A file with its tags as their scheme writes them, and that scheme."""
    (file,), scheme = settle([read_tagged(written(tmp_path / "some.conll", rows), AS_IT_IS)], asked, repair=repair)
    return file, scheme


def test_a_packed_file_of_conllu_is_read_by_its_columns_and_what_is_left_out_is_counted(tmp_path):
    path = tmp_path / "some.conllu.gz"
    rows = ["1-2\tdon't\t_\t_", "1\tdo\tdo\tAUX", "2\tn't\tnot\tPART", "2.1\tgo\tgo\tVERB", "3\tit\tit\t_"]
    text = "# global.columns = ID FORM LEMMA UPOS\n" + "\n".join(rows) + "\n"
    path.write_bytes(gzip.compress(text.encode()))
    file = read_tagged(path, AS_IT_IS)
    assert [(s.tokens, s.tags) for s in file.sentences] == [(["do", "n't", "it"], ["AUX", "PART", "_"])]
    assert file.left_out == {"ranges": 1, "empty_nodes": 1, "unspecified_tags": 1}
    assert file.bytes == path.stat().st_size
    other = read_tagged(path, Reading("lemma", "1", letters=False, longest=3))
    assert (other.sentences[0].tokens, other.sentences[0].tags) == (["do", "not", "it"], ["do", "n't", "it"])
    assert other.sha256 != file.sha256 == read_tagged(path, AS_IT_IS).sha256


@pytest.mark.parametrize(
    ("text", "reading", "says"),
    [
        ("a O\nb O\n\nc\n", AS_IT_IS, r"line 4 has 1 columns where the first token has 2"),
        ("a x y O\n", Reading(None, "upos", False, 9), r"no column 'upos' among its 4; did you mean 'pos'?"),
        ("a O\n", Reading("lemma", None, False, 9), r"no column 'lemma' among its 2; known: form, tag, or numbers"),
        ("", AS_IT_IS, "has no sentences: no line of it has a token in columns"),
        ("\n \n", AS_IT_IS, "has no sentences"),
        ("a O\n\nb O\nc O\n", Reading(None, None, False, 1), r"line 3: the sentence has 2 tokens, over --longest 1, "),
        ("abc O\n", Reading(None, None, True, 2), r"line 1: the sentence has 3 tokens, over --longest 2, and none is"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused_with_file_and_line(tmp_path, text, reading, says):
    path = tmp_path / "some.conll"
    path.write_text(text)
    with pytest.raises(DataError, match=says) as error:
        read_tagged(path, reading)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("scheme", ["BIO", "IOB1", "IOE", "IOE1", "IOBES", "BILOU"])
@pytest.mark.parametrize("tags", [*BIO, ["B-PER", "B-PER", "I-PER"]], ids=str)
def test_letters_have_the_entities_of_their_tokens(tags, scheme):
    tokens = ["Ada", "B", "of"]
    ends = [0, 3, 4, 6]
    found = in_letters(Sentence(1, tokens, convert_tags(tags, "BIO", scheme)))
    assert found.tokens == list("AdaBof")
    assert spans(found.tags, scheme) == [
        span._replace(start=ends[span.start], stop=ends[span.stop]) for span in spans(tags)
    ]


def test_letters_have_the_tag_of_their_token_where_it_is_of_no_entity():
    assert in_letters(Sentence(3, ["to", "go"], ["P", "V"])) == Sentence(3, list("togo"), list("PPVV"))
    assert in_letters(Sentence(3, ["to"], [])) == Sentence(3, ["t", "o"], [])


def test_all_files_have_one_scheme(tmp_path):
    whole = [
        read_tagged(written(tmp_path / f"{i}.conll", [tags]), AS_IT_IS) for i, tags in enumerate((["O"], ["I-PER"]))
    ]
    files, scheme = settle(whole, None, repair=False)
    assert (files, scheme) == (whole, "IOB1")


@pytest.mark.parametrize("scheme", ["BIO", "IOBES", "BILOU"])
def test_the_scheme_of_entities_is_found(tmp_path, scheme):
    rows = [convert_tags(tags, "BIO", scheme) for tags in [*BIO, ["B-PER", "I-PER", "I-PER"]]]
    assert settled(tmp_path, rows)[1] == scheme


def test_tags_of_no_entities_have_no_scheme(tmp_path):
    assert settled(tmp_path, [["DET", "NOUN"]])[1] is None
    assert settled(tmp_path, [["I", "E", "O"]])[1] is None  # letters without a type may be anything
    assert settled(tmp_path, [["I", "O"]], "iob1")[1] == "IOB1"
    assert settled(tmp_path, MIXED, "none")[1] is None


def test_tags_that_break_every_scheme_are_counted_and_refused_with_the_first_place(tmp_path):
    with pytest.raises(DataError) as error:
        settled(tmp_path, MIXED)
    assert str(error.value) == (
        f"{tmp_path}/some.conll: tags do not keep to any scheme, BIO being the nearest: 2 are wrong in 2 sentences, "
        "the first 'I-LOC' (I after O) at token 1 of the sentence of line 5; "
        "mend it, or give --repair, or --scheme none"
    )
    with pytest.raises(DataError, match=r"tags do not keep to --scheme iobes: .* the first 'I-PER' .* of line 1;"):
        settled(tmp_path, BIO, "iobes")
    with pytest.raises(DataError, match=r"of no scheme; .*; give --scheme none if tags are of no entities"):
        settled(tmp_path, [["NOUN"]], "bio")


def test_broken_tags_are_mended_when_asked_and_counted(tmp_path):
    file, scheme = settled(tmp_path, MIXED, repair=True)
    assert (scheme, file.repaired) == ("BIO", 2)
    mended = [["B-PER", "I-PER", "O"], ["B-LOC", "I-LOC", "O"], ["O", "B-LOC", "B-PER"], ["O", "B-PER", "I-PER"]]
    assert [sentence.tags for sentence in file.sentences] == mended
    assert settled(tmp_path, BIO, repair=True)[0].repaired == 0


def test_sentences_are_held_out_by_chance_and_seed_or_given(tmp_path):
    file = read_tagged(written(tmp_path / "some.conll", [["A", "B"]] * 10), AS_IT_IS)
    train, valid = divide(file, None, held_out=0.3, seed=0)
    assert len(valid.sentences) == 3
    assert sorted(train.sentences + valid.sentences) == file.sentences
    assert divide(file, None, held_out=0.3, seed=0)[1] == valid != divide(file, None, held_out=0.3, seed=2)[1]
    assert divide(file, valid, held_out=0.3, seed=0) == (file, valid)


def test_equal_sentences_are_held_out_together(tmp_path):
    path = tmp_path / "some.conll"
    path.write_text("".join(f"w{i % 30} {'AB'[i % 2]}\nis B\n\n" for i in range(90)))
    data = Tag(train=path, held_out=0.2, epochs=1).data()
    sides = [{tuple(tokens) for tokens in part.tokens} for part in (data.train, data.valid)]
    assert not sides[0] & sides[1]
    assert (len(sides[1]), data.facts["shared"]) == (6, 0)
    path.write_text("".join(f"w{i % 2} {'AB'[i % 2]}\n\n" for i in range(20)))
    few = Tag(train=path, epochs=1)
    data = few.data()
    assert data.facts["shared"] == 2
    assert "2 held-out sentences are among those to train on as well" in " ".join(few.notes(data))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            [["O", "O"]] * 9,
            r"has one tag only, 'O': .*; tokens are column 0 \(form\), tags are column 1 \(tag\); give",
        ),
        (
            [["O", "X"]],
            "1 sentences are too few to hold 0.3 of them out: give more of them, another --held-out, or data to v",
        ),
        ([[f"t{i}"] for i in range(15)], "tags with .* bytes of names are over 9 or 524,288: tags are few and short"),
    ],
)
def test_sentences_that_teach_nothing_are_refused(tmp_path, monkeypatch, rows, says):
    monkeypatch.setattr(classes, "MOST_CLASSES", 9)
    file = read_tagged(written(tmp_path / "some.conll", rows), AS_IT_IS)
    with pytest.raises(DataError, match=says):
        divide(file, None, held_out=0.3, seed=0)
