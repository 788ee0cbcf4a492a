"""`itda plan`."""

from __future__ import annotations

from typing import Annotated

import typer

from itda_core.cli.options import AsJson, Context, Device, Dtype, Offline, RemoteCode, Revision, go_offline
from itda_core.cli.terminal import print_json, print_table, stdout_for_json, training_line, visible


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
    context: Context = 128,
    k: Annotated[int, typer.Option("--k", help="Atoms per token.")] = 40,
    atoms: Annotated[
        int | None,
        typer.Option(help="Atoms of each finished dictionary; a tenth of the tokens, at most 16,384, if left out."),
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(help="Plan for a host with this GPU instead, by public figures: h100, a100, 4090, 3090, ..."),
    ] = None,
    disk: Annotated[float | None, typer.Option(help="GB/s that the disk reads and writes.")] = None,
    ram: Annotated[float | None, typer.Option(help="GB of the host's memory that the training may use.")] = None,
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

    go_offline(offline)
    spec = ModelSpec(model, revision, device, dtype, offline, trust_remote_code)
    config = TrainConfig(tokens=tokens, context=context, k=k, atoms=atoms)
    with stdout_for_json(as_json), training_line() as line:
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
