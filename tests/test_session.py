"""A run from start to end through the public api: learn, stop, resume, question, evaluate, fine-tune."""

import numpy as np
import pytest
from PIL import Image

import kcnn
from kcnn import api, session
from kcnn.inspection import overlay

CLASSES = ("disc", "stripes", "checks")


def picture(kind, rng, side=24):
    """A noisy picture of one of three kinds, (side, side, 3) uint8."""
    y, x = np.mgrid[:side, :side] + rng.integers(0, 4)
    shape = {"disc": (x - 12) ** 2 + (y - 12) ** 2 < 50, "stripes": x // 3 % 2, "checks": (x // 4 + y // 4) % 2}[kind]
    grey = 60 + 130 * shape + rng.normal(0, 15, (side, side))
    return np.clip(grey[..., None] + rng.normal(0, 10, 3), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder-per-class set of 3 × 20 PNGs with one broken file."""
    root, rng = tmp_path_factory.mktemp("data") / "photos", np.random.default_rng(0)
    for kind in CLASSES:
        (root / kind).mkdir(parents=True)
        for i in range(20):
            Image.fromarray(picture(kind, rng)).save(root / kind / f"{i:02d}.png")
    (root / "disc" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    return root


SMALL = {"model.architecture": "resnet_toy", "batch_size": 8, "validation": 0.2, "test": 0.2, "schedule": "one_cycle"}
BUSY = {"model.dropout": 0.2, "model.style": {"drop_path": 0.1}, "ema": 0.9, "flip_horizontal": 0.5, "mixup": 0.2,
        "rotation": 10.0, "erasing": 0.3, "brightness": 0.2}  # fmt: skip


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    runs = str(tmp_path_factory.mktemp("runs"))
    return kcnn.build_and_fit(kcnn.Recipe(), name="photos", runs=runs, epochs=14, learning_rate=0.01,
                              **SMALL, **{"data.source": str(photos)})  # fmt: skip


def test_a_run_learns_and_reports(run):
    assert run.status["state"] == "finished" and run.metrics["accuracy"] >= 0.9
    assert set(run.splits) == {"val", "test"}
    assert "broken.png" in run.report.read_text("utf-8")
    assert run.history[-1]["epoch"] == 14 and "val_accuracy" in run.history[-1]
    assert any((run.path / "tensorboard").iterdir())
    assert run.folder.environment()["cpu_seconds"] > 0


def test_it_predicts_from_paths_bytes_and_arrays(run, photos):
    file = photos / "checks" / "03.png"
    by_path, by_bytes = run.predict(str(file)), run.predict(file.read_bytes())
    by_array = run.predict(np.asarray(Image.open(file)))
    assert by_path["label"] == by_bytes["label"] == by_array["label"] == "checks"
    assert by_path["top"] == by_bytes["top"] == by_array["top"] and len(by_path["top"]) == 3
    broken = run.predict([str(photos / "disc" / "broken.png"), str(file)])
    assert broken[0]["label"] == "" and broken[0]["score"] == 0 and broken[1]["label"] == "checks"
    assert run.features([str(file), str(file)]).shape == (2, 64)


def test_labels_are_not_drawn(run, tmp_path):
    with pytest.raises(kcnn.UserError, match="out is .*, but labels are not drawn: leave it out"):
        run.predict(np.zeros((16, 16, 3), np.uint8), out=tmp_path)


def test_it_explains_and_writes_the_overlay(run, photos, tmp_path):
    heat = run.explain(photos / "disc" / "01.png", path=tmp_path / "why.png")
    assert heat.shape == (24, 24) and 0 <= heat.min() <= heat.max() <= 1
    assert Image.open(tmp_path / "why.png").size[0] >= 24
    with pytest.raises(kcnn.UserError, match="unknown class 'disk'"):
        run.explain(photos / "disc" / "01.png", target="disk")
    with pytest.raises(kcnn.UserError, match="cannot be read"):
        run.explain(photos / "disc" / "broken.png")


def test_the_overlay_says_which_class_it_explains_and_its_score(run, photos, monkeypatch):
    drawn = []
    monkeypatch.setattr(overlay, "save", lambda figure, path: drawn.append(figure.axes[0].get_title(loc="left")))
    for name in run.facts.class_names:
        run.explain(photos / "disc" / "01.png", target=name, path="x.png")
    top = dict(run.predict(photos / "disc" / "01.png")["top"])
    assert drawn == [f"{name}, score {top[name]:.3f}" for name in run.facts.class_names]


def test_each_use_of_the_test_split_is_logged(run):
    before = len(run.folder.events("scored"))
    figures = run.evaluate("test")
    assert figures["accuracy"] == run.splits["test"]["accuracy"]
    assert len(run.folder.events("scored")) == before + 1 and run.folder.events("scored")[-1]["split"] == "test"
    with pytest.raises(kcnn.UserError, match="no split 'tests'"):
        run.evaluate("tests")


def test_a_loaded_run_is_the_same(run, photos):
    again = kcnn.load_run(run.path)
    file = str(photos / "stripes" / "05.png")
    assert again.predict(file) == run.predict(file)
    assert [r["name"] for r in kcnn.list_runs(run.path.parent)][-1:] == ["photos"]
    with pytest.raises(kcnn.UserError, match="no run at"):
        kcnn.load_run(run.path.parent / "none")
    with pytest.raises(kcnn.UserError, match="has finished"):
        again.resume()


def test_fine_tuning_keeps_the_backbone_while_the_head_learns(run, photos):
    options = SMALL | {"model.weights": str(run.path), "freeze_epochs": 1, "epochs": 2, "data.source": str(photos)}
    tuned = kcnn.build_and_fit(kcnn.Recipe(), runs=str(run.path.parent), name="tuned", learning_rate=0.01, **options)
    assert tuned.folder.events("started")[0]["loaded"] > 10
    assert tuned.metrics["accuracy"] >= 0.9
    with pytest.raises(kcnn.UserError, match="needs model.weights"):
        kcnn.build_and_fit(kcnn.Recipe(), runs=str(run.path.parent), **(options | {"model.weights": None}))
    frozen = options | {"model.weights": None, "freeze_epochs": 0, "model.style": {"norm": "frozen_batch"}}
    with pytest.raises(kcnn.UserError, match="norm = 'frozen_batch' needs model.weights"):
        kcnn.build_and_fit(kcnn.Recipe(), runs=str(run.path.parent), **frozen)


def test_fine_tuning_killed_before_its_first_checkpoint_starts_from_the_same_weights(run, photos):
    options = SMALL | {"model.weights": str(run.path), "epochs": 1, "data.source": str(photos)}
    chosen, _ = api.resolve(kcnn.Recipe(), settings=options | {"runs": str(run.path.parent)})
    first = session.start(chosen, name="early")
    again = session.reopen(first.folder)
    for a, b in zip(first.model.weights, again.model.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_arrays_in_memory_train_and_resume_only_with_the_same_data(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = np.stack([picture(CLASSES[k], rng) for k in y])
    made = kcnn.build_and_fit_classifier((x, y), "resnet_toy", runs=str(tmp_path), epochs=1, batch_size=8, name="m")
    assert made.status["state"] == "finished" and made.recipe.data.source == "memory"
    with pytest.raises(kcnn.UserError, match="data in memory"):
        kcnn.load_run(made.path).evaluate("val")
    assert kcnn.load_run(made.path, (x, y)).evaluate("val")["samples"] > 0
    with pytest.raises(kcnn.UserError, match="has changed"):
        kcnn.load_run(made.path, (255 - x, y)).evaluate("val")
