"""Exports of a run are scored on its val, timed in turns with the model, and told of in the report."""

import json
import shutil

import numpy as np
import pytest

import kcnn
from kcnn.evaluation import fastest
from kcnn.exporting import ExportDisagrees, parity, timing
from kcnn.exporting.registry import EXPORTERS, Exporter
from tests.test_cli import kcnn as command

TINY = {"epochs": 1, "train.batch_size": 4, "data.limit": 24, "architecture": "resnet_toy"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{task: a run of one epoch on few pictures}."""
    folder = {"runtime.runs": str(tmp_path_factory.mktemp("runs")), "runtime.precision": "float32"}
    found = {"labels": kcnn.build_and_fit("classify/digits", name="labels", **folder, **TINY)}
    for task, (head, options) in {"masks": ("unet", {"filters": [8, 8]}), "boxes": ("yolo", {"filters": 8})}.items():
        own = {"model.head": head, "model.head_options": options}
        found[task] = kcnn.build_and_fit({}, "builtin:digit-scenes", name=task, **folder, **TINY, **own)
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """How long answers take is asked seldom."""
    monkeypatch.setattr(timing, "WARM", 1)
    monkeypatch.setattr(timing, "ROUNDS", 3)
    monkeypatch.setattr("kcnn.run.SCORED", 12)


@pytest.mark.parametrize("task", ["labels", "masks", "boxes"])
def test_an_export_is_scored_as_the_model_is(runs, task):
    run = runs[task]
    run.export("keras")
    row = json.loads((run.folder.exports / "parity.json").read_text("utf-8"))["keras"]
    assert row["metric"] == run.main_metric and row["score"] == pytest.approx(row["model_score"], abs=1e-3)
    assert set(row["milliseconds"]) == {"1", "8"}
    assert all(0 < times["p50"] <= times["p95"] and times["model"] > 0 for times in row["milliseconds"].values())
    text = run.report.read_text("utf-8")
    assert "## Exports" in text and "| keras |" in text and "at once keras is fastest here" in text


def test_the_score_is_that_of_the_report_where_all_of_val_is_asked(runs, monkeypatch):
    run = kcnn.Run(runs["labels"].path)
    monkeypatch.setattr("kcnn.run.SCORED", 10_000)
    run.export("keras", timed=False)
    row = json.loads((run.folder.exports / "parity.json").read_text("utf-8"))["keras"]
    assert row["score"] == pytest.approx(run.splits["val"]["accuracy"], abs=1e-6)


def test_a_format_that_rounds_may_cost_little(monkeypatch):
    def half(ask):
        return 0.5

    assert parity.scored((half, 0.51), None, "map", True) == {"metric": "map", "score": 0.5, "model_score": 0.51}
    assert parity.scored((half, 0.9), None, "map", False)["score"] == 0.5
    for better in (0.53, np.nan):
        with pytest.raises(ExportDisagrees, match="the export's map is 0.5000 and the model's .*; at most 0.02 less"):
            parity.scored((half, better), None, "map", True)


def test_places_may_move_where_the_score_stays(runs, monkeypatch):
    run, honest = runs["masks"], EXPORTERS["keras"]

    def moved(path, head, facts):
        def ask(images):
            found = honest.load(path, head, facts)["model"](images)
            return found | {"mask": np.roll(found["mask"], 1, 1)}

        return {"model": ask}

    rounds = Exporter("rounds.keras", "", honest.write, moved, agreement=0.98)
    monkeypatch.setitem(EXPORTERS._rows, "rounds", rounds)
    monkeypatch.setattr(parity, "DROP", 1.0)
    run.export("rounds", timed=False)
    monkeypatch.setattr(parity, "DROP", -1.0)
    with pytest.raises(ExportDisagrees, match="mean_iou is"):
        run.export("rounds", timed=False)


def test_where_data_are_gone_exports_are_compared_alone(runs, tmp_path, caplog):
    rng = np.random.default_rng(0)
    data = rng.integers(0, 255, (24, 16, 16, 3), np.uint8), np.arange(24) % 2
    options = {"runtime.runs": str(tmp_path), "runtime.precision": "float32", "architecture": "resnet_toy"}
    run = kcnn.build_and_fit_classifier(data, epochs=1, batch_size=4, **options)
    with caplog.at_level("INFO"):
        kcnn.Run(run.path).export("keras")
    row = json.loads((run.folder.exports / "parity.json").read_text("utf-8"))["keras"]
    assert "score" not in row and "milliseconds" in row and "exports are not scored, only compared" in caplog.text
    assert "not measured" in run.report.read_text("utf-8")


def test_all_formats_of_a_run_take_turns(runs, capsys, monkeypatch):
    run = runs["labels"]
    for name in [name for name in EXPORTERS if name not in ("keras", "saved_model")]:
        monkeypatch.delitem(EXPORTERS._rows, name)
    status, out, _ = command(capsys, "export", run.path, "--all")
    assert status == 0 and "For one picture at once" in out and "For 8 pictures at once" in out
    found = json.loads((run.folder.exports / "parity.json").read_text("utf-8"))
    model = {row["milliseconds"]["1"]["model"] for row in found.values()}
    assert set(found) == {"keras", "saved_model"} and len(model) == 1
    shutil.rmtree(run.folder.exports / "saved_model")
    assert "milliseconds" not in run.time_exports()["saved_model"]


def test_the_fastest_is_named_by_its_median():
    def row(one, eight):
        return {
            "milliseconds": {"1": {"p50": one, "p95": 9, "model": 6.0}, "8": {"p50": eight, "p95": 9, "model": 8.0}}
        }

    words = list(fastest({"a": row(2.0, 5.0), "b": row(3.0, 4.0), "c": {}, "earlier": {"milliseconds": {"1": 0.1}}}))
    assert words[0] == "For one picture at once a is fastest here: 2 ms, 3.00× the model."
    assert words[1] == "For 8 pictures at once b is fastest here: 4 ms, 2.00× the model."
