"""Numbers, times and sizes as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from itda_core.runs.evaluation_status import EvaluationStatus
from itda_core.runs.job_status import JobStatus
from itda_core.runs.training_status import TrainingStatus


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(count: int | float) -> str:
    """Bytes with a unit: `2.1 MB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def moment(iso: str | None) -> str:
    """A time in ISO 8601 (UTC) as this machine's date and minute; "" where there is none or it cannot be read."""
    if not iso:
        return ""
    try:
        read = datetime.fromisoformat(iso)
    except ValueError:
        return ""
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    return f"{read.astimezone():%Y-%m-%d %H:%M}"


def progress_line(status: JobStatus) -> str:
    """What a job is at, in a few words of ours: never a model's or a corpus's."""
    if status.state == "starting" or (status.state == "running" and not status.tokens):
        return (status.step or "starting").capitalize()
    of = f" of {status.total:,}" if status.total else ""
    parts = [f"{status.tokens:,}{of} tokens"]
    if isinstance(status, TrainingStatus):
        parts.append(f"{sum(layer.atoms for layer in status.layers):,} atoms")
    if isinstance(status, EvaluationStatus):
        parts.append(f"{len(status.results)} result{'' if len(status.results) == 1 else 's'}")
    if status.state == "running" and status.eta is not None:
        parts.append(f"{duration(status.eta)} left")
    return " · ".join(parts)
