"""Does every registered architecture keep the contract: counts, levels, gradients, saving, names, ranks?"""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.architectures import ARCHITECTURES, stride_of
from kcnn.errors import UserError
from kcnn.inspection import activation_bytes, depth, multiply_adds
from kcnn.inspection.shelf import FILE as COSTS
from kcnn.layers import StochasticDepth
from kcnn.models import build_model, levels
from kcnn.training import load_weights, save_weights
from kcnn.training.weights import weight_variables
from tests.unfilled import without_weights

TOYS = [name for name in ARCHITECTURES if name.endswith("_toy")]
SHAPES = {1: (70, 3), 2: (45, 38, 3), 3: (35, 33, 40, 2)}
SMALL = {1: (40, 3), 3: (20, 18, 22, 2)}  # signals and volumes
RANKS = [(name, rank) for name in TOYS for rank in SHAPES if rank in ARCHITECTURES[name].ranks]
REFUSED = [(name, rank) for name in TOYS for rank in SHAPES if rank not in ARCHITECTURES[name].ranks]


def check_levels(model, shape):
    """Every level is ceil(n / 2^N) along every axis."""
    found = levels(model)
    assert found and list(found) == sorted(found)
    for level, layer in found.items():
        size = tuple(math.ceil(n / stride_of(level)) for n in shape[:-1])
        assert model.get_layer(layer).output.shape[1:-1] == size, (level, layer)


def dropping(name):
    """A style that drops residual branches, where the architecture has some."""
    return {"drop_path": 0.2} if ARCHITECTURES[name].row.residual else {}


def batch(shape, size=4):
    return np.random.default_rng(0).uniform(0, 255, (size, *shape)).astype("float32")


def test_there_are_families_and_each_begins_with_a_toy():
    first = {}
    for name, variant in ARCHITECTURES.items():
        first.setdefault(variant.family, name)
    assert len(first) >= 6 and all(name.endswith("_toy") for name in first.values()), first


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_published_count_and_levels(name):
    row = ARCHITECTURES[name].row
    model = without_weights(name, top="own", stem=row.stem)
    count = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    assert row.params == count or (row.params is None and name in TOYS)
    assert model.output.shape == (None, row.classes) and model.name == name
    # A class token is no part of a level: with such a top the model has none.
    check_levels(model if model.level_layers else without_weights(name, stem=row.stem), row.image)
    if name not in TOYS:
        counted = json.loads(COSTS.read_text("utf-8")).get(name)
        found = {"parameters": count, "multiply_adds": multiply_adds(model), "depth": depth(model)}
        assert counted == found | {"activation_bytes": activation_bytes(model)}, "run `python -m tests.record_costs`"


@pytest.mark.parametrize("stem", ["standard", "small"])
@pytest.mark.parametrize("name, rank", RANKS)
def test_levels_of_odd_sizes(name, rank, stem):
    check_levels(without_weights(name, input_shape=SHAPES[rank], num_classes=2, stem=stem), SHAPES[rank])


@pytest.mark.parametrize("name, rank", REFUSED)
def test_a_rank_without_meaning_is_refused(name, rank):
    light = {1: "resnet_wang, lenet5, resnet20", 3: "lenet5, resnet20, simple_cnn"}[rank]
    with pytest.raises(UserError, match=f"made for images of .* not {rank}: .* choose another, such as {light}$"):
        build_model(name, input_shape=SHAPES[rank], num_classes=2)


@pytest.mark.parametrize("name, rank", RANKS)
def test_gradients_reach_everything_and_a_step_changes_it(name, rank):
    keras.utils.set_random_seed(0)
    model = build_model(name, input_shape=SHAPES[rank], num_classes=3)
    x, y = batch(SHAPES[rank]), np.arange(4) % 3
    before = [variable.numpy() for variable in model.variables]
    with tf.GradientTape() as tape:
        score = keras.losses.sparse_categorical_crossentropy(y, model(x, training=True), from_logits=True)
        score = tf.reduce_mean(score)
    gradients = tape.gradient(score, [variable.value for variable in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None and np.isfinite(gradient).all(), variable.path
        cancelled = variable.path.endswith("bias")  # a norm after the convolution takes its bias away
        assert cancelled or np.abs(gradient).max() > 0, variable.path
    keras.optimizers.SGD(0.1).apply(gradients, model.trainable_variables)
    changed = [
        not np.array_equal(old, new) for old, new in zip(before, (v.numpy() for v in model.variables), strict=True)
    ]
    kernels = [v.path.endswith(("kernel", "moving_mean")) for v in model.variables]
    assert all(change for change, kernel in zip(changed, kernels, strict=True) if kernel)


@pytest.mark.parametrize(
    "name, top", [(name, "pooled") for name in TOYS] + [(name, "own") for name in TOYS if ARCHITECTURES[name].own_top]
)
def test_save_and_load_equal(name, top, tmp_path):
    shape = (48, 40, 3)
    model = build_model(name, input_shape=shape, num_classes=3, top=top, style=dropping(name), dropout=0.1)
    model.save(tmp_path / "model.keras")
    twin = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(batch(shape)), twin(batch(shape)))


@pytest.mark.parametrize("name, rank", [(name, rank) for name, rank in RANKS if rank in SMALL])
def test_weights_go_to_a_file_and_into_a_fresh_model(name, rank, tmp_path):
    shape = SMALL[rank]
    model, twin = (build_model(name, input_shape=shape, num_classes=3) for _ in range(2))
    rng = np.random.default_rng(0)
    for variable in weight_variables(model).values():
        variable.assign(variable + rng.uniform(0, 0.1, variable.shape))
    save_weights(model, tmp_path / "weights.safetensors")
    load_weights(twin, tmp_path / "weights.safetensors")
    answers = model(batch(shape, 2))
    assert np.isfinite(answers).all()
    np.testing.assert_array_equal(answers, twin(batch(shape, 2)))


@pytest.mark.parametrize("name", TOYS)
def test_paths_of_variables_are_unique_and_stable(name):
    def paths():
        options = {"input_shape": (64, 64, 3), "num_classes": 3, "top": "own", "dropout": 0.2}
        model = without_weights(name, style=dropping(name), **options)
        return [variable.path for variable in model.variables], [layer.name for layer in model.layers]

    first, names = paths()
    assert (first, names) == paths()
    assert len(set(first)) == len(first) and len(set(names)) == len(names)


@pytest.mark.parametrize("name", [*TOYS, "plain20"])
def test_drop_path_drops_branches_or_is_refused(name):
    options = {"input_shape": (64, 64, 3), "num_classes": 3, "style": {"drop_path": 0.2}}
    if ARCHITECTURES[name].row.residual:
        assert any(isinstance(layer, StochasticDepth) for layer in without_weights(name, **options).layers)
    else:
        with pytest.raises(
            UserError, match=f"drop_path is 0.2: {name} has no residual branches.*leave it out"
        ) as caught:
            without_weights(name, **options)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("norm", ["none", "group", "layer", "sync_batch"])
@pytest.mark.parametrize("name", TOYS)
def test_style_reaches_every_norm(name, norm):
    model = without_weights(name, input_shape=(64, 64, 3), num_classes=3, style={"norm": norm, "activation": "gelu"})
    kinds = {type(layer).__name__ for layer in model.layers if layer.name.endswith("_norm")}
    expected = {"group": "GroupNormalization", "layer": "LayerNormalization", "sync_batch": "BatchNormalization"}
    assert kinds == ({expected[norm]} if norm != "none" else set())
    activations = {layer.activation.__name__ for layer in model.layers if layer.name.endswith(("_act", "_out"))}
    assert activations == {"gelu"}


@pytest.mark.parametrize("name", ["resnet_toy", "resnet_v2_toy", "mobilenet_v2_toy"])
def test_low_precision_keeps_logits_and_variables_float32(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_model(name, input_shape=(64, 64, 3), num_classes=3, style={"drop_path": 0.2})
        answer = model(batch((64, 64, 3)), training=True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert answer.dtype == "float32" and np.isfinite(answer).all()
    assert model.get_layer(levels(model)["c5"]).output.dtype == "bfloat16"
    assert all(v.dtype == "float32" for v in model.trainable_variables)
