"""Files of weights that are odd or hostile: read where that is safe, else refused in one line."""

import json
import struct

import h5py
import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

import kcnn
from kcnn.errors import UserError
from kcnn.pretrained import tensors_of
from kcnn.pretrained.tensors import as_ours
from kcnn.training.weights import read_tensors, weight_variables

VALUES = np.arange(6, dtype="float32").reshape(2, 3)


def safetensors_of(path, kind, data, shape):
    header = json.dumps({"a": {"dtype": kind, "shape": shape, "data_offsets": [0, len(data)]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


def test_bfloat16_is_read(tmp_path):
    halves = (VALUES.view("uint32") >> 16).astype("uint16")
    found = read_tensors(safetensors_of(tmp_path / "x.safetensors", "BF16", halves.tobytes(), [2, 3]))["a"]
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, VALUES)


@pytest.mark.parametrize("kind, size", [("F8_E4M3", 6), ("C64", 48)])
def test_other_kinds_are_refused(tmp_path, kind, size):
    path = safetensors_of(tmp_path / "x.safetensors", kind, bytes(size), [2, 3])
    with pytest.raises(UserError, match=f"tensor a of .* is of kind {kind}; save it as|no intact safetensors"):
        read_tensors(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UserError, match="cannot read the weights .*: Is a directory"):
        read_tensors(tmp_path)


@pytest.mark.parametrize("shape", [(), (8,), (0, 3, 3, 3), (8, 3), (8, 3, 3, 3, 3), (8, 1, 3)])
def test_an_unfit_tensor_stays_fresh(tmp_path, shape):
    model = kcnn.build_model("resnet_toy", input_shape=(16, 16, 3), num_classes=2)
    bias = np.full(8, 2, "float32")
    tensors = {path: variable.numpy() for path, variable in weight_variables(model).items()}
    tensors |= {"stem/kernel": np.zeros(shape, "float32"), "stem_norm/beta": bias}
    save_file(tensors, tmp_path / "x.safetensors")
    again = kcnn.build_model("resnet_toy", input_shape=(16, 16, 3), num_classes=2, weights=tmp_path / "x.safetensors")
    np.testing.assert_array_equal(again.get_layer("stem_norm").beta, bias)
    assert np.std(again.get_layer("stem").kernel) > 0 < len(model.layers)
    for layer in ("stem", "logits"):
        as_ours(np.zeros(shape or (1,), "float32")[:1], model.get_layer(layer), "kernel", "timm")


def write(path, member):
    """An .h5 file of one layer whose kernel is what `member` makes in its group."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["conv"]
        group = file.create_group("conv")
        group.attrs["weight_names"] = ["conv/kernel:0"]
        member(group.create_group("conv"))
    return path


def virtual(group):
    layout = h5py.VirtualLayout((2, 3), "float32")
    layout[:] = h5py.VirtualSource("other.h5", "x", (2, 3))
    group.create_virtual_dataset("kernel:0", layout)


def outside(group):
    group.create_dataset("kernel:0", (2, 3), "float32", external=[("/etc/passwd", 0, 24)])


def linked(link):
    def member(group):
        group["kernel:0"] = link

    return member


HOSTILE = {
    "is missing or a link": linked(h5py.ExternalLink("other.h5", "/x")),
    "kernel:0 is missing or a link": linked(h5py.SoftLink("/conv")),
    "lies outside of the file": outside,
    "kernel lies outside": virtual,
    "holds no numbers": lambda group: group.create_dataset("kernel:0", data=[b"text"]),
    "kernel holds no numbers": lambda group: group.create_group("kernel:0"),
    "larger than the file": lambda group: group.create_dataset("kernel:0", (1 << 20, 1 << 20), "float32"),
    "arrays are larger": lambda group: group.create_dataset(
        "kernel:0", (1 << 20, 1 << 20), "float32", chunks=(1, 1 << 10), compression="gzip"
    ),
}


@pytest.mark.parametrize("words", HOSTILE)
def test_a_hostile_h5_is_refused(tmp_path, words):
    path = write(tmp_path / "x.h5", HOSTILE[words])
    with pytest.raises(UserError, match=f"is no weight file as keras.applications publishes them .*{words}") as told:
        tensors_of(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}], ids=["plain", "compressed"])
def test_plain_and_compressed_arrays_are_read(tmp_path, options):
    path = write(tmp_path / "x.h5", lambda group: group.create_dataset("kernel:0", data=VALUES, **options))
    np.testing.assert_array_equal(tensors_of(path)["conv/kernel"], VALUES)


def test_keras_own_weights_files_are_refused_with_the_way_out(tmp_path):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    model.save_weights(tmp_path / "mine.weights.h5")
    with pytest.raises(UserError, match=r"keeps no names of layers: write model.save\('model.keras'\).*kcnn convert"):
        tensors_of(tmp_path / "mine.weights.h5")
