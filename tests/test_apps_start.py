"""Does the dashboard's first page tell what to do, and show what is there?"""

import json

import pytest
from streamlit.testing.v1 import AppTest

from kcnn.recipe import Recipe
from kcnn.resources import folder


@pytest.fixture
def opened(tmp_path, monkeypatch):
    monkeypatch.setenv("KCNN_RUNS", str(tmp_path))
    return tmp_path, lambda: AppTest.from_file(str(folder("apps") / "kcnn_app.py"), default_timeout=60).run()


def make_run(runs, name, state, epoch):
    path = runs / name
    path.mkdir()
    (path / "recipe.toml").write_text(Recipe().to_toml())
    (path / "status.json").write_text(json.dumps({"state": state, "epoch": epoch, "epochs": 20}))
    return path


def test_without_runs_it_says_what_to_do(opened):
    page = opened[1]()
    assert not page.exception
    assert "No run yet" in page.info[0].value and "kcnn demo" in page.info[0].value
    assert "build_and_fit_classifier" in page.code[1].value


def test_runs_are_shown_with_state_progress_scores_and_report(opened, rng):
    from kcnn.evaluation import measure, write_report
    from tests.test_evaluation_figures import random_case

    runs, show = opened
    figures = measure(random_case(rng), list("abcdefg"))
    done = make_run(runs, "digits_1", "finished", 20)
    (done / "events.jsonl").write_text(
        json.dumps({"event": "finished", "time": 1, "scores": {"val": figures["accuracy"]}}) + "\n"
    )
    write_report(done / "report", {"val": figures}, title="digits_1")
    make_run(runs, "photos-1", "training", 3)
    page = show()
    assert not page.exception and not page.info
    text = " ".join(block.value for block in page.markdown)
    assert "digits\\_1" in text and "photos-1" in text and "Scores on val" in text
    assert f"{figures['accuracy']:.2%}" in [metric.value for metric in page.metric]
