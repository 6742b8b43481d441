"""Operations that move the picture: matrices (B, 3, 3) from points of the frame to points of the frame before.

`amounts` (B,) are magnitudes, `sides` (2: width, height) those of the frame. They stand for what torchvision's
policies do to the whole picture, in the frame: rotation about its centre, shear about its top left corner.
"""

import math

import tensorflow as tf

from kcnn.data.operations import operation


@operation("rotation", neutral=0.0, bounds=(-180, 180), moves=True, turns=True)
def rotation(amounts, sides):
    """Degrees anticlockwise about the centre."""
    return about(sides / 2, turn(amounts * (math.pi / 180)))


@operation("shear_x", neutral=0.0, bounds=(-2, 2), moves=True, turns=True)
def shear_x(amounts, sides):
    """Slope by which rows slide, more the lower they are."""
    return affine(_linear(1.0, amounts, 0.0, 1.0))


@operation("shear_y", neutral=0.0, bounds=(-2, 2), moves=True, turns=True)
def shear_y(amounts, sides):
    """Slope by which columns slide, more the further right they are."""
    return affine(_linear(1.0, 0.0, amounts, 1.0))


@operation("translate_x", neutral=0.0, bounds=(-1, 1), moves=True)
def translate_x(amounts, sides):
    """Shift to the right, as a share of the width."""
    return move(tf.stack([-amounts * sides[0], tf.zeros_like(amounts)], -1))


@operation("translate_y", neutral=0.0, bounds=(-1, 1), moves=True)
def translate_y(amounts, sides):
    """Shift downwards, as a share of the height."""
    return move(tf.stack([tf.zeros_like(amounts), -amounts * sides[1]], -1))


@operation("slide_x", neutral=0.0, bounds=(-4096, 4096), moves=True)
def slide_x(amounts, sides):
    """Shift to the right, in pixels of the frame."""
    return translate_x(amounts / sides[0], sides)


@operation("slide_y", neutral=0.0, bounds=(-4096, 4096), moves=True)
def slide_y(amounts, sides):
    """Shift downwards, in pixels of the frame."""
    return translate_y(amounts / sides[1], sides)


@operation("zoom", neutral=1.0, bounds=(0.1, 10), moves=True)
def zoom(amounts, sides):
    """Factor by which the picture grows about its centre."""
    return about(sides / 2, _linear(1 / amounts, 0.0, 0.0, 1 / amounts))


@operation("mirror", moves=True)
def mirror(amounts, sides):
    """Left and right change places."""
    return about(sides / 2, _linear(tf.fill(tf.shape(amounts), -1.0), 0.0, 0.0, 1.0))


def perspective(shares, sides):
    """(B, 3, 3) that undoes a move of the frame's corners inwards by `shares` (B, 4, 2: x, y) of its half sides.

    Corners in the order top left, top right, bottom right, bottom left. Closed form of Heckbert 1989, section 2.2.3.
    """
    corners = tf.constant([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    quad = corners + shares / 2 * (1 - 2 * corners)
    a, b, c, d = tf.unstack(quad, axis=1)
    right, down, bend = b - c, d - c, a - b + c - d
    area = _cross(right, down)
    g, h = (_cross(bend, down) / area)[:, None], (_cross(right, bend) / area)[:, None]
    forth = tf.concat([tf.stack([b - a + g * b, d - a + h * d, a], -1), _last_row(g, h)], 1)
    return _scaled(sides) @ tf.linalg.inv(forth) @ _scaled(1 / sides)


def _cross(one, other):
    return one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]


def _last_row(g, h):
    return tf.stack([g, h, tf.ones_like(g)], -1)


def _scaled(factors):
    return tf.linalg.diag(tf.concat([factors, [1.0]], 0))


def turn(angles):
    """(B, 2, 2): rotations by `angles` (B,), clockwise as seen, as y points down."""
    cos, sin = tf.cos(angles), tf.sin(angles)
    return _linear(cos, -sin, sin, cos)


def _linear(*entries):
    """(B, 2, 2) of four entries, row by row, at least one of them (B,)."""
    shape = tf.shape(next(e for e in entries if tf.is_tensor(e)))
    return tf.reshape(tf.stack([tf.broadcast_to(e, shape) for e in entries], -1), [-1, 2, 2])


def affine(linear, offset=None):
    """(B, 3, 3) from (B, 2, 2) and (B, 2)."""
    offset = tf.zeros_like(linear[:, 0]) if offset is None else offset
    top = tf.concat([linear, offset[..., None]], -1)
    return tf.concat([top, tf.zeros_like(top[:, :1]) + [0.0, 0.0, 1.0]], 1)


def move(offset):
    """(B, 3, 3): points move by `offset` (B, 2)."""
    return affine(tf.eye(2, batch_shape=[tf.shape(offset)[0]]), offset)


def stretch(factors):
    """(B, 3, 3): x and y times `factors` (B, 2)."""
    return affine(tf.linalg.diag(factors))


def about(centre, linear):
    """(B, 3, 3): `linear` (B, 2, 2) about the point `centre` (2,)."""
    return affine(linear, centre - tf.linalg.matvec(linear, centre))
