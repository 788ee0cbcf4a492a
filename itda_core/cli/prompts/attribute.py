"""`itda attribute`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from itda_core.cli.options import (
    AsJson,
    Device,
    Dtype,
    LibraryFolder,
    Offline,
    OtherModel,
    OwnMethod,
    Placement,
    RemoteCode,
    Revision,
    go_offline,
)
from itda_core.cli.terminal import print_json, print_table, stdout_for_json, visible
from itda_core.figures_as_text import figure
from itda_core.runs.library import Library

if TYPE_CHECKING:
    from itda_core.analysis.interventions.attribute import Attribution
    from itda_core.dictionaries import AtomDictionary

_PARTS_SHOWN = 15  # of each layer, for people


def attribute(
    dictionaries: Annotated[
        list[str], typer.Argument(metavar="DICTIONARY...", help="Names or folders: of one model, any layers.")
    ],
    prompt: Annotated[str, typer.Option(help="The text to read.")],
    token: Annotated[
        int | None, typer.Option(help="Number of the token behind which is predicted; the last one if left out.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="The next token asked about, its space included; the likeliest if left out.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="Another next token, whose logit is subtracted.")] = None,
    kind: Annotated[str, typer.Option(help="logit or log-probability.")] = "logit",
    integrated: Annotated[int, typer.Option(help="Steps of a path from zero; 0: the gradient alone.")] = 0,
    check: Annotated[int, typer.Option(help="How many of the strongest parts to remove really.")] = 20,
    k: Annotated[int | None, typer.Option("--k", help="Atoms per token; each dictionary's own if left out.")] = None,
    method: OwnMethod = None,
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
    """Which atoms, at which tokens, make the next token likely: coefficient times gradient, checked by removing.

    Example: itda attribute demo-0-L3-consensus --prompt "Mara went home. She"
    """
    go_offline(offline)
    paths = [Library(library).find(name) for name in dictionaries]
    with stdout_for_json(as_json):
        from itda_core.analysis.interventions.attribute import attribute as explain
        from itda_core.dictionaries import AtomDictionary
        from itda_core.runs.model_of import model_of

        loaded = [AtomDictionary.load(path) for path in paths]
        language_model = model_of(loaded[0], model, revision, device, dtype, offline, trust_remote_code, placement)
        found = explain(
            *(language_model, loaded, prompt),
            token=token,
            target=target,
            against=against,
            kind=kind,
            k=k,
            method=method,
            integrated=integrated,
            check=check,
        )
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found, loaded)


def _print(found: Attribution, dictionaries: list[AtomDictionary]) -> None:
    against = "" if found.against is None else f" against '{visible(found.against)}'"
    typer.echo(
        f"Why '{visible(found.target)}'{against} behind token {found.token} ('{visible(found.tokens[found.token])}'): "
        f"{found.kind} {figure(found.value, '.3f')}, probability {figure(found.probability, '.3f')}."
    )
    for layer, dictionary in zip(found.layers, dictionaries, strict=True):
        typer.echo(f"\n{layer.dictionary}")
        measured = {(one.token, one.atom): one.measured for one in layer.checked}
        rows = []
        for part in layer.parts[:_PARTS_SHOWN]:
            change = measured.get((part.token, part.atom))
            label = dictionary.label(part.atom)
            context = f"{label.context_before[-30:]}[{label.token}]{label.context_after[:15]}"
            rows.append(
                (
                    *(part.token, f"'{visible(found.tokens[part.token])}'", part.atom),
                    *(figure(part.coefficient, "+.2f"), figure(part.effect, "+.3f")),
                    None if change is None else figure(change, "+.3f"),
                    visible(context),
                )
            )
        columns = ("#", "token", "atom", "coefficient", "effect", "if removed", "where the atom was seen")
        print_table(columns, rows, numbers=("#", "atom", "coefficient", "effect", "if removed"))
        rest, mean = figure(sum(layer.error), "+.3f"), figure(sum(layer.mean), "+.3f")
        typer.echo(
            f"Not explained by atoms: {rest}; the dictionary's mean: {mean}; all together {figure(layer.sum, '+.3f')}."
        )
        if layer.rank_correlation is not None:
            correlation = figure(layer.rank_correlation, ".2f")
            typer.echo(f"Rank correlation of effect and removing, {len(layer.checked)} strongest: {correlation}.")
