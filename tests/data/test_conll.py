import gzip

import pytest

from throughtime.data.conll import Sentence, SentenceCounts, Sentences
from throughtime.errors import DataError

PLAIN = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O
\t
# NN B-NP O


-DOCSTART- -X- O O
1-2 CD B-NP O
"""
CONLLU = """# sent_id = 1
# text = Don't go
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\tSpaceAfter=No
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
3.1\tthere\tthere\tADV\tRB\t_\t_\t_\t3:advmod\t_

# sent_id = 2
1\ta b\ta b\t_\tNN\t_\t0\troot\t_\t_
"""


def written(folder, content, name="file.conll"):
    path = folder / name
    path.write_bytes(content.encode())
    return path


def test_columns_in_white_space_are_sentences_and_documents_are_counted(tmp_path):
    path = written(tmp_path, PLAIN)
    source = Sentences(path)
    for _ in range(2):
        assert list(source) == [
            Sentence(3, ["EU", "rejects"], ["B-ORG", "O"]),
            Sentence(6, ["#"], ["O"]),
            Sentence(10, ["1-2"], ["O"]),
        ]
        assert source.counts == SentenceCounts(sentences=3, tokens=4, documents=2, bytes=path.stat().st_size)
    assert source.chosen == "tokens are column 0 (form), tags are column 3 (ner)"


@pytest.mark.parametrize("tag", ["pos", 1, "1", "POS"])
def test_a_column_goes_by_its_name_or_number(tmp_path, tag):
    assert [sentence.tags for sentence in Sentences(written(tmp_path, PLAIN), tag=tag)] == [
        ["NNP", "VBZ"],
        ["NN"],
        ["CD"],
    ]


def test_a_file_of_many_columns_goes_by_numbers_and_tag_is_the_last(tmp_path):
    path = written(tmp_path, "a b c d e\n")
    assert list(Sentences(path, token=2, tag="tag")) == [Sentence(1, ["c"], ["e"])]
    assert list(Sentences(path, tagged=False)) == [Sentence(1, ["a"], [])]


def test_tabs_part_columns_where_there_are_some_and_carriage_returns_are_no_tags(tmp_path):
    path = written(tmp_path, "a b\tO\r\n\r\n \t\r\nc\u00a0d\tB-x\r\n")
    assert list(Sentences(path)) == [Sentence(1, ["a b"], ["O"]), Sentence(4, ["c\u00a0d"], ["B-x"])]


@pytest.mark.parametrize("packed", [False, True])
def test_conllu_leaves_out_what_is_no_word_and_counts_it(tmp_path, packed):
    path = written(tmp_path, CONLLU, "file.conllu")
    if packed:
        path = tmp_path / "file.conllu.gz"
        path.write_bytes(gzip.compress(CONLLU.encode(), mtime=0))
    source = Sentences(path)
    assert list(source) == [
        Sentence(4, ["Do", "n't", "go"], ["AUX", "PART", "VERB"]),
        Sentence(10, ["a b"], ["_"]),
    ]
    assert source.counts == SentenceCounts(2, 4, 0, 3, 1, 1, 1, path.stat().st_size)
    assert source.chosen == "tokens are column 1 (form), tags are column 3 (upos)"
    assert [sentence.tags for sentence in Sentences(path, token="lemma", tag="xpos")] == [["VB", "RB", "VB"], ["NN"]]


def test_conllu_may_name_its_columns(tmp_path):
    path = written(tmp_path, "# global.columns = ID FORM UPOS PARSEME:MWE\n1\ta\tX\t*\n", "file.txt")
    source = Sentences(path, tag="parseme:mwe", conllu=True)
    assert list(source) == [Sentence(2, ["a"], ["*"])]


ROW = "\t_\t_\t_\t_\t_\t_\t_\t_"


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("a O\nb\n", {}, r"line 2 has 1 columns where the first token has 2, parted by white space; complete"),
        ("a\tO\n\nb\tc\tO\n", {}, "file.conll, line 3 has 3 columns where the first token has 2, parted by tabs"),
        ("a\t\n", {}, r"file.conll, line 1: nothing in column 1 \(tag\)"),
        ("a\n", {}, r"file.conll: tokens and tags are both column 0; it has 1 columns"),
        ("a O\n", {"tag": 2}, "file.conll has no column '2' among its 2; known: form, tag, or numbers from 0"),
        ("a b O\n", {"tag": "po"}, "has no column 'po' among its 3; did you mean 'pos'"),
        ("\n-DOCSTART- O\n\n", {}, "file.conll has no sentences"),
        ("", {}, "file.conll has no sentences"),
        (f"1\ta{ROW}\n3\tb{ROW}\n", {"conllu": True}, "line 2: word 3 comes after word 1; words are numbered"),
        (f"x\ta{ROW}\n", {"conllu": True}, "line 1: 'x' is no id; a word has 1, 2"),
        (f"2-1\ta{ROW}\n", {"conllu": True}, "line 1: the range 2-1 does not begin after word 0 and go up"),
        (f"1\ta{ROW}\n3.1\tb{ROW}\n", {"conllu": True}, "line 2: the empty node 3.1 does not stand after word 3"),
        (f"1\ta{ROW}\n# b\n", {"conllu": True}, "line 2: a comment inside a sentence"),
        ("1 a b\n", {"conllu": True}, "the first token has 3 columns where CoNLL-U has 10, parted by tabs"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line_with_its_place(tmp_path, content, options, message):
    with pytest.raises(DataError, match=message) as raised:
        list(Sentences(written(tmp_path, content), **options))
    assert "\n" not in str(raised.value)
