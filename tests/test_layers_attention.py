"""Do attention's parts compute what their papers say?"""

import keras
import numpy as np
import pytest

from kcnn.errors import UserError
from kcnn.layers import (
    MergeWindows,
    PartitionWindows,
    SelfAttention,
    SpaceToDepth,
    Style,
    WindowAttention,
    non_local,
    squeeze_excite,
)

SHAPES = [(9, 6), (5, 4, 6), (3, 4, 5, 6)]


def built(shape, part):
    image = keras.Input(shape)
    return keras.Model(image, part(image))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind, gate", [(None, "sigmoid"), ("relu", "hard_sigmoid")])
def test_squeeze_excite_gates_channels_by_their_means(shape, kind, gate, rng):
    style = Style(activation="silu")
    model = built(shape, lambda x: squeeze_excite(x, 4, kind=kind, gate=gate, style=style, name="se"))
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    reduce, shift, expand, offset = [w.reshape(-1, w.shape[-1]) for w in model.get_weights()]
    x = rng.normal(size=(2, *shape)).astype("float32")
    middle = x.reshape(2, -1, 6).mean(axis=1) @ reduce + shift
    middle = np.maximum(middle, 0) if kind else middle / (1 + np.exp(-middle))
    scale = middle @ expand + offset
    scale = np.clip(scale / 6 + 0.5, 0, 1) if kind else 1 / (1 + np.exp(-scale))
    np.testing.assert_allclose(model(x), x * scale.reshape(2, *[1] * (len(shape) - 1), 6), rtol=1e-4, atol=1e-5)


def test_squeeze_excite_names_its_layers():
    model = built((4, 4, 8), lambda x: squeeze_excite(x, 2, kind="relu", style=Style(norm="group"), name="c2_1_se"))
    names = {layer.name.removeprefix("c2_1_se_") for layer in model.layers[1:]}
    assert names == {"pool", "reduce", "inner", "expand", "gate", "scale"}
    assert model.count_params() == 8 * 2 + 2 + 2 * 8 + 8


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("heads_first", [False, True])
@pytest.mark.parametrize("shape", [(6,), (2, 3)], ids=str)
def test_self_attention_is_what_it_says(shape, heads_first, rng):
    heads, width = 2, 8
    x = rng.normal(size=(3, *shape, 3 * width)).astype("float32")
    layer = SelfAttention(heads, heads_first=heads_first)
    parts = x.reshape(3, 6, *((heads, 3) if heads_first else (3, heads)), 4)
    q, k, v = (parts[:, :, :, i] if heads_first else parts[:, :, i] for i in range(3))
    expected = np.zeros((3, 6, heads, 4))
    for head in range(heads):
        weights = softmax(q[:, :, head] @ k[:, :, head].transpose(0, 2, 1) / 2)
        expected[:, :, head] = weights @ v[:, :, head]
    np.testing.assert_allclose(layer(x), expected.reshape(3, *shape, width), rtol=1e-4, atol=1e-5)


def test_relative_positions_bias_by_distance_and_clip_it(rng):
    layer = SelfAttention(1, grid=(2, 3))
    layer(np.zeros((1, 2, 3, 6), "float32"))
    table = rng.normal(size=(3, 5))
    layer.set_weights([table.reshape(15, 1)])
    for height, width in ((2, 3), (1, 2), (3, 5)):
        bias = np.array(layer.position_bias(np.zeros((1, height, width, 6))))[0, 0]
        bias = bias.reshape(height, width, height, width)
        for q, r, k, s in np.ndindex(bias.shape):
            row, column = np.clip(q - k, -1, 1) + 1, np.clip(r - s, -2, 2) + 2
            assert bias[q, r, k, s] == np.float32(table[row, column])


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("size", [(6, 9), (4, 7), (2, 3)], ids=str)
def test_windows_come_back_to_their_places(size, shift, rng):
    x = rng.normal(size=(2, *size, 4)).astype("float32")
    windows = PartitionWindows(3, shift)(x)
    assert windows.shape == (2 * -(-size[0] // 3) * -(-size[1] // 3), 3, 3, 4)
    np.testing.assert_array_equal(MergeWindows(3, shift)(windows, x), x)


def test_a_place_sees_its_window_alone(rng):
    """Changing one place changes the answers of those in its window, shifted or not, and of no others."""
    for shift in (0, 2):
        image = keras.Input((8, 8, 3))
        windows = PartitionWindows(4, shift)(image)
        windows = WindowAttention(1, 4, shift)(windows, image)
        model = keras.Model(image, MergeWindows(4, shift)(windows, image))
        x = rng.normal(size=(1, 8, 8, 3)).astype("float32")
        y = x.copy()
        y[0, 7, 7] += 1
        changed = np.abs(np.array(model(y)) - np.array(model(x)))[0, :, :, 0] > 1e-7
        start = 4 if shift == 0 else 6  # the corner behind the last shifted window is a window of its own
        expected = np.zeros((8, 8), bool)
        expected[start:, start:] = True
        np.testing.assert_array_equal(changed, expected)


def test_space_to_depth_keeps_every_value(rng):
    x = rng.normal(size=(1, 3, 4, 2)).astype("float32")
    y = np.array(SpaceToDepth()(x))
    assert y.shape == SpaceToDepth().compute_output_shape(x.shape) == (1, 2, 2, 8)
    np.testing.assert_array_equal(y[0, 0, 0], np.concatenate([x[0, 0, 0], x[0, 1, 0], x[0, 0, 1], x[0, 1, 1]]))
    assert not y[0, 1, :, 2:4].any(), "zeros below an odd map"


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_non_local_block_starts_as_the_identity_and_sees_every_place(shape, rng):
    model = built(shape, lambda x: non_local(x, style=Style(), name="block"))
    x = rng.normal(size=(1, *shape)).astype("float32")
    np.testing.assert_array_equal(model(x), x)
    model.get_layer("block_scale").set_weights([np.ones(6)])
    y = x.copy()
    y[(0, *[-1] * len(shape[:-1]))] += 1
    assert (np.abs(np.array(model(y) - model(x))).reshape(-1, 6).max(axis=1) > 0).all()


def test_attention_survives_saving_and_low_precision(tmp_path, rng):
    image = keras.Input((5, 6, 12))
    y = SelfAttention(2, grid=(3, 3), heads_first=True, name="attend")(image)
    whole = keras.layers.Dense(12)(SpaceToDepth()(y))
    windows = WindowAttention(2, 2, 1)(PartitionWindows(2, 1)(whole), whole)
    model = keras.Model(image, MergeWindows(2, 1)(windows, whole))
    model.save(tmp_path / "model.keras")
    x = rng.normal(size=(2, 5, 6, 12)).astype("float32")
    np.testing.assert_array_equal(model(x), keras.saving.load_model(tmp_path / "model.keras")(x))
    layer = SelfAttention(2, grid=(3, 3), dtype="mixed_bfloat16")
    assert layer(x).dtype == "bfloat16" and layer.table.dtype == "float32"


def test_channels_must_divide_into_heads():
    with pytest.raises(UserError, match="4 channels do not divide into 3 heads"):
        SelfAttention(3, name="attend")(np.zeros((1, 2, 12), "float32"))
