"""Do the nets have the properties their papers state, and are mistakes refused in one clear line?"""

import keras
import numpy as np
import pytest

import kcnn
from kcnn.architectures import ARCHITECTURES
from kcnn.architectures.family import family
from kcnn.errors import UserError
from kcnn.models import build_model, head_of, levels
from tests.unfilled import without_weights


def shapes(name, **options):
    return without_weights(name, num_classes=4, **options)


def test_where_the_strides_are():
    late, early = (shapes(name, input_shape=(64, 64, 3), stem="standard") for name in ("resnet50", "resnet50_v1"))
    assert late.get_layer("c3_1_reduce").strides == (1, 1) and late.get_layer("c3_1_spatial").strides == (2, 2)
    assert early.get_layer("c3_1_reduce").strides == (2, 2) and early.get_layer("c3_1_spatial").strides == (1, 1)


def test_plain_nets_have_no_shortcuts():
    for name, count in {"plain20": 0, "resnet20": 9, "plain34": 0, "resnet34": 16}.items():
        model = shapes(name, input_shape=(64, 64, 3))
        assert sum(isinstance(layer, keras.layers.Add) for layer in model.layers) == count


def test_auto_stem_is_small_under_64_pixels():
    deepest = {32: "c3", 63: "c3", 64: "c5"}
    for side, level in deepest.items():
        assert max(levels(shapes("resnet_toy", input_shape=(side, side, 3)))) == level
    assert max(levels(shapes("resnet20", input_shape=(96, 96, 3)))) == "c2", "the CIFAR nets keep their stem"


def test_stage_names_do_not_depend_on_the_stem():
    for name in (n for n in ARCHITECTURES if n.endswith("_toy")):
        small, standard = (
            [(v.path, v.shape) for v in shapes(name, input_shape=(64, 64, 3), stem=stem).variables]
            for stem in ("small", "standard")
        )
        assert [v for v in small if "stem/" not in v[0]] == [v for v in standard if "stem/" not in v[0]]


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n.endswith("_toy")])
def test_too_small_a_picture_is_refused(name):
    with pytest.raises(UserError, match=r"image 1×1 is too small for .*at least \d+.*image_size") as caught:
        build_model(name, input_shape=(1, 1, 1), num_classes=2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, side, stem, helps",
    [
        ("resnet_toy", 8, "standard", True),
        ("resnet_toy", 7, "standard", False),
        ("resnet_toy", 7, "small", False),
        ("alexnet_toy", 10, "standard", True),
        ("alexnet_toy", 7, "standard", False),
        ("lenet_toy", 12, "standard", False),
        ("simple_cnn_toy", 7, "standard", False),
        ("vit_toy", 15, "standard", True),
    ],
)
def test_the_small_stem_is_named_only_where_it_helps(name, side, stem, helps):
    options = {"input_shape": (side, side, 3), "num_classes": 2}
    with pytest.raises(UserError, match="too small") as caught:
        without_weights(name, stem=stem, **options)
    assert ("use stem='small'" in str(caught.value)) == helps
    if helps:
        without_weights(name, stem="small", **options)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"architecture": "resnet5"}, "unknown architecture 'resnet5': did you mean 'resnet5"),
        ({"head": "clasifier"}, "unknown head 'clasifier': did you mean 'classifier'"),
        ({"stem": "smal"}, "unknown stem 'smal': did you mean 'small'"),
        ({"top": "pool"}, "unknown top 'pool': did you mean 'pooled'"),
        ({"overrides": {"widht": 3}}, "'widht': did you mean 'width'"),
        ({"overrides": {"width": "three"}}, "model.overrides.width is 'three'"),
        ({"overrides": {"width": True}}, "model.overrides.width is True"),
        ({"overrides": {"depths": []}}, "numbers must be 1 or more"),
        ({"overrides": {"depths": [1, 0]}}, "numbers must be 1 or more"),
        ({"architecture": "mobilenet_toy", "overrides": {"width": 0.0}}, "width is 0.0: it must be .* above 0"),
        ({"architecture": "efficientnet_toy", "overrides": {"depth": -1}}, "depth is -1.0: it must be .* above 0"),
        ({"architecture": "densenet_toy", "overrides": {"compression": float("nan")}}, "compression is nan"),
        ({"architecture": "convnext_toy", "overrides": {"layer_scale": -0.1}}, "is -0.1: it must be .* from 0 on"),
        ({"architecture": "googlenet_toy", "overrides": {"stages": [[[4] * 6]]}}, "it must list two or more"),
        ({"architecture": "googlenet_toy", "overrides": {"stages": [[[4] * 6], []]}}, "it must list two or more"),
        ({"architecture": "mobilenet_v2_toy", "overrides": {"stages": [[1, 8, 1, 3]]}}, "include 3: each must be 1 or"),
        ({"overrides": {"shortcut": "projektion"}}, "did you mean 'projection'"),
        ({"architecture": "vgg_toy", "overrides": {"depths": [1, 1]}}, "depths has 2 and filters has 5"),
        ({"architecture": "vgg_toy", "top": "own", "overrides": {"dropout": 1.5}}, "dropout rate"),
        ({"architecture": "mobilenet_v2_toy", "overrides": {"stages": [[1, 8]]}}, "it must be of the kind of"),
        ({"head": head_of("classifier", num_classes=3)}, "head is a record already"),
        ({"style": {"nrom": "batch"}}, "'nrom': did you mean 'norm'"),
        ({"style": {"norm": "bach"}}, "'bach': did you mean 'batch'"),
        ({"style": {"drop_path": "much"}}, "model.style.drop_path is 'much'"),
        ({"input_shape": (32,)}, "input_shape is"),
        ({"input_shape": (0, 32, 3)}, "input_shape is"),
        ({"num_classes": 1}, "num_classes is 1"),
        ({"num_classes": 2.5}, "num_classes is 2.5: it must be a whole number"),
        ({"num_classes": True}, "num_classes is True: it must be a whole number"),
        ({"overrides": [1]}, r"model.overrides is \[1\]: it must be a dict"),
        ({"style": "batch"}, "model.style is 'batch': it must be a dict"),
        *(
            (
                {"architecture": name, "top": "own", "input_shape": (None, None, 3)},
                "state every side, or take top='pool",
            )
            for name in ("vgg_toy", "alexnet_toy", "lenet_toy", "simple_cnn_toy")
        ),
        ({"architecture": "googlenet_toy", "auxiliary": True, "input_shape": (None, None, 3)}, "state every side"),
        ({"label_smooting": 0.1}, "did you mean 'label_smoothing'"),
        ({"mean": (1, 2)}, "mean has 2 values for 3 channels"),
    ],
    ids=str,
)
def test_mistakes_are_one_clear_line(options, words):
    options = {"architecture": "resnet_toy", "input_shape": (32, 32, 3), "num_classes": 4, **options}
    with pytest.raises(UserError, match=words) as caught:
        build_model(**options)
    assert "\n" not in str(caught.value)


def test_overrides_take_lists_and_reach_the_row():
    model = shapes("resnet_toy", input_shape=(64, 64, 3), overrides={"depths": [1, 2], "width": 4})
    assert levels(model) == {"c1": "stem_act", "c2": "c2_1_out", "c3": "c3_2_out"}
    assert model.get_layer("stem").filters == 4
    shapes("vgg_toy", input_shape=(64, 64, 3), top="own", overrides={"dropout": 0})
    wide = shapes("mobilenet_v2", input_shape=(64, 64, 3), overrides={"width": 2})
    assert wide.get_layer("stem").filters == 64 and wide.get_layer("final").filters == 2560


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="twice"):
        family({"resnet18": ARCHITECTURES["resnet18"].row})(lambda x, row: {})


def test_first_drop_path_is_never_dropped():
    model = shapes("resnet18", input_shape=(64, 64, 3), style={"drop_path": 0.3})
    rates = [layer.rate for layer in model.layers if layer.name.endswith("_drop")]
    np.testing.assert_allclose(rates, np.linspace(0, 0.3, 8)[1:])


@pytest.mark.parametrize("ask", [kcnn.build_model, kcnn.describe])
def test_a_square_without_channels_is_told_to_be_a_signal(ask, caplog):
    told = "input_shape (64, 64) is a signal of 64 steps and 64 channels; grey pictures are (64, 64, 1)"
    for shape in ((64, 64, 1), (64, 3), (16, 16)):
        ask("resnet_toy", input_shape=shape, num_classes=2)
    assert not caplog.messages
    ask("resnet_toy", input_shape=(64, 64), num_classes=2)
    assert caplog.messages == [told]
