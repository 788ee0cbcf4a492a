"""Finds a Chromium for the browser test, or installs Debian's; says loudly when it could do neither."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


def find() -> str | None:
    """The path of a Chromium on this machine: $ITDA_CHROMIUM, then the usual names."""
    if named := os.environ.get("ITDA_CHROMIUM"):
        return named
    return next(filter(None, map(shutil.which, NAMES)), None) or next((p for p in PLACES if Path(p).exists()), None)


def install() -> None:
    """Debian's and Ubuntu's package, where we may install one."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "-qq", *command], env=environment, stdout=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    if not find():
        print("No Chromium found; trying to install one ...", file=sys.stderr)
        install()
    if path := find():
        print(f"browser test: {path}", file=sys.stderr)
    else:
        print(
            "\n" + "!" * 100 + "\nNO CHROMIUM: the test in a real browser WILL BE SKIPPED. Install Chromium or Chrome "
            "(Debian: apt-get install chromium),\nor name one: ITDA_CHROMIUM=/path/to/chrome make test\n"
            + "!" * 100
            + "\n",
            file=sys.stderr,
        )
