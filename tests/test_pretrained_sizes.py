"""Weights of a network of another size are refused, and what may differ (classes, pictures, tops) is not."""

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

import kcnn
from kcnn.architectures import ARCHITECTURES
from kcnn.errors import UserError
from kcnn.pretrained import layouts_of
from kcnn.pretrained.tensors import tensor_names
from kcnn.training.weights import weight_variables
from tests.unfilled import without_weights

NARROW = {"width": 8}
SHAPE = (32, 32, 3)


def theirs(name, program, folder, **options):
    """The file that `program` would write of an architecture: zeros under its names."""
    model = without_weights(name, top="own", input_shape=SHAPE, num_classes=4, stem="standard", **options)
    variant = ARCHITECTURES[name]
    layout, tensors = next(found for found in layouts_of(variant) if found.program == program), {}
    for path, variable in weight_variables(model).items():
        layer, kind = path.rsplit("/", 1)
        value = np.zeros(variable.shape, "float32")
        if kind == "kernel":
            value = value.T if value.ndim == 2 else np.moveaxis(value, (-1, -2), (0, 1))
        if "Depthwise" in type(model.get_layer(layer)).__name__:
            value = np.moveaxis(value, 0, 1) if kind == "kernel" else value
        tensors[tensor_names(kind, layout.module(layer, variant.row), program)[0]] = np.ascontiguousarray(value)
    keras.utils.clear_session(free_memory=False)
    save_file(tensors, folder / "theirs.safetensors")
    return folder / "theirs.safetensors"


def built(name, weights, **options):
    return kcnn.build_model(name, input_shape=SHAPE, num_classes=3, weights=weights, **options)


@pytest.mark.parametrize("stem", ["standard", "auto"])
def test_blocks_that_have_no_place_are_refused(tmp_path, stem):
    weights = theirs("resnet34", "torchvision", tmp_path, overrides=NARROW)
    with pytest.raises(
        UserError, match="of another network than resnet18: 16 kernels of the file have no place"
    ) as told:
        built("resnet18", weights, overrides=NARROW, stem=stem)
    assert "\n" not in str(told.value) and "layer1.2.conv1.weight" in str(told.value)


def test_blocks_that_stay_fresh_are_refused(tmp_path):
    weights = theirs("resnet18", "torchvision", tmp_path, overrides=NARROW)
    with pytest.raises(UserError, match="of another network than resnet34: 16 kernels find no tensor"):
        built("resnet34", weights, overrides=NARROW)


def test_kernels_of_another_width_are_refused(tmp_path):
    weights = theirs("wide_resnet50_2", "torchvision", tmp_path, overrides=NARROW)
    with pytest.raises(UserError, match="of another network than resnet50: 48 kernels find no tensor of their shape"):
        built("resnet50", weights, overrides=NARROW)


def test_other_classes_stems_tops_and_activations_are_not(tmp_path):
    weights = theirs("resnet18", "torchvision", tmp_path, overrides=NARROW)
    assert built("resnet18", weights, overrides=NARROW).count_params()
    assert built("resnet18", weights, overrides=NARROW, style={"activation": "prelu"}).count_params()
    weights = theirs("mobilenet_v3_small", "timm", tmp_path)
    assert built("mobilenet_v3_small", weights, top="pooled").count_params()
