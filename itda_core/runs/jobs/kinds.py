"""The kinds of jobs, one row each: the request, the function that does the work, the status, the page.

A new kind is a file with its request (a JobRequest), its status (a JobStatus) and the work, and a row here: the command
line, the worker, the form, the lists of jobs and the page of one job read the row. A kind that wants more than a
question for each option of its request, or than the figures of its outcome, has a form or a view of its own
(pages.ui.jobs: kind_page, views).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from itda_core.runs.atoms.mapping import MapRequest, MapStatus
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.evaluation.status import EvaluationStatus
from itda_core.runs.indexing.request import IndexRequest
from itda_core.runs.indexing.status import IndexStatus
from itda_core.runs.jobs.request_fields import JobRequest
from itda_core.runs.jobs.status import JobStatus
from itda_core.runs.matching.request import MatchRequest
from itda_core.runs.matching.status import MatchStatus
from itda_core.runs.steering.request import SteerRequest
from itda_core.runs.steering.status import SteeringStatus
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.status import TrainingStatus
from itda_core.runs.transfer.request import TransferRequest
from itda_core.runs.transfer.status import TransferStatus

R = TypeVar("R", bound=JobRequest)
S = TypeVar("S", bound=JobStatus)


@dataclass(frozen=True)
class JobKind(Generic[R, S]):
    """One kind of job. Its worker is `itda COMMAND ARGUMENTS --job FOLDER`, with the request's COMMAND."""

    name: str  # by which jobs of this kind are known in their folders
    noun: str  # what such a job is, for people
    request: type[R]
    status: type[S]
    continues: bool  # whether a worker can go on from where an earlier one ended
    work: str  # what does it, as pkgutil.resolve_name reads it: a generator of progresses, the last of which has the
    # outcome; unless it `generates`, a function that takes `on_progress` as well and returns the outcome
    doing: str  # for people, while it runs
    page: str  # of the dashboard, where it is shown
    # The function that estimates a request's cost, written as `work` is. For a kind without a form of its own it gives
    # the seconds, fast and slow, or None where they cannot be told.
    estimate: str
    form: Mapping[str, str] = field(default_factory=dict)  # the address of an empty form on that page
    generates: bool = True
    goes_further: bool = False  # whether a new job can go on from what finished ones have left in the library

    @property
    def command(self) -> list[str]:
        """The words of the command of the command line that does the work."""
        return self.request.COMMAND.split()

    def do(
        self,
        request: R,
        *,
        on_step: Callable[[str], None],
        on_progress: Callable[[Any], None],
        instead: Callable[..., Any] | None = None,
        **more: Any,
    ) -> Any:
        """Do what `request` asks for and return the outcome, which is what the status's field OUTCOME holds.

        on_step: the name of each part of the work, as it begins; on_progress: each progress; what they raise ends it.
        instead: done in place of the kind's own work; more: arguments of this kind alone.
        Raises what the work raises.
        """
        done = instead or resolve_name(self.work)
        if not self.generates:
            return done(request, on_step=on_step, on_progress=on_progress, **more)
        with closing(done(request, on_step=on_step, **more)) as progresses:
            for progress in progresses:
                on_progress(progress)
        outcome = getattr(progress, self.status.OUTCOME)
        assert outcome is not None, "work ends with its outcome"
        return outcome


TRAINING = JobKind(
    name="train",
    noun="training",
    request=TrainRequest,
    status=TrainingStatus,
    continues=True,
    work="itda_core.runs.training.run:run",
    estimate="itda_core.runs.costs.training:estimate",
    doing="Training",
    page="Train",
    generates=False,
    goes_further=True,
)
EVALUATION = JobKind(
    name="evaluate",
    noun="evaluation",
    request=EvaluateRequest,
    status=EvaluationStatus,
    continues=False,
    work="itda_core.runs.evaluation.run:measure",
    estimate="itda_core.runs.costs.evaluation:estimate_evaluation",
    doing="Evaluating",
    page="Evaluate",
)
MATCHING = JobKind(
    name="match",
    noun="layer matching",
    request=MatchRequest,
    status=MatchStatus,
    continues=False,
    work="itda_core.runs.matching.run:match_models",
    estimate="itda_core.runs.costs.matching:estimate_match",
    doing="Matching layers",
    page="Compare",
    form={"show": "measures"},
)
TRANSFER = JobKind(
    name="transfer",
    noun="transfer",
    request=TransferRequest,
    status=TransferStatus,
    continues=False,
    work="itda_core.runs.transfer.run:transfer_labels",
    estimate="itda_core.runs.costs.transfer:estimate_transfer",
    doing="Transferring labels",
    page="Compare",
    form={"show": "transfer"},
    generates=False,
)
INDEXING = JobKind(
    name="index",
    noun="atom index",
    request=IndexRequest,
    status=IndexStatus,
    continues=True,
    work="itda_core.runs.indexing.run:index_dictionary",
    estimate="itda_core.runs.indexing.cost:index_seconds",
    doing="Indexing atoms",
    page="Atoms",
)
MAPPING = JobKind(
    name="map",
    noun="map of atoms",
    request=MapRequest,
    status=MapStatus,
    continues=False,
    work="itda_core.runs.atoms.mapping:make_map",
    estimate="itda_core.runs.atoms.mapping:map_seconds",
    doing="Laying out atoms",
    page="Atoms",
    form={"show": "map"},
)
STEERING = JobKind(
    name="steer",
    noun="steering",
    request=SteerRequest,
    status=SteeringStatus,
    continues=False,
    work="itda_core.runs.steering.run:steer",
    estimate="itda_core.runs.steering.cost:steering_seconds",
    doing="Writing",
    page="Decompose",
)
KINDS: Mapping[str, JobKind[Any, Any]] = MappingProxyType(
    {kind.name: kind for kind in (TRAINING, EVALUATION, MATCHING, TRANSFER, INDEXING, MAPPING, STEERING)}
)


def kind_of(request: R) -> JobKind[R, Any]:
    """The kind of job that does `request`."""
    return next(kind for kind in KINDS.values() if isinstance(request, kind.request))
