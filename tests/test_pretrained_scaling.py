"""Does every layout say the scaling that its program's weights expect? In a table, and against Keras itself."""

import keras
import numpy as np
import pytest

import kcnn
from kcnn.pretrained import LAYOUTS

TORCH = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), False)
CAFFE = ((123.68, 116.779, 103.939), 1.0, True)
UNIT = (127.5, 127.5, False)
# By the start of a layout's name; the longest that fits holds.
EXPECTED = {"": TORCH} | dict.fromkeys(
    ("coatnet/timm", "googlenet", "inception_v3", "mobilenet/", "mobilenet_v2/keras", "mobilenet_v3/keras",
     "nasnet/keras", "resnet_v2/keras", "vit/timm", "xception/", "efficientnet/torchvision/efficientnet_v2_l",
     "efficientnet/timm/efficientnet_lite0"), UNIT
)  # fmt: skip
EXPECTED |= {"resnet/keras": CAFFE, "vgg/keras": CAFFE}
EXPECTED |= {"efficientnet/keras/efficientnet_v2_s": (128.0, 128.0, False)}
EXPECTED |= {"efficientnet/efficientnet_pytorch/efficientnet_lite0": (127.0, 128.0, False)}


@pytest.mark.parametrize("name", LAYOUTS)
def test_scaling_of_a_layout(name):
    scaling = LAYOUTS[name].scaling
    start = max((start for start in EXPECTED if name.startswith(start)), key=len)
    assert (scaling.mean, scaling.std, scaling.bgr) == EXPECTED[start]


def test_timms_scaling_of_efficientnets_is_by_variant():
    layout = LAYOUTS["efficientnet/timm/efficientnet_lite0"]
    assert {"efficientnet_lite4", "efficientnet_v2_l"} <= set(layout.variants)
    assert LAYOUTS["efficientnet/timm/efficientnet_b0"].scaling.mean == TORCH[0]


APPLICATIONS = keras.applications
MODES = {
    "vgg16": (APPLICATIONS.VGG16, APPLICATIONS.vgg16.preprocess_input, 32),  # caffe
    "densenet121": (APPLICATIONS.DenseNet121, APPLICATIONS.densenet.preprocess_input, 64),  # torch
    "mobilenet": (APPLICATIONS.MobileNet, APPLICATIONS.mobilenet.preprocess_input, 32),  # tf
    "efficientnet_b0": (APPLICATIONS.EfficientNetB0, lambda x: x, 32),  # by statistics in the file: mean 0, variance 1
}


@pytest.mark.parametrize("name", MODES)
def test_pictures_are_scaled_as_keras_does(name, tmp_path):
    make, preprocess, side = MODES[name]
    x = np.random.default_rng(0).uniform(0, 255, (2, side, side, 3)).astype("float32")
    theirs = make(weights=None, input_shape=(side, side, 3), include_top=False, pooling="avg")
    theirs.save(tmp_path / "theirs.h5")
    ours = kcnn.build_model(
        name, input_shape=(side, side, 3), num_classes=2, stem="standard", weights=tmp_path / "theirs.h5"
    )
    features = keras.Model(ours.input, ours.get_layer("logits").input)(x)
    expected = theirs(preprocess(x.copy()))
    np.testing.assert_allclose(features, expected, atol=2e-4 * np.std(expected), rtol=1e-3)


def test_statistics_among_keras_own_weights_say_the_scaling():
    layout = LAYOUTS["efficientnet/keras/efficientnet_b0"]
    published = {"normalization/mean": np.array([0.485, 0.456, 0.406]), "normalization/variance": [0.229, 0.224, 0.225]}
    assert layout.scaling_of({}) == layout.scaling_of(as_arrays(published)) == layout.scaling
    own = layout.scaling_of(as_arrays({"normalization/mean": [0.2], "normalization/variance": [0.25]}))
    assert own.mean == pytest.approx((51,)) and own.std == pytest.approx((127.5,))


def as_arrays(tensors):
    return {name: np.asarray(values, "float32") for name, values in tensors.items()}
