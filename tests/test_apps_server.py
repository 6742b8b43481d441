"""The dashboard's server and its door: what reaches it from elsewhere, and what `kcnn app` asks before it is public."""

import http.client
import os
import socket
import subprocess
import sys
import time
import tomllib
from contextlib import suppress
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from kcnn.cli import material
from kcnn.cli.words import app
from kcnn.resources import folder

MEBIBYTE = 2**20
HEAD = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.zip"\r\nContent-Type: application/zip\r\n\r\n'
TAIL = b"\r\n--x--\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A dashboard in a process of its own: its port, its cookie, and the id of a visitor's session."""
    home = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"STREAMLIT_SERVER_HEADLESS": "true", "KCNN_CACHE": str(home / "cache")}
    words = [sys.executable, "-m", "kcnn", "app", "--port", str(port)]
    child = subprocess.Popen(words, env=environment, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        cookie = _cookie(port, child)
        with _visit(port) as visit:
            yield SimpleNamespace(port=port, cookie=cookie, session=_session(visit), home=home)
    finally:
        child.terminate()
        child.wait()


def _cookie(port, child):
    """The cookie that the server gives as soon as it answers."""
    while child.poll() is None:
        try:
            return _answer(port, "GET", "/_stcore/health").headers["Set-Cookie"].partition(";")[0]
        except ConnectionRefusedError:
            time.sleep(0.2)
    raise AssertionError("the server has ended")


def _answer(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body, headers, encode_chunked="Transfer-Encoding" in headers)
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


def _visit(port, host="127.0.0.1", origin=None):
    """A page's connection to the server, as a browser that knows the server by the name `host` makes it."""
    client = pytest.importorskip("websockets.sync.client", reason="websockets, which uvicorn may use, is not installed")
    there = socket.create_connection(("127.0.0.1", port))
    address = f"ws://{host}:{port}/_stcore/stream"
    return client.connect(address, sock=there, origin=origin, subprotocols=["streamlit"], proxy=None, max_size=None)


def _session(visit):
    """The id of a session, which the first script run tells."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    asked, told = BackMsg(), ForwardMsg()
    asked.rerun_script.query_string = ""
    visit.send(asked.SerializeToString())
    while told.WhichOneof("type") != "new_session":
        told.ParseFromString(visit.recv(timeout=120))
    return told.new_session.initialize.session_id


def _upload(server, size=10, session=None, **headers):
    """The status with which an upload of so many bytes is answered; it is streamed, and its size is not said before."""

    def body():
        yield HEAD
        for start in range(0, size, MEBIBYTE):
            yield bytes(min(MEBIBYTE, size - start))
        yield TAIL

    kind = {"Content-Type": "multipart/form-data; boundary=x", "Transfer-Encoding": "chunked"}
    path = f"/_stcore/upload_file/{session or server.session}/one"
    return _answer(server.port, "PUT", path, body(), **kind, **headers).status


def _signed(server):
    return {"Cookie": server.cookie, "X-Xsrftoken": server.cookie.partition("=")[2]}


def test_uploads_need_the_token_that_other_sites_cannot_read(server):
    assert _upload(server) == 403
    assert _upload(server, Cookie=server.cookie) == 403
    assert _upload(server, **_signed(server) | {"X-Xsrftoken": "2|00000000|00|1"}) == 403
    assert _upload(server, **_signed(server)) == 204


def test_uploads_need_a_session(server):
    assert _upload(server, session="another", **_signed(server)) == 400


def test_uploads_of_201_megabytes_are_refused_while_they_come(server):
    with suppress(BrokenPipeError, ConnectionResetError):  # where it hangs up before the end
        assert _upload(server, 201 * MEBIBYTE, **_signed(server)) == 413
    said = {"Content-Length": str(201 * MEBIBYTE), "Content-Type": "multipart/form-data; boundary=x"}
    path = f"/_stcore/upload_file/{server.session}/two"
    assert _answer(server.port, "PUT", path, HEAD, **said, **_signed(server)).status == 413


def test_pages_of_other_sites_cannot_open_a_session(server):
    from websockets.exceptions import InvalidStatus

    foreign = [("127.0.0.1", "http://evil.example"), ("127.0.0.1", "null"), ("127.0.0.1", "http://127.0.0.1.evil")]
    rebound = [("evil.example", f"http://evil.example:{server.port}"), ("evil.example", None)]
    for host, origin in foreign + rebound:
        with pytest.raises(InvalidStatus) as refused:
            _visit(server.port, host, origin).__enter__()
        assert refused.value.response.status_code == 403
    with _visit(server.port, "localhost", f"http://localhost:{server.port}") as visit:
        assert _session(visit)


def test_files_are_not_served(server):
    for path in ("/../../../etc/passwd", "/media/../../x", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd"):
        answer = _answer(server.port, "GET", path)
        assert answer.status in (400, 403, 404) or answer.headers["Content-Type"].startswith("text/html")
    assert _answer(server.port, "POST", "/_stcore/agent/interact", b"{}").status == 403


def test_the_settings_are_those_that_keep_others_out():
    kept = tomllib.loads((folder("apps") / ".streamlit" / "config.toml").read_text())
    assert kept["server"]["address"] == "127.0.0.1" and kept["server"]["maxUploadSize"] == 200
    assert kept["server"]["enableXsrfProtection"] and kept["server"]["enableCORS"]
    assert kept["client"]["showErrorDetails"] == "none" and not kept["client"]["showErrorLinks"]


# ---- the door ----------------------------------------------------------------------------------------------------


@pytest.fixture
def begun(monkeypatch):
    """[(words, environment)] of the server that would have been started."""
    found = []
    monkeypatch.setattr(material.os, "execve", lambda program, words, given: found.append((words, given)))
    return found


def _app(*words):
    return CliRunner().invoke(app, ["app", *words])


@pytest.mark.parametrize("password", [None, "", "short", "x" * 11])
def test_public_demands_a_password(monkeypatch, capsys, begun, password):
    from kcnn.cli import main

    monkeypatch.delenv("KCNN_APP_PASSWORD", raising=False)
    if password is not None:
        monkeypatch.setenv("KCNN_APP_PASSWORD", password)
    monkeypatch.setattr(sys, "argv", ["kcnn", "app", "--public"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.count("\n") == 1 and not begun
    assert "set KCNN_APP_PASSWORD to 12 characters or more" in said


def test_public_says_what_it_means(monkeypatch, begun):
    monkeypatch.setenv("KCNN_APP_PASSWORD", "x" * 12)
    said = _app("--public", "--port", "9000").output
    assert (
        "can train here" in said and "read what is below --data and --runs" in said and "Nothing is encrypted" in said
    )
    ((words, given),) = begun
    assert words[1:4] == ["-m", "streamlit", "run"] and words[4].endswith("kcnn_app.py")
    options = dict(zip(words[5::2], words[6::2], strict=True))
    assert options == {"--server.port": "9000", "--server.address": "0.0.0.0", "--server.allowedHosts": "*",
                       "--server.headless": "true"}  # fmt: skip
    assert given["KCNN_APP_PASSWORD"] == "x" * 12


def test_it_is_for_this_machine_only_unless_made_public(monkeypatch, begun, tmp_path):
    monkeypatch.setenv("KCNN_APP_PASSWORD", "x" * 12)
    monkeypatch.chdir(tmp_path)
    assert "public" not in _app("--runs", "mine", "--data", "a", "--data", "b").output
    ((words, given),) = begun
    assert words[5:] == ["--server.port", "8501"] and not given["KCNN_APP_PASSWORD"]
    assert given["KCNN_RUNS"] == "mine" and given["KCNN_APP_DATA"] == f"{tmp_path}/a{os.pathsep}{tmp_path}/b"
