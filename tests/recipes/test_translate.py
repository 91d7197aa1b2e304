"""The recipe of a translator: every option once, settings and pairs that do not fit, resume, what is told."""

import json
from typing import get_args

import pytest

import throughtime
from throughtime.data.line_units import LineUnits
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.recipes import Translate
from throughtime.recipes.cells import CellName
from throughtime.recipes.read import make_recipe
from throughtime.recipes.translate_data import exact_share
from throughtime.recipes.translate_presets import PRESETS
from throughtime.runs import Asked, application_of, recipe_of
from throughtime.train import fit

PAIRS = [(" ".join(word), word[::-1]) for word in ("abc", "bca", "cab", "ab", "ba", "cc", "abab", "bcc", "a", "b")] * 4
SIZES = {"unit": "character", "hidden": 4, "embedding": 4, "tokens": 120, "epochs": 1, "beam": 2, "seed": 3}


def written(folder, pairs=PAIRS, name="pairs.tsv"):
    path = folder / name
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    return path


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return written(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def translate(pairs):
    def recipe(**changes):
        return Translate(**({"pairs": pairs} | SIZES | changes))

    return recipe


def trained(recipe, out, steps=None):
    """A run until it has made so many updates, or to its end; gives what it told."""
    stream, told = fit(recipe, out), []
    for progress in stream:
        told.append(progress)
        if progress.step == steps:
            stream.close()
    return told


OPTIONS = [
    {"attention": "additive", "coverage": True, "layers": 2, "best": "bleu", "precision": "bfloat16"},
    {"attention": "dot", "coverage": True, "both": False, "accumulate": 3},
    {"attention": "scaled", "heads": 2, "join": "sum", "tied": False, "hidden": 6},
    {"attention": "cosine", "heads": 2, "feeding": True, "feedback": 0.3, "best": "exact"},
    {"attention": "none", "word_dropout": 0.2, "optimiser": "sgd", "momentum": 0.5},
    {"coverage": True, "shared": True, "smoothing": 0.0},
    {"attend": "local", "window": 1},
    {"attend": "local-predicted", "window": 2, "decoder": "lstm"},
    {"attend": "hard"},
    {"attend": "hard-reinforce", "heads": 2, "schedule": "plateau", "patience": 1},
    {"encoder": "self-attention", "heads": 2},
    {"decoder": "self-attention", "heads": 2, "layers": 2},
    {"encoder": "self-attention", "decoder": "self-attention", "schedule": "constant"},
    {"encoder": "self-attention", "decoder": "self-attention", "heads": 2, "positions": "rotary"},
    {"encoder": "self-attention", "attention": "none", "positions": "learnt"},
    {"unit": "word", "target_unit": "byte", "minimum_count": 2},
    {"source_unit": "word", "maximum_vocab": 2, "alpha": 0.0, "beam": 1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_trains_translates_and_scores(translate, tmp_path, options):
    recipe = translate(**options)
    told = trained(recipe, tmp_path)
    assert told[-1].final
    translator = throughtime.load(tmp_path)
    found = translator.translate(["a b c", "", "b"])
    assert [len(some) for some in found] == [1, 1, 1]
    assert (translator.search.width, translator.search.alpha) == (recipe.beam, recipe.alpha)
    if recipe.attention != "none":
        alignment = translator.align("a b", translator.target_units.encode("ba"))
        heads = recipe.self_heads if recipe.decoder == "self-attention" else recipe.attend_heads
        assert alignment.weights.shape[0] == heads
    score, nats = told[-1].evaluation.score, told[-1].evaluation.score.nats_per_symbol
    assert recipe.score_unit.startswith({"nats": "nats", "exact": "share", "bleu": "1 −"}[recipe.best])
    losses = {"nats": nats, "exact": 1 - score.exact + 1e-6 * nats, "bleu": 1 - (score.bleu or 0) / 100}
    assert score.loss == losses[recipe.best]  # of as many exact lines the fewer nats are better


@pytest.mark.parametrize("name", sorted(set(get_args(CellName)) - {"gru"}))
def test_every_cell_reads_and_writes(translate, name, imitated):
    recipe = translate(encoder=name, decoder=name, hidden=2, embedding=2)
    data = recipe.data()
    model = recipe.model(data)
    model.loss(recipe.batches(data).chunk(0, 0))[0].total.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_task_is_learned_and_its_folder_knows_it(translate, pairs, tmp_path):
    settings = {"epochs": 40, "learning_rate": 0.03, "dropout": 0.0, "hidden": 24, "embedding": 12, "smoothing": 0.0}
    *_, last = trained(translate(**settings, valid_pairs=pairs, best="exact"), tmp_path / "run")
    assert last.evaluation.score.exact == 1
    assert " → " in last.evaluation.sample
    assert "(truly" not in last.evaluation.sample
    home = tmp_path / "run"
    translator, recipe = throughtime.load(home), recipe_of(home)
    assert [best.text for best, *_ in translator.translate(["a b c", "c c"])] == ["cba", "cc"]
    card = (home / "card.md").read_text()
    assert "100.00 % exact" in card
    judged = application_of(recipe).evaluate(home, recipe, Asked(beam=1, alpha=0.0))
    assert (judged.facts["exact"], judged.facts["symbol_error_rate"], judged.facts["unfinished"]) == (1, 0, 0)
    assert {"bleu", "chrf", "signature", "tokens_per_second", "nats_per_symbol"} <= judged.facts.keys()
    assert (judged.facts["beam"], judged.facts["alpha"]) == (1, 0.0)
    assert judged.rows["exact"] == "100.00 % of 10 different sources"


def test_pairs_of_one_source_are_its_references(translate, tmp_path):
    recipe = translate()
    trained(recipe, tmp_path / "run", 1)
    home = tmp_path / "run"
    said = throughtime.load(home).translate(["a b"])[0][0].text
    other = written(tmp_path, [("a b", said or "x"), ("a b", "zzz"), ("a b", "q")], "more.tsv")
    judged = application_of(recipe).evaluate(home, recipe, Asked(pairs=other))
    assert judged.facts["sources"] == 1
    assert judged.facts["exact"] == (1 if said else 0)
    assert judged.facts["items"] == 3
    words, letters = (LineUnits.learn(kind, ["x"]) for kind in ("word", "character"))
    assert exact_share(words, ["s", "t"], ["x y", "y"], ["x  y", "z"]) == 0.5
    assert exact_share(letters, ["s", "t"], ["x y", "y"], ["x  y", "z"]) == 0


def test_two_files_are_as_one_with_two_columns(translate, tmp_path):
    for name, place in (("source", 0), ("target", 1)):
        (tmp_path / name).write_text("".join(f"{pair[place]}\n" for pair in PAIRS))
    one, two = translate(), translate(pairs=None, source=tmp_path / "source", target=tmp_path / "target")
    for recipe in (one, two):
        trained(recipe, tmp_path / recipe.reads.name / "run" if recipe is one else tmp_path / "two")
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("pairs.tsv/run", "two")]
    assert weights[0] == weights[1]
    home = tmp_path / "two"
    both = application_of(two).evaluate(home, two, Asked(source=tmp_path / "source", target=tmp_path / "target"))
    assert both.facts["items"] == len(PAIRS)
    for asked, says in (
        (Asked(target=tmp_path / "target"), "--target needs --source: sources and targets are the lines of two"),
        (Asked(pairs=tmp_path / "source", target=tmp_path / "target"), "--pairs is given, and --target too"),
        (Asked(source_column="x"), "--source-column x is of --pairs, which is not given"),
        (Asked(missing="skip"), "--missing skip is of --pairs, or --source and --target: none is given"),
    ):
        with pytest.raises(ArgumentError, match=says):
            application_of(two).evaluate(home, two, asked)


def test_a_table_of_another_form_and_trees_are_judged(translate, tmp_path):
    recipe = translate()
    trained(recipe, tmp_path / "run", 1)
    table = tmp_path / "other.tsv"
    table.write_text("1\ta b\t(S b a)\n2\tb\t(S b)\n3\ta\t\n")

    def judged(**asked):
        wanted = Asked(pairs=table, source_column="1", target_column="2", header=False, beam=1, **asked)
        return application_of(recipe).evaluate(tmp_path / "run", recipe, wanted)

    with pytest.raises(DataError, match="the target is empty where the source is 'a'"):
        judged()
    found = judged(missing="skip", brackets=True)
    assert (found.facts["items"], found.facts["one_empty"]) == (2, 1)
    assert (found.facts["well_formed"], found.facts["exact_tree"]) == (0, 0)
    assert found.rows["trees"] == "0.00 % well formed, 0.00 % exact"
    assert "1 pairs with an empty side were left out" in found.notes[0]
    table.write_text("1\ta b\tb a\n")
    with pytest.raises(DataError, match=r"line 1: the target is no tree: .*; leave --brackets out"):
        judged(brackets=True)


def test_what_training_left_out_is_not_judged(translate, tmp_path):
    path = written(tmp_path, [*PAIRS, ("a" * 30, "b"), ("c", "b" * 21)])
    recipe = translate(pairs=path, valid_pairs=path, longest=20, too_long="skip")
    trained(recipe, tmp_path / "run", 1)
    judged = application_of(recipe).evaluate(tmp_path / "run", recipe, Asked(beam=1))
    assert (judged.facts["items"], judged.facts["valid_too_long"]) == (40, 2)
    assert "2 held-out pairs were left out, for they are longer than --longest" in judged.notes[0]


def test_the_first_line_is_names_or_not_as_is_said(translate, tmp_path):
    path = written(tmp_path, [("de", "from"), *PAIRS])
    counts = [translate(pairs=path, valid_pairs=path, header=header).data() for header in (None, False)]
    assert [data.facts["train_pairs"] for data in counts] == [40, 41]


@pytest.mark.parametrize(
    "options", [{}, {"feeding": True, "feedback": 0.2, "accumulate": 2, "word_dropout": 0.1}], ids=str
)
def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(translate, tmp_path, options):
    recipe = translate(epochs=2, evaluate_every=2, **options)
    trained(recipe, tmp_path / "straight")
    for steps in (1, 4, None):
        trained(recipe, tmp_path / "stopped", steps)
    runs = [tmp_path / name for name in ("straight", "stopped")]
    assert len({(run / "weights.safetensors").read_bytes() for run in runs}) == 1
    lines = [[json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()] for run in runs]
    assert [{**line, "seconds": 0} for line in lines[0]] == [{**line, "seconds": 0} for line in lines[1]]
    assert trained(recipe, tmp_path / "stopped") == []


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_gives_defaults_and_what_is_given_goes_before_it(preset):
    recipe = Translate(pairs="x", preset=preset, seed=5, hidden=77, tied=False)
    assert (recipe.hidden, recipe.seed) == (77, 5)
    for name, value in PRESETS[preset].items():
        assert getattr(recipe, name) == value or name == "hidden"
    assert make_recipe(Translate, json.loads(recipe.model_dump_json())) == recipe


def test_what_a_preset_says_of_units_and_time_makes_way():
    def made(**given):
        return make_recipe(Translate, {"pairs": "x"} | given)

    assert made(preset="spelling").units == ("character", "word")
    assert made(preset="spelling", unit="subword").units == ("subword", "subword")
    assert made(preset="spelling", source_unit="byte").units == ("byte", "word")
    assert made(preset="date", source_unit="byte", target_unit="word").units == ("byte", "word")
    timed = made(preset="date", minutes=60)
    assert (timed.epochs, timed.minutes) == (None, 60)
    assert made(preset="date", minutes=60, epochs=3).epochs == 3
    for recipe in (timed, made(preset="spelling", unit="subword")):
        assert make_recipe(Translate, json.loads(recipe.model_dump_json())) == recipe
    for settings in PRESETS.values():
        assert not [name for name, value in settings.items() if getattr(made(), name) == value]


@pytest.mark.parametrize(
    ("settings", "made_of"),
    [
        ({}, "gru from both ends to gru, 1 × 256; general attention (global)"),
        ({"heads": 2}, "gru from both ends to gru, 1 × 256; general attention (global, 2 heads)"),
        ({"encoder": "self-attention"}, "self-attention (4 heads) to gru, 1 × 256; general attention (global)"),
        ({"encoder": "self-attention", "attention": "none", "heads": 2},
         "self-attention (2 heads) to gru, 1 × 256; no attention"),
        ({"decoder": "self-attention", "heads": 1}, "gru from both ends to self-attention (1 head), 1 × 256"),
    ],
    ids=str,
)  # fmt: skip
def test_heads_are_told_where_they_are(settings, made_of):
    assert Translate(pairs="x", **settings).made_of == made_of


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"attention": "adit"}, "attention does not fit: input should be 'additive'"),
        ({"pairs": None}, "there is nothing to learn from: give --source FILE --target FILE, or --pairs FILE"),
        ({"pairs": None, "source": "a"}, "there is nothing to learn from: give --source FILE --target FILE"),
        ({"source": "a"}, "pairs stand in one file or in two: give --pairs, or --source and --target"),
        ({"valid_source": "a"}, "valid_source and valid_target belong together: give both, or none"),
        ({"valid_source": "a", "valid_target": "b", "valid_pairs": "c"}, "give --valid-pairs, or the other two"),
        ({"pairs": None, "source": "a", "target": "b", "source_column": "x"},
         "source_column is for --pairs; got two files"),
        ({"pairs": None, "source": "a", "target": "b", "header": False}, "header is for --pairs; got two files"),
        ({"valid_pairs": "y", "held_out": 0.3}, "held_out 0.3 is of pairs without files to validate on"),
        ({"unit": "character", "source_unit": "word", "target_unit": "word"}, "unit character is of no side"),
        ({"unit": "byte", "minimum_count": 3}, "minimum_count is of units that are learned, and bytes are not"),
        ({"decoder": "self-attention", "attention": "cosine"}, "attention cosine is for a recurrent decoder"),
        ({"decoder": "self-attention", "heads": 2, "join": "sum"}, "join sum is for a recurrent decoder"),
        ({"encoder": "self-attention", "both": False}, "--no-both is for recurrent encoders"),
        ({"positions": "rotary"}, "positions is for self-attention; got gru and gru"),
        ({"encoder": "self-attention", "positions": "rotary", "hidden": 12}, "rotary positions need an even number"),
        ({"shared": True, "source_unit": "word"}, "shared needs the same unit on both sides; got word and subword"),
        ({"attention": "none", "hidden": 9, "embedding": 8}, "tied needs embedding = hidden here; got 8 and 9"),
        ({"decoder": "self-attention", "heads": 3, "hidden": 9, "embedding": 8},
         "tied needs embedding = hidden here; got 8 and 9"),
        ({"attention": "none", "heads": 2, "hidden": 256}, "heads is of attention, and there is none"),
        ({"attention": "none", "attend": "hard"}, "attend is of attention, and there is none"),
        ({"attention": "dot"}, "attention dot needs sources as wide as the decoder: give --no-both"),
        ({"attention": "dot", "both": False, "heads": 2}, "attention dot has no weights that heads could differ in"),
        ({"decoder": "self-attention", "feeding": True}, "feeding is for a recurrent decoder"),
        ({"decoder": "self-attention", "attention": "none"}, "attention none is for a recurrent decoder"),
        ({"heads": 3, "attention": "scaled"}, "heads must divide hidden; got 3 and 256"),
        ({"window": 9}, "window is for --attend local; got 9 and --attend global"),
        ({"join": "sum"}, "join is of several heads of attention; got one"),
        (
            {"coverage": True, "attention": "cosine"},
            "coverage is for attention additive, general and dot; got --attention cosine",
        ),
        ({"coverage": True, "attention": "scaled", "heads": 2}, "coverage is for attention additive, general and dot"),
        ({"preset": "dates"}, "preset does not fit: input should be 'date'"),
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_that_does_not_fit_is_named(settings, says):
    with pytest.raises(ArgumentError) as error:
        make_recipe(Translate, {"pairs": "x"} | settings)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_pairs_that_are_too_long_are_refused_or_counted_never_cut(translate, tmp_path):
    path = written(tmp_path, [*PAIRS, ("a" * 30, "b"), ("c", "b" * 21)])
    with pytest.raises(DataError, match=r"line 41: a pair of 30 and 1 symbols, and --longest is 20 \(2 such pairs\)"):
        translate(pairs=path, valid_pairs=path, longest=20).data()
    recipe = translate(pairs=path, valid_pairs=path, longest=20, too_long="skip")
    data = recipe.data()
    assert (data.facts["train_too_long"], data.facts["train_pairs"], len(data.train.sources)) == (2, 40, 40)
    assert "2 pairs to train on were left out" in recipe.notes(data)[0]
    with pytest.raises(DataError, match="all pairs are longer than --longest 1; give more"):
        translate(
            pairs=written(tmp_path, [("abc", "cde")], "few.tsv"), valid_pairs=path, longest=1, too_long="skip"
        ).data()


def test_pairs_that_changed_are_not_judged_by(translate, tmp_path):
    path = written(tmp_path)
    recipe = translate(pairs=path)
    trained(recipe, tmp_path / "run", 1)
    written(tmp_path, [*PAIRS, ("a", "c")])
    with pytest.raises(RunError, match=r"was changed since .* give evaluate --pairs FILE"):
        application_of(recipe).evaluate(tmp_path / "run", recipe, Asked())
    with pytest.raises(RunError, match="train_sha256"):
        trained(recipe, tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("vocabulary.json", {"source": None}, "of target, and not of source and target"),
        ("vocabulary.json", {"target": {"kind": "byte"}}, "of characters and bytes, its recipe of other units"),
        ("data.json", {"train_pairs": -1}, "train_pairs"),
        ("recipe.json", {"hidden": 9}, "weights"),
    ],
)
def test_a_folder_that_does_not_hold_together_is_refused(translate, tmp_path, name, change, says):
    from throughtime import folder

    trained(translate(), tmp_path / "run", 1)
    home = tmp_path / "run"
    content = json.loads((home / name).read_text()) | change
    changed = {key: value for key, value in content.items() if value is not None}
    files = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file() and path.name != folder.MANIFEST}
    folder.write_files(home, files | {name: json.dumps(changed).encode()}, status="stopped")
    with pytest.raises(RunError, match=says):
        throughtime.load(home)
