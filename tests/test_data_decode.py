"""One decoder: equal to PIL for every format, upright in all eight orientations, never failing its neighbours."""

import functools
import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from kcnn import data
from kcnn.data.decode import decode
from kcnn.data.headers import FORMATS, read_header
from kcnn.data.rendering import frames_from_bytes
from kcnn.data.samples import as_strings
from kcnn.recipe import Augment

MANY = 100_000_000


@pytest.fixture(scope="module")
def photo():
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image("flower.jpg")[100:197, 200:331])


@pytest.fixture(scope="module")
def safe():
    """{channels: function (bytes) → (picture, True), or (None, False) where the decoder's graph fails}."""
    signature = [tf.TensorSpec([], tf.string)]
    graphs = {c: tf.function(lambda b, c=c: decode(b, c, MANY), signature, autograph=False) for c in (1, 3)}

    def look(graph, content):
        try:
            return graph(content), True
        except tf.errors.InvalidArgumentError:
            return None, False

    return {c: functools.partial(look, graph) for c, graph in graphs.items()}


def save(picture, format, **options):
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


KINDS = {
    "jpeg": lambda p: save(p, "JPEG"),
    "jpeg grey": lambda p: save(p.convert("L"), "JPEG"),
    "jpeg progressive": lambda p: save(p, "JPEG", progressive=True),
    "png": lambda p: save(p, "PNG"),
    "png palette": lambda p: save(p.quantize(64), "PNG"),
    "png alpha": lambda p: save(p.convert("RGBA"), "PNG"),
    "png grey alpha": lambda p: save(p.convert("LA"), "PNG"),
    "png bits": lambda p: save(p.convert("1"), "PNG"),
    "gif": lambda p: save(p, "GIF"),
    "gif of two": lambda p: save(p, "GIF", save_all=True, append_images=[p.rotate(20)]),
    "bmp": lambda p: save(p, "BMP"),
    "bmp palette": lambda p: save(p.quantize(64), "BMP"),
    "bmp grey": lambda p: save(p.convert("L"), "BMP"),
    "bmp alpha": lambda p: save(p.convert("RGBA"), "BMP"),
    "webp": lambda p: save(p, "WEBP"),
    "webp lossless": lambda p: save(p, "WEBP", lossless=True),
    "webp alpha": lambda p: save(_see_through(p), "WEBP", lossless=True, exact=True),
}


def _see_through(picture):
    picture = picture.convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_equals_pil(photo, safe, kind):
    content = KINDS[kind](photo)
    expected = Image.open(io.BytesIO(content)).convert("RGB")
    header = read_header(tf.constant(content))
    assert FORMATS[int(header.format)] == kind.split()[0]
    assert (int(header.height), int(header.width)) == (97, 131)
    for channels, mode in ((3, "RGB"), (1, "L")):
        picture, ok = safe[channels](content)
        assert ok
        difference = np.abs(np.squeeze(picture).astype(int) - np.asarray(expected.convert(mode)))
        own_grey = channels == 1 and kind.startswith("jpeg")  # the file's luma, before colours are clipped
        assert difference.mean() < 0.5 if own_grey else difference.max() == 0


def test_sixteen_bits_become_eight(safe):
    levels = np.arange(0, 65536, 64, np.uint16).reshape(32, 32)
    picture, ok = safe[1](save(Image.fromarray(levels), "PNG"))
    assert ok and np.abs(picture[..., 0] - levels / 257).max() <= 1


def oriented(picture, orientation, endian="<"):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.endian = endian
    return save(picture, "JPEG", quality=95, subsampling=0, exif=exif.tobytes())


@pytest.mark.parametrize("endian", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_undone(photo, safe, orientation, endian):
    content = oriented(photo, orientation, endian)
    assert int(read_header(tf.constant(content)).orientation) == orientation
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(safe[3](content)[0], np.asarray(expected))


def eight_orientations(photo):
    """JPEGs of `photo`, stored in each of the eight ways that EXIF knows and marked so."""
    turn = Image.Transpose
    stored = [None, turn.FLIP_LEFT_RIGHT, turn.ROTATE_180, turn.FLIP_TOP_BOTTOM]
    stored += [turn.TRANSPOSE, turn.ROTATE_90, turn.TRANSVERSE, turn.ROTATE_270]
    return [oriented(photo if t is None else photo.transpose(t), i) for i, t in enumerate(stored, 1)]


def test_training_sees_the_eight_orientations_alike_whatever_is_drawn(photo):
    augment = Augment(crop_area=(0.3, 0.9), flip_horizontal=0.5, brightness=0.3)
    seen = []
    for item in eight_orientations(photo.crop((0, 0, 128, 96))):
        one = data.Samples(data.Encoded(as_strings([item])), np.zeros(1, np.int32), as_strings(["a"]))
        stream = data.batches(one, (32, 40, 3), 1, training=True, num_classes=2, augment=augment, seed=3)
        seen.append(np.stack([batch["image"][0] for batch in stream.take(3).as_numpy_iterator()]).astype(int))
    assert np.abs(seen[0][0] - seen[0][1]).mean() > 3  # the draws differ from epoch to epoch
    assert max(np.abs(other - seen[0]).mean() for other in seen) < 1.5


def test_the_eight_orientations_of_one_picture_give_one_frame(photo):
    photo = photo.crop((0, 0, 128, 96))
    for size, limit in (((48, 40, 3), 1), ((16, 24, 3), 1.5), ((160, 160, 3), 1)):
        frames, ok = data.read(eight_orientations(photo), size)
        assert ok.all()
        assert max(np.abs(frame.astype(int) - frames[0]).mean() for frame in frames) < limit


def test_odd_headers_are_no_orientation(photo):
    content = bytearray(oriented(photo, 6))
    place = content.index(b"Exif\0\0")
    for cut in (b"Exif\0\0", b"Exif\0\0II", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        broken = bytes(content[:place]) + cut + bytes(content[place + len(cut) :])
        assert int(read_header(tf.constant(broken)).orientation) in (1, 6)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(KINDS)), st.integers(0, 400))
def test_no_bytes_do_worse_than_being_refused(safe, photo, noise, kind, cut):
    content = KINDS[kind](photo)
    for item in (noise, content[:cut], content[: cut // 2] + noise + content[cut:], content[:30] + noise):
        picture, ok = safe[3](item)
        assert not ok or (picture.dtype == tf.uint8 and picture.shape[-1] == 3)


def test_a_broken_item_leaves_its_neighbours_right(photo):
    good = [KINDS[kind](photo) for kind in ("jpeg", "png", "webp", "bmp")]
    mixed = [b"", good[0], good[1][:200], good[1], b"text", good[2], good[3], good[0][:700]]
    frames, ok = data.read(mixed, (32, 32, 3))
    assert ok.tolist() == [False, True, False, True, False, True, True, False]
    assert not frames[~ok].any()
    np.testing.assert_array_equal(frames[ok], data.read(good, (32, 32, 3))[0])


def test_too_many_pixels_are_refused_before_decoding(photo):
    content = KINDS["png"](photo)
    assert decode(content, 3, 97 * 131).shape == (97, 131, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="too many pixels"):
        decode(content, 3, 97 * 131 - 1)


def test_a_saved_model_reads_pictures_alone(photo, tmp_path):
    module = tf.Module()
    module.read = tf.function(
        lambda items: frames_from_bytes(items, (24, 20, 3), "crop", MANY), [tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(module, str(tmp_path / "m"))
    items = tf.constant([KINDS["jpeg"](photo), b"no", oriented(photo, 6)])
    frames, ok = tf.saved_model.load(str(tmp_path / "m")).read(items)
    expected, _ = data.read(list(items.numpy()), (24, 20, 3))
    np.testing.assert_array_equal(frames, expected)
    assert ok.numpy().tolist() == [True, False, True]


def test_paths_arrays_and_bytes_are_read_alike(photo, tmp_path):
    (tmp_path / "a.png").write_bytes(KINDS["png"](photo))
    items = [tmp_path / "a.png", KINDS["png"](photo), np.asarray(photo), tmp_path / "missing.png"]
    for framing in ("crop", "stretch", "pad"):
        frames, ok = data.read(items, (40, 40, 3), framing=framing)
        assert ok.tolist() == [True, True, True, False]
        np.testing.assert_array_equal(frames[1], frames[0])
        np.testing.assert_allclose(frames[2].astype(int), frames[0].astype(int), atol=1 if framing == "pad" else 0)
    same, _ = data.read(np.zeros((2, 5, 4, 1), np.uint8), (5, 4, 1))
    assert same.shape == (2, 5, 4, 1)
