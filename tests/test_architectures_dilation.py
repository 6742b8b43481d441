"""Does a network that stops getting coarser compute the same with the same weights, only at more places?"""

import math

import numpy as np
import pytest
import tensorflow as tf

from kcnn.architectures import ARCHITECTURES, stride_of
from kcnn.architectures.mobilenet_v3 import TOY
from kcnn.errors import UserError
from kcnn.models import build_levels
from kcnn.training.weights import weight_variables
from tests.unfilled import without_weights

FOUR = {"depths": (1, 1, 2, 2)}
CASES = [
    ("resnet_toy", FOUR),
    ("resnet_toy", FOUR | {"shortcut": "pad"}),
    ("resnext_toy", FOUR),
    ("resnext_toy", FOUR | {"early_stride": True}),
    ("resnet_v2_toy", {"depths": (1, 1, 2, 2)}),
    ("regnet_toy", {"squeeze": 0.0}),
    ("mobilenet_toy", {}),
    ("mobilenet_v2_toy", {}),
    ("mobilenet_v3_toy", {"blocks": tuple((*block[:3], False, *block[4:]) for block in TOY)}),
    ("efficientnet_toy", {"excite": False}),
    ("ghostnet_toy", None),
]
TOYS = [name for name, variant in ARCHITECTURES.items() if variant.dilates and name.endswith("_toy")]
QUICK = ("resnext_toy", "mobilenet_v2_toy")  # with grouped and with depthwise convolutions: all that is tried each time
SIDES = {1: (70,), 2: (45, 38), 3: (35, 33, 40)}


def overrides_of(name, overrides):
    if overrides is None:  # squeeze and excitation takes means over all places, which are more here
        overrides = {"blocks": tuple((*block[:3], False, block[4]) for block in ARCHITECTURES[name].row.blocks)}
    return overrides


def built(name, sides, output_stride=None, overrides=None):
    """The levels' model with norms that do something; the same weights each time."""
    options = {"stem": "standard", "overrides": overrides, "output_stride": output_stride}
    model, rng = build_levels(name, input_shape=(*sides, 3), **options), np.random.default_rng(0)
    for path, variable in weight_variables(model).items():
        drawn = rng.normal(0, 0.3, variable.shape) if "kernel" in path else rng.uniform(0.5, 1.5, variable.shape)
        variable.assign(drawn)
    return model


def at(output_stride, name, other):
    """A case; those much like others are marked as slow."""
    usual = name in QUICK or (output_stride == 8 and other not in (1, 3))
    return pytest.param(output_stride, name, other, marks=() if usual else pytest.mark.slow)


def test_every_family_that_can_is_tried():
    assert len({ARCHITECTURES[name].family for name in TOYS}) >= 8
    assert set(TOYS) == {name for name, _ in CASES}


@pytest.mark.parametrize("output_stride, name, overrides", [at(s, *case) for s in (16, 8) for case in CASES], ids=str)
def test_at_every_second_place_stands_what_the_strided_network_computes(name, overrides, output_stride, rng):
    overrides, sides = overrides_of(name, overrides), (65, 129)  # windows are padded evenly at such sides
    x = rng.normal(size=(2, *sides, 3)).astype("float32")
    strided, dilated = built(name, sides, None, overrides), built(name, sides, output_stride, overrides)
    levels, denser = strided(x), dilated(x)
    coarsest, deepest = max(levels), max(denser)
    assert stride_of(deepest) == output_stride < stride_of(coarsest)
    step = stride_of(coarsest) // output_stride
    expected, found = levels[coarsest].numpy(), denser[deepest].numpy()
    assert expected.std() > 1e-3
    np.testing.assert_allclose(found[:, ::step, ::step], expected, rtol=1e-4, atol=1e-4 * expected.std())
    assert [v.path for v in strided.variables] == [v.path for v in dilated.variables]


@pytest.mark.parametrize(
    "output_stride, name, rank", [at(s, name, n) for s in (16, 8) for name in TOYS for n in ARCHITECTURES[name].ranks]
)
def test_levels_end_there_and_everything_learns(name, rank, output_stride, rng):
    sides = SIDES[rank]
    model = build_levels(name, input_shape=(*sides, 3), stem="standard", output_stride=output_stride)
    for level, size in {level: layer.shape[1:-1] for level, layer in model.output.items()}.items():
        assert size == tuple(math.ceil(side / stride_of(level)) for side in sides)
    assert stride_of(max(model.output)) <= output_stride
    x = rng.normal(size=(2, *sides, 3)).astype("float32")
    with tf.GradientTape() as tape:
        answer = model(x, training=True)
        score = tf.reduce_sum(answer[max(answer)] ** 2)
    gradients = tape.gradient(score, [variable.value for variable in model.trainable_variables])
    assert all(np.isfinite(g).all() for g in gradients if g is not None) and any(g is not None for g in gradients)


@pytest.mark.parametrize("name", ["resnet50", "resnet18", "mobilenet_v2", "efficientnet_lite0", "regnety_004"])
def test_weights_of_published_networks_fit(name):
    strided, dilated = (without_weights(name, head="deeplab", num_classes=3, output_stride=s) for s in (32, 8))
    shapes = {v.path: v.shape for v in strided.variables}
    assert shapes == {v.path: v.shape for v in dilated.variables}


def test_what_cannot_dilate_is_refused_with_some_that_can():
    with pytest.raises(UserError, match="output_stride is 16: vgg16 cannot dilate; set it to 32, or choose") as caught:
        build_levels("vgg16", input_shape=(64, 64, 3), output_stride=16)
    assert "\n" not in str(caught.value)
    names = str(caught.value).split("such as ")[1].split(", ")
    assert len(names) == 3 and all(ARCHITECTURES[name].dilates for name in names)
    build_levels("vgg_toy", input_shape=(64, 64, 3), output_stride=32)
    with pytest.raises(UserError, match="output_stride is 4: it must be 8, 16 or 32"):
        build_levels("resnet_toy", input_shape=(64, 64, 3), output_stride=4)


def test_it_is_not_set_by_hand():
    with pytest.raises(UserError, match="unknown field of resnet_toy 'output_stride'"):
        build_levels("resnet_toy", input_shape=(64, 64, 3), overrides={"output_stride": 16})
