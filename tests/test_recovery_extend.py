"""Extending a finished run: the stated rule for the rate, and the same bits as a recipe that says it all at once."""

import shutil

import numpy as np
import pytest

import kcnn
from kcnn.recipe import Recipe, read
from kcnn.run_folder import RunFolder
from kcnn.training import SCHEDULES
from kcnn.training.schedules import Schedule
from tests.crash.harness import OPTIONS, differences, final_state, write_data
from tests.test_own_model import OPTIONS as OWN
from tests.test_own_model import blobs, net


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_each_extension_is_the_schedule_anew_at_a_tenth_without_warm_up(name):
    changes = {"schedule": name, "learning_rate": 0.5, "epochs": 10, "warmup_epochs": 2.0}
    base = Recipe().override({f"train.{k}": v for k, v in changes.items()})
    train = base.override({"train.extensions": [(10, 5), (15, 20)]}).train
    rates = [Schedule(train, 100, 10)(step) for step in range(350)]
    assert rates[:100] == [Schedule(base.train, 100, 10)(step) for step in range(100)]
    assert rates[100:150] == [pytest.approx(0.05 * SCHEDULES[name](i / 50)) for i in range(50)]
    assert rates[150:] == [pytest.approx(0.05 * SCHEDULES[name](i / 200)) for i in range(200)]
    assert train.last_epoch == 35


def test_an_extension_goes_on_from_the_last_phase_of_fine_tuning():
    changes = {"train.epochs": 10, "train.freeze_epochs": 4, "train.learning_rate": 1.0, "train.schedule": "constant"}
    train = Recipe().override(changes | {"train.extensions": [(10, 5)], "train.extend_factor": 0.5}).train
    schedule = Schedule(train, 100, 10)
    assert [schedule(0), schedule(50), schedule(100)] == [1.0, pytest.approx(0.1), pytest.approx(0.05)]


@pytest.mark.parametrize("extensions", [[(0, 3)], [(5, 0)], [(21, 3)], [(20, 3), (24, 1)], [(20, 3), (20, 1)]])
def test_extensions_that_do_not_follow_are_refused(extensions):
    with pytest.raises(kcnn.UserError, match="extensions"):
        Recipe().override({"train.extensions": extensions})


def test_extended_run_equals_the_recipe_that_says_it_at_once(tmp_path):
    options = {"runs": tmp_path, "ema": 0.9, "early_stopping": 50} | OWN | {"schedule": "plateau"}
    at_once = kcnn.fit(net(), blobs(), blobs(), name="once", epochs=2, extensions=[(2, 1), (3, 2)], **options)
    parts = {"name": "parts", "epochs": 2} | options
    kcnn.fit(net(), blobs(), blobs(), **parts)
    for extensions in ([(2, 1)], [(2, 1), (3, 2)]):
        rest = kcnn.fit(net(), blobs(), blobs(), resume=True, extensions=extensions, **parts)
    assert [row["loss"] for row in rest.history] == [row["loss"] for row in at_once.history]
    assert [row["epoch"] for row in rest.history] == [1, 2, 3, 4, 5]
    for a, b in zip(at_once.model.weights, rest.model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    with pytest.raises(kcnn.UserError, match=r"train.extensions \[\[2, 1\], \[3, 2\]\] → \[\]"):
        kcnn.fit(net(), blobs(), blobs(), resume=True, **parts)


def test_an_extension_gives_patience_anew_and_starts_where_training_stopped(tmp_path):
    options = OWN | {"learning_rate": 1e-9, "early_stopping": 2, "epochs": 50, "runs": tmp_path, "name": "early"}
    ended = len(kcnn.fit(net(), blobs(), blobs(), **options).history)
    more = kcnn.fit(net(), blobs(), blobs(), resume=True, extensions=[(ended, 9)], **options)
    assert ended < 9 and ended < len(more.history) < ended + 9


@pytest.fixture(scope="module")
def finished(nursery, tmp_path_factory):
    """(options, finished run of two epochs)."""
    folder = tmp_path_factory.mktemp("extend")
    write_data(folder / "data.npz")
    options = OPTIONS | {"runs": str(folder), "data.source": str(folder / "data.npz"), "epochs": 1}
    assert nursery.do("train", options=options, name="short") == 0, nursery.said()
    return options, RunFolder(folder / "short")


def test_kcnn_extend_goes_on_and_reports_anew_even_if_it_is_killed(nursery, finished):
    options, short = finished
    before, copy = final_state(short), RunFolder(short.path.with_name("killed"))
    shutil.copytree(short.path, copy.path)
    assert nursery.do("command", words=["extend", str(short.path), "--epochs", "1"]) == 0, nursery.said()
    after = final_state(short)
    assert after["history"][:1] == before["history"] and [row["epoch"] for row in short.history()] == [1, 2]
    assert short.status()["state"] == "finished" and len(short.events("finished")) == 2
    assert read(short.recipe_file).train.extensions == ((1, 1),)
    fault = {"at": 0, "match": "*b.json"}
    assert nursery.do("command", words=["extend", str(copy.path), "--epochs", "1"], faults=fault) == -9
    assert nursery.do("command", words=["extend", str(copy.path), "--epochs", "1"]) == 2
    assert f"not finished: resume it first, `kcnn resume {copy.path}`" in nursery.said()
    assert nursery.do("command", words=["resume", str(copy.path)]) == 0
    assert differences(final_state(copy), after) == []


def test_a_run_without_checkpoints_or_data_is_not_marked_as_extended(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 255, (20, 8, 8, 1)).astype(np.uint8), np.arange(20) % 2
    made = kcnn.build_and_fit_classifier((x, y), "simple_cnn_toy", runs=str(tmp_path), epochs=1, batch_size=4, name="m")
    with pytest.raises(kcnn.UserError, match="data in memory"):
        kcnn.load_run(made.path).extend(1)
    for file in made.folder.checkpoints.iterdir():
        file.unlink()
    with pytest.raises(kcnn.UserError, match="no checkpoint to go on from"):
        made.extend(1)
    assert made.status["state"] == "finished" and made.recipe.train.extensions == ()
