"""A studio of its own per test session, and a page in a real browser that notes every request and error."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, sync_playwright

from tests.e2e import chromium

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 240_000  # milliseconds: a busy machine is no failure; what hangs is found all the same


@dataclass
class Visit:
    """A page of the studio in the browser, and what it asked for on the way."""

    page: Page
    address: str
    hosts: set[str] = field(default_factory=set)
    dialogs: list[str] = field(default_factory=list)

    def note(self, request: Request) -> None:
        if request.url.startswith(("http", "ws")):
            self.hosts.add(urlsplit(request.url).netloc)

    def refuse(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def open(self, path: str = "") -> None:
        self.page.goto(f"{self.address}/{path}")
        self.page.wait_for_selector("h1")
        self.settle()

    def settle(self) -> None:
        """Waits until the page's script has run to its end, and holds it against what no page may show."""
        # Not by the sign that it runs, which comes half a second late and stays away from what is quicker.
        self.page.wait_for_function("document.querySelector('[data-test-script-state=notRunning]')")
        assert self.page.locator('[data-testid="stException"]').count() == 0, self.page.inner_text("body")

    def expect_in_address(self, name: str, value: str) -> None:
        """Waits for it: the server tells the browser, which may be a moment after the page shows what was chosen."""
        self.page.wait_for_function(
            "([name, value]) => new URLSearchParams(location.search).get(name) === value", arg=[name, value]
        )

    def assert_stayed_here(self) -> None:
        assert self.hosts == {urlsplit(self.address).netloc}
        assert self.dialogs == []


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("itda-home")


@pytest.fixture(scope="session")
def studio(home: Path) -> Iterator[str]:
    """The address of a freshly started server."""
    with served(home) as address:
        yield address


@contextmanager
def served(home: Path, **more: str) -> Iterator[str]:
    """A server with a home of its own; more: of its environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "itda_core", "app", "--headless", "--port", str(port)]
    log = home / "server.log"
    with log.open("w") as output:
        environment = dict(os.environ, ITDA_HOME=str(home), **more)
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + PATIENCE / 1000
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=10)
                break
            except (OSError, urllib.error.URLError):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(PATIENCE / 1000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium.find()
    if path is None:
        assert not os.environ.get("CI"), "no Chromium on a machine that is to test with one; install chromium"
        pytest.skip("NO CHROMIUM on this machine: the walk in a real browser did not run")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, studio: str) -> Iterator[Visit]:
    with visiting(browser, studio) as visit:
        yield visit


@contextmanager
def visiting(browser: Browser, studio: str, *, has_touch: bool = False) -> Iterator[Visit]:
    """A visitor of the server at that address."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, has_touch=has_touch)
    context.set_default_timeout(PATIENCE)
    visit = Visit(context.new_page(), studio)
    visit.page.on("request", visit.note)
    visit.page.on("dialog", visit.refuse)
    yield visit
    context.close()
