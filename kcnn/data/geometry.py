"""Geometry: every change of place multiplies into one matrix a sample, which is applied once.

A matrix (B, 3, 3) takes a point (x, y, 1) of the frame to the point of the picture that is seen there. Both are
continuous: pixel i covers [i, i + 1), and its centre is i + 0.5. In the order in which a picture meets them: window
(random crop, or framing), zoom, rotation, shear, flips, shift, perspective, and what a policy drew. Boxes and masks go
through the same matrix.
"""

import math

import tensorflow as tf

from kcnn.data import draws as drawing
from kcnn.data.motions import affine, move, perspective, stretch
from kcnn.data.policies import policy_of

MARGINS = ("pad", "native")  # framings whose frames may show what is around the picture
SPARE, SPARE_TURNED = 1.5, 2.0  # resolution kept beyond the frame's for the last step: less blurs, more costs time


def decode_ratio(shrink, aligned=True):
    """int32 (...): the largest of 1, 2, 4, 8 by which a JPEG may be reduced while it is decoded.

    `shrink` (..., 2): picture pixels a frame pixel, along both axes. `aligned` (...): rows stay rows.
    """
    spare = tf.where(aligned, SPARE, SPARE_TURNED)[..., None]
    enough = tf.reduce_min(shrink, -1)[..., None] >= spare * tf.constant([2.0, 4.0, 8.0])
    return tf.reduce_sum(tf.where(enough, [1, 2, 4], 0), -1) + 1


def is_aligned(augment):
    """True where rows stay rows in every sample, so that the cheap antialiased resize is enough."""
    policy = policy_of(augment)
    return augment is None or not (
        augment.rotation or augment.shear or augment.perspective or (policy is not None and policy.turns)
    )


def is_still(augment):
    """True where no sample is moved at all."""
    moves = ("flip_horizontal", "flip_vertical", "translation")
    return is_plain(augment) and (augment is None or not any(getattr(augment, name) for name in moves))


def is_plain(augment):
    """True where whole pixels only move: flips and shifts, no window and no zoom."""
    if augment is None:
        return True
    zooms = augment.crop_area is not None or augment.scale != (1.0, 1.0)
    return not zooms and is_aligned(augment) and not _policy_moves(augment)


def uncovers(augment, framing):
    """True where the frame may show what lies outside the picture."""
    return _window_uncovers(augment, framing) or _policy_moves(augment)


def _window_uncovers(augment, framing):
    """The same, for all but a policy's moves: where it is False, windows can be whole pixels."""
    if framing in MARGINS or augment is None:
        return framing in MARGINS
    turned = augment.rotation or augment.shear or augment.perspective
    return bool(turned or augment.scale[0] < 1 or augment.translation > 0)


def _policy_moves(augment):
    policy = policy_of(augment)
    return policy is not None and bool(policy.moves)


def frame_matrix(sizes, frame, framing, augment=None, draws=None):
    """float32 (B, 3, 3) for upright pictures of `sizes` (B, 2: height, width) seen through `frame` (H, W, ...).

    `framing`: crop (the largest centred window of the frame's shape), stretch (all of it), pad (all of it, and what is
    around) or native (a window of the frame's own size: the centred one, with `augment` any). With `augment`
    (recipe.Augment) the change drawn by `draws` (B, slots) is in it.
    """
    sizes = tf.cast(sizes, tf.float32)
    sides = tf.constant([frame[1], frame[0]], tf.float32)
    centre, extent = _window(sizes[:, ::-1], sides, framing)
    count = tf.shape(sizes)[0]
    matrix = move(tf.tile([-sides / 2], [count, 1]))
    if augment is not None:
        if augment.crop_area is not None:
            centre, extent = _crop(sizes[:, ::-1], augment, draws)
        elif framing == "native":
            centre = _placed(sizes[:, ::-1], sides, _crop_place(draws))
        extent = extent / drawing.between(draws, "scale", *augment.scale)[:, None]
        matrix = _turn(augment, draws) @ _shift(augment, draws, sides) @ matrix
        if augment.perspective:
            matrix = matrix @ _perspective(augment, draws, sides)
    whole = not _window_uncovers(augment, framing)
    if whole:
        centre, extent = _whole(centre, extent, sizes[:, ::-1], sides)
    matrix = move(centre) @ stretch(extent / sides) @ matrix
    if not _policy_moves(augment):
        return matrix
    moved = matrix @ policy_of(augment).matrix(draws, sides)
    return _by_whole_pixels(matrix, moved, _grain(extent, sides)) if whole else moved


def _window(sizes, sides, framing):
    """(centre, extent), each (B, 2) in x, y, of the window that `framing` chooses."""
    if framing == "stretch":
        return sizes / 2, sizes
    if framing == "native":
        return _placed(sizes, sides, 0.5), sides + tf.zeros_like(sizes)
    ratio = sizes / sides
    reduce = tf.reduce_min if framing == "crop" else tf.reduce_max
    return sizes / 2, sides * reduce(ratio, -1, keepdims=True)


def _placed(sizes, sides, place):
    """The centre of a window of `sides` at whole pixels, at `place` (0 to 1) of the room that it has, if any."""
    low = tf.where(sizes > sides, tf.round((sizes - sides) * place), tf.floor((sizes - sides) / 2))
    return low + sides / 2


def _whole(centre, extent, sizes, sides):
    """The window moved to whole pixels (of the reduced picture, where a JPEG is reduced), inside the picture.

    It moves by at most half a pixel; what begins and ends at pixels is decoded without a margin and resized by far
    quicker kernels.
    """
    grain = _grain(extent, sides)
    room = tf.maximum(tf.floor(sizes / grain), 1.0)
    count = tf.clip_by_value(tf.round(extent / grain), 1.0, room)
    low = tf.clip_by_value(tf.round((centre - extent / 2) / grain), 0.0, room - count)
    return (low + count / 2) * grain, count * grain


def _grain(extent, sides):
    """(B, 1): picture pixels along a pixel of the JPEG as it will be reduced."""
    return tf.cast(decode_ratio(extent / sides), tf.float32)[:, None]


def _by_whole_pixels(matrix, moved, grain):
    """`moved` with its offset from `matrix` rounded to whole pixels, for which resizing is quicker."""
    offset = matrix[:, :2, 2]
    return affine(moved[:, :2, :2], offset + tf.round((moved[:, :2, 2] - offset) / grain) * grain)


def _crop(sizes, augment, draws):
    """A window of random area, shape and place; where it would not fit it is cut, not drawn again."""
    area = drawing.between(draws, "crop_area", *augment.crop_area) * sizes[:, 0] * sizes[:, 1]
    ratio = tf.exp(drawing.between(draws, "crop_ratio", *map(math.log, augment.crop_ratio)))
    extent = tf.minimum(tf.sqrt(tf.stack([area * ratio, area / ratio], -1)), sizes)
    return extent / 2 + _crop_place(draws) * (sizes - extent), extent


def _crop_place(draws):
    return tf.stack([drawing.slot(draws, "crop_x"), drawing.slot(draws, "crop_y")], -1)


def _turn(augment, draws):
    """Undoes rotation, then shear, then flips, about the origin; angles are true in the frame."""
    angle = math.radians(augment.rotation) * drawing.between(draws, "rotation", -1.0, 1.0)
    slope = tf.tan(math.radians(augment.shear) * drawing.between(draws, "shear", -1.0, 1.0))
    signs = [_sign(draws, "flip_horizontal", augment), _sign(draws, "flip_vertical", augment)]
    if is_aligned(augment):
        return stretch(tf.stack(signs, -1))
    cos, sin = tf.cos(angle), tf.sin(angle)
    linear = tf.stack([tf.stack([cos, sin], -1), tf.stack([-sin, cos], -1)], -2)
    sheared = tf.stack([linear[:, :, 0], linear[:, :, 1] - slope[:, None] * linear[:, :, 0]], -1)
    return affine(sheared * tf.stack(signs, -1)[:, None, :])


def _sign(draws, name, augment):
    return tf.where(drawing.slot(draws, name) < getattr(augment, name), -1.0, 1.0)


def _shift(augment, draws, sides):
    """Undoes the shift, a share of the frame's sides; pictures that are only moved are moved by whole pixels."""
    share = tf.stack([drawing.between(draws, name, -1.0, 1.0) for name in ("shift_x", "shift_y")], -1)
    shift = share * augment.translation * sides
    return move(-(tf.round(shift) if is_plain(augment) else shift))


def _perspective(augment, draws, sides):
    """Undoes a move of the frame's corners inwards, each by a share of its own."""
    shares = tf.stack([drawing.slot(draws, f"perspective_{i}") for i in range(8)], -1)
    return perspective(tf.reshape(shares, [-1, 4, 2]) * augment.perspective, sides)


def transform_points(points, matrix):
    """Points (..., N, 2) as x, y under `matrix` (..., 3, 3)."""
    moved = tf.matmul(tf.concat([points, tf.ones_like(points[..., :1])], -1), matrix, transpose_b=True)
    return moved[..., :2] / moved[..., 2:]
