"""Is a picture answered in tiles answered as a whole, and in little memory?"""

import tracemalloc

import keras
import numpy as np
import pytest
from scipy import ndimage

from kcnn.errors import UserError
from kcnn.evaluation.tiling import tiled


def by_pixel(tiles):
    """Scores of three classes from the colours of each pixel alone."""
    values = tiles.astype(np.float32) / 255
    raw = np.exp(3 * values @ np.array([[1, -1, 0.3], [0.2, 1, -1], [-1, 0.1, 1]], np.float32))
    return raw / raw.sum(-1, keepdims=True)


@pytest.mark.parametrize("size", [(64, 64), (100, 237), (237, 100), (40, 90), (90, 17), (1, 1), (65, 64)], ids=str)
@pytest.mark.parametrize("overlap", [0, 9, 32])
def test_what_looks_at_pixels_alone_is_answered_as_a_whole(rng, size, overlap):
    picture = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    asked = []

    def ask(tiles):
        asked.append(tiles.shape)
        return by_pixel(tiles)

    mask, best = tiled(ask, picture, 64, overlap)
    whole = by_pixel(picture)
    assert mask.dtype == np.uint8 and best.dtype == np.float16
    np.testing.assert_array_equal(mask, whole.argmax(-1))
    np.testing.assert_allclose(best, whole.max(-1), atol=1e-3)
    assert {shape[1:] for shape in asked} == {(64, 64, 3)}


def test_a_convolution_net_answers_as_for_the_whole_away_from_the_border():
    keras.utils.set_random_seed(0)
    image = x = keras.Input((None, None, 1))
    for _ in range(4):
        x = keras.layers.Conv2D(8, 5, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    net = keras.Model(image, keras.layers.Conv2D(4, 1, activation="softmax", kernel_initializer="he_normal")(x))
    field = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(270, 350)), 4)
    picture = (field / field.std()).astype(np.float32)[..., None]
    mask, _ = tiled(lambda tiles: net(tiles).numpy(), picture, 96, 24)
    whole = net(picture[None]).numpy()[0].argmax(-1)
    assert len(np.unique(whole)) > 2
    away = np.s_[16:-16, 16:-16]
    apart = (mask != whole)[away].mean()
    hard, _ = tiled(lambda tiles: net(tiles).numpy(), picture, 96, 0)
    assert apart < 0.005 and apart < (hard != whole)[away].mean()


@pytest.mark.parametrize("size", [(200, 333), (40, 500), (161, 7)], ids=str)
def test_a_net_of_strides_answers_as_for_the_whole_on_a_grid_of_them(rng, size):
    """What sees blocks of 16 places, counted from the upper left corner."""

    def by_block(tiles):
        count, height, width, _ = tiles.shape
        blocks = tiles.reshape(count, height // 16, 16, width // 16, 16, 3).mean((2, 4))
        return by_pixel(blocks.repeat(16, 1).repeat(16, 2))

    picture = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    filled = np.pad(picture, [(0, -size[0] % 16), (0, -size[1] % 16), (0, 0)], "symmetric")
    whole = by_block(filled[None])[0].argmax(-1)[: size[0], : size[1]]
    mask, _ = tiled(by_block, picture, 64, 20, grid=16)
    between, _ = tiled(by_block, picture, 64, 20)
    np.testing.assert_array_equal(mask, whole)
    assert size[1] < 64 or (between != whole).mean() > 0.05


def test_memory_is_that_of_one_band():
    classes, tile, size = 9, 256, (2000, 3000)
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)

    def ask(tiles):
        return np.broadcast_to(tiles[..., :1] / np.float32(255), (*tiles.shape[:3], classes))

    tracemalloc.start()
    try:
        mask, _ = tiled(ask, picture, tile, 64)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    band = tile * min(size) * classes * 4
    assert mask.shape == size and peak < 2.5 * band + 3 * mask.size < 0.3 * 4 * classes * mask.size


@pytest.mark.parametrize(
    ("size", "tile", "overlap", "words"),
    [((9, 9, 3), 8, 5, "overlap is 5: it must be from 0 to half of the tile, 4"),
     ((9, 9, 3), 0, 0, "tile is 0: it must be 1 pixel or more"),
     ((9, 9, 3), 8, (2, 3), "grid is 3: it must be a divisor of the tile, 8"),
     ((9, 9), 8, 2, r"the picture is \(9, 9\): it must be \(height, width, channels\)")],
)  # fmt: skip
def test_what_does_not_fit_is_said(size, tile, overlap, words):
    with pytest.raises(UserError, match=words):
        tiled(by_pixel, np.zeros(size, np.uint8), tile, *np.atleast_1d(overlap).tolist())


def test_answers_that_do_not_fit_are_said():
    picture = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(UserError, match=r"tiles \(2, 8, 8, 3\) were answered by \(2, 4, 4, 3\)"):
        tiled(lambda tiles: by_pixel(tiles[:, ::2, ::2]), picture, 8, 2)
    with pytest.raises(UserError, match="300 classes are answered: masks hold 255 at most"):
        tiled(lambda tiles: np.zeros((*tiles.shape[:3], 300)), picture, 8, 2)
