"""Parts of pictures are blanked: random erasing, cutout and a grid, each a product of rows and columns.

Erasing: Zhong et al. 2017. Cutout: DeVries and Taylor 2017. Grid mask: Chen et al. 2020.
"""

import math

import tensorflow as tf

from kcnn.data import draws as drawing

AREA = (0.02, 1 / 3)  # share of the picture that is erased, as in the paper
RATIO = (0.3, 3.3)
GRID_SIDE = (96 / 224, 1.0)  # of a unit of the grid, as a share of the picture's, as in the paper
GRID_BLANK = 0.4  # side of the blank square in a unit: the paper's r = 0.6 is what is kept of it


def erase(pictures, probability, fill, draws):
    """Pictures (B, H, W, C) where a random rectangle is `fill` (a number or (C,)) with `probability`."""
    size = pictures.shape[1:3]
    area = drawing.between(draws, "erase_area", *AREA)
    ratio = tf.exp(drawing.between(draws, "erase_ratio", *map(math.log, RATIO)))
    sides = [tf.minimum(tf.sqrt(area * ratio), 1.0) * size[0], tf.minimum(tf.sqrt(area / ratio), 1.0) * size[1]]
    corners = [
        drawing.slot(draws, name) * (full - side)
        for name, full, side in zip(("erase_y", "erase_x"), size, sides, strict=True)
    ]
    rows, columns = spans(corners, sides, size)
    return blank(pictures, rows & (drawing.slot(draws, "erase") < probability)[:, None], columns, fill)


def cut_out(pictures, share, fill, draws):
    """Pictures where a square of `share` of the (shorter) side is `fill`; its centre lies anywhere in the picture."""
    size = pictures.shape[1:3]
    side = share * min(size)
    centres = [drawing.slot(draws, "cutout_y") * size[0], drawing.slot(draws, "cutout_x") * size[1]]
    return blank(pictures, *spans([centre - side / 2 for centre in centres], [side, side], size), fill)


def mask_grid(pictures, probability, fill, draws):
    """Pictures where squares of a grid of random unit and place are `fill`, with `probability`."""
    size = pictures.shape[1:3]
    unit = drawing.between(draws, "grid_side", *GRID_SIDE) * min(size)
    marks = []
    for name, count in zip(("grid_y", "grid_x"), size, strict=True):
        place = (tf.range(count, dtype=tf.float32) + 0.5) / unit[:, None] + drawing.slot(draws, name)[:, None]
        marks.append(place - tf.floor(place) < GRID_BLANK)
    chosen = drawing.slot(draws, "grid_mask") < probability
    return blank(pictures, marks[0] & chosen[:, None], marks[1], fill)


def spans(corners, sides, size):
    """[bool (B, H), bool (B, W)]: the rows and columns whose centres lie in rectangles `corners`, `sides` (y, x)."""
    marks = []
    for corner, side, count in zip(corners, sides, size, strict=True):
        centres = tf.range(count, dtype=tf.float32) + 0.5
        marks.append((centres >= corner[:, None]) & (centres < (corner + side)[:, None]))
    return marks


def blank(pictures, rows, columns, fill):
    """Pictures (B, H, W, C) that are `fill`, a number or (C,), where both `rows` (B, H) and `columns` (B, W) say so."""
    height, width, channels = pictures.shape[1:]
    kind = pictures.dtype
    columns = tf.repeat(columns, channels, -1)
    inside = tf.cast(rows, kind)[:, :, None] * tf.cast(columns, kind)[:, None, :]  # 1 or 0: arithmetic is far quicker
    values = tf.reshape(pictures, [-1, height, width * channels]) * (1 - inside)  # than tf.where
    filled = values + inside * tf.tile(tf.broadcast_to(tf.cast(fill, kind), [channels]), [width])
    return tf.reshape(filled, tf.shape(pictures))
