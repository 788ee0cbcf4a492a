"""`itda attribute`."""

from __future__ import annotations

from pathlib import Path
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
from itda_core.errors import UserError
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
    all_layers: Annotated[
        bool, typer.Option("--all-layers", help="The library's dictionaries of the same kind at all layers too.")
    ] = False,
    k: Annotated[int | None, typer.Option("--k", help="Atoms per token; each dictionary's own if left out.")] = None,
    method: OwnMethod = None,
    non_negative: Annotated[
        bool, typer.Option("--non-negative", help="Only coefficients of at least zero, in whichever pursuit.")
    ] = False,
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
    paths = _paths(Library(library), dictionaries, all_layers=all_layers)
    with stdout_for_json(as_json):
        from itda_core.analysis.interventions.attribute import attribute as explain
        from itda_core.dictionaries import AtomDictionary
        from itda_core.runs.model_of import model_of

        loaded = [AtomDictionary.load(path) for path in paths]
        language_model = model_of(loaded[0], model, revision, device, dtype, offline, trust_remote_code, placement)
        found = explain(
            *(language_model, loaded, prompt),
            **{"token": token, "target": target, "against": against, "kind": kind, "integrated": integrated},
            **{"k": k, "method": method, "non_negative": non_negative, "check": check},
        )
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found, loaded)


def _paths(library: Library, names: list[str], *, all_layers: bool) -> list[Path]:
    """The dictionaries' folders; with `all_layers` those of the same kind through the layers, the first layer first."""
    from itda_core.runs.through_layers import through_layers

    paths = [library.find(name) for name in names]
    if not all_layers:
        return paths
    entries = library.entries()
    own = [entry for entry in entries if entry.path.resolve() == paths[0].resolve()]
    if len(paths) > 1:
        raise UserError(
            f"--all-layers looks for the others itself, but {len(paths)} dictionaries were given; give one."
        )
    if not own:
        raise UserError(f"{names[0]} is not in the library, where --all-layers looks; import it, or name each layer's.")
    return [entry.path for entry in through_layers(own[0], entries).values()] or paths


def _print_layers(found: Attribution) -> None:
    """How each layer's effects divide, and the atoms' effects token by layer."""
    told = [layer.to_dict() for layer in found.layers]
    figures = ("atoms", "mean", "error", "sum")
    rows = [
        (
            *(one["layer"], one["dictionary"]),
            *(figure(one[name], "+.3f") for name in figures),
            figure(one["explained"], ".0%"),
            None if one["rank_correlation"] is None else figure(one["rank_correlation"], ".2f"),
        )
        for one in told
    ]
    numbers = ("atoms", "mean", "not explained", "together", "share of atoms", "rank correlation")
    typer.echo("")
    print_table(("layer", "dictionary", *numbers), rows, numbers=("layer", *numbers))
    typer.echo("\nThe sum of the atoms' effects, token by layer:")
    layers = tuple(str(layer.site if layer.layer is None else layer.layer) for layer in found.layers)
    by_token = [
        (i, f"'{visible(found.tokens[i])}'", *(figure(layer.by_token[i], "+.2f") for layer in found.layers))
        for i in range(found.token + 1)
        if not found.special[i]
    ]
    print_table(("#", "token", *layers), by_token, numbers=("#", *layers))


def _print(found: Attribution, dictionaries: list[AtomDictionary]) -> None:
    from itda_core.figures.attribution_page import too_coarse

    against = "" if found.against is None else f" against '{visible(found.against)}'"
    typer.echo(
        f"Why '{visible(found.target)}'{against} behind token {found.token} ('{visible(found.tokens[found.token])}'): "
        f"{found.kind} {figure(found.value, '.3f')}, probability {figure(found.probability, '.3f')}."
    )
    if coarse := too_coarse(found):
        typer.echo(coarse)
    if len(found.layers) > 1:
        _print_layers(found)
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
        change = layer.path_change
        really = "" if change is None else f"; the target really changes by {figure(change, '+.3f')}"
        rest, mean = figure(sum(layer.error), "+.3f"), figure(sum(layer.mean), "+.3f")
        typer.echo(
            f"Not explained by atoms: {rest}; the dictionary's mean: {mean}; all together {figure(layer.sum, '+.3f')}"
            f"{really}."
        )
        if layer.rank_correlation is not None:
            correlation = figure(layer.rank_correlation, ".2f")
            typer.echo(f"Rank correlation of effect and removing, {len(layer.checked)} strongest: {correlation}.")
