"""The public verbs: each one thing a user wants, in a few lines on the rooms below."""

from pathlib import Path

from kcnn import (
    architectures,
    catalogue,
    comparison,
    data,
    doctor,
    heads,
    inspection,
    models,
    own_model,
    planning,
    plugins,
    pretrained,
    rate_finder,
    rehearsal,
    session,
    training,
)
from kcnn.disk import make_folder
from kcnn.errors import UserError, unknown_name
from kcnn.recipe import Recipe, read
from kcnn.resolving import resolve
from kcnn.resources import find_recipe, recipes
from kcnn.run import Run


def build_and_fit(recipe="classify/digits", source=None, *, name=None, callbacks=(), console=None, **settings):
    """Train what a recipe says and return its `Run`, finished or stopped.

    Args:
        recipe: a path, the name of one of kcnn's own recipes, a nested dict, or a `Recipe`.
        source: data instead of the recipe's: an address, (x, y), {"train": (x, y), …} or a tf.data.Dataset.
        name: of the run folder; numbered if None.
        callbacks: Keras callbacks to run along.
        settings: changes to the recipe, such as `epochs=5` or `{"train.epochs": 5}`; a bare key must be unique.

    Raises `UserError` for every mistake that can be seen before training.
    """
    chosen, source = resolve(recipe, source, settings)
    opened = session.start(chosen, source, name)
    session.train(opened, callbacks=callbacks, console=console)
    return Run(opened.folder.path, source)


def build_and_fit_classifier(source, architecture="resnet18", **settings):
    """Train a classifier on `source` (an address, arrays or a tf.data.Dataset); see `build_and_fit`."""
    return build_and_fit(Recipe(), source, architecture=architecture, head="classifier", **settings)


def build_and_fit_segmenter(source, architecture="resnet34", head="unet", **settings):
    """Train a segmenter on `source`, pictures and masks (an address, arrays or tf.data); see `build_and_fit`."""
    return build_and_fit(Recipe(), source, architecture=architecture, head=head, **settings)


def build_and_fit_detector(source, architecture="resnet18", head="yolo", **settings):
    """Train a detector on `source`, pictures and boxes (an address such as a COCO .json); see `build_and_fit`."""
    return build_and_fit(Recipe(), source, architecture=architecture, head=head, **settings)


def dry_run(recipe="classify/digits", source=None, **settings):
    """What `build_and_fit` would do, once and small, with nothing written: a `Rehearsal` of shapes, memory and time.

    Its `learns` says whether the network can learn a few of the pictures by heart; its `lines()` are the text.
    """
    return rehearsal.rehearse(*resolve(recipe, source, settings))


def plan(recipe="classify/digits", source=None, **settings):
    """What a training will cost, from a few real steps of it: a `Plan`; its `lines()` are the text."""
    return planning.plan(*resolve(recipe, source, settings))


def find_learning_rate(recipe="classify/digits", source=None, **settings):
    """The range test: a `RateCurve` with the `suggested` rate and the curve to `plot`."""
    return rate_finder.find(*resolve(recipe, source, settings))


def sketch_learning_rate(recipe="classify/digits", *, points=200, **settings):
    """[(epoch, learning rate)] at so many moments of a training: the curve of its schedule."""
    return training.curve(session.as_its_head_needs(resolve(recipe, settings=settings)[0]).train, points)


def fit(model, dataset, validation=None, **options):
    """Train a user's own `keras.Model` on their own tf.data batches with the same engine; see `own_model.fit`."""
    return own_model.fit(model, dataset, validation, **options)


def build_model(architecture, head="classifier", *, weights=None, **options):
    """A plain `keras.Model` from raw pictures to a head's raw outputs, such as logits.

    Args:
        architecture: a name from `kcnn list architectures`.
        head: a name from `kcnn list heads`, or a head record.
        weights: "imagenet", a run folder, or a file of weights that kcnn, torchvision, timm or keras.applications
            wrote; None: drawn. Input scaling and style are then those that the weights were trained with.
        options: as of `kcnn.models.build_model`: input_shape, num_classes, stem, top, style, …
    """
    models.tell_of_square(options.get("input_shape"))
    if weights is None:
        return models.build_model(architecture, head, **options)
    return pretrained.build(weights, architecture, head, **options)


def describe(architecture, input_shape=None, num_classes=None, *, out=None, **options):
    """The `Description` of an architecture: costs, levels, receptive fields, ancestor; its `lines()` are the text.

    out: a PNG to draw its stages into.
    """
    models.tell_of_square(input_shape)
    found = inspection.describe(architecture, input_shape, num_classes, **options)
    if out is not None:
        make_folder(Path(out).parent)
        inspection.draw_stages(found, out)
    return found


def load_run(path, source=None):
    """The `Run` in the folder `path`; `source` is needed only to go on with data that was in memory."""
    return Run(path, source)


def check_data(source, /, **settings):
    """The checked `DataSet` at an address: what was recognised, splits, classes, and what had to be set aside."""
    return session.open_data(*resolve(Recipe(), source, settings))


def diagnose_data(source, /, *, out=None, progress=None, **settings):
    """The doctor's `Diagnosis` of the data at an address: what is wrong with it, what that does, how to mend it.

    Args:
        source: as for `check_data`.
        out: a folder for check.md with its pictures, check.json and quarantine.csv; nothing is written if None.
        progress: called as (what, done, total) now and then.
        settings: changes to the recipe's data section and seed; `head`, of a detector, has objects looked at.
    """
    recipe, memory = resolve(Recipe(), source, settings)
    if out is not None and memory is None and Path(out).resolve().is_relative_to(Path(recipe.data.source).resolve()):
        raise UserError(f"out {out} lies in the data folder {recipe.data.source}; give a folder elsewhere")
    address = recipe.data.source if memory is None else memory
    found = data.load(address, recipe.data, recipe.runtime.seed, wanted=session.wanted(recipe))
    diagnosis = doctor.diagnose(found, recipe.data, progress)
    if out is not None:
        doctor.write_page(diagnosis, found, out, recipe.data.max_pixels)
    return diagnosis


def show_augmentation(source, augment, out, **settings):
    """Write a sheet of pictures from the data at an address, each beside what training makes of it; returns its path.

    Args:
        source: as for `check_data`.
        augment: a policy from `kcnn list augmentations`, or a recipe whose augment section is shown: a path, the name
            of one of kcnn's own, or a `Recipe`.
        out: the folder for augmented.png.
        settings: changes to the recipe, such as `image_size=96`.
    """
    base, title = Recipe(), "Augmentation"
    if isinstance(augment, Recipe):
        base = augment
    elif augment in data.POLICIES:
        settings = {"augment.policy": augment} | settings
    elif str(augment).endswith(".toml") or augment in recipes():
        base = read(find_recipe(augment))
    else:
        raise unknown_name("augmentation policy or recipe", augment, [*data.POLICIES, *recipes()])
    if base is not augment:
        title += f": {Path(augment).name}"
    recipe, memory = resolve(base, source, settings)
    dataset = session.open_data(recipe, memory)
    path = Path(out) / "augmented.png"
    make_folder(path.parent)
    doctor.write_sheet(dataset, data.choose_frame(dataset, recipe.data), recipe, path, title)
    return path


def compare(*runs, split=None):
    """Where runs differ, each against the first: recipes, figures, and the paired difference on the same pictures.

    Args:
        runs: two or more run folders, or `Run`s.
        split: compare only this one, and raise `UserError` where its pictures differ.

    Returns a dict, see `comparison.compare`.
    """
    return comparison.compare([getattr(run, "path", run) for run in runs], split)


def list_architectures(**bounds):
    """Names of all architectures, or of those within `bounds`: since, until, max_parameters, max_multiply_adds, family.

    The toys, which are for tests, are among all of them, and within bounds only with toys=True.
    `browse_architectures` gives their costs too.
    """
    return [entry.name for entry in inspection.shelf(**bounds)] if bounds else list(architectures.ARCHITECTURES)


def browse_architectures(**bounds):
    """Architectures within `bounds` as `inspection.shelf` takes them, oldest first: name, year, idea and costs."""
    return inspection.shelf(**bounds)


def list_names():
    """{kind: {name: one line on it}} of all that is registered: architectures, heads, policies, explainers, …"""
    return catalogue.catalogue()


def list_heads():
    """Names of all heads."""
    return list(heads.HEADS)


plugins.load()
