"""Files of a run folder that hold something else: one line each, and no list of runs breaks by them."""

import pytest

from kcnn.disk import read_json
from kcnn.errors import UserError
from kcnn.recipe import read
from kcnn.run_folder import RunFolder, list_runs


@pytest.mark.parametrize("text", ["[1]", "7", "{", '{"a": ' * 100_000])
def test_json_that_is_no_table(tmp_path, text):
    (tmp_path / "status.json").write_text(text)
    with pytest.raises(UserError, match="no intact JSON file"):
        read_json(tmp_path / "status.json")


def test_events_and_history_that_are_none(tmp_path):
    folder = RunFolder(tmp_path)
    (tmp_path / "events.jsonl").write_text('7\n{"a": 1}\n[]\n{"event": "scored", "split": "test"}\n')
    assert [event["split"] for event in folder.events()] == ["test"]
    (tmp_path / "history.csv").write_text("epoch,loss\n1,many\n")
    with pytest.raises(UserError, match="no intact history"):
        folder.history()


def test_a_damaged_run_is_listed_as_failed_beside_the_others(tmp_path):
    for name, text in (("bad", "[1]"), ("good", '{"state": "finished"}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recipe.toml").write_text("")
        (tmp_path / name / "status.json").write_text(text)
    assert {run["name"]: run["state"] for run in list_runs(tmp_path)} == {"bad": "failed", "good": "finished"}


def test_toml_too_deep_to_read(tmp_path):
    (tmp_path / "deep.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(UserError, match="is no TOML"):
        read(tmp_path / "deep.toml")
