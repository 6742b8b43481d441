"""Do the attention nets have the properties that their papers state?"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.architectures.vit import TokensAndPositions
from kcnn.errors import UserError
from kcnn.layers import SelfAttention, WindowAttention
from kcnn.models import build_model, levels
from tests.unfilled import without_weights


def test_vit_sees_words_of_16_pixels_and_one_class_token():
    model = without_weights("vit_tiny16", top="own")
    assert model.get_layer("tokens").output.shape == (None, 14 * 14 + 1, 192)
    assert len([layer for layer in model.layers if isinstance(layer, SelfAttention)]) == 12
    pooled = without_weights("vit_tiny16")
    assert levels(pooled) == {"c4": "places"} and pooled.get_layer("places").output.shape == (None, 14, 14, 192)


def test_vit_interpolates_its_positions_to_other_pictures():
    keras.utils.set_random_seed(0)
    model = build_model("vit_toy", input_shape=(None, None, 3), num_classes=3, stem="standard")
    layer = model.get_layer("tokens")
    steps = np.linspace(0, 1, 14)[None, :, None] * np.ones((14, 1, 16))
    layer.positions.assign(np.concatenate([np.zeros((1, 1, 16)), steps.reshape(1, 196, 16)], axis=1))
    layer.token.assign(np.full((1, 1, 16), 5.0))
    tokens = np.array(layer(np.zeros((2, 7, 28, 16), "float32")))
    np.testing.assert_array_equal(tokens[:, 0], 5.0)
    places = tokens[:, 1:].reshape(2, 7, 28, 16)
    assert (np.diff(places[0, 0, 2:-2, 0]) > 0).all() and np.abs(np.diff(places, axis=1)).max() < 1e-5


@pytest.mark.parametrize("size", [(7, 20), (14, 14), (5, 3)], ids=str)
def test_positions_are_interpolated_as_pictures_are(size, rng):
    layer = TokensAndPositions((14, 14))
    layer(np.zeros((1, 14, 14, 2), "float32"))
    layer.positions.assign(rng.normal(size=(1, 197, 2)))
    tokens = np.array(layer(np.zeros((1, *size, 2), "float32")))[:, 1:].reshape(1, *size, 2)
    grid = np.array(layer.positions)[:, 1:].reshape(1, 14, 14, 2)
    np.testing.assert_allclose(tokens, tf.image.resize(grid, size, method="bicubic", antialias=True), atol=1e-5)


@pytest.mark.parametrize("name", ["vit_toy", "swin_toy", "coatnet_toy"])
def test_pictures_of_any_size_in_one_graph(name, rng):
    options = {"num_classes": 3, "stem": "standard"}
    free = build_model(name, input_shape=(None, None, 3), **options)
    graph = tf.function(free, input_signature=[tf.TensorSpec((None, None, None, 3))])
    for size in ((70, 90), (224, 224)):
        fixed = build_model(name, input_shape=(*size, 3), **options)
        fixed.set_weights(free.get_weights())
        x = rng.uniform(0, 255, (1, *size, 3)).astype("float32")
        np.testing.assert_allclose(graph(x), fixed(x), atol=1e-5)


def test_swin_shifts_every_second_block_by_half_a_window():
    model = without_weights("swin_tiny")
    shifts = [layer.shift for layer in model.layers if isinstance(layer, WindowAttention)]
    assert shifts == [0, 3] * 6
    drops = [layer.rate for layer in model.layers if layer.name.endswith("_attend_drop")]
    np.testing.assert_allclose(drops, np.linspace(0, 0.2, 12)[1:])


def test_coatnet_attends_where_maps_are_small():
    model = without_weights("coatnet_0", top="own")
    grids = [layer.grid for layer in model.layers if isinstance(layer, SelfAttention)]
    assert grids == [(14, 14)] * 5 + [(7, 7)] * 2
    assert len([layer for layer in model.layers if layer.name.endswith("_excite_gate")]) == 5
    norms = {type(layer).__name__ for layer in model.layers if layer.name.endswith("_norm")}
    assert norms == {"FusedBatchNormalization", "LayerNormalization"}


@pytest.mark.parametrize(
    "name, overrides, words",
    [
        ("vit_toy", {"patch": 12}, "patch is 12: it must be a power of 2"),
        ("vit_toy", {"heads": 3}, "width is 16: it must divide by heads=3"),
        ("swin_toy", {"heads": [3, 2, 2, 4]}, "heads is .* they must divide"),
        ("swin_toy", {"depths": [1, 1]}, "depths has 2 and heads has 4"),
        ("coatnet_toy", {"head_filters": 7}, "they must divide by 7"),
    ],
)
def test_rows_that_do_not_fit_are_refused(name, overrides, words):
    with pytest.raises(UserError, match=words) as caught:
        build_model(name, overrides=overrides)
    assert "\n" not in str(caught.value)
