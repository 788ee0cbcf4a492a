"""What several commands share: options, and how their values are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from itda_core.arguments import one_of
from itda_core.dictionaries.config import METHODS, TrainConfig
from itda_core.errors import UserError
from itda_core.files.dataclass_schema import LARGEST
from itda_core.files.paths import existing_folder
from itda_core.text.corpus_kinds import GRAMMAR

MODELS = "demo:0 ... demo:4, a local folder or a Hub id."

Model = Annotated[str, typer.Argument(metavar="MODEL", help=MODELS)]
Corpus = Annotated[str, typer.Option(help=f"{GRAMMAR}.")]
Context = Annotated[int, typer.Option(help="Tokens per window.")]
Windows = Annotated[str, typer.Option(help="all windows of a document, or only the first.")]
Centre = Annotated[bool, typer.Option("--centre", help="Subtract the stream's mean first.")]
JudgingMethod = Annotated[str, typer.Option(help=f"The pursuit that judges: {one_of(METHODS)}.")]
OwnMethod = Annotated[str | None, typer.Option(help=f"{one_of(METHODS)}; the dictionary's own if left out.")]
LabelsCorpus = Annotated[str | None, typer.Option(help="Where the labels' text is now.")]
Quick = Annotated[bool, typer.Option("--quick", help="Tiny sizes: does it run? Its figures mean nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, everything else on stderr.")]


LibraryFolder = Annotated[
    str | None, typer.Option("--library", metavar="DIR", help="Another library than your own ($ITDA_HOME/library).")
]


Reference = Annotated[str, typer.Argument(metavar="DICTIONARY", help="A name in the library or a folder.")]


Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]


Dtype = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]


Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub id.")]


Offline = Annotated[bool, typer.Option("--offline", help="Use only what is already on this machine.")]


RemoteCode = Annotated[bool, typer.Option("--trust-remote-code", help="Run Python code that comes with the model.")]


Placement = Annotated[
    str,
    typer.Option(
        help="Where the weights go: memory (all on the device), spread (over GPUs, main memory and disk, by "
        "accelerate), stream (itda train only: layer by layer from disk), or auto (memory if they fit)."
    ),
]


OtherModel = Annotated[
    str | None, typer.Option("--model", help="Where the dictionary's model is now; its weights must be the same.")
]


JobFolder = Annotated[Path | None, typer.Option(hidden=True, callback=lambda given: _job_folder(given))]


INTERRUPTED = 130


def _job_folder(given: Path | None) -> Path | None:
    """The folder of the job that a worker works for, which its starter has made."""
    return None if given is None else existing_folder(given, "--job")


def go_offline(offline: bool) -> None:
    if offline:  # huggingface_hub reads it when it is imported, which has not happened yet
        os.environ["HF_HUB_OFFLINE"] = "1"


def training_config(*, sinks: float | None, **fields: Any) -> TrainConfig:
    """The configuration with these fields; sinks None: what it is if left out. Raises UserError as TrainConfig does."""
    if sinks is not None:
        fields["sinks"] = sinks
    return TrainConfig(**fields)


def listed(given: list[str] | None) -> list[str]:
    """The values of an option that may be repeated and may hold lists."""
    return [part.strip() for text in given or () for part in text.split(",") if part.strip()]


def whole_number(text: str) -> int:
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < len(str(LARGEST))):
        raise UserError(f"k={text[:40]} is not a whole number; give one or several, for example --k 10,20,40.")
    return int(text)


def group(help: str) -> typer.Typer:
    """A command that has commands; alone it shows its help."""
    made = typer.Typer(help=help, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

    @made.callback(invoke_without_command=True)
    def show_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return made
