"""Do AlexNet, the Inceptions, DenseNet, RegNet, Xception, NASNet and Wang's ResNet have what their papers state?"""

import math

import keras
import numpy as np
import pytest

from kcnn.architectures import ARCHITECTURES
from kcnn.architectures.regnet import fitted_groups, regnet_row, regnet_stages
from kcnn.errors import UserError
from kcnn.layers import FusedBatchNormalization
from kcnn.models import build_model
from tests.unfilled import without_weights


def count(variables):
    return sum(math.prod(variable.shape) for variable in variables)


def sizes(model, *names):
    return [model.get_layer(name).output.shape[1] for name in names]


def test_alexnet_pools_overlapping_windows_and_the_switch_keeps_all_sizes():
    names = ["stem", "stem_pool", "conv2_pool", "conv5_pool"]
    for pool in (3, 2):
        model = without_weights("alexnet", top="own", overrides={"pool": pool})
        assert sizes(model, *names) == [55, 27, 13, 6]
        assert model.get_layer("conv5_pool").pool_size == (pool, pool)
        assert count(model.trainable_variables) == 60_965_224
    hidden = count(v for v in model.trainable_variables if v.path.startswith(("fc", "logits")))
    assert 0.95 < hidden / 60_965_224 < 0.97, "nearly all parameters are in the fully connected layers"


def test_alexnet_groups_local_norms_and_starting_values():
    model = build_model("alexnet_toy", input_shape=(96, 96, 3), top="own", style={"kernel_std": 0.01}, num_classes=3)
    groups = {name: model.get_layer(name).groups for name in ("conv2", "conv3", "conv4", "conv5")}
    assert groups == {"conv2": 2, "conv3": 1, "conv4": 2, "conv5": 2}
    assert [layer.name for layer in model.layers if layer.name.endswith("_local")] == ["stem_local", "conv2_local"]
    for name in ("stem", "conv2", "conv3", "conv4", "conv5", "fc1", "fc2"):
        layer = model.get_layer(name)
        assert (np.array(layer.bias) == (name not in ("stem", "conv3"))).all()
        assert 0.007 < np.std(layer.kernel) < 0.013
    assert [layer.rate for layer in model.layers if layer.name.endswith("_dropout")] == [0.5, 0.5]


def test_googlenet_has_22_layers_of_weights_in_nine_modules():
    model = without_weights("googlenet", top="own")
    assert sum(layer.name.endswith("_concat") for layer in model.layers) == 9
    depth = {}
    for layer in model.layers:
        before = max((depth[tensor._keras_history.operation.name] for tensor in inputs(layer)), default=0)
        depth[layer.name] = before + bool(layer.weights)
    assert depth["logits"] == 22
    assert count(model.get_layer("c3_1_wide").variables) == 32 * (25 * 16 + 1), "5x5 behind 1x1: an eighth of 192"
    assert model.get_layer("pool_dropout").rate == 0.4


def inputs(layer):
    found = layer.input if isinstance(layer.input, list) else [layer.input]
    return [] if isinstance(layer, keras.layers.InputLayer) else found


def test_googlenet_with_its_auxiliary_classifiers():
    model = without_weights("googlenet_bn", top="own", auxiliary=True)
    assert count(model.trainable_variables) == 13_385_816
    assert model.auxiliary_weights == {"aux1": 0.3, "aux2": 0.3}
    assert model.get_layer("aux1_pool").input.shape == (None, 14, 14, 512)
    assert model.get_layer("aux2_pool").output.shape == (None, 4, 4, 528)
    small = without_weights("googlenet_toy", input_shape=(33, 33, 3), num_classes=2, auxiliary=True)
    assert set(small.output) == {"main", "aux1", "aux2"}


# The paper's own table gives DenseNet-264 one layer more than its name says.
@pytest.mark.parametrize("name, layers", [("densenet121", 121), ("densenet264", 265)])
def test_densenet_is_named_after_its_layers(name, layers):
    model = without_weights(name)
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    assert sum(isinstance(layer, kinds) for layer in model.layers) == layers


def test_every_dense_layer_sees_all_before_it():
    model = without_weights("densenet121")
    seen = [model.get_layer(f"c3_{i}_reduce").input.shape[-1] for i in range(1, 13)]
    assert seen == [128 + 32 * i for i in range(12)], "each adds 32 channels to the half that the transition kept"


# Widths and depths of the paper's tables 6 to 8 and of appendix D.
@pytest.mark.parametrize(
    "name, widths, depths",
    [
        ("regnetx_002", (24, 56, 152, 368), (1, 1, 4, 7)),
        ("regnetx_004", (32, 64, 160, 384), (1, 2, 7, 12)),
        ("regnetx_008", (64, 128, 288, 672), (1, 3, 7, 5)),
        ("regnetx_032", (96, 192, 432, 1008), (2, 6, 15, 2)),
        ("regnety_004", (48, 104, 208, 440), (1, 3, 6, 6)),
        ("regnety_016", (48, 120, 336, 888), (2, 6, 17, 2)),
        ("regnety_032", (72, 216, 576, 1512), (2, 5, 13, 1)),
    ],
)
def test_regnets_stages_follow_from_four_numbers(name, widths, depths):
    row = ARCHITECTURES[name].row
    assert (row.widths, row.depths) == (widths, depths)


DEEPEST = 8  # stages from "c2" to "c9"


def test_any_point_of_the_design_space_is_a_net():
    rng = np.random.default_rng(0)
    built = 0
    for i in range(100):
        w0, wa = 8 * int(rng.integers(1, 32)), float(rng.uniform(8, 256))
        wm, depth, group = float(rng.uniform(1.5, 3)), int(rng.integers(12, 28)), 8 * int(rng.integers(1, 16))
        row = regnet_row(w0, wa, wm, depth, group)
        assert sum(row.depths) == depth and row.widths[0] >= 8
        assert all(width % own == 0 and own <= group for width, own in zip(row.widths, row.group_widths, strict=True))
        if i % 10 == 0 and len(row.depths) <= DEEPEST:
            overrides = {"depths": row.depths, "widths": row.widths, "group_widths": row.group_widths}
            model = without_weights("regnetx_002", input_shape=(None, None, 3), num_classes=3, overrides=overrides)
            assert sum(layer.name.endswith("_add") for layer in model.layers) == depth
            built += 1
    assert built >= 5


@pytest.mark.parametrize(
    "name, overrides", [("simple_cnn_toy", {"filters": [4] * 10}), ("resnet_toy", {"depths": [1] * 9, "width": 1})]
)
def test_a_net_is_refused_that_halves_the_size_more_often_than_levels_count(name, overrides):
    with pytest.raises(UserError, match=f"{name} halves the size 10 times: levels end at c9; .* fewer stages$"):
        without_weights(name, input_shape=(None, None, 3), num_classes=3, overrides=overrides)


def test_regnets_rule_refuses_what_it_is_not_for():
    refused = [(4, 36.44, 2.49, 13), (24, -1, 2.49, 13), (24, 36.44, 1.0, 13), (24, 36.44, 2.49, 0)]
    for point in [*refused, (24, 36.44, math.nan, 13), (24, 36.44, 2.49, 13.5)]:
        with pytest.raises(UserError, match="must be 8 or above"):
            regnet_stages(*point)
    with pytest.raises(UserError, match="group width 0 must be a whole number"):
        regnet_row(24, 36.44, 2.49, 13, 0)
    assert fitted_groups((20, 50), 24) == ((20, 48), (20, 24))
    with pytest.raises(UserError, match="20 is no multiple of its group width 8"):
        without_weights("regnet_toy", overrides={"widths": [20, 8, 16, 16], "group_widths": [8, 4, 8, 8]})


def test_inception_v3_factorises_along_each_axis_and_its_norms_do_not_scale():
    model = without_weights("inception_v3", top="own")
    assert sizes(model, "stem", "c2_2", "c3_1_concat", "c4_1_concat", "c5_1_concat") == [149, 71, 35, 17, 8]
    norms = [layer for layer in model.layers if isinstance(layer, FusedBatchNormalization)]
    assert len(norms) == 94 and not any(layer.scale for layer in norms)
    chain = [model.get_layer(f"c4_2_double_{i}").kernel_size for i in range(1, 6)]
    assert chain == [(1, 1), (7, 1), (1, 7), (7, 1), (1, 7)]
    volume = without_weights("inception_v3_toy", input_shape=(34, 33, 32, 1), num_classes=2, stem="small")
    kernels = [volume.get_layer(f"c4_2_wide_{i}").kernel_size for i in range(2, 5)]
    assert kernels == [(1, 1, 7), (1, 7, 1), (7, 1, 1)]


def test_own_tops_average_the_map_without_its_frame():
    for name in ("inception_v3_toy", "xception_toy"):
        model = without_weights(name, input_shape=(97, 97, 3), num_classes=2, top="own", stem="standard")
        framed = model.get_layer(model.level_layers["c5"]).output.shape[1]
        assert framed == 4 and model.get_layer("pool").input.shape[1] < framed, name


def test_xception_has_36_convolutions_in_14_blocks():
    model = without_weights("xception", top="own")
    depthwise = [layer.name for layer in model.layers if layer.name.endswith("_depthwise")]
    points = [model.get_layer(name.removesuffix("_depthwise")) for name in depthwise]
    assert len(points) == 34 and all(layer.kernel_size == (1, 1) for layer in points), "and two plain ones in the stem"
    assert sum(layer.name.endswith("_add") for layer in model.layers) == 12
    assert model.get_layer("pool").input.shape == (None, 10, 10, 2048)


def test_nasnets_cells_join_five_sums():
    model = without_weights("nasnet_mobile", top="own")
    concats = [layer for layer in model.layers if layer.name.endswith("_concat")]
    assert len(concats) == 12 + 4
    assert {len(layer.input) for layer in concats} == {6, 4}, "normal cells also keep their input"
    assert model.get_layer("final_act").output.shape == (None, 7, 7, 24 * 44)


def test_wangs_net_keeps_the_length_and_has_the_kernels_of_its_paper():
    model = without_weights("resnet_wang", input_shape=(150, 1), num_classes=2)
    assert [model.get_layer(f"c0_2_{i}").kernel_size for i in (1, 2, 3)] == [(8,), (5,), (3,)]
    assert model.get_layer("c0_3_out").output.shape == (None, 150, 128)
    kernels = 64 * (8 + 5 * 64 + 3 * 64 + 1) + 128 * (8 * 64 + 5 * 128 + 3 * 128 + 64) + 128 * 128 * (8 + 5 + 3)
    biases_and_norms = 3 * (4 * 64 + 4 * 128 + 3 * 128) + 2 * 128
    assert count(model.trainable_variables) == kernels + biases_and_norms + 2 * 129 == 504_258


@pytest.mark.parametrize(
    "name, overrides, words",
    [
        ("alexnet_toy", {"filters": [8, 8]}, "5 filters and 5 groups"),
        ("googlenet_toy", {"stages": [[[4, 4, 4]]]}, "each module six numbers"),
        ("googlenet_toy", {"stem_filters": [4]}, "stem_filters is .4,.: it must be of the kind of .4, 4, 6."),
        ("regnet_toy", {"depths": [1]}, "depths has 1"),
        ("resnet_wang_toy", {"kernels": [8]}, "2 kernels or more"),
    ],
)
def test_rows_that_make_no_net_are_refused(name, overrides, words):
    with pytest.raises(UserError, match=words) as caught:
        build_model(name, input_shape=(64, 64, 3), num_classes=2, overrides=overrides)
    assert "\n" not in str(caught.value)
