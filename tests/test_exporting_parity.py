"""Does every written file answer as the model does, wherever it is loaded?"""

import io
import json
import os
import resource
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image, ImageOps

from kcnn.data import Facts
from kcnn.errors import UserError
from kcnn.evaluation import answer
from kcnn.exporting import EXPORTERS, ExportDisagrees, export
from kcnn.exporting import parity as proof
from kcnn.exporting import saved_model as saved_model_format
from kcnn.inspection import features
from kcnn.models import build_model, head_of

# Runs where TensorFlow is and kcnn is not: importing kcnn or keras-cv would fail at once.
STRANGER = """
import sys
sys.modules["kcnn"] = None
import numpy as np, tensorflow as tf
given = np.load(sys.argv[2], allow_pickle=False)
module = tf.saved_model.load(sys.argv[1])
out = {}
for name, key in (("serving_default", "image"), ("features", "image")):
    for field, value in module.signatures[name](**{key: tf.constant(given["images"])}).items():
        out[f"{name}/{field}"] = value.numpy()
out["class_names"] = module.signatures["class_names"]()["class_names"].numpy()
if "from_bytes" in module.signatures:
    ends = np.cumsum(given["lengths"])
    items = [given["bytes"][end - n : end].tobytes() for end, n in zip(ends, given["lengths"])]
    for field, value in module.signatures["from_bytes"](bytes=tf.constant(items)).items():
        out[f"from_bytes/{field}"] = value.numpy()
np.savez(sys.argv[3], **{k: np.char.decode(v.astype("S"), "utf-8") if v.dtype == object else v for k, v in out.items()})
"""


def made(shape=(32, 32, 3), classes=5, multi_label=False, seed=0):
    """A model whose answers differ from picture to picture, its head and its facts."""
    keras.utils.set_random_seed(seed)
    options = {"num_classes": classes, "multi_label": multi_label}
    model = build_model("resnet_toy", input_shape=shape, **options)
    draw, last = np.random.default_rng(seed), model.get_layer("logits")
    vectors = np.asarray(features(model)(pictures(draw, shape=shape).astype("float32")))
    kernel = draw.normal(size=last.kernel.shape) / vectors.std()
    last.set_weights([kernel, -vectors.mean(0) @ kernel])
    names = tuple(f"klasse {i} ß" for i in range(classes))
    facts = Facts(class_names=names, input_shape=shape, multi_label=multi_label)
    return model, head_of("classifier", **options), facts


def pictures(draw, n=12, shape=(32, 32, 3)):
    """Smooth random pictures with edges, of visibly different content."""
    small = draw.integers(0, 256, (n, 4, 4, shape[-1]), np.uint8)
    return np.stack([np.kron(s, np.ones((shape[0] // 4, shape[1] // 4, 1), np.uint8)) for s in small])


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(picture.squeeze()).save(file, kind, **options)
    return file.getvalue()


def ask_a_stranger(path, images, items, folder):
    np.savez(
        folder / "in.npz", images=images, lengths=[len(i) for i in items], bytes=np.frombuffer(b"".join(items), "u1")
    )
    command = [sys.executable, "-c", STRANGER, str(path), str(folder / "in.npz"), str(folder / "out.npz")]
    environment = {**os.environ, "PYTHONPATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(command, check=True, cwd=folder, env=environment, timeout=300, stdin=subprocess.DEVNULL)
    with np.load(folder / "out.npz") as out:
        return dict(out)


def test_a_process_with_tensorflow_alone_gets_the_same_answers(tmp_path, rng):
    model, head, facts = made()
    images = pictures(rng)
    path, parity = export("saved_model", model, head, facts, tmp_path / "exports", images)
    assert json.loads((tmp_path / "exports" / "parity.json").read_text()) == {"saved_model": parity}
    assert parity["pictures"] == 12 and parity["score_difference"] < 1e-5 and parity["labels_agree"] == 1.0
    expected = {name: value.numpy() for name, value in answer(model, head)(images).items()}
    assert len(set(expected["label"].tolist())) > 1, "the case is too easy"
    out = ask_a_stranger(path, images, [encoded(image) for image in images], tmp_path)
    assert tuple(out["class_names"]) == facts.class_names
    for way in ("serving_default", "from_bytes"):
        assert [facts.class_names.index(label) for label in out[f"{way}/label"]] == expected["label"].tolist()
        np.testing.assert_allclose(out[f"{way}/scores"], expected["scores"], atol=1e-5)
        np.testing.assert_allclose(out[f"{way}/score"], expected["score"], atol=1e-5)
    vectors = np.asarray(features(model)(images.astype("float32")))
    np.testing.assert_allclose(out["features/features"], vectors, rtol=1e-4, atol=1e-4)
    asset = path / "assets" / "class_names.json"
    assert tuple(json.loads(asset.read_text("utf-8"))) == facts.class_names


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    import tensorflow as tf

    model, head, facts = made()
    images = pictures(np.random.default_rng(0))
    path, _ = export("saved_model", model, head, facts, tmp_path_factory.mktemp("served"), images)
    loaded = tf.saved_model.load(str(path))

    def ask(items):
        return {k: v.numpy() for k, v in loaded.signatures["from_bytes"](bytes=tf.constant(items, tf.string)).items()}

    return ask, images, facts


def test_broken_items_leave_their_neighbours_right(served):
    ask, images, _ = served
    good = [encoded(image) for image in images[:4]]
    alone = ask(good)
    broken = [b"", b"no picture", good[0][:60], encoded(images[0], "TIFF"), good[1][:-20]]
    mixed = ask([broken[0], good[0], broken[1], good[1], broken[2], broken[3], good[2], broken[4], good[3]])
    places, faults = [1, 3, 6, 8], [0, 2, 4, 5, 7]
    np.testing.assert_allclose(mixed["scores"][places], alone["scores"], atol=1e-5)
    assert mixed["label"][places].tolist() == alone["label"].tolist()
    assert mixed["label"][faults].tolist() == [b""] * 5
    assert not mixed["score"][faults].any() and not mixed["scores"][faults].any()


@pytest.mark.parametrize("format", [name for name, row in EXPORTERS.items() if row.agreement is None])
def test_a_disk_that_refuses_is_one_line_and_the_earlier_export_stays(tmp_path, rng, format):
    model, head, facts = made()
    path, _ = export(format, model, head, facts, tmp_path / "exports", pictures(rng))
    before = sorted((file, file.stat().st_mtime_ns) for file in path.parent.rglob("*"))
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, allowed[1]))
    try:
        with pytest.raises(UserError, match=rf"^cannot write .*{path.name}: .*; (raise|check|free)[^\n]*$"):
            export(format, model, head, facts, tmp_path / "exports", pictures(rng))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert sorted((file, file.stat().st_mtime_ns) for file in path.parent.rglob("*")) == before
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write .*file.*exports: Not a directory"):
        export(format, model, head, facts, tmp_path / "file" / "exports", pictures(rng))


def test_no_items_have_no_answers(served):
    ask, _, facts = served
    none = ask([])
    assert none["label"].shape == none["score"].shape == (0,) and none["scores"].shape == (0, len(facts.class_names))


def test_eight_orientations_of_a_jpeg_get_one_answer(served):
    ask, images, _ = served
    # How a camera stores the upright picture so that a viewer who obeys orientation k turns it back.
    stored = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    items = []
    for orientation, step in stored.items():
        upright = Image.fromarray(images[0])
        picture, exif = upright if step is None else upright.transpose(Image.Transpose(step)), Image.Exif()
        exif[0x0112] = orientation
        items.append(encoded(np.asarray(picture), "JPEG", quality=100, subsampling=0, exif=exif))
        viewed = ImageOps.exif_transpose(Image.open(io.BytesIO(items[-1])))
        np.testing.assert_allclose(np.asarray(viewed, int), images[0], atol=3)
    scores = ask(items)["scores"]
    np.testing.assert_allclose(scores, np.broadcast_to(scores[0], scores.shape), atol=1e-5)
    assert np.abs(ask([encoded(np.rot90(images[0]))])["scores"] - scores[0]).max() > 1e-3, "the case is too easy"


def test_pictures_of_any_size_and_format_are_taken(served, rng):
    ask, images, _ = served
    large = Image.fromarray(images[0]).resize((300, 300), Image.Resampling.NEAREST)
    items = []
    for kind, options in (
        ("PNG", {}),
        ("JPEG", {"quality": 100}),
        ("BMP", {}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
    ):
        items.append(encoded(np.asarray(large), kind, **options))
    answers = ask(items)
    assert b"" not in answers["label"].tolist()
    np.testing.assert_allclose(answers["scores"][3], answers["scores"][0], atol=1e-5)


def test_several_labels_in_grey_pictures_are_served(tmp_path, rng):
    model, head, facts = made((32, 32, 1), multi_label=True)
    images = pictures(rng, shape=(32, 32, 1))
    path, parity = export("saved_model", model, head, facts, tmp_path, images)
    assert parity["score_difference"] < 1e-5 and parity["labels_agree"] == 1
    scores = saved_model_format.load(path, head, facts)["from_bytes"](images)["scores"]
    assert np.abs(scores.sum(1) - 1).max() > 0.1, "each label has a score of its own"


def test_float_data_has_a_float_signature_and_no_decoder(tmp_path, rng):
    model, head, facts = made((16, 16, 5))
    images = rng.normal(size=(3, 16, 16, 5)).astype(np.float32)
    path, parity = export("saved_model", model, head, facts, tmp_path, images)
    given = {way: ask(images) for way, ask in saved_model_format.load(path, head, facts).items()}
    assert list(given) == ["serving_default"] and parity["labels_agree"] == 1
    np.testing.assert_allclose(given["serving_default"]["scores"], answer(model, head)(images)["scores"], atol=1e-5)


def test_keras_file_comes_back_the_same(tmp_path, rng):
    model, head, facts = made()
    images = pictures(rng)
    path, parity = export("keras", model, head, facts, tmp_path, images)
    assert path.name == "model.keras" and parity["score_difference"] < 1e-5
    loaded = keras.models.load_model(path)
    np.testing.assert_allclose(np.asarray(loaded(images)), np.asarray(model(images)), atol=1e-5)


@pytest.mark.parametrize("format", list(EXPORTERS))
def test_every_format_that_lies_is_caught_and_the_good_export_stays(tmp_path, rng, format, monkeypatch):
    assert EXPORTERS[format].description
    model, head, facts = made((16, 16, 2))
    images = rng.integers(0, 256, (4, 16, 16, 2), np.uint8)
    path, _ = export(format, model, head, facts, tmp_path, images)
    before = sorted(p.name for p in tmp_path.rglob("*"))
    other = made((16, 16, 2), seed=1)[0]
    honest = EXPORTERS[format]
    lying = type(honest)(honest.file, "", lambda m, *rest: honest.write(other, *rest), honest.load)
    monkeypatch.setitem(EXPORTERS._rows, format, lying)
    with pytest.raises(ExportDisagrees, match="differs from the model"):
        export(format, model, head, facts, tmp_path, images)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before and path.exists()


def test_a_few_pictures_are_asked_about_at_a_time(rng):
    model, head, facts = made((16, 16, 2))
    images = rng.integers(0, 256, (2 * proof.TOGETHER + 3, 16, 16, 2), np.uint8)
    names, asked = np.asarray(facts.class_names, object), []

    def honest(part):
        asked.append(len(part))
        scores = answer(model, head)(part)["scores"].numpy()
        return {"label": names[scores.argmax(1)], "scores": scores}

    def lying(part):
        given = honest(part)
        return given | {"scores": given["scores"] + (0.5 if len(part) == 3 else 0)}

    def empty(part):
        given = honest(part)
        return given | {"scores": given["scores"] * (np.nan if len(part) > 3 else 1)}

    found = proof.compare(model, head, facts, images, {"honest": honest})
    assert asked == [proof.TOGETHER] * 2 + [3]
    assert found == {"pictures": len(images), "score_difference": pytest.approx(0, abs=1e-6), "labels_agree": 1}
    for way in (lying, empty):
        with pytest.raises(
            ExportDisagrees, match=f"export's own way differs from the model by .*, over {len(images)} pictures"
        ):
            proof.compare(model, head, facts, images, {"own way": way})


def test_unknown_format_is_refused(tmp_path):
    with pytest.raises(UserError, match="did you mean 'saved_model'"):
        export("savedmodel", *made(), tmp_path, np.zeros((1, 32, 32, 3), np.uint8))


def test_only_pictures_have_from_bytes():
    facts = made()[2]
    assert saved_model_format.takes_bytes(facts, np.zeros((1, 32, 32, 3), np.uint8))
    assert not saved_model_format.takes_bytes(facts, np.zeros((1, 32, 32, 3), np.float32))
