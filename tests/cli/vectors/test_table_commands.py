import json
import subprocess
import sys

import numpy as np
import pytest

from throughtime.cli.main import run
from throughtime.vectors.subwords import Subwords
from throughtime.vectors.table import Table

VECTORS = {
    "man": [1, 0, 0],
    "woman": [1, 1, 0],
    "king": [1, 0, 2],
    "queen": [1, 1, 2],
    "日本": [0, 0, 9],
    "far": [0, -5, 0],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "table"
    Table(list(VECTORS), np.array(list(VECTORS.values()), np.float32), facts={"method": "by hand"}).save(path)
    return str(path)


def test_nearest_lists_words_in_columns(folder, capsys):
    assert run(["vectors", "nearest", folder, "king", "man", "--count", "2"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [
        "king, of length 2.24",
        "  by cosine          length",
        "  queen      0.9129    2.45",
        "  日本       0.8944    9.00",
        "",
        "man, of length 1.00",
        "  by cosine          length",
        "  woman      0.7071    1.41",
        "  king       0.4472    2.24",
    ]


def test_nearest_compares_angles_and_distances(folder, capsys):
    assert run(["vectors", "nearest", folder, "king", "--count", "2", "--compare"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["by", "cosine", "length", "by", "euclidean", "length"]
    assert lines[2].split() == ["queen", "0.9129", "2.45", "queen", "1.0000", "2.45"]
    assert lines[3].split() == ["日本", "0.8944", "9.00", "man", "2.0000", "1.00"]


@pytest.mark.parametrize(("measure", "first"), [("cosine", "queen"), ("dot", "日本"), ("euclidean", "queen")])
def test_nearest_by_each_measure_in_json(folder, capsys, measure, first):
    assert run(["vectors", "nearest", folder, "king", "--measure", measure, "--count", "1", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    (result,) = content["nearest"]
    assert (content["table"], content["count"], result["word"]) == (folder, 1, "king")
    assert result["length"] == pytest.approx(5**0.5)
    ((near),) = result[measure]
    expected = Table.load(folder).nearest(["king"], 1, measure=measure)[0][0]
    assert (near["word"], near["value"]) == expected
    assert near["word"] == first


def test_analogy_lists_answers(folder, capsys):
    for by in ("addition", "multiplication"):
        assert run(["vectors", "analogy", folder, "man", "woman", "king", "--count", "2", "--by", by]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "man is to woman as king is to"
        assert lines[1].split()[0] == "queen"
        assert len(lines) == 3
        assert run(["vectors", "analogy", folder, "man", "woman", "king", "--by", by, "--json"]) == 0
        content = json.loads(capsys.readouterr().out)
        assert content["question"] == ["man", "woman", "king"]
        assert content["by"] == by
        assert [entry["word"] for entry in content["answers"]] == [
            word for word, _ in Table.load(folder).analogy("man", "woman", "king", by=by)
        ]


def test_a_table_too_small_to_answer_prints_no_answer(tmp_path, capsys):
    Table(["a"], np.ones((1, 2), np.float32)).save(tmp_path / "one.txt")
    assert run(["vectors", "analogy", str(tmp_path / "one.txt"), "a", "a", "a"]) == 0
    assert capsys.readouterr().out == "a is to a as a is to\n"
    assert run(["vectors", "nearest", str(tmp_path / "one.txt"), "a"]) == 0
    assert capsys.readouterr().out == "a, of length 1.41\n  by cosine    length\n"


def test_unseen_words_are_told(tmp_path, capsys):
    parts = Subwords(3, 3, 1, np.zeros(1, np.int32), np.ones((1, 2), np.float32))
    Table(["a"], np.ones((1, 2), np.float32), subwords=parts).save(tmp_path / "t")
    assert run(["vectors", "nearest", str(tmp_path / "t"), "unseen"]) == 0
    out, err = capsys.readouterr()
    assert err == "unseen is not in the table; its vector is composed of its parts\n"
    assert "  a " in out


def test_convert_there_and_back(folder, tmp_path, capsys):
    path = folder
    for name in ("a.txt", "b.bin", "c.vec", "d.glove.txt", "e.npz", "f.safetensors", "g"):
        assert run(["vectors", "convert", path, str(tmp_path / name)]) == 0
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"{tmp_path / name}: 6 words, 3 numbers each\n")
        assert ("left behind, for such a file has no place for them: facts" in err) == (name == "a.txt")
        path = str(tmp_path / name)
    again = Table.load(tmp_path / "g")
    assert again.words == list(VECTORS)
    assert np.array_equal(again.vectors, list(VECTORS.values()))


def test_convert_in_json(folder, tmp_path, capsys):
    assert run(["vectors", "convert", folder, str(tmp_path / "a.txt"), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["words"], content["dimension"], content["left_behind"]) == (6, 3, ["facts"])


def test_words_from_a_file_cannot_steer_a_terminal(tmp_path, capsys):
    Table(["a", "b\x1b[31m"], np.ones((2, 2), np.float32)).save(tmp_path / "t")
    for words in (["nearest", "a"], ["analogy", "a", "a", "a"]):
        assert run(["vectors", words[0], str(tmp_path / "t"), *words[1:]]) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "b\\u001b[31m" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nearest", "TABLE", "knig"], "'knig' is not in the table of 6 words; nearest spellings: king"),
        (["nearest", "TABLE"], "name at least one word"),
        (["nearest", "TABLE", "king", "--count", "0"], "count must be a whole number from 1 on; got 0"),
        (["nearest", "TABLE", "king", "--measure", "taxi"], "taxi"),
        (["nearest", "nowhere", "king"], "no such file: nowhere"),
        (["analogy", "TABLE", "man", "woman"], "C"),
        (["analogy", "TABLE", "man", "woman", "kinks"], "'kinks' is not in the table of 6 words; nearest"),
        (["convert", "TABLE", "TABLE/table.json"], "TABLE/table.json exists and is not a table of vectors"),
        (["convert", "broken.txt", "b"], "broken.txt, line 3: 'x' is not a number"),
        (["convert", "TABLE", "a.txt.gz"], ".gz is for reading only"),
        (["convert", "TABLE/table.json", "b"], "is of no kind that is known"),
    ],
)
def test_refusals_are_one_line_and_write_nothing(folder, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.txt").write_text("2 1\na 1\nb x\n")
    assert run(["vectors", *(word.replace("TABLE", folder) for word in words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message.replace("TABLE", folder) in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.txt"]


def test_nothing_of_tables_imports_torch():
    """In a process of its own, for the tests themselves import torch."""
    modules = [f"throughtime.vectors.{name}" for name in ("formats", "measures", "queries", "spelling", "subwords")]
    modules += [f"throughtime.cli.vectors.{name}" for name in ("nearest", "analogy", "convert")]
    modules += ["throughtime.kernels.best", "throughtime.kernels.decimal"]
    code = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
