"""A detector from data to boxes: is what is trained, answered, drawn and exported the same thing everywhere?"""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import kcnn
from kcnn.errors import UserError
from tests.test_cli import kcnn as command

# Runs where TensorFlow is and kcnn is not.
STRANGER = """
import sys
sys.modules["kcnn"] = None
import numpy as np, tensorflow as tf
given = np.load(sys.argv[2], allow_pickle=False)
ends = np.cumsum(given["lengths"])
items = [given["bytes"][end - n : end].tobytes() for end, n in zip(ends, given["lengths"])]
served = tf.saved_model.load(sys.argv[1]).signatures
found = {key: value.numpy() for key, value in served["from_bytes"](bytes=tf.constant(items)).items()}
whole = served["serving_default"](image=tf.constant(given["same"]))
whole = {"same_" + key: value.numpy() for key, value in whole.items()}
names = np.char.decode(served["class_names"]()["class_names"].numpy().astype("S"), "utf-8")
np.savez(sys.argv[3], names=names, **found, **whole)
"""
SETTINGS = {"architecture": "resnet_toy", "epochs": 30, "batch_size": 8, "learning_rate": 4e-3, "data.image_size": 48}
SETTINGS |= {"model.stem": "standard", "head_options": {"filters": 24, "most": 8}, "train.clip_norm": 10.0}
COUNT, SIDE, NAMES = 96, 48, ["bright", "dark"]


def scenes(folder, rng, count=COUNT):
    """COCO json of pictures with a bright and a dark rectangle each on noise of middle grey."""
    (folder / "train").mkdir(parents=True)
    images, annotations = [], []
    for i in range(count):
        picture = rng.integers(110, 140, (SIDE, SIDE, 3), np.uint8)
        images.append({"id": i, "file_name": f"{i:03d}.png", "height": SIDE, "width": SIDE})
        for k, (low, high) in enumerate(((220, 256), (0, 30))):
            (x, y), (w, h) = rng.integers(0, SIDE - 20, 2), rng.integers(10, 20, 2)
            picture[y : y + h, x : x + w] = rng.integers(low, high, (h, w, 1))
            box = list(map(int, (x, y, w, h)))
            outline = [x, y, x + w, y, x + w, y + h, x, y + h]
            one = {"id": len(annotations), "image_id": i, "category_id": k, "bbox": box, "area": int(w * h)}
            annotations.append(one | {"segmentation": [list(map(int, outline))]})
        Image.fromarray(picture).save(folder / "train" / f"{i:03d}.png")
    categories = [{"id": k, "name": name} for k, name in enumerate(NAMES)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "train.json").write_text(json.dumps(content))
    return folder / "train.json"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return scenes(tmp_path_factory.mktemp("scenes"), np.random.default_rng(0))


@pytest.fixture(scope="module")
def run(tmp_path_factory, source):
    return kcnn.build_and_fit_detector(
        str(source), **SETTINGS, **{"runtime.runs": str(tmp_path_factory.mktemp("runs"))}
    )


def encoded(picture, kind="png"):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind)
    return file.getvalue()


def mixed(rng, count):
    """Encoded pictures of many sizes, with a bright or a dark rectangle."""
    found = []
    for i in range(count):
        height, width = rng.integers(40, 130, 2)
        picture = rng.integers(110, 140, (height, width, 3), np.uint8)
        y, x = rng.integers(0, height // 2), rng.integers(0, width // 2)
        picture[y : y + height // 3, x : x + width // 3] = 240 if i % 2 else 10
        found.append(encoded(picture))
    return found


def test_a_run_learns_and_reports(run):
    assert run.task == "boxes" and run.class_names == NAMES and run.main_metric == "map"
    figures = run.splits["val"]
    assert figures["map50"] > 0.5 and 0 < figures["threshold"]["score"] < 1
    assert {"val_map", "val_map50", "loss", "val_loss"} <= run.history[0].keys()
    assert max(row["val_map"] for row in run.history) == pytest.approx(figures["map"], abs=1e-6)
    assert "mAP50" in run.report.read_text("utf-8") and (run.report.parent / "curves.png").exists()
    assert run.facts.framing == "pad"


def test_answers_are_in_the_pixels_of_their_picture(run, tmp_path):
    picture = np.random.default_rng(1).integers(110, 140, (96, 96, 3), np.uint8)  # twice the frame
    picture[20:60, 30:64] = 245
    Image.fromarray(picture).save(tmp_path / "large.png")
    found = run.predict([str(tmp_path / "large.png"), picture, b"no picture"], out=tmp_path / "out")
    np.testing.assert_allclose(found[0]["boxes"], found[1]["boxes"], atol=1e-3)
    best = found[0]
    assert best["label"] == best["classes"][0] == "bright" and best["top"][0][0] == "bright"
    np.testing.assert_allclose(best["boxes"][0], [30, 20, 64, 60], atol=8)
    assert len(best["boxes"]) == len(best["scores"]) == len(best["classes"])
    assert (np.diff(best["scores"]) <= 0).all() and best["scores"].min() >= run.splits["val"]["threshold"]["score"]
    assert found[2]["error"] and len(found[2]["boxes"]) == 0
    rows = json.loads((tmp_path / "out" / "large-boxes.json").read_text())
    assert rows[0]["category"] == "bright" and rows[0]["category_id"] == 0
    x, y, width, height = rows[0]["bbox"]
    np.testing.assert_allclose([x, y, x + width, y + height], best["boxes"][0], atol=0.02)
    drawn = np.asarray(Image.open(best["files"]["drawing"]))
    assert drawn.shape == picture.shape and (drawn != picture).any()


def test_the_command_says_boxes_as_json(run, source, capsys):
    picture = source.parent / "train" / "000.png"
    status, out, _ = command(capsys, "predict", run.path, picture)
    said, own = json.loads(out.strip().splitlines()[-1]), run.predict(str(picture))
    assert status == 0
    np.testing.assert_allclose(said["boxes"], own["boxes"], atol=1e-3)
    assert said["classes"] == own["classes"] and said["label"] == own["label"]


def test_an_export_answers_alike_where_only_tensorflow_is(run, tmp_path):
    rng = np.random.default_rng(3)
    items = [*mixed(rng, 100), b"no picture"]
    same = rng.integers(0, 255, (3, 70, 90, 3), np.uint8)
    np.savez(
        tmp_path / "given.npz", bytes=np.frombuffer(b"".join(items), np.uint8), lengths=list(map(len, items)), same=same
    )
    words = [sys.executable, "-c", STRANGER, run.export(), tmp_path / "given.npz", tmp_path / "found.npz"]
    subprocess.run(list(map(str, words)), check=True, cwd=tmp_path)
    found, own = np.load(tmp_path / "found.npz"), run.predict(items)
    assert list(found["names"]) == NAMES and found["count"][-1] == 0 and sum(found["count"]) > 50
    for i, answer in enumerate(own):
        count = found["count"][i]
        assert count == len(answer["boxes"])
        np.testing.assert_allclose(found["boxes"][i, :count], answer["boxes"], atol=0.5)
        np.testing.assert_allclose(found["scores"][i, :count], answer["scores"], atol=1e-4)
        assert [NAMES[k] for k in found["classes"][i, :count]] == answer["classes"]
    for i, answer in enumerate(run.predict(list(same))):
        np.testing.assert_allclose(found["same_boxes"][i, : found["same_count"][i]], answer["boxes"], atol=0.5)


@pytest.mark.parametrize("method, level", [(None, None), ("layer_cam", "c3"), ("occlusion", None)])
def test_a_box_is_explained(run, method, level, tmp_path):
    picture = np.random.default_rng(1).integers(110, 140, (48, 48, 3), np.uint8)
    picture[4:20, 4:20], picture[28:44, 28:44] = 245, 10
    for name, place in (("bright", np.s_[:24, :24]), ("dark", np.s_[24:, 24:])):
        heat = run.explain(picture, method, target=name, level=level, path=tmp_path / "why.png")
        assert heat.shape == (48, 48) and heat[place].max() == 1 and heat[place].sum() > 0.5 * heat.sum(), name
        assert Image.open(tmp_path / "why.png").size[0] > 300
    first = run.predict(picture)["label"]
    for same in (first, 0, "0"):
        np.testing.assert_array_equal(run.explain(picture, method), run.explain(picture, method, target=same))
    figures = run.explain_sanity(picture, "occlusion", target="bright")
    assert figures["deletion"] < figures["insertion"]
    with pytest.raises(UserError, match="no object number 99 was found in this picture"):
        run.explain(picture, method, target=99)
    with pytest.raises(UserError, match="nothing was found in this picture"):
        run.explain(np.full((48, 48, 3), 125, np.uint8), method)
    with pytest.raises(UserError, match="unknown class 'grey'"):
        run.explain(picture, method, target="grey")
    with pytest.raises(UserError, match="no dark was found in this picture, so none can be explained"):
        run.explain(np.where(picture < 100, 120, picture).astype(np.uint8), method, target="dark")


def test_a_run_is_scored_again_and_on_other_data(run, tmp_path):
    assert run.evaluate("val")["map"] == pytest.approx(run.splits["val"]["map"])
    other = scenes(tmp_path / "other", np.random.default_rng(9), 12)
    figures = run.evaluate(source=str(other))
    assert figures["samples"] == 12 and figures["map50"] > 0.3


def test_what_does_not_fit_is_refused(run, source, tmp_path):
    runs = {"runtime.runs": str(tmp_path)}
    with pytest.raises(UserError, match="learns boxes and the data has labels: set model.head to classifier"):
        kcnn.build_and_fit_detector("builtin:digits", architecture="resnet_toy", **runs)
    with pytest.raises(UserError, match="augment.mixup mixes labels, which boxes cannot follow"):
        kcnn.build_and_fit_detector(str(source), **SETTINGS, **runs, **{"augment.mixup": 0.2})
    labelled = ([np.zeros((8, 8, 3), np.uint8)] * 4, NAMES * 2)
    with pytest.raises(UserError, match="answers in boxes and this data has labels"):
        run.evaluate(source=labelled)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["retinanet", "ssd", "faster_rcnn", "mask_rcnn"])
def test_every_head_trains_answers_and_is_exported(head, source, tmp_path):
    options = {"filters": 16, "most": 6}
    settings = SETTINGS | {"epochs": 1, "head_options": options, "data.limit": 16, "augment.copy_paste": 0.5}
    run = kcnn.build_and_fit_detector(str(source), head=head, **settings, **{"runtime.runs": str(tmp_path)})
    assert run.status["state"] == "finished" and 0 <= run.splits["val"]["map"] <= 1
    assert ("mask_map" in run.splits["val"]) == (head == "mask_rcnn")
    assert run.export().exists()
    found = run.predict(str(source.parent / "train" / "000.png"), out=tmp_path / "out")
    assert ("masks" in found) == (head == "mask_rcnn")
    if head == "mask_rcnn":
        assert found["masks"].shape == (len(found["boxes"]), SIDE, SIDE) and found["masks"].dtype == bool
        rows = json.loads((tmp_path / "out" / "000-boxes.json").read_text())
        assert all("segmentation" in row for row in rows)
