"""How long a visitor waits for a prompt, alone and while a training of the studio runs on the same cores.

    .venv/bin/python -m tests.e2e.beside_training [--prompts 12]

Prints the median, the least and the most of both, from Enter until the new tokens are there.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from itda_core import ModelSpec, TrainConfig
from itda_core.runs import Jobs, TrainRequest
from itda_core.runs.machine import processor
from tests.e2e import chromium
from tests.e2e.conftest import FLAGS

ROOT = Path(__file__).resolve().parents[2]
SHOWN = """text => [...document.querySelectorAll('*')].some(host => host.shadowRoot && [
    ...host.shadowRoot.querySelectorAll('.row')].some(row => row.textContent.replaceAll('·', ' ').includes(text)))"""
PAUSE = 2.0  # seconds between prompts, as somebody has who reads


@contextmanager
def studio(home: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "itda_core", "app", "--headless", "--port", str(port)]
    environment = dict(os.environ, ITDA_HOME=home)
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
                break
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait()


def waits(page: Page, count: int, start: str) -> list[float]:
    """Seconds from Enter until the row of tokens is the new prompt's."""
    seconds = []
    for i in range(count):
        prompt = f"{start} {i} the little dog ran to the park and saw a bridge"
        area = page.locator("textarea[aria-label=Prompt]")
        area.fill(prompt)
        began = time.perf_counter()
        area.press("Enter")
        page.wait_for_function(SHOWN, arg=prompt, polling="raf")
        seconds.append(time.perf_counter() - began)
        page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget]')")
        time.sleep(PAUSE)
    return seconds


def told(name: str, seconds: list[float]) -> str:
    median = statistics.median(seconds)
    return f"{name}: median {median:.2f} s, {min(seconds):.2f} to {max(seconds):.2f} ({len(seconds)} prompts)"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", type=int, default=12)
    prompts = parser.parse_args().prompts
    with (
        tempfile.TemporaryDirectory(prefix="itda-beside-") as home,
        studio(home) as address,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=chromium.find(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(f"{address}/decompose")
        page.wait_for_selector("h1")
        waits(page, 2, "first")  # what is loaded once
        print(processor(), told("alone", waits(page, prompts, "alone")), sep="\n", flush=True)
        # One whose dictionary goes on growing for as long as this takes.
        config = TrainConfig(k=40, threshold=0.05, tokens=20_000_000)
        os.environ["ITDA_HOME"] = home
        job = Jobs().start(TrainRequest(ModelSpec("demo:0"), (2,), "demo", config))
        try:
            while not job.status.tokens:
                assert not job.status.ended, job.log
                time.sleep(0.5)
            print(told("beside a training", waits(page, prompts, "beside")))
        finally:
            job.cancel()
            while not job.status.ended:
                time.sleep(0.2)
        browser.close()


if __name__ == "__main__":
    main()
