"""What pages call jobs and their states."""

from __future__ import annotations

from itda_core.runs.jobs.jobs import Job

STATES = {
    "starting": "Starting",
    "running": "Running",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "lost": "Lost",
    "damaged": "Damaged",
}


def subject(job: Job) -> str:
    """What a job is about. It may quote anyone's text: only for elements that parse none."""
    return job.request.about()
