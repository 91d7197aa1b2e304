"""The recipe of a tagger: every option once, settings and data that do not fit, resume, vectors."""

import json
import shutil
from typing import get_args

import numpy as np
import pytest

import throughtime
from throughtime import Tag, folder
from throughtime.errors import ArgumentError, DataError
from throughtime.recipes.cells import CellName
from throughtime.recipes.read import make_recipe
from throughtime.train import fit
from throughtime.vectors.table import Table

SENTENCES = [
    [("Ada", "B-PER"), ("Byron", "I-PER"), ("saw", "O"), ("Rome", "B-LOC")],
    [("rain", "O"), ("in", "O"), ("Oslo", "B-LOC")],
    [("Bob", "B-PER"), ("Rome", "B-LOC"), ("1990", "O")],
] * 6
WORDS = [[word for word, _ in sentence] for sentence in SENTENCES]
TAGS = [[tag for _, tag in sentence] for sentence in SENTENCES]
SIZES = {"hidden": 3, "embedding": 4, "filters": 2, "affixes": 1, "minimum_count": 1, "rows": 6, "epochs": 1, "seed": 3}


def written(path, sentences):
    path.write_text("\n\n".join("\n".join(f"{word}\t{tag}" for word, tag in one) for one in sentences) + "\n")
    return path


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    return written(tmp_path_factory.mktemp("tagged") / "some.conll", SENTENCES)


@pytest.fixture(scope="module")
def tag(sentences):
    def recipe(**changes):
        return Tag(**({"train": sentences} | SIZES | changes))

    return recipe


def trained(recipe, out, steps=None):
    """A run until it has made so many updates, or to its end; gives what it told."""
    stream, told = fit(recipe, out), []
    for progress in stream:
        told.append(progress)
        if progress.step == steps:
            stream.close()
    return told


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "bfloat16"},
        {"head": "crf", "convert": "iobes", "accumulate": 2, "recall": 1.5},
        {"head": "crf", "scheme": "none", "optimiser": "sgd", "momentum": 0.5},
        {"characters": "recurrent", "layers": 2, "both": False, "accumulate": 9},
        {"characters": "none", "filters": 30, "affixes": 0, "casing": False, "lower": False, "word_dropout": 0.0},
        {"unit": "character", "filters": 30, "convert": "bilou", "dropout": 0.0, "schedule": "constant"},
        {"convert": "iob1", "maximum_vocab": 3, "casing": False, "schedule": "plateau", "patience": 1},
    ],
    ids=str,
)
def test_every_option_trains_tags_and_scores(tag, tmp_path, options):
    recipe = tag(**options)
    told = trained(recipe, tmp_path)
    assert told[-1].final
    assert all(progress.loss.mean > 0 for progress in told)
    tagger = throughtime.load(tmp_path)
    found = tagger.tag(WORDS[:3])
    assert [len(one.tags) for one in found] == [len(words) for words in WORDS[:3]]
    assert tagger.score(WORDS, TAGS).tokens == sum(map(len, WORDS))
    if recipe.scheme != "none":
        assert {tag for one in found for tag in one.tags} <= {"O", "B-PER", "I-PER", "B-LOC", "I-LOC"}


@pytest.mark.parametrize("name", sorted(set(get_args(CellName)) - {"lstm"}))
def test_every_cell_reads_from_both_ends_and_learns(tag, name, imitated):
    recipe = tag(core=name, hidden=2, dropout=0.0)
    data = recipe.data()
    model = recipe.model(data)
    model.loss(recipe.batches(data).chunk(0, 0))[0].total.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_a_task_is_learned_and_its_folder_knows_it(tag, tmp_path, head):
    settings = {"epochs": 25, "learning_rate": 0.05, "dropout": 0.1, "hidden": 8, "minimum_count": 3}
    *_, last = trained(tag(head=head, **settings), tmp_path / "run")
    assert last.evaluation.score.facts["entity_f1"] == 1
    assert last.evaluation.sample == "none"
    tagger = throughtime.load(tmp_path / "run")
    said = tagger.tag([["Bob", "saw", "Rome"]])[0]
    assert [tuple(span) for span in said.spans] == [("PER", 0, 1), ("LOC", 2, 3)]
    card = (tmp_path / "run" / "card.md").read_text()
    assert "entity f1 100.00 %" in card
    assert "| tags | B-LOC, B-PER, I-PER, O |" in card


def test_a_mistake_is_shown_where_it_stands(tag, tmp_path):
    *_, last = trained(tag(), tmp_path)
    first = last.evaluation.sample.splitlines()[0]
    assert ", truly " in first
    assert "[" in first
    assert 0 < float(first[:4]) <= 1


@pytest.mark.parametrize("options", [{}, {"head": "crf", "accumulate": 2, "characters": "recurrent"}], ids=str)
def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(tag, tmp_path, options):
    recipe = tag(epochs=2, evaluate_every=2, **options)
    trained(recipe, tmp_path / "straight")
    for steps in (1, 4, None):
        trained(recipe, tmp_path / "stopped", steps)
    runs = [tmp_path / name for name in ("straight", "stopped")]
    assert len({(run / "weights.safetensors").read_bytes() for run in runs}) == 1
    lines = [[json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()] for run in runs]
    assert [{**line, "seconds": 0} for line in lines[0]] == [{**line, "seconds": 0} for line in lines[1]]
    assert trained(recipe, tmp_path / "stopped") == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"head": "crt"}, "head does not fit: input should be 'softmax' or 'crf'"),
        ({"core": "lsmt"}, "core does not fit: input should be 'lstm'"),
        ({"convert": "iobes", "scheme": "none"}, "convert needs tags of a scheme; got --convert iobes and --scheme no"),
        ({"repair": True, "scheme": "none"}, "repair needs tags of a scheme; got --scheme none"),
        ({"recall": 2}, "recall needs --head crf and tags of a scheme; got 2.0, --head softmax"),
        ({"recall": 2, "head": "crf", "scheme": "none"}, "recall needs --head crf and tags of a scheme; got 2.0"),
        ({"characters": "none", "filters": 9}, "filters is for --characters convolution or recurrent; got 9 and none"),
        ({"unit": "character", "filters": 9}, "filters is for --characters convolution or recurrent; got 9 and none"),
        ({"frozen_updates": 3}, "frozen_updates needs --vectors; got 3 and none"),
        ({"vectors": "v", "unit": "character"}, "vectors needs --unit word, for they are of words; got --unit charact"),
        ({"affixes": 9}, "affixes does not fit: input should be less than or equal to 8; got 9"),
        ({"momentum": 0.9}, "momentum is for --optimiser sgd"),
        ({"train": None}, "train does not fit"),
        ({"tagger": 1}, "unknown setting 'tagger'; "),
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_that_does_not_fit_is_named(settings, says):
    with pytest.raises(ArgumentError) as error:
        make_recipe(Tag, {"train": "x"} | settings)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_letters_have_defaults_of_their_own():
    recipe = Tag(train="x", unit="character")
    assert (recipe.characters, recipe.affixes, recipe.casing, recipe.lower, recipe.minimum_count) == (
        *("none", 0, False, False),
        1,
    )
    assert Tag(train="x", unit="character", casing=True).casing
    assert Tag(train="x").characters == "convolution"


def test_data_that_do_not_fit_are_refused_and_nothing_is_written(tag, tmp_path):
    path = written(tmp_path / "pos.conll", [[("a", "DET"), ("cat", "NOUN")]] * 9)
    with pytest.raises(ArgumentError, match=r"convert needs tags of entities; those of .* are of none"):
        next(fit(tag(train=path, convert="bio"), tmp_path / "run"))
    with pytest.raises(ArgumentError, match=r"recall needs tags of entities; those of .* are of none"):
        next(fit(tag(train=path, head="crf", recall=1), tmp_path / "run"))
    with pytest.raises(DataError, match="none of them 99 times"):
        next(fit(tag(minimum_count=99), tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_what_was_read_is_told_and_kept(tag, tmp_path):
    other = written(tmp_path / "valid.conll", [[("Zoe", "B-ORG"), ("in", "O")], [("Ada", "I-PER")]])
    recipe = tag(valid=other, repair=True, convert="iobes")
    data = recipe.data()
    counted = {name: data.facts[name] for name in ("valid_tokens", "valid_unknown", "valid_unlearned", "repaired_tags")}
    assert counted == {"valid_tokens": 3, "valid_unknown": 1, "valid_unlearned": 1, "repaired_tags": 1}
    assert data.tags == ["B-PER", "E-PER", "O", "S-LOC", "S-PER"]
    assert (data.scheme, data.learned) == ("BIO", "IOBES")
    first, second = recipe.notes(data)
    assert "tags are of entities, by BIO, learned by IOBES; 1 were mended" in first
    assert "(3, 1 unknown, 1 with a tag that is not learned); 5 tags, a vocabulary of 10" in second
    assert "unk" not in json.loads(recipe.files(data)["vocabulary.json"])["words"]


def test_embeddings_begin_with_vectors_and_know_words_that_only_the_table_has(tag, tmp_path):
    words = ["rome", "zebra", "oslo", "in"]
    Table(words, np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)).save(tmp_path / "table")
    recipe = tag(vectors=tmp_path / "table", embedding=None, frozen_updates="all")
    trained(recipe, tmp_path / "run")
    tagger = throughtime.load(tmp_path / "run")
    weight = folder.read_tensors(tmp_path / "run", "weights.safetensors", 2**20)["words.embedding.weight"].numpy()
    place = tagger.lexicon.listed.index("zebra")
    assert np.array_equal(weight[place], Table.load(tmp_path / "table")["zebra"])
    assert tagger.unknown([["Zebra", "lion"]]) == 1
    kept = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert kept["embedding"] == 5
    assert trained(recipe, tmp_path / "run") == []
    with pytest.raises(ArgumentError, match=r"have 5 numbers, and the embeddings would have 4: give --embedding 5"):
        next(fit(tag(vectors=tmp_path / "table"), tmp_path / "other"))


def test_a_run_that_began_with_vectors_ends_with_the_same_bits_without_the_table(tag, tmp_path):
    words = ["rome", "zebra", "oslo", "in"]
    Table(words, np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)).save(tmp_path / "table")
    recipe = tag(vectors=tmp_path / "table", embedding=None)
    trained(recipe, tmp_path / "straight")
    trained(recipe, tmp_path / "cut", 1)
    shutil.rmtree(tmp_path / "table")
    notes = trained(recipe, tmp_path / "cut")[0].notes
    assert "the vectors are gone, which does no harm: the run has them" in notes
    for name in ("weights.safetensors", "vocabulary.json", "data.json", "recipe.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    assert trained(recipe, tmp_path / "cut") == []


def test_words_of_a_table_that_a_vocabulary_has_no_room_for_are_counted(tag, tmp_path, monkeypatch):
    words = ["Rome", "rome", "zebra", "oslo", "in", "yak"]
    Table(words, np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)).save(tmp_path / "table")
    recipe = tag(vectors=tmp_path / "table", embedding=None)
    own = len(recipe.data().lexicon.words)
    monkeypatch.setattr("throughtime.data.lexicon.VOCAB_LIMIT", own + 1)
    data = recipe.begin(recipe.data(), None)
    assert data.lexicon.words[own:] == ["zebra"]
    assert data.facts["unlisted_words"] == 1
    assert "; 1 words of the vectors left out, for the vocabulary is full" in recipe.notes(data)[0]
    trained(recipe, tmp_path / "run", 1)
    assert recipe.begin(recipe.data(), tmp_path / "run").facts["unlisted_words"] == 1
