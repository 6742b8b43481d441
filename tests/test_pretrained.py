"""Weights from elsewhere: fetched and checked, told apart, fitted to other channels and classes, or refused."""

import hashlib
import os
from urllib.error import URLError

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

import kcnn
from kcnn.errors import UserError
from kcnn.models import build_model
from kcnn.pretrained import fetch, published, tensors_of
from kcnn.pretrained.counts import of_size
from kcnn.pretrained.tensors import as_ours, other_channels
from kcnn.run_folder import RunFolder
from tests.references import answers, draw

SHAPE = (32, 32, 3)


@pytest.fixture(scope="module")
def torch_file(tmp_path_factory):
    """ResNet-18's weights under torchvision's names, as safetensors."""
    found = answers()["torchvision/resnet18"]
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(draw(found["shapes"], found["gain"]), path)
    return path


@pytest.fixture
def home(tmp_path, monkeypatch):
    """ImageNet's files as a folder here, and an empty cache."""
    monkeypatch.setattr(published, "BASE", (tmp_path / "server").as_uri() + "/")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    (tmp_path / "server").mkdir()
    return tmp_path / "server"


def test_a_published_file_is_fetched_and_its_hash_checked(home, monkeypatch):
    (home / "toy.h5").write_bytes(b"weights")
    digest = hashlib.md5(b"weights").hexdigest()
    monkeypatch.setitem(published.FILES, "vgg16", ("toy.h5", digest))
    assert fetch("vgg16").read_bytes() == b"weights"
    (home / "other.h5").write_bytes(b"changed on the way")
    monkeypatch.setitem(published.FILES, "vgg16", ("other.h5", digest))
    with pytest.raises(UserError, match="no ImageNet weights of vgg16: .* hash .*other.h5"):
        fetch("vgg16")
    assert os.listdir(home.parent / "home" / "models") == ["toy.h5"]


def test_a_damaged_file_is_fetched_again(home, monkeypatch):
    (home / "toy.h5").write_bytes(b"weights")
    monkeypatch.setitem(published.FILES, "vgg16", ("toy.h5", hashlib.sha256(b"weights").hexdigest()))
    fetch("vgg16").write_bytes(b"wei")
    assert fetch("vgg16").read_bytes() == b"weights"


def test_two_that_download_at_once_do_not_meet(home, monkeypatch):
    (home / "toy.h5").write_bytes(b"weights")
    monkeypatch.setitem(published.FILES, "vgg16", ("toy.h5", hashlib.md5(b"weights").hexdigest()))
    whole, folders = published.urlretrieve, []

    def urlretrieve(address, part, tell):
        folders.append(part.parent)
        if len(folders) == 1:
            assert fetch("vgg16").read_bytes() == b"weights"  # the other one, which is faster
        return whole(address, part, tell)

    monkeypatch.setattr(published, "urlretrieve", urlretrieve)
    assert fetch("vgg16").read_bytes() == b"weights"
    assert len(set(folders)) == 2 and os.listdir(home.parent / "home" / "models") == ["toy.h5"]


def test_what_is_fetched_is_told_in_a_line_of_ours(home, monkeypatch, caplog, capfd):
    (home / "toy.h5").write_bytes(b"weights")
    monkeypatch.setitem(published.FILES, "vgg16", ("toy.h5", hashlib.md5(b"weights").hexdigest()))
    caplog.set_level("INFO", "kcnn")
    place = fetch("vgg16")
    assert caplog.messages == [f"downloading {home.as_uri()}/toy.h5 to {place}"] and capfd.readouterr().out == ""


def test_without_network_it_is_one_clear_line(home, monkeypatch, capfd):
    monkeypatch.setitem(published.FILES, "vgg19", ("nowhere.h5", "0"))

    def unreachable(*_):
        raise URLError(OSError(-2, "Name or service not known"))

    for reason in ("No such file or directory", "Name or service not known"):
        told = rf"of vgg19: no network \({reason}\); get .*/nowhere.h5 by other means and put it into .*/home/models,"
        with pytest.raises(UserError, match=told) as caught:
            kcnn.build_model("vgg19", input_shape=SHAPE, num_classes=2, weights="imagenet")
        assert "\n" not in str(caught.value) and "None" not in str(caught.value)
        monkeypatch.setattr(published, "urlretrieve", unreachable)
    assert capfd.readouterr().out == ""


def test_an_architecture_without_published_weights_is_told():
    with pytest.raises(UserError, match="no ImageNet weights of lenet5 .* there are some of: resnet50_v1"):
        fetch("lenet5")


def test_classes_and_channels_may_be_others(torch_file, caplog):
    caplog.set_level("INFO", "kcnn")
    model = kcnn.build_model("resnet18", input_shape=(64, 64, 1), num_classes=5, weights=torch_file)
    stem = tensors_of(torch_file)["conv1.weight"]
    np.testing.assert_allclose(model.get_layer("stem").kernel[:, :, 0], np.moveaxis(stem.sum(1), 0, -1), rtol=1e-5)
    assert "1 reshaped: stem/kernel" in caplog.text and "2 fresh: logits/kernel, logits/bias" in caplog.text
    assert "weights: 99 tensors as they were, matched by the names of torchvision" in caplog.text
    assert "input scaling" not in caplog.text


def test_channels_that_have_no_scaling_of_the_weights_are_told(torch_file, caplog):
    caplog.set_level("INFO", "kcnn")
    kcnn.build_model("resnet18", input_shape=(64, 64, 4), num_classes=5, weights=torch_file)
    line = (
        "input scaling: mean 127.5, std 127.5; these weights expect "
        "mean 123.675 116.28 103.53, std 58.395 57.12 57.375, which 4 channels have not"
    )
    assert line in caplog.text


def test_kernels_for_more_channels_keep_their_size():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype("float32")
    six = other_channels(kernel, 6)
    assert six.shape == (3, 3, 6, 4)
    np.testing.assert_allclose(six.sum(axis=-2), kernel.sum(axis=-2), rtol=1e-5)
    np.testing.assert_array_equal(other_channels(kernel, 3), kernel)


def test_a_flattened_map_turns_from_channels_first():
    model = build_model("vgg_toy", input_shape=SHAPE, num_classes=2, top="own", stem="standard")
    layer = model.get_layer("fc1")
    theirs = np.arange(16 * 8, dtype="float32").reshape(16, 8)  # a map of 1x1x8 places
    np.testing.assert_array_equal(as_ours(theirs, layer, "kernel", "torchvision"), theirs.T)
    wide = build_model("vgg_toy", input_shape=(64, 64, 3), num_classes=2, top="own", stem="standard").get_layer("fc1")
    theirs = np.random.default_rng(0).normal(size=(16, 8, 2, 2)).astype("float32")
    ours = as_ours(theirs.reshape(16, -1), wide, "kernel", "torchvision").reshape(2, 2, 8, 16)
    np.testing.assert_array_equal(ours, theirs.transpose(2, 3, 1, 0))


def test_a_file_of_another_network_is_refused(torch_file):
    told = "no weights of vgg11 under the names of kcnn or torchvision or timm; choose .*resnet18 has as many param"
    with pytest.raises(UserError, match=told):
        kcnn.build_model("vgg11", input_shape=SHAPE, num_classes=2, weights=torch_file)


def test_a_file_is_known_by_its_number_of_parameters_for_any_classes(torch_file):
    tensors = tensors_of(torch_file)
    fc = tensors["fc.weight"]
    assert of_size(tensors) == ["resnet18"]
    assert of_size(tensors | {"fc.weight": fc[:7], "fc.bias": fc[:7, 0]}) == ["resnet18"]
    assert of_size(tensors | {"more": np.zeros(3, "float32")}) == [] == of_size({})


@pytest.mark.parametrize("content", ["text", "empty", "other"])
def test_a_damaged_h5_is_refused(tmp_path, content):
    path = tmp_path / "weights.h5"
    path.write_bytes(b"no tensor")
    if content != "text":
        with h5py.File(path, "w") as file:
            if content == "other":
                file.attrs["layer_names"] = ["conv"]
    with pytest.raises(UserError, match="is no weight file as keras.applications publishes them") as caught:
        tensors_of(path)
    assert "\n" not in str(caught.value)


def test_a_training_starts_from_them_scaled_as_they_expect(torch_file, tmp_path):
    rng = np.random.default_rng(0)
    data = (rng.integers(0, 255, (12, 64, 64, 3), dtype=np.uint8), np.arange(12) % 3)
    settings = {"runtime.runs": str(tmp_path), "train.epochs": 1, "train.batch_size": 6, "data.validation": 0.5}
    run = kcnn.build_and_fit({}, data, name="a", architecture="resnet18", weights=str(torch_file), **settings)
    assert run.facts.mean == (123.675, 116.28, 103.53) and run.facts.std == (58.395, 57.12, 57.375)
    started = next(event for event in RunFolder.open(tmp_path / "a").events() if event["event"] == "started")
    assert started["program"] == "torchvision" and started["fresh"] == ["logits/kernel", "logits/bias"]
    assert started["scaling"] == ""
    again = kcnn.build_and_fit({}, data, name="b", architecture="resnet18", weights=str(run.path), **settings)
    assert again.facts.mean == run.facts.mean, "an earlier run hands its scaling on"
