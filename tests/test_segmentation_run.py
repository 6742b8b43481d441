"""A segmenter from data to masks: is what is trained, answered, written and exported the same thing everywhere?"""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import kcnn
from kcnn.answers import MaskAnswers
from kcnn.answers import masks as mask_answers
from kcnn.answers.naming import stems_of
from kcnn.data import Facts, working_size
from kcnn.inspection.evidence import evidence
from kcnn.masks import IGNORE, colours
from kcnn.models import build_model, head_of
from kcnn.scoring import kept_frames, reporting
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
found = served["from_bytes"](bytes=tf.constant(items))["png_bytes"].numpy()
masks = [tf.io.decode_png(png).numpy()[..., 0] if png else np.zeros((0, 0), np.uint8) for png in found]
whole = served["serving_default"](image=tf.constant(given["same"]))
named = served["class_names"]()
np.savez(sys.argv[3], *masks, same=whole["mask"].numpy(), colours=named["colours"].numpy(),
         names=np.char.decode(named["class_names"].numpy().astype("S"), "utf-8"))
"""
SETTINGS = {"architecture": "resnet_toy", "head": "unet", "epochs": 6, "batch_size": 8, "learning_rate": 3e-3}
NAMES = ["ground", "bright", "dark"]


def scenes(count, rng, side=32):
    """(pictures (N, side, side, 3), masks): a bright and a dark square on noise of middle grey, a frame not judged."""
    pictures = rng.integers(90, 160, (count, side, side, 3), np.uint8)
    masks = np.zeros((count, side, side), np.uint8)
    for picture, mask in zip(pictures, masks, strict=True):
        for k, (low, high) in enumerate(((200, 256), (0, 50)), start=1):
            y, x = rng.integers(0, side - 12, 2)
            picture[y : y + 12, x : x + 12] = rng.integers(low, high, (12, 12, 3))
            mask[y : y + 12, x : x + 12] = k
    masks[:, :1] = IGNORE
    return pictures, masks


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    rng = np.random.default_rng(0)
    data = {"train": scenes(64, rng), "val": scenes(16, rng), "class_names": NAMES}
    return kcnn.build_and_fit_segmenter(data, **SETTINGS, **{"runtime.runs": str(tmp_path_factory.mktemp("runs"))})


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """A run on volumes of 8×8×8 places."""
    values = np.random.default_rng(0).normal(size=(12, 8, 8, 8, 1)).astype(np.float32)
    masks = (values[..., 0] > 0).astype(np.uint8)
    data = {"train": (values[:8], masks[:8]), "val": (values[8:], masks[8:])}
    settings = SETTINGS | {"epochs": 1, "batch_size": 4, "runtime.runs": str(tmp_path_factory.mktemp("runs"))}
    return kcnn.build_and_fit_segmenter(data, **settings)


def five_bands(pictures):
    """float32 (N, H, W, 5): pictures in bands that are no colours, of another range."""
    return np.concatenate([pictures, 255.0 - pictures[..., :2]], -1).astype(np.float32) * 40


@pytest.fixture(scope="module")
def bands(tmp_path_factory):
    """A run on float32 data of five bands and 48×48 places, seen in a frame of 24×24."""
    rng = np.random.default_rng(0)
    data = {name: scenes(count, rng, side=48) for name, count in (("train", 48), ("val", 8))}
    data = {name: (five_bands(pictures), masks) for name, (pictures, masks) in data.items()}
    settings = SETTINGS | {"image_size": 24, "runtime.runs": str(tmp_path_factory.mktemp("runs"))}
    return kcnn.build_and_fit_segmenter(data | {"class_names": NAMES}, **settings)


def as_png(picture):
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()


def test_it_learns_and_reports(run):
    figures = run.metrics
    assert run.task == figures["task"] == "masks" and figures["mean_iou"] > 0.8
    assert [row["name"] for row in figures["per_class"]] == NAMES
    last = run.history[-1]
    assert last["val_mean_iou"] > 0.8 and "val_mean_iou/0" not in last
    best = max(row["val_mean_iou"] for row in run.history)
    assert figures["margin"]["without"] == pytest.approx(best, abs=1e-6), "the epoch's figure is that of the report"
    assert figures["mean_iou"] >= best - 0.002, "a margin is only chosen where it helps"
    assert "mean IoU" in run.report.read_text()


def test_a_run_answers_with_the_margin_of_its_report(run, rng, tmp_path):
    other = kcnn.load_run(shutil.copytree(run.path, tmp_path / "wary"), run._source)
    metrics = json.loads((other.folder.report / "metrics.json").read_text())
    metrics["splits"]["val"]["margin"]["value"] = 50.0
    (other.folder.report / "metrics.json").write_text(json.dumps(metrics))
    picture = scenes(1, rng)[0][0]
    assert run.predict(picture)["mask"].any() and not other.predict(picture)["mask"].any()
    served = tf.saved_model.load(str(other.export())).signatures["serving_default"]
    assert not served(image=tf.constant(picture[None]))["mask"].numpy().any()
    assert other.evaluate("val")["mean_iou"] == pytest.approx(run.metrics["mean_iou"]), "val finds it again"


def test_answers_have_the_pictures_own_size(run, tmp_path, rng):
    picture, mask = (part[0] for part in scenes(1, rng, side=45))
    answer = run.predict(picture[:, :33], out=tmp_path)
    found = np.asarray(Image.open(answer["files"]["mask"]))
    assert answer["mask"].shape == (45, 33) and (found == answer["mask"]).all()
    assert answer["label"] in NAMES[1:] and 0 < answer["score"] <= 1
    assert sum(share for _, share in answer["top"]) == pytest.approx(1)
    assert Image.open(answer["files"]["overlay"]).size == (33, 45)
    outlines = json.loads(Path(answer["files"]["polygons"]).read_text())
    assert sum(region["area"] for region in outlines) == 45 * 33
    missing = run.predict([str(tmp_path / "none.png"), b"no picture"])
    assert [row["error"] for row in missing] == ["no such file", "cannot be read as a picture"]


def test_a_tiled_answer_is_that_of_the_whole(run, rng, monkeypatch):
    picture = np.concatenate(scenes(7, rng)[0], axis=1)  # a strip of 32×224, at the scale of training
    whole, asked, tiled = run.predict(picture)["mask"], [], mask_answers.evaluation.tiled

    def counted(ask, *rest):
        return tiled(lambda tiles: asked.append(len(tiles)) or ask(tiles), *rest)

    monkeypatch.setattr(mask_answers, "MOST_WHOLE", 100)
    monkeypatch.setattr(mask_answers, "TILE", 32)
    monkeypatch.setattr(mask_answers, "OVERLAP", 16)
    monkeypatch.setattr(mask_answers, "GRID", 16)
    monkeypatch.setattr(mask_answers.evaluation, "tiled", counted)
    found = run.predict(picture)["mask"]
    assert sum(asked) >= 12 and found.shape == whole.shape == (32, 224)
    assert (found == whole).mean() > 0.9


def test_a_process_with_tensorflow_alone_gives_the_same_masks(run, rng, tmp_path):
    pictures = [scenes(1, rng, side)[0][0][: rng.integers(20, side + 1)] for side in rng.integers(24, 60, 99)]
    items = [*map(as_png, pictures), b"no picture"]
    content = np.frombuffer(b"".join(items), np.uint8)
    same = scenes(3, rng, 40)[0]
    np.savez(tmp_path / "in.npz", bytes=content, lengths=[len(item) for item in items], same=same)
    (tmp_path / "stranger.py").write_text(STRANGER)
    exported = run.export("saved_model")
    words = [sys.executable, tmp_path / "stranger.py", exported, tmp_path / "in.npz", tmp_path / "out.npz"]
    subprocess.run(words, check=True, cwd=tmp_path)
    found = np.load(tmp_path / "out.npz")
    for i, answer in enumerate(run.predict(items[:-1])):
        assert found[f"arr_{i}"].shape == pictures[i].shape[:2]
        assert (found[f"arr_{i}"] == answer["mask"]).mean() > 0.999
    assert found["arr_99"].size == 0, "what is no picture has no mask"
    assert (found["same"] == np.stack([answer["mask"] for answer in run.predict(list(same))])).mean() > 0.999
    assert found["names"].tolist() == NAMES and (found["colours"] == colours(3)).all()


def test_the_keras_file_is_proved_too(run):
    assert run.export("keras").name == "model.keras"


def test_heat_is_that_of_the_class_asked_for(run, rng):
    picture, mask = (part[0] for part in scenes(1, rng))
    heat = run.explain(picture, target="bright", level="up0_second")
    assert heat.shape == (32, 32) and heat[mask == 1].mean() > heat[mask == 2].mean()
    assert run.explain(picture).shape == (32, 32)
    assert set(run.explain_sanity(picture, target="bright", level="up0_second")) >= {
        "deletion",
        "insertion",
        "randomised",
    }


def test_evidence_is_the_mean_logit_where_the_class_wins():
    logits = np.array([[[3.0, 1.0], [0.0, 4.0]], [[5.0, 0.0], [1.0, 2.0]]], np.float32)

    def asked(logits, target=None):
        return float(evidence(logits, target)(tf.constant(logits[None]))[0])

    assert asked(logits, 0) == 4 and asked(logits, 1) == 3 and asked(logits[:1, :1], 1) == 1
    assert asked(np.float32([1, 7, 2])) == 7 and asked(np.float32([1, 7, 2]), 2) == 2
    fixed = evidence(logits, 0)  # the places are those of the picture that is explained, whatever is asked later
    assert float(fixed(tf.constant(-logits[None]))[0]) == -4


def test_the_command_writes_the_masks(run, tmp_path, rng, capsys):
    Image.fromarray(scenes(1, rng)[0][0]).save(tmp_path / "a.png")
    status, said, _ = command(capsys, "predict", run.path, tmp_path / "a.png", "--out", tmp_path / "out")
    answer = json.loads(said.strip().splitlines()[-1])
    assert status == 0 and answer["files"]["overlay"].endswith("a-overlay.png") and "mask" not in answer
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a-mask.png", "a-overlay.png", "a-polygons.json"]


def test_heads_and_data_that_do_not_fit_are_refused(tmp_path, rng):
    data, runs = scenes(8, rng), {"runtime.runs": str(tmp_path)}
    with pytest.raises(kcnn.UserError, match="learns labels and the data has masks: set model.head to .*unet"):
        kcnn.build_and_fit_segmenter(data, **SETTINGS | {"head": "classifier"}, **runs)
    labels = (data[0], np.arange(8) % 2)
    with pytest.raises(kcnn.UserError, match="learns masks and the data has labels: set model.head to classifier"):
        kcnn.build_and_fit_segmenter(labels, **SETTINGS, **runs)
    with pytest.raises(kcnn.UserError, match="model.top is 'own': the head unet has no such option"):
        kcnn.build_and_fit_segmenter(data, **SETTINGS, top="own", **runs)
    with pytest.raises(kcnn.UserError, match="unknown option of the head unet 'objectiv': did you mean 'objective'"):
        kcnn.build_and_fit_segmenter(data, **SETTINGS, head_options={"objectiv": "dice"}, **runs)
    assert not any(tmp_path.iterdir())


def test_data_that_is_no_picture_is_seen_at_the_scale_of_training(bands, rng, monkeypatch, tmp_path):
    assert bands.facts.input_shape == (24, 24, 5) and bands.facts.measured
    pictures, masks = scenes(1, rng, side=48)
    value, judged = five_bands(pictures)[0], masks[0] != IGNORE
    answer = bands.predict(value, out=tmp_path)
    assert (answer["mask"] == masks[0])[judged].mean() > 0.8
    assert sorted(answer["files"]) == ["mask", "overlay", "polygons"]
    margin = np.array([bands.splits["val"]["margin"]["value"], 0, 0], np.float32)
    seen = tf.nn.softmax(bands.model(tf.nn.avg_pool2d(value[None], 2, 2, "VALID")) + margin)
    expected = tf.image.resize(seen, (48, 48))[0].numpy()
    assert (answer["mask"] == expected.argmax(-1)).mean() > 0.999
    assert answer["score"] == pytest.approx(expected.max(-1).mean(), abs=1e-4)
    wide = np.tile(value, (3, 4, 1))[:130]
    whole = bands.predict(wide)["mask"]
    monkeypatch.setattr(mask_answers, "MOST_WHOLE", 100)
    monkeypatch.setattr(mask_answers, "TILE", 32)
    monkeypatch.setattr(mask_answers, "OVERLAP", 16)
    monkeypatch.setattr(mask_answers, "GRID", 16)
    tiled = bands.predict(wide)["mask"]
    assert tiled.shape == whole.shape == (130, 192) and (tiled == whole).mean() > 0.9


def test_data_of_other_axes_or_channels_is_refused(bands, volumes):
    for wrong in (np.zeros((48, 48, 4)), np.zeros((48, 48)), np.zeros((0, 48, 5)), "a.png"):
        with pytest.raises(kcnn.UserError, match="this model sees data of 2 axes and 5 channels, not .*: give arrays"):
            bands.predict(wrong)
    with pytest.raises(kcnn.UserError, match=r"data of 3 axes and 1 channels, not float64 \(8, 8, 8\): give arrays"):
        volumes.predict(np.zeros((8, 8, 8)))


def test_what_does_not_fit_a_model_of_stated_sides_is_refused(tmp_path):
    head = head_of("unet", num_classes=2, filters=(8, 8))
    model = build_model("resnet_toy", head, input_shape=(8, 8, 8, 1))
    facts = Facts(class_names=("out", "in"), input_shape=(8, 8, 8, 1), measured=True, task="masks")
    answers = MaskAnswers(model, head, facts)
    assert answers.predict([np.zeros((8, 8, 8, 1))], 5)[0]["mask"].shape == (8, 8, 8)
    with pytest.raises(kcnn.UserError, match="an array has the size 8×9×8, and this model sees 8×8×8 only: cut it"):
        answers.predict([np.zeros((8, 9, 8, 1))], 5)


def test_files_of_answers_have_names_of_their_own():
    assert stems_of(["x/a.png", "y/a.png", "a-2.png", b"", b""]) == ["a", "a-2", "a-2-2", "picture", "picture-2"]


@pytest.mark.parametrize("framing", ["crop", "pad", "native", "stretch"])
@pytest.mark.parametrize("size", [(1, 20000), (20000, 1), (3, 5000), (1, 2**27), (100, 100), (5000, 6000), (1, 1)])
def test_a_picture_is_enlarged_within_bounds(size, framing):
    height, width = working_size(size, (224, 224, 3), framing).numpy().tolist()
    assert min(height, width) >= 1 and height * width <= max(size[0] * size[1], 16 * 224 * 224)
    if framing == "crop" and min(size) >= 100:
        assert min(height, width) == 224


def test_a_long_strip_is_answered(run, rng):
    strip = rng.integers(0, 256, (1, 20000, 3), np.uint8)
    assert run.predict(strip)["mask"].shape == (1, 20000)


def test_other_data_is_scored_in_its_own_shape_and_for_its_own_task(run, volumes, rng):
    values = rng.normal(size=(4, 6, 10, 8, 1)).astype(np.float32)
    figures = volumes.evaluate(source=(values, (values[..., 0] > 0).astype(np.uint8)))
    assert figures["samples"] == 4 and figures["pixels"] == values.size
    with pytest.raises(kcnn.UserError, match="answers in masks and this data has labels: give data with masks"):
        run.evaluate(source=(scenes(4, rng)[0], ["bright", "dark"] * 2))


def test_heat_of_volumes_has_their_shape_and_is_not_drawn(volumes, rng, tmp_path):
    volume = rng.normal(size=(8, 8, 8, 1)).astype(np.float32)
    assert volumes.explain(volume).shape == (8, 8, 8)
    with pytest.raises(kcnn.UserError, match="but the heat of signals and volumes is not drawn: leave it out"):
        volumes.explain(volume, path=tmp_path / "heat.png")


def test_features_are_the_map_before_the_last_layer(run, rng):
    own, other = run.features(list(scenes(2, rng)[0])), run.features(scenes(1, rng, side=50)[0][0])
    last = run.model.get_layer("logits").input.shape[-1]
    assert own.shape == (2, 32 * 32 * last) and other.shape == (1, 32 * 32 * last)


def test_fewer_frames_are_kept_where_they_are_large(run, monkeypatch):
    opened = run._session(None)
    try:
        for values, count in ((32 * 32 * 3 * 5 + 1, 5), (1, 1)):
            monkeypatch.setattr(reporting, "FRAME_VALUES", values)
            reporting.keep_frames(opened, "val")
            assert len(kept_frames(run.folder)) == count
    finally:
        monkeypatch.undo()
        reporting.keep_frames(opened, "val")
    assert len(kept_frames(run.folder)) == 16
