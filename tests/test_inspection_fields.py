"""Is the receptive field that is computed the one that gradients show, and are costs what the papers say?

Gradients are those of a linear twin: positive kernels, no activations, norms or biases, means in place of maxima, and
no global operations. There each pixel that has a way to the place in question has a gradient above 0.
"""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.text import Text

import kcnn
from kcnn.architectures import ARCHITECTURES
from kcnn.inspection import describe, drawing, multiply_adds, receptive_fields
from kcnn.inspection.fields import fields_of_layers
from kcnn.layers import Style, transposed
from kcnn.models import build_model, levels
from tests.unfilled import without_weights

TOYS = [name for name in ARCHITECTURES if name.endswith("_toy")]
NARROW = {
    "vgg16": {"filters": (2, 2, 2, 2, 2)},
    "resnet18": {"width": 4},
    "resnet50": {"width": 4},
    "mobilenet_v2": {"width": 0.1},
}


@keras.saving.register_keras_serializable(package="tests")
class First(keras.layers.Layer):
    """The first of its inputs, or the input itself."""

    def call(self, inputs, mask=None):
        return inputs[0] if isinstance(inputs, list) else inputs


@keras.saving.register_keras_serializable(package="tests")
class Cut(keras.layers.Layer):
    """Nothing in place of attention, of queries, keys and values (..., 3 C): zeros (..., C) that no pixel leads to."""

    def call(self, inputs, *others):
        return keras.ops.zeros_like(inputs[..., : inputs.shape[-1] // 3])


def linear(layer):
    """What stands for `layer` in the linear twin."""
    kind, name = type(layer).__name__, layer.name
    if kind.startswith("MaxPooling"):
        twin = getattr(keras.layers, kind.replace("Max", "Average"))
        return twin(layer.pool_size, layer.strides, layer.padding, name=name)
    if kind.endswith("Normalization") or kind in ("Activation", "PReLU", "Multiply", "LayerScale", "Standardize"):
        return First(name=name)
    if kind in ("SelfAttention", "WindowAttention"):
        return Cut(name=name)
    return type(layer).from_config(layer.get_config())


def linear_twin(model):
    twin = keras.models.clone_model(model, clone_function=linear)
    for variable in twin.weights:
        volume = math.prod(variable.shape[:-1]) or 1
        variable.assign(np.full(variable.shape, volume**-0.5 if "kernel" in variable.path else 0.0, "float32"))
    return twin


def seen(twin, layer, shape):
    """[(first, last) pixel of each axis that has a gradient] for the middle place of `layer`, and the place."""
    probe = keras.Model(twin.inputs, twin.get_layer(layer).output)
    image = tf.ones((1, *shape))
    with tf.GradientTape() as tape:
        tape.watch(image)
        output = probe(image, training=False)
        place = tuple(side // 2 for side in output.shape[1:-1])
        value = tf.reduce_sum(output[(0, *place)])
    has = np.abs(tape.gradient(value, image)[0]).sum(axis=-1) > 0
    axes = range(has.ndim)
    lit = [np.flatnonzero(has.any(axis=tuple(other for other in axes if other != axis))) for axis in axes]
    return [(line[0], line[-1]) for line in lit], place


def check(model, shape, deepest="c9"):
    """Compare all levels up to the deepest along each axis where the image is large enough to hold the whole field."""
    twin, found, compared = linear_twin(model), receptive_fields(model), 0
    for level, layer in levels(model).items():
        if level > deepest or found[level][0].cut:
            continue
        pixels, place = seen(twin, layer, shape)
        for axis, (field, at) in enumerate(zip(found[level], place, strict=True)):
            low, high = field.jump * at + field.low, field.jump * at + field.high
            if low >= 0 and high < shape[axis]:
                assert pixels[axis] == (low, high), (model.name, level, axis)
                compared += 1
    return compared


@pytest.mark.parametrize("stem", ["standard", "small"])
@pytest.mark.parametrize("name, tall", [*((name, True) for name in TOYS), ("resnet_toy", False)])
def test_computed_field_is_the_measured_one(name, tall, stem):
    long = 5 + 2 * max(fields[0].size for fields in receptive_fields(toy(name, (96, 96, 3), stem)).values())
    narrow = 109 if stem == "standard" else 41
    shape = (long, narrow, 3) if tall else (narrow + 3, long, 3)
    model = toy(name, shape, stem)
    assert check(model, shape) >= sum(not fields[0].cut for fields in receptive_fields(model).values())


def toy(name, shape, stem):
    return build_model(name, input_shape=shape, num_classes=2, stem=stem)


@pytest.mark.parametrize("name", NARROW)
def test_whole_fields_of_landmarks(name):
    shape, deepest = (560, 64, 3), "c4" if name == "mobilenet_v2" else "c5"
    model = build_model(name, input_shape=shape, num_classes=2, stem="standard", overrides=NARROW[name])
    assert check(model, shape, deepest) >= 4
    last = receptive_fields(model)[deepest][0]
    assert last.size == {"vgg16": 212, "resnet18": 435, "resnet50": 427, "mobilenet_v2": 267}[name]


@pytest.mark.parametrize("shape", [(90, 2), (33, 35, 41, 1)], ids=str)
def test_fields_in_other_ranks(shape):
    check(build_model("resnet_toy", input_shape=shape, num_classes=2, stem="standard"), shape)


def test_a_shifted_window_would_be_noticed():
    model = build_model("resnet_toy", input_shape=(64, 64, 3), num_classes=2, stem="standard")
    twin, field = linear_twin(model), fields_of_layers(model)[model.get_layer("c2_1_out")][0]
    pixels, place = seen(twin, "c2_1_out", (64, 64, 3))
    assert pixels[0] != (field.jump * place[0] + field.low + 1, field.jump * place[0] + field.high + 1)


def test_a_transposed_convolution_is_refused():
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, transposed(image, 4, 4, style=Style(), name="larger"))
    with pytest.raises(kcnn.UserError, match="layer 'larger' is a transposed convolution"):
        fields_of_layers(model)


def test_global_operations_show_the_whole_image():
    model = build_model("resnet_toy", input_shape=(64, 64, 3), num_classes=2, style={"norm": "group"})
    assert all(field.whole and field.size < 200 for fields in receptive_fields(model).values() for field in fields)
    plain = build_model("resnet_toy", input_shape=(64, 64, 3), num_classes=2)
    assert not any(field.whole for fields in receptive_fields(plain).values() for field in fields)


@pytest.mark.parametrize(
    "name, billions", [("resnet50_v1", 3.86), ("resnet50", 4.09), ("resnet152_v1", 11.28), ("vgg19", 19.6)]
)
def test_multiply_adds_of_the_papers(name, billions):
    found = multiply_adds(without_weights(name, top="own"))
    assert abs(found / 1e9 / billions - 1) < 0.01


def test_multiply_adds_by_hand():
    assert multiply_adds(without_weights("lenet5", top="own")) == 416_520  # 117 600 + 240 000 + 48 000 + 10 080 + 840


def test_a_description_draws_no_weights_neither_at_once_nor_later(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("weights were drawn")

    for kind in ("VarianceScaling", "RandomNormal", "Zeros", "Ones"):
        monkeypatch.setattr(getattr(keras.initializers, kind), "__call__", refuse)
    found = describe("resnet18", input_shape=(1024, 1024, 3))
    assert found.ancestor.parameters > 2_000_000_000, "a fully connected layer of 32 x 32 x 512 inputs"
    with keras.StatelessScope():
        pass  # at its end Keras fills what it owes


def test_an_ancestor_that_is_too_deep_for_the_image_is_left_out():
    found = describe("resnet18", input_shape=(8, 8, 1), num_classes=2)
    assert found.ancestor is None and found.parameters > 0 and not any("against" in line for line in found.lines())


def test_description_says_it_all():
    found = describe("resnet_toy", input_shape=(64, 64, 3), num_classes=5)
    assert [level.stride for level in found.levels] == [2, 4, 8, 16, 32] and found.classes == 5
    assert found.parameters == sum(math.prod(v.shape) for v in build_model(
        "resnet_toy", input_shape=(64, 64, 3), num_classes=5, top="own").trainable_variables)  # fmt: skip
    text = "\n".join(found.lines())
    assert "resnet_toy" in text and "64×64×3" in text and "stride 32" in text and found.depth == 10


def test_a_stem_that_the_size_chose_is_told():
    line = "small stem, because a side is under 64 voxels (model.stem)"
    assert line in describe("resnet_toy", input_shape=(32, 64, 64, 1), with_ancestor=False).lines()
    for name, shape, stem in (
        ("resnet_toy", (64, 64, 3), "auto"),
        ("resnet_toy", (32, 32, 3), "small"),
        ("lenet_toy", (28, 28, 1), "auto"),  # which has no other
    ):
        assert not describe(name, input_shape=shape, with_ancestor=False, stem=stem).small_stem, (name, shape, stem)
    told = describe("resnet_toy", input_shape=(8, 8, 3), with_ancestor=False)
    assert told.small_stem, "the usual one does not fit at all"
    assert "small stem, because a side is under 64 px (model.stem)" in told.lines()


@pytest.mark.parametrize("shape, words", [
    ((100, 1), ("signal", "steps")), ((64, 64, 3), ("image", "px")), ((64, 64, 64, 1), ("volume", "voxels")),
])  # fmt: skip
def test_a_description_speaks_of_its_kind_of_image_and_a_drawing_shows_all_of_it(shape, words, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(drawing, "save", lambda figure, path: figures.append(figure))
    found = describe("resnet_toy", input_shape=shape, num_classes=2)
    text = "\n".join(found.lines())
    assert f"for one {words[0]} " in text and f" {words[1]} " in text
    drawing.draw_stages(replace(found, levels=found.levels[:1]), tmp_path / "stages.png")
    figure = figures[0]
    figure.draw_without_rendering()
    shown = [text for text in figure.findobj(Text) if text.get_text()]
    assert any(text.get_text().startswith(words[0]) for text in shown)
    assert any(words[1] in text.get_text() for text in shown)
    assert any(text.get_text().startswith("Not to scale") for text in shown)
    for text in shown:
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text.get_text()


def test_windows_show_more_than_the_field_and_less_than_the_whole():
    """Gradients of the true network, attention and all: the place in the middle of each level of a Swin net."""
    model = kcnn.models.build_levels("swin_toy", input_shape=(224, 224, 3), overrides={"window": 7})
    fields, names = receptive_fields(model), levels(model)
    image = tf.random.stateless_normal((1, 224, 224, 3), (0, 0))
    for level, (field, _) in fields.items():
        part = keras.Model(model.input, model.get_layer(names[level]).output)
        with tf.GradientTape() as tape:
            tape.watch(image)
            seen = part(image)
            place = tf.reduce_sum(seen[0, seen.shape[1] // 2, seen.shape[2] // 2])
        reached = np.flatnonzero(np.abs(tape.gradient(place, image)).sum((0, 2, 3)))
        size = reached[-1] - reached[0] + 1
        assert size == 224 if field.whole else field.windows and size > field.size
        assert level != "c2" or size < 224
    assert [field.whole for field, _ in fields.values()] == [False, False, False, True]
