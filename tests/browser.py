"""A dashboard as a process and a headless Chromium on it: for the tests and benchmarks that need a real browser."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

SLOW = 300_000  # milliseconds before something counts as hanging
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def missing():
    """Why there is no browser, in words; None if there is one."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "playwright is not installed"
    return None if CHROMIUM else "no Chromium is installed"


@contextmanager
def served(folder, *words):
    """(process, address) of a dashboard that was started in `folder`; it is killed after the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "STREAMLIT_SERVER_HEADLESS": "true"}
    environment |= {"KCNN_CACHE": str(folder / "cache"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "kcnn", "app", "--port", str(port), *words]
    child = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _is_well(port):
            assert child.poll() is None, "the dashboard has ended"
            time.sleep(0.2)
        yield child, f"http://127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait()


def _is_well(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/_stcore/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


@contextmanager
def browser():
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Visitor:
    """One tab of a `browser` on the dashboard at `address`."""

    def __init__(self, browser, address, **options):
        self.tab = browser.new_page(viewport={"width": 1280, "height": 900}, **options)
        self.tab.set_default_timeout(SLOW)
        self.address = address

    def open(self, page=""):
        """Go to a page by its address, and wait until it is all there."""
        self.tab.goto(f"{self.address}/{page}")
        self.tab.get_by_role("heading", level=1).wait_for()
        self.settle()

    def turn_to(self, page):
        """Go to a page by the list of pages."""
        self.tab.get_by_test_id("stSidebarNav").get_by_role("link", name=page, exact=True).click()
        self.tab.get_by_role("heading", level=1, name=page).wait_for()
        self.settle()

    def settle(self):
        """Wait until the page does not work."""
        self.tab.wait_for_timeout(300)
        self.tab.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()

    def press(self, label):
        """Press the button with this label, once it can be pressed."""
        self.tab.get_by_role("button", name=label, exact=True).click()

    def see(self, text):
        """Wait until `text` is somewhere on the page."""
        self.tab.get_by_text(text, exact=True).first.wait_for()

    def figure(self, label):
        """The figure shown under a label such as "Epoch"."""
        metric = self.tab.get_by_test_id("stMetric").filter(has_text=label)
        return metric.get_by_test_id("stMetricValue").inner_text()

    def upload(self, *files):
        """Give files to the page's uploader."""
        self.tab.get_by_test_id("stFileUploader").locator("input").set_input_files(list(map(str, files)))
        self.settle()

    def is_well(self):
        """Whether no mistake and no fault is told."""
        told = (self.tab.get_by_test_id(name).count() for name in ("stAlertContentError", "stException"))
        return not any(told)
