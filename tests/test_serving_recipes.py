"""The serving examples: TensorFlow Serving's REST protocol, played by a small server, and what is not there."""

import base64
import http.server
import importlib
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import kcnn
from kcnn.resources import folder

TINY = {"epochs": 1, "train.batch_size": 4, "data.limit": 16, "runtime.precision": "float32"}


@pytest.fixture(scope="module")
def recipes():
    """The three scripts as modules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(folder("recipes")) / "serving"))
        names = ("core_ml", "tensorflow_serving", "tensorrt_engine")
        yield {name: importlib.import_module(name) for name in names}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of labels and one of masks, exported."""
    options = TINY | {"runtime.runs": str(tmp_path_factory.mktemp("runs"))}
    labels = kcnn.build_and_fit("classify/digits", name="labels", architecture="resnet_toy", **options)
    head = {"model.head": "unet", "model.head_options": {"filters": [8, 8]}}
    masks = kcnn.build_and_fit({}, "builtin:digit-scenes", name="masks", architecture="resnet_toy", **options, **head)
    for run in (labels, masks):
        run.export(timed=False)
    return labels, masks


class Played(http.server.BaseHTTPRequestHandler):
    """Answers as TensorFlow Serving's REST interface does: base64 in {"b64"}, rows of outputs, bytes by their name."""

    models: dict = {}

    def do_POST(self):
        name = self.path.removeprefix("/v1/models/").removesuffix(":predict")
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        signature = tf.saved_model.load(str(self.models[name])).signatures[asked["signature_name"]]
        given = {
            key: [base64.b64decode(row[key]["b64"]) for row in asked["instances"]] for key in asked["instances"][0]
        }
        found = {key: x.numpy() for key, x in signature(**{k: tf.constant(v) for k, v in given.items()}).items()}
        rows = [{key: self.plain(key, x[i]) for key, x in found.items()} for i in range(len(asked["instances"]))]
        body = json.dumps({"predictions": rows}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def plain(self, key, value):
        if isinstance(value, bytes):
            return {"b64": base64.b64encode(value).decode()} if key.endswith("_bytes") else value.decode("utf-8")
        return value.tolist()

    def log_message(self, *words):
        pass


@pytest.fixture
def server():
    with http.server.HTTPServer(("127.0.0.1", 0), Played) as opened:
        thread = threading.Thread(target=opened.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{opened.server_port}"
        opened.shutdown()
        thread.join()


def test_a_client_without_tensorflow_gets_the_runs_answers(recipes, runs, server, tmp_path, rng, capsys):
    serving = recipes["tensorflow_serving"]
    pictures = [tmp_path / f"{i}.png" for i in range(3)]
    for picture in pictures:
        picture.write_bytes(tf.io.encode_png(rng.integers(0, 256, (40, 30, 1)).astype(np.uint8)).numpy())
    for run in runs:
        laid = serving.lay(run.path, tmp_path / "models")
        assert laid == tmp_path / "models" / run.name / "1" and (laid / "saved_model.pb").is_file()
        Played.models[run.name] = laid
    found = serving.ask(server, "labels", pictures)
    for given, own in zip(found, runs[0].predict(pictures), strict=True):
        assert given["label"] == own["label"] and given["score"] == pytest.approx(own["score"], abs=1e-4)
    for given, own in zip(serving.ask(server, "masks", pictures), runs[1].predict(pictures), strict=True):
        mask = tf.io.decode_png(given["png_bytes"]).numpy()[..., 0]
        assert mask.shape == (40, 30) and (mask == own["mask"]).mean() > 0.99
    serving.main(["ask", server, "labels", str(pictures[0])])
    assert json.loads(capsys.readouterr().out)["label"] == found[0]["label"]


def test_versions_are_counted_and_what_is_missing_is_said(recipes, runs, tmp_path, capsys):
    serving = recipes["tensorflow_serving"]
    assert [serving.lay(runs[0].path, tmp_path).name for _ in range(3)] == ["1", "2", "3"]
    assert not [path for path in (tmp_path / "labels").iterdir() if not path.name.isdecimal()]
    with pytest.raises(SystemExit, match="is not there: kcnn export"):
        serving.lay(tmp_path / "gone", tmp_path)
    serving.main(["lay", str(runs[0].path), str(tmp_path)])
    assert capsys.readouterr().out.strip().endswith("labels/4")


def test_scripts_say_what_is_not_there(recipes, runs, monkeypatch):
    run = runs[0].path
    with pytest.raises(SystemExit, match="is not there: kcnn export .* --format onnx"):
        recipes["tensorrt_engine"].main([str(run)])
    (run / "exports" / "model.onnx").write_bytes(b"")
    for name in ("tensorrt_engine", "core_ml"):
        monkeypatch.setattr(recipes[name], "find_spec", lambda package: None)
        with pytest.raises(SystemExit, match="is not installed here: pip install"):
            recipes[name].main([str(run)])


def test_the_program_of_a_run_is_what_its_exports_are_made_of(runs, rng):
    function, told = runs[1].program()
    frames = rng.integers(0, 256, (2, *runs[1].facts.input_shape)).astype(np.float32)
    served = tf.saved_model.load(str(runs[1].folder.exports / "saved_model")).signatures["serving_default"]
    expected = served(image=tf.constant(frames.astype(np.uint8)))
    assert (function(frames)["mask"].numpy() == expected["mask"].numpy()).mean() > 0.999
    assert json.loads(told)["class_names"] == runs[1].class_names
