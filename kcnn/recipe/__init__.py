"""The recipe: everything a training run was asked to do, in one schema.

Each field carries its bounds, its default and one line of description; TOML files, command-line help,
dashboard forms and the table in the docs are all made from it, so that no default has a second home.
This room loads no TensorFlow.
"""

from kcnn.recipe.augment import Augment
from kcnn.recipe.data import IN_MEMORY, Data, word_of
from kcnn.recipe.model import Model
from kcnn.recipe.reading import MAX_TOML_BYTES, fields, flat, options, parse_setting, read
from kcnn.recipe.runtime import Runtime
from kcnn.recipe.train import Train
from kcnn.recipe.whole import Recipe, parse
from kcnn.recipe.words import as_command, as_python, as_toml, as_value, changes

__all__ = [
    "IN_MEMORY",
    "MAX_TOML_BYTES",
    "Augment",
    "Data",
    "Model",
    "Recipe",
    "Runtime",
    "Train",
    "as_command",
    "as_python",
    "as_toml",
    "as_value",
    "changes",
    "fields",
    "flat",
    "options",
    "parse",
    "parse_setting",
    "read",
    "word_of",
]
