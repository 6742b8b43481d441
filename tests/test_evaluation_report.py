"""Does the report say what metrics.json says, and nothing else?"""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from kcnn.evaluation import plots, report
from kcnn.evaluation.classification import measure
from tests.test_evaluation_figures import random_case

HISTORY = [
    {"epoch": e, "loss": 1 / e, "val_loss": 1.1 / e, "accuracy": 1 - 0.5 / e, "learning_rate": 0.1} for e in (1, 2, 3)
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(folder, figures) of a report of one split."""
    folder, rng = tmp_path_factory.mktemp("whole"), np.random.default_rng(0)
    figures = measure(random_case(rng), ["a|b", "<b>", "c", "d", "e", "f$", "g"])
    images = rng.integers(0, 256, (12, 8, 8, 3), np.uint8)
    report.write_report(
        folder,
        {"val": figures},
        title="digits-1",
        history=HISTORY,
        details={"architecture": "resnet18", "parameters": 1234567},
        notes=["picture 3 is grey"],
        set_aside=[("bad.jpg", "zero bytes")],
        pictures={"val": {"worst": images, "pairs": images}},
    )
    return folder, figures


@pytest.fixture
def written(whole, tmp_path):
    """The same report in a folder of its own."""
    return shutil.copytree(whole[0], tmp_path / "report"), whole[1]


def test_report_is_rebuilt_from_metrics_json_alone(written, tmp_path_factory):
    folder, _ = written
    text, elsewhere = (folder / "report.md").read_text(), tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "metrics.json").write_bytes((folder / "metrics.json").read_bytes())
    assert report.rebuild(elsewhere).read_text() == text
    content = json.loads((folder / "metrics.json").read_text())
    content["splits"]["val"]["accuracy"] = 0.123456
    (elsewhere / "metrics.json").write_text(json.dumps(content))
    assert "**12.35% accuracy on val**" in report.rebuild(elsewhere).read_text()


def test_every_figure_has_its_number_beside_it(written):
    folder, figures = written
    text = (folder / "report.md").read_text()
    assert text.startswith("# digits-1\n\n**" + f"{figures['accuracy']:.2%} accuracy on val**")
    for row in figures["per_class"]:
        assert f"{row['f1']:.4f}" in text
    for pair in figures["most_confused"]:
        assert f"| {pair['count']} | {pair['share']:.1%} |" in text
    assert "1,234,567" in text and "zero bytes" in text and "picture 3 is grey" in text
    assert "| Loss, training | 0.3333 | 0.3333 | 3 |" in text
    images = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert images == ["curves.png", *(f"1-{key}.png" for key in ("confusion", "pairs", "classes", "ranking", "worst"))]
    for name in images:
        Image.open(folder / name).verify()


def test_names_cannot_break_the_page(written):
    text = (written[0] / "report.md").read_text()
    assert "a\\|b" in text and "\\<b\\>" in text and "<b>" not in text
    for block in (block for block in text.split("\n\n") if block.startswith("| ")):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_test_split_is_added_later_and_becomes_the_headline(written, rng):
    folder, _ = written
    report.add_split(folder, "test", measure(random_case(rng, n=50), list("abcdefg")))
    text = (folder / "report.md").read_text()
    assert "accuracy on test**" in text and "## Scores on val" in text and "## Scores on test" in text


def test_multi_label_and_diverged_runs_have_a_report(tmp_path, rng):
    figures = measure(random_case(rng, multi_label=True), list("abcdefg"))
    history = [{"epoch": 1, "loss": float("nan"), "accuracy": 0.5}, {"epoch": 2, "loss": float("inf"), "accuracy": 0.5}]
    text = report.write_report(tmp_path, {"test": figures}, title="x", history=history).read_text()
    assert "Mean average precision" in text and "average precision" in text and "confusion" not in text


@pytest.mark.parametrize("classes", [2, 10, 200])
def test_plots_are_drawn_for_few_and_many_classes(tmp_path, rng, classes):
    names = [f"class {k}" for k in range(classes)]
    plots.confusion_matrix(rng.integers(0, 9, (classes, classes)), names, tmp_path / "a.png")
    plots.class_dots([{"name": n, "f1": rng.random()} for n in names], tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        assert np.asarray(Image.open(tmp_path / name).convert("L")).std() > 5


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 4), (32, 2), (4, 8, 8, 1)], ids=str)
def test_gallery_shows_samples_of_every_rank(tmp_path, rng, shape):
    worst = [{"true": "a", "predicted": "b", "score": 0.5}]
    plots.gallery(worst, rng.normal(size=(1, *shape)).astype("float32"), tmp_path / "g.png")
    assert Image.open(tmp_path / "g.png").size[0] > 100


def baseline(accuracy, low, high):
    return {"accuracy": accuracy, "interval": [low, high]}


@pytest.mark.parametrize(
    ("rival", "words"),
    [((0.3, 0.28, 0.32), "clearly better than both"), ((0.5, 0.45, 0.55), "the intervals overlap"),
     ((0.6, 0.55, 0.65), "no better than that")],
)  # fmt: skip
def test_the_verdict_follows_from_the_baselines(written, rival, words):
    folder, figures = written
    facts = {"samples": 300, "trained_on": 900, "values": 64, "converged": True}
    figures = figures | {"baselines": {"majority": baseline(0.2, 0.15, 0.25) | {"answer": ["a|b"]},
                                       "linear": baseline(*rival) | facts}}  # fmt: skip
    assert figures["accuracy"] == 0.51
    head = report.add_split(folder, "val", figures).read_text().partition("## ")[0]
    assert words in head and f"{rival[0]:.2%}" in head and "always answering a\\|b" in head


def test_a_report_of_an_earlier_version_is_still_a_page(written):
    folder, _ = written
    content = json.loads((folder / "metrics.json").read_text())
    figures = content["splits"]["val"]
    for key in ("intervals", "ranking", "roc_auc", "balanced_accuracy", "mean_average_precision"):
        del figures[key]
    for row in figures["per_class"]:
        del row["intervals"], row["roc_auc"], row["average_precision"]
    for pair in figures["most_confused"]:
        del pair["example"], pair["lookalike"]
    (folder / "metrics.json").write_text(json.dumps(content))
    assert "**51.00% accuracy on val**:" in report.rebuild(folder).read_text()
