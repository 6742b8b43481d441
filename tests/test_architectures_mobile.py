"""Do the mobile families, EfficientNets and ConvNeXt have the properties that their papers state?"""

import keras
import numpy as np
import pytest

from kcnn.architectures import ARCHITECTURES
from kcnn.architectures.efficientnet import PUBLISHED, compound_scaling
from kcnn.errors import UserError
from kcnn.inspection import multiply_adds
from kcnn.models import build_model, levels
from kcnn.pretrained import LAYOUTS, load, recognise, tensors_of
from tests.unfilled import without_weights


def built(name, **options):
    return without_weights(name, **{"input_shape": (64, 64, 3), "num_classes": 4, "stem": "standard", **options})


def kinds(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_mobilenet_splits_convolutions_and_its_width_multiplier_acts_on_all():
    model = built("mobilenet", input_shape=(224, 224, 3), num_classes=1000)
    assert len(kinds(model, keras.layers.DepthwiseConv2D)) == 13
    assert round(multiply_adds(model) / 1e6) == 569, "the paper's 569 M"
    half = without_weights("mobilenet", overrides={"width": 0.5})
    assert trainable(half) == 1_331_592 and round(multiply_adds(half) / 1e6) == 149


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_toy", "efficientnet_toy", "ghostnet_toy"])
def test_the_small_stem_leaves_all_layers_where_they_are(name):
    """At width 0.35 the channels agree on both sides of MobileNetV2's first stride, which the small stem leaves out."""
    models = [built(name, stem=stem, overrides={"width": 0.35}) for stem in ("standard", "small")]
    standard, small = ([layer.name for layer in m.layers if not layer.name.endswith("_pad")] for m in models)
    assert small == standard


def test_mobilenet_v3_excites_swishes_late_and_pools_before_its_last_expensive_layer():
    model = built("mobilenet_v3_large", top="own", input_shape=(224, 224, 3), num_classes=1000)
    gates = [layer for layer in model.layers if layer.name.endswith("_gate")]
    assert len(gates) == 8 and {gate.activation.__name__ for gate in gates} == {"hard_sigmoid"}
    assert len([layer for layer in model.layers if layer.name.endswith("_relu")]) == 11, "blocks 1 to 6, the first once"
    assert model.get_layer("hidden").input.shape == (None, 960)
    assert abs(multiply_adds(model) / 1e6 - 219) < 4, "the paper's 219 M"


@pytest.mark.parametrize("number, phi", list(enumerate(PUBLISHED)))
def test_compound_scaling_gives_the_published_rows(number, phi):
    row = ARCHITECTURES[f"efficientnet_b{number}"].row
    assert (row.depth, row.width, row.image[0]) == compound_scaling(phi)
    rule = (1.2**phi, 1.1**phi, 224 * 1.15**phi)
    near = (0.15, 0.05, 0.05)  # the authors made the depth of B4 to B7 smaller than the rule
    for given, ruled, share in zip(compound_scaling(phi), rule, near, strict=True):
        assert abs(given / ruled - 1) < share


def test_compound_scaling_is_a_rule_of_its_own():
    depth, width, side = compound_scaling(1.5)
    assert depth == 1.2**1.5 and width == 1.1**1.5 and side == 276
    assert 1.9 < 1.2 * 1.1**2 * 1.15**2 < 2
    with pytest.raises(UserError, match="phi is '2'"):
        compound_scaling("2")
    with pytest.raises(UserError, match="phi is -1"):
        compound_scaling(-1)
    scaled = built("efficientnet_b0", overrides={"depth": depth, "width": width})
    assert trainable(built("efficientnet_b1")) < trainable(scaled) < trainable(built("efficientnet_b4"))


def test_efficientnet_costs_what_the_paper_says():
    for name, published in {"efficientnet_b0": 0.39, "efficientnet_b2": 1.0}.items():
        cost = multiply_adds(without_weights(name)) / 1e9
        assert abs(cost / published - 1) < 0.05, name


def test_lite_leaves_out_squeeze_excite_and_keeps_its_ends():
    lite, full = built("efficientnet_lite4"), built("efficientnet_b4")
    assert not [layer for layer in lite.layers if "excite" in layer.name]
    assert {layer.activation.__name__ for layer in kinds(lite, keras.layers.Activation)} == {"relu6"}
    ends = [(model.get_layer("stem").filters, model.get_layer("final").filters) for model in (lite, full)]
    assert ends == [(32, 1280), (48, 1792)]
    assert "c1_2_project" in [layer.name for layer in full.layers]
    assert "c1_2_project" not in [layer.name for layer in lite.layers]


def test_efficientnet_v2_begins_with_full_convolutions():
    model = built("efficientnet_v2_s")
    fused = [layer for layer in model.layers if layer.name.endswith("_fused")]
    assert len(fused) == 10 and {layer.kernel_size for layer in fused} == {(3, 3)}
    assert not [layer for layer in model.layers if layer.name.startswith("c2") and "excite" in layer.name]


def test_drop_path_rises_linearly_to_the_papers_rate():
    for name, rate in {"efficientnet_b0": 0.2, "convnext_small": 0.4}.items():
        rates = [layer.rate for layer in built(name).layers if layer.name.endswith("_drop")]
        assert rates == sorted(rates) and rates[-1] <= rate < rates[-1] + 0.02


def test_convnext_has_one_norm_and_one_activation_a_block():
    model = built("convnext_tiny", top="own")
    blocks = 3 + 3 + 9 + 3
    assert len(kinds(model, keras.layers.LayerNormalization)) == blocks + 1 + 3 + 1
    assert len(kinds(model, keras.layers.Activation)) == blocks
    scales = [layer for layer in model.layers if layer.name.endswith("_scale")]
    assert len(scales) == blocks and {layer.initial for layer in scales} == {1e-6}
    assert {layer.kernel_size for layer in kinds(model, keras.layers.DepthwiseConv2D)} == {(7, 7)}
    assert list(levels(built("convnext_tiny", stem="small"))) == ["c0", "c1", "c2", "c3"]


def test_half_of_a_ghost_modules_maps_are_cheap():
    model = built("ghostnet")
    for name in ("c2_1_expand", "c5_2_project"):
        primary, cheap = model.get_layer(f"{name}_primary"), model.get_layer(f"{name}_cheap")
        assert primary.output.shape == cheap.output.shape and "Depthwise" in type(cheap).__name__
        assert model.get_layer(f"{name}_concat").output.shape[-1] == 2 * primary.filters
    cost = multiply_adds(built("ghostnet", input_shape=(224, 224, 3), top="own", num_classes=1000))
    assert abs(cost / 1e6 - 141) < 2, "the paper's 141 M"


def test_shufflenet_counted_by_hand():
    """Blocks: 1x1 to a quarter, depthwise 3x3, 1x1 back; all but the very first 1x1 in 3 groups, a norm after each."""
    total = 3 * 24 * 9 + 2 * 24
    total += 24 * 60 + 2 * 60 + 60 * 9 + 2 * 60 + 60 * 216 // 3 + 2 * 216
    total += 3 * (240 * 60 // 3 + 2 * 60 + 60 * 9 + 2 * 60 + 60 * 240 // 3 + 2 * 240)
    total += 240 * 120 // 3 + 2 * 120 + 120 * 9 + 2 * 120 + 120 * 240 // 3 + 2 * 240
    total += 7 * (480 * 120 // 3 + 2 * 120 + 120 * 9 + 2 * 120 + 120 * 480 // 3 + 2 * 480)
    total += 480 * 240 // 3 + 2 * 240 + 240 * 9 + 2 * 240 + 240 * 480 // 3 + 2 * 480
    total += 3 * (960 * 240 // 3 + 2 * 240 + 240 * 9 + 2 * 240 + 240 * 960 // 3 + 2 * 960)
    assert total + 960 * 1000 + 1000 == ARCHITECTURES["shufflenet_g3"].row.params == 1_865_728


def test_shufflenet_v2_passes_half_of_its_channels_by():
    model = built("shufflenet_v2_x1_0")
    assert not [layer for layer in model.layers if getattr(layer, "groups", 1) not in (1, 2)]
    assert len([layer for layer in model.layers if layer.name.endswith("_split_1")]) == 16 - 3
    assert not kinds(model, keras.layers.Add)
    cost = multiply_adds(built("shufflenet_v2_x1_0", input_shape=(224, 224, 3), num_classes=1000))
    assert abs(cost / 1e6 - 146) < 2, "the paper's 146 M"


@pytest.mark.parametrize(
    "name, overrides, words",
    [
        ("mobilenet_toy", {"filters": [8, 8]}, "filters has 2 and depths has 5"),
        ("mobilenet_v3_toy", {"blocks": [[3, 8, 8]]}, "it must be of the kind of"),
        ("efficientnet_toy", {"stages": [[1, 8]]}, "it must be of the kind of"),
        ("convnext_toy", {"depths": [1]}, "depths has 1 and filters has 4"),
        ("ghostnet_toy", {"blocks": [[3, 8]]}, "it must be of the kind of"),
        ("shufflenet_toy", {"groups": 5}, "must divide by groups=5"),
        ("shufflenet_toy", {"filters": [12, 24, 36]}, "must exceed the one before"),
        ("shufflenet_v2_toy", {"filters": [9, 10, 12]}, "each must be even"),
    ],
)
def test_rows_that_do_not_fit_are_refused(name, overrides, words):
    with pytest.raises(UserError, match=words) as caught:
        build_model(name, overrides=overrides)
    assert "\n" not in str(caught.value)


@pytest.mark.needs_data
@pytest.mark.parametrize(
    "key, mean, std",
    [
        ("logits_imagenet_norm", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        ("logits_127_128", 127.0, 128.0),
    ],
)
def test_efficientnet_lite0_with_real_weights(key, mean, std, data_folder):
    variant, path = ARCHITECTURES["efficientnet_lite0"], data_folder / "weights/efficientnet_lite0.safetensors"
    model = build_model("efficientnet_lite0", top="own", mean=mean, std=std)
    tensors = tensors_of(path)
    layout = recognise(model, variant, tensors, path)
    assert layout is LAYOUTS["efficientnet/efficientnet_pytorch/efficientnet_lite0"]
    report = load(model, variant, tensors, layout)
    assert not report.fresh and not report.unused
    reference = np.load(data_folder / "weights/efficientnet_lite0_reference.npz")
    logits = np.array(model(reference["images"].astype("float32")))
    np.testing.assert_allclose(logits, reference[key], atol=1e-3)
    best = logits.argmax(axis=1)
    assert best[0] in range(281, 286) and list(best[1:]) == [967, 657], "a cat, espresso, a missile"
