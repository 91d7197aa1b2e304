import json
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given
from hypothesis import strategies as st

from throughtime.errors import ArgumentError, RunError, StorageError
from throughtime.vectors import queries
from throughtime.vectors.spelling import nearest_spellings
from throughtime.vectors.subwords import Subwords
from throughtime.vectors.table import Table


def table_of(vectors, **more):
    vectors = np.asarray(vectors, np.float32)
    return Table([f"w{row}" for row in range(len(vectors))], vectors, **more)


def random_table(rows, dimension=8, seed=0, **more):
    return table_of(np.random.default_rng(seed).standard_normal((rows, dimension)), **more)


def ranked(values, left_out, count):
    """The plain way: rows by value, the best first, of equal ones the lower first. Roundings of 1e-12 are none."""
    order = np.argsort(-np.round(values, 12), kind="stable")
    return [int(row) for row in order if row not in left_out][:count]


def values_by(measure, vectors, query):
    vectors, query = vectors.astype(float), query.astype(float)
    if measure == "euclidean":
        return -np.linalg.norm(vectors - query, axis=1)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query) if measure == "cosine" else np.ones(len(vectors))
    return vectors @ query / np.where(lengths > 0, lengths, 1)


def rows_of(found):
    return [int(word[1:]) for word, _ in found]


MEASURES = ["cosine", "dot", "euclidean"]


class TestNearest:
    @pytest.mark.parametrize("measure", MEASURES)
    @pytest.mark.parametrize(("rows", "count"), [(1, 3), (2, 1), (300, 10), (300, 1000), (9000, 7)])
    def test_neighbours_are_those_of_plain_numpy(self, rows, count, measure):
        table = random_table(rows)
        words = table.words[:: max(1, rows // 5)]
        for word, found in zip(words, table.nearest(words, count, measure=measure), strict=True):
            row = int(word[1:])
            values = values_by(measure, table.vectors, table.vectors[row])
            assert rows_of(found) == ranked(values, {row}, count)
            told = [-value if measure == "euclidean" else value for _, value in found]
            assert np.allclose(told, values[rows_of(found)], atol=1e-12)

    @pytest.mark.parametrize("measure", MEASURES)
    @pytest.mark.parametrize("rows", [40, 5000])
    def test_equal_rows_come_in_the_order_of_the_table_also_beyond_the_places_to_spare(self, rows, measure):
        chance = np.random.default_rng(1)
        few = chance.standard_normal((3, 5))
        table = table_of(few[chance.integers(0, 3, rows)])
        for row, found in zip((0, 7), table.nearest(["w0", "w7"], 30, measure=measure), strict=True):
            expected = ranked(values_by(measure, table.vectors, table.vectors[row]), {row}, 30)
            assert rows_of(found) == expected

    @given(st.data())
    def test_any_table(self, data):
        rows, dimension = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 4))
        numbers = st.integers(-2, 2) | st.sampled_from([1e-20, 1e18, -3e-30, 2e25])
        table = table_of(
            data.draw(st.lists(st.lists(numbers, min_size=dimension, max_size=dimension), min_size=rows, max_size=rows))
        )
        measure, count = data.draw(st.sampled_from(MEASURES)), data.draw(st.integers(1, 40))
        found = table.nearest(["w0"], count, measure=measure)[0]
        assert len(found) == min(count, rows - 1)
        told = np.array([value for _, value in found])
        assert np.isfinite(told).all()
        values = values_by(measure, table.vectors, table.vectors[0])
        sign = -1 if measure == "euclidean" else 1
        assert np.allclose(sign * told, np.sort(np.delete(values, 0))[::-1][:count], rtol=1e-9, atol=1e-9)

    def test_rows_of_zeros_have_the_cosine_zero(self):
        table = table_of([[1, 0], [0, 0], [-1, 0], [0, 0]])
        assert table.nearest(["w0"])[0] == [("w1", 0.0), ("w3", 0.0), ("w2", -1.0)]
        assert [value for _, value in table.nearest(["w1"])[0]] == [0.0, 0.0, 0.0]
        assert np.array_equal(table.units, [[1, 0], [0, 0], [-1, 0], [0, 0]])

    def test_vectors_are_queries_too_and_words_can_be_left_out(self):
        table = table_of([[1, 0], [0.9, 0.1], [0, 1]])
        query = np.array([[1, 0.05]], np.float32)
        assert rows_of(table.nearest(query)[0]) == [0, 1, 2]
        assert rows_of(table.nearest(query, exclude=["w0", "w0", "w2"])[0]) == [1]
        assert table.nearest(["w0"], exclude=["w1", "w2"]) == [[]]
        assert table.nearest([]) == []

    def test_many_queries_are_answered_as_one_by_one(self, monkeypatch):
        table = random_table(5000)
        monkeypatch.setattr(queries, "QUERIES_AT_ONCE", 7)
        together = table.nearest(table.words[:40], 3)
        assert together == [table.nearest([word], 3)[0] for word in table.words[:40]]

    def test_what_single_precision_cannot_tell_is_settled_in_double(self):
        chance = np.random.default_rng(2)
        away = 1000 + 1e-3 * chance.standard_normal((6000, 4))  # far from the origin and close together
        table = table_of(away)
        for measure in MEASURES:
            values = values_by(measure, table.vectors, table.vectors[5])
            found = table.nearest(["w5"], 20, measure=measure)[0]
            told = np.array([value for _, value in found]) * (-1 if measure == "euclidean" else 1)
            assert np.allclose(told, np.sort(np.delete(values, 5))[::-1][:20], rtol=1e-14, atol=1e-13)

    @pytest.mark.parametrize("measure", MEASURES)
    def test_numbers_near_the_ends_of_single_precision(self, measure):
        chance = np.random.default_rng(6)
        table = table_of(chance.standard_normal((9000, 4)) * 10.0 ** chance.integers(-30, 37, (9000, 1)))
        values = values_by(measure, table.vectors, table.vectors[8500])
        found = table.nearest(["w8500"], 5, measure=measure)[0]
        assert len(found) == 5
        assert np.allclose(values[rows_of(found)], np.sort(np.delete(values, 8500))[::-1][:5], rtol=1e-12)

    def test_neighbours_are_those_of_gensim(self):
        table = random_table(500, 20)
        theirs = KeyedVectors(20)
        theirs.add_vectors(table.words, table.vectors)
        for word, found in zip(table.words[:20], table.nearest(table.words[:20]), strict=True):
            peer = theirs.most_similar(word)
            assert [name for name, _ in found] == [name for name, _ in peer]
            assert np.allclose([value for _, value in found], [value for _, value in peer], atol=1e-6)

    @pytest.mark.parametrize(
        ("ask", "message"),
        [
            (lambda t: t.nearest("w0"), "give \\['w0'\\]"),
            (lambda t: t.nearest(["w0"], 0), "count must be a whole number from 1 on; got 0"),
            (lambda t: t.nearest(["w0"], 2.5), "got 2.5"),
            (lambda t: t.nearest(["w0"], measure="taxi"), "measure is 'taxi'; choose cosine, dot or euclidean"),
            (lambda t: t.nearest(np.ones((1, 3), np.float32)), "give vectors of 8 numbers"),
            (lambda t: t.nearest(np.ones(8, np.float32)), "one a row"),
            (lambda t: t.nearest(np.array([["a"] * 8])), "give vectors of 8 numbers"),
            (lambda t: t.nearest(np.full((1, 8), np.nan)), "not finite"),
            (lambda t: t.nearest(np.full((1, 8), 1e39)), "not finite in single precision"),
            (lambda t: t.nearest(["w0"], exclude=["nobody"]), "'nobody' is not in the table"),
            (lambda t: t.analogy("w0", "w1", "w2", by="division"), "by is 'division'; choose addition"),
            (lambda t: t.analogies(np.zeros((2, 2), int)), "three rows"),
            (lambda t: t.analogies(np.array([[0, 1, 99]])), "rows 0 to 99 of a table of 30"),
            (lambda t: t.average([]), "needs a list of words"),
            (lambda t: t.odd_one_out(["w0", "w1"]), "three words or more"),
        ],
    )
    def test_refusals(self, ask, message):
        with pytest.raises(ArgumentError, match=message):
            ask(random_table(30))


def analogy_values(table, a, b, c, by):
    near = [values_by("cosine", table.vectors, table.vectors[row]) for row in (a, b, c)]
    if by == "addition":
        units = [
            table.vectors[row].astype(float) / np.linalg.norm(table.vectors[row].astype(float)) for row in (a, b, c)
        ]
        return values_by("cosine", table.vectors, units[1] - units[0] + units[2])
    near = [(1 + cosines) / 2 for cosines in near]
    return near[1] * near[2] / (near[0] + 0.001)


class TestAnalogies:
    @pytest.mark.parametrize("by", ["addition", "multiplication"])
    @pytest.mark.parametrize("rows", [20, 5000])
    def test_answers_are_those_of_the_formula(self, rows, by):
        table = random_table(rows, 6)
        questions = np.random.default_rng(3).integers(0, rows, (40, 3))
        questions[0] = 4, 4, 4
        for question, answer in zip(questions.tolist(), table.analogies(questions, by=by).tolist(), strict=True):
            values = analogy_values(table, *question, by)
            assert [answer] == ranked(values, set(question), 1)
        a, b, c = questions[1].tolist()
        found = table.analogy(f"w{a}", f"w{b}", f"w{c}", 5, by=by)
        assert rows_of(found) == ranked(analogy_values(table, a, b, c, by), {a, b, c}, 5)
        assert np.allclose([value for _, value in found], analogy_values(table, a, b, c, by)[rows_of(found)])

    @pytest.mark.parametrize("by", ["addition", "multiplication"])
    def test_an_opposite_of_a_and_rows_of_zeros_are_no_trouble(self, by):
        table = table_of([[1, 0], [0, 1], [0, 2], [-1, 0], [0, 0]])
        values = analogy_values(table, 0, 1, 2, by)
        assert rows_of(table.analogy("w0", "w1", "w2", by=by)) == ranked(values, {0, 1, 2}, 9)
        assert np.isfinite([value for _, value in table.analogy("w4", "w4", "w4", by=by)]).all()

    def test_a_table_of_three_words_has_no_answer(self):
        table = random_table(3)
        assert table.analogy("w0", "w1", "w2") == []
        assert table.analogies(np.array([[0, 1, 2], [0, 1, 1]])).tolist() == [-1, 2]
        assert table.analogies(np.zeros((0, 3), int)).tolist() == []

    def test_answers_are_those_of_gensim(self):
        table = random_table(300, 12)
        theirs = KeyedVectors(12)
        theirs.add_vectors(table.words, table.vectors)
        for a, b, c in np.random.default_rng(4).integers(0, 300, (10, 3)):
            question = [f"w{row}" for row in (a, b, c)]
            peer = theirs.most_similar(positive=[question[1], question[2]], negative=[question[0]])
            assert [word for word, _ in table.analogy(*question)] == [word for word, _ in peer]


class TestWords:
    def test_odd_one_out_similarity_and_averages(self):
        table = table_of([[1, 0], [2, 0.1], [0, 3], [0, 0]])
        assert table.odd_one_out(["w0", "w1", "w2"]) == "w2"
        assert table.similarity("w0", "w2") == 0.0
        assert table.similarity("w0", "w3") == 0.0
        assert np.allclose(table.average(["w0", "w2"]), [0.5, 0.5])
        assert table.similarity("w0 w2", "w0") == pytest.approx(0.5**0.5)
        assert table.similarity("w0 w2", "w0 w2") == pytest.approx(1.0)

    def test_a_phrase_that_is_in_the_table_is_itself(self):
        table = Table(["New York", "New", "York"], np.array([[1, 0], [0, 1], [0, 1]], np.float32))
        assert table.similarity("New York", "New") == 0.0

    def test_a_word_that_is_not_there_is_told_with_those_spelled_like_it(self):
        table = Table(["receive", "Paris", "recipe", "word"], np.eye(4, dtype=np.float32))
        with pytest.raises(ArgumentError, match="'recieve' is not in the table of 4 words; nearest spellings: receive"):
            table["recieve"]
        with pytest.raises(ArgumentError, match="spellings: Paris"):
            table["PARIS"]
        with pytest.raises(ArgumentError, match="no word is spelled like it"):
            table["xylophone"]
        with pytest.raises(ArgumentError, match="3 is not in"):
            table[3]
        assert "word" in table
        assert 3 not in table

    def test_spellings_of_odd_words(self):
        assert nearest_spellings("", ["a"]) == []
        assert nearest_spellings("x", []) == []
        assert nearest_spellings("a" * 10_000, ["a" * 99, "b"]) == ["a" * 99]
        assert nearest_spellings("日本国", ["日本", "中国"])[0] == "日本"

    def test_unseen_words_are_composed_where_the_table_has_subwords(self):
        table = random_table(3, 4, subwords=some_subwords())
        composed = table.subwords.compose("w00")
        assert composed is None or np.array_equal(table["w00"], composed)
        known = next(word for word in (f"a{i}b" for i in range(10_000)) if table.subwords.compose(word) is not None)
        assert np.array_equal(table[known], table.subwords.compose(known))
        assert len(table.nearest([known])[0]) == 3


def some_subwords(dimension=4):
    vectors = np.random.default_rng(5).standard_normal((50, dimension)).astype(np.float32)
    return Subwords(3, 4, 100, np.arange(0, 100, 2, dtype=np.int32), vectors)


ONE = np.ones((1, 2), np.float32)


@pytest.mark.parametrize(
    ("words", "vectors", "more", "message"),
    [
        (["a", "b", "a"], np.ones((3, 2)), {}, "'a' is in the table twice, in rows 1 and 3"),
        (["a", ""], np.ones((2, 2)), {}, "word 2 of the table is ''"),
        (["a", 5], np.ones((2, 2)), {}, "word 2 of the table is 5"),
        (["\ud800"], ONE, {}, "UTF-8"),
        (["a", "b"], [[1, 2], [3, np.nan]], {}, "'b' .row 2. has numbers that are not finite"),
        (["a"], [[1e39, 0]], {}, "not finite"),
        (["a"], np.ones((2, 2)), {}, "the vectors are 2 × 2, and there are 1 words"),
        (["a"], np.ones(1), {}, "the vectors are 1,"),
        (["a"], np.ones((1, 0)), {}, "the vectors are 1 × 0"),
        ([], np.ones((0, 2)), {}, "0 words"),
        (["a"], [["x"]], {}, "type <U1"),
        (["a"], [[1j]], {}, "type complex128"),
        (["a"], ONE, {"counts": np.array([1.5])}, "the counts are float64"),
        (["a"], ONE, {"counts": np.array([1, 2])}, "counts are int64 \\(2,\\)"),
        (["a"], ONE, {"counts": np.array([-1])}, "≥ 0"),
        (["a"], ONE, {"subwords": some_subwords(5)}, "subwords' vectors have \\(5,\\) numbers, those of words 2"),
    ],
)
def test_what_is_no_table_is_refused(words, vectors, more, message):
    with pytest.raises(ArgumentError, match=message):
        Table(words, np.asarray(vectors), **more)


class TestFolder:
    def test_a_table_comes_back_whole_and_mapped_into_memory(self, tmp_path):
        facts = {"method": "svd", "settings": {"dimension": 4}}
        table = random_table(20, 4, counts=np.arange(20), subwords=some_subwords(), facts=facts)
        table.save(tmp_path / "t")
        again = Table.load(tmp_path / "t")
        assert again.words == table.words
        assert np.array_equal(again.vectors, table.vectors)
        assert np.array_equal(again.counts, table.counts)
        assert again.facts == facts
        assert (again.subwords.shortest, again.subwords.longest, again.subwords.buckets) == (3, 4, 100)
        assert np.array_equal(again.subwords.kept, table.subwords.kept)
        assert np.array_equal(again.subwords.vectors, table.subwords.vectors)
        assert isinstance(again.vectors, np.memmap)
        assert not again.vectors.flags.writeable

    def test_safetensors_reads_what_is_written(self, tmp_path):
        from safetensors.numpy import load_file

        table = random_table(5, 3, counts=np.arange(5))
        table.save(tmp_path / "t")
        arrays = load_file(tmp_path / "t" / "vectors.safetensors")
        assert np.array_equal(arrays["vectors"], table.vectors)
        assert arrays["counts"].tolist() == [0, 1, 2, 3, 4]

    def test_no_words_of_subwords_are_kept_too(self, tmp_path):
        none = Subwords(3, 6, 10, np.zeros(0, np.int32), np.zeros((0, 2), np.float32))
        table_of([[1, 2]], subwords=none).save(tmp_path / "t")
        assert len(Table.load(tmp_path / "t").subwords.kept) == 0

    def test_a_table_may_be_written_over_itself_while_it_is_mapped(self, tmp_path):
        random_table(20).save(tmp_path / "t")
        table = Table.load(tmp_path / "t")
        Table(table.words, table.vectors, facts={"turn": 2}).save(tmp_path / "t")
        assert np.array_equal(Table.load(tmp_path / "t").vectors, table.vectors)
        assert Table.load(tmp_path / "t").facts == {"turn": 2}

    def test_other_things_are_not_written_over(self, tmp_path):
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "a.txt").write_text("mine")
        (tmp_path / "file").write_text("mine")
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        for name in ("notes", "file", "link"):
            with pytest.raises(ArgumentError, match="is not a table of vectors; choose another --out"):
                random_table(3).save(tmp_path / name)
        assert (tmp_path / "notes" / "a.txt").read_text() == "mine"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "notes"]

    def test_an_empty_folder_is_filled(self, tmp_path):
        (tmp_path / "t").mkdir()
        random_table(3).save(tmp_path / "t")
        assert len(Table.load(tmp_path / "t")) == 3

    def test_a_disk_that_refuses_is_told(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        for name in ("t", "t.txt", "t.npz"):
            with pytest.raises(StorageError, match="cannot write"):
                random_table(3).save(tmp_path / "file" / name)

    def test_facts_that_are_not_json_are_refused_before_anything_is_written(self, tmp_path):
        for facts in ({"a": float("nan")}, {"a": object()}):
            with pytest.raises(ArgumentError, match="facts are not JSON"):
                random_table(3, facts=facts).save(tmp_path / "t")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("name", ["table.json", "vectors.safetensors"])
    def test_a_changed_file_is_noticed(self, tmp_path, name):
        random_table(30).save(tmp_path / "t")
        path = tmp_path / "t" / name
        body = bytearray(path.read_bytes())
        body[-3] ^= 1
        path.write_bytes(bytes(body))
        with pytest.raises(RunError, match="was changed after it was written"):
            Table.load(tmp_path / "t")

    def test_a_folder_that_is_not_whole_or_not_a_table_is_told(self, tmp_path):
        random_table(3).save(tmp_path / "t")
        (tmp_path / "t" / "COMPLETE").unlink()
        with pytest.raises(RunError, match="COMPLETE"):
            Table.load(tmp_path / "t")
        hostile(tmp_path / "run", {"recipe.json": b"{}"})
        with pytest.raises(RunError, match=r"has no table.json: it is not a table of vectors"):
            Table.load(tmp_path / "run")


def hostile(folder: Path, files):
    """A folder whose manifest agrees with whatever is in it."""
    from throughtime.folder import write_new

    write_new(folder, files, status="finished")


def safetensors(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


GOOD = {"kind": "table", "words": ["a"], "facts": {}, "subwords": None}
VECTORS = {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}
TENSORS = safetensors({"vectors": VECTORS}, b"\0" * 8)
SUBWORDS = {"shortest": 3, "longest": 6, "buckets": 9}


@pytest.mark.parametrize(
    ("content", "tensors", "message"),
    [
        (GOOD | {"words": "a"}, TENSORS, "'words'"),
        (GOOD | {"extra": 1, "kind": "run"}, TENSORS, "'kind'"),
        (GOOD | {"words": ["a", "b"]}, TENSORS, "one row for each"),
        (GOOD, safetensors({}, b""), "no tensor 'vectors'"),
        (GOOD, safetensors({"vectors": VECTORS}, b"\0" * 7), "damaged or cut short"),
        (GOOD, safetensors({"vectors": VECTORS | {"shape": [2**30, 2**30]}}, b"\0" * 8), "damaged or cut short"),
        (GOOD, safetensors({"vectors": VECTORS | {"shape": [-1, -2]}}, b"\0" * 8), "sizes that are no numbers"),
        (GOOD, safetensors({"vectors": VECTORS | {"dtype": "BOOL"}}, b"\0" * 8), "does not read as safetensors"),
        (GOOD, safetensors({"vectors": [1]}, b"\0" * 8), "does not read as safetensors"),
        (GOOD, safetensors(b"[1, 2]"), "does not read as safetensors"),
        (GOOD, b"\xff" * 8, "it has no header, or one over"),
        (GOOD, b"abc", "it has no header"),
        (GOOD, safetensors({"vectors": VECTORS}, np.array([np.inf, 0], "<f4").tobytes()), "not finite"),
        (GOOD | {"subwords": SUBWORDS}, TENSORS, "no tensor 'subwords.kept'"),
        (GOOD | {"subwords": SUBWORDS | {"shortest": 0}}, TENSORS, "shortest"),
    ],
)
def test_a_hostile_folder_is_refused(tmp_path, content, tensors, message):
    hostile(tmp_path / "t", {"table.json": json.dumps(content).encode(), "vectors.safetensors": tensors})
    with pytest.raises(RunError, match=message):
        Table.load(tmp_path / "t")


def test_subwords_that_do_not_fit_together_are_refused(tmp_path):
    parts = some_subwords(2)
    object.__setattr__(parts, "kept", parts.kept[::-1].copy())
    table_of([[1, 2]], subwords=parts).save(tmp_path / "t")
    with pytest.raises(RunError, match="its subwords do not fit together"):
        Table.load(tmp_path / "t")
