"""Benchmarks: that each runs with its least settings and writes its figures; nothing is learned of speed."""

import importlib
import json
import os
import signal
from pathlib import Path

import pytest

from tests import benchmarks
from tests.benchmarks import _serving, augment, feeding, gpu, pipeline, scaling, segmentation, train_step

ONCE = ["--rounds", "1"]
LEAST = {
    "augment": [*ONCE, "--batches", "1", "--only", "flip"],
    "dashboard": ONCE,
    "feeding": [*ONCE, "--steps", "1"],
    "gpu": [*ONCE, "--steps", "1", "--device", "cpu", "--side", "32", "--only", "mobilenet_v2"],
    "inference": [*ONCE, "--only", "mobilenet_v2"],
    "pipeline": [*ONCE, "--batches", "1", "--only", "crop and flip"],
    "scaling": [*ONCE, "--steps", "1", "--network", "resnet_toy", "--side", "32", "--batch", "4"],
    "segmentation": [*ONCE, "--steps", "1", "--only", "same filters"],
    "startup": ONCE,
    "train_step": [*ONCE, "--steps", "1", "--only", "mobilenet_v2"],
}
QUICK = {"startup"}  # the others start processes that load TensorFlow, or PyTorch
WORDS = sorted(path.stem for path in Path(benchmarks.__file__).parent.glob("[!_]*.py"))


def written(word, folder):
    """What the benchmark called `word` writes with its least settings."""
    importlib.import_module(f"tests.benchmarks.{word}").main([*LEAST[word], "--out", str(folder / "found.json")])
    return json.loads((folder / "found.json").read_text())


@pytest.mark.parametrize(
    "word", [pytest.param(w, marks=[] if w in QUICK else pytest.mark.slow) for w in WORDS if w != "gpu"]
)
def test_each_benchmark_runs_and_writes_its_figures(word, tmp_path, monkeypatch):
    for name, value in {"SIDE": 32, "BATCH": 2, "SHAPE": (32, 32, 3), "PRODUCT": 64}.items():
        monkeypatch.setattr(train_step, name, value)
    for name, value in {"SIDE": 64, "BATCH": 2}.items():
        monkeypatch.setattr(segmentation, name, value)
    monkeypatch.setattr(feeding, "UNTIMED", 1)
    monkeypatch.setattr(feeding, "SIDE", 32)
    found = written(word, tmp_path)
    if word == "train_step":
        row = found["rows"]["mobilenet_v2"]
        assert row["gflop_per_second"].keys() >= {"kcnn", "stock", "product"} and row["ratios"]["stock"]["wanted"]
    elif word in ("augment", "pipeline"):
        (row,) = found["rows"].values()
        assert row["kcnn"] > 0 and ("over torchvision" in row or row["ways"]["torchvision"])
    elif word == "segmentation":
        row = found["rows"]["same filters"]
        assert row["images_per_second"]["kcnn"] > 0 and ("ratio" in row or row["smp"])
    elif word == "scaling":
        assert found["together over strangers"] > 0 and found["forecast over together"] > 0
    else:
        assert found


@pytest.mark.slow
def test_the_benchmark_of_graphics_cards_measures_what_is_there_and_names_what_is_not(capsys, tmp_path):
    row = written("gpu", tmp_path)["rows"]["mobilenet_v2"]
    said = capsys.readouterr().out
    assert row["pictures_per_second"]["kcnn"] > 0 and "jitted, mixed bfloat16" in row["ways"]["kcnn"]
    missing = row["ratio"] is None
    assert ("torch" in row["pictures_per_second"]) != missing
    assert not missing or f"torch: missing: {row['ways']['torch']}" in said


def test_a_side_stands_still_between_its_turns_and_ends_with_its_block(tmp_path):
    wish = {"file": str(tmp_path / "count")}
    with _serving.side("_counting", wish) as (run, way):
        child = int(way)
        spent = run(2, untimed=3)
        assert spent.seconds > 0 and (tmp_path / "count").read_text() == "5"
        state = Path(f"/proc/{child}/stat")
        if state.exists():
            assert state.read_text().rpartition(")")[2].split()[0] == "T"
    with pytest.raises(ProcessLookupError):
        os.kill(child, signal.SIGCONT)
    with _serving.side("_counting", {}) as (run, lacks):
        assert run is None and lacks == "no file"


def test_figures_of_sides_are_medians_and_grouped_networks_are_among_them():
    spent = [_serving.Spent(1.0, 2.0), _serving.Spent(3.0, 3.0), _serving.Spent(2.0, 8.0)]
    assert _serving.speed(spent, 10) == 5 and _serving.ratio(spent, spent[::-1]) == 1.0
    times = {"kcnn": spent, "stock": [_serving.Spent(6.0, 6.0)] * 3, "product": spent}
    row = train_step.row_of(times, 1, 4e9, {}, {"stock": 2.5})
    assert row["ratios"]["stock"] == {"ratio": 3.0, "of_processor": 2.0, "wanted": 2.5}
    assert row["gflop_per_second"]["kcnn"] == 2.0
    assert train_step.CASES.keys() >= train_step.SLOW and set(WORDS) == set(LEAST)
    assert augment.missed({"a": {"wanted": 2, "over keras": 1}}, "keras")
    assert not pipeline.missed({"a": {"wanted": 2}, "b": {"wanted": None, "over keras": 1}}, "keras")
    assert gpu.NETWORKS


def test_the_benchmark_of_workers_needs_two_cores_and_forecasts_as_the_plan_does(monkeypatch):
    assert scaling.forecast_of(100.0, 50, None) == {}
    assert scaling.forecast_of(100.0, 50, 0.5)["two, forecast"] == pytest.approx(100.0), "half of the time is exchange"
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    with pytest.raises(SystemExit, match="needs two cores"):
        scaling.main([])
