"""kcnn compare of runs of masks: their figures side by side, and the difference picture by picture."""

import json

import numpy as np
import pytest

import kcnn
from kcnn.errors import UserError
from kcnn.evaluation import MaskTally, read_stored, store_masks, write_report
from kcnn.evaluation.stored import MASK_COLUMNS, place
from kcnn.masks import IGNORE
from kcnn.recipe import Recipe
from kcnn.run_folder import RunFolder
from tests.test_cli import kcnn as command
from tests.test_evaluation_comparison import make as make_labels

COUNT = 60
NAMES = [f"{i}.png" for i in range(COUNT)]


def tallied(right, rank=2):
    """A tally of masks of which the share `right` of the places is; nothing of picture 0 is judged."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, (COUNT, *(9,) * rank)).astype(np.uint8)
    guess = np.where(rng.random(truth.shape) < right, truth, 2 - truth)
    truth[0] = IGNORE
    tally = MaskTally(["ground", "ant", "bee"])
    for rows in np.array_split(rng.permutation(COUNT), 4):
        tally.add(truth[rows], guess[rows], rows, np.ones(len(rows)))
    return tally


def make(runs, name, right, identity="same", rank=2):
    """A run folder as a finished training leaves it."""
    folder = RunFolder.create(runs, name)
    folder.write_recipe(Recipe())
    folder.set_status(state="finished")
    tally = tallied(right, rank)
    write_report(folder.report, {"test": tally.figures(NAMES)}, title=name, metric="mean_iou")
    store_masks(folder.report, "test", tally, NAMES, identity)
    return folder.path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    make(folder, "poor", 0.6)
    make(folder, "good", 0.9)
    return folder


def test_what_is_stored_comes_back_in_the_order_of_the_split(tmp_path):
    tally = tallied(0.7)
    store_masks(tmp_path, "val", tally, NAMES, "ab12")
    got = read_stored(tmp_path, "val")
    assert got.names == NAMES and got.identity == "ab12" and np.isnan(got.mean_iou[0])
    np.testing.assert_allclose(got.mean_iou, tally.pictures()[1], rtol=1e-6)
    assert got.take(np.array([3, 1])).names == ["3.png", "1.png"]


def test_damaged_arrays_are_refused(tmp_path):
    store_masks(tmp_path, "val", tallied(0.7), NAMES, "")
    path = place(tmp_path, "val")
    with np.load(path) as file:
        arrays = {name: file[name] for name in MASK_COLUMNS}
    for change in ({"mean_iou": np.zeros(3, np.float32)}, {"mean_iou": np.zeros((COUNT, 2), np.float32)}):
        np.savez_compressed(path, **arrays | change)
        with pytest.raises(UserError, match="cannot be read: its arrays differ in length"):
            read_stored(tmp_path, "val")
    np.savez_compressed(path, **arrays | {"weights": np.zeros(COUNT, np.uint8)})
    with pytest.raises(UserError, match="which it should not"):
        read_stored(tmp_path, "val")


def test_figures_and_the_paired_difference(runs):
    found = kcnn.compare(runs / "poor", runs / "good")
    poor, good = (run["splits"]["test"]["figures"] for run in found["runs"])
    assert list(poor) == ["mean_iou", "mean_dice", "pixel_accuracy", "boundary_f"]
    assert good["mean_iou"]["value"] > poor["mean_iou"]["interval"][1]
    (row,) = found["differences"]["test"]
    each = [read_stored(runs / name / "report", "test").mean_iou for name in ("poor", "good")]
    part = row["picture_iou"]
    assert part["difference"] == pytest.approx(np.nanmean(each[1]) - np.nanmean(each[0]), abs=1e-6)
    assert 0 < part["interval"][0] < part["difference"] < part["interval"][1] and part["verdict"] == "better"
    json.dumps(found, allow_nan=False)


def test_the_command_prints_tables(capsys, runs, tmp_path):
    status, out, _ = command(capsys, "compare", runs / "poor", runs / "good")
    words = " ".join(out.split())
    assert status == 0 and "good is better" in words and "IoU, mean of pictures" in words and "Mean IoU │" in words
    volume = make(tmp_path, "volume", 0.9, rank=3)
    status, out, _ = command(capsys, "compare", volume, volume)
    assert status == 0 and "no difference shown" in out and "—" in out


def test_other_pictures_and_other_tasks_are_refused_with_the_reason(runs, tmp_path):
    other = make(tmp_path, "other", 0.9, identity="else")
    (row,) = kcnn.compare(runs / "poor", other)["differences"]["test"]
    assert "labels, classes, weights, order or contents differ" in row["refused"]
    labels = make_labels(tmp_path, "labels", 1.0)
    for pair in ((runs / "poor", labels), (labels, runs / "poor")):
        (row,) = kcnn.compare(*pair)["differences"]["test"]
        assert "one answers labels, the other masks; compare runs of one task" in row["refused"]
