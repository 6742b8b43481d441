"""Where things are: recipes and dashboard in the installed package or beside it in a checkout, runs where one works."""

import os
from pathlib import Path

from kcnn.errors import UserError, unknown_name

PACKAGE = Path(__file__).parent
PASSWORD = "KCNN_APP_PASSWORD"  # the environment variable with the password of a public dashboard
RUNS = "runs"  # where run folders go, below the working folder, unless a user says otherwise


def folder(name):
    """The folder "recipes" or "apps" that came with this kcnn."""
    for place in (PACKAGE / name, PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise UserError(f"this installation lacks its {name}/ folder; install kcnn again")


def cache(name):
    """The folder `name` in kcnn's cache: below KCNN_CACHE if that is set, else where the user's caches are."""
    own = os.environ.get("KCNN_CACHE")
    return Path(own or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "kcnn")) / name


def recipes():
    """{"classify/digits": path} of every recipe that came with kcnn."""
    root = folder("recipes")
    return {str(path.relative_to(root).with_suffix("")): path for path in sorted(root.rglob("*.toml"))}


def recipe_titles():
    """{"classify/digits": its first line} of the same."""
    return {name: path.read_text("utf-8").splitlines()[0].lstrip("# ") for name, path in recipes().items()}


def find_recipe(name):
    """The path of a recipe: a file, or one of kcnn's own by "classify/digits" or "recipes/classify/digits.toml"."""
    if Path(name).is_file():
        return Path(name)
    own = recipes()
    short = str(name).removeprefix("recipes/").removesuffix(".toml")
    if short not in own and str(name).endswith(".toml"):
        raise UserError(f"no such file: {name}; `kcnn list recipes` names those that came with kcnn")
    if short not in own:
        raise unknown_name("recipe", name, own)
    return own[short]
