"""The dashboard on boxes: are they shown, to look at and to take away?"""

import shutil
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import kcnn
from kcnn.masks import colours
from tests.apps import button, open_page, places, text, well  # noqa: F401
from tests.test_data_objects import as_yolo
from tests.test_detection_run import NAMES, SETTINGS, scenes


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a finished run."""
    runs, source = (
        tmp_path_factory.mktemp("trained"),
        scenes(tmp_path_factory.mktemp("data"), np.random.default_rng(0), 24),
    )
    kcnn.build_and_fit_detector(str(source), **SETTINGS | {"epochs": 2}, name="first", **{"runtime.runs": str(runs)})
    return runs


@pytest.fixture
def with_run(trained, places):  # noqa: F811
    shutil.copytree(trained / "first", places[0] / "first")
    return places


def png():
    content = BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 48, 3), np.uint8)).save(content, "PNG")
    return content.getvalue()


def test_predict_draws_boxes_and_gives_them(with_run):
    page = open_page("predict", run="first")
    page.file_uploader[0].set_value([("a.png", png(), "image/png")]).run()
    assert len(well(page).get("image")) == 1
    assert [one.label for one in page.get("download_button")] == ["drawing", "coco"]
    for name, colour in zip(NAMES, colours(len(NAMES) + 1)[1:], strict=True):
        assert f'background="#{bytes(colour).hex()}"}} {name}' in text(page), "the colours are named"
    assert not page.toggle


def test_explain_shows_heat_beside_the_boxes_or_says_that_nothing_was_found(with_run):
    page = open_page("explain", run="first")
    page.file_uploader[0].set_value([("a.png", png(), "image/png")]).run()
    found = kcnn.load_run(with_run[0] / "first").predict(png())["boxes"]
    if len(found):
        assert len(well(page).get("image")) >= 3
    else:
        assert "nothing was found in this picture" in page.error[0].value
    assert page.selectbox[-1].options[0] == "the surest object"


def test_runs_show_figures_of_boxes(with_run):
    assert "mAP" in text(well(open_page("runs", run="first")))


def test_data_with_boxes_asks_for_a_head_that_learns_them(places):  # noqa: F811
    address = as_yolo(places[1] / "street", np.random.default_rng(0))
    page = open_page("data", draft={"data.source": str(address), "data.validation": 0.0})
    page = button(page, "Check this data").click().run()
    button(well(page), "Learn the boxes").click().run()
    assert page.session_state["draft"]["model.head"] == "yolo"
