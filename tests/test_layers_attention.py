"""Do attention's parts compute what their papers say?"""

import keras
import numpy as np
import pytest

from kcnn.layers import Style, squeeze_excite

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
