"""A steering as a job: both texts as they grow, then what was changed; as VIEW for job_watch."""

from __future__ import annotations

from itda_core.analysis.interventions.steered import where_changed
from itda_core.analysis.interventions.written import text_of
from itda_core.figures_as_text import figure
from itda_core.files.without_paths import without_paths
from itda_core.runs.jobs.jobs import Job
from itda_core.runs.jobs.kinds import STEERING
from itda_core.runs.steering.request import SteerRequest
from itda_core.runs.steering.status import SteeringStatus
from pages.ui.components.plain_text import fact_table, notice
from pages.ui.components.printable import visible
from pages.ui.effects import change_exports, marked_text
from pages.ui.frame import address, engine, navigation, shell
from pages.ui.jobs import job_watch


def _figures(job: Job[SteerRequest, SteeringStatus], status: SteeringStatus) -> None:
    prompt, steered = job.request.prompt, status.steered
    begun = marked_text.unmarked(prompt) if steered is None else marked_text.begins(steered.effect)
    marked_text.both(prompt, begun, status.before, status.after, key="steer.written")
    if status.steered is None:
        return
    effect = status.steered.effect
    if effect.warning:
        notice(effect.warning, kind="warning", key="steer.large")
    facts = {
        "Changed": visible(", ".join(map(text_of, effect.changes))),
        "Where": where_changed(effect),
        "KL": f"{figure(effect.kl, '.3f')} nats behind token {effect.token}",
    }
    fact_table(facts, key="steer.facts")


def _leads_to(job: Job[SteerRequest, SteeringStatus], status: SteeringStatus) -> None:
    """To the same prompt and atom in Decompose, by the name that the dictionary has now."""
    if status.steered is None:
        return
    effect = status.steered.effect
    found = next((one for one in engine.usable(engine.entries()) if one.name == effect.dictionary), None)
    if found is None:
        return
    there = {"dictionary": found.name, "prompt": effect.prompt, "token": effect.token}
    first, *others = effect.changes
    there |= {"atom": first.atom, "change": "True", "strength": first.strength, "unit": first.unit}
    there |= {"where": effect.where, "also": address.MARK.join(map(text_of, others))}
    there |= {"added": "True" if first.added else None, "special_too": "True" if effect.include_special else None}
    navigation.way("Decompose", "See the prediction", ":material/account_tree:", there, key="steer.see")


def _under(request: SteerRequest) -> str:
    return f"{request.new_tokens:,} tokens, temperature {request.temperature:g}, seed {request.seed}"


def _files(job: Job[SteerRequest, SteeringStatus]) -> shell.Files:
    stem, steered = f"steering-{job.id}", job.status.steered
    taken = {} if steered is None else change_exports.files(steered, without_paths(job.request.command()), stem)
    return {**taken, "All of it (JSON)": (f"{stem}-all.json", "application/json", lambda: job_watch.everything(job))}


VIEW = job_watch.View(STEERING, _under, _figures, _files, leads_to=_leads_to)
