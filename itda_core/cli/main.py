"""The command line: `itda`, the same as `python -m itda_core`."""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from itda_core.arguments import one_of
from itda_core.cli.terminal import (
    print_convergence,
    print_decomposition,
    print_evaluations,
    print_jaccard,
    print_json,
    print_orders,
    print_table,
    print_transfer,
    training_line,
    visible,
)
from itda_core.comparison.label_transfer.transfer import DRAWS
from itda_core.comparison.label_transfer.transfer import TOKENS as TRANSFER_TOKENS
from itda_core.dictionaries.config import EXTENDED, METHODS, SELECTIONS, SIZED
from itda_core.dictionaries.selections import TERMS
from itda_core.errors import UserError, said
from itda_core.files.dataclass_schema import LARGEST
from itda_core.files.paths import existing_folder, new_file
from itda_core.machine import standard_streams
from itda_core.models.sites import KINDS as SITES
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.jobs.stopping import StopRequest
from itda_core.runs.library import Library, LibraryEntry
from itda_core.runs.matching.request import ANCHORS, DICTIONARIES, MEASURES, MatchRequest
from itda_core.runs.training.request import DEFAULT_SITE, TrainRequest
from itda_core.runs.transfer.request import OWN_LAYERS, TransferRequest
from itda_core.text.corpus_kinds import GRAMMAR

_OPTIONS = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
cli = typer.Typer(
    help="Read a language model's activations as sparse sums of activations that were really seen.", **_OPTIONS
)
library = typer.Typer(help="The dictionaries on this machine: yours and the bundled ones.", **_OPTIONS)
bench = typer.Typer(help="This machine against the textbook and against its own limit.", **_OPTIONS)
jobs = typer.Typer(help="The work that the dashboard has started in the background.", **_OPTIONS)
cli.add_typer(library, name="library")
cli.add_typer(jobs, name="jobs")
cli.add_typer(bench, name="bench")

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


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 a user's error in one line, 130 interrupted."""
    standard_streams.prepare()
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    code = _exit_code(lambda: _run(sys.argv[1:] if arguments is None else arguments))
    # What was printed may lie in a buffer still; where it cannot be written, that is an error as any other.
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
    """0, or what the work returns or is refused with, which is said on standard error."""
    try:
        code = work()
    except UserError as error:
        code = _error(str(error))
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        refusal = error.format_message().rstrip(".")
        code = _error(said(f"{refusal}. See {context.command_path if context else 'itda'} --help."))
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("Interrupted.", err=True)
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe (head, less) has seen enough
        code = 0
    return code if isinstance(code, int) else 0


def _with_address(arguments: Sequence[str]) -> list[str]:
    """The same, a `--cluster` that no address follows made `--cluster auto`: typer knows no optional values."""
    following = [*arguments[1:], "-"][: len(arguments)]
    bare = [one == "--cluster" and after.startswith("-") for one, after in zip(arguments, following, strict=True)]
    return [
        part for one, is_bare in zip(arguments, bare, strict=True) for part in ([one, "auto"] if is_bare else [one])
    ]


def _error(sentence: str) -> int:
    typer.echo(f"error: {' '.join(visible(line) for line in sentence.split(chr(10)))}", err=True)
    return 2


def _job_folder(given: Path | None) -> Path | None:
    """The folder of the job that a worker works for, which its starter has made."""
    return None if given is None else existing_folder(given, "--job")


def _go_offline(offline: bool) -> None:
    if offline:  # huggingface_hub reads it when it is imported, which has not happened yet
        os.environ["HF_HUB_OFFLINE"] = "1"


@contextlib.contextmanager
def _stdout_for_json(as_json: bool) -> Iterator[None]:
    """While the work runs, whatever a library prints goes to stderr, so that stdout holds one JSON object only."""
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        yield


def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@cli.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    _help(context)


@bench.callback(invoke_without_command=True)
def _bench(context: typer.Context) -> None:
    _help(context)


@jobs.callback(invoke_without_command=True)
def _jobs(context: typer.Context) -> None:
    _help(context)


@library.callback(invoke_without_command=True)
def _library(context: typer.Context) -> None:
    _help(context)


@cli.command()
def app(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8501,
    headless: Annotated[bool, typer.Option("--headless", help="Do not open a browser.")] = False,
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Answer under this name too, where a proxy of yours serves it under another."
        ),
    ] = None,
) -> None:
    """Open the dashboard in a browser, on this machine only."""
    page = Path(__file__).resolve().parents[2] / "app.py"
    if not page.is_file():
        raise UserError(f"The dashboard ({page}) is missing; run itda from a clone of the repository.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that ended just now does not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(
                f"Port {port} cannot be used ({error.strerror}); stop what listens there or choose another, "
                f"for example --port {port + 1 if port < 65535 else 8502}."
            ) from None
    typer.echo(f"ITDA Studio: http://127.0.0.1:{port} (Ctrl-C stops it)")
    flags = ["--port", str(port), *(["--headless"] if headless else [])]
    flags += [part for name in host or () for part in ("--host", name)]
    sys.stdout.flush()
    known = [str(page.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(known))  # so that `pages` is found from any folder
    os.execve(sys.executable, [sys.executable, "-m", "pages.ui.frame.serve", str(page), *flags], environment)


@cli.command()
def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="demo:0 ... demo:4, a local folder or a Hub id.")],
    corpus: Annotated[
        str,
        typer.Option(help=f"{GRAMMAR}."),
    ],
    layers: Annotated[
        str | None, typer.Option(help="For example 0,2-4, or all. Needed unless the site names its layer.")
    ] = None,
    site: Annotated[
        str, typer.Option(help=f"{', '.join(SITES)}, blocks.2.hook_resid_post or a module path.")
    ] = DEFAULT_SITE,
    tokens: Annotated[int | None, typer.Option(help="Tokens to read; the whole corpus if left out.")] = None,
    context: Annotated[int, typer.Option(help="Tokens per window.")] = 128,
    windows: Annotated[str, typer.Option(help="all windows of a document, or only the first.")] = "all",
    k: Annotated[int, typer.Option("--k", help="Atoms per token.")] = 40,
    method: Annotated[str, typer.Option(help=f"The pursuit that judges: {one_of(METHODS)}.")] = "mp",
    selection: Annotated[
        str,
        typer.Option(help=f"How atoms are selected: {TERMS}."),
    ] = "sequential",
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Error above which an activation becomes an atom: relative squared error, 0 to 1 (0.3 if left out); "
            "with --selection paper 2 (1 - cosine) / d_model (cosine 0.837 if left out)."
        ),
    ] = None,
    atoms: Annotated[
        int | None,
        typer.Option(help=f"Stop growing at this many atoms; {' and '.join(SIZED)} end with exactly that many."),
    ] = None,
    centre: Annotated[bool, typer.Option("--centre", help="Subtract the stream's mean first.")] = False,
    seed: Annotated[int, typer.Option(help="Of selections that draw at random.")] = 0,
    sinks: Annotated[
        float | None,
        typer.Option(
            help="Leave out attention sinks, tokens whose norm is above so many medians; 10 if left out, 0: leave out "
            "none (so with --selection paper)."
        ),
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    library: LibraryFolder = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an unfinished run of this training, or with one, unfinished or finished, that had fewer "
            "tokens, a higher threshold or fewer atoms: its atoms are kept, and reading goes on where it stopped, "
            "under the new settings; where no text is left, it is read again with the lower threshold. The earlier "
            "dictionaries stay in the library.",
        ),
    ] = False,
    initial: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DICTIONARY",
            help="Begin with the atoms of this dictionary, a name in the library or a folder, of the same model, site "
            f"and corpus ({' and '.join(EXTENDED)} only); once for each layer that is to have one.",
        ),
    ] = None,
    keep_activations: Annotated[
        bool,
        typer.Option(
            "--keep-activations",
            help="Write the activations to disk; later trainings on the same text read them instead of running the "
            "model (itda library activations lists and removes them).",
        ),
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]",
            help="Spread the work over a Ray cluster (extra cluster): host:port of one that this machine belongs to, "
            "or nothing (auto), which starts one of this machine's cores. The dictionaries are the same.",
        ),
    ] = None,
    checkpoint_seconds: Annotated[float, typer.Option(min=0, hidden=True)] = 20.0,
    job: JobFolder = None,
    as_json: AsJson = False,
) -> None:
    """Train one dictionary per layer and save them into the library."""
    from itda_core.dictionaries.config import TrainConfig
    from itda_core.models.spec import ModelSpec

    _go_offline(offline)
    request = TrainRequest(
        model=ModelSpec(model, revision, device, dtype, offline, trust_remote_code, placement),
        layers=_layers(layers, site),
        corpus=corpus,
        config=TrainConfig(
            k=k,
            method=method,
            selection=selection,
            threshold=threshold,
            atoms=atoms,
            centre=centre,
            tokens=tokens,
            context=context,
            windows=windows,
            seed=seed,
            **({} if sinks is None else {"sinks": sinks}),
        ),
        site=site,
        library=library,
        initial=tuple(initial or ()),
        keep_activations=keep_activations,
    )
    _train(request, cluster=cluster, resume=resume, checkpoint_seconds=checkpoint_seconds, job=job, as_json=as_json)


def _layers(text: str | None, site: str) -> tuple[int, ...] | None:
    from itda_core.models.sites import KINDS, Site
    from itda_core.runs.layers import parse_layers

    if text is not None:
        return parse_layers(text)
    named = None if site in KINDS or "{layer}" in site else Site.parse(site).layer
    if named is None:
        raise UserError("No layers were named; give --layers, for example --layers 0,2-4 or --layers all.")
    return (named,)


def _train(
    request: TrainRequest,
    *,
    cluster: str | None,
    resume: bool,
    checkpoint_seconds: float,
    job: Path | None,
    as_json: bool,
) -> None:
    from itda_core.runs import cluster as clusters
    from itda_core.runs.jobs.worker import train_for_job
    from itda_core.runs.training.run import Interrupted, run

    train = run if cluster is None else partial(clusters.run, address=cluster)
    more = "" if cluster is None else f" --cluster {shlex.quote(cluster)}"
    try:
        with _stdout_for_json(as_json), StopRequest() as stop, training_line() as line:

            def step(name: str) -> None:
                line.step(name)
                if name == "training":
                    stop.defer()

            if job is None:
                results = train(
                    request,
                    resume=resume,
                    checkpoint_seconds=checkpoint_seconds,
                    on_step=step,
                    on_progress=line.update,
                    on_note=line.note,
                    should_stop=lambda: stop.requested,
                )
            else:
                results = train_for_job(
                    job,
                    request,
                    resume=resume,
                    checkpoint_seconds=checkpoint_seconds,
                    on_step=step,
                    should_stop=lambda: stop.requested,
                    run=train,
                )
    except Interrupted as interrupted:
        typer.echo(f"{interrupted} To go on from there: {request.command()}{more} --resume", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except KeyboardInterrupt:
        typer.echo("Interrupted; an earlier checkpoint, if there is one, is kept.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json({"dictionaries": [asdict(result) for result in results]})
        return
    print_table(
        ("layer", "site", "atoms", "tokens", "seconds", "mean error", "path"),
        [
            (
                result.layer,
                result.site,
                f"{result.atoms:,}",
                f"{result.tokens:,}",
                f"{result.seconds:.1f}",
                f"{result.mean_relative_error:.3f}",
                result.path,
            )
            for result in results
        ],
        numbers=("layer", "atoms", "tokens", "seconds", "mean error"),
    )


@cli.command()
def decompose(
    dictionary: Reference,
    prompt: Annotated[str, typer.Option(help="The text to decompose.")],
    k: Annotated[int | None, typer.Option("--k", help="Atoms per token; the dictionary's own if left out.")] = None,
    method: Annotated[str | None, typer.Option(help=f"{one_of(METHODS)}; the dictionary's own if left out.")] = None,
    model: OtherModel = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Which atoms explain each token of a prompt."""
    _go_offline(offline)
    path = Library(library).find(dictionary)
    with _stdout_for_json(as_json):
        from itda_core.analysis import decompose as explain
        from itda_core.dictionaries import AtomDictionary
        from itda_core.runs.model_of import model_of

        loaded = AtomDictionary.load(path)
        language_model = model_of(
            loaded,
            name=model,
            revision=revision,
            device=device,
            dtype=dtype,
            offline=offline,
            trust_remote_code=trust_remote_code,
            placement=placement,
            head=False,
        )
        result = explain(language_model, loaded, prompt, k, method)
    if as_json:
        print_json(result.to_dict())
    else:
        print_decomposition(result)


@cli.command()
def evaluate(
    dictionaries: Annotated[list[str], typer.Argument(metavar="DICTIONARY...", help="Names or folders.")],
    corpus: Annotated[
        str | None,
        typer.Option(help="Text to measure on; the one each dictionary was built from, behind what was read of it."),
    ] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens to measure on; 4096 if left out.")] = None,
    k: Annotated[
        list[str] | None, typer.Option("--k", metavar="N[,N...]", help="Atoms per token; the dictionary's own k.")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option(metavar="M[,M...]", help=f"{one_of(METHODS)}; the dictionary's own if left out.")
    ] = None,
    model: OtherModel = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    library: LibraryFolder = None,
    job: JobFolder = None,
    as_json: AsJson = False,
) -> None:
    """How good dictionaries are: what they miss of text they were not built from, and what it costs the model."""
    _go_offline(offline)
    request = EvaluateRequest(
        dictionaries=tuple(dictionaries),
        corpus=corpus,
        ks=tuple(_whole(part) for part in _listed(k)),
        methods=tuple(_listed(method)),
        tokens=tokens,
        model=model,
        revision=revision,
        device=device,
        dtype=dtype,
        offline=offline,
        trust_remote_code=trust_remote_code,
        library=library,
    )
    _evaluate(request, job=job, as_json=as_json)


def _evaluate(request: EvaluateRequest, *, job: Path | None, as_json: bool) -> None:
    from itda_core.runs.evaluation.run import measure
    from itda_core.runs.jobs.worker import evaluate_for_job
    from itda_core.runs.training.run import Interrupted

    try:
        with _stdout_for_json(as_json), StopRequest(), training_line() as line:
            if job is None:
                told, results = 0, ()
                for progress in measure(request, on_step=line.step):
                    line.share(progress)
                    for note in progress.notes[told:]:
                        line.note(visible(note))
                    told, results = len(progress.notes), progress.results
            else:
                results = evaluate_for_job(job, request, on_step=line.step)
    except (KeyboardInterrupt, Interrupted):
        typer.echo("Interrupted; an evaluation cannot be continued, only begun again.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json({"results": [result.to_dict() for result in results]})
    else:
        print_evaluations(results)


@cli.command()
def match(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="demo:0 ... demo:4, local folders, Hub ids.")],
    corpus: Annotated[
        str,
        typer.Option(help=f"{GRAMMAR}."),
    ],
    layers: Annotated[str, typer.Option(help="For example 0,2-4, or all, if the models have equally many.")] = "all",
    site: Annotated[str, typer.Option(help=f"{', '.join(SITES)} or a module path.")] = DEFAULT_SITE,
    tokens: Annotated[int, typer.Option(help="Tokens to compare on, the first of the corpus.")] = 20_000,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            metavar="M[,M...]",
            help=f"{', '.join(MEASURES)}; all of them if left out.",
        ),
    ] = None,
    anchors: Annotated[
        int, typer.Option(help="Tokens that relative representations and codes describe others by.")
    ] = ANCHORS,
    context: Annotated[int, typer.Option(help="Tokens per window.")] = DICTIONARIES.context,
    windows: Annotated[str, typer.Option(help="all windows of a document, or only the first.")] = DICTIONARIES.windows,
    k: Annotated[int, typer.Option("--k", help="Atoms per token, while dictionaries grow.")] = DICTIONARIES.k,
    method: Annotated[str, typer.Option(help=f"The pursuit that judges: {one_of(METHODS)}.")] = DICTIONARIES.method,
    selection: Annotated[str, typer.Option(help=f"{one_of(SELECTIONS)}, see itda train.")] = DICTIONARIES.selection,
    threshold: Annotated[
        float | None, typer.Option(help="Error above which an activation becomes an atom, see itda train.")
    ] = None,
    atoms: Annotated[int | None, typer.Option(help="Stop growing at this many atoms, see itda train.")] = None,
    centre: Annotated[bool, typer.Option("--centre", help="Subtract the stream's mean first.")] = False,
    sinks: Annotated[
        float | None,
        typer.Option(help="Leave out attention sinks, norms above so many medians; 10 if left out, 0: leave out none."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the anchors, and of selections that draw at random.")] = 0,
    csv: Annotated[Path | None, typer.Option(help="Write every similarity into this file.")] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    job: JobFolder = None,
    as_json: AsJson = False,
) -> None:
    """Is a layer most like the same layer of another model? Every measure of similarity put to that task."""
    from itda_core.dictionaries.config import TrainConfig
    from itda_core.runs.layers import parse_layers

    _go_offline(offline)
    request = MatchRequest(
        models=tuple(models),
        corpus=corpus,
        config=TrainConfig(
            k=k,
            method=method,
            selection=selection,
            threshold=threshold,
            atoms=atoms,
            centre=centre,
            tokens=tokens,
            context=context,
            windows=windows,
            seed=seed,
            **({} if sinks is None else {"sinks": sinks}),
        ),
        layers=parse_layers(layers),
        site=site,
        measures=tuple(_listed(measures)) or MEASURES,
        anchors=anchors,
        revision=revision,
        device=device,
        dtype=dtype,
        offline=offline,
        trust_remote_code=trust_remote_code,
        placement=placement,
    )
    _match(request, csv=csv, job=job, as_json=as_json)


def _match(request: MatchRequest, *, csv: Path | None, job: Path | None, as_json: bool) -> None:
    from itda_core.files import write_text

    csv = None if csv is None else new_file(csv, "--csv")
    from itda_core.runs.jobs.worker import match_for_job
    from itda_core.runs.matching.run import COLUMNS, match_models, remarks, rows, similarities_csv
    from itda_core.runs.training.run import Interrupted

    try:
        with _stdout_for_json(as_json), StopRequest(), training_line() as line:
            if job is None:
                told, table = 0, None
                for progress in match_models(request, on_step=line.step):
                    line.share(progress)
                    for note in progress.notes[told:]:
                        line.note(visible(note))
                    told, table = len(progress.notes), progress.table
                assert table is not None, "a study ends with its table"
            else:
                table = match_for_job(job, request, on_step=line.step)
    except (KeyboardInterrupt, Interrupted):
        typer.echo("Interrupted; a layer matching cannot be continued, only begun again.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if csv is not None:
        write_text(csv, similarities_csv(table))
    if as_json:
        print_json(table.to_dict())
        return
    print_table(COLUMNS, rows(table), numbers=COLUMNS[1:])
    for remark in remarks(table):
        typer.echo(visible(remark))


def _listed(given: list[str] | None) -> list[str]:
    """The values of an option that may be repeated and may hold lists."""
    return [part.strip() for text in given or () for part in text.split(",") if part.strip()]


def _whole(text: str) -> int:
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < len(str(LARGEST))):
        raise UserError(f"k={text[:40]} is not a whole number; give one or several, for example --k 10,20,40.")
    return int(text)


@cli.command()
def compare(
    dictionaries: Annotated[
        list[str],
        typer.Argument(
            metavar="DICTIONARY|FILE...",
            help="At least two, by name or folder, or files of labels (itda library export --labels-only).",
        ),
    ],
    by: Annotated[
        str, typer.Option(help="dictionary, or model: the dictionaries of each model united over its layers.")
    ] = "dictionary",
    corpus: Annotated[
        str | None, typer.Option(help="Where their corpus is, to see what is comparable; looked for by its name.")
    ] = None,
    crop: Annotated[
        bool, typer.Option("--crop", help="Cut each two to the smaller one's size: the labels that entered first.")
    ] = False,
    null: Annotated[
        str, typer.Option(help="The chance level: uniform, or token (each keeps how often it holds each token).")
    ] = "uniform",
    interval: Annotated[
        bool, typer.Option("--interval/--no-interval", help="Bootstrap intervals over documents.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    orders: Annotated[
        int | None,
        typer.Option(
            max=1000, help="Grow each anew in so many orders of its corpus: what does the order do? Takes minutes."
        ),
    ] = None,
    over_training: Annotated[
        bool,
        typer.Option(
            "--over-training",
            help="Of checkpoints of one model (revisions, or folders): each beside the last one, layer by layer, in "
            "the order of the numbers in their names. Without --corpus what is comparable is estimated.",
        ),
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Write every pair into this file as well.")] = None,
    differences: Annotated[
        Path | None,
        typer.Option(help="Of two: write the labels they share, and those that only one has, into this CSV file."),
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """How much dictionaries have in common: the Jaccard matrix of their labels, with chance level and intervals."""
    _go_offline(offline)
    csv = None if csv is None else new_file(csv, "--csv")
    differences = None if differences is None else new_file(differences, "--differences")
    shelf = Library(library)
    if over_training:
        unfit = {"--by": by != "dictionary", "--crop": crop, "--orders": orders is not None}
        unfit["--differences"] = differences is not None
        if given := [name for name, is_given in unfit.items() if is_given]:
            raise UserError(f"{' and '.join(given)} cannot go with --over-training; leave one of them out.")
        _over_training(
            dictionaries,
            shelf,
            corpus=corpus,
            offline=offline,
            trust_remote_code=trust_remote_code,
            null=null,
            interval=interval,
            seed=seed,
            csv=csv,
            as_json=as_json,
        )
        return
    with _stdout_for_json(as_json), training_line() as line:
        from itda_core.files import write_text
        from itda_core.files.csv_export import frame_csv
        from itda_core.runs.comparing import compare as compare_all
        from itda_core.runs.comparing import compare_orders, write_csv
        from itda_core.runs.rebuilding import find_labels

        paths = [find_labels(name, shelf) for name in dictionaries]
        growing = None
        if orders is not None:  # refused, if it is to be, before anything else is done
            growing = compare_orders(
                paths,
                orders=orders,
                corpus=corpus,
                device=device,
                dtype=dtype,
                offline=offline,
                trust_remote_code=trust_remote_code,
                seed=seed,
            )
        found = compare_all(
            paths,
            by=by,
            corpus=corpus,
            offline=offline,
            trust_remote_code=trust_remote_code,
            null=null,
            interval=interval,
            crop=crop,
            seed=seed,
            on_step=line.step,
        )
        for note in found.notes:
            line.note(visible(note))
        if csv is not None:
            write_csv(found.matrix, csv)
        if differences is not None:
            write_text(differences, frame_csv(found.differences().labels()))
        effect = None
        for progress in growing or ():
            line.step(f"{progress.name}, order {progress.order + 1}: {progress.trained} of {progress.total} grown")
            effect = progress.effect
    if as_json:
        order = {} if effect is None else {"orders": effect.to_dict()}
        print_json({**found.matrix.to_dict(), "notes": list(found.notes), **order})
    else:
        print_jaccard(found.matrix)
        if effect is not None:
            print_orders(effect)


def _over_training(
    dictionaries: Sequence[str], shelf: Library, *, csv: Path | None, as_json: bool, **options: Any
) -> None:
    """options: those of runs.over_training."""
    from itda_core.comparison.over_training.convergence_report import to_csv
    from itda_core.files import write_text
    from itda_core.runs.over_training import over_training
    from itda_core.runs.rebuilding import find_labels

    with _stdout_for_json(as_json), training_line() as line:
        paths = [find_labels(name, shelf) for name in dictionaries]
        found = over_training(paths, on_step=line.step, **options)
        for note in found.notes:
            line.note(visible(note))
    if csv is not None:
        write_text(csv, to_csv(found.convergence))
    if as_json:
        print_json({**found.convergence.to_dict(), "notes": list(found.notes)})
    else:
        print_convergence(found.convergence)


@library.command("list")
def list_(library: LibraryFolder = None, as_json: AsJson = False) -> None:
    """Your dictionaries, newest first, then the bundled ones."""
    entries = Library(library).entries()
    if as_json:
        print_json({"dictionaries": [_row(entry) for entry in entries]})
        return
    if not entries:
        typer.echo("The library is empty; train a dictionary with itda train or add one with itda library import.")
        return
    print_table(
        ("name", "model", "layer", "site", "atoms", "k", "FVU", "MiB", "created"),
        [
            (
                entry.name + (" (damaged)" if entry.problem else " (bundled)" if entry.bundled else ""),
                entry.model,
                entry.layer,
                entry.site,
                entry.atoms,
                entry.k,
                None if entry.fvu is None else f"{entry.fvu:.3f}",
                None if entry.bytes is None else f"{entry.bytes / 2**20:.1f}",
                entry.created,
            )
            for entry in entries
        ],
        numbers=("layer", "atoms", "k", "FVU", "MiB"),
    )
    for entry in entries:
        if entry.problem:
            typer.echo(f"{visible(entry.name)}: {visible(entry.problem)}", err=True)


def _row(entry: LibraryEntry) -> dict[str, Any]:
    return {**asdict(entry), "path": str(entry.path)}


@library.command()
def show(dictionary: Reference, library: LibraryFolder = None, as_json: AsJson = False) -> None:
    """What a dictionary was grown from, how, and how well it does."""
    from itda_core.dictionaries.storage.description import read_description
    from itda_core.dictionaries.storage.dictionary_folder import read_summary

    path = Library(library).find(dictionary)
    summary = read_summary(path)
    description = read_description(path)
    if as_json:
        print_json({"path": str(path), "name": summary.name, "bytes": summary.bytes, **description})
        return
    rows: list[tuple[str, object]] = [("path", path), ("MiB", f"{summary.bytes / 2**20:.1f}")]
    for name, value in description.items():
        if isinstance(value, dict):
            rows += [(f"{name}.{inner}", item) for inner, item in value.items()]
        else:
            rows.append((name, value))
    print_table(("", ""), rows)


@library.command()
def verify(
    dictionary: Reference,
    sample: Annotated[int | None, typer.Option(help="Check this many atoms, drawn at random; all if left out.")] = None,
    corpus: Annotated[str | None, typer.Option(help="Where the corpus file is now.")] = None,
    model: OtherModel = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Do the labels tell the truth: read each atom's text again and compare the activation with the atom."""
    _go_offline(offline)
    path = Library(library).find(dictionary)
    with _stdout_for_json(as_json):
        from itda_core.dictionaries import AtomDictionary
        from itda_core.runs.model_of import model_of
        from itda_core.runs.verify import corpus_of
        from itda_core.runs.verify import verify as check_labels

        loaded = AtomDictionary.load(path)
        text = corpus_of(loaded, corpus)
        language_model = model_of(
            loaded,
            name=model,
            revision=revision,
            device=device,
            dtype=dtype,
            offline=offline,
            trust_remote_code=trust_remote_code,
            placement=placement,
            head=False,
        )
        result = check_labels(loaded, language_model, text, sample)
    found = sum(check.cosine is not None for check in result.checks)
    if as_json:
        print_json(
            {
                "dictionary": str(path),
                "atoms": result.atoms,
                "labels": result.labels,
                "checked": len(result.checks),
                "found": found,
                "true": len(result.checks) - len(result.wrong),
                "worst_cosine": result.worst_cosine,
                "fault": result.fault,
                "note": result.note,
                "checks": [asdict(check) for check in result.checks],
            }
        )
    else:
        worst = "" if result.worst_cosine is None else f"; the lowest cosine is {result.worst_cosine:.6f}"
        true = len(result.checks) - len(result.wrong)
        typer.echo(f"{true} of {len(result.checks)} atoms come out of their labels again{worst}.")
        if result.note:
            typer.echo(result.note)
    if result.wrong:
        named = ", ".join(str(check.atom) for check in result.wrong[:10])
        differs = ", ".join(dict.fromkeys(name for check in result.wrong for name in check.differs))
        what = f" and differ in {differs}" if differs else ""
        raise UserError(
            f"{len(result.wrong)} atoms of {path.name} do not come out of their labels again ({named}){what}; "
            "train it anew."
        )
    if result.fault:
        raise UserError(result.fault)


@library.command("import")
def import_(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A dictionary's folder, its zip, or a Hub id.")],
    name: Annotated[str | None, typer.Option(help="What to call it; its own name if left out.")] = None,
    revision: Revision = None,
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Add a dictionary, checked before it appears. Only JSON, safetensors and Parquet are read."""
    with _stdout_for_json(as_json):
        path = Library(library).import_(source, name, revision=revision)
    _say_path(path, "Imported as", as_json)


@library.command()
def export(
    dictionary: Reference,
    target: Annotated[str | None, typer.Argument(metavar="[TARGET]", help="A file, or a folder for NAME.zip.")] = None,
    labels_only: Annotated[
        bool,
        typer.Option(
            "--labels-only",
            help="The labels alone (NAME.labels.json.gz, a few kilobytes, no text and no vectors): who has the model "
            "and the corpus can build the dictionary from it again, see itda library rebuild.",
        ),
    ] = False,
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write a dictionary as one zip file."""
    with _stdout_for_json(as_json):
        path = Library(library).export(dictionary, target, labels_only=labels_only)
    _say_path(path, "Exported to", as_json)


@library.command()
def rebuild(
    labels: Annotated[
        str,
        typer.Argument(metavar="FILE|DICTIONARY", help="What --labels-only wrote, or a dictionary's name or folder."),
    ],
    model: Annotated[str, typer.Option(help="demo:0 ... demo:4, a local folder or a Hub id.")],
    corpus: Annotated[str | None, typer.Option(help="Where the labels' text is now.")] = None,
    layer: Annotated[int | None, typer.Option(help="Of the model; the labels' own if left out.")] = None,
    site: Annotated[str | None, typer.Option(help="Of the model; the labels' own if left out.")] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Build a dictionary from labels alone: a model's activations at the places they name, in the same text."""
    from itda_core.models.spec import ModelSpec

    _go_offline(offline)
    spec = ModelSpec(model, revision, device, dtype, offline, trust_remote_code, placement)
    with _stdout_for_json(as_json), training_line() as line:
        from itda_core.runs.rebuilding import rebuild_into_library

        found = rebuild_into_library(
            labels, spec, corpus=corpus, layer=layer, site=site, library=library, on_step=line.step
        )
    if as_json:
        print_json(found.to_dict())
        return
    told = found.rebuilt
    reasons = {
        "not_comparable": "at no place both have read",
        "sinks": "at attention sinks",
        "zero": "without activation",
    }
    left_out = [f"{n:,} {reasons[why]}" for why, n in told["labels_left_out"].items() if n]
    typer.echo(
        f"{found.atoms:,} of {told['atoms']:,} atoms of {visible(str(told['model']))} rebuilt in {visible(found.model)}"
        + (f" (labels left out: {', '.join(left_out)})." if left_out else ".")
    )
    _say_path(found.path, "Saved as", as_json)


@cli.command()
def transfer(
    labels: Annotated[
        list[str],
        typer.Argument(metavar="LABELS...", help="Dictionaries, by name or folder, or files of labels alone."),
    ],
    model: Annotated[str, typer.Argument(metavar="MODEL", help="demo:0 ... demo:4, a local folder or a Hub id.")],
    layers: Annotated[
        str | None, typer.Option(help="Of MODEL, for example 0,2-4, or all; those of the labels if left out.")
    ] = None,
    k: Annotated[
        list[str] | None, typer.Option("--k", metavar="N[,N...]", help="Atoms per token; the labels' own k.")
    ] = None,
    method: Annotated[str | None, typer.Option(help=f"{one_of(METHODS)}; the labels' own if left out.")] = None,
    own: Annotated[
        list[str] | None,
        typer.Option(metavar="DICTIONARY", help="MODEL's own dictionary of a layer; looked for in the library."),
    ] = None,
    corpus: Annotated[str | None, typer.Option(help="Where the labels' text is now.")] = None,
    held_out: Annotated[
        str | None, typer.Option(metavar="CORPUS", help="Text to measure on; what follows the labels' if left out.")
    ] = None,
    tokens: Annotated[int, typer.Option(help="Tokens to measure on.")] = TRANSFER_TOKENS,
    draws: Annotated[int, typer.Option(help="Random dictionaries to compare with.")] = DRAWS,
    seed: Annotated[int, typer.Option(help="Of the random dictionaries.")] = 0,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    library: LibraryFolder = None,
    job: JobFolder = None,
    as_json: AsJson = False,
) -> None:
    """How well labels of one model explain another: rebuilt there, beside its own dictionary and random ones."""
    from itda_core.models.spec import ModelSpec
    from itda_core.runs.layers import parse_layers

    _go_offline(offline)
    request = TransferRequest(
        labels=tuple(labels),
        model=ModelSpec(model, revision, device, dtype, offline, trust_remote_code, placement),
        layers=OWN_LAYERS if layers is None else parse_layers(layers),
        ks=tuple(_whole(part) for part in _listed(k)),
        method=method,
        own=tuple(own or ()),
        corpus=corpus,
        held_out=held_out,
        tokens=tokens,
        draws=draws,
        seed=seed,
        library=library,
    )
    _transfer(request, job=job, as_json=as_json)


def _transfer(request: TransferRequest, *, job: Path | None, as_json: bool) -> None:
    from itda_core.runs.jobs.worker import transfer_for_job
    from itda_core.runs.training.run import Interrupted
    from itda_core.runs.transfer.run import transfer_labels

    try:
        with _stdout_for_json(as_json), StopRequest(), training_line() as line:
            if job is None:
                table = transfer_labels(request, on_step=line.step, on_progress=line.share)
            else:
                table = transfer_for_job(job, request, on_step=line.step)
    except (KeyboardInterrupt, Interrupted):
        typer.echo("Interrupted; a transfer cannot be continued, only begun again.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(table.to_dict())
    else:
        print_transfer(table)


@library.command()
def rename(
    dictionary: Reference,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its new name.")],
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Give a dictionary of yours another name."""
    _say_path(Library(library).rename(dictionary, name), "Renamed to", as_json)


@library.command()
def remove(
    dictionary: Reference,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Delete a dictionary of yours. On a terminal it asks first."""
    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        typer.confirm(f"Delete {visible(dictionary)}? It cannot be brought back.", abort=True, err=True)
    Library(library).remove(dictionary)
    if as_json:
        print_json({"removed": dictionary})
    else:
        typer.echo(f"Removed {visible(dictionary)}.")


@library.command()
def activations(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One set; all if left out.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Delete it, or all.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Activations that trainings kept (itda train --keep-activations): what there is, how large; or remove it."""
    from itda_core.models.activation_cache.shards import remove_set, sets
    from itda_core.runs.home import activations_folder

    folder = activations_folder()
    found = [kept for kept in sets(folder) if name in (None, kept.name)]
    if name is not None and not found:
        known = ", ".join(kept.name for kept in sets(folder)[:5]) or "none"
        raise UserError(f"No kept activations are called {name[:80]!r}; there are: {known}.")
    if remove:
        size = sum(kept.bytes for kept in found) / 1e6
        if found and not yes and sys.stdin.isatty() and sys.stderr.isatty():
            typer.confirm(f"Delete {len(found)} sets of activations, {size:,.1f} MB?", abort=True, err=True)
        for kept in found:
            remove_set(folder, kept.name)
    if as_json:
        listed = [{**asdict(kept), "folder": str(kept.folder)} for kept in found]
        print_json({"removed" if remove else "activations": listed})
    elif remove:
        typer.echo(f"Removed {len(found)} sets of activations, {size:,.1f} MB.")
    elif not found:
        typer.echo("No activations are kept; itda train --keep-activations keeps them.")
    else:
        print_table(
            ("name", "model", "corpus", "context", "sites", "tokens", "MB"),
            [
                (
                    kept.name,
                    kept.model,
                    kept.corpus,
                    kept.context,
                    ", ".join(kept.sites),
                    f"{kept.tokens:,}",
                    f"{kept.bytes / 1e6:,.1f}",
                )
                for kept in found
            ],
            numbers=("context", "tokens", "MB"),
        )


def _say_path(path: Path, words: str, as_json: bool) -> None:
    if as_json:
        print_json({"path": str(path), "name": path.name})
    else:
        typer.echo(f"{words} {path}")


@cli.command()
def plan(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="demo:0 ... demo:4, a local folder, a Hub id (only its config and index are fetched), or "
            "llama-3.1-8b, llama-3.1-70b, llama-3.1-405b.",
        ),
    ],
    tokens: Annotated[int, typer.Option(help="Tokens of text to read.")],
    layers: Annotated[str, typer.Option(help="For example 0,2-4, or all.")] = "all",
    context: Annotated[int, typer.Option(help="Tokens per window.")] = 128,
    k: Annotated[int, typer.Option("--k", help="Atoms per token.")] = 40,
    atoms: Annotated[
        int | None,
        typer.Option(help="Of each dictionary at the end; a tenth of the tokens, at most 16,384, if left out."),
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(help="Plan for a host with this card instead: h100, a100, 4090, 3090, ...; by public figures."),
    ] = None,
    disk: Annotated[float | None, typer.Option(help="GB/s that the disk reads and writes.")] = None,
    ram: Annotated[float | None, typer.Option(help="GB of the host's memory that may be used.")] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Measure this machine's rates anew.")] = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    as_json: AsJson = False,
) -> None:
    """What a training would cost, before it starts: in memory, streamed layer by layer, offloaded to disk."""
    from itda_core.dictionaries.config import TrainConfig
    from itda_core.models.spec import ModelSpec
    from itda_core.runs.layers import parse_layers

    _go_offline(offline)
    spec = ModelSpec(model, revision, device, dtype, offline, trust_remote_code)
    config = TrainConfig(tokens=tokens, context=context, k=k, atoms=atoms)
    with _stdout_for_json(as_json), training_line() as line:
        line.step("planning")
        from itda_core.runs.costs import plan_report
        from itda_core.runs.costs.plan import Hardware
        from itda_core.runs.costs.plan import plan as make_plan

        hardware = Hardware(
            gpu,
            disk=None if disk is None else disk * 1e9,
            memory=None if ram is None else round(ram * 1e9),
            measure=measure,
        )
        found = make_plan(spec, parse_layers(layers), config, hardware)
    if as_json:
        print_json(plan_report.to_json(found))
        return
    for sentence in plan_report.heading(found):
        typer.echo(visible(sentence))
    print_table(plan_report.COLUMNS, plan_report.rows(found), numbers=plan_report.NUMBERS)
    for note in found.notes:
        typer.echo(visible(note))


@bench.command()
def pursuit(
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes: does it run? Its figures mean nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Sparse coding beside the textbook loop: seconds, the machine's limit, memory, growth. A few minutes."""
    with _stdout_for_json(as_json), training_line() as line:
        line.step("starting")
        from itda_core.bench.pursuit.cases import CPU, CUDA, QUICK
        from itda_core.bench.pursuit.report import COLUMNS, NUMBERS, remarks, rows, to_json
        from itda_core.bench.pursuit.run import bench_pursuit, choose_device

        chosen = choose_device(device)
        found = bench_pursuit(QUICK if quick else CUDA if chosen == "cuda" else CPU, chosen, line.step)
    if as_json:
        print_json(to_json(found))
        return
    print_table(COLUMNS, rows(found), numbers=NUMBERS)
    for remark in remarks(found):
        typer.echo(visible(remark))


@bench.command("train")
def bench_train(
    model: Annotated[str, typer.Option(help="demo:0 ... demo:4, a local folder or a Hub id.")] = "demo:0",
    layer: Annotated[int, typer.Option(help="The block whose activations are read, from 0.")] = 3,
    site: Annotated[str, typer.Option(help=f"{one_of(SITES)}.")] = DEFAULT_SITE,
    corpus: Annotated[str, typer.Option(help="demo, a file, or hf:NAME[/CONFIG][@SPLIT][#COLUMN].")] = "demo",
    lines_over: Annotated[
        int | None, typer.Option(min=0, help="Take every line of more characters as a document, and nothing else.")
    ] = None,
    context: Annotated[int, typer.Option(help="Tokens per window.")] = 128,
    windows: Annotated[str, typer.Option(help="all windows of a document, or only the first.")] = "all",
    atoms: Annotated[int, typer.Option(help="That every dictionary ends with.")] = 1_024,
    k: Annotated[
        list[str] | None,
        typer.Option("--k", metavar="N[,N...]", help="Atoms per token of the figures; dictionaries grow by the most."),
    ] = None,
    read: Annotated[int, typer.Option(help="Tokens to read in all; the held-out ones are the last.")] = 120_000,
    tokens: Annotated[int, typer.Option(help="The first tokens, to build from.")] = 60_000,
    counted: Annotated[int, typer.Option(help="The first tokens, on which a threshold's atoms are counted.")] = 120_000,
    held_out: Annotated[int, typer.Option(help="The last tokens, to measure on.")] = 8_000,
    first: Annotated[int | None, typer.Option(min=2, help="Measure also on the first so many of these.")] = None,
    seed: Annotated[int, typer.Option(help="Of all that draws at random.")] = 0,
    repeats: Annotated[int, typer.Option(help="Runs of ours, of which the median counts.")] = 3,
    sae_seconds: Annotated[float, typer.Option(help="The most that each SAE may train.")] = 900.0,
    sae: Annotated[bool, typer.Option("--sae/--no-sae", help="Train TopK SAEs (extra sae).")] = True,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes: does it run? Its figures mean nothing.")] = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    as_json: AsJson = False,
) -> None:
    """Dictionaries built in every way beside the textbook's and a TopK SAE: seconds, what each misses. Many minutes."""
    _go_offline(offline)
    with _stdout_for_json(as_json), training_line() as line:
        line.step("starting")
        from itda_core.bench.training.plan import TrainingPlan, quick_plan
        from itda_core.bench.training.run import bench_training

        plan = TrainingPlan(
            model=model,
            layer=layer,
            site=site,
            corpus=corpus,
            lines_over=lines_over,
            context=context,
            windows=windows,
            read=read,
            tokens=tokens,
            counted=counted,
            held_out=held_out,
            first=first,
            atoms=atoms,
            ks=tuple(_whole(part) for part in _listed(k)) or (10, 20, 40),
            seed=seed,
            repeats=repeats,
            sae_seconds=sae_seconds if sae else None,
            revision=revision,
            device=device,
            dtype=dtype,
            offline=offline,
            trust_remote_code=trust_remote_code,
        )
        found = bench_training(quick_plan(plan) if quick else plan, line.step)
    from itda_core.bench.training import report

    if as_json:
        print_json(report.to_json(found))
        return
    print_table(report.TIME_COLUMNS, report.time_rows(found), numbers=report.TIME_NUMBERS)
    columns = report.quality_columns(found)
    typer.echo("\nFraction of variance unexplained on the held-out tokens")
    print_table(columns, report.quality_rows(found), numbers=columns[2:])
    typer.echo()
    for remark in report.remarks(found):
        typer.echo(visible(remark))


@bench.command("stream")
def bench_stream(
    folder: Annotated[
        Path | None,
        typer.Option(help="Where the model is written for the time, 1.6 GB; a temporary folder if left out."),
    ] = None,
    warm: Annotated[
        bool, typer.Option("--warm", help="Leave the checkpoint in the page cache, as if memory held it.")
    ] = False,
    nodes: Annotated[
        int,
        typer.Option(
            min=0, max=1000, help="Also time training six layers on so many Ray nodes of one core against one; 0: no."
        ),
    ] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes: does it run? Its figures mean nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """A model read from the disk block by block beside accelerate's offload: seconds, bytes read, memory. Minutes."""
    folder = None if folder is None else existing_folder(folder, "--folder")
    with _stdout_for_json(as_json), training_line() as line:
        line.step("starting")
        from itda_core.bench import cluster_sweep
        from itda_core.bench.streaming import report
        from itda_core.bench.streaming.plan import StreamPlan, quick_plan
        from itda_core.bench.streaming.run import bench_stream

        sweep = None
        if nodes:  # first: where Ray is missing or does not start, nothing that was measured is lost
            line.step(f"training on {nodes} nodes")
            sweep = cluster_sweep.cluster_sweep(nodes=nodes, tokens=5_000 if quick else 400_000)
        plan = StreamPlan(cold=not warm, folder=None if folder is None else str(folder))
        found = bench_stream(quick_plan(plan) if quick else plan, line.step)
    if as_json:
        print_json(report.to_json(found) | {"cluster": None if sweep is None else cluster_sweep.to_json(sweep)})
        return
    print_table(report.COLUMNS, report.rows(found), numbers=report.NUMBERS)
    typer.echo("\nStreamed in parts, beside what itda plan says of them")
    print_table(report.GROWTH_COLUMNS, report.growth_rows(found), numbers=report.GROWTH_COLUMNS)
    typer.echo()
    for remark in (*report.remarks(found), *([] if sweep is None else [cluster_sweep.remark(sweep)])):
        typer.echo(visible(remark))


@bench.command("compare")
def bench_compare(
    dictionaries: Annotated[
        int, typer.Option(min=2, max=10_000, help="How many, all pairs of which are compared.")
    ] = 240,
    atoms: Annotated[int, typer.Option(min=1, max=1_000_000, help="Of each.")] = 20_000,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes: does it run? Its figures mean nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """All pairs of many dictionaries compared, beside pairwise Python sets: seconds, memory. A few minutes."""
    with _stdout_for_json(as_json), training_line() as line:
        line.step("starting")
        from itda_core.bench.comparison import report
        from itda_core.bench.comparison.plan import QUICK, ComparePlan
        from itda_core.bench.comparison.run import bench_compare

        found = bench_compare(QUICK if quick else ComparePlan(dictionaries=dictionaries, atoms=atoms), line.step)
    if as_json:
        print_json(report.to_json(found))
        return
    print_table(report.COLUMNS, report.rows(found), numbers=report.NUMBERS)
    for remark in report.remarks(found):
        typer.echo(visible(remark))


@jobs.command("list")
def list_jobs(as_json: AsJson = False) -> None:
    """Your jobs, newest first; then those whose folders are damaged."""
    from itda_core.runs.jobs.jobs import Jobs

    kept, damaged = Jobs().list(), Jobs().damaged()
    if as_json:
        listed = [
            {"job": job.id, "kind": job.kind.name, "created": job.created, "state": job.state, "command": job.command}
            for job in kept
        ]
        broken = [{"job": job.id, "kind": job.kind and job.kind.name, "problem": job.problem} for job in damaged]
        print_json({"jobs": listed, "damaged": broken})
        return
    if not kept and not damaged:
        typer.echo("There are no jobs; the dashboard (itda app) starts them.")
        return
    rows = [(job.id, job.kind.noun, job.created, job.state, job.command) for job in kept]
    rows += [(job.id, job.kind and job.kind.noun, None, "damaged", None) for job in damaged]
    print_table(("job", "kind", "created", "state", "the same in a terminal"), rows)
    for job in damaged:
        typer.echo(visible(job.problem), err=True)


@jobs.command("remove")
def remove_job(
    job: Annotated[str, typer.Argument(metavar="JOB", help="As itda jobs list names it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a job that has ended or is damaged; the dictionaries it made stay. On a terminal it asks first."""
    from itda_core.runs.jobs.jobs import Jobs

    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        typer.confirm(f"Delete job {visible(job)}? It cannot be brought back.", abort=True, err=True)
    Jobs().remove(job)
    if as_json:
        print_json({"removed": job})
    else:
        typer.echo(f"Removed job {visible(job)}.")


def _within_reason(command: Callable[..., Any]) -> Callable[..., Any]:
    """`command`, given no number that nothing can be counted or measured by: whatever its options are."""

    @wraps(command)
    def checked(**options: Any) -> Any:
        for name, value in options.items():
            if not isinstance(value, (int, float)):
                continue
            if math.isnan(value):
                raise UserError(f"{name}=nan is no number; give one, or leave it out.")
            if abs(value) > LARGEST:
                raise UserError(
                    f"{name}={str(value)[:20]} is beyond any number that can be meant; give a smaller one, or leave "
                    "it out."
                )
        return command(**options)

    return checked


for _group in (cli, library, bench, jobs):
    for _command in _group.registered_commands:
        assert _command.callback is not None, "commands are made of functions"
        _command.callback = _within_reason(_command.callback)
