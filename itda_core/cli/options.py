"""What several commands share: options, and how their values are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from itda_core.files.paths import existing_folder
from itda_core.runs.jobs.request_options import (
    CONFIG,
    LABELS_TEXT,
    LIBRARY,
    MODELS,
    OTHER_MODEL,
    OWN_METHOD,
    SETTINGS,
)

Model = Annotated[str, typer.Argument(metavar="MODEL", help=MODELS)]
Context = Annotated[int, typer.Option(help=CONFIG["context"].help)]
Windows = Annotated[str, typer.Option(help=CONFIG["windows"].help)]
OwnMethod = Annotated[str | None, typer.Option(help=OWN_METHOD)]
LabelsCorpus = Annotated[str | None, typer.Option(help=LABELS_TEXT.help)]
Quick = Annotated[bool, typer.Option("--quick", help="Use tiny sizes: a trial run whose figures mean nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, everything else on stderr.")]
LibraryFolder = Annotated[str | None, typer.Option("--library", metavar=LIBRARY.metavar, help=LIBRARY.help)]
Reference = Annotated[str, typer.Argument(metavar="DICTIONARY", help="A name in the library or a folder.")]
Device = Annotated[str, typer.Option(help=SETTINGS["device"].help)]
Dtype = Annotated[str, typer.Option(help=SETTINGS["dtype"].help)]
Revision = Annotated[str | None, typer.Option(help=SETTINGS["revision"].help)]
Offline = Annotated[bool, typer.Option("--offline", help=SETTINGS["offline"].help)]
RemoteCode = Annotated[bool, typer.Option("--trust-remote-code", help=SETTINGS["trust_remote_code"].help)]
Placement = Annotated[str, typer.Option(help=SETTINGS["placement"].help)]
OtherModel = Annotated[str | None, typer.Option("--model", help=OTHER_MODEL.help)]
JobFolder = Annotated[Path | None, typer.Option(hidden=True, callback=lambda given: _job_folder(given))]

INTERRUPTED = 130


def _job_folder(given: Path | None) -> Path | None:
    """The folder of the job that a worker works for; the job's starter has made it."""
    return None if given is None else existing_folder(given, "--job")


def go_offline(offline: bool) -> None:
    """Keep the Hub's library from asking the network, if `offline`."""
    if offline:  # huggingface_hub reads it when it is imported, which has not happened yet
        os.environ["HF_HUB_OFFLINE"] = "1"


def group(help: str) -> typer.Typer:
    """A command that has commands; alone it shows its help."""
    made = typer.Typer(help=help, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

    @made.callback(invoke_without_command=True)
    def show_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return made
