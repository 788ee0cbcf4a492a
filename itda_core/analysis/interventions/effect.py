"""What changes of atoms do: to a prediction, over their strength, and to what is written. Figures alone, no tensors."""

from __future__ import annotations

from dataclasses import dataclass

from itda_core.analysis.interventions.change import Change, ChangedToken
from itda_core.analysis.replay import Prediction


@dataclass(frozen=True)
class NextToken:
    """A next token that is among the likeliest before or after: its probabilities, 0 to 1."""

    token: str
    token_id: int
    before: float
    after: float
    reconstruction_only: float


@dataclass(frozen=True)
class Effect:
    """What changes do to the prediction behind one token of a prompt, and to the prompt's loss."""

    model: str
    dictionary: str
    layer: int | None
    site: str
    prompt: str
    tokens: tuple[str, ...]
    special: tuple[bool, ...]  # which of them are special tokens
    token: int  # behind which is predicted
    changes: tuple[Change, ...]
    where: str
    include_special: bool  # whether special tokens and attention sinks are changed too
    changed: tuple[ChangedToken, ...]  # of the prompt
    before: tuple[Prediction, ...]  # likeliest first
    after: tuple[Prediction, ...]
    reconstruction_only: tuple[Prediction, ...]  # the same change, and what the dictionary does not explain dropped
    compared: tuple[NextToken, ...]  # all of `before` and `after`, those first that are likeliest in either
    kl: float  # of what is predicted behind the token, before from after: nats
    kl_reconstruction_only: float
    kl_reconstruction_unchanged: float  # of the reconstruction alone, without the change: what dropping the rest does
    loss_before: float | None  # nats, mean over tokens of text behind one of text; None where there is no such token
    loss_after: float | None
    warning: str | None  # a sentence where a change is so large that models usually break

    @property
    def marked(self) -> tuple[bool, ...]:
        """Of each token of the prompt whether an atom has another coefficient there than before."""
        moved = {one.token for one in self.changed if one.moved}
        return tuple(i in moved for i in range(len(self.tokens)))


@dataclass(frozen=True)
class CurvePoint:
    """What one strength does."""

    strength: float
    kl: float  # nats
    probability: float  # of the chosen next token, 0 to 1


@dataclass(frozen=True)
class Piece:
    """A token that was written."""

    text: str
    changed: bool  # whether an atom has another coefficient there; never at the last one, which was not read any more
