"""What the tests of the dashboard share: pages opened without a browser, and a run for them to show."""

import pytest
from streamlit.testing.v1 import AppTest

import kcnn.api  # before a test asks for modules of its own
from kcnn.recipe import Recipe
from kcnn.resources import folder

PAGES = ("start", "data", "augment", "architectures", "train", "runs", "predict", "explain", "export")
SECONDS = 180  # before a page counts as hanging


def open_page(name="start", **state):
    """The page `name` as a visitor sees it, with `state` in the session."""
    app = AppTest.from_file(str(folder("apps") / "kcnn_app.py"), default_timeout=SECONDS)
    for key, value in state.items():
        app.session_state[key] = value
    app.run()
    return app if name == "start" else app.switch_page(f"app_pages/{name}.py").run()


def well(page):
    """The page, if nothing went wrong on it."""
    assert not page.exception, [one.message for one in page.exception]
    assert not page.error, [one.value for one in page.error]
    return page


def button(page, label):
    """The button with this label; in a run of pages a label may be on a page only once."""
    (found,) = [one for one in page.button if one.label == label]
    return found


def widget(kind, label):
    """The widget of a list such as `page.selectbox` with this label."""
    (found,) = [one for one in kind if one.label == label]
    return found


def text(page):
    """All that is written on the page in Markdown, captions included."""
    return "\n".join(block.value for block in (*page.markdown, *page.caption, *page.subheader, *page.info))


def shown_code(page):
    """{language: text} of the three ways in which the page's form can be had."""
    return {block.language: block.value for block in page.code}


@pytest.fixture
def places(tmp_path, monkeypatch):
    """(runs, data): the folders of a dashboard of its own."""
    for variable, name in (("KCNN_RUNS", "runs"), ("KCNN_APP_DATA", "data"), ("KCNN_CACHE", "cache")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    monkeypatch.delenv("KCNN_APP_PASSWORD", raising=False)
    return tmp_path / "runs", tmp_path / "data"


def train_run(runs, name="done", **changes):
    """The name of a small finished run below `runs`."""
    quick = {"data.limit": 200, "data.test": 0.1, "model.architecture": "resnet_toy", "train.epochs": 2}
    kcnn.build_and_fit(Recipe().override(quick | {"runtime.runs": str(runs)} | changes), name=name)
    return name
