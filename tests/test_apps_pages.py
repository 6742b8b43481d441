"""Every page of the dashboard: does it open, does its form do what it says, and does it show what is registered?"""

import json
import os
import shutil
import tomllib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import kcnn
from kcnn.recipe import Recipe, parse
from tests.apps import PAGES, button, open_page, places, shown_code, text, train_run, well, widget  # noqa: F401
from tests.test_trainings import ended, until


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with two finished runs."""
    runs = tmp_path_factory.mktemp("trained")
    train_run(runs, "first")
    train_run(runs, "second", **{"runtime.seed": 1})
    return runs


@pytest.fixture
def with_runs(trained, places):  # noqa: F811
    """The runs, in a dashboard of their own."""
    for name in ("first", "second"):
        shutil.copytree(trained / name, places[0] / name)
    return places


def png(size=32):
    content = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (size, size), np.uint8)).save(content, "PNG")
    return content.getvalue()


def class_folder(path, count=12):
    rng = np.random.default_rng(0)
    for name in ("dark", "light"):
        (path / name).mkdir(parents=True)
        for i in range(count):
            values = rng.integers(0, 100, (32, 32, 3), np.uint8) + (150 if name == "light" else 0)
            Image.fromarray(values.astype(np.uint8)).save(path / name / f"{i}.png")
    (path / "dark" / "broken.png").write_bytes(b"no picture")
    return path


@pytest.mark.parametrize("name", PAGES)
def test_pages_open_with_and_without_runs(name, places):  # noqa: F811
    page = well(open_page(name))
    assert page.title[0].value
    if name in ("runs", "predict", "explain", "export"):
        assert "No" in page.info[0].value and "Train" in page.info[0].value


def test_start_trains_the_digits_in_one_click(places, monkeypatch):  # noqa: F811
    asked = []
    monkeypatch.setattr(kcnn.Trainings, "start", lambda self, recipe, name=None: asked.append(recipe) or "digits")
    page = open_page()
    assert "kcnn fit" in shown_code(page)["bash"]
    button(page, "Train the digits").click().run()
    assert asked[0].model.architecture == "resnet20" and asked[0].data.source == "builtin:digits"


def test_start_shows_recent_runs_and_opens_them(with_runs):
    page = well(open_page())
    assert "first" in text(page) and "finished" in text(page)
    [one for one in page.button if one.key == "open first"][0].click().run()
    assert page.session_state["run"] == "first"
    page.switch_page("app_pages/runs.py").run()
    assert widget(well(page).selectbox, "Run").value == "first"


def test_every_pick_of_a_run_counts(with_runs):
    page = open_page("runs")
    for name in ("first", "second", "first", "second"):
        widget(page.selectbox, "Run").set_value(name).run()
        assert widget(page.selectbox, "Run").value == name and f"### {name}" in text(page)


def test_a_recipe_fills_the_form(places):  # noqa: F811
    page = open_page()
    widget(page.selectbox, "Recipe").set_value("classify/fashion_mnist").run()
    button(page, "Open it in the form").click().run()
    page = well(page.switch_page("app_pages/train.py").run())
    assert widget(page.text_input, "Source").value == "tfds:fashion_mnist"


def test_data_is_checked_and_bad_files_are_left_out(places):  # noqa: F811
    source = str(class_folder(places[1] / "photos"))
    page = open_page("data")
    widget(page.text_input, "Source").set_value(source).run()
    page = well(button(page, "Check this data").click().run())
    assert "1 pictures had better be left out" in text(page) and "recognised as" in text(page)
    assert page.dataframe[0].value["picture"].tolist() == ["dark/broken.png"]
    page = well(button(page, "Leave them out in training").click().run())
    button(page, "Leave them out in training").click().run()
    recipe = parse(tomllib.loads(shown_code(page)["toml"]))
    assert recipe.data.source == source and "lists" in recipe.data.quarantine
    assert kcnn.check_data(source, quarantine=recipe.data.quarantine).set_aside == []
    button(page, "Leave none out").click().run()
    assert "quarantine" not in shown_code(page)["toml"]
    button(page, "Leave them out in training").click().run()
    widget(page.text_input, "Source").set_value("builtin:digits").run()
    assert "quarantine" not in shown_code(page)["toml"], "a list of other data"


def test_weights_that_have_changed_are_asked_anew(with_runs):
    page = open_page("predict", run="first")
    page.file_uploader[0].set_value(("a.png", png(), "image/png")).run()
    widget(page.slider, "Least score that counts as an answer").set_value(0.0).run()
    first = text(page)
    shutil.copy(with_runs[0] / "second" / "best.safetensors", with_runs[0] / "first" / "best.safetensors")
    os.utime(with_runs[0] / "first" / "best.safetensors")
    assert text(page.run()) != first and not page.exception


def test_exports_of_earlier_versions_and_lost_ones_are_not_shown(with_runs):
    (with_runs[0] / "first" / "exports").mkdir(exist_ok=True)
    earlier = {"keras": {"pictures": 3, "score_difference": 0.0, "labels_agree": 1.0}}
    (with_runs[0] / "first" / "exports" / "parity.json").write_text(json.dumps(earlier))
    assert "Nothing is exported yet" in text(well(open_page("export", run="first")))


def test_data_nearby_is_picked_and_what_is_set_is_said(places):  # noqa: F811
    class_folder(places[1] / "photos", 3)
    page = well(open_page("data"))
    found = widget(page.selectbox, "Found there")
    assert found.options == [str(places[1]), str(places[1] / "photos")]
    found.set_value(str(places[1] / "photos")).run()
    assert widget(well(page).text_input, "Source").value == str(places[1] / "photos")
    page = open_page("train", draft={"augment.rotation": 10.0})
    assert "augment.rotation = 10.0" in text(page)


def test_augment_shows_the_sheet_and_the_same_in_code(places):  # noqa: F811
    page = well(open_page("augment"))
    sheet = page.get("image")
    widget(page.slider, "Rotation").set_value(30.0).run()
    widget(page.selectbox, "Policy").set_value("randaugment").run()
    assert len(well(page).get("image")) == len(sheet) == 1
    recipe = parse(tomllib.loads(shown_code(page)["toml"]))
    assert recipe.augment.rotation == 30 and recipe.augment.policy == "randaugment"


def test_architectures_are_filtered_compared_and_chosen(places):  # noqa: F811
    page = well(open_page("architectures"))
    widget(page.number_input, "Most parameters, in millions").set_value(3.0).run()
    names = page.dataframe[0].value["name"].tolist()
    assert "lenet5" in names and "resnet18" not in names
    widget(page.selectbox, "In detail").set_value("lenet5").run()
    widget(page.selectbox, "Compare with").set_value("resnet_toy").run()
    assert [one.value for one in well(page).metric][:1] == ["61.7 k"] and len(page.get("image")) == 2
    button(page, "Train with lenet5").click().run()
    page.switch_page("app_pages/train.py").run()
    assert widget(page.selectbox, "Architecture").value == "lenet5"


def test_train_starts_what_the_form_says(places):  # noqa: F811
    page = well(open_page("train"))
    widget(page.selectbox, "Architecture").set_value("resnet_toy").run()
    widget(page.number_input, "Epochs").set_value(1).run()
    well(page.button_group[0].set_value("Full").run())
    widget(page.number_input, "Limit").set_value(100).run()
    meant = parse(tomllib.loads(shown_code(page)["toml"]))
    changes = {"model.architecture": "resnet_toy", "train.epochs": 1, "data.limit": 100}
    assert meant == Recipe().override(changes | {"runtime.runs": str(places[0])})
    button(page, "What will it cost?").click().run()
    assert [one.label for one in well(page).metric] == ["All epochs", "Memory, MiB"]
    assert any("trainable parameters" in block.value for block in page.code)
    widget(page.text_input, "Name of the run").set_value("mine").run()
    button(page, "Start training").click().run()
    seen = until(kcnn.Trainings(places[0]), "mine", ended)
    assert (seen["state"], seen["reason"]) == ("finished", None) and seen["recipe"].train.epochs == 1


def test_mistakes_are_told_in_one_line(places):  # noqa: F811
    page = open_page("train")
    widget(page.text_input, "Source").set_value("/etc").run()
    assert "is not below" in page.error[0].value and not page.exception
    page = open_page("train", draft={"train.batch_size": 10, "train.accumulate": 3})
    assert "must divide by train.accumulate 3" in page.error[0].value.replace("\\", "")


def test_runs_show_curves_report_and_compare(with_runs):
    page = well(open_page("runs", run="first"))
    assert "finished" in text(page) and "accuracy" in text(page) and "Scores on val" in text(page)
    page.multiselect[0].set_value(["second"]).run()
    assert "Where the recipes differ" in text(well(page))
    assert any("runtime.seed" in frame.value.index for frame in page.dataframe)


def test_runs_are_cloned_and_deleted(with_runs):
    page = open_page("runs", run="second")
    button(page, "Clone").click().run()
    page.switch_page("app_pages/train.py").run()
    assert widget(page.number_input, "Seed").value == 1
    page = open_page("runs", run="second")
    button(page, "Delete it for good").click().run()
    assert not (with_runs[0] / "second").exists() and (with_runs[0] / "first").exists()


def test_predict_answers_pictures(with_runs):
    page = open_page("predict", run="first")
    assert page.file_uploader[0].proto.max_upload_size_mb == 20
    page.file_uploader[0].set_value([("a.png", png(), "image/png"), ("b.png", b"text", "image/png")]).run()
    assert [one.value for one in page.error] == ["b.png is no picture; give JPEG, PNG, GIF, BMP or WebP"]
    assert not page.exception and len(page.get("image")) == 1
    widget(page.slider, "Least score that counts as an answer").set_value(1.0).run()
    assert "unsure" in text(page)
    page.toggle[0].set_value(True).run()
    assert len(page.get("image")) == 2 and not page.exception


def test_explain_shows_heat_sanity_and_views(with_runs):
    page = well(open_page("explain", run="first"))
    assert len(page.get("image")) == 1, "its filters"
    page.file_uploader[0].set_value(("a.png", png(), "image/png")).run()
    widget(page.selectbox, "Level").set_value("c3").run()
    assert len(well(page).get("image")) == 3
    page.toggle[0].set_value(True).run()
    assert [one.label for one in well(page).metric] == ["deletion", "insertion", "randomised"]
    page.toggle[1].set_value(True).run()  # make the first of the views that last
    assert len(well(page).get("image")) == 4, "what its classes answer to most"


def test_export_writes_proves_and_packs(with_runs):
    page = well(open_page("export", run="first"))
    assert widget(page.selectbox, "Format").value == "saved_model"
    page = well(button(page, "Write and prove it").click().run())
    row = page.dataframe[0].value.iloc[0]
    assert row["format"] == "saved_model" and row["same answers"] == "100.0%" and row["ms for 8"] > 0
    assert page.get("download_button")[0].label == "Download saved_model"
