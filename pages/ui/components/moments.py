"""Moments and jobs as people read them; durations and sizes: itda_core.runs.units."""

from __future__ import annotations

from datetime import UTC, datetime

from itda_core.runs.evaluation.status import EvaluationStatus
from itda_core.runs.jobs.status import JobStatus
from itda_core.runs.matching.status import MatchStatus
from itda_core.runs.training.status import TrainingStatus
from itda_core.runs.training.words import READING, read_words, stage_words, step_words, time_left_words
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
    if status.state == "starting":
        return "Starting…"
    if isinstance(status, TrainingStatus):
        return " · ".join(_training_parts(status))
    if status.state == "running" and not status.tokens:
        # A layer matching's step names the model it is at.
        parts = ["Starting…" if isinstance(status, MatchStatus) or not status.step else status.step.capitalize()]
    else:
        parts = [_tokens(status)]
        if isinstance(status, EvaluationStatus):
            parts.append(f"{len(status.results)} result{'' if len(status.results) == 1 else 's'}")
    if status.state == "running" and status.eta is not None:
        parts.append(f"{duration(status.eta)} left")
    return " · ".join(parts)


def _training_parts(status: TrainingStatus) -> list[str]:
    """What is known of a training in the stage it is at, and no more."""
    n_atoms = sum(layer.atoms for layer in status.layers)
    atoms = [f"{n_atoms:,} atoms"] if n_atoms else []
    stage = status.stage
    if status.state == "done":
        full = "dictionaries full" if len(status.layers) > 1 else "dictionary full"
        early = [full] * status.full + ["text ended"] * status.text_ended
        return [_tokens(status, whole=not early), *atoms, *early]
    if stage is not None and stage.name != "reading":
        parts = [stage_words(stage)]
    elif stage is not None or status.step in ("", "training"):
        of_layer = "" if stage is None else stage_words(stage).partition(",")[0]
        read = read_words(stage) if stage is not None and stage.about else _tokens(status)
        parts = [of_layer or READING, *([read] if status.tokens else []), *atoms]
    else:
        parts = [step_words(status.step)]
    if status.ended:
        return parts if status.tokens or stage is not None else []
    if status.eta is not None and (left := time_left_words(status.eta, rough=status.rough)):
        parts.append(left)
    return parts


def _tokens(status: JobStatus, *, whole: bool = True) -> str:
    """Those that were read; of those wanted, unless it is done and may be `whole`."""
    of = f" of {status.total:,}" if status.total and not (whole and status.state == "done") else ""
    return f"{status.tokens:,}{of} tokens"
