"""Moments and jobs as people read them; durations and sizes: itda_core.runs.units."""

from __future__ import annotations

from datetime import UTC, datetime

from itda_core.runs.evaluation.status import EvaluationStatus
from itda_core.runs.jobs.status import JobStatus
from itda_core.runs.matching.status import MatchStatus
from itda_core.runs.training.status import TrainingStatus
from itda_core.runs.units import duration


def moment(iso: str | None) -> str:
    """A time in ISO 8601 (UTC) as this machine's date and minute; "" where there is none or it cannot be read."""
    if not iso:
        return ""
    try:
        read = datetime.fromisoformat(iso)
        here = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone()
    except (ValueError, OverflowError, OSError):  # no time, or one that this machine's calendar does not reach
        return ""
    return f"{here:%Y-%m-%d %H:%M}"


def progress_line(status: JobStatus) -> str:
    """What a job is at, in a few words of ours: never a model's or a corpus's."""
    if status.state == "starting" or (status.state == "running" and not status.tokens):
        # A layer matching's step names the model it is at.
        step = "Starting" if isinstance(status, MatchStatus) else (status.step or "starting").capitalize()
        return step if status.eta is None else f"{step} · {duration(status.eta)} left"
    of = f" of {status.total:,}" if status.total else ""
    parts = [f"{status.tokens:,}{of} tokens"]
    if isinstance(status, TrainingStatus):
        parts.append(f"{sum(layer.atoms for layer in status.layers):,} atoms")
    if isinstance(status, EvaluationStatus):
        parts.append(f"{len(status.results)} result{'' if len(status.results) == 1 else 's'}")
    if status.state == "running" and status.eta is not None:
        parts.append(f"{duration(status.eta)} left")
    return " · ".join(parts)
