"""LiteRT, ONNX and OpenVINO: each runtime answers as the model does, for each task, and knows the names."""

import json
import logging
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.data import Facts
from kcnn.errors import UserError
from kcnn.exporting import EXPORTERS, ExportDisagrees, export, parity, portable
from kcnn.heads import HEADS
from kcnn.models import build_model, head_of

NAMES = ("ground", "größer", "dark")
EXACT = [name for name in ("litert", "onnx", "openvino") if EXPORTERS[name].agreement is None]
ROUNDED = [name for name in EXPORTERS if EXPORTERS[name].agreement is not None]
SMALL = {"classifier": {}, "unet": {"filters": (8, 8)}, "yolo": {"filters": 8, "most": 6, "least": 0.05}}
SMALL["mask_rcnn"] = SMALL["yolo"] | {"hidden": 8, "proposals": 12, "depth": 1}
CASES = [pytest.param(name, marks=[pytest.mark.slow] if name == "mask_rcnn" else []) for name in SMALL]


def made(name, rng, architecture="resnet_toy"):
    """(model, head, facts, pictures) whose answers differ from picture to picture."""
    keras.utils.set_random_seed(0)
    head = head_of(name, num_classes=3, **SMALL[name])
    model = build_model(architecture, head, input_shape=(64, 64, 3))
    images = rng.integers(0, 256, (6, 8, 8, 3)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5
        if layer.name == "logits" or layer.name.endswith(("_classes", "_edges")):
            layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    model(images.astype(np.float32), training=True)
    facts = Facts(class_names=NAMES, input_shape=(64, 64, 3), task=HEADS[name].task, framing="pad")
    return model, head, facts, images


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("format", EXACT)
def test_each_runtime_gives_the_models_scores(format, name, tmp_path, rng):
    model, head, facts, images = made(name, rng)
    path, found = export(format, model, head, facts, tmp_path, images)
    assert found["score_difference"] < 1e-4 and found["labels_agree"] > 0.999
    alone = EXPORTERS[format].load(path, head, facts)["model"](images[:1])
    assert all(len(value) == 1 for value in alone.values())
    assert "label" not in alone or set(alone["label"]) <= set(NAMES)


@pytest.mark.parametrize("format", EXACT)
def test_grouped_and_depthwise_convolutions_are_taken(format, tmp_path, rng):
    for architecture in ("shufflenet_toy", "mobilenet_v2_toy"):
        model, head, facts, images = made("classifier", rng, architecture)
        assert export(format, model, head, facts, tmp_path, images)[1]["score_difference"] < 1e-4


@pytest.mark.parametrize("format", ROUNDED)
def test_rounded_formats_are_smaller_and_agree(format, tmp_path, rng):
    model, head, facts, images = made("classifier", rng)
    _, found = export(format, model, head, facts, tmp_path, images)
    _, whole = export(format.partition("_")[0], model, head, facts, tmp_path, images)
    assert found["labels_agree"] >= 0.98 and 0 < found["score_difference"] < 0.2
    assert found["bytes"] < 0.75 * whole["bytes"]


def test_what_disagrees_in_too_many_labels_is_refused(rng):
    model, head, facts, images = made("classifier", rng)
    names = np.asarray(NAMES, object)

    def wrong_once(images):
        scores = np.asarray(keras.ops.softmax(model(images.astype(np.float32))))
        label = scores.argmax(-1)
        label[0] = (label[0] + 1) % 3
        return {"label": names[label], "scores": scores}

    assert parity.compare(model, head, facts, images, {"model": wrong_once}, 0.8)["labels_agree"] == pytest.approx(
        5 / 6
    )
    with pytest.raises(ExportDisagrees, match="16.7% of the labels, over 6 pictures; at most 10%"):
        parity.compare(model, head, facts, images, {"model": wrong_once}, 0.9)


def test_each_format_holds_the_names(tmp_path, rng):
    model, head, facts, images = made("classifier", rng)
    paths = {format: export(format, model, head, facts, tmp_path, images)[0] for format in EXACT}
    import onnx
    import openvino

    with zipfile.ZipFile(paths["litert"]) as end:
        told = [end.read("kcnn.json").decode()]
    told += [entry.value for entry in onnx.load(str(paths["onnx"])).metadata_props if entry.key == "kcnn"]
    told.append(openvino.Core().read_model(str(paths["openvino"] / "model.xml")).get_rt_info("kcnn").value)
    for text in told:
        found = json.loads(text)
        assert found["class_names"] == list(NAMES) and found["input_shape"] == [64, 64, 3]
        assert found["task"] == "labels" and found["framing"] == "pad" and found["input_scale"] == "0 to 255"


@pytest.mark.parametrize("format", EXACT)
def test_the_process_goes_on_logging(format, tmp_path, rng):
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    model, head, facts, images = made("classifier", rng)
    export(format, model, head, facts, tmp_path, images)
    assert (root.level, root.handlers) == before


@pytest.mark.parametrize("format", EXACT)
def test_what_a_format_cannot_hold_is_said_in_a_line(format, tmp_path, rng, monkeypatch):
    model, head, facts, images = made("classifier", rng)

    def odd(model, head, facts, dtype):
        def answered(image):
            text = tf.strings.as_string(tf.reduce_sum(tf.cast(image, tf.float32), (1, 2)))
            return {"scores": tf.strings.to_number(tf.strings.regex_replace(text, "1", "2"))}

        return tf.function(answered, input_signature=[tf.TensorSpec((None, *facts.input_shape), dtype, name="image")])

    for room in ("litert", "onnx", "openvino"):
        monkeypatch.setattr(f"kcnn.exporting.{room}.program", odd)
    with pytest.raises(UserError, match=r"^\w+ cannot hold this network: [^\n]+$"):
        export(format, model, head, facts, tmp_path, images)
    assert not list(tmp_path.iterdir())


def test_told_says_where_numbers_are_no_pictures(rng):
    _, head, facts, _ = made("classifier", rng)
    found = json.loads(portable.told(head, facts.model_copy(update={"measured": True})))
    assert found["input_scale"] == "as in the training data"
