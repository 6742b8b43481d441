"""The helper: does it answer as the api does, in plain data, and outlive what goes wrong in its processes?"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import kcnn
from kcnn import plugins
from kcnn.answering_process import HelperFailed, plain

PLUGIN = """from dataclasses import replace

from kcnn.heads import HEADS

HEADS.register("from_a_file")(type("Mine", (), {"__doc__": "A head of a user's own file.", "task": "labels"}))
"""


@pytest.fixture(scope="module")
def helper():
    made = kcnn.Helper()
    yield made
    made.close()


def test_answers_are_those_of_the_api(helper):
    told = helper.ask("describe", "resnet_toy", (64, 64, 3)).result()
    assert told["parameters"] == kcnn.describe("resnet_toy", (64, 64, 3)).parameters
    assert told["lines"][0].startswith("resnet_toy") and told["levels"][0]["name"] == "c1"
    assert helper.ask("list_heads").result() == kcnn.list_heads()


def test_mistakes_come_back_as_they_are_and_faults_as_faults(helper):
    with pytest.raises(kcnn.UserError, match="did you mean 'resnet56' or 'resnet50'"):
        helper.ask("describe", "resnet5").result()
    with pytest.raises(kcnn.UserError, match="no run at nowhere"):
        helper.ask("run.predict", "nowhere", []).result()
    with pytest.raises(HelperFailed, match="AttributeError"):
        helper.ask("no_such_verb").result()


def test_a_killed_process_is_followed_by_another(helper):
    helper.ask("list_heads").result()
    os.kill(helper._process.child.pid, signal.SIGKILL)
    with pytest.raises(HelperFailed, match="was ended"):
        helper.ask("list_heads").result()
    assert helper.ask("list_heads").result() == kcnn.list_heads()


def test_its_processes_end_with_the_process_that_asked():
    code = "import kcnn, os; h = kcnn.Helper(); h.ask('list_heads').result(); import sys\n"
    code += "children = os.popen(f'pgrep -P {os.getpid()} python').read()\n"
    code += "print(children, 'tensorflow' in sys.modules, flush=True); os._exit(9)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    child, loaded = told.stdout.split()
    assert loaded == "False"
    end = time.monotonic() + 60
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_what_cannot_be_sent_is_a_fault_and_no_end(helper):
    child = (helper.ask("list_heads").result(), helper._process.child.pid)[1]
    with pytest.raises(HelperFailed, match="cannot be sent"):
        helper.ask("describe", lambda: None).result()
    assert helper.ask("list_heads").result() and helper._process.child.pid == child


def test_closing_ends_its_process():
    made = kcnn.Helper()
    made.ask("list_heads").result()
    made.close()
    assert made._process.child.poll() is not None


def test_plain_data():
    assert plain({"a": (1, Path("b"))}) == {"a": [1, "b"]}
    assert plain(kcnn.Recipe())["train"]["epochs"] == 20
    assert isinstance(plain(np.ones(2)), np.ndarray)


def test_a_users_own_module_is_loaded_where_the_variable_names_it(tmp_path, monkeypatch):
    (tmp_path / "my_heads.py").write_text(PLUGIN)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setenv(plugins.VARIABLE, "my_heads")
    helper = kcnn.Helper()
    assert "from_a_file" in helper.ask("list_heads").result()
    assert helper.ask("list_names").result()["heads"]["from_a_file"] == "A head of a user's own file."
    helper.close()


def test_a_module_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv(plugins.VARIABLE, "no_such_module_of_mine")
    with pytest.raises(kcnn.UserError, match="KCNN_PLUGINS names 'no_such_module_of_mine'"):
        plugins.load()
    helper = kcnn.Helper()
    with pytest.raises(kcnn.UserError, match="KCNN_PLUGINS names 'no_such_module_of_mine'"):
        helper.ask("list_heads").result()
    helper.close()
