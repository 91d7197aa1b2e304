import json
import shutil

import pytest
import torch

import throughtime
from throughtime.errors import DivergedError, RunError
from throughtime.train import course, finished, fit, folder


def run(recipe, out, *, steps=None):
    """Trains, and leaves after so many steps of this session; gives the last progress."""
    stream, last = fit(recipe, out), None
    for made, progress in enumerate(stream, 1):
        last = progress
        if made == steps:
            stream.close()
            break
    return last


def without_times(out):
    lines = [json.loads(line) for line in (out / "progress.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def digest(out):
    return folder.read_manifest(out)["files"]["weights.safetensors"]["sha256"]


OPTIONS = [
    {},
    {"cell": "gru", "schedule": "plateau", "patience": 3},
    {"cell": "lstm-phased", "optimiser": "sgd", "momentum": 0.9, "learning_rate": 0.5},
    {"unit": "word", "accumulate": 2, "zoneout": 0.1, "recurrent_dropout": 0.2, "steps": 4},
    {"core": "window", "window": 3, "schedule": "constant"},
    {"unit": "subword", "maximum_vocab": 300, "tied": True, "steps": 8},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(map(str, o.values())) or "default")
def test_stopped_at_any_step_and_resumed_it_ends_with_the_same_bits(tiny, tmp_path, options):
    recipe = tiny(**options)
    run(recipe, tmp_path / "straight")
    for cut in (1, 7, 33):
        run(recipe, tmp_path / "cut", steps=cut)
    assert not finished(tmp_path / "cut")
    run(recipe, tmp_path / "cut")
    assert digest(tmp_path / "cut") == digest(tmp_path / "straight")
    assert without_times(tmp_path / "cut") == without_times(tmp_path / "straight")


def test_a_crash_between_checkpoints_loses_only_what_came_after_the_last(tiny, tmp_path):
    recipe = tiny()
    run(recipe, tmp_path / "straight")
    stream = fit(recipe, tmp_path / "crashed")
    for _ in range(40):
        next(stream)
    kept = shutil.copytree(tmp_path / "crashed", tmp_path / "copy", ignore=shutil.ignore_patterns(".lock"))
    stream.close()
    assert course.last_checkpoint(kept).name == "0000000030"
    assert not folder.is_whole(kept)
    assert throughtime.load(kept).generate(length=5, seed=0)
    run(recipe, kept)
    assert digest(kept) == digest(tmp_path / "straight")
    assert without_times(kept) == without_times(tmp_path / "straight")


def test_a_half_written_checkpoint_is_ignored_and_swept(tiny, tmp_path):
    recipe = tiny()
    run(recipe, tmp_path / "run", steps=35)
    real = course.last_checkpoint(tmp_path / "run")
    half = shutil.copytree(real, real.with_name("0000000099"))
    folder.unmark(half)
    partial = shutil.copytree(real, real.with_name(".0000000100.partial"))
    assert course.last_checkpoint(tmp_path / "run") == real
    run(recipe, tmp_path / "run", steps=1)
    assert not half.exists()
    assert not partial.exists()


def test_a_finished_run_is_whole_and_has_nothing_left_to_do(tiny, tmp_path):
    recipe = tiny()
    last = run(recipe, tmp_path)
    assert last.evaluation.final
    assert last.done == 1.0
    assert finished(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {
        *("COMPLETE", "manifest.json", "weights.safetensors", "recipe.json", "vocabulary.json", "data.json"),
        *("progress.jsonl", "card.md"),
    }
    assert list(fit(recipe, tmp_path)) == []


def test_a_stopped_run_can_be_used_at_once(tiny, tmp_path):
    run(tiny(), tmp_path, steps=5)
    assert folder.read_manifest(tmp_path)["status"] == "stopped"
    assert len(throughtime.load(tmp_path).generate(length=20, seed=0)) == 20


def test_the_final_score_is_that_of_the_best_weights_on_the_whole_held_out_part(tiny, tmp_path):
    recipe = tiny(evaluate_every=20, learning_rate=0.03)
    best = min(p.evaluation.score.loss for p in fit(recipe, tmp_path) if p.evaluation)
    writer, data = throughtime.load(tmp_path), recipe.data()
    assert writer.score_ids(data.valid, data.valid_bytes).loss == pytest.approx(best, abs=1e-6)
    assert best < 2.6  # far below the 3.2 nats of guessing: it has learnt


def test_patience_ends_a_run_that_no_longer_improves(tiny, tmp_path):
    recipe = tiny(learning_rate=1e-9, epochs=1000, evaluate_every=2, patience=3, warmup_steps=0)
    assert run(recipe, tmp_path).step < 100


def test_minutes_bound_a_run(tiny, tmp_path):
    last = run(tiny(epochs=None, minutes=0.02), tmp_path)
    assert last.evaluation.final
    assert last.step > 1


def test_another_recipe_for_the_same_folder_is_refused_with_the_difference(tiny, tmp_path):
    run(tiny(), tmp_path, steps=2)
    with pytest.raises(RunError, match=r'recipe.json \("hidden": 12 there, "hidden": 16 now\)'):
        run(tiny(hidden=16), tmp_path)


def test_a_text_that_was_changed_is_refused(tiny, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("abcabcaab" * 100)
    run(tiny(text=path), tmp_path / "run", steps=2)
    path.write_text("abcabcaab" * 99 + "cabcabcab")
    with pytest.raises(RunError, match=r"another data.json"):
        run(tiny(text=path), tmp_path / "run")


def test_a_folder_with_other_files_is_left_alone(tiny, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RunError, match=r"not empty and not a run \(it holds thesis.tex\)"):
        run(tiny(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_place_of_the_folder_is_refused(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file"):
        run(tiny(), tmp_path / "file")


def test_two_trainings_cannot_share_a_folder(tiny, tmp_path):
    first = fit(tiny(), tmp_path)
    next(first)
    with pytest.raises(RunError, match="another training is writing"):
        next(fit(tiny(), tmp_path))
    first.close()


def test_divergence_names_the_step_and_keeps_the_last_checkpoint(tiny, tmp_path, monkeypatch):
    recipe = tiny(evaluate_every=10)
    stream = fit(recipe, tmp_path)
    for _ in range(12):
        progress = next(stream)
    from throughtime.heads import Softmax

    loss = Softmax.loss
    monkeypatch.setattr(Softmax, "loss", lambda *a: throughtime.Tally(loss(*a).total * float("nan"), 1))
    with pytest.raises(DivergedError, match=r"loss is nan at step 13; the checkpoint of step 10 is kept; try a lower"):
        next(stream)
    assert progress.step == 12
    monkeypatch.undo()
    assert course.last_checkpoint(tmp_path).name == "0000000010"
    assert next(fit(recipe, tmp_path)).step == 11


def test_a_checkpoint_of_another_model_does_not_load(tiny, tmp_path):
    run(tiny(), tmp_path, steps=3)
    model = tiny(hidden=16).model_of(20)
    with pytest.raises(RunError, match="not those of its recipe"):
        course.restore_weights(model, folder.read_tensors(tmp_path, "weights.safetensors"), tmp_path)


def test_progress_tells_of_every_update(tiny, tmp_path):
    seen = list(fit(tiny(epochs=1), tmp_path))
    assert [p.step for p in seen[:-1]] == list(range(1, len(seen)))
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert seen[-1].units == seen[-2].units == sum(p.loss.count for p in seen[:-1])
    assert all(p.gradient_norm > 0 and p.units_per_second > 0 for p in seen)


def test_dropout_and_sampling_do_not_disturb_each_other(tiny, tmp_path):
    """An evaluation more or less changes no weight: it draws from generators of its own."""
    run(tiny(evaluate_every=1000, epochs=1), tmp_path / "few")
    run(tiny(evaluate_every=7, epochs=1, patience=0), tmp_path / "many")
    few, many = (without_times(tmp_path / name) for name in ("few", "many"))
    assert [line for line in few if "loss_nats" in line] == [line for line in many if "loss_nats" in line]


def test_fit_needs_no_global_generator_of_the_caller(tiny, tmp_path):
    torch.manual_seed(123)
    run(tiny(epochs=1), tmp_path / "a")
    torch.manual_seed(456)
    run(tiny(epochs=1), tmp_path / "b")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
