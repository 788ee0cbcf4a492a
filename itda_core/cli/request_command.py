"""The options of a command, made from the fields of what it is asked to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from inspect import Parameter
from types import NoneType
from typing import Annotated, Any, get_args

import typer

from itda_core.cli.options import go_offline
from itda_core.runs.jobs.request_fields import Request, Setting, from_options, settings, shown_default


def asks_for(kind: type[Request], order: Sequence[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function of a request and of options of its own.

    kind: the request, whose options the command has as well;
    order: all options in the order in which --help lists them; its own that are not among them come last.
    """

    def command_of(work: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(work, eval_str=True).parameters.values()
        asked = [_parameter(name, setting) for name, setting in settings(kind).items()]
        parameters = {one.name: one.replace(kind=Parameter.KEYWORD_ONLY) for one in (*asked, *own)}

        def command(**given: Any) -> None:
            go_offline(given["offline"])
            work(from_options(kind, given), **{one.name: given[one.name] for one in own})

        command.__name__, command.__doc__, command.__module__ = work.__name__, work.__doc__, work.__module__
        rest = [name for name in parameters if name not in order]
        command.__signature__ = inspect.Signature([parameters[name] for name in (*order, *rest)])  # pyright: ignore[reportFunctionMemberAccess]  (what inspect.signature looks for)
        command.__annotations__ = {}
        return command

    return command_of


def _parameter(name: str, setting: Setting) -> Parameter:
    """The option as typer reads it from a function's signature."""
    option, default = setting.option, shown_default(setting)
    if setting.several:
        kind: Any = list[str]
    elif option.read is not None:
        kind = str
    else:
        kind = next((one for one in get_args(setting.hint) if one is not NoneType), setting.hint)
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
