import json
import os
import re
import subprocess
import sys

import pytest
import torch

from throughtime import cells
from throughtime.cli.main import COMMANDS, run


def tiny_options(text, out, *more):
    sizes = [
        "--hidden",
        "8",
        "--layers",
        "1",
        "--lanes",
        "4",
        "--steps",
        "10",
        "--epochs",
        "1",
        "--evaluate-every",
        "20",
    ]
    return ["train", "language", "--text", str(text), "--out", str(out), *sizes, *more]


@pytest.fixture(scope="module")
def trained(text, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    assert run(tiny_options(text, out)) == 0
    return out


def test_training_tells_its_story_on_stderr_and_ends_with_three_commands(text, tmp_path, capsys):
    assert run(tiny_options(text, tmp_path / "run")) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"all [\d,]+ held-out characters, best weights: \d", err)
    assert "it writes" in err
    assert [line.split()[1] for line in err.splitlines()[-3:]] == ["generate", "evaluate", "show"]


def test_training_again_is_done_at_once(text, trained, capsys):
    assert run(tiny_options(text, trained)) == 0
    assert "finished already" in capsys.readouterr().err


def test_training_prints_json_lines(text, tmp_path, capsys):
    assert run(tiny_options(text, tmp_path / "run", "--json")) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["final"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert {"nats_per_unit", "bits_per_byte", "perplexity", "step", "seconds"} <= set(lines[0])


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_a_config_gives_defaults_and_the_command_line_goes_before_it(text, tmp_path, suffix):
    config = tmp_path / f"recipe.{suffix}"
    values = {"text": str(text), "hidden": 8, "layers": 1, "lanes": 4, "steps": 10, "epochs": 1}
    body = json.dumps(values) if suffix == "json" else "".join(f"{k} = {json.dumps(v)}\n" for k, v in values.items())
    config.write_text(body)
    assert run(["train", "language", "--config", str(config), "--out", str(tmp_path / "run"), "--hidden", "6"]) == 0
    recipe = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert (recipe["hidden"], recipe["steps"], recipe["epochs"]) == (6, 10, 1)


def test_the_recipe_of_a_run_makes_the_same_run(trained, tmp_path):
    config = str(trained / "recipe.json")
    assert run(["train", "language", f"--config={config}", "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "weights.safetensors").read_bytes() == (trained / "weights.safetensors").read_bytes()


def test_generate_goes_on_from_a_prompt_by_seed(trained, capsys):
    texts = []
    for seed in ("5", "5", "6"):
        assert run(["generate", str(trained), "--prompt", "the ", "--length", "30", "--seed", seed]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("the ")
    assert len(texts[0]) == len("the ") + 30 + 1


def test_generate_counts_unknown_symbols_of_a_prompt(trained, capsys):
    assert run(["generate", str(trained), "--prompt", "the ñ cat é", "--length", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    assert "2 of the prompt's characters are not in the vocabulary" in err
    assert json.loads(out)["unknown"] == 2


def test_a_seed_that_was_not_given_is_told_and_repeats(trained, capsys):
    assert run(["generate", str(trained), "--length", "40"]) == 0
    first, err = capsys.readouterr()
    seed = re.fullmatch(r"seed (\d+)\n", err)[1]
    assert run(["generate", str(trained), "--length", "40", "--seed", seed]) == 0
    assert capsys.readouterr().out == first


def test_evaluate_prints_one_json_object(trained, text, tmp_path, capsys):
    assert run(["evaluate", str(trained), "--json"]) == 0
    held_out = json.loads(capsys.readouterr().out)
    assert {"nats_per_unit", "bits_per_unit", "perplexity", "bits_per_byte", "units", "unknown"} <= set(held_out)
    part = tmp_path / "held_out.txt"
    body = text.read_text()
    part.write_text(body[round(len(body) * 0.9) :])
    assert run(["evaluate", str(trained), "--text", str(part), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == held_out


def test_evaluate_is_for_people_too(trained, capsys):
    assert run(["evaluate", str(trained)]) == 0
    assert re.search(r"^perplexity +\d", capsys.readouterr().out, re.M)


def test_evaluate_refuses_a_held_out_part_that_was_changed(text, tmp_path, capsys):
    copy = tmp_path / "text.txt"
    copy.write_text(text.read_text())
    assert run(tiny_options(copy, tmp_path / "run")) == 0
    copy.write_text(text.read_text() + "more")
    assert run(["evaluate", str(tmp_path / "run")]) == 2
    assert "was changed since" in capsys.readouterr().err


def test_show_tells_what_a_run_is(trained, text, tmp_path, capsys):
    assert run(["show", str(trained), "--curve", str(tmp_path / "curve.png")]) == 0
    out = capsys.readouterr().out
    assert "1 × 8" in out
    assert str(text) in out
    assert "(finished)" in out
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert run(["show", str(trained), "--gradients", str(tmp_path / "gradients.svg")]) == 0
    assert "<svg" in (tmp_path / "gradients.svg").read_text()
    capsys.readouterr()
    assert run(["show", str(trained), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["recipe"]["hidden"] == 8
    assert len(facts["data"]["text_sha256"]) == 64


def doctor(capsys):
    assert run(["doctor", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_doctor_tells_versions_and_threads(capsys):
    facts = doctor(capsys)
    assert facts["torch"]
    assert facts["numba"]
    assert re.fullmatch(r"\d+ float32, \d+ float64", facts["sweep vectors"])
    assert facts["sweep threads"]
    assert run(["doctor"]) == 0
    assert re.search(r"^sweep cache usable +(yes|no: .+)$", capsys.readouterr().out, re.M)


def test_doctor_tells_what_the_cache_of_sweeps_holds(capsys, monkeypatch, tmp_path):
    from throughtime.inspect.source import sweep_source

    monkeypatch.setenv("THROUGHTIME_CACHE", str(tmp_path / "cache"))
    facts = doctor(capsys)
    assert (facts["sweep cache"], facts["sweep cache usable"]) == (str(tmp_path / "cache"), "yes")
    assert (facts["sweep cache programs"], facts["sweep cache MB"]) == (0, 0)
    assert not (tmp_path / "cache").exists()
    with torch.no_grad():
        sweep_source(cells.Elman(2, 3))  # the sweep and the product that it calls
    facts = doctor(capsys)
    assert (facts["sweep cache programs"], facts["sweep cache outdated"]) == (2, 0)
    assert facts["sweep cache MB"] > 0
    (folder,) = (tmp_path / "cache").iterdir()
    folder.rename(folder.with_name("before"))
    assert doctor(capsys)["sweep cache outdated"] == 2


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("{file}/cache", "no: {file} is not a folder"),
        ("~nouser/cache", "no: there is no home folder for ~nouser/cache"),
        ("{open}", "may be written by others"),
    ],
)
def test_doctor_tells_why_the_cache_is_not_used(place, says, capsys, monkeypatch, tmp_path):
    from throughtime.kernels import build

    places = {"file": str(tmp_path / "file"), "open": str(tmp_path / "open")}
    (tmp_path / "file").write_text("")
    (tmp_path / "open" / build.toolchain()).mkdir(parents=True)
    (tmp_path / "open" / build.toolchain()).chmod(0o777)
    monkeypatch.setenv("THROUGHTIME_CACHE", place.format(**places))
    assert says.format(**places) in doctor(capsys)["sweep cache usable"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["trian"], "unknown command 'trian'; did you mean 'train'?"),
        (["train"], "train what?"),
        (["train", "--text", "x"], "train what?"),
        (["train", "langauge"], "unknown application 'langauge'; did you mean 'language'?"),
        (["train", "language"], "--text PATH"),
        (["train", "language", "--text", "{text}", "--otu", "x"], "unknown option --otu; did you mean '--out'?"),
        (["train", "language", "--text", "{text}", "--out", "{out}", "--hidden", "0"], "hidden does not fit"),
        (["train", "language", "--text", "{text}", "--out", "{out}", "--hidden", "big"], "--hidden"),
        (
            ["train", "language", "--text", "{text}", "--out", "{out}", "--cell", "lsmt"],
            "invalid choice 'lsmt' for --cell; did you mean 'lstm'?",
        ),
        (["train", "language", "--text", "{out}", "--out", "{out}"], "no such file"),
        (["train", "language", "--text", "{run}", "--out", "{out}"], "is a folder"),
        (["train", "language", "--text", "{text}", "--out", "/dev/null/x"], "cannot write /dev/null/x"),
        (["train", "language", "--text", "{text}", "--out", "{text}"], "is a file"),
        (
            ["train", "language", "--text", "{text}", "--out", "{out}", "--config", "none.json"],
            "cannot read the recipe",
        ),
        (["generate"], "RUN"),
        (["generate", "{out}"], "out; make one with `throughtime train ... --out"),  # whatever the command is for
        (["generate", "{text}"], "made.txt is a file, and a run is a folder: give the --out of `throughtime train`"),
        (["generate", "{run}", "--length", "many"], "--length takes a whole number; got 'many'; see throughtime gen"),
        (["generate", "{run}", "--top-p", "a'b"], '--top-p takes a number; got "a\'b"; see'),
        (["generate", "{run}", "--top-p", "a]b'c"], '--top-p takes a number; got "a]b\'c"; see'),
        (["generate", "{run}", "--temperature", "a]b'c"], '--temperature takes a number; got "a]b\'c"; see'),
        (
            ["diagnose", "{run}", "--widths", "1", "a]b'c"],
            """--widths takes one or more, each a whole number; got '1', "a]""",
        ),
        (["diagnose", "{run}", "--widths", "--json"], "--widths takes one or more; got none; see throughtime diagnose"),
        (["diagnose", "{run}", "--alphas", ","], "--alphas takes one or more; got none; see throughtime diagnose"),
        (["generate", "{run}", "--length", "-1"], "--length must be at least 0"),
        (["generate", "{run}", "--temperature", "-1"], "temperature must be at least 0"),
        (["generate", "{run}", "--top-p", "1.5"], "top_p must be in (0, 1]"),
        (["generate", "{run}", "--top-k", "0"], "top_k must be at least 1"),
        (["generate", "{run}", "--seed", "-1"], "--seed must be"),
        (["evaluate", "{run}", "--text", "{out}"], "no such file"),
        (["show", "{run}", "--curve", "curve.bmp"], "a .png, .svg or .pdf file"),
        (["show", "{run}", "--gradients", "g.txt"], "a .png, .svg or .pdf file"),
        (["train", "language", "--text", "~nouser/x", "--out", "{out}"], "text does not fit: no such place"),
        (["train", "language", "--text", "n\udcff.txt", "--out", "{out}"], "has bytes that are not UTF-8; rename"),
        (["train", "language", "--text", "/dev/zero", "--out", "{out}"], "/dev/zero is a pipe or a device"),
        (["train", "language", "--text", "a\0b", "--out", "{out}"], "embedded null byte"),
        (["train", "language", "--config=a.json", "--config", "b.json"], "--config was given twice"),
        (["train", "language", "--out", "--config", "--config", "none.json"], "cannot read the recipe none.json"),
        (["train", "language", "--core", "window", "--cell", "gru", "--text", "{text}", "--out", "{out}"], "'gru'"),
        (["evaluate", "{run}", "--text", "/dev/zero"], "/dev/zero is a pipe or a device"),
        (["evaluate", "--run", "{run}"], "unknown option --run; known: --text, --data, --pairs"),
        (["generate", "{run}", "--prompt", "-h", "--fro", "1"], "unknown option --fro; did you mean '--prompt'?"),
        (["data"], "data what?"),
        (["data", "get", "tinyshakespear"], "did you mean 'tinyshakespeare'?"),
        (["data", "get", "standard-library", "--out", "/dev/null/x"], "cannot write into /dev/null/x"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_input_is_one_clear_line_and_status_two(words, says, text, trained, tmp_path, capsys):
    places = {"text": str(text), "out": str(tmp_path / "out"), "run": str(trained)}
    assert run([word.format(**places) for word in words]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("throughtime: ")
    assert says in last
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is empty"),
        (b"a", "leaves no characters to validate on"),
        (b"ab" * 20, "less than one chunk"),
        (b"\x7fELF\0\0\0" * 900, "is binary"),
        ("naïve\n".encode("latin-1") * 900, "not UTF-8: byte 0xef at offset 2, line 1"),
    ],
    ids=["empty", "one-character", "short", "binary", "latin-1"],
)
def test_a_bad_text_is_one_clear_line_and_nothing_is_written(body, says, tmp_path, capsys):
    (tmp_path / "bad.txt").write_bytes(body)
    assert run(tiny_options(tmp_path / "bad.txt", tmp_path / "out")) == 2
    assert says in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_values_that_look_like_options_are_values(trained, capsys):
    for prompt in ("-h", "--help", "--foo", "--json"):
        assert run(["generate", str(trained), "--prompt", prompt, "--length", "0", "--seed", "1"]) == 0
        assert capsys.readouterr().out == f"{prompt}\n"


def test_what_was_counted_and_skipped_is_told(text, tmp_path, capsys):
    (tmp_path / "t.txt").write_bytes(b"\xff" + text.read_bytes())
    assert run(tiny_options(tmp_path / "t.txt", tmp_path / "run", "--invalid-bytes", "skip")) == 0
    assert run(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["skipped_bytes"] == 1
    assert re.search(r"characters to train on, 0 of them unknown; [\d,]+ held out, 0 .* a vocabulary of \d+", err)
    assert err.count("1 bytes that are not UTF-8 were skipped") == 2
    assert err.splitlines()[-1] == "1 bytes that are not UTF-8 were skipped"
    assert run(["evaluate", str(tmp_path / "run"), "--json", "--text", str(text)]) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["skipped_bytes"], err) == (0, "")


def test_evaluate_does_not_read_a_text_of_another_size_or_kind(text, tmp_path, capsys, monkeypatch):
    copy = tmp_path / "text.txt"
    copy.write_text(text.read_text())
    assert run(tiny_options(copy, tmp_path / "run")) == 0
    copy.unlink()
    os.mkfifo(copy)
    assert run(["evaluate", str(tmp_path / "run")]) == 2
    assert "is a pipe or a device" in capsys.readouterr().err
    copy.unlink()
    copy.write_text("larger" * 9999)
    monkeypatch.setattr("throughtime.recipes.language.Language.data", lambda recipe: pytest.fail("it was read"))
    assert run(["evaluate", str(tmp_path / "run")]) == 2
    assert "was changed since" in capsys.readouterr().err


def test_data_get_tells_its_files_as_json(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("throughtime.data.corpora.library_text", lambda: "a text")
    assert run(["data", "get", "standard-library", "--out", str(tmp_path), "--json"]) == 0
    files = [str(tmp_path / "standard-library.txt")]
    assert json.loads(capsys.readouterr().out) == {"name": "standard-library", "files": files}


def test_json_is_json_when_a_score_overflows(trained, capsys, monkeypatch):
    from throughtime.models import Scores, Writer

    monkeypatch.setattr(Writer, "score_ids", lambda writer, ids, size: Scores(1e6, 1, 1, 0))
    assert run(["evaluate", str(trained), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert scores["perplexity"] is None


def test_a_vocabulary_over_its_limit_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("throughtime.data.units.VOCAB_LIMIT", 50)
    (tmp_path / "words.txt").write_text(" ".join(f"w{i}" for i in range(100)))
    assert run(tiny_options(tmp_path / "words.txt", tmp_path / "out", "--unit", "word")) == 2
    assert "over the limit of 50: cut it with --maximum-vocab" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [[], ["--help"], *([name, "--help"] for name in COMMANDS), ["train", "language", "-h"]]
)
def test_help_tells_and_does_not_import_torch(words):
    code = f"""
import sys
from throughtime.cli.main import run
try:
    run({words!r})
except SystemExit as stop:
    assert stop.code == 0
assert 'torch' not in sys.modules, 'torch was imported'
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_help_shows_defaults_and_units(capsys):
    with pytest.raises(SystemExit):
        run(["train", "language", "--help"])
    page = capsys.readouterr().out
    assert re.search(r"--hidden INT\s+units of each layer \(default: 256\)", page)
    assert re.search(r"--minutes", page)


def test_version(capsys):
    import throughtime

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"throughtime {throughtime.__version__}\n"
