"""The dashboard on masks: are they shown, to look at and to take away?"""

import shutil
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import kcnn
from kcnn.masks import colours
from tests.apps import button, open_page, places, shown_code, text, well, widget  # noqa: F401
from tests.test_segmentation_run import NAMES, SETTINGS, scenes


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a finished run."""
    rng, runs = np.random.default_rng(0), tmp_path_factory.mktemp("trained")
    data = {"train": scenes(32, rng), "val": scenes(8, rng), "class_names": NAMES}
    kcnn.build_and_fit_segmenter(data, **SETTINGS | {"epochs": 2}, name="first", **{"runtime.runs": str(runs)})
    return runs


@pytest.fixture
def with_run(trained, places):  # noqa: F811
    shutil.copytree(trained / "first", places[0] / "first")
    return places


def png():
    content = BytesIO()
    Image.fromarray(scenes(1, np.random.default_rng(1), side=48)[0][0]).save(content, "PNG")
    return content.getvalue()


def test_predict_shows_masks_and_gives_them(with_run):
    page = open_page("predict", run="first")
    page.file_uploader[0].set_value([("a.png", png(), "image/png"), ("b.png", png(), "image/png")]).run()
    assert len(well(page).get("image")) == 2
    assert [one.label for one in page.get("download_button")] == ["overlay", "mask", "polygons"] * 2
    for name, colour in zip(NAMES, colours(len(NAMES)), strict=True):
        assert f'background="#{bytes(colour).hex()}"}} {name}' in text(page), "the colours are named"


def test_explain_shows_the_heat_of_a_class_of_places_and_the_mask_beside(with_run):
    page = well(open_page("explain", run="first"))
    assert widget(page.selectbox, "Class").options[1:] == NAMES
    before = len(page.get("image"))
    page.file_uploader[0].set_value(("a.png", png(), "image/png")).run()
    widget(page.selectbox, "Class").set_value("bright").run()
    heat, mask, *_ = well(page).get("image")
    assert len(page.get("image")) > before + 1
    assert mask.proto.imgs[0].caption == "what it answers" and not heat.proto.imgs[0].caption
    assert 'background="#' in text(page) and "bright" in text(page)


def test_runs_and_export_tell_of_masks(with_run):
    assert "mean IoU" in text(well(open_page("runs", run="first")))
    page = well(open_page("export", run="first"))
    row = well(button(page, "Write and prove it").click().run()).dataframe[0].value.iloc[0]
    assert row["format"] == "saved_model" and row["same answers"] == "100.0%"


SOURCES = ("builtin:digit-scenes", "builtin:shells", "signals.npz")


@pytest.mark.parametrize("source", SOURCES)
def test_data_augment_and_train_show_masks_of_every_rank(source, places):  # noqa: F811
    if source.endswith(".npz"):
        rng = np.random.default_rng(0)
        masks = np.repeat(rng.integers(0, 2, (40, 4)), 15, axis=1).astype(np.uint8)
        signals = (masks[..., None] + rng.normal(0, 0.1, (40, 60, 1))).astype(np.float32)
        source = str(places[1] / source)
        np.savez(source, x=signals, y=masks)
    page = open_page("data")
    widget(page.text_input, "Source").set_value(source).run()
    page = well(button(page, "Check this data").click().run())
    assert "recognised as" in text(page) and "masks" in text(page)
    button(page, "Learn the masks").click().run()
    assert 'head = "unet"' in shown_code(well(page))["toml"]
    assert "Learn the masks" not in [one.label for one in page.button]
    assert "### Masks" in text(page) and "under the colours of their classes" in text(page)
    assert any((folder / "masks.png").is_file() for folder in (places[0].parent / "cache/checks/findings").iterdir())
    assert len(well(page.switch_page("app_pages/augment.py").run()).get("image")) == 1
    page = well(page.switch_page("app_pages/train.py").run())
    assert not page.get("image")
    page = well(button(page, "Look at what training sees").click().run())
    assert len(page.get("image")) == 1 and "as the first epochs would see it" in text(page)


def test_pages_say_plainly_that_a_run_learned_from_volumes(places):  # noqa: F811
    rng = np.random.default_rng(0)
    masks = np.zeros((12, 8, 8, 8), np.uint8)
    masks[:, 2:6, 2:6, 2:6] = 1
    volumes = (masks[..., None] + rng.normal(0, 0.1, (12, 8, 8, 8, 1))).astype(np.float32)
    settings = SETTINGS | {"epochs": 1, "batch_size": 4, "name": "volumes", "runtime.runs": str(places[0])}
    kcnn.build_and_fit_segmenter({"train": (volumes[:8], masks[:8]), "val": (volumes[8:], masks[8:])}, **settings)
    for name in ("predict", "explain"):
        page = well(open_page(name, run="volumes"))
        assert "learned from volumes" in text(page) and not page.file_uploader
    for name in ("runs", "export"):
        well(open_page(name, run="volumes"))
