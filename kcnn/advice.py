"""The field's tips, each a default, a check or a warning: what kcnn does about it, and the words when it speaks up."""

from dataclasses import dataclass

from kcnn.registry import Registry

TIPS = Registry("tip")
FEW = 100  # pictures a class: below, training from scratch learns little
RARE = 10  # times fewer pictures than the most frequent class
SMALL_BATCH = 8  # pictures whose statistics are too noisy for batch norm
BATCH_NORMS = {"BatchNormalization", "FusedBatchNormalization"}  # which take statistics of the batch
FEW_STEPS = 5  # an epoch: with fewer, weights hardly move
GAP, RISE = 0.15, 1.2  # accuracy of training over validation; the last validation loss over the best


@dataclass(frozen=True)
class Tip:
    """`kind` is "default", "check" or "warning"; `does` says what kcnn does about the tip."""

    kind: str
    does: str


for _name, _kind, _does in (
    ("pretrained weights for few pictures", "warning", "under 100 pictures a class without model.weights it says so"),
    ("a tenth of the rate when fine-tuning", "default", "train.fine_tune_factor = 0.1 after train.freeze_epochs"),
    ("norm after convolution, before activation", "default", "every block is built so"),
    ("small batches and batch norm", "warning", "under 8 pictures a batch, or a part of one, it proposes group norm"),
    ("He initialisation with ReLU", "default", "every kernel of a rectified network is drawn so"),
    ("global pooling instead of large dense layers", "default", "model.top = 'pooled'"),
    ("twice the filters at half the size", "default", "the tables of the families do so"),
    ("pictures to be mixed with", "warning", "a worker with one picture a step is told that it has none to mix"),
    ("batches nearly as large as the data", "warning", "under 5 steps an epoch it proposes a smaller batch"),
    ("overfitting", "warning", "a gap between training and validation is named, with what helps"),
    ("leakage", "check", "`kcnn check` names duplicates and groups across splits"),
    ("class imbalance", "warning", "a class ten times rarer than another is named; train.class_weights = 'balanced'"),
    ("the same preprocessing everywhere", "default", "one decoder and one frame in training, predict and exports"),
    ("gradients by layer", "warning", "TensorBoard has each norm; vanishing, exploding and dead units are named"),
    ("numbers that are none", "check", "the step is not taken, the first bad tensor named"),
    ("clipping", "default", "train.clip_norm; advised where gradients explode"),
    ("out of memory", "check", "one line with the settings that need less"),
    ("waiting for data", "warning", "the share of time is in the history; above 30 % it is named"),
    ("label smoothing, stochastic depth, weight decay", "default", "train.weight_decay = 1e-4, on kernels only"),
    ("which optimiser", "default", "adamw, the robust one; sgd with momentum may win the last points"),
):  # fmt: skip
    TIPS.add(_name, Tip(_kind, _does))


def before(recipe, facts, layers, workers=1):
    """What is to be said before a training: a list of one-line warnings. `layers` are those of the model.

    `workers`: among how many each batch is divided.
    """
    said = [_few(recipe, facts), _rare(recipe, facts), _small_batch(recipe, layers), _few_steps(recipe, facts)]
    said.append(_alone(recipe, workers))
    return [text for text in said if text]


def _few(recipe, facts):
    each = sum(facts.class_counts) / max(len(facts.class_counts), 1)
    if recipe.model.weights or each >= FEW or not facts.class_counts:
        return None
    augmented = recipe.augment != type(recipe.augment)()
    augment = "" if augmented else ", or augment (augment.flip_horizontal, augment.crop_area, …)"
    return f"{each:.0f} training pictures a class are few: start from trained weights (model.weights){augment}"


def _rare(recipe, facts):
    counts = dict(zip(facts.class_names, facts.class_counts, strict=False)) if facts.task == "labels" else {}
    if not counts or recipe.train.class_weights != "none" or recipe.train.focal_gamma:
        return None
    rarest, commonest = min(counts, key=counts.get), max(counts, key=counts.get)
    if counts[commonest] < RARE * max(counts[rarest], 1):
        return None
    return (
        f"class {rarest!r} has {counts[rarest]} training pictures and {commonest!r} {counts[commonest]}: set "
        "train.class_weights = 'balanced', and judge by the F1 of each class"
    )


def _small_batch(recipe, layers):
    parts = recipe.train.accumulate
    seen = recipe.train.batch_size // parts
    if seen >= SMALL_BATCH or BATCH_NORMS.isdisjoint(type(layer).__name__ for layer in layers):
        return None
    where = f" ({recipe.train.batch_size} in {parts} parts, train.accumulate)" if parts > 1 else ""
    return (
        f"batch norm over {seen} picture{'s' * (seen != 1)}{where} is noisy: train.batch_size = {SMALL_BATCH * parts} "
        "or more, or model.style = {norm = 'group'}"
    )


def _alone(recipe, workers):
    asked = [f"augment.{name}" for name in ("mixup", "cutmix", "mosaic", "copy_paste") if getattr(recipe.augment, name)]
    if not asked or recipe.train.batch_size // workers > 1:
        return None
    where = f" on each of {workers} workers" if workers > 1 else ""
    return (
        f"{' and '.join(asked)} cannot mix: a step sees one picture{where}; set train.batch_size = {2 * workers} or "
        "more, or switch it off"
    )


def _few_steps(recipe, facts):
    batch = recipe.train.batch_size
    steps, count = facts.steps_per_epoch(batch), facts.split_sizes.get("train", 0)
    if steps >= FEW_STEPS or batch <= SMALL_BATCH:
        return None
    return (
        f"{count} training pictures in batches of {batch} make {steps} step{'s' * (steps > 1)} an epoch: "
        f"train.batch_size = {max(SMALL_BATCH, batch // 4)} learns more in as many epochs"
    )


def after(history):
    """What the rows of a `history` show at the end: a list of one-line warnings."""
    if not history or "val_loss" not in history[0]:
        return []
    best, last = min(history, key=lambda row: row["val_loss"]), history[-1]
    rose = last["val_loss"] > RISE * best["val_loss"] and last["loss"] < best["loss"]
    gap = last.get("accuracy", 0) - last.get("val_accuracy", 0)
    if not rose and gap <= GAP:
        return []
    seen = f"training accuracy {last['accuracy']:.2f}, validation {last['val_accuracy']:.2f}" if gap > GAP else (
        f"the validation loss was best in epoch {best['epoch']:.0f} and rose from {best['val_loss']:.3f} to "
        f"{last['val_loss']:.3f} while the training loss fell"
    )  # fmt: skip
    return [f"overfitting: {seen}: more pictures, augmentation, train.weight_decay or model.dropout, or fewer epochs"]
