"""Each head for masks, and each family under a U-Net: the written SavedModel answers as the model does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.answers import MaskAnswers
from kcnn.architectures import ARCHITECTURES
from kcnn.data import Facts
from kcnn.exporting import EXPORTERS, export
from kcnn.heads import HEADS
from kcnn.models import build_model, head_of

MASKS = [name for name in HEADS if HEADS[name].task == "masks"]
FAMILIES = [name for name in ARCHITECTURES if name.endswith("_toy") and 2 in ARCHITECTURES[name].ranks]
SMALL = {"unet": {"filters": (8, 8)}, "fcn": {"filters": 8}, "deeplab": {"filters": 8, "low_filters": 4}}
STATED = ("nasnet_toy",)  # what must know its sides


def settle(model, images):
    """Bring every norm near the statistics of `images`: NASNet's first answers are thousands, too far to compare."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5  # halfway: two pictures alone may hardly vary
    model(images, training=True)


def written(architecture, name, folder, rng):
    """(parity of a SavedModel, answers of it to a picture of another size, or None for one that states its own)."""
    keras.utils.set_random_seed(0)
    head = head_of(name, num_classes=3, **SMALL[name])
    stated = architecture in STATED
    model = build_model(architecture, head, input_shape=(64, 64, 3) if stated else (None, None, 3))
    facts = Facts(class_names=("ground", "bright", "dark"), input_shape=(64, 64, 3), task="masks")
    images = rng.integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    settle(model, images)
    path, found = export("saved_model", model, head, facts, folder, images)
    ask = EXPORTERS["saved_model"].load(path, head, facts)["serving_default"]
    return found, None if stated else ask(rng.integers(0, 256, (1, 70, 96, 3)).astype(np.uint8))


@pytest.mark.parametrize("name", [name for name in MASKS if name != "unet"])
def test_each_head_is_exported_and_takes_other_sizes(name, tmp_path, rng):
    found, other = written("resnet_toy", name, tmp_path, rng)
    assert found["score_difference"] < 1e-4 and other["mask"].shape == (1, 70, 96)


# In the ordinary tests those that need something of their own: short windows, groups, depthwise kernels, a stated size.
TELLING = ("resnet_toy", "alexnet_toy", "inception_v3_toy", "shufflenet_toy", "efficientnet_toy", *STATED)


@pytest.mark.parametrize(
    "architecture", [pytest.param(name, marks=[] if name in TELLING else [pytest.mark.slow]) for name in FAMILIES]
)
def test_each_family_is_exported_under_a_unet(architecture, tmp_path, rng):
    found, other = written(architecture, "unet", tmp_path, rng)
    assert found["score_difference"] < 1e-4 and (other is None or other["mask"].shape == (1, 70, 96))


def floats(architecture, sides):
    """(model, head, facts) on float32 data of five bands of `sides`."""
    keras.utils.set_random_seed(0)
    head, shape = head_of("unet", num_classes=3, **SMALL["unet"]), (*sides, 5)
    free = (*[None] * len(sides), 5)
    model = build_model(architecture, head, input_shape=shape if architecture in STATED else free)
    facts = Facts(class_names=("ground", "bright", "dark"), input_shape=shape, measured=True, task="masks")
    return model, head, facts


def serving(path):
    """The signatures of the SavedModel at `path`."""
    return tf.saved_model.load(str(path)).signatures


@pytest.mark.parametrize("architecture", ["resnet_toy", *STATED])
def test_data_of_other_sizes_is_answered_as_by_predict(architecture, tmp_path, rng):
    model, head, facts = floats(architecture, (32, 32))
    images = rng.normal(size=(2, 32, 32, 5)).astype(np.float32)
    settle(model, images)
    path, found = export("saved_model", model, head, facts, tmp_path, images)
    other = rng.normal(size=(2, 40, 70, 5)).astype(np.float32)
    given = serving(path)["serving_default"](image=tf.constant(other))
    answers = MaskAnswers(model, head, facts).predict(list(other), 3)
    assert found["score_difference"] < 1e-4
    means = [answer["score"] for answer in answers]
    np.testing.assert_allclose(tf.reduce_mean(given["score"], (1, 2)), means, atol=1e-4)
    assert (given["mask"].numpy() == np.stack([answer["mask"] for answer in answers])).mean() > 0.999


def test_no_pictures_have_no_answers_and_a_long_strip_spares_its_neighbours(tmp_path, rng):
    written("resnet_toy", "unet", tmp_path, rng)
    ask = serving(tmp_path / EXPORTERS["saved_model"].file)
    for shape in ((0, 40, 50, 3), (0, 0, 0, 3)):
        none = ask["serving_default"](image=tf.zeros(shape, tf.uint8))
        assert none["mask"].shape == none["score"].shape == shape[:3]
    none = ask["from_bytes"](bytes=tf.constant([], tf.string))
    assert none["png_bytes"].shape == none["score"].shape == (0,)
    pngs = [tf.io.encode_png(rng.integers(0, 256, (*size, 3)).astype(np.uint8)) for size in ((50, 40), (1, 20000))]
    alone = ask["from_bytes"](bytes=tf.stack(pngs[:1]))["png_bytes"].numpy()
    both = ask["from_bytes"](bytes=tf.stack(pngs))["png_bytes"].numpy()
    assert both[0] == alone[0] and tf.io.decode_png(both[1]).shape == (1, 20000, 1)


def test_no_volumes_have_no_answers(tmp_path, rng):
    images = rng.normal(size=(2, 8, 8, 8, 5)).astype(np.float32)
    path, found = export("saved_model", *floats("resnet_toy", (8, 8, 8)), tmp_path, images)
    none = serving(path)["serving_default"](image=tf.constant(images[:0]))
    assert found["score_difference"] < 1e-4 and none["mask"].shape == none["score"].shape == (0, 8, 8, 8)


def test_there_are_families_and_heads():
    assert len(FAMILIES) > 20 and len(MASKS) >= 3
