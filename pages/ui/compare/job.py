"""One job of the compare page, whichever of its kinds it is of."""

from __future__ import annotations

from itda_core.errors import UserError
from itda_core.runs.jobs.jobs import Jobs
from itda_core.runs.jobs.kinds import TRANSFER
from pages.ui.compare.matching import watch as matching_watch
from pages.ui.compare.transfer import watch as transfer_watch
from pages.ui.frame import shell
from pages.ui.jobs import job_watch


def page(frame: shell.Shell, id: str) -> None:
    shell.complain()
    if _is_transfer(id):
        job_watch.one_job(frame, id, transfer_watch.VIEW)
    else:
        job_watch.one_job(frame, id, matching_watch.VIEW)


def _is_transfer(id: str) -> bool:
    try:
        return Jobs().get(id).kind is TRANSFER
    except UserError:  # there is none; the other view says so
        return False
