"""Recipes: one frozen model of settings for each application. `APPLICATIONS` lists them."""

from throughtime.recipes.language import Language
from throughtime.recipes.load import load
from throughtime.recipes.read import read_recipe

APPLICATIONS = (Language,)

__all__ = ["APPLICATIONS", "Language", "load", "read_recipe"]
