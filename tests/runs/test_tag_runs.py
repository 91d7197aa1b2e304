"""Runs of taggers: predict from files of any kind, evaluate, stream, and folders that were made to harm."""

import json
import shutil

import pytest

from throughtime import Tag, folder
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.runs import Asked, application_of, load, recipe_of, tag_answers
from throughtime.runs import tag as runs
from throughtime.train import fit

SENTENCES = [
    [("Ada", "B-PER"), ("Byron", "I-PER"), ("saw", "O"), ("Rome", "B-LOC")],
    [("rain", "O"), ("in", "O"), ("Oslo", "B-LOC")],
    [("Bob", "B-PER"), ("saw", "O"), ("1990", "O")],
] * 6
SIZES = {"hidden": 6, "embedding": 6, "filters": 2, "affixes": 1, "minimum_count": 1, "rows": 6, "seed": 3}
LEARNS = {"epochs": 20, "learning_rate": 0.05, "dropout": 0.1}


def written(path, sentences):
    path.write_text("\n\n".join("\n".join(f"{word} {tag}" for word, tag in one) for one in sentences) + "\n")
    return path


def trained(out, **settings):
    recipe = Tag(**(SIZES | LEARNS | settings))
    for _ in fit(recipe, out / "run"):
        pass
    return out / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tagger that knows its sentences by heart."""
    out = tmp_path_factory.mktemp("whole")
    return trained(out, train=written(out / "some.conll", SENTENCES), head="crf", convert="iobes")


@pytest.fixture(scope="module")
def forward(tmp_path_factory):
    """One that reads forward, of letters that are of no entities."""
    out = tmp_path_factory.mktemp("forward")
    letters = [[(letter, "v" if letter in "aeiou" else "c") for letter in word] for word in ("banana", "pear", "ufo")]
    path = written(out / "letters.conll", letters * 5)
    return trained(out, train=path, unit="character", both=False, filters=30, affixes=0, epochs=30)


def asked(run, path, **more):
    recipe = recipe_of(run)
    return runs.predict(load(run), recipe, Asked(file=path, **more))


def everything(answers):
    return [answer for block in answers for answer in block]


def test_text_is_tagged_line_by_line(run, tmp_path, monkeypatch):
    path = tmp_path / "some.txt"
    path.write_text("Bob saw  Oslo\n\nAda Byron saw rain\n")
    monkeypatch.setattr(tag_answers, "BLOCK", 2)
    answers = asked(run, path)
    found = everything(answers)
    plain = "".join(answers.plain(answer) + "\n" for answer in found)
    assert plain == "Bob\tB-PER\nsaw\tO\nOslo\tB-LOC\n\n\nAda\tB-PER\nByron\tI-PER\nsaw\tO\nrain\tO\n\n"
    assert answers.notes == ("a line is a sentence, its words between white space are tokens",)
    assert answers.told() == "3 sentences, 1 of them empty; 0 of 7 tokens unknown"
    assert answers.facts(found[0]) == {
        "tokens": ["Bob", "saw", "Oslo"],
        "tags": ["B-PER", "O", "B-LOC"],
        "spans": [
            {"type": "PER", "start": 0, "stop": 1, "tokens": ["Bob"]},
            {"type": "LOC", "start": 2, "stop": 3, "tokens": ["Oslo"]},
        ],
    }
    assert answers.facts(found[1]) == {"tokens": [], "tags": [], "spans": []}
    json.dumps([answers.facts(answer) for answer in found])
    assert [len(block) for block in asked(run, path)] == [2, 1]


def test_columns_are_tagged_whatever_tags_they_have_and_however_long_the_file(run, tmp_path, monkeypatch):
    path = written(tmp_path / "other.conll", [[("Zoe", "X"), ("saw", "Y")], [("Rome", "Z")]] * 30)
    monkeypatch.setattr(tag_answers, "BLOCK_TOKENS", 10)
    answers = asked(run, path)
    blocks = list(answers)
    assert max(sum(len(answer.sentence.tokens) for answer in block) for block in blocks) <= 11
    assert [answer.sentence.tokens for block in blocks for answer in block] == [["Zoe", "saw"], ["Rome"]] * 30
    assert answers.notes == ("tokens are column 0 (form)",)
    assert answers.told() == "60 sentences; 30 of 90 tokens unknown"
    assert [answer.sentence.tokens for answer in everything(asked(run, path, column="1"))][:2] == [["X", "Y"], ["Z"]]


def test_probabilities_are_of_the_tags_that_were_learned(run, tmp_path):
    path = tmp_path / "some.txt"
    path.write_text(f"Bob {'saw' * 99}\n")
    answers = asked(run, path, probabilities=True)
    (facts,) = [answers.facts(answer) for answer in everything(answers)]
    assert max(facts["probabilities"][0], key=facts["probabilities"][0].get) == "S-PER"
    assert all(sum(row.values()) == pytest.approx(1, abs=1e-4) for row in facts["probabilities"])
    assert answers.told().endswith("unknown; 1 words of over 64 letters, of which those at both ends are seen")
    assert set(facts["probabilities"][0]) == {"B-PER", "E-PER", "O", "S-LOC", "S-PER"}


@pytest.mark.parametrize(
    ("name", "text", "kind", "says"),
    [
        ("-", None, ArgumentError, "- is no file; give one with a sentence a line"),
        (".", None, ArgumentError, "is no file; give one with a sentence a line"),
        ("empty.txt", "", DataError, "empty.txt is empty; give a file with a sentence a line"),
        ("empty.conll", "", DataError, "empty.conll has no sentences"),
        ("ragged.conll", "a b\nc\n", DataError, "ragged.conll, line 2 has 1 columns where the first token has 2"),
        ("long.txt", "a\n" + "a " * 10_001, DataError, "long.txt, line 2: the sentence has 10,001 tokens, over --long"),
        ("absent.txt", None, DataError, "no such file"),
    ],
)
def test_files_that_do_not_fit_are_refused(run, tmp_path, name, text, kind, says):
    path = tmp_path / name if name != "-" else type(tmp_path)("-")
    if text is not None:
        path.write_text(text)
    with pytest.raises(kind, match=says):
        everything(asked(run, path))


def test_a_run_is_judged_by_what_it_held_out_or_by_a_file(run, tmp_path):
    recipe = recipe_of(run)
    held = runs.evaluate(run, recipe, Asked())
    assert held.notes == ()
    assert held.facts["entity_f1"] == 1
    assert held.rows["entity f1"] == "1.0000"
    rows = [[("Bob", "B-PER"), ("in", "X-ORG")], [("Rome", "I-LOC"), ("Ada", "B-ORG")]]
    with pytest.raises(
        DataError, match=r"sentence 1, token 2: the tag 'X-ORG' is of no scheme; .* learned those of BIO"
    ):
        runs.evaluate(run, recipe, Asked(file=written(tmp_path / "strange.conll", rows)))
    rows[0][1] = ("zebra", "O")
    judged = runs.evaluate(run, recipe, Asked(file=written(tmp_path / "other.conll", rows)))
    assert judged.facts["unlearned_tokens"] == 1
    assert judged.facts["unknown_tokens"] == 1
    assert judged.facts["broken_tags"] == 1
    assert "(never learned)" in judged.rows["  B-ORG"]
    assert judged.notes == (
        "tokens are column 0 (form), tags are column 1 (tag)",
        "1 tags were never learned, so that the 1 tokens that have them count as wrong",
        "1 true tags break the scheme; they are read as conlleval does",
    )
    assert judged.facts["types"]["ORG"]["recall"] == 0
    json.dumps(judged.facts)
    columns = Asked(file=tmp_path / "other.conll", column="form", label_column="0")
    with pytest.raises(DataError, match="tokens and tags are both column 0"):
        runs.evaluate(run, recipe, columns)
    with pytest.raises(ArgumentError, match="--missing skip means nothing to a tagger, which reads tokens"):
        runs.evaluate(run, recipe, Asked(missing="skip"))


def test_what_was_held_out_must_be_what_it_was(run, tmp_path):
    home, other = tmp_path / "run", tmp_path / "some.conll"
    shutil.copytree(run, home)
    path = recipe_of(run).train
    recipe = recipe_of(run).model_copy(update={"train": other})
    other.write_text(path.read_text().replace("Oslo", "Roma"))
    with pytest.raises(RunError, match=r"some.conll' was changed since .* was trained on it; put it back, or give"):
        runs.evaluate(home, recipe, Asked())
    other.write_text(path.read_text() + "\nmore O\n")
    with pytest.raises(RunError, match=r"was changed since"):
        runs.evaluate(home, recipe, Asked())


def test_a_sentence_a_line_is_answered_at_once(run):
    live = runs.stream(load(run), recipe_of(run))
    assert live.wants == "a sentence (this tagger reads from both ends)"
    facts = live.take("Bob saw Rome\n")
    assert facts["tags"] == ["B-PER", "O", "B-LOC"]
    assert live.plain(facts) == "Bob\tB-PER\nsaw\tO\nRome\tB-LOC\n"
    assert live.take(" \n") is None
    with pytest.raises(DataError, match="this line: the sentence has 10,001 tokens, over --longest 10,000"):
        live.take("a " * 10_001)


def test_a_token_a_line_is_answered_at_once_with_the_state_of_those_before(forward):
    tagger = load(forward)
    live = runs.stream(tagger, recipe_of(forward))
    assert live.wants == "a letter; an empty line begins a new sentence"
    whole = tagger.tag([list("banana"), list("ufo")])
    for word, one in zip(("banana", "ufo"), whole, strict=True):
        facts = [live.take(letter + "\n") for letter in word]
        assert [fact["tag"] for fact in facts] == one.tags == ["v" if letter in "aeiou" else "c" for letter in word]
        assert [fact["probability"] for fact in facts] == pytest.approx(one.probabilities.tolist(), abs=1e-5)
        assert live.take("\n") is None
    live.take("b")
    before = live.state
    for line, message in (("a b\n", "'a b' is 2 letters"), ("banana", "'banana' is 6 letters")):
        with pytest.raises(DataError, match=f"{message}; give one a line, and an empty line between"):
            live.take(line)
    assert live.state is before
    assert live.plain({"token": "b", "tag": "c", "probability": 1.0}) == "b\tc"


def test_what_is_told_of_every_tag_bounds_a_block(forward, tmp_path, monkeypatch):
    path = tmp_path / "some.txt"
    path.write_text("pear\nufo\nbanana\npear\n")
    monkeypatch.setattr("throughtime.runs.asked.MOST_SHARES", 12)  # of two tags each: six letters
    assert [len(block) for block in asked(forward, path, probabilities=True)] == [2, 1, 1]
    assert [len(block) for block in asked(forward, path)] == [4]
    with pytest.raises(ArgumentError, match="--text-column form means nothing to a text, where a line is a sentence"):
        asked(forward, path, column="form")


def test_letters_are_tagged_in_text_and_in_columns(forward, tmp_path):
    path = tmp_path / "some.txt"
    path.write_text("ab on\n")
    answers = asked(forward, path)
    (answer,) = everything(answers)
    assert answer.sentence.tokens == list("abon")
    assert answers.facts(answer) == {"tokens": list("abon"), "tags": list("vcvc")}
    assert answers.notes == ("a line is a sentence, its letters are tokens",)
    answers = asked(forward, written(tmp_path / "some.conll", [[("ab", "x"), ("o", "x")]]))
    assert [answer.tagged.tags for answer in everything(answers)] == [list("vcv")]
    assert answers.notes[0].endswith(", each letter one of its own")


def test_a_run_tells_what_it_is(run, forward):
    assert application_of(recipe_of(run)) is runs
    facts = runs.Facts.model_validate(folder.read_json(run, "data.json"))
    told = runs.rows(facts, recipe_of(run), 1234)
    assert (
        told["model"]
        == "lstm, 1 × 6, from both ends, letters by a convolution; a random field over tags, 1,234 weights"
    )
    assert told["tags"] == "B-PER, E-PER, O, S-LOC, S-PER (of entities, by BIO, learned by IOBES)"
    other = runs.Facts.model_validate(folder.read_json(forward, "data.json"))
    assert runs.rows(other, recipe_of(forward), 9)["tags"] == "c, v (of no entities)"


def changed(run, home, name, change):
    """The folder with another file in it, which its manifest says is whole."""
    shutil.copytree(run, home)
    names = [path.name for path in run.iterdir() if path.name not in ("manifest.json", "COMPLETE") and path.is_file()]
    files = {each: (run / each).read_bytes() for each in names}
    content = json.loads(files[name])
    change(content)
    folder.write_files(home, files | {name: folder.to_bytes(content)}, status="finished")
    return home


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("data.json", lambda c: c.update(tags=["O"]), "data.json does not hold what a run needs: 'tags'"),
        ("data.json", lambda c: c.update(tags=["O", "O"]), "'tags': value error, a name is there twice"),
        ("data.json", lambda c: c.update(tags=["O", "NOUN"]), "not hold what a run needs: .* of no scheme"),
        ("data.json", lambda c: c.update(scheme="BOI"), "does not hold what a run needs: 'scheme'"),
        ("data.json", lambda c: c.update(tags=[*c["tags"], "S-ORG"]), "are not those of its recipe"),
        ("vocabulary.json", lambda c: c.update(words=["a"]), "are not those of its recipe"),
        ("vocabulary.json", lambda c: c["view"].update(casing=False), "does not look at words as its recipe says"),
        ("vocabulary.json", lambda c: c.update(affixes=[]), "does not look at words as its recipe says"),
        ("recipe.json", lambda c: c.update(hidden=65536), "are not those of its recipe"),
    ],
)  # fmt: skip
def test_a_folder_that_does_not_fit_itself_is_refused(run, tmp_path, name, change, says):
    with pytest.raises(RunError, match=says):
        load(changed(run, tmp_path / "run", name, change))
