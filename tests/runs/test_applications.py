"""What each module of runs gives, held to the protocol; and what is asked of a run that has no use for it."""

import re
from dataclasses import fields
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import pytest

from throughtime.errors import ThroughtimeError
from throughtime.recipes import APPLICATIONS
from throughtime.recipes.act import Act
from throughtime.recipes.classify import Classify
from throughtime.recipes.forecast import Forecast
from throughtime.recipes.language import Language
from throughtime.recipes.perceptron import Perceptron
from throughtime.recipes.sentences import Sentences
from throughtime.recipes.tag import Tag
from throughtime.recipes.translate import Translate
from throughtime.runs import application_of
from throughtime.runs.asked import Application, Asked
from throughtime.runs.mistakes import Wanted

RECIPES = {
    "language": Language(text="x.txt"),
    "classify": Classify(train="x.csv"),
    "classify several": Classify(train="x.csv", labels="multiple"),
    "classify series": Classify(train="x.ts"),
    "tag": Tag(train="x.conll"),
    "forecast": Forecast(data="x.csv"),
    "act": Act(demonstrations="x.jsonl"),
    "perceptron": Perceptron(train="x.csv"),
    "sentences": Sentences(text="x.txt"),
    "translate": Translate(pairs="x.tsv"),
    "perceptron of numbers": Perceptron(train="x.csv", loss="mse"),
}


def test_every_recipe_is_here():
    assert {type(recipe) for recipe in RECIPES.values()} == set(APPLICATIONS)


@pytest.mark.parametrize("recipe", [RECIPES[name] for name in RECIPES if " " not in name], ids=lambda r: r.application)
def test_a_module_gives_what_the_protocol_says(recipe):
    module = application_of(recipe)
    assert isinstance(module, Application)
    for name in ("load", "rows", "evaluate", "predict", "stream"):
        wanted = list(signature(getattr(Application, name)).parameters)[1:]
        assert list(signature(getattr(module, name)).parameters) == wanted, name
    assert (module.Facts.model_config["strict"], module.Facts.model_config["frozen"]) == (True, True)
    for draw in module.PICTURES.values():
        assert list(signature(draw).parameters) == ["home", "recipe", "path"]


GIVEN = {
    "column": ("text-column words", "words"),
    "label_column": ("label-column kind", "kind"),
    "missing": ("missing skip", "skip"),
    "probabilities": ("probabilities", True),
    "episodes": ("episodes 3", 3),
    "pairs": ("pairs x.tsv", Path("x.tsv")),
    "source": ("source x.en", Path("x.en")),
    "target": ("target x.de", Path("x.de")),
    "source_column": ("source-column en", "en"),
    "target_column": ("target-column de", "de"),
    "header": ("header", True),
    "invalid_bytes": ("invalid-bytes skip", "skip"),
    "brackets": ("brackets", True),
    "beam": ("beam 3", 3),
    "alpha": ("alpha 0.5", 0.5),
    "pictures": ("confusion", ("confusion",)),
}
LABELS = {"label_column", "missing"}
PAIRS = {"pairs", "source", "target", "source_column", "target_column"}
TAKES = {
    ("language", "evaluate"): set(),
    ("classify", "evaluate"): {"column", "pictures"} | LABELS,
    ("classify several", "evaluate"): {"column"} | LABELS,
    ("classify series", "evaluate"): {"pictures"} | LABELS,
    ("classify", "mistakes"): {"column"} | LABELS,
    ("classify series", "mistakes"): LABELS,
    ("classify", "predict"): {"column", "probabilities"},
    ("classify series", "predict"): {"missing", "probabilities"},
    ("tag", "evaluate"): {"column", "label_column"},
    ("tag", "mistakes"): {"column", "label_column"},
    ("tag", "predict"): {"column", "probabilities"},
    ("tag", "predict", "x.txt"): {"probabilities"},
    ("forecast", "evaluate"): set(),
    ("forecast", "predict"): set(),
    ("act", "evaluate"): {"episodes"},
    ("act", "predict"): {"probabilities"},
    ("act", "predict", "numbers"): set(),
    ("sentences", "evaluate"): set(),
    ("translate", "evaluate"): {"missing", "header", "invalid_bytes", "brackets", "beam", "alpha"} | PAIRS,
    ("perceptron", "evaluate"): {"pictures"} | LABELS,
    ("perceptron", "predict"): {"missing", "probabilities"},
    ("perceptron of numbers", "evaluate"): LABELS,
    ("perceptron of numbers", "predict"): {"missing"},
}


@pytest.mark.parametrize("field", GIVEN)
@pytest.mark.parametrize("case", TAKES, ids=" ".join)
def test_what_means_nothing_to_a_run_is_refused_before_any_work(case, field, tmp_path):
    (name, way, *more), (option, value) = case, GIVEN[field]
    recipe = RECIPES[name]
    file = Path(more[0]) if more and "." in more[0] else tmp_path / "none.csv"
    asked = Asked(**{"file": file, field: value})
    trained = SimpleNamespace(discrete="numbers" not in more)
    module = application_of(recipe)
    home = tmp_path / "no run"
    ways = {
        "evaluate": lambda: module.evaluate(home, recipe, asked),
        "mistakes": lambda: module.mistakes(home, recipe, asked, Wanted()),
        "predict": lambda: module.predict(trained, recipe, asked),
    }
    told = ""
    try:
        ways[way]()
    except (ThroughtimeError, AttributeError) as error:  # what is taken goes on, to a run that is not there
        told = str(error)
    refused = re.fullmatch(rf"--{option} means nothing to an? [^\n]*: leave it out", told)
    assert (refused is None) is (field in TAKES[case]), told


def test_all_that_can_be_asked_is_here():
    assert {field.name for field in fields(Asked)} == {"file", *GIVEN}


def test_predict_of_a_language_model_says_what_it_is_good_for():
    asked = Asked(Path("x.txt"))
    for recipe, way in (
        (RECIPES["language"], "try generate"),
        (Language(text="x.txt", objective="masked"), "begin one with --pretrained RUN"),
    ):
        with pytest.raises(ThroughtimeError, match=way):
            application_of(recipe).predict(SimpleNamespace(), recipe, asked)
