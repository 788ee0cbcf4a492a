"""`itda steer`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itda_core.arguments import listed
from itda_core.cli.options import (
    AsJson,
    Device,
    Dtype,
    LibraryFolder,
    Offline,
    OtherModel,
    OwnMethod,
    Placement,
    Reference,
    RemoteCode,
    Revision,
    go_offline,
)
from itda_core.cli.terminal import print_json, print_table, stdout_for_json, visible
from itda_core.errors import UserError
from itda_core.figures_as_text import figure
from itda_core.runs.library import Library

if TYPE_CHECKING:
    from collections.abc import Callable

    from itda_core.analysis.interventions.steer import Effect, Steering
    from itda_core.dictionaries import AtomDictionary


def steer(
    dictionary: Reference,
    prompt: Annotated[str, typer.Option(help="The text to read, and to continue.")],
    atom: Annotated[str, typer.Option(metavar="I[,J]", help="The atoms to change.")],
    strength: Annotated[float, typer.Option(help="How strongly; of unit own, 0 removes and -1 reverses an atom.")],
    unit: Annotated[
        str, typer.Option(help="own (times its own coefficient), max (times its largest in its index) or norm.")
    ] = "own",
    add: Annotated[bool, typer.Option("--add", help="Add to the coefficient instead of setting it.")] = False,
    where: Annotated[str, typer.Option(help="token, prompt, generated or all.")] = "prompt",
    token: Annotated[int | None, typer.Option(help="Number of the token; the last one if left out.")] = None,
    special: Annotated[bool, typer.Option("--special", help="Change special tokens and attention sinks too.")] = False,
    new_tokens: Annotated[int, typer.Option(help="How many tokens to write, before and after.")] = 0,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token each time.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the tokens that are drawn; the same before and after.")] = 0,
    k: Annotated[int | None, typer.Option("--k", help="Atoms per token; the dictionary's own if left out.")] = None,
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
    """What a model predicts and writes when atoms are changed. What the dictionary does not explain is kept.

    Example: itda steer demo-0-L3-consensus --prompt "Mara went home. She" --atom 227 --strength 0
    """
    go_offline(offline)
    path = Library(library).find(dictionary)
    atoms = [_whole(text) for text in listed([atom])]
    with stdout_for_json(as_json):
        from itda_core.analysis.interventions.change import Change
        from itda_core.analysis.interventions.steer import Steering
        from itda_core.dictionaries import AtomDictionary
        from itda_core.runs.model_of import model_of

        loaded = AtomDictionary.load(path)
        largest = _largest(loaded) if unit == "max" else lambda _: None
        changes = [Change(one, strength, unit, added=add, largest=largest(one)) for one in atoms]
        language_model = model_of(loaded, model, revision, device, dtype, offline, trust_remote_code, placement)
        steering = Steering(
            *(language_model, loaded, prompt, changes),
            where=where,
            token=token,
            include_special=special,
            k=k,
            method=method,
        )
        effect = steering.effect()
        texts = [steering.written(new_tokens, changed=one, temperature=temperature, seed=seed) for one in (False, True)]
    if as_json:
        print_json(_as_dict(steering, effect, texts, seed, temperature))
    else:
        _print(effect, texts if new_tokens else [])


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UserError(f"{text[:40]!r} is not the number of an atom; give whole numbers, such as 12,40.") from None


def _largest(dictionary: AtomDictionary) -> Callable[[int], float | None]:
    """Each atom's largest |coefficient| in the index that is shown of the dictionary; None where there is none."""
    from itda_core.runs.atoms.reading import index_of

    index = index_of(dictionary)
    return (lambda _: None) if index is None else index.largest


def _as_dict(steering: Steering, effect: Effect, texts: list[str], seed: int, temperature: float) -> dict[str, Any]:
    """The keys of `itda steer --json`."""
    first = effect.changes[0]
    return {
        "model": effect.model,
        "dictionary": effect.dictionary,
        "layer": steering.dictionary.spec.layer,
        "site": steering.dictionary.spec.site,
        "prompt": effect.prompt,
        "token": effect.token,
        "atoms": [change.atom for change in effect.changes],
        **{"strength": first.strength, "unit": first.unit, "added": first.added, "where": effect.where},
        "before": {"predictions": [asdict(one) for one in effect.before], "text": texts[0]},
        "after": {"predictions": [asdict(one) for one in effect.after], "text": texts[1]},
        "reconstruction_only": {
            "predictions": [asdict(one) for one in effect.reconstruction_only],
            "kl": effect.kl_reconstruction_only,
        },
        **{"kl": effect.kl, "loss_before": effect.loss_before, "loss_after": effect.loss_after},
        "changed": [asdict(one) for one in effect.changed],
        **{"warning": effect.warning, "seed": seed, "temperature": temperature},
    }


def _print(effect: Effect, texts: list[str]) -> None:
    rows = [
        (before.token, figure(before.probability, ".3f"), after.token, figure(after.probability, ".3f"))
        for before, after in zip(effect.before, effect.after, strict=True)
    ]
    print_table(("before", "p", "after", "p "), [tuple(map(_cell, row)) for row in rows], numbers=("p", "p "))
    kl, alone = figure(effect.kl, ".4f"), figure(effect.kl_reconstruction_only, ".4f")
    typer.echo(
        f"\nKL behind token {effect.token}: {kl} nats; with the same change of the reconstruction alone: {alone}."
    )
    if effect.loss_before is not None and effect.loss_after is not None:
        loss = f"{figure(effect.loss_before, '.4f')} before, {figure(effect.loss_after, '.4f')} after"
        typer.echo(f"Loss on the prompt, nats per token: {loss}.")
    if effect.warning:
        typer.echo(effect.warning)
    for name, text in zip(("before", "after"), texts, strict=False):
        typer.echo(f"\n{name}: {visible(effect.prompt + text)}")


def _cell(text: str) -> str:
    return visible(text)
