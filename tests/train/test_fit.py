import json
import shutil
import signal
import sys

import pytest
import torch
from safetensors.torch import load_file

import throughtime
from throughtime import folder
from throughtime.errors import DivergedError, RunError
from throughtime.train import course, finished, fit


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
    return folder.read_manifest(out).files["weights.safetensors"].sha256


OPTIONS = [
    {},
    {"cell": "gru", "schedule": "plateau", "patience": 3},
    {"cell": "lstm-phased", "optimiser": "sgd", "momentum": 0.9, "learning_rate": 0.5},
    {"unit": "word", "accumulate": 2, "zoneout": 0.1, "recurrent_dropout": 0.2, "steps": 4},
    {"core": "window", "window": 3, "schedule": "constant"},
    {"cell": "self-attention", "heads": 2, "context": 12, "layers": 1},
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
    kept = shutil.copytree(tmp_path / "crashed", tmp_path / "copy")
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
    assert folder.read_manifest(tmp_path).status == "stopped"
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
    with pytest.raises(RunError, match="hidden is 12 there and 16 now"):
        run(tiny(hidden=16), tmp_path)


def test_a_text_that_was_changed_is_refused(tiny, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("abcabcaab" * 100)
    run(tiny(text=path), tmp_path / "run", steps=2)
    path.write_text("abcabcaab" * 99 + "cabcabcab")
    with pytest.raises(RunError, match="text_sha256 is"):
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
        course.restore_weights(model, folder.read_tensors(tmp_path, "weights.safetensors", 2**20), tmp_path)


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
    assert [line for line in few if "loss" in line] == [line for line in many if "loss" in line]


def test_fit_needs_no_global_generator_of_the_caller(tiny, tmp_path):
    torch.manual_seed(123)
    run(tiny(epochs=1), tmp_path / "a")
    torch.manual_seed(456)
    run(tiny(epochs=1), tmp_path / "b")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_the_same_text_in_another_place_is_the_same_run(tiny, text, tmp_path):
    moved = shutil.copy(text, tmp_path / "moved.txt")
    run(tiny(), tmp_path / "run", steps=3)
    assert run(tiny(text=moved, device="cpu"), tmp_path / "run", steps=1).step == 4


def test_leaving_at_the_last_progress_leaves_a_finished_run(tiny, tmp_path):
    recipe = tiny(epochs=1)
    run(recipe, tmp_path / "straight")
    for progress in fit(recipe, tmp_path / "left"):
        if progress.final:
            break
    assert finished(tmp_path / "left")
    assert not (tmp_path / "left" / "checkpoints").exists()
    assert without_times(tmp_path / "left") == without_times(tmp_path / "straight")


def test_a_run_that_another_process_finished_meanwhile_is_left_alone(tiny, tmp_path):
    recipe = tiny(epochs=1)
    files = {}

    class Slow(type(recipe)):
        def model(self, data):
            if not files:
                run(recipe, tmp_path)
                files.update({p.name: p.read_bytes() for p in tmp_path.iterdir()})
            return super().model(data)

    assert list(fit(Slow(**recipe.model_dump()), tmp_path)) == []
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == files


def test_a_stopped_run_without_its_checkpoints_is_not_started_over(tiny, tmp_path):
    run(tiny(), tmp_path, steps=5)
    shutil.rmtree(tmp_path / "checkpoints")
    before = throughtime.load(tmp_path).generate(length=20, seed=0)
    with pytest.raises(RunError, match="its checkpoints are gone"):
        run(tiny(), tmp_path)
    assert throughtime.load(tmp_path).generate(length=20, seed=0) == before


@pytest.mark.parametrize("every", [1, 1000])
def test_weights_that_overflow_are_never_kept(tiny, tmp_path, monkeypatch, every):
    recipe = tiny(learning_rate=1e30, warmup_steps=0, evaluate_every=every)
    monkeypatch.setattr(sys.modules[fit.__module__], "CHECKPOINT_SECONDS", -1.0)
    with pytest.raises(DivergedError, match=r"step \d+; .*; try a lower --learning-rate than 1e\+30"):
        run(recipe, tmp_path)
    assert not folder.is_whole(tmp_path)
    kept = course.last_checkpoint(tmp_path)
    if kept is not None:
        tensors = load_file(kept / "training.safetensors").values()
        assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def test_leftovers_of_a_killed_writing_are_swept(tiny, tmp_path):
    (tmp_path / ".weights.safetensors.partial").write_bytes(b"half")
    run(tiny(epochs=1), tmp_path)
    assert finished(tmp_path)
    assert not list(tmp_path.glob("*.partial"))
    assert not list(tmp_path.glob(".*"))


def test_what_is_not_ours_in_the_folder_of_checkpoints_stays(tiny, tmp_path):
    (tmp_path / "checkpoints" / "backup").mkdir(parents=True)
    (tmp_path / "checkpoints" / ".DS_Store").write_text("")
    run(tiny(epochs=1), tmp_path, steps=30)
    run(tiny(epochs=1), tmp_path)
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {"backup", ".DS_Store"}


def test_a_run_that_was_over_when_it_stopped_is_finished_and_told(tiny, tmp_path, monkeypatch):
    def killed(_):
        raise RuntimeError("killed")

    recipe = tiny(epochs=1, evaluate_every=1)
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[fit.__module__]._Session, "_finish", killed)
        with pytest.raises(RuntimeError, match="killed"):
            list(fit(recipe, tmp_path))
    last = int(course.last_checkpoint(tmp_path).name)
    assert not finished(tmp_path)
    assert [(p.step, p.final) for p in fit(recipe, tmp_path)] == [(last, True)]
    assert finished(tmp_path)


def test_a_run_makes_at_least_one_update(tiny, tmp_path):
    assert [p.step for p in fit(tiny(epochs=None, minutes=1e-9), tmp_path)] == [1, 1]


def test_progress_that_was_lost_is_told_and_never_made_up(tiny, tmp_path):
    run(tiny(evaluate_every=10), tmp_path, steps=35)
    size = (tmp_path / "progress.jsonl").stat().st_size
    (tmp_path / "progress.jsonl").unlink()
    stream = fit(tiny(evaluate_every=10), tmp_path)
    assert f"{size} bytes of progress.jsonl are missing" in next(stream).notes
    for _ in range(10):
        next(stream)
    stream.close()
    assert without_times(tmp_path)[0]["step"] == 40


def test_ctrl_c_waits_until_the_update_is_whole_and_keeps_it(tiny, tmp_path, monkeypatch):
    import _thread

    from throughtime.models import LanguageModel

    recipe, loss, seen = tiny(epochs=1), LanguageModel.loss, []
    run(recipe, tmp_path / "straight")

    def interrupted(*arguments):
        if len(seen) == 20:
            _thread.interrupt_main()
        seen.append(1)
        return loss(*arguments)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may ignore it
    with monkeypatch.context() as patch:
        patch.setattr(LanguageModel, "loss", interrupted)
        with pytest.raises(KeyboardInterrupt):
            for _ in fit(recipe, tmp_path / "run"):
                pass
    signal.signal(signal.SIGINT, before)
    assert folder.read_manifest(tmp_path / "run").status == "stopped"
    assert course.last_checkpoint(tmp_path / "run").name == "0000000021"
    run(recipe, tmp_path / "run")
    assert digest(tmp_path / "run") == digest(tmp_path / "straight")
