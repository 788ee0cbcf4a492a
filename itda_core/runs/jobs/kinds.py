"""The kinds of jobs: what is asked of each, and what its worker reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, Protocol, Self, TypeVar

from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.evaluation.status import EvaluationStatus
from itda_core.runs.jobs.status import JobStatus
from itda_core.runs.matching.request import MatchRequest
from itda_core.runs.matching.status import MatchStatus
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.status import TrainingStatus
from itda_core.runs.transfer.request import TransferRequest
from itda_core.runs.transfer.status import TransferStatus


class JobRequest(Protocol):
    """What a job is asked to do."""

    def to_dict(self) -> dict[str, Any]: ...

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self: ...

    def resolved(self) -> Self: ...

    def arguments(self) -> list[str]: ...

    def command(self) -> str: ...


R = TypeVar("R", bound=JobRequest)
S = TypeVar("S", bound=JobStatus)


@dataclass(frozen=True)
class JobKind(Generic[R, S]):
    """One kind of job. Its worker is `itda NAME ARGUMENTS --job FOLDER`."""

    name: str  # the command of the command line that does the work
    noun: str  # what such a job is, for people
    request: type[R]
    status: type[S]
    continues: bool  # whether a worker can go on from where an earlier one ended


TRAINING = JobKind("train", "training", TrainRequest, TrainingStatus, continues=True)
EVALUATION = JobKind("evaluate", "evaluation", EvaluateRequest, EvaluationStatus, continues=False)
MATCHING = JobKind("match", "layer matching", MatchRequest, MatchStatus, continues=False)
TRANSFER = JobKind("transfer", "transfer", TransferRequest, TransferStatus, continues=False)
KINDS: Mapping[str, JobKind[Any, Any]] = MappingProxyType(
    {kind.name: kind for kind in (TRAINING, EVALUATION, MATCHING, TRANSFER)}
)


def kind_of(request: R) -> JobKind[R, Any]:
    """The kind of job that does `request`."""
    return next(kind for kind in KINDS.values() if isinstance(request, kind.request))
