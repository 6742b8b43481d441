"""Runs side by side: where their recipes differ, their figures, and the difference on the very same pictures."""

from pathlib import Path

from kcnn import evaluation
from kcnn.disk import read_json
from kcnn.errors import UserError
from kcnn.recipe import flat
from kcnn.run_folder import RunFolder
from kcnn.scoring import uses

FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "exact_match", "mean_average_precision", "roc_auc", "log_loss")
FIGURES += ("mean_iou", "mean_dice", "pixel_accuracy", "boundary_f", "map", "map50", "mask_map", "mask_map50")
LOWER_IS_BETTER = ("log_loss",)
OWN = ("runtime.runs",)  # says where a run lies, not what it is


def compare(paths, split=None):
    """What sets the runs at `paths` apart, each against the first, as a JSON-able dict.

    {runs: [{name, path, splits: {split: {samples, uses, figures: {figure: {value, interval}}}}}],
     recipe: {"section.key": [its value in each run]}, only where they differ,
     learned: [how many pictures each run was trained on], if not on the same ones, else [],
     differences: {split: [{run, samples, apart, …} as `evaluation.difference` of the pictures that both scored, each
      figure with its verdict: better, worse or alike (`apart`: how many only each has), or {run, refused: why}]}}.
    With `split` only that one is compared, and `UserError` raised where it cannot be.
    """
    folders = [RunFolder.open(path) for path in paths]
    if len(folders) < 2:
        raise UserError("compare needs two runs or more")
    runs = [_run(folder) for folder in folders]
    shared = [name for name in runs[0]["splits"] if all(name in run["splits"] for run in runs)]
    if split is not None and split not in shared:
        raise UserError(
            f"split {split!r} has not been scored in every run; scored in all: {', '.join(shared) or 'none'}"
        )
    differences = {}
    for name in shared if split is None else [split]:
        differences[name] = [_difference(folders[0], folder, name) for folder in folders[1:]]
        refused = [row["refused"] for row in differences[name] if "refused" in row]
        if split is not None and refused:
            raise UserError(refused[0])
    learned = _learned(folders)
    return {"runs": runs, "recipe": recipe_differences(folders), "learned": learned, "differences": differences}


def recipe_differences(folders):
    """{"section.key": [its value in each run]} where the recipes of the runs differ."""
    recipes = [flat(folder.recipe().model_dump(mode="json")) for folder in folders]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe)
    columns = {key: [recipe.get(key) for recipe in recipes] for key in keys if key not in OWN}
    return {key: values for key, values in columns.items() if any(value != values[0] for value in values)}


def _learned(folders):
    """How many pictures each run learned from, where those may differ: their data is not the same."""
    facts = [read_json(folder.facts_file) for folder in folders]
    same = len({fact.get("fingerprint") for fact in facts}) == 1
    return [] if same else [fact.get("split_sizes", {}).get("train", 0) for fact in facts]


def _run(folder):
    if not (folder.report / "metrics.json").is_file():
        state = folder.state()
        way = "" if folder.is_running() else f"; go on with: kcnn resume {folder.path}"
        raise UserError(f"run {folder.name} is {state}: there is nothing to compare before it has a report{way}")
    splits = {}
    for split, figures in evaluation.read_metrics(folder.report)["splits"].items():
        bounds = figures.get("intervals", {})
        shown = {key: {"value": figures[key], "interval": bounds.get(key)} for key in FIGURES if key in figures}
        splits[split] = {"samples": figures["samples"], "uses": uses(folder, split), "figures": shown}
    return {"name": folder.name, "path": str(Path(folder.path)), "splits": splits}


def _difference(first, second, split):
    """The paired difference of two runs on a split, or why there is none."""
    try:
        pair = [evaluation.read_stored(folder.report, split) for folder in (first, second)]
        pair, apart = _shared(*pair, [first, second], split)
    except UserError as error:
        return {"run": second.name, "refused": str(error)}
    found = evaluation.difference(*pair)
    for key, part in found.items():
        if isinstance(part, dict) and part["interval"]:
            part["verdict"] = _verdict(key, *part["interval"])
    return {"run": second.name, "samples": len(pair[0].names), "apart": apart, **found}


def _verdict(figure, low, high):
    """What the interval of a difference says of the second run: better, worse, or alike where it holds zero."""
    if low <= 0 <= high:
        return "alike"
    return "worse" if (low > 0) == (figure in LOWER_IS_BETTER) else "better"


def _shared(a, b, folders, split):
    """([a, b] cut to the pictures that both have, how many only each has).

    Raises `UserError` where there are none, or where what has one name may be another picture.
    """
    names = [folder.name for folder in folders]
    about = f"split {split!r} of {names[0]} and {names[1]}"
    if type(a) is not type(b):
        raise UserError(f"{about} cannot be compared: one answers labels, the other masks; compare runs of one task")
    if a.identity == b.identity:
        return [a, b], [0, 0]
    places = [{name: i for i, name in enumerate(one.names)} for one in (a, b)]
    both = [name for name in a.names if name in places[1]]
    apart = [len(one.names) - len(both) for one in (a, b)]
    one_source = len({folder.recipe().data.source for folder in folders}) == 1
    found = [one.take([place[name] for name in both]) for one, place in zip((a, b), places, strict=True)]
    if both and any(apart) and one_source and found[0].asked_as(found[1]):
        return found, apart
    if any(apart):
        what = f"{apart[0]} pictures are only in {names[0]}'s, {apart[1]} only in {names[1]}'s"
        cause = "train both on the same data with the same data.validation, data.test, data.limit, data.quarantine "
        cause += "and runtime.seed"
    else:
        what = "they have the same names, but labels, classes, weights, order or contents differ"
        cause = "score both on the same data"
    raise UserError(f"{about} cannot be compared picture by picture: {what}; {cause}")
