"""Weights of a network of another size are refused, and what may differ (classes, pictures, tops) is not."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

import kcnn
from kcnn.architectures import ARCHITECTURES
from kcnn.errors import UserError
from kcnn.pretrained import layouts_of
from kcnn.pretrained.loading import Loaded
from kcnn.pretrained.tensors import other_grid, tensor_names
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


def ours(name, folder, **options):
    model = kcnn.build_model(name, input_shape=SHAPE, num_classes=4, **options)
    save_file({path: v.numpy() for path, v in weight_variables(model).items()}, folder / "ours.safetensors")
    return folder / "ours.safetensors"


def test_our_own_weights_of_another_size_are_refused_too(tmp_path):
    weights = ours("resnet_toy", tmp_path)
    with pytest.raises(UserError, match="no tensor fits resnet_toy; choose the architecture"):
        built("resnet_toy", weights, overrides={"width": 16})
    with pytest.raises(UserError, match="of another network than resnet_toy: .* find no tensor of their shape"):
        built("resnet_toy", weights, overrides={"depths": (2, 2)})
    with pytest.raises(UserError, match="of another network than resnet_toy: .* of the file have no place"):
        built("resnet_toy", ours("resnet_toy", tmp_path, overrides={"depths": (2, 2)}))


@pytest.mark.parametrize("name", ["resnet_toy", "mobilenet_v2_toy", "alexnet_toy", "vit_toy"])
def test_our_own_weights_load_for_other_classes_and_channels(tmp_path, name):
    weights = ours(name, tmp_path)
    assert built(name, weights).count_params()
    assert kcnn.build_model(name, input_shape=(32, 32, 1), num_classes=3, weights=weights).count_params()


def test_a_bias_is_not_taken_without_its_kernel(tmp_path, caplog):
    file = ours("resnet_toy", tmp_path)
    tensors = load_file(file)
    tensors["logits/kernel"] = np.zeros((7, 3), "float32")
    save_file(tensors | {"logits/bias": np.ones(3, "float32")}, file)
    np.testing.assert_array_equal(built("resnet_toy", file).get_layer("logits").bias, 0)


def test_what_is_lost_or_left_over_is_a_warning_and_other_classes_are_not(tmp_path, caplog):
    file = ours("resnet_toy", tmp_path)
    built("resnet_toy", file)
    assert not caplog.text
    built("resnet_toy", file, style={"norm": "group"})
    assert "WARNING" in caplog.text and "moving_mean" in caplog.text
    lines = list(Loaded("keras", matched=["a"], unused=["b"], alike=["resnet50v2"]).lines())
    assert lines[-1].strip() == "resnet50v2 would have as many parameters as this file"


def test_overrides_and_styles_that_are_no_dicts_are_refused(tmp_path):
    for options in ({"overrides": [1]}, {"style": "relu"}):
        with pytest.raises(UserError, match="it must be a dict from the names of fields"):
            built("resnet_toy", ours("resnet_toy", tmp_path), **options)


def test_positions_of_another_grid_are_resampled(tmp_path, caplog, rng):
    caplog.set_level("INFO", "kcnn")
    file, before = tmp_path / "larger.safetensors", rng.normal(size=(1, 1 + 24 * 24, 16)).astype("float32")
    tensors = {path: v.numpy() for path, v in weight_variables(built("vit_toy", None)).items()}
    save_file({**tensors, "tokens/positions": before}, file)
    after = built("vit_toy", file).get_layer("tokens").positions.numpy()
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    expected = tf.image.resize(before[0, 1:].reshape(24, 24, -1), (14, 14), "bicubic", antialias=True)
    np.testing.assert_allclose(after[0, 1:].reshape(14, 14, -1), expected, atol=1e-5)
    assert "  1 reshaped: tokens/positions" in caplog.text and "fresh" not in caplog.text


@pytest.mark.parametrize("side", [10, 24])
def test_a_ramp_of_positions_stays_one(side):
    ramp = np.stack(np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2, indexing="ij"), axis=-1)
    found = other_grid(np.concatenate([np.full((1, 1, 2), 7.0), ramp.reshape(1, -1, 2)], axis=1), (14, 14))
    np.testing.assert_array_equal(found[:, 0], 7)
    inside, places = slice(3, -3), (np.arange(14) + 0.5) / 14
    expected = np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1)
    np.testing.assert_allclose(found[0, 1:].reshape(14, 14, 2)[inside, inside], expected[inside, inside], atol=1e-3)


def test_positions_that_are_no_square_are_not_guessed():
    assert other_grid(np.zeros((1, 1 + 6, 4), "float32"), (14, 14)) is None
