"""`itda steer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from itda_core.analysis.interventions.change import UNITS
from itda_core.cli.options import AsJson, JobFolder
from itda_core.cli.request_command import asks_for, outcome_of
from itda_core.cli.terminal import print_json, print_table, visible
from itda_core.figures_as_text import figure
from itda_core.files.writing import write_text
from itda_core.runs.jobs.request_options import SETTINGS_SHOWN
from itda_core.runs.steering.request import SteerRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from itda_core.analysis.interventions.effect import Piece
    from itda_core.analysis.interventions.steered import Steered

_ORDER = (
    *("dictionary", "prompt", "atom", "strength", "unit", "add", "where", "token", "special"),
    *("new_tokens", "temperature", "seed", "curve", "next", "k", "method", "non_negative", "model"),
    *(*SETTINGS_SHOWN, "library"),
)
_MOST_CHANGED = 12  # tokens of the prompt in the table of what was changed


@asks_for(SteerRequest, _ORDER)
def steer(
    request: SteerRequest,
    *,
    html: Annotated[Path | None, typer.Option(help="Write a page that opens without network.", metavar="FILE")] = None,
    job: JobFolder = None,
    as_json: AsJson = False,
) -> None:
    """What a model predicts and writes when atoms are changed. What the dictionary does not explain is kept.

    Example: itda steer demo-0-L3-consensus --prompt "Mara went home. She" --atom 227 --strength 0
    """
    steered = outcome_of(request, job=job, as_json=as_json)
    if html is not None:
        from itda_core.figures.steering_page import steering_page

        write_text(html, steering_page(steered, command=request.command()))
    if as_json:
        print_json(steered.to_dict())
    else:
        _print(steered)


def _print(steered: Steered) -> None:
    from itda_core.figures.steering_page import COMPARED_COLUMNS, compared_row

    effect = steered.effect
    rows = [compared_row(one, visible) for one in effect.compared]
    print_table(COMPARED_COLUMNS, rows, numbers=COMPARED_COLUMNS[1:])
    measured = (effect.kl, effect.kl_reconstruction_only, effect.kl_reconstruction_unchanged)
    kl, alone, unchanged = (figure(one, ".4f") for one in measured)
    typer.echo(
        f"\nKL behind token {effect.token}: {kl} nats; where the reconstruction alone takes the activation's place: "
        f"{alone} with the change, {unchanged} without."
    )
    if effect.loss_before is not None and effect.loss_after is not None:
        loss = f"{figure(effect.loss_before, '.4f')} before, {figure(effect.loss_after, '.4f')} after"
        typer.echo(f"Loss on the prompt, nats per token: {loss}.")
    _print_changed(steered)
    if effect.warning:
        typer.echo(effect.warning)
    if steered.curve is not None:
        typer.echo("")
        columns = ("strength", "KL", f"p of {visible(steered.curve.next_token)}")
        points = [
            (figure(one.strength, ".2f"), figure(one.kl, ".4f"), figure(one.probability, ".3f"))
            for one in steered.curve.points
        ]
        print_table(columns, points, numbers=columns)
    if (written := steered.continuations) is not None:
        typer.echo(f"\nbefore: {visible(effect.prompt)}{marked(written.before)}")
        typer.echo(f"\nafter: {visible(effect.prompt)}{marked(written.after)}")
        if any(piece.changed for piece in written.after):
            typer.echo("\nAtoms were changed at the tokens in [brackets].")


def _print_changed(steered: Steered) -> None:
    """What was changed at which tokens of the prompt, every strength in each unit."""
    from itda_core.analysis.interventions.steered import where_changed
    from itda_core.figures.steering_page import CHANGED_COLUMNS, CHANGED_NUMBERS, changed_rows

    effect = steered.effect
    typer.echo(f"\n{where_changed(effect)}")
    moved = [one for one in effect.changed if one.moved]
    if not moved:
        return
    units = tuple(f"x {unit}" for unit in UNITS)
    rows = changed_rows(effect, moved[:_MOST_CHANGED], visible)
    print_table((*CHANGED_COLUMNS, *units), rows, numbers=(*CHANGED_NUMBERS, *units))
    if len(moved) > _MOST_CHANGED:
        typer.echo(f"… and {len(moved) - _MOST_CHANGED} more; --json has all.")


def marked(pieces: Sequence[Piece]) -> str:
    """The pieces as one line, in brackets where atoms were changed."""
    return "".join(f"[{visible(piece.text)}]" if piece.changed else visible(piece.text) for piece in pieces)
