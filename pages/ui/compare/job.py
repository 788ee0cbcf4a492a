"""One job of the compare page, whichever of its kinds it is of."""

from __future__ import annotations

from typing import Any

from itda_core.errors import UserError
from itda_core.runs.jobs.jobs import Jobs
from itda_core.runs.jobs.kinds import MATCHING, JobKind
from pages.ui.frame import shell
from pages.ui.jobs import job_watch
from pages.ui.jobs.views import view_of


def page(frame: shell.Shell, id: str) -> None:
    """Draw one job."""
    shell.complain()
    job_watch.one_job(frame, id, view_of(_kind(id)))


def _kind(id: str) -> JobKind[Any, Any]:
    """That of the job, if this page shows such jobs; otherwise one whose view says that it does not."""
    try:
        kind = Jobs().get(id).kind
    except UserError:
        return MATCHING
    return kind if kind.page == MATCHING.page else MATCHING
