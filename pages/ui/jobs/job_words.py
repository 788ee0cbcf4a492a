"""What pages call jobs, and where each kind is shown."""

from __future__ import annotations

from pathlib import Path

from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.jobs.jobs import Job
from itda_core.runs.jobs.kinds import EVALUATION, MATCHING, TRAINING, TRANSFER
from itda_core.runs.matching.request import MatchRequest
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.transfer.request import TransferRequest

PAGES = {
    TRAINING.name: "Train",
    EVALUATION.name: "Evaluate",
    MATCHING.name: "Compare",
    TRANSFER.name: "Compare",
}
FORMS = {MATCHING.name: {"show": "measures"}, TRANSFER.name: {"show": "transfer"}}  # the address of an empty form
DOING = {
    TRAINING.name: "Training",
    EVALUATION.name: "Evaluating",
    MATCHING.name: "Matching layers",
    TRANSFER.name: "Transferring labels",
}
STATES = {
    "starting": "Starting",
    "running": "Running",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "lost": "Lost",
    "damaged": "Damaged",
}
_NAMED = 2  # dictionaries or models; more are counted


def subject(job: Job) -> str:
    """What a job is about. It may quote anyone's text: only for elements that parse none."""
    request = job.request
    if isinstance(request, TrainRequest):
        return f"{request.model.name}, {Path(request.corpus).name}"
    if isinstance(request, MatchRequest):
        names = [Path(name).name for name in request.models]
        return f"{_few(names)}, {Path(request.corpus).name}"
    if isinstance(request, TransferRequest):
        names = [Path(name).name for name in request.labels]
        return f"{_few(names)} into {Path(request.model.name).name}{_ks(request.ks)}"
    assert isinstance(request, EvaluateRequest)
    names = [Path(name).name for name in request.dictionaries]
    return f"{_few(names)}{_ks(request.ks)}"


def _ks(ks: tuple[int, ...]) -> str:
    return f", k = {', '.join(map(str, ks))}" if ks else ""


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMED else f"{names[0]} and {len(names) - 1} more"
