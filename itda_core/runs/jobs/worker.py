"""What a job's worker does: work that reports to the job's folder and stops when asked to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from time import monotonic
from typing import Any

from itda_core.files import read_json
from itda_core.runs.jobs.jobs import Job
from itda_core.runs.jobs.kinds import JobRequest, kind_of
from itda_core.runs.jobs.references import check_read, placed
from itda_core.runs.jobs.reporter import STATUS, Reporter, ending
from itda_core.runs.jobs.stopping import Interrupted

WORK = "work"


def work_for_job(
    folder: Path,
    request: JobRequest,
    *,
    on_step: Callable[[str], None],
    resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    **more: Any,
) -> Any:
    """Do `request` for the job in `folder` and return the outcome, which is in the job's status as well.

    The results so far are in the status, and stay there when the work is stopped. Of a kind that continues, a worker
    that is started again (`resume`) goes on from the job's own checkpoint; one of a job that was asked to go further,
    and has no checkpoint yet, from finished dictionaries in the library.

    should_stop: besides the job's folder, work that can be continued asks it; more: arguments of this kind alone, as in
    JobKind.do.

    Raises what the work raises, and Interrupted, after the job's status says so.
    """
    kind, began = kind_of(request), monotonic()
    identities = Job(folder).identities
    earlier = kind.status.from_dict(read_json(folder / STATUS)) if resume and kind.continues else kind.status()
    none_yet = next(own.default for own in fields(earlier) if own.name == earlier.OUTCOME)
    begun = replace(earlier, state="running", error=None, **{earlier.OUTCOME: none_yet}).at_step("starting")
    reporter, following = Reporter(folder, begun), earlier.following()

    def step(name: str) -> None:
        on_step(name)
        reporter.step(name)

    def note(sentence: str) -> None:
        # A worker that goes on says again what an earlier one has said.
        if sentence not in reporter.status.notes:
            reporter.report(replace(reporter.status, notes=(*reporter.status.notes, sentence)))

    def stop(now: Any) -> bool:
        # Work that can be continued asks by itself, so that it can first keep what it has.
        return not kind.continues and reporter.cancelled() and not getattr(now, "done", False)

    def progress(now: Any) -> None:
        # What a generator yields is done, so it is always reported; a callback may come as a part begins.
        if kind.generates or not stop(now):
            reporter.report(following(reporter.status, now), soon=False)
        if stop(now):
            raise Interrupted(reporter.status.tokens, None)

    if kind.continues:
        more |= {"resume": resume, "work": folder / WORK}
        more["should_stop"] = lambda: should_stop() or reporter.cancelled()
    if kind.continues and not kind.generates:  # the progresses of a generator have their notes
        more["on_note"] = note
    if kind.goes_further:
        more["further"] = Job(folder).further
    with ending(reporter):
        outcome = kind.do(placed(request, identities), on_step=step, on_progress=progress, **more)
        check_read(outcome, identities)
        reporter.report(reporter.status.with_outcome(outcome, monotonic() - began))
    return outcome
