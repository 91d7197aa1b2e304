"""Laws of training word2vec: the same bits, wherever it is cut and by how many threads, and words that are learned."""

import hashlib
import shutil
import threading
from itertools import islice

import numpy as np
import pytest

from throughtime.errors import ArgumentError, DivergedError, StorageError
from throughtime.recipes.vectors import Vectors
from throughtime.vectors import checkpoint
from throughtime.vectors.corpus import corpus_of
from throughtime.vectors.crew import CHUNK, Crew
from throughtime.vectors.word2vec import SOFTMAX_LIMIT, State, Word2Vec

METHODS = {
    "skip-gram": {},
    "bag": {"architecture": "cbow"},
    "tree": {"objective": "hierarchical"},
    "parts": {"subwords": (2, 3, 500)},
}
TOPICS = (["apple", "pear", "plum", "cherry", "lemon", "melon"], ["iron", "steel", "copper", "zinc", "silver", "gold"])


@pytest.fixture(scope="module")
def text():
    """Some 50,000 places of 200 kinds of words: three chunks and a part of one."""
    chance = np.random.default_rng(1)
    return corpus_of([[f"w{i}" for i in (200 * chance.random(size) ** 2).astype(int)] for size in [30] * 1600])


@pytest.fixture(scope="module")
def topics():
    """Lines, each about one of two topics."""
    chance = np.random.default_rng(2)
    return [chance.choice(TOPICS[chance.integers(2)], chance.integers(4, 12)).tolist() for _ in range(1500)]


def model(**settings):
    return Word2Vec(**({"dimension": 16, "epochs": 2, "window": 3, "negatives": 4} | settings))


def trained(text, *, threads=1, deterministic=False, state=None, **settings):
    return list(model(**settings).train(text, threads=threads, deterministic=deterministic, state=state))[-1]


def bits(table, folder):
    """The sha256 of a table as it is saved."""
    table.save(folder)
    names = "vectors.safetensors", "table.json"
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in names)).hexdigest()


def rounds_of(monkeypatch, chunks):
    """Lets a round have so many chunks, however long they take."""
    whole = Crew.round
    monkeypatch.setattr(Crew, "round", lambda crew, places, seconds: whole(crew, islice(places, chunks), 1e9))


def at_home(table):
    """The share of words whose nearest word is of their own topic."""
    return np.mean([near[0][0] in topic for topic in TOPICS for near in table.nearest(topic, 1)])


@pytest.mark.parametrize("method", METHODS)
def test_one_thread_gives_the_same_bits_twice(text, method):
    first, second = (trained(text, **METHODS[method]).table() for _ in range(2))
    assert (first.vectors == second.vectors).all()
    assert (first.vectors != trained(text, seed=1, **METHODS[method]).table().vectors).any()


@pytest.mark.parametrize("method", METHODS)
def test_deterministic_training_has_the_same_bits_with_any_number_of_threads(text, tmp_path, method):
    settings = METHODS[method]
    tables = [trained(text, threads=n, deterministic=True, **settings).table() for n in (1, 2, 3)]
    assert len({bits(table, tmp_path / str(i)) for i, table in enumerate(tables)}) == 1
    assert (tables[0].vectors != trained(text, **settings).table().vectors).any()


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_cut_anywhere_it_ends_with_the_same_bits(text, tmp_path, monkeypatch, method, deterministic):
    settings, threads = METHODS[method], 3 if deterministic else 1
    whole = bits(trained(text, deterministic=deterministic, **settings).table(), tmp_path / "whole")
    maker, identity, out = model(**settings), {"seed": 0}, tmp_path / "table"
    rounds_of(monkeypatch, 2)
    carried = maker.start(text)
    for cut in range(1, 5):
        state = checkpoint.read(out, maker.start(text), identity, text.sha256)
        for one in (carried, state):
            stream = maker.train(text, threads=threads, deterministic=deterministic, state=one)
            progress = next(stream)
            stream.close()
        assert progress.done == pytest.approx(2 * cut / 8)
        checkpoint.write(out, state, progress.table(), identity, text.sha256)
    assert bits(maker.table(text, carried), tmp_path / "carried") == whole
    assert bits(progress.table(), tmp_path / "kept") == whole
    assert state.chunk == 8


def test_a_state_of_something_else_is_refused(text, tmp_path):
    maker = model()
    state = maker.start(text)
    state.chunk = 3
    checkpoint.write(tmp_path / "t", state, maker.table(text, state), {"seed": 0, "minimum_count": 5}, text.sha256)
    for identity, sha256, what in (
        ({"seed": 0, "minimum_count": 6}, text.sha256, "--minimum-count"),
        ({"seed": 0, "minimum_count": 5}, "0" * 64, "the text"),
    ):
        with pytest.raises(ArgumentError, match=f"unfinished training of another table: {what} differs; remove"):
            checkpoint.read(tmp_path / "t", maker.start(text), identity, sha256)
    for rows in (np.zeros((3, 16), np.float32), state.inputs.astype(float), state.inputs[:, ::-1]):
        with pytest.raises(ArgumentError, match="the state is that of another corpus or model: its inputs are"):
            trained(text, state=State(rows, state.outputs))


def test_of_two_states_the_later_one_is_gone_on_with(text, tmp_path):
    maker = model()
    state = maker.start(text)
    for chunk in (3, 4):
        state.chunk = chunk
        checkpoint.write(tmp_path / "t", state, maker.table(text, state), {}, text.sha256)
        shutil.copytree(tmp_path / "t.partial" / f"{chunk:012}", tmp_path / f"{chunk}")
    shutil.copytree(tmp_path / "3", tmp_path / "t.partial" / f"{3:012}")  # as a process leaves it that is killed
    assert checkpoint.read(tmp_path / "t", maker.start(text), {}, text.sha256).chunk == 4


def test_a_disk_that_refuses_leaves_no_folder(text, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise StorageError("full")

    monkeypatch.setattr("throughtime.folder._fill", refuse)
    state = model().start(text)
    with pytest.raises(StorageError):
        checkpoint.write(tmp_path / "t", state, model().table(text, state), {}, text.sha256)
    assert not list(tmp_path.iterdir())


CHANGES = {
    "architecture": ({}, "cbow"),
    "objective": ({}, "hierarchical"),
    "dimension": ({}, 17),
    "window": ({}, 2),
    "negatives": ({}, 5),
    "shared": ({}, False),
    "mean": ({"architecture": "cbow"}, False),
    "sample": ({}, 0.1),
    "epochs": ({}, 1),
    "learning_rate": ({}, 0.05),
    "subwords": ({}, (1, 2, 99)),
    "seed": ({}, 5),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_setting_matters_and_is_noted(topics, name):
    few = corpus_of(topics[:50])
    base, value = CHANGES[name]
    one, other = trained(few, **base).table(), trained(few, **base, **{name: value}).table()
    assert np.isfinite(other.vectors).all()
    assert one.vectors.shape != other.vectors.shape or np.abs(one.vectors - other.vectors).max() > 1e-6
    assert other.facts[name] == value
    assert other.facts | {name: one.facts[name]} | {"method": 0, "learning_rate": 0} == one.facts | {
        "method": 0,
        "learning_rate": 0,
    }


def test_every_setting_of_the_class_has_been_changed():
    assert set(CHANGES) == set(Word2Vec.__dataclass_fields__)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "settings",
    [*METHODS.values(), {"objective": "softmax"}, {"architecture": "cbow", "mean": False}, {"shared": False}],
    ids=str,
)
def test_words_of_a_topic_come_together(topics, settings, threads):
    table = trained(corpus_of(topics), threads=threads, epochs=12, sample=0, **settings).table()
    assert at_home(table) == 1


@pytest.mark.parametrize("method", ["skipgram", "cbow", "fasttext", "glove", "svd"])
def test_recipes_of_all_methods_learn_too(topics, tmp_path, method):
    (tmp_path / "text.txt").write_text("".join(" ".join(line) + "\n" for line in topics))
    settings = {"epochs": 12} if method != "svd" else {}
    settings |= {"sample": 0} if method not in ("glove", "svd") else {}
    recipe = Vectors(text=tmp_path / "text.txt", method=method, dimension=6, **settings)
    text = recipe.corpus(tmp_path / "corpus")
    progress = list(recipe.train(text, threads=2))[-1]
    assert progress.done == 1
    assert progress.table().dimension == 6
    assert at_home(progress.table()) == 1


def test_progress_is_told_and_the_loss_falls(text, topics, monkeypatch):
    rounds_of(monkeypatch, 1)
    told = list(model(sample=0, epochs=6, learning_rate=0.002).train(corpus_of(topics)))
    assert [progress.done for progress in told] == pytest.approx(np.arange(1, 7) / 6)
    assert [progress.epoch for progress in told] == [2, 3, 4, 5, 6, 6]
    losses = [progress.loss for progress in told]
    assert losses[0] > losses[1] > losses[2] > losses[-1]
    assert told[-1].units == 6 * sum(map(len, topics))
    stream = model().train(text)
    progress = next(stream)
    early = progress.table().vectors.copy()
    kept = progress.table()
    next(stream)
    assert (kept.vectors == early).all()
    assert (progress.table().vectors != early).any()


def test_the_learning_rate_falls_in_a_straight_line_to_almost_nothing():
    rates = [model(learning_rate=0.5)._place(number, 4, 0).rate for number in range(8)]
    assert rates == pytest.approx([0.5 * (1 - number / 8) for number in range(8)])
    assert model(learning_rate=0.5)._place(2 * 10**6 - 1, 10**6, 0).rate == pytest.approx(0.5e-4)
    places = [model(seed=3)._place(number, 4, 0) for number in (0, 3, 4)]
    assert [place.start for place in places] == [0, 3 * CHUNK, 0]
    assert places[0].key == places[1].key != places[2].key
    assert model().rate == 0.025
    assert model(architecture="cbow").rate == 0.05


def test_what_is_at_its_end_tells_so_once(text):
    state = model().start(text)
    first = trained(text, state=state)
    again = list(model().train(text, state=state))
    assert [(progress.done, progress.loss) for progress in again] == [(1, None)]
    assert (again[0].table().vectors == first.table().vectors).all()


def test_a_stream_that_is_closed_stops_its_threads(text):
    def workers():
        return [thread for thread in threading.enumerate() if thread.name.startswith("word2vec")]

    stream = model(epochs=10**6).train(text, threads=2)
    next(stream)
    assert len(workers()) == 2
    stream.close()
    assert not workers()


def test_an_absurd_learning_rate_is_said_to_diverge(text):
    with pytest.raises(DivergedError, match=r"no number any more after .* epochs; choose a learning rate below 1e\+30"):
        trained(text, learning_rate=1e30)


@pytest.mark.parametrize("score", [-1600, -90, -70, 0, 70, 1600])
def test_a_loss_that_is_large_is_a_number(score):
    text = corpus_of([list("ab") * 50])
    state = model().start(text)
    state.inputs[:, :16], state.outputs[:, :16] = 10, score / 160
    progress = trained(text, state=state, learning_rate=1e-30, sample=0, negatives=1)
    right, wrong = np.logaddexp(0, -score), np.logaddexp(0, score)  # half of the negatives are the word itself
    assert progress.loss == pytest.approx(right + wrong / 2, rel=1e-4 if score < 0 else 0.5)


def test_texts_of_one_word_teach_nothing_and_windows_end_with_their_text():
    text = corpus_of([["a"], ["b"], ["a"], ["c", "d"], ["b"], ["e", "e", "e"]])
    settings = {"window": 1000, "sample": 0, "epochs": 4}  # in the first, outputs of zero do not move inputs
    state = model(**settings).start(text)
    before = state.inputs.copy()
    progress = trained(text, state=state, **settings)
    moved = {w for i, w in enumerate(text.vocabulary.words) if (state.inputs[i] != before[i]).any()}
    assert moved == set("cde")
    assert np.isfinite(progress.table().vectors).all()
    alone = corpus_of([["a"], ["b"]])
    assert trained(alone).loss is None
    assert (trained(alone).table().vectors == model().start(alone).inputs[:, :16]).all()


def test_windows_see_over_the_borders_of_chunks():
    text = corpus_of([["p", "q"], *[["s"]] * ((CHUNK - 4) // 2), ["x", "y"], ["s"]])
    place = text.vocabulary.index
    assert text.ids[CHUNK - 1 : CHUNK + 1].tolist() == [place["x"], place["y"]]
    state = model(sample=0).start(text)
    before = state.inputs.copy()
    trained(text, state=state, sample=0)
    moved = (state.inputs != before).any(1)
    assert {word: bool(moved[i]) for word, i in place.items()} == {w: w != "s" for w in "pqxys"}


def test_one_text_of_many_chunks_is_used_whole():
    chance = np.random.default_rng(0)
    parts = [chance.choice(TOPICS[i % 2], 60).tolist() for i in range(1200)]
    text = corpus_of([[word for part in parts for word in part]])
    assert len(text.ids) > 4 * CHUNK
    progress = trained(text, sample=0, threads=2)
    assert progress.units == 2 * 1200 * 60
    assert at_home(progress.table()) == 1


def test_the_full_softmax_is_for_few_words():
    text = corpus_of([[str(i) for i in range(SOFTMAX_LIMIT + 1)]])
    with pytest.raises(ArgumentError, match="the full softmax moves all 50,001 words at every example: it is for 50,0"):
        trained(text, objective="softmax")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"dimension": 0}, "dimension must be in 1..65536; got 0"),
        ({"dimension": 65537}, "dimension must be in 1..65536; got 65537"),
        ({"window": 0}, "window must be in 1..1024; got 0"),
        ({"epochs": 0}, "epochs must be in 1..1000000; got 0"),
        ({"negatives": 0}, "negatives must be in 1..1024; got 0"),
        ({"negatives": 1025}, "negatives must be in 1..1024; got 1025"),
        ({"sample": 1.0}, "sample must be in 0..1, where 0 keeps every word; got 1.0"),
        ({"sample": float("nan")}, "sample must be in 0..1, where 0 keeps every word; got nan"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0; got 0.0"),
        ({"learning_rate": float("inf")}, "learning_rate must be above 0; got inf"),
        ({"architecture": "skip"}, "architecture must be skipgram or cbow; got 'skip'"),
        ({"objective": "all"}, "objective must be negative or hierarchical or softmax; got 'all'"),
        ({"seed": -1}, "seed must be at least 0; got -1"),
        ({"subwords": (0, 3, 9)}, "shortest must be in 1..longest; got 0 and 3"),
        ({"subwords": (4, 3, 9)}, "shortest must be in 1..longest; got 4 and 3"),
        ({"subwords": (3, 6, 0)}, "buckets must be in 1.."),
        ({"threads": 0}, "threads must be in 1..1024; got 0"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit(settings, says):
    with pytest.raises(ArgumentError) as caught:
        trained(corpus_of([["a", "b"]]), **settings)
    assert str(caught.value).startswith(says)
