"""Do the layers that scale, choose and reorder channels do what they promise, in every rank?"""

import keras
import numpy as np
import pytest

from kcnn.errors import UserError
from kcnn.layers import LayerScale, ShuffleChannels, TakeChannels, concatenate, split_channels

SHAPES = [(3, 6), (3, 4, 6), (2, 3, 4, 6)]
LAYERS = [LayerScale(0.5), ShuffleChannels(3), TakeChannels(2, 5)]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_and_configurations(layer, shape, rng):
    x = rng.normal(size=(2, *shape)).astype("float32")
    twin = type(layer).from_config(layer.get_config())
    y = twin(x)
    assert y.shape == twin.compute_output_shape(x.shape)
    assert (
        keras.Sequential([keras.Input((None, *shape[1:])), type(layer).from_config(layer.get_config())])(x).shape
        == y.shape
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_channels_are_dealt_out_in_turn_and_back(shape, rng):
    x = np.broadcast_to(np.arange(6.0), (1, *shape))
    y = np.array(ShuffleChannels(2)(x))
    np.testing.assert_array_equal(y.reshape(-1, 6)[0], [0, 3, 1, 4, 2, 5])
    np.testing.assert_array_equal(ShuffleChannels(3)(y), x)


def test_layer_scale_starts_small_and_learns():
    layer = LayerScale(1e-6)
    x = np.ones((2, 3, 4), "float32")
    np.testing.assert_allclose(layer(x), 1e-6 * x)
    assert [v.path.split("/")[-1] for v in layer.trainable_variables] == ["gamma"]


def test_splitting_and_concatenating_gives_the_same(rng):
    x = rng.normal(size=(2, 3, 6)).astype("float32")
    image = keras.Input((3, 6))
    parts = split_channels(image, (1, 2, 3), "split")
    assert [part.shape[-1] for part in parts] == [1, 2, 3]
    np.testing.assert_array_equal(keras.Model(image, concatenate(parts, "together"))(x), x)


def test_channels_that_do_not_fit_are_refused():
    x = np.ones((1, 2, 6), "float32")
    with pytest.raises(UserError, match="6 channels do not divide into 4 groups"):
        ShuffleChannels(4, name="shuffle")(x)
    with pytest.raises(UserError, match="6 channels have no 4 to 7"):
        TakeChannels(4, 7, name="take")(x)
