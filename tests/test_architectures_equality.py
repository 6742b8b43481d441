"""Do our nets compute what keras.applications computes, weight for weight?

Untrained nets answer almost the same whatever their weights, so equal answers would prove nothing: kernels are drawn
and scaled so that logits have a standard deviation of 1, and the statistics of batch normalisation are random.
"""

import keras
import numpy as np
import pytest

from kcnn.models import build_model, levels

STAGES = {"c2": "conv2_block3", "c3": "conv3_block4", "c4": "conv4_block6"}
REFERENCES = {
    "resnet50_v1": (
        keras.applications.ResNet50,
        {"c1": "conv1_relu", "c5": "conv5_block3_out", **{level: f"{name}_out" for level, name in STAGES.items()}},
    ),
    "resnet50v2": (
        keras.applications.ResNet50V2,
        {"c1": "conv1_conv", "c5": "post_relu", **{level: f"{name}_preact_relu" for level, name in STAGES.items()}},
    ),
    "vgg16": (
        keras.applications.VGG16,
        {f"c{n}": f"block{n + 1}_conv{2 if n < 2 else 3}" for n in range(5)} | {"c5": "block5_pool"},
    ),
    "mobilenet_v2": (
        keras.applications.MobileNetV2,
        {"c1": "expanded_conv_project_BN", "c2": "block_2_add", "c3": "block_5_add", "c4": "block_12_add"}
        | {"c5": "out_relu"},
    ),
}


def randomise(model, x):
    """Draw all variables so that signals neither vanish nor explode and no statistic has its starting value."""
    rng = np.random.default_rng(1)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in weighted(model):
        if layer in norms:
            continue
        kernel, *bias = layer.get_weights()
        fan_in = kernel[..., 0].size if "Depthwise" not in type(layer).__name__ else kernel[..., 0, 0].size
        layer.set_weights(
            [
                rng.standard_normal(kernel.shape, "float32") * np.sqrt(2 / fan_in),
                *[rng.normal(0, 0.1, b.shape) for b in bias],
            ]
        )
    for layer in norms:
        layer.momentum = 0.0
    model(x, training=True)
    for layer in norms:
        gamma, beta, mean, variance = layer.get_weights()
        gamma, beta = rng.uniform(0.5, 1.5, gamma.shape), rng.normal(0, 0.2, beta.shape)
        mean = mean + rng.normal(0, 0.2, mean.shape) * np.sqrt(variance)
        layer.set_weights([gamma, beta, mean, variance * rng.uniform(0.5, 1.5, variance.shape)])
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel / np.std(model(x)), bias])


def weighted(model):
    return [layer for layer in model.layers if layer.weights]


@pytest.fixture(scope="module", params=[(name, more) for name in REFERENCES for more in (0, 32)], ids=str)
def pair(request):
    """(our model, reference, pictures, {level: reference's layer}) with the same weights, copied in order.

    Pictures are square, or 32 pixels wider than high.
    """
    name, more = request.param
    make, names = REFERENCES[name]
    side = 32 if name == "vgg16" else 64
    shape = (side, side + more, 3)
    x = np.random.default_rng(0).normal(0, 1, (4, *shape)).astype("float32")
    theirs = make(weights=None, input_shape=shape, classes=10, classifier_activation=None)
    randomise(theirs, x)
    ours = build_model(name, input_shape=shape, num_classes=10, top="own", stem="standard", mean=0, std=1)
    for mine, other in zip(weighted(ours), weighted(theirs), strict=True):
        mine.set_weights(other.get_weights())
    return ours, theirs, x, names


def test_logits_and_levels(pair):
    ours, theirs, x, names = pair
    assert set(levels(ours)) == set(names)
    mine = {level: ours.get_layer(layer).output for level, layer in levels(ours).items()}
    other = {level: theirs.get_layer(layer).output for level, layer in names.items()}
    mine = keras.Model(ours.input, {**mine, "logits": ours.output})(x)
    other = keras.Model(theirs.input, {**other, "logits": theirs.output})(x)
    assert 0.3 < np.std(other["logits"]) < 3
    for name in other:
        scale = np.std(other[name])
        np.testing.assert_allclose(mine[name] / scale, other[name] / scale, atol=2e-3, err_msg=name)


def test_two_layers_exchanged_are_noticed(pair):
    ours, theirs, x, _ = pair
    kernels = [layer for layer in weighted(ours) if "Conv" in type(layer).__name__]
    first, second = next(
        (a, b) for a in kernels[2:] for b in kernels if a is not b and a.kernel.shape == b.kernel.shape
    )
    keep = first.get_weights(), second.get_weights()
    first.set_weights(keep[1])
    second.set_weights(keep[0])
    off = np.abs(ours(x) - theirs(x)).max()
    first.set_weights(keep[0])
    second.set_weights(keep[1])
    assert off > 0.02
    np.testing.assert_allclose(ours(x), theirs(x), atol=2e-3)
