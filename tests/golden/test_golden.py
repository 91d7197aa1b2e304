"""The run folders of earlier versions must go on saying the same words."""

import json
from pathlib import Path

import pytest

import throughtime

HOME = Path(__file__).parent
FORMATS = sorted(path.name for path in HOME.glob("format-*") if path.is_dir())


@pytest.mark.parametrize("name", FORMATS)
def test_a_golden_run_says_the_same_words(name):
    said = json.loads((HOME / f"{name}.json").read_text())
    writer = throughtime.load(HOME / name)
    assert writer.generate("Mary went to the ", length=60, temperature=0.0) == said["generated"]
    assert writer.generate("John", length=60, temperature=0.7, seed=1) == said["sampled"]
    story = "Mary went to the river. Where is Mary? In the river.\n"
    assert writer.score(story).nats == pytest.approx(said["nats"], rel=1e-4)


def test_there_is_a_golden_run_of_the_present_format():
    from throughtime.folder import FORMAT

    assert f"format-{FORMAT}" in FORMATS
