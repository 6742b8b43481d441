"""The dashboard on masks: are they shown, to look at and to take away?"""

import shutil
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import kcnn
from tests.apps import button, open_page, places, text, well, widget  # noqa: F401
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


def test_explain_shows_the_heat_of_a_class_of_places(with_run):
    page = well(open_page("explain", run="first"))
    assert widget(page.selectbox, "Class").options[1:] == NAMES
    before = len(page.get("image"))
    page.file_uploader[0].set_value(("a.png", png(), "image/png")).run()
    widget(page.selectbox, "Class").set_value("bright").run()
    assert len(well(page).get("image")) > before


def test_runs_and_export_tell_of_masks(with_run):
    assert "mean IoU" in text(well(open_page("runs", run="first")))
    page = well(open_page("export", run="first"))
    row = well(button(page, "Write and prove it").click().run()).dataframe[0].value.iloc[0]
    assert row["format"] == "saved_model" and row["same answers"] == "100.0%"


def test_data_and_augment_show_masks(places):  # noqa: F811
    page = open_page("data")
    widget(page.text_input, "Source").set_value("builtin:digit-scenes").run()
    page = well(button(page, "Check this data").click().run())
    assert "recognised as" in text(page) and "masks" in text(page)
    assert len(well(page.switch_page("app_pages/augment.py").run()).get("image")) == 1
