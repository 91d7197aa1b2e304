"""Data in parts: nothing is lost, nothing is in two parts, and the same data and seed make the same files."""

import csv
import json
from collections import Counter

import numpy as np
import pytest

from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.recipes import Classify
from throughtime.recipes.tag import Tag
from throughtime.trials.kinds import kind_of
from throughtime.trials.parts import Given, check_home, divide, seed_of, seeds_of

ROWS = [(f"text, number {i}\nof a {'good' if i % 3 else 'bad'} film", "good" if i % 3 else "bad") for i in range(60)]


def written(path, rows, names=("text", "label")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def classify(path, **changes):
    return Classify(**{"train": path, "core": "average", "minimum_count": 1, "epochs": 1} | changes)


def read(parts, name):
    return [json.loads(line) for line in parts.files[name].read_text().splitlines()]


def test_three_parts_hold_each_text_once_and_its_share_of_each_class(tmp_path):
    path = written(tmp_path / "texts.csv", ROWS)
    parts = divide(classify(path), Given(path, shares=(0.1, 0.2)), tmp_path / "out")
    found = {name: read(parts, name) for name in ("train", "valid", "test")}
    assert sorted((row["text"], row["label"]) for some in found.values() for row in some) == sorted(ROWS)
    assert parts.sizes == {name: len(some) for name, some in found.items()} == {"train": 42, "valid": 6, "test": 12}
    assert [Counter(row["label"] for row in some)["bad"] for some in found.values()] == [14, 2, 4]


def test_the_recipe_of_parts_reads_what_the_recipe_read(tmp_path):
    path = written(tmp_path / "texts.csv", [(label, text) for text, label in ROWS], ("class", "said"))
    recipe = classify(path, text_column="said", label_column="class")
    parts = divide(recipe, Given(path), tmp_path / "out")
    data = parts.recipe.data()
    assert (data.facts["train"], data.facts["valid"]) == (str(parts.files["train"]), str(parts.files["valid"]))
    texts = [record.text for name in parts.files for record in parts.recipe.read(parts.files[name]).records]
    assert sorted(texts) == sorted(text for text, _ in ROWS)


def test_what_is_equal_or_of_a_group_is_in_one_part(tmp_path):
    path = written(tmp_path / "texts.csv", [ROWS[i // 3] for i in range(180)])
    parts = divide(classify(path), Given(path), tmp_path / "out")
    sets = [{row["text"] for row in read(parts, name)} for name in parts.files]
    assert sum(map(len, sets)) == len(set.union(*sets)) == 60
    assert not any("part train too" in note for note in parts.notes)


def test_given_files_are_whole_parts_and_repeats_are_told(tmp_path):
    paths = [written(tmp_path / f"{i}.csv", ROWS[10 * i :]) for i in range(3)]
    parts = divide(classify(paths[0]), Given(*paths, shares=(0.0, 0.0)), tmp_path / "out")
    found = {name: [(row["text"], row["label"]) for row in read(parts, name)] for name in parts.files}
    assert found == {"train": ROWS, "valid": ROWS[10:], "test": ROWS[20:]}
    assert parts.notes[1:] == [
        "50 of the 50 items of the part valid are in the part train too",
        "40 of the 40 items of the part test are in the part train too",
    ]


def test_folders_that_are_given_are_files_as_all_parts_are(tmp_path):
    for part in ("train", "valid", "test"):
        for name in ("good", "bad"):
            (tmp_path / part / name).mkdir(parents=True)
            (tmp_path / part / name / "1.txt").write_text(f"a {name} film to {part}")
    paths = [tmp_path / part for part in ("train", "valid", "test")]
    parts = divide(classify(paths[0]), Given(*paths, shares=(0.0, 0.0)), tmp_path / "out")
    assert all(path.is_file() for path in parts.files.values())
    assert [row["text"] for row in read(parts, "test")] == ["a bad film to test", "a good film to test"]


def test_a_given_test_leaves_two_parts_to_make(tmp_path):
    path, test = written(tmp_path / "texts.csv", ROWS[:40]), written(tmp_path / "test.csv", ROWS[40:])
    parts = divide(classify(path), Given(path, None, test, (0.25, 0.0)), tmp_path / "out")
    assert parts.sizes == {"train": 30, "valid": 10, "test": 20}
    assert [row["text"] for row in read(parts, "test")] == [text for text, _ in ROWS[40:]]


def test_several_labels_come_through(tmp_path):
    path = written(tmp_path / "texts.csv", [(text, "a;b" if i % 2 else "a") for i, (text, _) in enumerate(ROWS)])
    recipe = classify(path, labels="multiple", separator=";")
    parts = divide(recipe, Given(path), tmp_path / "out")
    labels = Counter(record.labels for name in parts.files for record in parts.recipe.read(parts.files[name]).records)
    assert labels == {("a", "b"): 30, ("a",): 30}


def test_other_data_or_another_seed_are_not_put_over_parts(tmp_path):
    path, out = written(tmp_path / "texts.csv", ROWS), tmp_path / "out"
    before = divide(classify(path), Given(path), out)
    stamp = before.files["train"].stat().st_mtime_ns
    assert divide(classify(path), Given(path), out) == before
    assert before.files["train"].stat().st_mtime_ns == stamp
    with pytest.raises(RunError, match=r"out holds something else: .*train\.jsonl is another part .* another --out"):
        divide(classify(path, seed=1), Given(path), out)


SENTENCE = "# text = #1 can't\n1-2\tcan't\t_\t_\t_\t_\t_\t_\t_\t_\n1\tca\t_\tAUX{0}\n2\t#n't 10 000\t_\tPART{0}\n\n"


def test_sentences_come_through(tmp_path):
    path = tmp_path / "some.conllu"
    body = SENTENCE.format("\t_" * 6)
    path.write_text("".join(body.replace("ca\t_", f"ca{i}\t_") for i in range(10)))
    parts = divide(Tag(train=path), Given(path), tmp_path / "out")
    read = [s for name in parts.files for s in kind_of(Tag).items(parts.recipe, parts.files[name]).keys]
    assert sorted(read) == sorted((f"ca{i}", "#n't 10 000") for i in range(10))
    assert parts.files["test"].read_text().splitlines()[1] == "2\t#n't 10 000\t_\tPART" + "\t_" * 6
    letters = divide(Tag(train=path, unit="character", scheme="none"), Given(path), tmp_path / "out")
    assert letters.sizes == parts.sizes  # tokens are cut into letters where they are read, and not before


def test_series_come_through(tmp_path):
    values = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    rows = [[*map(repr, row.tolist()), "up" if i % 2 else "down, far"] for i, row in enumerate(values)]
    path = written(tmp_path / "moves.csv", rows, [*"abcdef", "move"])
    recipe = classify(path, windows=2, label_column="move", minimum_count=2)
    parts = divide(recipe, Given(path), tmp_path / "out")
    read = [one for name in parts.files for one in parts.recipe.read(parts.files[name]).records]
    assert sorted(one.item.tobytes() for one in read) == sorted(row.tobytes() for row in values)
    assert {one.labels for one in read} == {("up",), ("down, far",)}
    assert parts.recipe.data().train.sequences[0].shape == (3, 2)
    path = written(tmp_path / "more.csv", [[*row[:-1], "a:b"] for row in rows], [*"abcdef", "move"])
    with pytest.raises(DataError, match=r"series whose labels are 'a:b' are not split here: .*; name them otherwise"):
        divide(recipe, Given(path), tmp_path / "more")


def test_groups_are_not_torn_apart(tmp_path):
    path = written(
        tmp_path / "texts.csv", [(*row, f"by {i // 4}") for i, row in enumerate(ROWS)], ("text", "label", "by")
    )
    parts = divide(classify(path, group_column="by"), Given(path), tmp_path / "out")
    by = {text: f"by {i // 4}" for i, (text, _) in enumerate(ROWS)}
    groups = [{by[row["text"]] for row in read(parts, name)} for name in parts.files]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 15


def test_rows_that_are_skipped_are_so_in_given_files_too(tmp_path):
    paths = [written(tmp_path / f"{i}.csv", [*ROWS[20 * i : 20 * i + 20], ("", "good")]) for i in range(3)]
    parts = divide(classify(paths[0], missing="skip"), Given(*paths, shares=(0.0, 0.0)), tmp_path / "out")
    assert parts.sizes == {"train": 20, "valid": 20, "test": 20}
    assert parts.files["test"].name == "test.jsonl"


def test_a_label_of_the_test_alone_is_refused_before_anything_is_trained(tmp_path):
    path, test = written(tmp_path / "texts.csv", ROWS), written(tmp_path / "test.csv", [("odd", "odd"), *ROWS])
    with pytest.raises(DataError, match="label 'odd' is in the part test only, so that it cannot be learned: add exam"):
        divide(classify(path), Given(path, None, test), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("rows", "shares", "told"),
    [
        (ROWS[:2], (0.1, 0.2), r"2 items do not make parts: a share of 0\.1 is empty.*--valid and --test"),
        (ROWS, (0.5, 0.5), r"the shares held out, 0\.5 and 0\.5, leave nothing to learn from; give smaller ones"),
    ],
)
def test_too_few_or_too_much_held_out_is_refused(tmp_path, rows, shares, told):
    path = written(tmp_path / "texts.csv", rows)
    with pytest.raises((DataError, ArgumentError), match=told):
        divide(classify(path), Given(path, shares=shares), tmp_path / "out")


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "runs").mkdir()
    check_home(tmp_path, ["runs"])
    check_home(tmp_path / "new", ["runs"])
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(RunError, match=r"holds something else \('thesis.doc'\); give --out a folder that is new or"):
        check_home(tmp_path, ["runs"])
    with pytest.raises(RunError, match=r"thesis.doc is a file; give --out a folder"):
        check_home(tmp_path / "thesis.doc", ["runs"])


def test_seeds_are_some_and_each_trial_has_its_own():
    assert seeds_of(4, 3) == [4, 5, 6]
    for count in (0, -1, 1001):
        with pytest.raises(ArgumentError, match=rf"--seeds is how many there are to be, from 1 to 1000; got {count}"):
            seeds_of(0, count)
    assert len({seed_of(seed, number) for seed in range(10) for number in range(10)}) == 100


def test_an_application_without_items_is_refused():
    from throughtime.recipes import Language

    with pytest.raises(ArgumentError, match="runs of language are not compared or tuned here; known: classify, tag"):
        kind_of(Language)
