"""Recipes: one frozen model of settings for each application. `APPLICATIONS` lists them."""

from throughtime.recipes.act import Act
from throughtime.recipes.classify import Classify
from throughtime.recipes.forecast import Forecast
from throughtime.recipes.language import Language
from throughtime.recipes.perceptron import Perceptron
from throughtime.recipes.read import read_recipe
from throughtime.recipes.tag import Tag

APPLICATIONS = (Language, Classify, Tag, Act, Perceptron, Forecast)

__all__ = ["APPLICATIONS", "Act", "Classify", "Forecast", "Language", "Perceptron", "Tag", "read_recipe"]
