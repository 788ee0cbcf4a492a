"""How long visitors wait for a prompt: one alone, and ten at once on five models, their browsers on the same cores.

    python -m tests.e2e.ten_visitors [--visitors 10] [--prompts 6] [--pause 2]

Each visitor is a page of its own in one Chromium (Playwright), in a context of its own, so that the studio knows ten
sessions; every second one has the same model. All begin together and then each goes on at its own pace: a prompt that
nobody has asked yet, Enter, and as soon as its tokens are there a pause, as somebody has who reads. Prints the median,
the least and the most of both from Enter until the new tokens are there, the first prompts (for which five models are
loaded) by themselves, and the server's memory. What else runs on the machine counts: say it beside the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time

import psutil
from playwright.async_api import Browser, Page, async_playwright

from itda_core.machine.threads import cores
from itda_core.runs.machine import processor
from tests.e2e import chromium
from tests.e2e.beside_training import SHOWN, studio
from tests.e2e.conftest import FLAGS

MODELS = 5
PATIENCE = 300_000  # milliseconds


async def arrive(browser: Browser, address: str, number: int) -> Page:
    """A visitor with the page of a dictionary open."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    await page.goto(f"{address}/decompose?dictionary=demo-{number % MODELS}-L2")
    await page.wait_for_selector("textarea[aria-label=Prompt]")
    await page.wait_for_function("document.querySelector('[data-test-script-state=notRunning]')")
    return page


async def waits(page: Page, name: str, prompts: int, pause: float) -> list[float]:
    """Seconds from Enter until the row of tokens is the new prompt's, for each of so many prompts."""
    seconds = []
    for i in range(prompts):
        prompt = f"{name} asked {i} times where the little dog ran to the park"
        area = page.locator("textarea[aria-label=Prompt]")
        await area.fill(prompt)
        began = time.perf_counter()
        await area.press("Enter")
        await page.wait_for_function(SHOWN, arg=prompt)
        seconds.append(time.perf_counter() - began)
        assert not await page.locator('[data-testid="stException"]').count(), await page.inner_text("body")
        await asyncio.sleep(pause)
    return seconds


def told(name: str, seconds: list[float]) -> str:
    median = statistics.median(seconds)
    return f"{name}: median {median:.2f} s, {min(seconds):.2f} to {max(seconds):.2f} ({len(seconds)} prompts)"


def memory() -> str:
    """Of the servers that were started from here."""
    servers = [child for child in psutil.Process().children() if child.name().startswith("python")]
    return ", ".join(f"{server.memory_info().rss / 1e9:.2f} GB" for server in servers)


async def visit(address: str, visitors: int, prompts: int, pause: float) -> None:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium.find(), args=FLAGS)
        first = await arrive(browser, address, 0)
        await waits(first, "warm", 2, pause)  # what is loaded once
        print(told("alone", await waits(first, "alone", prompts, pause)), flush=True)
        print(f"memory of the server: {memory()}", flush=True)
        await first.context.close()
        began = time.perf_counter()
        pages = await asyncio.gather(*(arrive(browser, address, number) for number in range(visitors)))
        print(f"{visitors} arrive within {time.perf_counter() - began:.1f} s", flush=True)
        found = await asyncio.gather(
            *(waits(page, f"visitor {number}", prompts, pause) for number, page in enumerate(pages))
        )
        print(told(f"{visitors} at once", [wait for waited in found for wait in waited]))
        print(told("of these the first prompts", [waited[0] for waited in found]))
        print(f"memory of the server: {memory()}")
        await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--visitors", type=int, default=10)
    parser.add_argument("--prompts", type=int, default=6, help="of each visitor")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two prompts of one visitor")
    given = parser.parse_args()
    print(f"{processor()}, {cores()} cores; load {os.getloadavg()[0]:.1f} before", flush=True)
    with tempfile.TemporaryDirectory(prefix="itda-visitors-") as home, studio(home) as address:
        asyncio.run(visit(address, given.visitors, given.prompts, given.pause))


if __name__ == "__main__":
    main()
