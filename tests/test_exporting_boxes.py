"""Heads for boxes, and each family under RetinaNet: a step is taken, and the SavedModel answers as the model does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.architectures import ARCHITECTURES
from kcnn.data import Facts
from kcnn.errors import UserError
from kcnn.exporting import export
from kcnn.heads import HEADS
from kcnn.models import build_model, head_of
from kcnn.training import Engine

SIDE, NAMES = 64, ("bright", "dark", "red")
BOXES = [name for name, kind in HEADS.items() if kind.task == "boxes"]
FAMILIES = [name for name in ARCHITECTURES if name.endswith("_toy") and 2 in ARCHITECTURES[name].ranks]
SMALL = {"filters": 8, "most": 6}
FURTHER = {"retinanet": {"depth": 1}, "faster_rcnn": {"hidden": 8, "proposals": 12}}
FURTHER["mask_rcnn"] = FURTHER["faster_rcnn"] | {"depth": 1}
# In the ordinary tests those that need something of their own: groups, depthwise kernels, a stated size, windows.
TELLING = ("shufflenet_toy", "efficientnet_toy", "nasnet_toy", "swin_toy")


def batch_of(rng):
    """Two pictures with a rectangle each, of which there is an outline too."""
    masks = np.zeros((2, 1, SIDE, SIDE), bool)
    masks[0, 0, 8:40, 10:50] = masks[1, 0, 20:60, 4:36] = True
    boxes = np.array([[[10, 8, 50, 40]], [[4, 20, 36, 60]]], np.float32)
    image = rng.uniform(0, 100, (2, SIDE, SIDE, 3)) + 150 * masks[:, 0, :, :, None]
    found = {"image": image.astype(np.float32), "boxes": boxes, "classes": np.array([[0], [2]], np.int32)}
    return {key: tf.constant(value) for key, value in (found | {"weight": np.ones(2, "f4"), "masks": masks}).items()}


def check(architecture, name, folder, rng):
    """A step of finite losses and gradients, and a SavedModel like the model."""
    keras.utils.set_random_seed(0)
    head = head_of(name, num_classes=3, **SMALL | FURTHER.get(name, {}))
    model = build_model(architecture, head, input_shape=(SIDE, SIDE, 3))
    optimizer = keras.optimizers.SGD(1e-3)
    optimizer.build(model.trainable_variables)
    sums, norms = Engine(model, head, optimizer).train_step(batch_of(rng), tf.constant(1e-3), tf.constant(0.0))
    assert np.isfinite(sums).all() and np.isfinite(norms).all() and (norms.numpy() > 0).mean() > 0.5
    facts = Facts(class_names=NAMES, input_shape=(SIDE, SIDE, 3), task="boxes", framing="pad")
    images = rng.integers(0, 256, (2, SIDE, SIDE, 3)).astype(np.uint8)
    _, found = export("saved_model", model, head, facts, folder, images)
    assert found["score_difference"] < 1e-4


def families(ordinary):
    return [pytest.param(name, marks=[] if name in ordinary else [pytest.mark.slow]) for name in FAMILIES]


def check_or_say(architecture, name, folder, rng):
    """As `check`; a family without the levels says so."""
    try:
        check(architecture, name, folder, rng)
    except UserError as error:
        assert "\n" not in str(error) and "has the levels" in str(error)


@pytest.mark.parametrize("name", BOXES)
def test_each_head_is_exported(name, tmp_path, rng):
    check("resnet_toy", name, tmp_path, rng)


@pytest.mark.parametrize("architecture", families(TELLING))
def test_each_family_has_a_retinanet_or_says_why_not(architecture, tmp_path, rng):
    check_or_say(architecture, "retinanet", tmp_path, rng)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BOXES if name != "retinanet"])
@pytest.mark.parametrize("architecture", [name for name in FAMILIES if name != "resnet_toy"])
def test_each_family_has_each_head_or_says_why_not(architecture, name, tmp_path, rng):
    check_or_say(architecture, name, tmp_path, rng)
