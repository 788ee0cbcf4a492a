"""A job's worker comes after the pages that somebody looks at."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from itda_core.runs.jobs import jobs


@pytest.mark.skipif(psutil.WINDOWS, reason="Windows has classes of priority instead")
def test_a_worker_is_nicer_than_the_page_that_started_it() -> None:
    # In a session of its own, as a job's worker is: some systems weigh a session as a whole, and this one stays.
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        worker = psutil.Process(child.pid)
        jobs._yield_to_pages(worker)
        assert worker.nice() == min(psutil.Process().nice() + 5, 19)
        for _ in range(5):
            jobs._yield_to_pages(worker)  # never beyond the last there is
        assert worker.nice() == 19
    finally:
        child.kill()
        child.communicate()
    jobs._yield_to_pages(worker)  # one that has ended already is no error
