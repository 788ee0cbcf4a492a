"""Takes the pictures of assets/pictures anew: every page, light and dark, with an evaluation and a training at work.

python -m tests.e2e.take_pictures [--only home train …]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from itda_core import TrainConfig
from itda_core.models.spec import ModelSpec
from itda_core.runs import EvaluateRequest, Jobs, TrainRequest
from tests.e2e import chromium
from tests.e2e.beside_training import studio
from tests.e2e.conftest import FLAGS, PATIENCE

PICTURES = Path(__file__).resolve().parents[2] / "assets" / "pictures"
PAGES = {
    "home": "",
    "train": "train",
    "training": "train?job={training}",
    "library": "library",
    "decompose": "decompose",
    "atoms": "atoms?atom=17",
    "compare": "compare",
    "evaluate": "evaluate?job={evaluation}",
}
LAYERS = tuple(f"demo-0-L{layer}-consensus" for layer in range(6))
READ = 60_000  # tokens after which the picture of a training is taken


def evaluated(home: str) -> str:
    """The job of a finished evaluation."""
    job = Jobs(home).start(EvaluateRequest(dictionaries=LAYERS, ks=(10, 20, 40), tokens=4096))
    while not job.status.ended:
        time.sleep(1)
    assert job.status.state == "done", job.status
    return job.id


@contextmanager
def training(home: str) -> Iterator[str]:
    """The job of a training that has read some of its text and goes on meanwhile."""
    config = TrainConfig(k=8, threshold=0.3, tokens=1_000_000)
    job = Jobs(home).start(TrainRequest(model=ModelSpec("demo:0"), layers=(2, 3), corpus="demo", config=config))
    while job.status.tokens < READ:
        assert not job.status.ended, job.status
        time.sleep(1)
    try:
        yield job.id
    finally:
        job.cancel()


def take(browser: Browser, address: str, name: str, path: str) -> None:
    """One page in both themes."""
    schemes: dict[str, Literal["light", "dark"]] = {"": "light", "_dark": "dark"}
    for suffix, scheme in schemes.items():
        height = 850 if name == "home" else 900  # below it are folders of this machine
        context = browser.new_context(viewport={"width": 1440, "height": height}, color_scheme=scheme)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(f"{address}/{path}")
        page.wait_for_selector("h1")
        for _ in range(3):  # what a fragment or a chart still draws
            page.wait_for_function("document.querySelector('[data-test-script-state=notRunning]')")
            time.sleep(1.5)
        page.screenshot(path=str(PICTURES / f"{name}{suffix}.png"))
        context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PAGES, default=list(PAGES))
    only = parser.parse_args().only
    home = tempfile.mkdtemp(prefix="itda-pictures-")
    os.environ["ITDA_HOME"] = home
    jobs = {"evaluation": evaluated(home) if "evaluate" in only else "", "training": ""}
    with studio(home) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=FLAGS)
        for name in only:
            if name == "training":
                with training(home) as jobs["training"]:
                    take(browser, address, name, PAGES[name].format(**jobs))
            else:
                take(browser, address, name, PAGES[name].format(**jobs))
        browser.close()


if __name__ == "__main__":
    main()
