"""Hostile model files: without trust none is loaded, whatever its door; trusted ones run apart, with limits."""

import base64
import io
import json
import marshal
import pickle
import time
import zipfile

import h5py
import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

import kcnn
from kcnn import conversion
from kcnn.conversion import convert
from tests.crash.harness import alive

DENSE = {"name": "dense", "trainable": True, "units": 1, "activation": "linear", "use_bias": True}


def sequential(layer):
    """The config of a model of one layer."""
    first = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 2], "name": "i"}}
    config = {"name": "net", "layers": [first, layer], "build_input_shape": [None, 2]}
    return {"module": "keras", "class_name": "Sequential", "config": config, "build_config": {"input_shape": [None, 2]}}


def touching(canary):
    """The byte code of a function that creates the canary."""
    scope = {}
    exec(f"def run(x):\n    open({str(canary)!r}, 'w').close()\n    return x", scope)
    return base64.b64encode(marshal.dumps(scope["run"].__code__)).decode()


def lambda_layer(canary):
    function = {"class_name": "__lambda__", "config": {"code": touching(canary), "defaults": None, "closure": None}}
    return {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": function}}


def module_function(canary):
    function = {"module": "pathlib", "class_name": "function", "config": "Path.touch", "registered_name": "Path.touch"}
    return {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": function,
            "arguments": {"self": str(canary)}}}  # fmt: skip


def any_class(canary):
    return {"module": "os", "class_name": "system", "config": f"touch {canary}", "registered_name": None}


def download(canary):
    config = {"name": "d", "units": 1, "activation": {"module": "keras.utils", "class_name": "function",
              "config": "get_file", "registered_name": "get_file"}}  # fmt: skip
    return {"module": "keras.layers", "class_name": "Dense", "config": config}


def keras_file(path, layer):
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file.create_group("layers")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(sequential(layer)))
        archive.writestr("metadata.json", json.dumps({"keras_version": keras.__version__}))
        archive.writestr("model.weights.h5", weights.getvalue())


def h5_file(path, layer):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(sequential(layer))
        file.attrs["keras_version"] = "2.15.0"
        file.create_group("model_weights").attrs["layer_names"] = []


class Payload:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return open, (str(self.canary), "w")


def pickled(path, canary):
    path.write_bytes(pickle.dumps(Payload(canary)))


HOSTILE = {
    "CVE-2024-3660 lambda.keras": lambda path, canary: keras_file(path, lambda_layer(canary)),
    "CVE-2025-1550 function.keras": lambda path, canary: keras_file(path, module_function(canary)),
    "CVE-2025-1550 class.keras": lambda path, canary: keras_file(path, any_class(canary)),
    "CVE-2025-8747 download.keras": lambda path, canary: keras_file(path, download(canary)),
    "CVE-2025-9905 lambda.h5": lambda path, canary: h5_file(path, lambda_layer(canary)),
    "CVE-2025-9905 lambda.hdf5": lambda path, canary: h5_file(path, lambda_layer(canary)),
    "pickle.safetensors": pickled,
    "pickle.npz": pickled,
    "pickle.pkl": pickled,
}
PICTURES = (np.zeros((8, 8, 8, 1), np.uint8), np.arange(8) % 2)


@pytest.fixture(params=HOSTILE)
def hostile(request, tmp_path):
    """(file, canary that its code would create)."""
    path, canary = tmp_path / request.param, tmp_path / "canary"
    HOSTILE[request.param](path, canary)
    return path, canary


def test_no_door_loads_a_hostile_file(hostile, tmp_path):
    path, canary = hostile
    doors = {
        "weights": lambda: kcnn.build_and_fit_classifier(
            PICTURES, "resnet_toy", weights=str(path), runs=str(tmp_path / "runs"), batch_size=2
        ),
        "convert": lambda: convert(path),
        "run": lambda: kcnn.load_run(path),
        "data": lambda: kcnn.check_data(path),
        "recipe": lambda: kcnn.build_and_fit(path),
    }
    for name, open_door in doors.items():
        with pytest.raises(kcnn.UserError) as told:
            open_door()
        assert "\n" not in str(told.value), name
    assert not canary.exists()


def gone(pid, within=5.0):
    """True once no process `pid` lives; one that nobody has waited for does not."""
    end = time.monotonic() + within
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


def test_the_lambda_would_do_harm(tmp_path):
    """The cases are real: trusted, the code runs (in the child, on its own)."""
    canary = tmp_path / "canary"
    h5_file(tmp_path / "model.h5", lambda_layer(canary))
    with pytest.raises(kcnn.UserError, match="holds no weights"):
        convert(tmp_path / "model.h5", trust=True)
    assert canary.exists()


def test_a_saved_model_is_a_program_and_no_weights(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(kcnn.UserError, match="is a SavedModel, which is a program"):
        kcnn.build_and_fit_classifier(PICTURES, "resnet_toy", weights=str(tmp_path), runs=str(tmp_path / "runs"))


def test_weights_of_a_trusted_model_file_are_taken_over(tmp_path):
    model = kcnn.build_model("resnet_toy", input_shape=(8, 8, 1), num_classes=2)
    model.save(tmp_path / "model.keras")
    out = convert(tmp_path / "model.keras", trust=True)
    tensors = load_file(out)
    for variable in model.weights:
        np.testing.assert_array_equal(tensors[variable.path.removeprefix(f"{model.name}/")], variable.numpy())
    settings = {"runs": str(tmp_path / "runs"), "epochs": 1, "batch_size": 4, "learning_rate": 1e-12}
    run = kcnn.build_and_fit_classifier(PICTURES, "resnet_toy", weights=str(out), **settings)
    kernel = "c2_1_1/kernel" if "c2_1_1/kernel" in tensors else next(k for k in tensors if k.endswith("kernel"))
    np.testing.assert_allclose(load_file(run.path / "best.safetensors")[kernel], tensors[kernel], atol=1e-6)
    with pytest.raises(kcnn.UserError, match="exists already"):
        convert(tmp_path / "model.keras", trust=True)


def test_a_trusted_model_file_has_limits(tmp_path, monkeypatch):
    kcnn.build_model("resnet_toy", input_shape=(8, 8, 1), num_classes=2).save(tmp_path / "model.keras")
    monkeypatch.setattr(conversion, "SECONDS", 1)
    with pytest.raises(kcnn.UserError, match="could not be loaded in its child process"):
        convert(tmp_path / "model.keras", trust=True)
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize(("last", "told"), [
    ("print('noise' * 20_000_000, file=sys.stderr); sys.exit('the end')", "in its child process: the end$"),
    ("sys.stderr.write('noise' * 20_000_000); sys.exit(1)", "in its child process: [noise]{300}$"),
    ("sys.exit(0)", "in its child process: it was killed by its limits$"),
    ("time.sleep(600)", "was not loaded within 5 seconds$"),
])  # fmt: skip
def test_what_a_child_starts_ends_with_it_and_its_words_are_cut(tmp_path, monkeypatch, last, told):
    (tmp_path / "model.h5").touch()
    start = "pid = subprocess.Popen(['sleep', '600']).pid; open(sys.argv[1] + '.pid', 'w').write(str(pid))"
    monkeypatch.setattr(conversion, "CHILD", f"import subprocess, sys, time\n{start}\n{last.replace('; ', chr(10))}")
    monkeypatch.setattr(conversion, "PATIENCE", 5)
    with pytest.raises(kcnn.UserError, match=told):
        convert(tmp_path / "model.h5", trust=True)
    assert gone(int((tmp_path / "model.h5.pid").read_text()))


def test_tensors_of_one_name_are_refused(tmp_path):
    x = answer = keras.Input((2,))
    for name in ("one", "two"):
        y = keras.Input((2,))
        answer = keras.Model(y, keras.layers.Dense(2, name="same")(y), name=name)(answer)
    model = keras.Model(x, answer)
    names = [variable.path for variable in model.weights]
    assert len(set(names)) < len(names), "Keras calls the kernels of both inner models same/kernel"
    model.save(tmp_path / "model.keras")
    with pytest.raises(kcnn.UserError, match="two of its tensors are called same/kernel; give its layers names"):
        convert(tmp_path / "model.keras", trust=True)
