"""`itda train`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from itda_core.cli.options import (
    INTERRUPTED,
    AsJson,
    Centre,
    Context,
    Corpus,
    Device,
    Dtype,
    JobFolder,
    JudgingMethod,
    LibraryFolder,
    Model,
    Offline,
    Placement,
    RemoteCode,
    Revision,
    Windows,
    go_offline,
    training_config,
)
from itda_core.cli.terminal import print_json, print_table, stdout_for_json, training_line
from itda_core.dictionaries.config import EXTENDED, SIZED
from itda_core.dictionaries.selections import TERMS
from itda_core.errors import UserError
from itda_core.models.sites import KINDS as SITES
from itda_core.runs.jobs.stopping import StopRequest
from itda_core.runs.training.request import DEFAULT_SITE, TrainRequest

if TYPE_CHECKING:
    from itda_core.runs.training.outcome import TrainedDictionary

Layers = Annotated[str | None, typer.Option(help="For example 0,2-4, or all. Needed unless the site names its layer.")]
SiteName = Annotated[str, typer.Option(help=f"{', '.join(SITES)}, blocks.2.hook_resid_post or a module path.")]
Tokens = Annotated[int | None, typer.Option(help="Tokens to read; the whole corpus if left out.")]
SelectionRule = Annotated[
    str,
    typer.Option(help=f"How atoms are selected: {TERMS}."),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Error above which an activation becomes an atom: relative squared error, 0 to 1 (0.3 if left out); "
        "with --selection paper 2 (1 - cosine) / d_model (cosine 0.837 if left out)."
    ),
]
MostAtoms = Annotated[
    int | None,
    typer.Option(help=f"Stop growing at this many atoms; {' and '.join(SIZED)} end with exactly that many."),
]
Sinks = Annotated[
    float | None,
    typer.Option(
        help="Leave out attention sinks, tokens whose norm is above so many medians; 10 if left out, 0: leave out "
        "none (so with --selection paper)."
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with an unfinished run of this training, or with one, unfinished or finished, that had fewer "
        "tokens, a higher threshold or fewer atoms: its atoms are kept, and reading goes on where it stopped, "
        "under the new settings; where no text is left, it is read again with the lower threshold. The earlier "
        "dictionaries stay in the library.",
    ),
]
Initial = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DICTIONARY",
        help="Begin with the atoms of this dictionary, a name in the library or a folder, of the same model, site "
        f"and corpus ({' and '.join(EXTENDED)} only); once for each layer that is to have one.",
    ),
]
KeepActivations = Annotated[
    bool,
    typer.Option(
        "--keep-activations",
        help="Write the activations to disk; later trainings on the same text read them instead of running the "
        "model (itda library activations lists and removes them).",
    ),
]
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        metavar="[ADDRESS]",
        help="Spread the work over a Ray cluster (extra cluster): host:port of one that this machine belongs to, "
        "or nothing (auto), which starts one of this machine's cores. The dictionaries are the same.",
    ),
]


def train(
    model: Model,
    corpus: Corpus,
    layers: Layers = None,
    site: SiteName = DEFAULT_SITE,
    tokens: Tokens = None,
    context: Context = 128,
    windows: Windows = "all",
    k: Annotated[int, typer.Option("--k", help="Atoms per token.")] = 40,
    method: JudgingMethod = "mp",
    selection: SelectionRule = "sequential",
    threshold: Threshold = None,
    atoms: MostAtoms = None,
    centre: Centre = False,
    seed: Annotated[int, typer.Option(help="Of selections that draw at random.")] = 0,
    sinks: Sinks = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    library: LibraryFolder = None,
    resume: Resume = False,
    initial: Initial = None,
    keep_activations: KeepActivations = False,
    cluster: ClusterAddress = None,
    checkpoint_seconds: Annotated[float, typer.Option(min=0, hidden=True)] = 20.0,
    job: JobFolder = None,
    as_json: AsJson = False,
) -> None:
    """Train one dictionary per layer and save them into the library."""
    from itda_core.models.spec import ModelSpec

    go_offline(offline)
    request = TrainRequest(
        model=ModelSpec(model, revision, device, dtype, offline, trust_remote_code, placement),
        layers=_layers(layers, site),
        corpus=corpus,
        config=training_config(
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
            sinks=sinks,
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
        with stdout_for_json(as_json), StopRequest() as stop, training_line() as line:

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
    _print(results, as_json=as_json)


def _print(results: Sequence[TrainedDictionary], *, as_json: bool) -> None:
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
