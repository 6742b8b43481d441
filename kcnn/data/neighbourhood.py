"""Operations in which a pixel sees its neighbours, or chance of its own: sharpness, blur, noise, elastic."""

import tensorflow as tf

from kcnn.data.operations import operation
from kcnn.data.pointwise import cut
from kcnn.data.warping import sample

NODES = 7  # of the elastic field, along each side: displacements are smooth between them


@operation("sharpness", neutral=1.0, bounds=(-10, 10))
def sharpness(picture, amounts):
    """A factor on the distance from the smoothed picture, 0 smooths; borders stay (PIL's ImageEnhance.Sharpness)."""
    values = tf.cast(picture, tf.float32)
    if min(picture.shape[:2]) < 3:
        return picture
    inner = values[1:-1, 1:-1]
    rows = values[:-2] + values[1:-1] + values[2:]
    near = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    smooth = tf.floor((near + 4 * inner) / 13 + 0.5)
    change = (amounts[0] - 1) * (inner - smooth)
    return cut(values + tf.pad(change, [[1, 1], [1, 1], [0, 0]]) + 1e-3)


@operation("blur", neutral=0.0, bounds=(0, 20))
def blur(picture, amounts):
    """Standard deviation of a Gaussian blur, in pixels."""
    height, width, channels = picture.shape
    lines = _gaussian(height, amounts[0]) @ tf.reshape(tf.cast(picture, tf.float32), [height, -1])
    columns = tf.transpose(tf.reshape(lines, [height, width, channels]), [1, 0, 2])
    blurred = tf.reshape(_gaussian(width, amounts[0]) @ tf.reshape(columns, [width, -1]), [width, height, channels])
    return cut(tf.transpose(blurred, [1, 0, 2]) + 0.5)


def _gaussian(size, deviation):
    """(size, size): rows of weights about the diagonal that sum to 1, at the border too."""
    place = tf.range(size, dtype=tf.float32)
    distance = tf.math.square(place[:, None] - place) / (2 * tf.math.square(tf.maximum(deviation, 1e-2)))
    return tf.nn.softmax(-distance)


@operation("noise", neutral=0.0, bounds=(0, 128))
def noise(picture, amounts):
    """Standard deviation of normal noise on every value, in grey levels."""
    added = amounts[0] * tf.random.stateless_normal(picture.shape, seed_of(amounts))
    return cut(tf.cast(picture, tf.float32) + added + 0.5)


@operation("elastic", neutral=0.0, bounds=(0, 0.05), field="elastic")
def elastic(picture, amounts):
    """Standard deviation of a smooth random displacement, as a share of the sides (Simard et al. 2003)."""
    places = centres(picture.shape[:2]) + displacement(amounts, picture.shape[:2])
    return cut(sample(picture, places) + 0.5)


def displacement(amounts, size):
    """float32 (H, W, 2) as x, y: frame points are seen where this takes them. It fades towards the frame's border.

    `amounts` (3,) are the operation's. A picture, its mask and its boxes share it.
    """
    inner = tf.random.stateless_normal([NODES, NODES, 2], seed_of(amounts)) * amounts[0]
    nodes = tf.pad(inner * [float(size[1]), float(size[0])], [[1, 1], [1, 1], [0, 0]])
    return tf.image.resize(nodes, size, "bicubic")


def centres(size):
    """float32 (H, W, 2) as x, y: the centres of a frame's pixels."""
    return tf.stack(tf.meshgrid(*(tf.range(n, dtype=tf.float32) + 0.5 for n in size[::-1])), -1)


def seed_of(amounts):
    """int32 (2,): the seed of an operation's own chance, from its two spare numbers."""
    return tf.cast(amounts[1:] * 2.0**24, tf.int32)
