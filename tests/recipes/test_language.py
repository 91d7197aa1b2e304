import json
from typing import get_args

import pytest
import torch

import throughtime
from throughtime import Language, folder
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.recipes import read_recipe
from throughtime.recipes.cells import CellName, make_cell
from throughtime.recipes.read import make_recipe
from throughtime.train import fit


def tried(recipe, out, steps=3):
    """A run of a few steps."""
    stream = fit(recipe, out)
    for _ in range(steps):
        next(stream)
    stream.close()
    return throughtime.load(out)


@pytest.mark.usefixtures("imitated")  # the machine code of these cells is held in tests/laws
@pytest.mark.parametrize("cell", get_args(CellName))
def test_every_cell_by_name_obeys_the_laws(cell):
    throughtime.check_cell(make_cell(cell, 3, 4))


@pytest.mark.parametrize("cell", get_args(CellName))
def test_every_cell_trains_and_speaks(tiny, tmp_path, cell):
    writer = tried(tiny(cell=cell, recurrent_dropout=0.1, zoneout=0.1, residual=True), tmp_path)
    assert len(writer.generate("the ", length=12, seed=1)) == 12


@pytest.mark.parametrize(
    "options",
    [
        {"unit": "byte"},
        {"unit": "word", "steps": 4, "tied": True},
        {"unit": "word", "steps": 4, "adaptive": [4, 8], "hidden": 16},
        {"unit": "word", "steps": 4, "minimum_count": 40},
        {"unit": "subword", "maximum_vocab": 280},
        {"core": "window", "window": 1, "layers": 1},
        {"core": "window", "window": 6},
        {"optimiser": "sgd", "momentum": 0.5},
        {"precision": "bfloat16", "hidden": 16},
        {"accumulate": 4},
        {"tied": True, "embedding": 12},
        {"dropout": 0.0, "layers": 1},
        {"cell": "self-attention", "heads": 2, "context": 7, "layers": 1},
        {"cell": "self-attention", "heads": 3, "positions": "sinusoidal", "context": 16, "tied": True},
        {"cell": "self-attention", "layers": 1, "positions": "learnt", "accumulate": 2, "precision": "bfloat16"},
        {"cell": "self-attention", "heads": 1, "positions": "none", "context": 1, "unit": "word", "steps": 4},
    ],
    ids=str,
)
def test_every_option_trains_speaks_and_scores(tiny, text, tmp_path, options):
    writer = tried(tiny(**options), tmp_path)
    scores = writer.score(text.read_text()[:400])
    assert writer.generate(length=10, seed=0) == writer.generate(length=10, seed=0)
    assert 0 < scores.nats_per_unit < 20
    assert scores.bytes == 400


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"hiden": 3}, "unknown setting 'hiden'; did you mean 'hidden'?"),
        ({"hidden": 0}, "hidden does not fit: input should be greater than or equal to 1; got 0"),
        ({"cell": "lsmt"}, "cell does not fit: input should be 'lstm', 'gru'"),
        ({"dropout": 1.0}, "dropout does not fit: input should be less than 1; got 1.0"),
        ({"learning_rate": float("nan")}, "learning_rate does not fit"),
        ({"tied": True}, "tied needs embedding = hidden"),
        ({"adaptive": [5]}, "adaptive needs --unit word"),
        ({"unit": "word", "adaptive": [5], "tied": True, "embedding": 256}, "exclude each other"),
        ({"core": "window", "zoneout": 0.1}, "are for --core recurrent"),
        ({"core": "window", "cell": "gru"}, "cell is for --core recurrent"),
        ({"text": "~nouser/x"}, "text does not fit: no such place"),
        ({"valid": "n\udcff.txt"}, "valid does not fit: the name has bytes that are not UTF-8; rename the file"),
        ({"accumulate": 3}, "accumulate must divide lanes; got 3 and 32"),
        ({"momentum": 0.9}, "momentum is for --optimiser sgd"),
        ({"heads": 2}, "heads is for --cell self-attention; got 2 and lstm"),
        ({"cell": "gru", "positions": "none"}, "positions is for --cell self-attention; got none and gru"),
        ({"context": 9}, "context is for --cell self-attention; got 9 and lstm"),
        ({"cell": "self-attention", "zoneout": 0.1}, "are for recurrent cells; got --cell self-attention"),
        ({"cell": "self-attention", "recurrent_dropout": 0.1}, "are for recurrent cells; got --cell self-attention"),
        ({"cell": "self-attention", "residual": True}, "are for recurrent cells; got --cell self-attention"),
        ({"cell": "self-attention", "heads": 3}, "heads must divide hidden; got 3 and 256"),
        ({"cell": "self-attention", "hidden": 12}, "rotary positions need an even number of units a head"),
        ({"cell": "self-attention", "core": "window"}, "cell is for --core recurrent"),
        ({"objective": "masked", "core": "window"}, "objective masked needs a core that reads from both sides"),
        ({"objective": "masked", "unit": "word", "adaptive": [5]}, "adaptive is for --objective next"),
        ({"objective": "masked", "zoneout": 0.1}, "zoneout is for --objective next; got 0.1 and --objective masked"),
        (
            {"objective": "masked", "unit": "word", "vectors": "x", "frozen_updates": "all"},
            "frozen_updates all is for --objective next: the mask is an embedding, and must learn",
        ),
        ({"objective": "masked", "cell": "self-attention", "context": 9}, "context is for --objective next"),
        ({"objective": "masked", "tied": True}, "tied needs embedding = 2 hidden, of both directions; got 8 and 256"),
        ({"text": None}, "text does not fit"),
    ],
    ids=str,
)
def test_a_setting_that_does_not_fit_is_named(settings, says):
    if settings.get("tied") and "unit" not in settings:
        settings = {**settings, "embedding": 8}
    with pytest.raises(ArgumentError) as error:
        make_recipe(Language, {"text": "x"} | settings)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_setting_is_named():
    with pytest.raises(ArgumentError, match="the setting 'text' is missing"):
        make_recipe(Language, {})


def test_ten_minutes_are_the_bound_when_none_is_given():
    assert (Language(text="x").minutes, Language(text="x").epochs) == (10.0, None)
    assert (Language(text="x", epochs=3).minutes, Language(text="x", epochs=3).epochs) == (None, 3)


def test_a_recipe_is_frozen_and_reads_back_from_json_and_toml(tmp_path):
    recipe = Language(text="x", hidden=32, adaptive=[3, 9], unit="word", epochs=2)
    with pytest.raises(ValueError, match="frozen"):
        recipe.hidden = 3
    (tmp_path / "r.json").write_text(recipe.model_dump_json())
    assert read_recipe(tmp_path / "r.json", Language) == recipe
    (tmp_path / "r.toml").write_text(
        f'text = "{recipe.text}"\nhidden = 32\nadaptive = [3, 9]\nunit = "word"\nepochs = 2\n'
    )
    assert read_recipe(tmp_path / "r.toml", Language) == recipe


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("r.json", "{", "does not read as JSON"),
        ("r.toml", "= 3", "does not read as TOML"),
        ("r.json", "[1]", "should hold an object"),
        ("missing.json", None, "cannot read the recipe"),
        ("r.json", " " * 2**21, "it is not a recipe"),
        ("r.json", "[" * 100_000, "nested too deeply"),
    ],
)
def test_a_recipe_file_that_does_not_read_is_one_line(tmp_path, name, body, says):
    if body is not None:
        (tmp_path / name).write_text(body)
    with pytest.raises(ArgumentError, match=says):
        read_recipe(tmp_path / name, Language)


def test_data_counts_what_the_vocabulary_lacks(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("ab" * 450 + "abxbybab" * 12 + "abab")
    data = Language(text=path, lanes=2, steps=5, held_out=0.1).data()
    assert data.facts["valid_unknown"] == 24
    assert data.facts["train_unknown"] == 0
    assert data.facts["train_units"] + data.facts["valid_units"] == 1000


def test_a_validation_file_takes_the_place_of_the_end_of_the_text(text, tmp_path):
    other = tmp_path / "valid.txt"
    other.write_text("the cat sees the zebra.\n")
    data = Language(text=text, valid=other).data()
    assert data.facts["train_units"] == len(text.read_text())
    assert (data.facts["valid_units"], data.facts["valid_unknown"]) == (24, 1)


@pytest.mark.parametrize(("share", "says"), [(0.004, "the last 0.4% of the text"), (0.07, "the last 7% of the text")])
def test_the_share_held_out_is_told_as_it_is(text, share, says):
    assert Language(text=text, held_out=share, lanes=2, steps=5).data().facts["valid"] == says


@pytest.mark.parametrize("unit", ["character", "word", "subword", "byte"])
def test_what_is_scored_while_training_is_the_beginning_of_what_is_held_out(text, tmp_path, monkeypatch, unit):
    monkeypatch.setattr("throughtime.recipes.language.QUICK_UNITS", 60)
    path = tmp_path / "t.txt"
    path.write_text(text.read_text() + "é\n" * 40 + "the cat\n" * 60)
    data = Language(text=path, unit=unit, lanes=2, steps=5).data()
    assert 20 < len(data.quick) <= 80
    assert data.quick.tolist() == data.valid[: len(data.quick)].tolist()
    lines = path.read_bytes()[-data.valid_bytes :][: data.quick_bytes]
    assert lines.endswith(b"\n")
    assert data.units.encode(lines.decode()).tolist() == data.quick.tolist()


def test_identity_is_what_a_recipe_learns_and_not_where(text, tiny, tmp_path):
    assert tiny(device="cpu").identity == tiny(text=tmp_path / "moved.txt").identity
    assert tiny(hidden=13).identity != tiny().identity
    recipe = tiny(unit="word", adaptive=[4, 8])
    assert recipe.identity.items() <= json.loads(recipe.files(recipe.data())["recipe.json"]).items()
    own, other = tiny().data().facts, tiny(valid=text).data().facts
    assert own["valid_sha256"] == other["valid_sha256"]
    assert own["train_sha256"] != other["train_sha256"]


def test_notes_tell_what_was_counted_and_skipped(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes(b"ab" * 450 + b"abxbybab" * 12 + b"abab\xff")
    recipe = Language(text=path, lanes=2, steps=5, invalid_bytes="skip")
    counted, skipped = recipe.notes(recipe.data())
    assert counted == (
        "900 characters to train on, 0 of them unknown; 100 held out, 24 of them unknown; a vocabulary of 3"
    )
    assert skipped == "1 bytes that are not UTF-8 were skipped"


@pytest.mark.parametrize("length", [1, 2, 100, 2048])
def test_a_text_shorter_than_a_chunk_is_refused(tmp_path, length):
    path = tmp_path / "t.txt"
    path.write_text("a" * length)
    with pytest.raises(DataError, match=r"less than one chunk|leaves no|no characters"):
        Language(text=path).data()


def test_bytes_that_are_skipped_are_counted(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes(b"abc\xff" * 900)
    with pytest.raises(DataError, match="byte 0xff at offset 3, line 1"):
        Language(text=path).data()
    assert Language(text=path, invalid_bytes="skip").data().facts["skipped_bytes"] == 900
    assert Language(text=path, unit="byte").data().facts["train_units"] == 3240


def test_a_gpu_that_is_not_there_is_refused(tiny):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    recipe = tiny(device="cuda")
    with pytest.raises(ArgumentError, match="finds no GPU"):
        recipe.model(recipe.data())


@pytest.fixture
def trained(tiny, tmp_path):
    tried(tiny(), tmp_path / "run")
    return tmp_path / "run"


def rewritten(run, name, content):
    """The run with one file replaced and the manifest made to agree: an attack, not damage."""
    files = {n: (run / n).read_bytes() for n in folder.read_manifest(run).files}
    files[name] = content if isinstance(content, bytes) else json.dumps(content).encode()
    folder.write_files(run, files, status="finished")
    return run


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("recipe.json", {"hidden": 65536, "layers": 256}, "not those of its recipe"),
        ("recipe.json", {"hidden": 10**9}, "does not fit this version"),
        ("recipe.json", {"brain": "large"}, "unknown setting 'brain'"),
        ("recipe.json", {"application": "poem"}, "a run of 'poem'"),
        ("vocabulary.json", {"kind": "rune"}, "units of kind 'rune'"),
        ("vocabulary.json", {"kind": "word", "words": 3}, "does not read as one"),
        (
            "vocabulary.json",
            {"kind": "word", "words": [f"w{i}" for i in range(50)]},
            "is of words, and its recipe is of",
        ),
        ("vocabulary.json", {"characters": "abc"}, "not those of its recipe"),
        ("recipe.json", {"text": "\ud800"}, "does not read as JSON"),
    ],
    ids=str,
)
def test_a_hostile_run_folder_is_refused_before_memory_is_taken(trained, name, change, says):
    content = json.loads((trained / name).read_text()) | change
    with pytest.raises(RunError, match=says):
        throughtime.load(rewritten(trained, name, content))


@pytest.mark.parametrize(
    "change",
    [
        lambda tensor: torch.full_like(tensor, float("nan")),
        lambda tensor: torch.full_like(tensor, float("inf")),
        lambda tensor: tensor.to(torch.int8),
        lambda tensor: tensor.cfloat(),
        lambda tensor: tensor.half(),
    ],
    ids=["nan", "inf", "int8", "complex", "half"],
)
def test_weights_that_no_training_leaves_are_refused(trained, change):
    tensors = folder.read_tensors(trained, "weights.safetensors", 2**20)
    name = next(iter(tensors))
    body = folder.tensor_bytes(tensors | {name: change(tensors[name])})
    with pytest.raises(RunError, match=r"not finite|has no match"):
        throughtime.load(rewritten(trained, "weights.safetensors", body))


def test_weights_that_are_too_many_are_not_read(trained):
    body = folder.tensor_bytes({"more": torch.zeros(2**20)})
    with pytest.raises(RunError, match=r"weights.safetensors is over"):
        throughtime.load(rewritten(trained, "weights.safetensors", body))


@pytest.mark.parametrize("name", ["card.md", "progress.jsonl", "data.json"])
def test_a_change_in_a_file_that_loading_does_not_need_is_refused_too(trained, name):
    body = (trained / name).read_bytes()
    (trained / name).write_bytes(body[:-2] + b"!\n")
    with pytest.raises(RunError, match=f"{name} was changed"):
        throughtime.load(trained)


def test_a_run_from_a_newer_version_is_refused(trained):
    manifest = json.loads((trained / "manifest.json").read_text())
    (trained / "manifest.json").write_text(json.dumps(manifest | {"format": 2}))
    with pytest.raises(RunError, match="format 2"):
        throughtime.load(trained)


@pytest.mark.parametrize("name", ["nowhere", "empty", "file"])
def test_what_is_no_run_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    says = {
        "nowhere": "no such run folder",
        "empty": "holds no finished run",
        "file": "is a file, and a run is a folder",
    }
    with pytest.raises(RunError, match=says[name]):
        throughtime.load(tmp_path / name)


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "gru"},
        {"cell": "self-attention", "heads": 2, "unit": "word", "tied": True, "steps": 5, "accumulate": 2, "layers": 1},
        {"tied": True, "unit": "byte", "layers": 1},
    ],
    ids=str,
)
def test_every_model_of_masked_units_trains_fills_in_and_scores(tiny, text, tmp_path, options):
    filler = tried(tiny(objective="masked", **options), tmp_path)
    score = filler.score(text.read_text()[:400])
    assert 0 < score.nats_per_unit < 20
    assert 0 <= score.accuracy <= 1
    assert isinstance(filler.fill(["the", None])[1], str)


def test_a_model_of_masked_units_is_told_as_such(tiny, text, tmp_path):
    recipe = tiny(objective="masked", cell="self-attention", heads=2, layers=1, steps=20)
    list(fit(recipe, tmp_path / "run"))
    assert (
        "| model | self-attention, 1 × 12, heads 2, rotary positions, from both ends, "
        in (tmp_path / "run" / "card.md").read_text()
    )
    judged = throughtime.runs.language.evaluate(tmp_path / "run", recipe, throughtime.runs.Asked())
    assert set(judged.rows) >= {"nats per masked character", "masked characters", "of them right"}
    other = throughtime.runs.language.evaluate(tmp_path / "run", recipe, throughtime.runs.Asked(file=text))
    assert other.facts["units"] > judged.facts["units"]
    with pytest.raises(ArgumentError, match="gradients by distance are of models that read forward"):
        throughtime.runs.language.draw_gradients_of(tmp_path / "run", recipe, tmp_path / "g.png")


def test_a_model_of_masked_units_goes_on_with_the_same_bits(tiny, tmp_path):
    recipe = tiny(objective="masked", cell="self-attention", heads=2, layers=1, steps=20, evaluate_every=99)
    straight, cut = tmp_path / "straight", tmp_path / "cut"
    list(fit(recipe, straight))
    for steps in (3, 9):
        tried(recipe, cut, steps)
    list(fit(recipe, cut))
    hashes = [folder.read_manifest(out).files["weights.safetensors"].sha256 for out in (straight, cut)]
    assert hashes[0] == hashes[1]
