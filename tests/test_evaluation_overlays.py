"""Do overlays, PNGs and outlines say what the mask says?"""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from kcnn.errors import UserError
from kcnn.evaluation.overlays import as_rgb, overlay, polygons, save_mask
from kcnn.masks import IGNORE, colours

NAMES = ["ground", "ant", "bee"]
FINE = 8  # steps a pixel in which outlines are filled, so that a filled rim does not matter


def smooth(rng, shape=(60, 90)):
    """A mask of a few rounded regions with holes, some of it not judged."""
    field = ndimage.gaussian_filter(rng.normal(size=shape), 3)
    mask = np.digitize(field, np.quantile(field, [0.5, 0.8])).astype(np.uint8)
    mask[:7, :9] = IGNORE
    return mask


def rendered(found, shape, fine=FINE):
    """The mask that the outlines make when PIL fills them, read at the centres of the pixels."""
    canvas = Image.new("L", (shape[1] * fine, shape[0] * fine), IGNORE)
    for row in found:
        part = Image.new("1", canvas.size)
        draw = ImageDraw.Draw(part)
        for outline, value in [(row["polygon"], 1), *((hole, 0) for hole in row["holes"])]:
            draw.polygon([(x * fine, y * fine) for x, y in outline], fill=value)
        canvas.paste(NAMES.index(row["class"]), mask=part)
    return np.asarray(canvas)[fine // 2 :: fine, fine // 2 :: fine]


@pytest.mark.parametrize("seed", range(4))
def test_filled_outlines_give_the_mask_back(seed):
    rng = np.random.default_rng(seed)
    for mask in (smooth(rng), rng.integers(0, 3, (12, 13)).astype(np.uint8)):
        found = polygons(mask, NAMES)
        np.testing.assert_array_equal(rendered(found, mask.shape), mask)
        assert sum(row["area"] for row in found) == (mask != IGNORE).sum()
        for row in found:
            assert area(row["polygon"]) - sum(map(area, row["holes"])) == row["area"]
        json.dumps(found, allow_nan=False)


def area(outline):
    x, y = np.array(outline).T
    return abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2


def test_outlines_by_hand():
    mask = np.zeros((5, 7), np.uint8)
    mask[1:4, 2:5] = 1
    mask[2, 3] = 0
    mask[4, 5] = 1  # touches at a corner: a region of its own
    got = {name: [row for row in polygons(mask, NAMES) if row["class"] == name] for name in NAMES}
    ring, corner = got["ant"]
    assert sorted(map(tuple, ring["polygon"])) == [(2, 1), (2, 4), (5, 1), (5, 4)]
    assert [sorted(map(tuple, hole)) for hole in ring["holes"]] == [[(3, 2), (3, 3), (4, 2), (4, 3)]]
    assert (ring["area"], corner["area"], corner["holes"]) == (8, 1, [])
    assert [row["area"] for row in got["ground"]] == [25, 1] and not got["bee"]
    assert [row["area"] for row in polygons(mask, NAMES, least=2)] == [25, 8]


def test_an_overlay_blends_and_leaves_what_is_not_judged(rng):
    picture, mask = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8), np.zeros((6, 8), np.uint8)
    mask[0, 0], mask[1, 1] = 2, IGNORE
    got = overlay(picture, mask, 0.25)
    assert got.dtype == np.uint8 and got.shape == (6, 8, 3)
    np.testing.assert_array_equal(got[1, 1], picture[1, 1])
    np.testing.assert_allclose(got[0, 0], 0.75 * picture[0, 0] + 0.25 * colours(3)[2], atol=0.51)
    np.testing.assert_array_equal(overlay(picture, mask, 1)[0, 0], colours(3)[2])
    for channels, kind in ((1, np.uint8), (1, np.float32), (5, np.uint16)):
        other = (rng.random((6, 8, channels)) * 200).astype(kind)
        assert np.ptp(overlay(other, mask, 0).astype(int), axis=2).max() == 0


def test_numbers_of_any_kind_are_stretched_over_the_greys():
    full = np.array([[-32768, 0, 32767]], np.int16)[..., None]
    np.testing.assert_array_equal(as_rgb(full)[0, :, 0], [0, 128, 255])
    np.testing.assert_array_equal(as_rgb(np.array([[False, True]])[..., None])[0, :, 1], [0, 255])
    np.testing.assert_array_equal(as_rgb(np.array([[3, 3]], np.int8)[..., None])[0, :, 2], [0, 0])


def test_a_saved_mask_holds_the_class_numbers_in_our_colours(rng, tmp_path):
    mask = smooth(rng)
    save_mask(mask, tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), mask)
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB"))[mask == 1][0], colours(2)[1])


def test_what_does_not_fit_is_said(tmp_path):
    picture, mask = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)
    with pytest.raises(UserError, match="alpha is 2: it must be from 0"):
        overlay(picture, mask, 2)
    with pytest.raises(UserError, match=r"the picture is \(4, 4, 3\), the mask \(5, 4\)"):
        overlay(picture, np.zeros((5, 4), np.uint8))
    for call in (lambda m: overlay(picture, m), lambda m: polygons(m, NAMES), lambda m: save_mask(m, tmp_path / "m")):
        with pytest.raises(UserError, match=r"the mask is int64 \(4, 4\): it must be uint8"):
            call(mask.astype(np.int64))
