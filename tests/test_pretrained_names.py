"""Do layouts name every tensor of the other programs' files, and each of the shape of ours? Without any weight."""

import keras
import pytest

from kcnn.architectures import ARCHITECTURES
from kcnn.pretrained import layouts_of
from kcnn.pretrained.files import NUMBERED
from kcnn.pretrained.tensors import tensor_names
from kcnn.training.weights import weight_variables
from tests.unfilled import without_weights

NETS = {
    "resnet50_v1": keras.applications.ResNet50,
    "resnet50v2": keras.applications.ResNet50V2,
    "vgg16": keras.applications.VGG16,
    "mobilenet_v2": keras.applications.MobileNetV2,
    "densenet121": keras.applications.DenseNet121,
    "inception_v3": keras.applications.InceptionV3,
    "xception": keras.applications.Xception,
    "nasnet_mobile": keras.applications.NASNetMobile,
}


def their_shapes(make):
    """{tensor's name: shape} as their file would have it."""
    with keras.StatelessScope(initialize_variables=False):
        model = make(weights=None)
    keras.utils.clear_session(free_memory=False)
    found, counts = {}, {}
    for layer in model.layers:
        kind = NUMBERED.fullmatch(layer.name)
        title = layer.name
        if kind and layer.weights:
            counts[kind[1]] = counts.get(kind[1], 0) + 1
            title = f"{kind[1]}#{counts[kind[1]]}"
        found |= {f"{title}/{weight.name}": tuple(weight.shape) for weight in layer.weights}
    return found


@pytest.mark.parametrize("name", NETS)
def test_names_are_those_of_keras_applications(name):
    theirs, used = their_shapes(NETS[name]), set()
    variant = ARCHITECTURES[name]
    layout = next(found for found in layouts_of(variant) if found.program == "keras")
    for path, variable in weight_variables(without_weights(name, top="own")).items():
        layer, kind = path.rsplit("/", 1)
        names = [one for one in tensor_names(kind, layout.names(layer, variant.row), "keras") if one in theirs]
        assert len(names) == 1 and theirs[names[0]] == tuple(variable.shape), (path, names)
        used.add(names[0])
    assert used == set(theirs)


@pytest.mark.parametrize(
    "name, old",
    [
        ("resnet101_v1", {"logits": "probs", "c2_1_shortcut": "conv2_block1_0_conv"}),
        ("resnet50v2", {"logits": "probs", "c2_1_before_norm": "conv2_block1_preact_bn"}),
        ("densenet169", {"logits": "fc1000", "stem_norm": "conv1/bn", "c3_transition": "pool2_conv"}),
        ("mobilenet_v2", {"logits": "Logits", "c1_1_depthwise_norm": "expanded_conv_depthwise_BN"}),
    ],
)
def test_published_files_have_older_names(name, old):
    variant = ARCHITECTURES[name]
    published = [found for found in layouts_of(variant) if found.program == "keras"][1]
    assert {layer: published.names(layer, variant.row) for layer in old} == old


def test_torchvisions_published_vit_has_older_names():
    row = ARCHITECTURES["vit_base16"].row
    new, old = (found for found in layouts_of(ARCHITECTURES["vit_base16"]) if found.program == "torchvision")
    assert new.names("block_2_mlp_expand", row) == "encoder.layers.encoder_layer_1.mlp.0"
    assert old.names("block_2_mlp_expand", row) == "encoder.layers.encoder_layer_1.mlp.linear_1"
    assert old.names("block_2_mlp_project", row) == "encoder.layers.encoder_layer_1.mlp.linear_2"
    assert old.names("block_2_qkv", row) == new.names("block_2_qkv", row)


# What torchvision and timm call some tensors; that all agree is recorded with their answers.
@pytest.mark.parametrize(
    "name, program, names",
    [
        ("resnet50", "torchvision", {"c3_1_shortcut_norm": "layer2.0.downsample.1", "c5_3_expand": "layer4.2.conv3"}),
        ("vgg11", "torchvision", {"c2_2": "features.8", "fc2": "classifier.3"}),
        ("vgg16_bn", "torchvision", {"c0_2_norm": "features.4", "c4_3": "features.40"}),
        ("vgg16", "timm", {"fc1": "pre_logits.fc1", "logits": "head.fc"}),
        ("mobilenet_v2", "torchvision", {"c1_1_project": "features.1.conv.1", "final_norm": "features.18.1"}),
        ("mobilenet_v2", "timm", {"c1_1_project_norm": "blocks.0.0.bn2", "c2_1_expand": "blocks.1.0.conv_pw"}),
        ("alexnet_owt", "torchvision", {"conv5": "features.10", "logits": "classifier.6"}),
        (
            "googlenet_torchvision",
            "torchvision",
            {"c4_5_wide_norm": "inception4e.branch3.1.bn", "aux2_hidden": "aux2.fc1"},
        ),
        ("densenet121", "torchvision", {"c3_transition_before_norm": "features.transition1.norm"}),
        ("densenet121", "timm", {"c2_6_reduce_norm": "features.denseblock1.denselayer6.norm2"}),
        ("regnety_016", "timm", {"c5_2_squeeze_expand": "s4.b2.se.fc2", "c2_1_shortcut": "s1.b1.downsample.conv"}),
        ("regnety_016", "torchvision", {"c4_10_spatial_norm": "trunk_output.block3.block3-9.f.b.1"}),
        (
            "inception_v3",
            "torchvision",
            {"c5_3_double_3b": "Mixed_7c.branch3x3dbl_3b.conv", "c4_1_wide": "Mixed_6a.branch3x3.conv"},
        ),
    ],
)
def test_names_of_torchvision_and_timm(name, program, names):
    variant = ARCHITECTURES[name]
    layout = next(found for found in layouts_of(variant) if found.program == program)
    assert {layer: layout.names(layer, variant.row) for layer in names} == names
