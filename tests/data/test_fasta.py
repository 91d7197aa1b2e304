import random
import string

import pytest

from throughtime.data.fasta import ALPHABETS, Fasta, FastaCounts, HeaderLabel, labels_by_name
from throughtime.data.records import Record, read_records
from throughtime.errors import ArgumentError, DataError

CONTENT = """; made by hand
>s1|EI|human first
ACgtn
  ryA

>s2|N|human
TTTT
>s1|IE|mouse
A C G
"""


def written(folder, content, name="file.fa"):
    path = folder / name
    path.write_bytes(content.encode())
    return path


def test_sequences_are_joined_from_their_lines_and_counted(tmp_path):
    path = written(tmp_path, CONTENT)
    source = Fasta(path, labels=HeaderLabel("|", 1))
    origin = f"{path}, line"
    for _ in range(2):
        assert list(source) == [
            Record(origin, 2, "ACGTNRYA", ("EI",), "s1|EI|human"),
            Record(origin, 6, "TTTT", ("N",), "s2|N|human"),
            Record(origin, 8, "ACG", ("IE",), "s1|IE|mouse"),
        ]
        expected = FastaCounts(rows=3, bytes=path.stat().st_size, letters=15, lower_case=5, comments=1)
        assert source.counts == expected


def test_names_that_come_twice_are_counted(tmp_path):
    source = Fasta(written(tmp_path, ">a x\nA\n>b\nA\n>a y\nC\n"))
    assert [(record.name, record.labels) for record in source] == [("a", ()), ("b", ()), ("a", ())]
    assert source.counts.repeated_names == 1


def test_any_wrapping_gives_back_the_sequences(tmp_path):
    chance = random.Random(0)
    sequences = ["".join(chance.choices(ALPHABETS["protein"], k=size)) for size in (1, 59, 60, 61, 5000)]
    for width in (1, 60, 10**6):
        lines = []
        for i, letters in enumerate(sequences):
            lines += [f">s{i}", *(letters[a : a + width] for a in range(0, len(letters), width))]
        found = read_records(Fasta(written(tmp_path, "\r\n".join(lines)), alphabet="protein"))
        assert [record.text for record in found.records] == sequences


@pytest.mark.parametrize("alphabet", ["dna", "protein", "acgt", None])
def test_letters_are_of_the_alphabet(tmp_path, alphabet):
    for letter in string.ascii_letters + "-*!":
        source = Fasta(written(tmp_path, f">s\nACG\nT{letter}A\n"), alphabet=alphabet)
        known = {"acgt": "ACGT"} | ALPHABETS
        if alphabet is None:
            assert next(iter(source)).text == f"ACGT{letter}A"
        elif letter.upper() in known[alphabet]:
            assert next(iter(source)).text == f"ACGT{letter.upper()}A"
        else:
            with pytest.raises(DataError, match=r"file.fa, line 3, letter 2: .* is not of the alphabet ACG?"):
                list(source)


def test_a_letter_whose_capital_is_two_letters_is_not_taken_for_them(tmp_path):
    with pytest.raises(DataError, match=r"letter 3: '\\xdf' is not of the alphabet"):
        list(Fasta(written(tmp_path, ">s\nacß\n")))


def test_labels_come_from_a_table_by_name(tmp_path):
    path = written(tmp_path, ">a x\nA\n>b\nC\n")
    labels = labels_by_name(written(tmp_path, "name,kind\na, x;y \nb,z\nc,z\n", "labels.csv"), separator=";")
    assert [(record.name, record.labels) for record in Fasta(path, labels=labels)] == [("a", ("x", "y")), ("b", ("z",))]
    del labels["b"]
    with pytest.raises(DataError, match=r"file.fa, line 3: the table of labels has none for 'b'; known: a, c"):
        list(Fasta(path, labels=labels))
    source = Fasta(path, labels=labels, missing="skip")
    assert (len(list(source)), source.counts.missing_labels, source.counts.skipped) == (1, 1, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "name,kind\na,x\na,y\n",
            r"labels.csv, line 3: 'a' is \('y',\), and \('x',\) further up; a name has one label",
        ),
        ("name,kind\n,x\n", "labels.csv, line 2: no name to go by in column 'name'"),
        ("name\na\n", "labels.csv has no column '1'"),
    ],
)
def test_a_table_of_labels_that_does_not_fit_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        labels_by_name(written(tmp_path, content, "labels.csv"))


@pytest.mark.parametrize(
    ("content", "labels", "message"),
    [
        ("ACGT\n", None, "file.fa, line 1: letters before any header; a header begins with '>'"),
        ("\n; nothing\n", None, "file.fa has no sequences; one begins with a header"),
        (">a\n>b\nA\n", None, "file.fa, line 1: its text is empty"),
        (">a\nA\n>b\n", None, "file.fa, line 3: its text is empty"),
        (">a|x\nA\n>b\nA\n", HeaderLabel("|", 1), "file.fa, line 3: its label is missing"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line_with_its_place(tmp_path, content, labels, message):
    with pytest.raises(DataError, match=message) as raised:
        list(Fasta(written(tmp_path, content), labels=labels))
    assert "\n" not in str(raised.value)


def test_a_sequence_that_is_too_long_to_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("throughtime.data.fasta.LETTERS", 10)
    with pytest.raises(DataError, match=r"file.fa, line 4: the sequence of line 1 has over 10 letters"):
        list(Fasta(written(tmp_path, ">a\nACGT\nACGT\nACGT\n")))


def test_arguments_that_do_not_fit_are_refused(tmp_path):
    for separator, part in (("", 1), ("|", -1)):
        with pytest.raises(ArgumentError, match=f"got part {part} and separator '{separator}'".replace("|", r"\|")):
            HeaderLabel(separator, part)
    with pytest.raises(ArgumentError, match="alphabet is 'dna', 'protein' or the letters themselves"):
        Fasta(tmp_path, alphabet="")
