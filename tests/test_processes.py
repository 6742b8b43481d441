"""What is started as a process of its own: the wheel elsewhere, the dashboard, several seeds; and the demo's tour."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from kcnn import demo
from kcnn.errors import UserError
from kcnn.recipe import Recipe
from kcnn.repeats import fit_seeds

ROOT = Path(__file__).parents[1]
QUICK = Recipe().override(
    {"data.limit": 200, "data.test": 0.2, "model.architecture": "resnet_toy", "train.epochs": 1, "train.batch_size": 50}
)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """(folder, environment) in which a wheel built from this tree is the only kcnn."""
    made, site = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    zipfile.ZipFile(next(made.glob("*.whl"))).extractall(site)
    return site, {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}


def test_a_wheel_carries_recipes_and_apps(elsewhere, tmp_path):
    site, environment = elsewhere
    say = "import kcnn, kcnn.resources as r; print(kcnn.__file__, r.folder('apps'), r.folder('recipes'))"
    told = subprocess.run([sys.executable, "-c", say], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert told.stdout.split() == [str(site / "kcnn" / part) for part in ("__init__.py", "apps", "recipes")]
    words = [sys.executable, "-m", "kcnn", "list", "recipes"]
    listed = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert listed.returncode == 0 and not listed.stderr
    own = {path.relative_to(ROOT / "recipes").with_suffix("").as_posix() for path in (ROOT / "recipes").rglob("*.toml")}
    assert {line.split()[0] for line in listed.stdout.splitlines()} == own


def test_the_dashboard_answers_on_this_machine_only(elsewhere, tmp_path):
    _, environment = elsewhere
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "kcnn", "app", "--port", str(port)]
    child = subprocess.Popen(words, env=environment | {"STREAMLIT_SERVER_HEADLESS": "true"}, cwd=tmp_path, stdout=-3)
    try:
        assert _answers(port, child)
        with pytest.raises(OSError):
            socket.create_connection((_own_address(), port), timeout=5)
    finally:
        child.terminate()
        child.wait()


def _answers(port, child):
    """True once the page's server says that it is well; False if its process ends first."""
    while child.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/_stcore/health")
            return connection.getresponse().status == 200
        except ConnectionRefusedError:
            time.sleep(0.2)
        finally:
            connection.close()
    return False


def _own_address():
    """An address of this machine that is not that of `localhost`."""
    return "127.0.0.2" if sys.platform == "linux" else socket.gethostbyname(socket.gethostname())


def test_several_seeds_are_several_processes_and_one_table(tmp_path, capsys):
    recipe = QUICK.override({"runtime.runs": str(tmp_path), "runtime.seed": 4})
    summary = fit_seeds(recipe, 2, "trial")
    assert "mean" in capsys.readouterr().out
    assert [Path(run).name for run in summary["runs"]] == ["trial-seed4", "trial-seed5"]
    assert summary["mean"]["test"] == pytest.approx(sum(summary["accuracy"]["test"]) / 2)
    assert json.loads((tmp_path / "trial.json").read_text()) == summary
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("trial-seed*/best.safetensors")}
    assert fit_seeds(recipe, 2, "trial") == summary, "finished seeds are not trained again"
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_tour_ends_with_all_it_promises(tmp_path, monkeypatch, capsys):
    (tmp_path / "quick.toml").write_text(QUICK.to_toml())
    monkeypatch.setattr(demo, "RECIPE", str(tmp_path / "quick.toml"))
    run = demo.tour(str(tmp_path / "runs"))
    told = capsys.readouterr().out
    assert run.status["state"] == "finished" and run.report.is_file()
    assert (run.path / "digit-grad-cam.png").is_file() and (run.path / "exports" / "saved_model").is_dir()
    for words in ("kcnn check", "kcnn fit", "kcnn predict", "kcnn explain", "kcnn export", "it sees a"):
        assert words in told


def test_the_tour_says_in_one_line_that_a_picture_cannot_be_written(tmp_path):
    with pytest.raises(UserError, match=r"cannot write .*gone/digit.png: No such file or directory; bring its folder"):
        demo._a_digit(SimpleNamespace(recipe=QUICK), tmp_path / "gone" / "digit.png")


@pytest.mark.slow
def test_the_demo_itself(elsewhere, tmp_path):
    words = [sys.executable, "-m", "kcnn", "demo"]
    ended = subprocess.run(words, env=elsewhere[1], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(next(tmp_path.glob("runs/*/report/metrics.json")).read_text())
    assert figures["splits"]["test"]["accuracy"] > 0.97
