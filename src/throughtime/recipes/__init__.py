"""Recipes: one frozen model of settings for each application. `APPLICATIONS` lists them."""

from throughtime.recipes.act import Act
from throughtime.recipes.classify import Classify
from throughtime.recipes.forecast import Forecast
from throughtime.recipes.language import Language
from throughtime.recipes.perceptron import Perceptron
from throughtime.recipes.read import read_recipe
from throughtime.recipes.sentences import Sentences
from throughtime.recipes.tag import Tag
from throughtime.recipes.translate import Translate

APPLICATIONS = (Language, Classify, Tag, Act, Perceptron, Forecast, Translate, Sentences)

__all__ = [
    "APPLICATIONS",
    "Act",
    "Classify",
    "Forecast",
    "Language",
    "Perceptron",
    "Sentences",
    "Tag",
    "Translate",
    "read_recipe",
]
