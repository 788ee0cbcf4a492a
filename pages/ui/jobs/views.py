"""How a job of each kind is shown: by a view of its own, or by the figures of its outcome."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

from itda_core.errors import UserError
from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.jobs.kinds import EVALUATION, INDEXING, MAPPING, MATCHING, STEERING, TRAINING, TRANSFER, JobKind
from itda_core.runs.jobs.status import JobStatus
from pages.ui.components.plain_text import fact_table
from pages.ui.components.printable import visible
from pages.ui.frame import shell
from pages.ui.jobs import job_watch

_VIEWS = {
    TRAINING.name: "pages.ui.train.watch:VIEW",
    EVALUATION.name: "pages.ui.evaluate.watch:VIEW",
    MATCHING.name: "pages.ui.compare.matching.page:VIEW",
    TRANSFER.name: "pages.ui.compare.transfer.page:VIEW",
    INDEXING.name: "pages.ui.atoms.making:VIEW",
    MAPPING.name: "pages.ui.atoms.laying_out:VIEW",
    STEERING.name: "pages.ui.effects.watch:VIEW",
}


def view_of(kind: JobKind[Any, Any]) -> job_watch.View[Any, Any]:
    """The view that shows jobs of this kind."""
    if kind.name in _VIEWS:
        return resolve_name(_VIEWS[kind.name])
    return job_watch.View(kind, lambda _: kind.doing, _figures, _files)


def view_of_job(id: str, otherwise: JobKind[Any, Any]) -> job_watch.View[Any, Any]:
    """The view of a job on the page of `otherwise`; where that page shows no such job, the one that says so."""
    try:
        kind = Jobs().get(id).kind
    except UserError:
        kind = otherwise
    return view_of(kind if kind.page == otherwise.page else otherwise)


def _figures(job: Job[Any, Any], status: JobStatus) -> None:
    outcome = getattr(status, status.OUTCOME)
    if outcome is not None:
        facts = {name: visible(str(value)) for name, value in outcome.to_dict().items()}
        fact_table(facts, key=f"{job.kind.name}.outcome")


def _files(job: Job[Any, Any]) -> shell.Files:
    return job_watch.table_files(job, getattr(job.status, job.status.OUTCOME), f"{job.kind.name}-{job.id}", {})
