"""Does the report of masks say what its figures say, in words and in pictures?"""

import json
import re

import numpy as np
import pytest
from PIL import Image

from kcnn.evaluation import MaskTally, mask_diagrams, report, shown_places, summary
from kcnn.evaluation.mask_sections import MOST_CLASSES
from kcnn.masks import IGNORE
from tests.test_evaluation_masks import random_masks

NAMES = ["gr|ound", "<ant>", "b_ee", "never"]
HISTORY = [{"epoch": e, "loss": 1 / e, "mean_iou": 1 - 0.5 / e, "val_mean_iou": 0.9 - 0.5 / e} for e in (1, 2, 3)]


def measured(rng, n=15, shape=(20, 24), names=NAMES):
    """(figures, the pictures to show) of masks that are right in most places."""
    truth, guess = random_masks(rng, n, shape)
    tally = MaskTally(names)
    tally.add(truth, guess, np.arange(n), np.ones(n))
    figures = tally.figures([f"scene_{i}.png" for i in range(n)])
    places = shown_places(figures)
    content = (rng.integers(0, 256, (n, *shape, 3)).astype(np.uint8), truth, guess)
    return figures, {key: part[places] for key, part in zip(("picture", "truth", "answer"), content, strict=True)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(folder, figures) of a report of one split."""
    folder = tmp_path_factory.mktemp("masks")
    figures, pictures = measured(np.random.default_rng(0))
    report.write_report(
        folder, {"val": figures | {"uses": None}}, title="scenes-1", history=HISTORY, metric="mean_iou",
        pictures={"val": pictures},
    )  # fmt: skip
    return folder, figures


def test_the_page_says_the_figures(whole):
    folder, figures = whole
    text = (folder / "report.md").read_text("utf-8")
    low, high = figures["intervals"]["mean_iou"]
    assert f"**{figures['mean_iou']:.4f} mean IoU on val** (95 % interval {low:.4f} to {high:.4f}): over 15" in text
    assert f"| Pixel accuracy | {figures['pixel_accuracy']:.2%} |" in text
    rows = [row for row in figures["per_class"] if row["iou"] is not None]
    for row in rows:
        line = next(line for line in text.splitlines() if f"{row['iou']:.4f}" in line and line.startswith("| "))
        assert all(f"{row[key]:.4f}" in line for key in ("dice", "precision", "recall", "boundary_f"))
    assert text.index("never | not defined") > max(text.index(f"{row['iou']:.4f} | ") for row in rows)
    for kind in ("best", "typical", "worst"):
        for row in figures["shown"][kind]:
            assert f"| {row['name'].replace('_', chr(92) + '_')} | {row['mean_iou']:.4f} |" in text
    assert "| Mean IoU (intersection over union, mean of classes), validation | 0.7333 | 0.7333 | 3 |" in text
    share = max(row["pixels"] for row in rows) / figures["pixels"]
    assert f"pixel accuracy {share:.2%} and mean IoU {share / 3:.4f}" in text
    assert "<ant>" not in text and "gr|ound" not in text and text.count("How to read this page") == 1


def test_every_picture_is_there_and_the_page_is_made_of_the_figures_alone(whole, tmp_path):
    folder, _ = whole
    text = (folder / "report.md").read_text("utf-8")
    names = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert names == ["curves.png", *(f"1-{key}.png" for key in ("classes", "confusion", "best", "typical", "worst"))]
    for name in names:
        with Image.open(folder / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 5
    (tmp_path / "metrics.json").write_bytes((folder / "metrics.json").read_bytes())
    assert report.rebuild(tmp_path).read_text("utf-8") == text


def test_truth_and_answer_are_drawn_in_the_colours_of_their_classes(tmp_path):
    truth, answer = np.zeros((1, 30, 30), np.uint8), np.zeros((1, 30, 30), np.uint8)
    truth[:, :, 15:], answer[:] = 1, 2
    pictures = {"picture": np.full((1, 30, 30, 3), 128, np.uint8), "truth": truth, "answer": answer}
    mask_diagrams.examples([{"name": "a$b$", "mean_iou": 0.0}], pictures, ["x", "y", "z"], tmp_path / "e.png")
    with Image.open(tmp_path / "e.png") as picture:
        seen = np.asarray(picture.convert("RGB")).astype(int)
    for k in (1, 2):
        colour = mask_diagrams.ALPHA * mask_diagrams.palette()[k] + (1 - mask_diagrams.ALPHA) * 128
        columns = np.flatnonzero((abs(seen - colour).max(2) <= 3).any(0)) / seen.shape[1]
        assert len(columns) and (columns.min() > 0.66 if k == 2 else columns.min() > 0.4 and columns.max() < 0.67)


@pytest.mark.parametrize("shape", [(40,), (7, 12, 12), (16, 300), (12, 1)], ids=str)
def test_masks_of_every_rank_and_form_have_a_report(tmp_path, rng, shape):
    figures, pictures = measured(rng, 5, shape)
    assert (pictures["truth"] == IGNORE).any()
    if len(shape) == 1:
        pictures["picture"] = rng.normal(size=(*pictures["truth"].shape, 2)).astype(np.float32)
    text = report.write_report(tmp_path, {"test": figures}, title="x", metric="mean_iou", pictures={"test": pictures})
    assert "1-best.png" in text.read_text() and ("Boundary F (mean" in text.read_text()) == (len(shape) == 2)


def test_many_classes_and_lost_ones(tmp_path):
    classes = MOST_CLASSES + 10
    truth = np.arange(classes, dtype=np.uint8).repeat(20).reshape(1, classes, 20)
    tally = MaskTally([f"class {k}" for k in range(classes)])
    tally.add(truth, np.where(truth % 10 == 3, 0, truth).astype(np.uint8), np.arange(1), np.ones(1))
    text = report.write_report(
        tmp_path, {"test": tally.figures() | {"uses": 2}}, title="x", metric="mean_iou"
    ).read_text()
    assert f"The {MOST_CLASSES} weakest classes; 10 more are in metrics.json." in text
    assert "**Never found: class 3, class 13, class 23, class 33, class 43 and 2 more**" in text
    assert "The test split was used 2 times" in text and "1-best.png" not in text


def test_nothing_judged_still_has_a_page(tmp_path):
    tally = MaskTally(["a", "b"])
    tally.add(*np.full((2, 1, 4, 4), IGNORE, np.uint8), np.arange(1), np.ones(1))
    text = report.write_report(tmp_path, {"test": tally.figures()}, title="x", metric="mean_iou").read_text()
    assert "**not defined mean IoU on test**" in text and "Without a network" not in text


def test_labels_and_masks_share_a_page(tmp_path, whole):
    from kcnn.evaluation.classification import measure
    from tests.test_evaluation_figures import random_case

    labels = measure(random_case(np.random.default_rng(0)), list("abcdefg"))
    text = report.write_report(tmp_path, {"val": whole[1], "test": labels}, title="x").read_text()
    assert "IoU (intersection" in text and "calibration error (ECE)" in text
    json.loads((tmp_path / "metrics.json").read_text())


def test_the_command_line_prints_the_figures(whole):
    lines = list(summary(whole[1]))
    assert lines[0] == "15 pictures" and [line.split("  ")[0] for line in lines[1:]] == [
        "Mean IoU", "Mean Dice", "Pixel accuracy", "Boundary F",
    ]  # fmt: skip
    low, high = whole[1]["intervals"]["mean_iou"]
    assert f"{whole[1]['mean_iou']:.4f} ({low:.4f} to {high:.4f})" in lines[1]
