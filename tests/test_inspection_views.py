"""Kernels and feature maps as tiles: networks whose tiles are known, refusals, the sheet, the command."""

import keras
import numpy as np
import pytest
from PIL import Image

import kcnn
from kcnn.errors import UserError
from kcnn.inspection import EXPLAINERS, VIEWS, draw_tiles
from kcnn.layers.convolution import GROUPED
from kcnn.models import build_model, levels
from tests.test_cli import kcnn as command
from tests.test_cli import refused


def one_convolution(kernel, side=6, layer=keras.layers.Conv2D, activation=None, **options):
    """A network of one convolution "maps" with `kernel` (h, w, C, filters), from pictures (side, side, C · groups)."""
    image = keras.Input((side, side, kernel.shape[2] * options.get("groups", 1)))
    sizes = kernel.shape[3], kernel.shape[:2]
    maps = layer(*sizes, padding="same", use_bias=False, activation=activation, name="maps", **options)(image)
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(maps)))
    model.get_layer("maps").set_weights([kernel])
    return model


def tiles_of(view, *args, **options):
    captions, tiles = zip(*VIEWS[view].make(*args, **options), strict=True)
    return list(captions), np.stack(tiles)


def test_kernels_of_three_channels_are_colours_on_one_scale(rng):
    kernel = rng.normal(size=(3, 3, 3, 5))
    kernel[..., 1] *= 0.1
    captions, tiles = tiles_of("filters", one_convolution(kernel))
    assert captions == ["0", "1", "2", "3", "4"] and tiles.shape == (5, 3, 3, 3)
    np.testing.assert_allclose(tiles, 0.5 + np.moveaxis(kernel, -1, 0) / (2 * np.abs(kernel).max()), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 6])
def test_other_kernels_are_the_mean_over_what_they_read(rng, channels):
    kernel = rng.normal(size=(3, 5, channels, 4))
    mean = np.moveaxis(kernel.mean(2), -1, 0)
    _, tiles = tiles_of("filters", one_convolution(kernel))
    np.testing.assert_allclose(tiles, 0.5 + mean / (2 * np.abs(mean).max()), atol=1e-6)


def test_the_first_convolution_may_be_our_own_or_in_a_nested_model(rng):
    kernel = rng.normal(size=(3, 3, 2, 70))
    inner = one_convolution(kernel, layer=GROUPED[2], groups=2)
    image = keras.Input((6, 6, 4))
    outer = keras.Model(image, inner(keras.layers.Rescaling(2.0)(image)))
    captions, tiles = tiles_of("filters", outer)
    assert captions == [str(i) for i in range(64)]
    np.testing.assert_array_equal(tiles, tiles_of("filters", inner)[1])
    assert tiles_of("filters", one_convolution(np.zeros((3, 3, 1, 2))))[1].tolist() == np.full((2, 3, 3), 0.5).tolist()


def test_maps_of_a_known_convolution_strongest_first(rng):
    image = rng.random((6, 6, 3)).astype("float32")
    kernel = np.diag([0.1, 5.0, 0.0])[None, None]
    captions, tiles = tiles_of("feature_maps", one_convolution(kernel), image, "maps")
    assert captions == ["1", "0", "2"]
    for tile, channel in zip(tiles, (1, 0), strict=False):
        np.testing.assert_allclose(tile, image[..., channel] / image[..., channel].max(), atol=1e-6)
    assert not tiles[2].any()


def test_zero_is_mid_grey_where_maps_are_negative_too(rng):
    image = rng.random((6, 6, 2)).astype("float32")
    kernel = np.diag([-1.0, 0.5])[None, None]
    captions, tiles = tiles_of("feature_maps", one_convolution(kernel), image)
    assert captions == ["0", "1"]
    np.testing.assert_allclose(tiles[0], 0.5 - image[..., 0] / (2 * image[..., 0].max()), atol=1e-6)
    np.testing.assert_allclose(tiles[1], 0.5 + image[..., 1] / (2 * image[..., 1].max()), atol=1e-6)
    assert tiles_of("feature_maps", one_convolution(kernel, activation="relu"), image)[1][1].max() == 0


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_gives_tiles_at_every_level_and_refuses_what_is_no_picture(name, rng):
    row, image = VIEWS[name], rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
    model = build_model("resnet_toy", input_shape=(32, 32, 3), num_classes=3)
    for level in [None, *levels(model)] if row.needs_level else [None]:
        captions, tiles = tiles_of(name, model, image if row.needs_image else None, level)
        assert len(set(captions)) == len(captions) <= 64
        assert tiles.dtype == np.float32 and tiles.ndim in (3, 4) and tiles.min() >= 0 and tiles.max() <= 1
    assert row.description
    for shape in ((64, 2), (8, 8, 8, 1)):
        with pytest.raises(UserError, match=f"{name} shows pictures only, .* reads"):
            row.make(build_model("resnet_toy", input_shape=shape, num_classes=3), np.zeros(shape))


def test_places_that_are_not_there_are_refused():
    model = one_convolution(np.ones((1, 1, 3, 2)))
    with pytest.raises(UserError, match="first convolution only: leave out level 'maps'"):
        VIEWS["filters"].make(model, level="maps")
    with pytest.raises(UserError, match="unknown level or layer 'map': did you mean 'maps'"):
        VIEWS["feature_maps"].make(model, np.zeros((6, 6, 3)), "map")
    flat = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(UserError, match="has no convolution"):
        VIEWS["filters"].make(flat)


def drawn(tmp_path, tiles):
    draw_tiles(tiles, tmp_path / "tiles.png", "costs $5 and $6")
    return np.asarray(Image.open(tmp_path / "tiles.png").convert("RGB"), int)


@pytest.mark.parametrize(("count", "shape"), [(1, (3, 3)), (6, (3, 3, 3)), (13, (20, 60)), (64, (60, 20))], ids=str)
def test_a_sheet_is_nearly_square_and_has_its_tiles(tmp_path, rng, count, shape):
    sheet = drawn(tmp_path, [(str(i), rng.random(shape, np.float32)) for i in range(count)])
    height, width = sheet.shape[:2]
    assert 0.5 < height / width < 2 and height > 100
    assert (np.ptp(sheet, axis=-1) > 30).any() == (len(shape) == 3)


def test_a_sheet_shows_values_as_they_are(tmp_path):
    """Of four tiles black, white, grey and red, each has its colour in its corner of the sheet."""
    colours = np.array([[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0]], np.float32)
    sheet = drawn(tmp_path, [("", np.broadcast_to(colour, (4, 4, 3))) for colour in colours])
    height, width = sheet.shape[:2]
    for colour, (y, x) in zip(colours, ((0.45, 0.25), (0.45, 0.75), (0.8, 0.25), (0.8, 0.75)), strict=True):
        assert np.abs(sheet[int(y * height), int(x * width)] - 255 * colour).max() <= 1


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data = (np.random.default_rng(0).integers(0, 255, (12, 24, 24, 3), dtype=np.uint8), np.arange(12) % 3)
    settings = {"runtime.runs": str(tmp_path_factory.mktemp("runs")), "batch_size": 6, "data.validation": 0.5}
    return kcnn.build_and_fit({}, data, name="a", architecture="simple_cnn_toy", epochs=1, **settings)


@pytest.fixture(scope="module")
def picture(run):
    path = run.path.parent / "noise.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(path)
    return path


def test_a_run_shows_its_levels_kernels_and_maps(run, picture, tmp_path):
    assert run.levels == list(levels(run.model)) and len(run.levels) > 2
    for image in (picture, np.asarray(Image.open(picture))):
        path = run.show("feature_maps", image, level=run.levels[1], path=tmp_path / "maps.png")
        assert path == tmp_path / "maps.png" and min(Image.open(path).size) > 200
    assert Image.open(run.show("filters", path=str(tmp_path / "filters.png")))
    with pytest.raises(UserError, match="feature_maps looks at an image: name one, as in `kcnn explain"):
        run.show("feature_maps", path=tmp_path / "none.png")
    with pytest.raises(UserError, match="unknown view 'filter': did you mean 'filters'"):
        run.show("filter", path=tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_the_command_shows_and_refuses(capsys, run, picture):
    folder = run.path / "explanations"
    status, out, _ = command(capsys, "explain", run.path, "--method", "filters")
    assert status == 0 and out == f"wrote {folder / 'filters.png'}\n" and (folder / "filters.png").is_file()
    status, _, _ = command(capsys, "explain", run.path, picture, "--method", "feature_maps", "--level", "c1")
    assert status == 0 and (folder / "noise-feature_maps-c1.png").is_file()
    for method in ("grad_cam", "feature_maps"):
        told = refused(capsys, "explain", run.path, "--method", method)
        assert f"{method} looks at an image: name one" in told
    for words in (("--sanity",), ("--target", "0")):
        told = refused(capsys, "explain", run.path, picture, "--method", "filters", *words)
        assert "--target and --sanity are for heat maps, and filters is none" in told
    for wrong, right in (("filter", "filters"), ("gradcam", "grad_cam")):
        told = refused(capsys, "explain", run.path, picture, "--method", wrong)
        assert f"unknown method {wrong!r}: did you mean {right!r}" in told


def test_the_help_names_every_sheet_and_where_heat_maps_are_named(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = command(capsys, "explain", "--help")
    assert status == 0 and "kcnn list explainers" in out and not [name for name in VIEWS if name not in out]
    status, out, _ = command(capsys, "list", "explainers")
    assert status == 0 and [line.split()[0] for line in out.splitlines()] == [*EXPLAINERS]
