"""Colour and light as a program: stages of table, matrix, table, composed a sample and applied to a whole batch.

Operations that change each channel alone are tables of 256 levels; neighbouring tables compose exactly into one.
Operations across channels are 3 x 3 matrices. Values are clipped and cut to whole numbers between stages, as PIL's
8-bit code does, so that a sequence gives PIL's picture. A new operation is one entry of TABLES or MATRICES.

PCA colour is that of Krizhevsky et al. 2012, with the axes of ImageNet's colours.
"""

import itertools

import tensorflow as tf

from kcnn.data import draws as drawing
from kcnn.registry import Registry

LUMA = (0.299, 0.587, 0.114)
PCA_VALUES = (0.2175, 0.0188, 0.0045)
PCA_AXES = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))

TABLES = Registry("point-wise table")
MATRICES = Registry("point-wise matrix")


@TABLES.register("brightness")
def brightness(levels, amounts, mean):
    """PIL's ImageEnhance.Brightness: `amounts` (B, 1) are factors."""
    return levels * amounts[:, :, None]


@TABLES.register("contrast")
def contrast(levels, amounts, mean):
    """PIL's ImageEnhance.Contrast: away from the picture's `mean` (B,) grey, a whole number, by factors (B, 1)."""
    grey = mean[:, None, None]
    return grey + amounts[:, :, None] * (levels - grey)


@TABLES.register("shift")
def shift(levels, amounts, mean):
    """`amounts` (B, C) are added to the channels."""
    return levels + tf.round(amounts)[:, :, None]


@MATRICES.register("saturation")
def saturation(amounts):
    """PIL's ImageEnhance.Color: away from grey by factors (B, 1); (B, 3, 3) for rows of pixels."""
    factor = amounts[:, :, None]
    return factor * tf.eye(3) + (1 - factor) * tf.constant([[weight] * 3 for weight in LUMA])


def run(pictures, steps, matrices=1):
    """Pictures (B, H, W, C) uint8 after all `steps`, a list of {name: (chosen bool (B,), amounts (B, 1 or C))}.

    In each step a sample has at most one operation; where none is chosen it stays as it is. No sample may have more
    than `matrices` operations across channels; grey pictures ignore those. Each round does, for every sample, its
    tables up to the next matrix, and that matrix; so two tables and one matrix do for any one sequence.
    """
    if pictures.shape[-1] == 1:
        steps = [{name: row for name, row in step.items() if name not in MATRICES} for step in steps]
    if not any(name in MATRICES for step in steps for name in step):
        matrices = 0
    progress = tf.zeros(tf.shape(pictures)[:1], tf.int32)
    for _ in range(matrices):
        table, matrix, progress = _round(pictures, steps, progress)
        pictures = _apply_matrix(_apply_table(pictures, table), matrix)
    table, _, _ = _round(pictures, steps, progress)
    return _apply_table(pictures, table)


def _round(pictures, steps, progress):
    """(table (B, C, 256), matrix (B, 3, 3), progress (B,)): what each sample does from step `progress` on."""
    count, channels = tf.shape(pictures)[0], pictures.shape[-1]
    levels = tf.tile(tf.range(256, dtype=tf.float32)[None, None], [count, channels, 1])
    matrix = tf.eye(3, batch_shape=[count])
    going = tf.fill([count], True)
    histogram = _histogram(pictures) if any("contrast" in step for step in steps) else None
    for number, step in enumerate(steps):
        at_it = going & (progress == number)
        before = levels
        for name, (chosen, amounts) in step.items():
            now = (at_it & chosen)[:, None, None]
            if name in MATRICES:
                matrix = tf.where(now, MATRICES[name](amounts), matrix)
                going &= ~now[:, 0, 0]
            else:
                mean = _mean_grey(histogram, before) if name == "contrast" else None
                changed = tf.floor(tf.clip_by_value(TABLES[name](before, amounts, mean), 0.0, 255.0))
                levels = tf.where(now, changed, levels)
        progress += tf.cast(at_it, tf.int32)
    return levels, matrix, progress


def _histogram(pictures):
    """(B, C, 256): the share of each level."""
    height, width, channels = pictures.shape[1:]
    planes = tf.reshape(tf.transpose(pictures, [0, 3, 1, 2]), [-1, height * width])
    counts = tf.math.bincount(tf.cast(planes, tf.int32), minlength=256, maxlength=256, axis=-1)
    return tf.reshape(tf.cast(counts, tf.float32), [-1, channels, 256]) / (height * width)


def _mean_grey(histogram, levels):
    """(B,): the mean grey after the table `levels`, a whole number like PIL's."""
    means = tf.reduce_sum(histogram * levels, -1)
    return tf.floor((tf.reduce_sum(means * LUMA, -1) if means.shape[-1] == 3 else means[:, 0]) + 0.5)


def _apply_table(pictures, table):
    """Each value replaced by that of `table` (B, C, 256), unless all tables leave all values alone."""
    count, channels = tf.shape(pictures)[0], pictures.shape[-1]
    rows = tf.reshape(tf.range(count * channels) * 256, [-1, 1, 1, channels])
    flat = tf.reshape(tf.cast(table, tf.uint8), [-1])
    same = tf.reduce_all(table == tf.range(256, dtype=tf.float32))
    return tf.cond(same, lambda: pictures, lambda: tf.gather(flat, rows + tf.cast(pictures, tf.int32)))


def _apply_matrix(pictures, matrix):
    height, width = pictures.shape[1:3]
    pixels = tf.reshape(tf.cast(pictures, tf.float32), [-1, height * width, 3]) @ matrix
    pixels = tf.cast(tf.clip_by_value(pixels + 1e-3, 0.0, 255.0), tf.uint8)
    return tf.reshape(pixels, [-1, height, width, 3])


def jitter(pictures, augment, draws):
    """Brightness, contrast, saturation and PCA colour as the recipe's `augment` says, in an order drawn a sample."""
    colour = pictures.shape[-1] == 3
    active = {}
    for name in ("brightness", "contrast", "saturation"):
        reach = getattr(augment, name)
        if reach and (colour or name != "saturation"):
            active[name] = drawing.between(draws, name, 1 - reach, 1 + reach)[:, None]
    if augment.pca_colour and colour:
        active["shift"] = _pca(augment.pca_colour, draws)
    if not active:
        return pictures
    orders = list(itertools.permutations(range(len(active))))
    drawn = tf.gather(tf.constant(orders), tf.cast(drawing.slot(draws, "order") * len(orders), tf.int32))
    names = list(active)
    steps = [{n: (drawn[:, k] == i, active[n]) for i, n in enumerate(names)} for k in range(len(names))]
    return run(pictures, steps)


def _pca(deviation, draws):
    """(B, 3) of grey levels: normal amounts of `deviation` along the principal axes of ImageNet's colours."""
    amounts = tf.stack([drawing.normal(drawing.slot(draws, f"pca_{i}")) for i in (1, 2, 3)], -1) * deviation
    return tf.linalg.matvec(tf.constant(PCA_AXES), amounts * tf.constant(PCA_VALUES)) * 255.0
