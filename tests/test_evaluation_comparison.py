"""kcnn compare: on runs made of files alone, so that what is compared is known."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import kcnn
from kcnn.evaluation import add_split, losses, measure, store, write_report
from kcnn.recipe import Recipe
from kcnn.run_folder import RunFolder
from tests.test_cli import kcnn as command
from tests.test_cli import refused
from tests.test_evaluation_intervals import world

NAMES = np.array([f"{i}.png" for i in range(300)], object)


def make(runs, name, skill, *, identity="same", names=NAMES, **changes):
    """A run folder as a finished training leaves it, with answers of some skill to the same 300 samples."""
    folder = RunFolder.create(runs, name)
    folder.write_recipe(Recipe().override(changes))
    folder.set_status(state="finished")
    p = world(np.random.default_rng(7), 300, 3, skill)
    write_report(folder.report, {"test": measure(p, ["ant", "bee", "cow"])}, title=name)
    store(folder.report, "test", p, losses(p), names, identity)
    folder.log("scored", split="test", uses=1)
    return folder.path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of which the second is better, and a third on other pictures."""
    folder = tmp_path_factory.mktemp("runs")
    make(folder, "plain", 1.0)
    make(folder, "skilled", 2.2, **{"train.epochs": 30, "model.overrides": {"width": 4}, "runtime.runs": str(folder)})
    make(folder, "elsewhere", 1.0, identity="other", names=np.array([f"{i}.jpg" for i in range(300)], object))
    return folder


def test_recipes_differ_only_where_they_differ(runs):
    found = kcnn.compare(runs / "plain", runs / "skilled")
    assert found["recipe"] == {"train.epochs": [20, 30], "model.overrides.width": [None, 4]}
    assert kcnn.compare(runs / "plain", runs / "elsewhere")["recipe"] == {}


def test_figures_and_the_paired_difference(runs):
    found = kcnn.compare(runs / "plain", kcnn.load_run(runs / "skilled"))
    plain, skilled = (run["splits"]["test"] for run in found["runs"])
    assert plain["uses"] == 1 and plain["samples"] == 300
    (row,) = found["differences"]["test"]
    values = [part["figures"]["accuracy"]["value"] for part in (plain, skilled)]
    assert row["run"] == "skilled" and row["accuracy"]["difference"] == pytest.approx(values[1] - values[0])
    assert 0 < row["accuracy"]["interval"][0] < row["accuracy"]["difference"] < row["accuracy"]["interval"][1]
    assert row["log_loss"]["interval"][1] < 0 and row["mcnemar_p"] < 0.01
    assert (row["only_second"] - row["only_first"]) / 300 == pytest.approx(row["accuracy"]["difference"])
    back = kcnn.compare(runs / "skilled", runs / "plain")["differences"]["test"][0]
    assert back["macro_f1"]["difference"] == pytest.approx(-row["macro_f1"]["difference"])


def test_other_pictures_are_refused_with_the_reason(runs, tmp_path):
    (row,) = kcnn.compare(runs / "plain", runs / "elsewhere")["differences"]["test"]
    assert "300 pictures are only in plain's, 300 only in elsewhere's" in row["refused"]
    with pytest.raises(kcnn.UserError, match="cannot be compared picture by picture"):
        kcnn.compare(runs / "plain", runs / "elsewhere", split="test")
    make(tmp_path, "relabelled", 1.0, identity="other")
    (row,) = kcnn.compare(runs / "plain", tmp_path / "relabelled")["differences"]["test"]
    assert "labels, classes, weights, order or contents differ" in row["refused"]
    (tmp_path / "relabelled" / "report" / "predictions-test.npz").unlink()
    (row,) = kcnn.compare(runs / "plain", tmp_path / "relabelled")["differences"]["test"]
    assert "no predictions of split 'test'" in row["refused"]


def test_runs_of_one_source_are_compared_on_the_pictures_that_both_have(runs, tmp_path):
    some = make(tmp_path, "some", 2.2, identity="less")
    whole = np.arange(300)
    p = world(np.random.default_rng(7), 300, 3, 2.2)
    less = replace(p, **{key: getattr(p, key)[whole >= 20] for key in ("scores", "labels", "weights")})
    less = replace(less, index=np.arange(280))
    store(some / "report", "test", less, losses(less), NAMES[20:], "less")
    (row,) = kcnn.compare(runs / "plain", some)["differences"]["test"]
    assert row["samples"] == 280 and row["apart"] == [20, 0] and row["accuracy"]["interval"][0] > 0
    store(some / "report", "test", less, losses(less), NAMES[19:-1], "less")
    (row,) = kcnn.compare(runs / "plain", some)["differences"]["test"]
    assert "cannot be compared" in row["refused"]  # the same names, but other labels


def test_other_training_pictures_are_said(capsys, runs, tmp_path):
    assert kcnn.compare(runs / "plain", runs / "skilled")["learned"] == []
    more = tmp_path / "more"
    shutil.copytree(runs / "plain", more)
    (more / "facts.json").write_text('{"fingerprint": "f", "split_sizes": {"train": 70}}')
    assert kcnn.compare(runs / "plain", more)["learned"] == [0, 70]
    assert "learned from other pictures (plain 0, more 70)" in command(capsys, "compare", runs / "plain", more)[1]


def test_more_runs_each_against_the_first(runs):
    found = kcnn.compare(*(runs / name for name in ("skilled", "plain", "elsewhere")))
    first, second = found["differences"]["test"]
    assert first["run"] == "plain" and first["accuracy"]["difference"] < 0 and "refused" in second


def test_only_splits_of_all_runs_are_compared(runs, tmp_path):
    more = tmp_path / "more"
    shutil.copytree(runs / "plain", more)
    add_split(more / "report", "val", measure(world(np.random.default_rng(0), 50, 3, 1.0), ["ant", "bee", "cow"]))
    found = kcnn.compare(runs / "plain", more)
    assert set(found["differences"]) == {"test"} and set(found["runs"][1]["splits"]) == {"test", "val"}
    with pytest.raises(kcnn.UserError, match="split 'val' has not been scored in every run; scored in all: test"):
        kcnn.compare(runs / "plain", more, split="val")


def test_the_command_prints_tables_or_json(capsys, runs):
    status, out, _ = command(capsys, "compare", *(runs / name for name in ("plain", "skilled", "elsewhere")))
    words = " ".join(out.split())
    assert status == 0 and "train.epochs │ 20 │ 30 │ 20" in words
    assert "skilled is better" in words and "McNemar p =" in words and "times used" in words
    assert "elsewhere against plain" in words and "only in plain's" in words
    status, out, _ = command(capsys, "compare", runs / "plain", runs / "skilled", "--json")
    assert status == 0 and json.loads(out) == kcnn.compare(runs / "plain", runs / "skilled")
    status, out, _ = command(capsys, "compare", runs / "skilled", runs / "plain", "--split", "test")
    assert status == 0 and "plain is worse" in out
    status, out, _ = command(capsys, "compare", runs / "plain", runs / "plain")
    assert status == 0 and "The recipes are the same" in out and "no difference shown" in out


def test_mistakes_of_the_command_are_one_line(capsys, runs, tmp_path):
    assert "two runs or more" in refused(capsys, "compare", runs / "plain")
    assert "no run at" in refused(capsys, "compare", runs / "plain", tmp_path / "none")
    assert "cannot be compared" in refused(capsys, "compare", runs / "plain", runs / "elsewhere", "--split", "test")
    young = RunFolder.create(tmp_path, "young")
    young.write_recipe(Recipe())
    young.set_status(state="training")
    told = refused(capsys, "compare", runs / "plain", young.path)
    assert "young is failed" in told and "kcnn resume" in told  # nobody trains it any more


def test_several_labels_are_compared_too(tmp_path, rng):
    from tests.test_evaluation_figures import random_case

    paths = []
    for name in ("one", "two"):
        folder = RunFolder.create(tmp_path, name)
        folder.write_recipe(Recipe())
        p = random_case(np.random.default_rng(3), multi_label=True)
        if name == "two":
            p.scores[:] = np.clip(p.scores + 0.3 * (p.labels - 0.5), 0.001, 0.999)
        write_report(folder.report, {"test": measure(p, list("abcdefg"))}, title=name)
        store(folder.report, "test", p, losses(p), NAMES, "same")
        paths.append(folder.path)
    (row,) = kcnn.compare(*paths)["differences"]["test"]
    assert row["accuracy"]["interval"][0] > 0 and row["macro_f1"]["interval"][0] > 0 and "mcnemar_p" not in row
