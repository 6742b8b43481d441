"""What is registered shows up on the pages, with no change in apps/: from a user's own module, and from the schema."""

import os
import sys

import pytest
from pydantic import Field, create_model

from kcnn.recipe import Recipe, Train
from tests.apps import open_page, places, train_run, well, widget  # noqa: F401

MODULE = '''
from dataclasses import dataclass

import numpy as np

from kcnn.architectures import family
from kcnn.data import POLICIES
from kcnn.exporting import EXPORTERS, keras_file
from kcnn.exporting.registry import Exporter
from kcnn.heads import HEADS
from kcnn.inspection import EXPLAINERS, VIEWS
from kcnn.inspection.views import View
from kcnn.training import SCHEDULES

HEADS.add("my_head", HEADS["classifier"])
POLICIES.add("my_policy", POLICIES["randaugment"])
SCHEDULES.add("my_schedule", SCHEDULES["step"])
EXPORTERS.add("my_format", Exporter("mine.keras", "a file of mine", keras_file.write, keras_file.load))
VIEWS.add("my_view", View(lambda model, image, level: [("one", np.ones((4, 4)))], False, False, "a view of mine"))


@EXPLAINERS.register("my_explainer")
def mine(model, image, *, target=None, level=None):
    """A map of mine."""
    return np.ones(np.shape(image)[:2], np.float32)
'''


@pytest.fixture(scope="module")
def own_module(tmp_path_factory):
    """A helper that knows a user's module, in place of the one of other pages."""
    from tests.test_public_face import BLOCKS

    folder = tmp_path_factory.mktemp("own")
    (own,) = (code for language, code in BLOCKS if language == "python" and "@family" in code)
    (folder / "my_parts.py").write_text(MODULE + own)
    patch = pytest.MonkeyPatch()
    patch.setenv("KCNN_PLUGINS", "my_parts")
    patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *sys.path]))
    yield own
    patch.undo()


@pytest.fixture
def page_of(own_module, places):  # noqa: F811
    """Opens pages whose helper was started with the module."""
    import streamlit

    streamlit.cache_resource.clear()
    yield open_page
    streamlit.cache_resource.clear()


def test_architectures_heads_policies_and_schedules_are_offered(page_of, own_module):
    name = own_module.split('{"')[1].split('"')[0]
    page = well(page_of("train"))
    for label, own in (
        ("Architecture", name),
        ("Head", "my_head"),
        ("Policy", "my_policy"),
        ("Schedule", "my_schedule"),
    ):
        assert own in widget(page.selectbox, label).options, label
    page = well(page_of("architectures"))
    assert name in widget(page.selectbox, "In detail").options


def test_explainers_views_and_formats_are_offered(page_of, places):  # noqa: F811
    name = train_run(places[0])
    page = well(page_of("explain", run=name))
    assert "my_explainer" in widget(page.selectbox, "Method").options
    assert "my_view" in [tab.label for tab in page.tabs]
    page = well(page_of("export", run=name))
    assert "my_format: a file of mine" in widget(page.selectbox, "Format").options


def test_a_new_field_of_the_recipe_is_in_the_form(places, monkeypatch):  # noqa: F811
    """As if kcnn's own schema had one more field."""
    longer = create_model(
        "Train", __base__=Train, patience_of_mine=(int, Field(3, ge=1, le=9, description="how long I wait"))
    )
    mine = create_model("Recipe", __base__=Recipe, train=(longer, longer()))
    for module in [module for module in sys.modules.values() if getattr(module, "Recipe", None) is Recipe]:
        monkeypatch.setattr(module, "Recipe", mine)
    page = open_page("train")
    page.button_group[0].set_value("Full").run()
    field = widget(page.number_input, "Patience of mine")
    assert (field.value, field.min, field.max) == (3, 1, 9) and "how long I wait" in field.help
    page = field.set_value(5).run()
    assert "train.patience_of_mine=5" in [block.value for block in page.code if block.language == "bash"][0]
