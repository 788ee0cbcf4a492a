"""Commands made from requests: their options follow from the request's fields, their work from its kind."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any

import typer

from itda_core.cli.options import INTERRUPTED, AsJson, JobFolder, go_offline
from itda_core.cli.terminal import TrainingLine, print_json, print_table, stdout_for_json, training_line, visible
from itda_core.runs.jobs.kinds import JobKind, kind_of
from itda_core.runs.jobs.request_fields import JobRequest, Setting, from_options, settings, shown_default
from itda_core.runs.jobs.stopping import Interrupted, StopRequest


def asks_for(kind: type[JobRequest], order: Sequence[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function of a request and of options of its own.

    kind: the request, whose options the command has as well;
    order: all options in the order in which --help lists them; its own that are not among them come last.
    """

    def command_of(work: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(work, eval_str=True).parameters.values()
        options = [_parameter(name, setting) for name, setting in settings(kind).items()]
        parameters = {one.name: one.replace(kind=Parameter.KEYWORD_ONLY) for one in (*options, *own)}

        def command(**given: Any) -> None:
            go_offline(given.get("offline", False))
            work(from_options(kind, given), **{one.name: given[one.name] for one in own})

        command.__name__, command.__doc__, command.__module__ = work.__name__, work.__doc__, work.__module__
        rest = [name for name in parameters if name not in order]
        command.__signature__ = inspect.Signature([parameters[name] for name in (*order, *rest)])  # pyright: ignore[reportFunctionMemberAccess]  (what inspect.signature looks for)
        command.__annotations__ = {}
        return command

    return command_of


def outcome_of(request: JobRequest, *, job: Path | None, as_json: bool) -> Any:
    """Do what `request` asks for, under a progress line or for a job, and return the outcome.

    The kind of job is one that cannot be continued: an interruption says so, and ends the command.
    """
    from itda_core.runs.jobs.worker import work_for_job

    kind = kind_of(request)
    try:
        with stdout_for_json(as_json), StopRequest(), training_line() as line:
            if job is not None:
                return work_for_job(job, request, on_step=line.step)
            return kind.do(request, on_step=line.step, on_progress=shown_on(line))
    except (KeyboardInterrupt, Interrupted):
        article = "an" if kind.noun[0] in "aeiou" else "a"
        typer.echo(f"Interrupted; {article} {kind.noun} cannot be continued, only begun again.", err=True)
        raise typer.Exit(INTERRUPTED) from None


def command_for(kind: JobKind[Any, Any]) -> Callable[..., None]:
    """The command of a kind of job that has no file of its own here: it prints the outcome's figures."""

    def command(request: JobRequest, *, job: JobFolder = None, as_json: AsJson = False) -> None:
        outcome = outcome_of(request, job=job, as_json=as_json).to_dict()
        if as_json:
            print_json(outcome)
        else:
            print_table(("figure", "value"), outcome.items(), numbers=("value",))

    command.__name__, command.__doc__ = kind.name, kind.request.__doc__
    return asks_for(kind.request, ())(command)


def shown_on(line: TrainingLine) -> Callable[[Any], None]:
    """What shows a progress on the line, and says each of its notes once."""
    n_shown = 0

    def show(progress: Any) -> None:
        nonlocal n_shown
        line.share(progress)
        notes = getattr(progress, "notes", ())
        for note in notes[n_shown:]:
            line.note(visible(note))
        n_shown = len(notes)

    return show


def _parameter(name: str, setting: Setting) -> Parameter:
    """The option as typer reads it from a function's signature."""
    option, default = setting.option, shown_default(setting)
    kind = setting.given_as
    if option.argument:
        info: Any = typer.Argument(metavar=option.metavar, help=option.help)
    else:
        info = typer.Option(option.flag, metavar=option.metavar, help=option.help)
    return Parameter(
        name,
        Parameter.KEYWORD_ONLY,
        default=Parameter.empty if default is MISSING else default,
        annotation=Annotated[kind | None if default is None else kind, info],
    )
