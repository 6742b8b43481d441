"""The geometry: as sharp as a supersampled reference, and the same for pictures, boxes and masks."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kcnn.data import draws as drawing
from kcnn.data.annotations import transform_boxes, transform_mask
from kcnn.data.decode import checked_header
from kcnn.data.geometry import frame_matrix
from kcnn.data.pictures import ArrayBatches, ArrayPictures, source
from kcnn.data.rendering import fit_to_frame, frame_from_bytes, render, render_encoded
from kcnn.data.samples import Arrays, Samples, numbered
from kcnn.data.stream import batches
from kcnn.recipe import Augment

MANY = 100_000_000
SIDE = 384


@pytest.fixture(scope="module")
def photo():
    from sklearn.datasets import load_sample_image

    return load_sample_image("flower.jpg")[:SIDE, 100 : 100 + SIDE]


def seen_at(picture, x, y, smooth):
    """Values at continuous places: pixel squares, or bilinear between centres where `smooth`."""
    height, width = picture.shape[:2]
    if not smooth:
        return picture[np.clip(y, 0, height - 1).astype(int), np.clip(x, 0, width - 1).astype(int)].astype(float)
    x, y = np.clip(x - 0.5, 0, width - 1), np.clip(y - 0.5, 0, height - 1)
    x0, y0 = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    fx, fy, p = (x - x0)[..., None], (y - y0)[..., None], picture.astype(float)
    low, high = (p[r, x0] * (1 - fx) + p[r, x0 + 1] * fx for r in (y0, y0 + 1))
    return low * (1 - fy) + high * fy


def supersampled(picture, matrix, frame, smooth, times=12):
    """The mean of times x times samples within each pixel of the frame."""
    places = [(np.arange(n)[:, None] + (np.arange(times) + 0.5) / times).ravel() for n in (frame[1], frame[0])]
    x, y = np.meshgrid(*places)
    points = np.stack([x, y, np.ones_like(x)], -1) @ matrix.T
    values = seen_at(picture, points[..., 0] / points[..., 2], points[..., 1] / points[..., 2], smooth)
    return values.reshape(frame[0], times, frame[1], times, -1).mean((1, 3))


def psnr(one, other):
    return 10 * np.log10(255**2 / max(np.mean((np.asarray(one, float) - other) ** 2), 1e-9))


ENCODERS = {
    "png": tf.io.encode_png,
    "jpeg": lambda picture: tf.io.encode_jpeg(picture, quality=98, chroma_downsampling=False),
}


def shown(item):
    """The encoded picture's own pixels (a JPEG's after its loss)."""
    if item.numpy().startswith(b"\x89PNG"):
        return tf.io.decode_png(item).numpy()
    return tf.io.decode_jpeg(item, dct_method="INTEGER_ACCURATE").numpy()


def centred(scale, frame, angle=0.0, centre=(SIDE / 2, SIDE / 2)):
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    matrix = np.eye(3)
    matrix[:2, :2] = np.array([[cos, sin], [-sin, cos]]) / scale
    matrix[:2, 2] = np.array(centre) - matrix[:2, :2] @ [frame[1] / 2, frame[0] / 2]
    return matrix


@pytest.mark.parametrize("scale", [1 / 8, 1 / 6, 1 / 4, 0.3, 1 / 2, 0.6, 0.75, 1, 1.25, 2, 4])
def test_frames_are_as_sharp_as_a_supersampled_reference(photo, scale):
    """At least 35 dB, from PNG and from JPEG: the whole picture, a window between pixels and a rotated one."""
    side = 48 if scale > 0.15 else 40
    frame = (side, side, 3)
    extent = round(side / scale)
    part = photo[:extent, :extent]
    for kind, encode in ENCODERS.items():
        item = encode(part)
        reference = supersampled(shown(item), np.diag([extent / side, extent / side, 1]), frame, scale > 1)
        assert psnr(frame_from_bytes(item, frame, "crop", MANY), reference) >= 35, kind
    frame = frame if scale > 0.13 else (28, 28, 3)
    for angle in (0, 17):
        matrix = centred(scale, frame, angle, (190.3, 185.7))
        for kind, encode in ENCODERS.items():
            item = encode(photo)
            seen = render_encoded(
                item, checked_header(item, MANY), tf.constant(matrix, tf.float32), frame, aligned=angle == 0, fill=0.0
            )
            assert psnr(seen, supersampled(shown(item), matrix, frame, scale > 1)) >= 35, (kind, angle)


def test_a_bare_warp_would_alias(photo):
    """What the prefilter is for (and that the reference can tell)."""
    frame = (40, 40, 3)
    matrix = tf.constant(centred(1 / 6, frame, 17), tf.float32)
    from kcnn.data.warping import warp_batch

    bare = warp_batch(photo[None], matrix[None], frame[:2], 0.0)[0]
    reference = supersampled(photo, matrix.numpy(), frame, False)
    assert psnr(bare, reference) < 30 < psnr(render(photo, matrix, frame, False, 0.0), reference) - 3


def some_draws(count, seed=0):
    return drawing.uniform(seed, tf.zeros(count, tf.int64), tf.range(count, dtype=tf.int64))


STRONG = Augment(
    flip_horizontal=0.5, flip_vertical=0.5, crop_area=(0.4, 1), scale=(0.8, 1.3), rotation=30, shear=10, translation=0.1
)
ALIGNED = STRONG.model_copy(update={"rotation": 0, "shear": 0})


@pytest.mark.parametrize("augment", [STRONG, ALIGNED])
def test_boxes_and_masks_agree_with_the_picture(augment):
    """A bright ellipse is found in the frame where its box and its mask say, within a pixel."""
    y, x = np.mgrid[:120, :150] + 0.5
    inside = ((x - 70) / 30) ** 2 + ((y - 60) / 18) ** 2 < 1
    picture = np.repeat(inside[..., None] * np.uint8(255), 3, -1)
    frame = (100, 90, 3)
    matrices = frame_matrix(tf.constant([[120, 150]] * 12), frame, "crop", augment, some_draws(12))
    for matrix in matrices:
        seen = render(picture, matrix, frame, augment is ALIGNED, 0.0).numpy()[..., 0] > 127
        mask = transform_mask(tf.constant(inside, tf.int32), matrix, frame).numpy() > 0
        edge = np.abs(np.gradient(mask.astype(float))).sum(0) > 0
        assert not ((seen != mask) & ~edge).any()
        if not seen.any():
            continue
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        box = transform_boxes(tf.constant([[40.0, 42.0, 100.0, 78.0]]), matrix, frame)[0].numpy()
        if augment is ALIGNED:
            np.testing.assert_allclose(box, found, atol=1.01)
        else:
            assert (box[:2] <= found[:2] + 1).all() and (box[2:] >= found[2:] - 1).all()


def test_a_box_that_leaves_the_frame_has_no_area():
    matrix = frame_matrix(tf.constant([[40, 100]]), (40, 40, 3), "crop")[0]
    box = transform_boxes(tf.constant([[0.0, 0.0, 20.0, 40.0]]), matrix, (40, 40))[0].numpy()
    assert (box[2] - box[0]) * (box[3] - box[1]) == 0


@pytest.mark.parametrize(
    "augment",
    [
        Augment(flip_horizontal=0.5, flip_vertical=0.5, translation=0.2, fill=9),
        Augment(flip_horizontal=0.5, crop_area=(0.3, 1)),
        Augment(scale=(0.7, 1.4), translation=0.2, fill=200),
        Augment(rotation=20, shear=5, fill=40),
        None,
    ],
)
@pytest.mark.parametrize("frame", [(20, 24, 3), (28, 32, 3)])
def test_batches_of_arrays_equal_single_pictures(photo, augment, frame):
    values = np.stack([photo[i : i + 20, i : i + 24] for i in range(0, 80, 10)])
    draws = some_draws(8)
    row = {"index": tf.range(8, dtype=tf.int64), "draws": draws}
    together = ArrayBatches(values, frame, "crop", augment)(row).numpy()
    single = ArrayPictures(values, frame, "crop", augment)
    matrices = single.prepare(row)["matrix"]
    for i in range(8):
        alone = single({"index": i, "matrix": matrices[i]}).numpy()
        assert np.abs(together[i].astype(int) - alone).mean() < (1.5 if augment and augment.crop_area else 0.6)


ZOOM = {"choices": [{"operation": "zoom", "low": 0.3, "high": 0.3}]}


@pytest.mark.parametrize("augment", [Augment(perspective=0.8), Augment(rotation=5, steps=[ZOOM])])
def test_small_arrays_are_made_smaller_with_antialiasing_whatever_shrinks_them(photo, augment):
    """Nearer to the supersampled reference than a bare warp of the batch, over all samples."""
    values, frame, draws = photo[None, 100:164, 100:164], (64, 64, 3), some_draws(24)
    row = {"index": tf.zeros(24, tf.int64), "draws": draws}
    chosen = source(Arrays(values), frame, "crop", MANY, augment)
    assert isinstance(chosen, ArrayPictures)
    matrices = chosen.prepare(row)["matrix"]
    together = ArrayBatches(values, frame, "crop", augment)(row).numpy()
    off = [[], []]
    for i in range(24):
        made = chosen({"index": 0, "matrix": matrices[i]}).numpy()
        reference = supersampled(values[0], matrices[i].numpy(), frame, False, 6)
        points = np.stack(np.meshgrid(*[np.arange(64) + 0.5] * 2), -1).reshape(-1, 2)
        seen = np.c_[points, np.ones(len(points))] @ matrices[i].numpy().T
        places = seen[:, :2] / seen[:, 2:]
        inside = ((places > 2) & (places < 62)).all(1).reshape(64, 64)
        for kept, frames in zip(off, (made, together[i]), strict=True):
            kept.append(((frames - reference) ** 2)[inside].mean())
    assert np.mean(off[0]) < 0.8 * np.mean(off[1]), (np.mean(off[0]), np.mean(off[1]))


def test_small_arrays_that_hardly_shrink_stay_batches(photo):
    for augment in (Augment(perspective=0.2), Augment(rotation=9), Augment(policy="randaugment")):
        assert isinstance(source(Arrays(photo[None, :64, :64]), (64, 64, 3), "crop", MANY, augment), ArrayBatches)


def test_whole_pixels_are_only_moved(photo):
    values = photo[None, :20, :24]
    frames = ArrayBatches(values, (20, 24, 3), "crop", Augment(flip_horizontal=1.0))(
        {"index": tf.zeros(1, tf.int64), "draws": some_draws(1)}
    )
    np.testing.assert_array_equal(frames, values[:, :, ::-1])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 40), st.integers(1, 40), st.sampled_from("csp"))
def test_any_size_fits_any_frame(height, width, rows, columns, framing):
    framing = {"c": "crop", "s": "stretch", "p": "pad"}[framing]
    picture = np.full((height, width, 3), 77, np.uint8)
    frame = fit_to_frame(tf.constant(picture), (rows, columns, 3), framing).numpy()
    assert frame.shape == (rows, columns, 3)
    assert set(np.unique(frame)) <= ({77} if framing != "pad" else {0, 77})
    thinnest = min(height, width) * min(rows / height, columns / width)
    assert (frame == 77).any() or (framing == "pad" and thinnest < 1), "less than a pixel high it may fall between rows"


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 1000), st.booleans())
def test_any_size_survives_any_change(height, width, seed, aligned):
    augment = (ALIGNED if aligned else STRONG).model_copy(update={"fill": 77})
    item = tf.io.encode_jpeg(np.full((height, width, 3), 77, np.uint8), quality=100)
    header = checked_header(item, MANY)
    matrix = frame_matrix([[height, width]], (16, 12, 3), "crop", augment, some_draws(1, seed))[0]
    frame = render_encoded(item, header, matrix, (16, 12, 3), aligned=aligned, fill=77.0).numpy()
    assert frame.shape == (16, 12, 3) and np.abs(frame.astype(int) - 77).max() <= 2


def test_framings_show_what_they_say(photo):
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = 255
    item = tf.io.encode_png(picture)
    shown = {f: frame_from_bytes(item, (40, 40, 3), f, MANY).numpy()[..., 0] for f in ("crop", "stretch", "pad")}
    assert shown["crop"].min() == 255
    assert (shown["stretch"][:, :9] == 0).all() and (shown["stretch"][:, 11:29] == 255).all()
    assert (shown["pad"][:9] == 0).all() and (shown["pad"][11:29, 11:29] == 255).all()


def test_random_crops_cover_the_area_they_should():
    augment = Augment(crop_area=(0.25, 0.75))
    matrices = frame_matrix(tf.constant([[400, 500]] * 2000), (32, 32, 3), "crop", augment, some_draws(2000)).numpy()
    areas = matrices[:, 0, 0] * matrices[:, 1, 1] * 32 * 32 / (400 * 500)
    assert areas.min() > 0.2 and areas.max() < 0.76 and abs(areas.mean() - 0.5) < 0.02
    low, extent = matrices[:, :2, 2], np.stack([matrices[:, 0, 0], matrices[:, 1, 1]], -1) * 32
    assert low.min() > -0.01 and (low + extent - [500, 400]).max() < 0.01


def test_native_windows_keep_every_pixel(rng):
    picture = rng.integers(0, 256, (9, 40, 3), np.uint8)
    seen = fit_to_frame(tf.constant(picture), (16, 16, 3), "native").numpy()
    assert (seen[4:13] == picture[:, 12:28]).all() and not seen[:4].any() and not seen[13:].any()
    images = Arrays(np.stack([picture] * 64))
    samples = Samples(images, np.arange(64, dtype=np.int32) % 2, numbered(64))
    batch = next(iter(batches(samples, (8, 16, 3), 64, training=True, num_classes=2, framing="native")))
    starts = set()
    for frame in batch["image"].numpy():
        windows = np.lib.stride_tricks.sliding_window_view(picture, frame.shape)[:, :, 0]
        places = np.argwhere((windows == frame).all((2, 3, 4)))
        assert len(places) == 1, "a window of the picture, pixel by pixel"
        starts.add(tuple(places[0]))
    assert {y for y, _ in starts} == {0, 1} and len({x for _, x in starts}) > 15
