"""What the doctor shows of data with boxes."""

import numpy as np
import pytest

import kcnn
from tests.test_data_objects import as_coco, as_voc, as_yolo


@pytest.mark.parametrize("write", [as_yolo, as_voc])
def test_boxes_are_drawn_and_counted(write, tmp_path):
    address = write(tmp_path / "data", np.random.default_rng(0)) if write is as_yolo else _voc(tmp_path / "data")
    found = kcnn.diagnose_data(str(address), out=str(tmp_path / "checked"), validation=0)
    assert found.boxes and not found.places
    assert [one.what for one in found.histograms if one.title == "Side of a box"] == ["boxes"]
    assert next(one.median for one in found.histograms if one.title == "Objects") == 1
    text = (tmp_path / "checked" / "check.md").read_text("utf-8")
    assert "## Boxes" in text and (tmp_path / "checked" / "boxes.png").stat().st_size > 1000


def _voc(folder):
    folder.mkdir()
    return as_voc(folder, np.random.default_rng(0))


def test_outlined_objects_are_looked_at_as_masks_or_as_boxes(tmp_path):
    address = as_coco(tmp_path, np.random.default_rng(0))
    assert kcnn.diagnose_data(str(address), validation=0).boxes  # it has no outlines
    assert kcnn.diagnose_data(str(address), validation=0, head="yolo").boxes
