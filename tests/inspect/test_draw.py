import json

import pytest

from throughtime.errors import RunError
from throughtime.inspect.draw import Curve, draw_curve, draw_gradients, read_curve

LOSS = {"nats_per_unit": 2.0, "bits_per_unit": 2.9, "bits_per_byte": 2.9, "perplexity": 7.4}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1]",
        "",
        '{"a":' * 10**5,
        '{"loss": 1.0}',
        '{"step": "1"}',
        '{"step": -1}',
        '{"step": 1, "loss": NaN}',
        '{"step": 1, "loss": "\\u001b[2J"}',
        '{"step": 1, "validation": 3}',
        '{"step": 1, "validation": {}}',
        '{"step": 1, "final": {"nats_per_unit": Infinity}}',
    ],
    ids=lambda line: line[:60],
)
def test_a_line_that_is_none_of_progress_is_named(line):
    with pytest.raises(RunError, match=r"line 2 of progress.jsonl does not read") as error:
        read_curve(f'{{"step": 1}}\n{line}\n')
    assert str(error.value).isprintable()


@pytest.mark.parametrize("perplexity", [7.4, None, float("inf")])
def test_the_final_score_is_the_last_one(perplexity):
    lines = [{"step": 1, "final": LOSS}, {"step": 9, "final": LOSS | {"perplexity": perplexity}}, {"step": 9}]
    curve = read_curve("".join(json.dumps(line) + "\n" for line in lines))
    assert curve.final.perplexity == perplexity


@pytest.mark.parametrize("training", [[3.0, 2.0], []])
def test_losses_of_two_units_have_an_axis_each(tmp_path, monkeypatch, training):
    drawn = []
    monkeypatch.setattr("throughtime.inspect.draw.save_figure", lambda figure, path: drawn.append(figure))
    curve = Curve([1, 2][: len(training)], training, [2, 4], [-487.0, -500.0])
    draw_curve(curve, tmp_path / "curve.svg", units=("nats per step", "minus the mean return"))
    draw_curve(curve, tmp_path / "curve.svg", units=("nats per token", "nats per token"))
    (left, right), (both,) = (figure.axes for figure in drawn)
    assert (left.get_ylabel(), right.get_ylabel()) == ("nats per step", "validation: minus the mean return")
    assert right.get_ylim()[1] < -480
    assert left.get_ylim()[0] > -1
    assert both.get_ylabel() == "nats per token"
    assert both.get_ylim()[0] < -500
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["training", "validation"]


@pytest.mark.parametrize("title", ["$x", "a$\\frac$b", "\\"])
def test_a_title_is_drawn_as_it_is(tmp_path, title):
    draw_curve(Curve([1, 2], [3.0, 2.0], [2], [2.5]), tmp_path / "curve.svg", title=title)
    draw_gradients([1.0, 0.1], tmp_path / "gradients.svg", title=title)
    assert (tmp_path / "curve.svg").exists()
