"""A finished training taken further: more tokens, a lower threshold or more atoms, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from itda_core.dictionaries.config import EXTENDED
from itda_core.errors import UserError
from itda_core.models.sites import KINDS
from itda_core.runs.faults import Faults
from itda_core.runs.jobs.jobs import Jobs
from itda_core.runs.jobs.kinds import TRAINING
from itda_core.runs.layers import format_layers
from itda_core.runs.training.further import Reached, asks_more, check_extended, further, reached_by, request_of
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.results_now import results_now
from pages.ui.components.plain_text import fact_table, heading, notice, problem
from pages.ui.forms import corpus_location, job_form, kept
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.frame import address, beforehand, navigation, shell
from pages.ui.jobs import job_watch
from pages.ui.train import cost as train_cost
from pages.ui.train import size as train_size
from pages.ui.train.site import figures_of

_LIMITS = ("tokens", "threshold", "paper_threshold", "atoms", corpus_location.ADDRESS)
ADDRESS = "further"  # ?further= holds a finished training's job, or a dictionary of the library
_KEPT = (
    "Its atoms are kept, and reading goes on where it stopped. The dictionaries that are there stay in the library. "
    "Other settings need a new training."
)


@dataclass(frozen=True)
class _Run:
    """The training that is to go further."""

    request: TrainRequest
    dictionaries: tuple[str, ...]  # what it ended with, as it is called now
    reached: Reached
    gone: tuple[str, ...] = ()  # those of them that the library does not have any more


def link(name: str, selection: str | None, **values: str) -> None:
    """The way to this form for the job or dictionary `name`, where its selection can go further; `values` are the rest
    of the address.
    """
    if selection is not None and selection not in EXTENDED:
        st.caption(f"Atoms of {selection} are chosen together from all that was read: for more, train anew.")
        return
    navigation.way("Train", "Go further", ":material/fast_forward:", {ADDRESS: name, **values}, key="further")


def page(frame: shell.Shell, name: str) -> None:
    """The form for the job or dictionary `name`, in place of that of a new training."""
    of_dictionary = frame.named is not None and name == address.query.get("dictionary")
    there = {ADDRESS: frame.named if of_dictionary else name, "dictionary": frame.named}
    complaints = st.container()
    try:
        run = _run_of(frame, name)
        check_extended(run.request.config)
    except UserError as error:
        frame.share(there)
        problem(error, key="further.problem")
        job_watch.new(TRAINING)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch"):
            heading(f"Go further with {run.request.model.name}", under=", ".join(run.dictionaries), key="further.name")
        job_watch.new(TRAINING)
    st.caption(_KEPT)
    if run.gone:
        notice(
            f"The library has no {' and no '.join(run.gone)} any more.",
            step="A dictionary that was renamed is found; if it was deleted, start a new training.",
            kind="warning",
            key="further.gone",
        )
    form, cost = st.columns([5, 3], gap="large")
    field_faults, faults = FieldFaults("further"), Faults()
    with form:
        limits = _limits(run.request, name, field_faults)
    frame.share({**there, **address.held(_LIMITS)})
    with complaints:
        shell.complain()
    with cost, st.container(border=True):
        try:
            request = limits.of(run)
            if not asks_more(request.config, run.request.config, limits.d_model):
                notice(
                    "Raise tokens or atoms, or lower the threshold, to continue.",
                    key="further.nothing",
                )
                job_form.start_button(TRAINING, further=True, held_back="Ask for more first.")
                return
            train_cost.cost(request, faults, read=run.reached.read(run.request.config))
            if not faults:
                job_form.terminal(request, further=True)
                frame.export(job_form.exports(request, further=True))
                job_form.start(request, further=True)
        except UserError as error:
            faults.add(error)
        field_faults.show(faults)
        if faults:
            job_form.start_button(TRAINING, further=True, held_back=job_form.MEND)


def _run_of(frame: shell.Shell, name: str) -> _Run:
    """Raises UserError when there is nothing of that name, or nothing that has ended well.

    A dictionary that the address names as the chosen one, too, is what that means.
    """
    entry = next((entry for entry in frame.entries if entry.name == name), None)
    if name == address.query.get("dictionary") and frame.chosen is not None:
        entry = frame.chosen
    elif name == frame.unknown:
        raise UserError(f"{name} is not in the library any more, so nothing can go further; start a new training.")
    if entry is not None:
        return _Run(request_of(entry), (entry.name,), reached_by(entry))
    job = Jobs().get(name, TRAINING)
    status = job.status
    if status.state != "done":
        raise UserError(f"Training {name} is not done ({status.state}); resume it, or wait until it is.")
    found = results_now(status.results)
    names = tuple(one.name if one.entry is None else one.entry.name for one in found)
    tokens = max((one.tokens for one in status.results), default=0)
    reached = Reached(tokens, min((one.atoms for one in status.results), default=0))
    return _Run(job.request, names, reached, tuple(one.name for one in found if one.entry is None))


@dataclass(frozen=True)
class _Limits:
    """What is asked for."""

    corpus: str
    tokens: int | None
    threshold: float | None
    atoms: int | None
    d_model: int | None  # of the site, where it is known

    def of(self, run: _Run) -> TrainRequest:
        """Raises UserError for what `run` cannot go on to."""
        earlier = run.request
        if not self.corpus:
            raise UserError(f"The training read the file {earlier.corpus}; say where it is now.", field="corpus")
        beforehand.check_text(self.corpus)
        limits = {"tokens": self.tokens, "threshold": self.threshold, "atoms": self.atoms, "d_model": self.d_model}
        request = further(earlier, **limits, reached=run.reached)
        return replace(request, corpus=self.corpus)


def _limits(request: TrainRequest, name: str, field_faults: FieldFaults) -> _Limits:
    """Draws what stays as it was and what may change; at first, all as it was. What has no limit cannot be raised."""
    config = request.config
    fact_table(_settled(request), title="What stays as it was", key="further.settled")
    corpus = request.corpus
    if not corpus_location.findable(corpus) and not Path(corpus.partition("#")[0]).is_absolute():
        corpus = corpus_location.where_now(corpus, "further.corpus")
    field_faults.beside("corpus")
    st.subheader("How far", anchor=False)
    left, middle, right = st.columns(3)
    with left:
        tokens = _tokens(config.tokens, f"further.tokens.{name}")
    with middle:
        key = f"further.threshold.{name}"
        if config.rule.by_width:
            threshold = train_size.paper_threshold(key, request.model.name, request.site, config.threshold)
        else:
            assert config.threshold is not None, "this selection has one"
            threshold = train_size.threshold(key, config.threshold)
    with right:
        atoms = None if config.atoms is None else train_size.most_atoms(f"further.atoms.{name}", config.atoms)
        if config.atoms is None:
            train_size.no_limit(f"further.atoms.{name}.none")
    field_faults.beside("tokens", "threshold", "atoms")
    known = figures_of(request.model.name) if request.site in KINDS else None
    return _Limits(corpus, tokens, threshold, atoms, None if known is None else known.d_model)


def _tokens(earlier: int | None, key: str) -> int | None:
    if earlier is None:  # all was read: an address cannot ask for less
        st.number_input(train_size.ALL_TOKENS, value=0, disabled=True, key=f"{key}.all")
        return None
    given = kept.number(
        "tokens",
        train_size.ALL_TOKENS,
        earlier,
        step=10_000,
        key=key,
        help="The number of tokens in all, with those already read. Where no text is left and the threshold is lower, "
        "the text is read again.",
    )
    return given or None


def _settled(request: TrainRequest) -> dict[str, str]:
    config = request.config
    facts = {
        "Model": request.model.name,
        "Site": request.site,
        "Layers": format_layers(request.layers),
        "Text": Path(request.corpus).name,
        "Tokens per window": f"{config.context}, {config.windows} windows of a document",
        "Selection": config.selection,
        "Atoms per token": f"{config.k} by {config.method.upper()}",
        "Attention sinks": "kept" if config.sinks is None else f"left out above {config.sinks:g} medians",
    }
    if config.centre:
        facts["Mean"] = "removed"
    return facts
