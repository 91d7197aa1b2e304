"""What is counted by item adds up to what evaluating a run tells."""

import pytest

from throughtime.recipes import Classify
from throughtime.recipes.tag import Tag
from throughtime.runs import application_of, load
from throughtime.train import fit
from throughtime.trials.kinds import asked_of, kind_of

SIZES = {"embedding": 4, "minimum_count": 1, "rows": 8, "epochs": 8, "evaluate_every": 99, "learning_rate": 0.1}
TAGS = {"upos": ["NOUN", "VERB", "X"], "ner": ["B-PER", "I-PER", "O"]}


def tagged(path, tags):
    """Sentences of three kinds of words, most of which have a tag of their own."""
    rows = [[(place, place if i % 5 else 2) for place in range(1 + i % 3)] for i in range(30)]
    path.write_text("\n".join("".join(f"w{word}\t{tags[tag]}\n" for word, tag in row) for row in rows))
    return path


def judged(recipe, home, path):
    for _ in fit(recipe, home):
        pass
    facts = application_of(recipe).evaluate(home, recipe, asked_of(recipe, path)).facts
    kind = kind_of(type(recipe))
    return facts, kind.measures(recipe, facts), kind.counts(load(home), recipe, path)


@pytest.mark.parametrize("name", TAGS)
def test_of_taggers(tmp_path, imitated, name):
    path = tagged(tmp_path / "some.conll", TAGS[name])
    recipe = Tag(train=path, valid=path, hidden=3, affixes=0, characters="none", **SIZES)
    facts, measures, counts = judged(recipe, tmp_path / "run", path)
    assert measures[0].name == ("accuracy" if name == "upos" else "entity_f1")
    assert len(counts.rows) == facts["sentences"] == 30
    assert 0 < facts[measures[0].name] < 1
    assert counts.statistic(counts.rows.sum(0)[None])[0] == pytest.approx(facts[measures[0].name])
    assert {measure.name for measure in measures} <= set(facts)


@pytest.mark.parametrize("labels", ["single", "ordinal", "multiple"])
def test_of_classifiers(tmp_path, labels):
    path = tmp_path / "some.csv"
    names = {"single": ["a", "b", "c"], "ordinal": ["1", "2", "3"], "multiple": ["a", "a;b", "c"]}[labels]
    path.write_text("text,label\n" + "".join(f"word w{i % 3} {i},{names[i % 3 if i % 9 else 2]}\n" for i in range(40)))
    separator = ";" if labels == "multiple" else None
    recipe = Classify(
        train=path, valid=path, core="average", labels=labels, separator=separator, text_column="text", **SIZES
    )
    facts, measures, counts = judged(recipe, tmp_path / "run", path)
    assert counts.statistic(counts.rows.sum(0)[None])[0] == pytest.approx(facts[measures[0].name])
    assert 0 < facts[measures[0].name] < 1
    assert {measure.name for measure in measures} <= set(facts)
    assert [measure.rising for measure in measures] == [True, labels != "ordinal"]
