"""Recipes: one frozen model of settings for each application. `APPLICATIONS` lists them."""

from throughtime.recipes.classify import Classify
from throughtime.recipes.language import Language
from throughtime.recipes.read import read_recipe

APPLICATIONS = (Language, Classify)

__all__ = ["APPLICATIONS", "Classify", "Language", "read_recipe"]
