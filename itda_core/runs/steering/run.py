"""One steering from its request to its outcome: what the command line and a job's worker both call."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from time import monotonic
from typing import TYPE_CHECKING

from itda_core.analysis.interventions.effect import Piece
from itda_core.analysis.interventions.steer import N_CURVE, Steering
from itda_core.analysis.interventions.steered import Continuations, Curve, Steered
from itda_core.analysis.interventions.written import with_largest
from itda_core.errors import UserError
from itda_core.runs.library import Library
from itda_core.runs.model_of import model_of
from itda_core.runs.steering.request import SteerRequest

if TYPE_CHECKING:
    from itda_core.analysis.interventions.effect import Effect
    from itda_core.dictionaries import AtomDictionary

MOST_NEW_TOKENS = 100_000  # no model reads on so far


@dataclass(frozen=True)
class SteeringProgress:
    """Where a steering stands."""

    share: float  # of the work that is done, 0 to 1
    seconds: float
    step: str = "writing"
    tokens: int = 0  # written so far, with the changes
    total: int | None = None
    notes: tuple[str, ...] = ()
    before: tuple[Piece, ...] = ()
    after: tuple[Piece, ...] = ()
    steered: Steered | None = None  # at the end


def steer(
    request: SteerRequest, *, on_step: Callable[[str], None] = lambda _: None
) -> Generator[SteeringProgress, None, None]:
    """Change atoms as `request` asks for; the last progress has the outcome.

    Raises UserError as Steering, `model_of` and models.generation.generate do.
    """
    from itda_core.dictionaries import AtomDictionary

    began = monotonic()
    changes, ends = request.changes(), request.curve_ends()
    on_step("reading the dictionary")
    dictionary = AtomDictionary.load(Library(request.library).find(request.dictionary))
    changes = with_largest(changes, largest_of(dictionary))
    for change in changes:
        change.check(dictionary)
    on_step("loading the model")
    model = model_of(dictionary, request.model, **request.loading())
    steering = Steering(
        *(model, dictionary, request.prompt, changes),
        where=request.where,
        token=request.token,
        include_special=request.special,
        k=request.k,
        method=request.method,
        non_negative=request.non_negative,
    )
    notes = bounded(steering, request.new_tokens)
    on_step("reading the prompt")
    effect = steering.effect()
    curve = None if ends is None else curve_of(steering, effect, ends, request.next)
    on_step("writing")
    before = after = ()
    n = request.new_tokens
    for before, after in side_by_side(steering, n, request.temperature, request.seed):
        share = (len(before) + len(after)) / max(2 * n, 1)
        told = {"tokens": len(after), "total": n, "notes": notes, "before": before, "after": after}
        yield SteeringProgress(share, monotonic() - began, **told)
    written = Continuations(n, request.temperature, request.seed, before, after) if n else None
    steered = Steered(effect, written, curve)
    yield SteeringProgress(1.0, monotonic() - began, "done", len(after), n, notes, before, after, steered)


def side_by_side(
    steering: Steering, n_tokens: int, temperature: float, seed: int
) -> Generator[tuple[tuple[Piece, ...], tuple[Piece, ...]], None, None]:
    """What is written without the changes and with them, both as they grow, token by token in turn."""
    told: dict[str, float | int] = {"temperature": temperature, "seed": seed}
    with (
        closing(steering.pieces(n_tokens, changed=False, **told)) as plain,  # pyright: ignore[reportArgumentType]
        closing(steering.pieces(n_tokens, changed=True, **told)) as changed,  # pyright: ignore[reportArgumentType]
    ):
        before = after = ()
        for one, other in zip_longest(plain, changed):
            before, after = one or before, other or after
            yield before, after


def curve_of(steering: Steering, effect: Effect, ends: tuple[float, float], next_token: str | None) -> Curve:
    """The curve from one strength to another of the probability of `next_token`, the likeliest one if None.

    Raises UserError where that is no single token.
    """
    from itda_core.analysis.interventions.target import token_named

    likeliest = max(effect.compared, key=lambda one: one.before)
    id, text = likeliest.token_id, likeliest.token
    if next_token is not None:
        id, text = token_named(steering.model, next_token), next_token
    return Curve(text, steering.curve(strengths_of(*ends), id))


def strengths_of(low: float, high: float) -> tuple[float, ...]:
    """The strengths of a curve, evenly apart."""
    return tuple(low + (high - low) * i / (N_CURVE - 1) for i in range(N_CURVE))


def bounded(steering: Steering, new_tokens: int) -> tuple[str, ...]:
    """What is to be said of the length that is asked for: where the model's context ends before it.

    Raises UserError for a number that is none.
    """
    if not 0 <= new_tokens <= MOST_NEW_TOKENS:
        raise UserError(f"{new_tokens:,} tokens cannot be written; give 0 to {MOST_NEW_TOKENS:,}.", field="new_tokens")
    if new_tokens <= steering.room:
        return ()
    return (
        f"The prompt leaves room for {steering.room:,} of the {steering.model.context:,} tokens that "
        f"{steering.model.name} reads at once; no more than these are written.",
    )


def largest_of(dictionary: AtomDictionary) -> Callable[[int], float | None]:
    """Each atom's largest |coefficient| in the index that is shown of the dictionary; None where it is not known."""
    from itda_core.runs.atoms.reading import index_of

    try:
        index = index_of(dictionary)
    except UserError:  # damaged: what asks for it is refused as where there is none
        index = None
    return lambda atom: index.largest(atom) if index is not None and 0 <= atom < len(dictionary) else None
