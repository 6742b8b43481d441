"""Weights of an earlier run bring their convention along; what the user says wins, and programs are refused."""

import numpy as np
import pytest

import kcnn
from kcnn.architectures import ARCHITECTURES, customized
from kcnn.errors import UserError
from kcnn.pretrained import layouts_of, origin_of
from kcnn.repeats import _refuse_another

RNG = np.random.default_rng(0)
PICTURES = (RNG.integers(0, 255, (12, 16, 16, 3), dtype=np.uint8), np.arange(12) % 2)
FLOATS = (RNG.normal(7, 2, (12, 16, 16, 3)).astype("float32"), np.arange(12) % 2)
STYLE = {"padding": "symmetric", "epsilon": 0.01}


def trained(data, folder, name, **settings):
    settings |= {"runtime.runs": str(folder), "train.epochs": 1, "train.batch_size": 6, "data.validation": 0.5}
    return kcnn.build_and_fit({}, data, name=name, architecture="resnet_toy", **settings)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    return trained(PICTURES, tmp_path_factory.mktemp("runs"), "a", **{"model.style": STYLE})


def test_a_run_hands_its_style_on_and_the_users_own_wins(earlier, tmp_path):
    again = trained(PICTURES, tmp_path, "b", weights=str(earlier.path), **{"model.style": {"epsilon": 0.02}})
    assert again.recipe.model.style == {"padding": "symmetric", "epsilon": 0.02}


def test_build_model_takes_a_run_folder(earlier):
    model = kcnn.build_model("resnet_toy", input_shape=(16, 16, 3), num_classes=2, weights=earlier.path)
    x = PICTURES[0][:4].astype("float32")
    np.testing.assert_allclose(model(x), earlier.model(x), atol=1e-5)
    assert model.get_layer("stem_norm").epsilon == 0.01


def test_a_scaling_measured_on_other_data_is_not_for_pictures(tmp_path):
    measured = trained(FLOATS, tmp_path, "a")
    assert measured.facts.measured and not origin_of(measured.path, "resnet_toy").of_pictures
    again = trained(PICTURES, tmp_path, "b", weights=str(measured.path))
    assert again.facts.mean == (127.5,) and not again.facts.measured


def test_seeds_go_on_where_weights_have_added_their_style(earlier, tmp_path):
    again = trained(PICTURES, tmp_path, "b", weights=str(earlier.path))
    asked = again.recipe.override({"model.style": {}})
    _refuse_another(again, asked)
    with pytest.raises(UserError, match="exists already with another recipe"):
        _refuse_another(again, asked.override({"train.epochs": 2}))
    with pytest.raises(UserError, match="exists already with another recipe"):
        _refuse_another(again, asked.override({"model.style": {"epsilon": 0.3}}))


@pytest.mark.parametrize("name", ["x.pth", "x.pt", "x.bin", "x.ckpt"])
def test_a_pickle_is_refused_with_the_way_out(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError, match=r"may run code when it is loaded; .*save_file\(.*\.safetensors"):
        kcnn.build_model("resnet_toy", input_shape=(16, 16, 3), num_classes=2, weights=tmp_path / name)


def test_a_folder_that_is_no_run_is_told(tmp_path):
    with pytest.raises(UserError, match="no run at"):
        kcnn.build_model("resnet_toy", input_shape=(16, 16, 3), num_classes=2, weights=tmp_path)


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "vgg16", "efficientnet_b0", "inception_v3", "swin_tiny"])
def test_layers_that_a_layout_cannot_read_are_absent(name):
    variant = ARCHITECTURES[name]
    for layout in layouts_of(variant):
        assert layout.module("stem_act", variant.row) is None
        assert layout.module("c2_1_unheard_of", variant.row) is None or name == "vgg16"


def test_names_follow_the_customised_row():
    variant = customized(ARCHITECTURES["efficientnet_b0"], overrides={"depth": 2.0})
    layout = layouts_of(variant)[0]
    assert layout.module("c1_2_project", variant.row) == "block1b_project_conv"
    assert layout.module("c1_2_project", ARCHITECTURES["efficientnet_b0"].row) is None


@pytest.mark.parametrize("name", ["ImageNet", "imagenett", "IMAGENET1K_V2"])
def test_a_misspelt_imagenet_is_told(name):
    with pytest.raises(UserError, match=f"no weights at {name}; did you mean 'imagenet'"):
        origin_of(name, "resnet50")
