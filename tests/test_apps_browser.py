"""The newcomer's tour in a real browser: train, watch, stop, resume, report, predict, explain, export, download."""

import json
import os
import signal
import subprocess
import sys
import zipfile

import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.browser import Visitor, browser, missing, served

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")
RUN = "resnet20-digits-1"
LOAD = """import json, sys, tensorflow as tf
assert "kcnn" not in sys.modules
served = tf.saved_model.load(sys.argv[1]).signatures["from_bytes"]
print(served(bytes=tf.constant([open(sys.argv[2], "rb").read()]))["label"].numpy()[0].decode())
"""


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def digit(tmp_path_factory):
    """The file of a real handwritten three."""
    path = tmp_path_factory.mktemp("digit") / "three.png"
    Image.fromarray((load_digits().images[3] * 15.9).astype("uint8")).save(path)
    return path


def epoch(visitor):
    return int(visitor.figure("Epoch").partition(" /")[0])


def test_the_tour(chromium, digit, tmp_path):
    with served(tmp_path) as (_, address):
        visitor = Visitor(chromium, address)
        visitor.open()
        visitor.press("Train the digits")
        visitor.see("training")
        visitor.tab.get_by_test_id("stVegaLiteChart").first.wait_for()
        before = epoch(visitor)
        while epoch(visitor) <= before:
            visitor.tab.wait_for_timeout(500)
            visitor.see("training")
        visitor.press("Stop")
        visitor.see("stopped")
        stopped = json.loads((tmp_path / "runs" / RUN / "status.json").read_text())
        assert stopped["reason"] == "stop file" and 0 < stopped["epoch"] < stopped["epochs"]
        visitor.press("Resume")
        visitor.see("finished")
        assert visitor.figure("Epoch") == "40 / 40"
        visitor.tab.get_by_role("tab", name="Report").click()
        visitor.see("Scores on test")
        assert visitor.is_well()

        visitor.turn_to("Predict")
        visitor.upload(digit)
        visitor.see("three.png")
        assert visitor.tab.get_by_test_id("stProgress").first.inner_text().startswith("3:")
        visitor.turn_to("Explain")
        visitor.upload(digit)
        visitor.tab.get_by_test_id("stImage").nth(1).wait_for()
        visitor.turn_to("Export")
        visitor.press("Write and prove it")
        with visitor.tab.expect_download() as download:
            visitor.press("Download saved_model")
        assert visitor.is_well()
        download.value.save_as(tmp_path / "model.zip")
    zipfile.ZipFile(tmp_path / "model.zip").extractall(tmp_path / "model")
    words = [sys.executable, "-c", LOAD, str(tmp_path / "model" / "saved_model"), str(digit)]
    told = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert told.stdout.strip() == "3", told.stderr


def test_a_training_outlives_refresh_tabs_and_the_app_and_its_death_is_told(chromium, tmp_path):
    with served(tmp_path) as (app, address):
        visitor = Visitor(chromium, address)
        visitor.open()
        visitor.press("Train the digits")
        visitor.see("training")
        visitor.tab.reload()
        visitor.see("training")
        second = Visitor(chromium, address)
        second.open("runs")
        second.see("training")
        app.kill()
        app.wait()
    file = tmp_path / "runs" / RUN / "status.json"
    before = json.loads(file.read_text())["step"]
    with served(tmp_path) as (_, address):
        visitor = Visitor(chromium, address)
        visitor.open("runs")
        visitor.see("training")
        while int(visitor.figure("Step").partition(" /")[0]) <= before:
            visitor.tab.wait_for_timeout(300)
            visitor.see("training")
        os.kill(json.loads(file.read_text())["pid"], signal.SIGKILL)
        visitor.see("failed")
        visitor.tab.get_by_text("ended without a word").wait_for()
