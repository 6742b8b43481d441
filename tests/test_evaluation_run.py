"""A real run's evaluation, from the table of its pictures to the report, and `kcnn evaluate` on other data."""

import csv
import errno
import json
import os
import re

import numpy as np
import pytest
from PIL import Image

import kcnn
from kcnn import baselines, evaluation, scoring, session
from kcnn.evaluation import read_stored
from tests.crash.faults import Faults
from tests.test_cli import kcnn as command
from tests.test_cli import refused
from tests.test_session import CLASSES, picture


def write_table(folder, count, seed, splits=("train", "train", "train", "val", "test")):
    """A CSV of `count` pictures a class; those of the camera "broken" show nothing but noise."""
    rng, rows = np.random.default_rng(seed), []
    (folder / "pictures").mkdir(parents=True)
    for kind in CLASSES:
        for i in range(count):
            name, split = f"pictures/{kind}{i}.png", splits[i % len(splits)]
            broken = split != "train" and i % 2
            values = rng.integers(0, 255, (24, 24, 3)) if broken else picture(kind, rng)
            Image.fromarray(values.astype(np.uint8)).save(folder / name)
            camera = "broken" if broken else "good"
            rows.append({"image": name, "label": kind, "split": split, "camera": camera, "note": name})
    with open(folder / "table.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "table.csv"


SETTINGS = {"model.architecture": "resnet_toy", "data.split_column": "split", "epochs": 6, "batch_size": 8,
            "learning_rate": 0.01, "schedule": "one_cycle"}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluated")
    table = write_table(root / "data", 50, seed=0)
    return kcnn.build_and_fit(kcnn.Recipe(), runs=str(root), name="run", **SETTINGS, **{"data.source": str(table)})


def test_the_weak_slice_is_named(run):
    weak = [(row["by"], row["value"]) for row in run.metrics["slices"] if row["weak"]]
    assert ("camera", "broken") in weak
    assert {row["by"] for row in run.metrics["slices"]} == {"camera", "brightness, 0 to 255"}
    text = run.report.read_text("utf-8")
    assert "**Weak on camera = broken**" in text


def test_the_summary_comes_first_with_interval_baselines_and_uses(run):
    head = run.report.read_text("utf-8").partition("## ")[0]
    figures = run.metrics
    low, high = figures["intervals"]["accuracy"]
    assert f"**{figures['accuracy']:.2%} accuracy on test** (95 % interval {100 * low:.2f} to {high:.2%})" in head
    assert f"{figures['baselines']['majority']['accuracy']:.2%}" in head
    assert f"{figures['baselines']['linear']['accuracy']:.2%}" in head and "The network is" in head
    assert "The test split was used once" in head and "ECE" in head
    headings = re.findall(r"^#+ (.*)$", run.report.read_text("utf-8"), re.MULTILINE)
    assert [h for h in headings if h.startswith(("Which", "Classes", "Calibration", "Slices", "Worst"))] == 2 * [
        "Which class is taken for which", "Classes", "Calibration", "Slices", "Worst mistakes",
    ]  # fmt: skip


def test_every_picture_of_the_report_is_there(run):
    names = re.findall(r"!\[.*?\]\((.*?)\)", run.report.read_text("utf-8"))
    assert len(names) == 1 + 2 * 7
    for name in names:
        Image.open(run.report.parent / name).verify()


def test_the_temperature_is_vals_and_serves_test(run):
    val, test = run.splits["val"]["calibration"], run.splits["test"]["calibration"]
    assert val["temperature"] == test["temperature"]
    assert val["log_loss_after"] <= run.splits["val"]["log_loss"] + 1e-9
    text = run.report.read_text("utf-8")
    assert text.count("was fitted on val") == 1 and text.count("fitted on this very split") == 1


def test_kept_predictions_are_those_of_the_report(run):
    for split, figures in run.splits.items():
        kept = read_stored(run.folder.report, split)
        assert np.mean(kept.predicted == kept.labels) == pytest.approx(figures["accuracy"])
        assert kept.loss.mean() == pytest.approx(figures["log_loss"], rel=1e-5)
        assert len(kept.names) == figures["samples"] and kept.names[0].startswith("pictures/")


def test_a_second_look_at_test_is_counted_everywhere(run):
    before = run.metrics["uses"]
    figures = run.evaluate("test")
    assert figures["uses"] == before + 1 == scoring.uses(run.folder, "test")
    assert f"The test split was used {before + 1} times" in run.report.read_text("utf-8")
    found = kcnn.compare(run, run)
    assert found["runs"][0]["splits"]["test"]["uses"] == before + 1
    assert found["differences"]["test"][0]["accuracy"]["difference"] == 0


def test_other_data_is_scored_without_touching_the_report(capsys, run, tmp_path):
    table = write_table(tmp_path / "other", 15, seed=1, splits=("train", "fresh"))
    before = (run.folder.report / "metrics.json").read_bytes(), scoring.uses(run.folder, "fresh")
    status, out, _ = command(capsys, "evaluate", run.path, "--data", table, "--split", "fresh", "--json")
    figures = json.loads(out)
    assert status == 0 and figures["samples"] == 21 and figures["accuracy"] < 0.8, "its fresh half is noise"
    assert before == ((run.folder.report / "metrics.json").read_bytes(), scoring.uses(run.folder, "fresh"))
    assert not list(run.folder.report.glob("*fresh*"))
    last = run.folder.events("scored")[-1]
    assert (last["split"], last["source"]) == ("fresh", str(table))
    assert "no split 'val'; it has" in refused(capsys, "evaluate", run.path, "--data", table)
    table.write_text(table.read_text().replace("split", "part"))
    assert "unknown column 'split'" in refused(capsys, "evaluate", run.path, "--data", table)


def test_pictures_on_a_full_disk_are_one_line(capsys, run, tmp_path):
    table = run.recipe.data.source
    picture = os.path.join(os.path.dirname(table), "pictures/disc0.png")
    commands = {("evaluate", run.path): run.folder.report, ("check", table, "--out", tmp_path / "out"): "out"}
    for words, folder in commands.items():
        with Faults(0, errno.ENOSPC, match="*.png", lasting=True).installed():
            told = refused(capsys, *words)
        assert re.search(rf"kcnn: cannot write .*{folder}/.*\.png: No space left on device; free space\n", told)
    with Faults(0, errno.ENOSPC, match="*/there/*", lasting=True).installed():
        told = refused(capsys, "explain", run.path, picture, "--out", tmp_path / "there" / "a.png")
    assert f"cannot write {tmp_path}/there/a.png" in told
    (tmp_path / "file").touch()
    told = refused(capsys, "explain", run.path, picture, "--out", tmp_path / "file" / "a.png")
    assert f"cannot write {tmp_path}/file: File exists" in told


def test_a_file_that_cannot_be_read_for_the_report_is_no_full_disk(run, monkeypatch):
    def finish(_):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "a picture")

    monkeypatch.setattr(scoring, "finish", finish)
    with pytest.raises(FileNotFoundError, match="a picture"):
        session.train(run._session(None), resume=True)
    run.folder.set_status(state="finished")


def test_a_folder_without_splits_is_scored_whole(capsys, run, tmp_path):
    rng = np.random.default_rng(5)
    for kind in CLASSES:
        (tmp_path / "new" / kind).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(picture(kind, rng)).save(tmp_path / "new" / kind / f"{i}.png")
    status, out, _ = command(capsys, "evaluate", run.path, "--data", tmp_path / "new", "--json")
    assert status == 0 and json.loads(out)["samples"] == 12 and json.loads(out)["accuracy"] > 0.8
    (tmp_path / "new" / "circles").mkdir()
    Image.fromarray(picture("disc", rng)).save(tmp_path / "new" / "circles" / "0.png")
    told = refused(capsys, "evaluate", run.path, "--data", tmp_path / "new")
    assert f"the classes of {tmp_path}/new are not the run's: 'circles' not among {', '.join(sorted(CLASSES))}" in told


def test_data_of_one_class_or_of_test_rows_only_is_scored(capsys, run, tmp_path):
    rng, kind = np.random.default_rng(5), CLASSES[-1]
    (tmp_path / "new" / kind).mkdir(parents=True)
    for i in range(4):
        Image.fromarray(picture(kind, rng)).save(tmp_path / "new" / kind / f"{i}.png")
    status, out, _ = command(capsys, "evaluate", run.path, "--data", tmp_path / "new", "--json")
    assert status == 0 and json.loads(out)["samples"] == 4 and json.loads(out)["accuracy"] > 0.7
    table = write_table(tmp_path / "tested", 4, seed=6, splits=("test",))
    for words in ((), ("--split", "test")):
        status, out, _ = command(capsys, "evaluate", run.path, "--data", table, *words, "--json")
        assert status == 0 and json.loads(out)["samples"] == 4 * len(CLASSES)
        assert run.folder.events("scored")[-1]["split"] == "test"
    assert "no split 'fresh'; it has test" in refused(capsys, "evaluate", run.path, "--data", table, "--split", "fresh")
    pictures = np.stack([picture(name, rng) for name in reversed(CLASSES)])
    named = run.evaluate(source={"test": (pictures, list(reversed(CLASSES)))})
    assert named["accuracy"] == 1 and [row["support"] for row in named["per_class"]] == [1] * len(CLASSES)
    with pytest.raises(kcnn.UserError, match="the classes of tuple are not the run's: '2' not among"):
        run.evaluate(source=(pictures, [2, 2, 2]))


def test_an_unseen_split_is_refused_before_the_end(capsys, run):
    status = run.status
    try:
        run.folder.set_status(state="stopped")
        uses = scoring.uses(run.folder, "test")
        assert "split 'test' is for the end: run run is stopped" in refused(
            capsys, "evaluate", run.path, "--split", "test"
        )
        assert scoring.uses(run.folder, "test") == uses, "a refused look is none"
    finally:
        run.folder.set_status(state=status["state"])


def test_the_probe_sees_thumbnails_of_training_pictures(run):
    opened = run._session(None)
    probe = baselines.fit_probe(opened)
    assert probe.samples == len(opened.dataset.splits["train"]) and len(probe.mean) == 16 * 16 * 3


def test_a_baseline_that_fails_leaves_the_report_whole(run, monkeypatch, caplog):
    def fail(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(evaluation, "fit_probe", fail)
    opened = run._session(None)
    del opened.dataset.splits["test"]
    scoring.finish(opened)
    assert "no linear baseline: no room" in caplog.text and run.status["state"] == "finished"
    found = run.metrics["baselines"]
    assert found["linear"] is None and found["majority"]["accuracy"] is not None
    assert "always answering" in run.report.read_text("utf-8")
