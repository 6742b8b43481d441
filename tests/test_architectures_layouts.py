"""Do nets loaded through their layouts compute what the other program's nets compute, in double precision?

Variables of the reference are drawn so that signals neither vanish nor explode and no statistic has its starting
value: equal answers of untrained nets would prove nothing.
"""

import keras
import numpy as np
import pytest

from kcnn.architectures import ARCHITECTURES
from kcnn.models import build_model, levels
from kcnn.pretrained import LAYOUTS, layouts_of, load, recognise, tensors_of
from kcnn.pretrained.tensors import tensor_names
from kcnn.training.weights import weight_variables
from tests.unfilled import without_weights

B0 = {"c1": "block1a_project_bn", "c2": "block2b_add", "c3": "block3b_add", "c4": "block5c_add", "c5": "top_activation"}
V2_S = {"c1": "block1b_add", "c2": "block2d_add", "c3": "block3d_add", "c4": "block5i_add", "c5": "top_activation"}
V1 = {f"c{level}": f"conv_pw_{n}_relu" for level, n in zip(range(1, 6), (1, 3, 5, 11, 13), strict=True)}
SMALL = {"c2": "expanded_conv_project_bn", "c3": "expanded_conv_2_add", "c4": "expanded_conv_7_add"}
TINY = {f"c{n + 2}": f"input of convnext_tiny_downsampling_block_{n}" for n in range(3)}
TINY |= {"c5": "input of convnext_tiny_head_gap"}
DENSE = {"c2": "pool2_relu", "c3": "pool3_relu", "c4": "pool4_relu", "c5": "relu"}
NASNET = {"c2": "reduction_concat_stem_1", "c3": "normal_concat_3", "c4": "normal_concat_8"}
NO_SCALING = {"include_preprocessing": False}
REFERENCES = {
    "mobilenet": (keras.applications.MobileNet, V1, {}),
    "mobilenet_v3_small": (keras.applications.MobileNetV3Small, SMALL, NO_SCALING),
    "efficientnet_b0": (keras.applications.EfficientNetB0, B0, {}),
    "efficientnet_v2_s": (keras.applications.EfficientNetV2S, V2_S, NO_SCALING),
    "convnext_tiny": (keras.applications.ConvNeXtTiny, TINY, NO_SCALING),
    "densenet121": (keras.applications.DenseNet121, DENSE, {}),
    "inception_v3": (keras.applications.InceptionV3, {}, {}),
    "xception": (keras.applications.Xception, {"c5": "block14_sepconv2_act"}, {}),
    "nasnet_mobile": (keras.applications.NASNetMobile, NASNET, {}),
}
SIDES = {"inception_v3": (75, 107), "xception": (75, 107)}
HEAVY = ("efficientnet_v2_s", "convnext_tiny", "densenet121", "nasnet_mobile")


@pytest.fixture(autouse=True)
def double_precision():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def randomise(model, x):
    """Draw all variables of any Keras model."""
    rng = np.random.default_rng(1)
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    for v in model.variables:
        if "kernel" in v.name:
            fan_in = np.prod(v.shape[:-2] if v.name == "depthwise_kernel" or v.shape[-2] == 1 else v.shape[:-1])
            v.assign(rng.standard_normal(v.shape) * np.sqrt(2 / fan_in))
        elif v.name == "gamma" or v.name.startswith("variable"):
            v.assign(rng.uniform(0.5, 1.5, v.shape))
        elif v.name in ("bias", "beta"):
            v.assign(rng.normal(0, 0.2, v.shape))
    model(x, training=True)
    for layer in norms:
        mean, variance = layer.moving_mean, layer.moving_variance
        mean.assign(mean + rng.normal(0, 0.2, mean.shape) * np.sqrt(variance))
        variance.assign(variance * rng.uniform(0.5, 1.5, variance.shape))
    last = [layer for layer in model.layers if layer.weights][-1]
    last.kernel.assign(last.kernel / np.std(model(x)))


def outputs(model, names):
    """The model from behind its own scaling, float64 here while ours is always float32, to what is compared."""
    scaling = [layer.output for layer in model.layers if isinstance(layer, keras.layers.Normalization)]
    layers = {level: model.get_layer(name.removeprefix("input of ")) for level, name in names.items()}
    found = {level: layer.input if "input of" in names[level] else layer.output for level, layer in layers.items()}
    return keras.Model(scaling[-1] if scaling else model.input, {**found, "logits": model.output})


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in HEAVY else n for n in REFERENCES])
def test_keras_applications(name, tmp_path):
    make, names, options = REFERENCES[name]
    rng = np.random.default_rng(0)
    variant = ARCHITECTURES[name]
    layout = next(found for found in layouts_of(variant) if found.program == "keras")
    options = {"weights": None, "classes": 10, "classifier_activation": None, **options}
    shared = {"num_classes": 10, "top": "own", "mean": 0, "std": 1, "style": layout.style}
    tensors = None
    short, long = SIDES.get(name, (64, 96))
    for shape in ((short, short, 3), (short, long, 3)):
        x = rng.normal(0, 1, (4, *shape)).astype("float32")
        theirs = make(input_shape=shape, **options)
        ours = build_model(name, input_shape=shape, stem="standard", **shared)
        if tensors is None:
            randomise(theirs, 255 * x if name.startswith("efficientnet_b") else x)
            theirs.save(tmp_path / "theirs.h5")
            weights, tensors = theirs.get_weights(), tensors_of(tmp_path / "theirs.h5")
        theirs.set_weights(weights)
        assert recognise(ours, variant, tensors, "file") == layout
        report = load(ours, variant, tensors, layout)
        assert not report.fresh and not report.unused
        mine, other = outputs(ours, levels(ours))(x), outputs(theirs, names)(x)
        assert 0.1 < np.std(other["logits"]) < 10
        for level in other:
            scale = np.std(other[level])
            np.testing.assert_allclose(mine[level] / scale, other[level] / scale, atol=1e-4, err_msg=level)
    assert set(names) <= set(levels(ours))


# One name or two of each layout whose answers are not recorded in tests/references.
SPOTS = {
    ("efficientnet_lite0", "efficientnet_pytorch"): {"c2_1_project_norm": "_blocks.1._bn2", "final_norm": "_bn1"},
    ("efficientnet_b1", "efficientnet_pytorch"): {"c1_2_excite_reduce": "_blocks.1._se_reduce"},
}


@pytest.mark.parametrize("name, program", SPOTS)
def test_names_are_those_of_the_other_program_and_no_two_the_same(name, program):
    variant = ARCHITECTURES[name]
    layout = next(found for found in layouts_of(variant) if found.program == program)
    for layer, module in SPOTS[name, program].items():
        assert layout.names(layer, variant.row) == module
    model = without_weights(name, top="own", stem="standard")
    tensors = [
        tensor_names(path.rsplit("/", 1)[1], layout.names(path.split("/")[0], variant.row), program)
        for path in weight_variables(model)
    ]
    assert all(tensors) and len(tensors) == len({names[0] for names in tensors})


def test_published_files_of_mobilenet_v3_have_names_with_slashes():
    row = ARCHITECTURES["mobilenet_v3_large"].row
    names = LAYOUTS["mobilenet_v3/keras/mobilenet_v3_small"].names
    assert names("c1_1_depthwise_norm", row) == "expanded_conv/depthwise/BatchNorm"
    assert names("c3_1_excite_expand", row) == "expanded_conv_3/squeeze_excite/Conv_1"
