"""Where the stream's pictures come from: one function from a row of the plan to pictures in their frame."""

import numpy as np
import tensorflow as tf

from kcnn.data import array_rendering as arrays
from kcnn.data.decode import checked_header, to_channels
from kcnn.data.geometry import frame_matrix, is_aligned, is_plain, is_still, uncovers
from kcnn.data.headers import Header
from kcnn.data.policies import policy_of
from kcnn.data.rendering import View, render, render_view, view_of
from kcnn.data.resampling import as_type
from kcnn.data.samples import Arrays, Files
from kcnn.data.warping import SHARP
from kcnn.errors import UserError


def source(images, frame, framing, max_pixels, augment):
    """The picture source for `images` (Files, Encoded or Arrays).

    It is called with a row of the plan: one sample {"index": (), "draws": (slots,)}, or a whole batch of them if its
    `batched` is True; and gives pictures (..., *frame), uint8, or float32 for float data.
    """
    if not isinstance(images, Arrays):
        return EncodedPictures(images, frame, framing, max_pixels, augment)
    values = images.values
    if values.ndim != 4:
        return Signals(values, frame, augment)
    if values.dtype == np.uint8 and values.shape[-1] != frame[-1]:
        values = to_channels(tf.constant(values), frame[-1])
    if values.shape[-1] != frame[-1]:
        raise UserError(f"data.channels is {frame[-1]} but the data has {values.shape[-1]} channels of fractions")
    size = values.shape[1:3]
    same, small = tuple(size) == tuple(frame[:2]), arrays.are_small(size, frame)
    quick = same and (is_still(augment) or (small and is_plain(augment)))
    if augment is not None and small and not quick:
        if is_aligned(augment):
            quick = size[0] <= frame[0] and size[1] <= frame[1] or not is_plain(augment)
        else:
            quick = _most_shrink(size, frame, augment) <= SHARP
    return (ArrayBatches if quick else ArrayPictures)(values, frame, framing, augment)


def _most_shrink(size, frame, augment):
    """The most picture pixels that a frame pixel can span; of perspective, in the mean over a side."""
    policy = policy_of(augment)
    grows = augment.scale[0] * (1 - augment.perspective) / (policy.shrinks if policy else 1.0)
    return max(size[0] / frame[0], size[1] / frame[1]) / grows


class EncodedPictures:
    """Pictures in files or as bytes, one at a time."""

    batched = False

    def __init__(self, images, frame, framing, max_pixels, augment):
        self.from_files = isinstance(images, Files)
        items = images.paths if self.from_files else images.items
        self.items = items if tf.is_tensor(items) else tf.constant(list(items), tf.string)
        self.places = None if self.from_files or images.places is None else tf.constant(images.places)
        self.headers = None if images.headers is None else tf.constant(images.headers, tf.int32)
        self.frame, self.framing, self.max_pixels, self.augment = tuple(frame), framing, max_pixels, augment
        self.fill = _fill(augment, framing)

    def prepare(self, row):
        """What is cheaper for a whole batch of the plan than for one picture: all that needs no pixels."""
        if self.headers is None:
            return row
        headers = Header(*tf.unstack(tf.gather(self.headers, tf.maximum(row["index"], 0)), axis=-1))
        return row | {"header": tuple(headers), "view": tuple(self._view(headers, row.get("draws")))}

    def _view(self, headers, draws):
        matrices = frame_matrix(headers.upright_size(), self.frame, self.framing, self.augment, draws)
        return view_of(headers, matrices, self.frame)

    def __call__(self, row):
        place = tf.maximum(row["index"], 0)
        data = self.items[place if self.places is None else self.places[place]]
        data = tf.io.read_file(data) if self.from_files else data
        if "view" in row:
            header, view = Header(*row["header"]), View(*row["view"])
        else:
            header = checked_header(data, self.max_pixels)
            one = Header(*(field[None] for field in header))
            view = View(*(part[0] for part in self._view(one, row["draws"][None] if self.augment else None)))
        return render_view(data, header, view, self.frame, aligned=is_aligned(self.augment), fill=self.fill)


class ArrayPictures:
    """Pictures of one array, one at a time: large ones that are resized."""

    batched = False

    def __init__(self, values, frame, framing, augment):
        self.values, self.frame, self.framing, self.augment = tf.constant(values), tuple(frame), framing, augment
        self.size = tuple(self.values.shape[1:3])
        self.fill = _fill(augment, framing, self.values)

    def prepare(self, row):
        sizes = tf.tile([self.size], [tf.shape(row["index"])[0], 1])
        return row | {"matrix": frame_matrix(sizes, self.frame, self.framing, self.augment, row.get("draws"))}

    def __call__(self, row):
        picture = self.values[tf.maximum(row["index"], 0)]
        return render(picture, row["matrix"], self.frame, is_aligned(self.augment), self.fill)


class ArrayBatches:
    """Pictures of one array, a whole batch at a time."""

    batched = True

    def __init__(self, values, frame, framing, augment):
        self.values, self.frame, self.framing, self.augment = tf.constant(values), tuple(frame), framing, augment
        self.size = tuple(self.values.shape[1:3])
        self.fill = _fill(augment, "pad", self.values)

    def prepare(self, row):
        return row | {"picture": self(row)}

    def __call__(self, row):
        index = tf.maximum(row["index"], 0)
        same = self.size == self.frame[:2]
        if same and is_still(self.augment):
            return tf.gather(self.values, index)
        sizes = tf.tile([self.size], [tf.shape(index)[0], 1])
        matrices = frame_matrix(sizes, self.frame, self.framing, self.augment, row.get("draws"))
        if same and is_plain(self.augment):
            return arrays.move_batch(self.values, index, matrices, self.frame, self.fill)
        work = arrays.resize_batch if is_aligned(self.augment) else arrays.warp_frames
        seen = work(
            tf.gather(self.values, index), matrices, self.frame, self.fill, uncovers(self.augment, self.framing)
        )
        return as_type(seen, self.values.dtype)


class Signals:
    """Float data that is no picture: any rank, as it is."""

    batched = True

    def __init__(self, values, frame, augment):
        if tuple(values.shape[1:]) != tuple(frame):
            raise UserError(
                f"data of shape {values.shape[1:]} is given, and the network sees {tuple(frame)}: signals and volumes "
                f"are not resized; bring them to that shape"
            )
        if augment is not None and not (is_plain(augment) and augment.translation == 0 and not _flips(augment)):
            raise UserError("augment: flips, crops and other geometry need pictures (H, W, C); switch them off")
        self.values = tf.constant(values)

    def prepare(self, row):
        return row | {"picture": self(row)}

    def __call__(self, row):
        return tf.gather(self.values, tf.maximum(row["index"], 0))


def _flips(augment):
    return augment.flip_horizontal or augment.flip_vertical


def _fill(augment, framing, values=None):
    """What geometry uncovers: the recipe's grey level, the channels' means for float data, None if nothing is."""
    if not uncovers(augment, framing):
        return None
    if values is not None and values.dtype != tf.uint8:
        return tf.reduce_mean(values, [0, 1, 2])
    return float(0 if augment is None else augment.fill)
