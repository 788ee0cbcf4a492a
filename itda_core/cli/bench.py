"""`itda bench`: this machine, measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from itda_core.arguments import listed, one_of, whole_number
from itda_core.cli.options import (
    AsJson,
    Context,
    Device,
    Dtype,
    Offline,
    Quick,
    RemoteCode,
    Revision,
    Windows,
    go_offline,
    group,
)
from itda_core.cli.terminal import print_json, print_table, stdout_for_json, training_line, visible
from itda_core.files.paths import existing_folder
from itda_core.models.sites import KINDS as SITES
from itda_core.runs.jobs.request_options import DEFAULT_SITE, MODELS
from itda_core.text.corpus_kinds import HUB

bench = group("This machine against the textbook and against its own limit.")


@bench.command()
def pursuit(
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    quick: Quick = False,
    as_json: AsJson = False,
) -> None:
    """Sparse coding beside the textbook loop: seconds, the machine's limit, memory, growth. A few minutes."""
    with stdout_for_json(as_json), training_line() as line:
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
    model: Annotated[str, typer.Option(help=MODELS)] = "demo:0",
    layer: Annotated[int, typer.Option(help="The block whose activations are read, from 0.")] = 3,
    site: Annotated[str, typer.Option(help=f"{one_of(SITES)}.")] = DEFAULT_SITE,
    corpus: Annotated[str, typer.Option(help=f"demo, a file, or {HUB.grammar}.")] = "demo",
    lines_over: Annotated[
        int | None, typer.Option(min=0, help="Read only lines of more than this many characters, each as a document.")
    ] = None,
    context: Context = 128,
    windows: Windows = "all",
    atoms: Annotated[int, typer.Option(help="Atoms that every dictionary ends with.")] = 1_024,
    k: Annotated[
        list[str] | None,
        typer.Option("--k", metavar="N[,N...]", help="Atoms per token measured; dictionaries grow with the largest."),
    ] = None,
    read: Annotated[int, typer.Option(help="Tokens to read in all; the last of them are held out.")] = 120_000,
    tokens: Annotated[int, typer.Option(help="How many of the first tokens to build from.")] = 60_000,
    counted: Annotated[int, typer.Option(help="Tokens, from the first, to count a threshold's atoms on.")] = 120_000,
    held_out: Annotated[int, typer.Option(help="How many of the last tokens to measure on.")] = 8_000,
    first: Annotated[int | None, typer.Option(min=2, help="Also measure on this many of these alone.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random draws.")] = 0,
    repeats: Annotated[int, typer.Option(help="Runs of our trainer, of which the median counts.")] = 3,
    sae_seconds: Annotated[float, typer.Option(help="Seconds that each SAE may train at most.")] = 900.0,
    sae: Annotated[bool, typer.Option("--sae/--no-sae", help="Train TopK SAEs (extra sae).")] = True,
    quick: Quick = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    as_json: AsJson = False,
) -> None:
    """Dictionaries built in every way beside the textbook's and a TopK SAE: seconds, what each misses. Many minutes."""
    go_offline(offline)
    _bench_training(
        quick=quick,
        as_json=as_json,
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
        ks=tuple(whole_number(part) for part in listed(k)) or (10, 20, 40),
        seed=seed,
        repeats=repeats,
        sae_seconds=sae_seconds if sae else None,
        revision=revision,
        device=device,
        dtype=dtype,
        offline=offline,
        trust_remote_code=trust_remote_code,
    )


def _bench_training(*, quick: bool, as_json: bool, **sizes: Any) -> None:
    """sizes: the fields of bench.training.plan.TrainingPlan."""
    with stdout_for_json(as_json), training_line() as line:
        line.step("starting")
        from itda_core.bench.training.plan import TrainingPlan, quick_plan
        from itda_core.bench.training.run import bench_training

        plan = TrainingPlan(**sizes)
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
        typer.Option(help="Folder for the model (1.6 GB) while the bench runs; a temporary one if left out."),
    ] = None,
    warm: Annotated[
        bool, typer.Option("--warm", help="Leave the checkpoint in the page cache, as if memory held it.")
    ] = False,
    nodes: Annotated[
        int,
        typer.Option(
            min=0, max=1000, help="Also time training six layers on this many Ray nodes of one core; 0: do not."
        ),
    ] = 0,
    quick: Quick = False,
    as_json: AsJson = False,
) -> None:
    """A model read from the disk block by block beside accelerate's offload: seconds, bytes read, memory. Minutes."""
    folder = None if folder is None else existing_folder(folder, "--folder")
    with stdout_for_json(as_json), training_line() as line:
        line.step("starting")
        from itda_core.bench import cluster_sweep
        from itda_core.bench.streaming import report
        from itda_core.bench.streaming.plan import StreamPlan, quick_plan
        from itda_core.bench.streaming.run import bench_stream

        sweep = None
        if nodes:  # first, so that nothing measured is lost where Ray is missing or does not start
            line.step(f"training on {nodes} nodes")
            sweep = cluster_sweep.cluster_sweep(nodes=nodes, tokens=5_000 if quick else 400_000)
        plan = StreamPlan(cold=not warm, folder=None if folder is None else str(folder))
        found = bench_stream(quick_plan(plan) if quick else plan, line.step)
    if as_json:
        print_json(report.to_json(found) | {"cluster": None if sweep is None else cluster_sweep.to_json(sweep)})
        return
    print_table(report.COLUMNS, report.rows(found), numbers=report.NUMBERS)
    typer.echo("\nParts of the model streamed, beside the estimates of itda plan")
    print_table(report.GROWTH_COLUMNS, report.growth_rows(found), numbers=report.GROWTH_COLUMNS)
    typer.echo()
    for remark in (*report.remarks(found), *([] if sweep is None else [cluster_sweep.remark(sweep)])):
        typer.echo(visible(remark))


@bench.command("compare")
def bench_compare(
    dictionaries: Annotated[
        int, typer.Option(min=2, max=10_000, help="How many dictionaries; all pairs of them are compared.")
    ] = 240,
    atoms: Annotated[int, typer.Option(min=1, max=1_000_000, help="Of each.")] = 20_000,
    quick: Quick = False,
    as_json: AsJson = False,
) -> None:
    """All pairs of many dictionaries compared, beside pairwise Python sets: seconds, memory. A few minutes."""
    with stdout_for_json(as_json), training_line() as line:
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


@bench.command("atoms")
def bench_atoms(
    tokens: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="Of the index that is written.")] = 1_000_000,
    k: Annotated[int, typer.Option("--k", min=1, max=10_000, help="Atoms per token.")] = 40,
    atoms: Annotated[int, typer.Option(min=1, max=10_000_000, help="Of the dictionary.")] = 16_000,
    quick: Quick = False,
    as_json: AsJson = False,
) -> None:
    """An atom index written, beside encoding alone, and pages of atoms read from it: seconds, memory. A few minutes."""
    with stdout_for_json(as_json), training_line() as line:
        line.step("starting")
        from itda_core.bench.atoms import report
        from itda_core.bench.atoms.plan import QUICK, AtomsPlan
        from itda_core.bench.atoms.run import bench_atoms

        found = bench_atoms(QUICK if quick else AtomsPlan(tokens=tokens, k=k, atoms=atoms), line.step)
    if as_json:
        print_json(report.to_json(found))
        return
    print_table(report.COLUMNS, report.rows(found), numbers=report.NUMBERS)
    for remark in report.remarks(found):
        typer.echo(visible(remark))
