"""The processes that do jobs, as tests look at them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import psutil

from itda_core.runs import Job

PATIENCE = 240.0  # seconds; a loaded machine takes its time to import torch


def process_of(job: Job) -> psutil.Process | None:
    try:
        noted = json.loads((job.folder / "process.json").read_text())
        process = psutil.Process(noted["pid"])
        return process if process.create_time() == noted["started"] else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def wait_for(job: Job, happened: Callable[[Any], bool]) -> Any:
    until = time.monotonic() + PATIENCE
    while not happened(status := job.status):
        assert time.monotonic() < until, f"{status} after {PATIENCE} s; log: {job.log}"
        time.sleep(0.05)
    return status
