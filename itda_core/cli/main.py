"""The command line: `itda`, the same as `python -m itda_core`."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import typer

from itda_core.cli.app import app
from itda_core.cli.atoms import atoms
from itda_core.cli.bench import bench
from itda_core.cli.compare import compare
from itda_core.cli.evaluate import evaluate
from itda_core.cli.jobs import jobs
from itda_core.cli.library import library
from itda_core.cli.match import match
from itda_core.cli.options import INTERRUPTED, group
from itda_core.cli.plan import plan
from itda_core.cli.prompts.attribute import attribute
from itda_core.cli.prompts.decompose import decompose
from itda_core.cli.prompts.steer import steer
from itda_core.cli.request_command import command_for
from itda_core.cli.terminal import visible
from itda_core.cli.train import train
from itda_core.cli.transfer import transfer
from itda_core.errors import UserError, presentable
from itda_core.files.dataclass_schema import LARGEST
from itda_core.machine import standard_streams
from itda_core.runs.jobs.kinds import KINDS

cli = group("Read a language model's activations as sparse sums of activations that were really seen.")
for command in (app, train, decompose, steer, attribute, evaluate, match, compare, transfer, plan):
    cli.command()(command)
for kind in KINDS.values():
    (name, *grouped) = kind.command  # those of a group are where the group is
    if not grouped and name not in {one.callback.__name__ for one in cli.registered_commands if one.callback}:
        cli.command()(command_for(kind))
cli.add_typer(library, name="library")
cli.add_typer(jobs, name="jobs")
cli.add_typer(atoms, name="atoms")
cli.add_typer(bench, name="bench")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 a user's error in one line, 130 interrupted."""
    standard_streams.prepare()
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    code = _exit_code(lambda: _run(sys.argv[1:] if arguments is None else arguments))
    # Printed text may still lie in a buffer; if it cannot be written, that is an error like any other.
    unwritten = _exit_code(standard_streams.finish)
    sys.exit(code or unwritten)


def _run(arguments: Sequence[str]) -> object:
    for argument in arguments:
        try:
            argument.encode("utf-8")
        except UnicodeEncodeError:
            raise UserError(f"Argument {argument[:200]} is not UTF-8 text; rename what it names.") from None
    return cli(_with_address(arguments), prog_name="itda", standalone_mode=False)


def _exit_code(work: Callable[[], object]) -> int:
    """The exit code of the work, 0 by default; what it is refused with goes to standard error."""
    try:
        code = work()
    except UserError as error:
        code = _error(str(error))
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        refusal = error.format_message().rstrip(".")
        code = _error(presentable(f"{refusal}. See {context.command_path if context else 'itda'} --help."))
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("Interrupted.", err=True)
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe (head, less) has seen enough
        code = 0
    return code if isinstance(code, int) else 0


def _with_address(arguments: Sequence[str]) -> list[str]:
    """The arguments, with `--cluster auto` for a `--cluster` without an address: typer has no optional values."""
    following = [*arguments[1:], "-"][: len(arguments)]
    bare = [one == "--cluster" and after.startswith("-") for one, after in zip(arguments, following, strict=True)]
    return [
        part for one, is_bare in zip(arguments, bare, strict=True) for part in ([one, "auto"] if is_bare else [one])
    ]


def _error(sentence: str) -> int:
    typer.echo(f"error: {' '.join(visible(line) for line in sentence.split(chr(10)))}", err=True)
    return 2


def _within_reason(command: Callable[..., Any]) -> Callable[..., Any]:
    """`command`, with NaN and enormous numbers refused in all of its options."""

    @wraps(command)
    def checked(**options: Any) -> Any:
        for name, value in options.items():
            if not isinstance(value, (int, float)):
                continue
            if math.isnan(value):
                raise UserError(f"{name}=nan is no number; give one, or leave it out.")
            if abs(value) > LARGEST:
                raise UserError(f"{name}={str(value)[:20]} is too large a number; give a smaller one, or leave it out.")
        return command(**options)

    return checked


for _group in (cli, library, atoms, bench, jobs):
    for _command in _group.registered_commands:
        assert _command.callback is not None, "commands are made of functions"
        _command.callback = _within_reason(_command.callback)
