"""Steering: what a model predicts and writes when atoms are changed at a dictionary's site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from itda_core.analysis.decompose import token_texts
from itda_core.analysis.interventions.change import Change, ChangedToken, Shifted, shifted
from itda_core.analysis.interventions.coded import check_belongs
from itda_core.analysis.interventions.target import check_position
from itda_core.analysis.replay import Prediction, likeliest
from itda_core.arguments import one_of
from itda_core.dictionaries.dictionary import AtomDictionary
from itda_core.errors import UserError
from itda_core.text.windows import Window, prompt_window

if TYPE_CHECKING:
    import torch

    from itda_core.models import LanguageModel, Site
    from itda_core.models.edits import Shift

WHERE = ("token", "prompt", "generated", "all")
N_PREDICTIONS = 10
N_CURVE = 21  # strengths of a curve


@dataclass(frozen=True)
class Effect:
    """What changes do to the prediction behind one token of a prompt, and to the prompt's loss."""

    model: str
    dictionary: str
    prompt: str
    tokens: tuple[str, ...]
    token: int  # behind which is predicted
    changes: tuple[Change, ...]
    where: str
    changed: tuple[ChangedToken, ...]  # of the prompt
    before: tuple[Prediction, ...]  # likeliest first
    before_ids: tuple[int, ...]  # their tokens
    after: tuple[Prediction, ...]
    reconstruction_only: tuple[Prediction, ...]  # the same change, and what the dictionary does not explain dropped
    kl: float  # of what is predicted behind the token, before from after: nats
    kl_reconstruction_only: float
    loss_before: float | None  # nats, mean over tokens of text behind one of text; None where there is no such token
    loss_after: float | None
    warning: str | None  # a sentence where a change is so large that models usually break


@dataclass(frozen=True)
class CurvePoint:
    """What one strength does."""

    strength: float
    kl: float  # nats
    probability: float  # of the chosen next token, 0 to 1


class Steering:
    """Changes of atoms at a dictionary's site, ready to be applied to a prompt and to what follows it."""

    def __init__(
        self,
        model: LanguageModel,
        dictionary: AtomDictionary | str | Path,
        prompt: str,
        changes: Sequence[Change],
        *,
        where: str = "prompt",
        token: int | None = None,
        include_special: bool = False,
        k: int | None = None,
        method: str | None = None,
        non_negative: bool = False,
    ) -> None:
        """where: "token" (number `token` of the prompt, the last one if None), "prompt", "generated" or "all".

        Raises UserError for a model without a head, another model's dictionary, and what cannot be changed so.
        """
        self.model, self.dictionary = model, AtomDictionary.of(dictionary)
        check_belongs(model, self.dictionary)
        if where not in WHERE:
            raise UserError(f"Changing atoms at {where!r:.40} is unknown; choose {one_of(WHERE)}.")
        if not changes:
            raise UserError("No atom was named; name at least one to change.")
        for change in changes:
            change.check(self.dictionary)
        self.window = prompt_window(prompt, model.tokenizer, context=model.context)
        self.prompt, self.changes, self.where = prompt, tuple(changes), where
        self.token = check_position(self.window, token)
        self.site: Site = model.site(self.dictionary.spec.site, self.dictionary.spec.layer)
        self._include_special, self._k, self._method = include_special, k, method
        self._non_negative = non_negative

    def effect(self) -> Effect:
        """The prediction behind the token, and the prompt's loss, before and after."""
        found = self.shifted(self._x(), self.changes)
        shifts = [{}, _rows(found.shift), _rows(found.shift_without_error)]
        logits = self._logits(shifts, range(len(self.window)))
        before, after, reconstruction = (one[self.token].double() for one in logits)
        return Effect(
            model=self.model.name,
            dictionary=self.dictionary.path.name if self.dictionary.path else str(self.dictionary),
            prompt=self.prompt,
            tokens=token_texts(self.model, self.window),
            token=self.token,
            changes=self.changes,
            where=self.where,
            changed=found.tokens,
            before=self._predictions(before),
            before_ids=tuple(before.topk(min(N_PREDICTIONS, len(before))).indices.tolist()),
            after=self._predictions(after),
            reconstruction_only=self._predictions(reconstruction),
            kl=_kl(before, after),
            kl_reconstruction_only=_kl(before, reconstruction),
            loss_before=_loss(logits[0], self.window),
            loss_after=_loss(logits[1], self.window),
            warning=_warning(found.large),
        )

    def curve(self, strengths: Sequence[float], next_token: int) -> tuple[CurvePoint, ...]:
        """KL and the probability of `next_token` behind the token, over strengths of the first change's atom."""
        x, (first, *others) = self._x(), self.changes
        shifts = [_rows(self.shifted(x, (replace(first, strength=strength), *others)).shift) for strength in strengths]
        logits = self._logits([{}, *shifts], [self.token])[:, 0].double()
        if not 0 <= next_token < logits.shape[-1]:
            raise UserError(f"Token {next_token} is not in the model's vocabulary of {logits.shape[-1]:,}.")
        return tuple(
            CurvePoint(strength, _kl(logits[0], row), float(row.softmax(dim=-1)[next_token]))
            for strength, row in zip(strengths, logits[1:], strict=True)
        )

    def continuation(
        self, n_tokens: int, *, changed: bool, temperature: float = 0.0, seed: int = 0, cached: bool = True
    ) -> Iterator[str]:
        """What the model writes behind the prompt, as it grows; `changed`: with the changes, else as it is.

        Special tokens that are written are not changed unless they are asked for. Raises UserError as
        models.generation.generate.
        """
        from itda_core.models.generation import generate

        edit = self._edit if changed else None
        site = self.site if changed else None
        ids: list[int] = []
        written = generate(
            self.model,
            self.window,
            n_tokens,
            site=site,
            edit=edit,
            temperature=temperature,
            seed=seed,
            cached=cached,
        )
        for one in written:
            ids.append(one.token_id)
            yield str(self.model.tokenizer.decode(ids))

    def written(self, n_tokens: int, *, changed: bool, temperature: float = 0.0, seed: int = 0) -> str:
        """All of `continuation`, once it has ended; "" where nothing is written."""
        *_, text = ("", *self.continuation(n_tokens, changed=changed, temperature=temperature, seed=seed))
        return text

    def shifted(self, x: torch.Tensor, changes: Sequence[Change]) -> Shifted:
        """What `changes` do to the prompt's activations x (n_tokens, d_model)."""
        where = [self._applies(i) for i in range(len(x))]
        return self._shifted(x, self.window.special, where, changes)

    def _applies(self, position: int) -> bool:
        """Whether atoms are changed at this position; those behind the prompt are what is written."""
        if position >= len(self.window):
            return self.where in ("generated", "all")
        return self.where in ("prompt", "all") or (self.where == "token" and position == self.token)

    def _edit(self, x: torch.Tensor, first: int) -> torch.Tensor:
        """What is added to activations x (n_tokens, d_model), the first of which is at position `first`."""
        positions = range(first, first + len(x))
        prompt = len(self.window)
        where = [self._applies(i if i < prompt else prompt) for i in positions]
        special = [i < prompt and self.window.special[i] for i in positions]
        return self._shifted(x, special, where, self.changes).shift

    def _shifted(
        self, x: torch.Tensor, special: Sequence[bool], where: Sequence[bool], changes: Sequence[Change]
    ) -> Shifted:
        return shifted(
            self.dictionary,
            x,
            special,
            where,
            changes,
            include_special=self._include_special,
            k=self._k,
            method=self._method,
            non_negative=self._non_negative,
        )

    def _x(self) -> torch.Tensor:
        return self.model.capture(self.window, [self.site])[self.site].float()

    def _logits(self, shifts: Sequence[Shift], positions: Sequence[int]) -> torch.Tensor:
        from itda_core.models.edits import shifted_logits

        return shifted_logits(self.model, self.window, self.site, shifts, positions)

    def _predictions(self, logits: torch.Tensor) -> tuple[Prediction, ...]:
        return likeliest(self.model, logits[None], N_PREDICTIONS)[0]


def _rows(shift: torch.Tensor) -> Shift:
    """The tokens that are shifted, by their positions."""
    return {i: shift[i] for i in shift.any(dim=1).nonzero()[:, 0].tolist()}


def _kl(before: torch.Tensor, after: torch.Tensor) -> float:
    """KL(before || after) of two predictions (n_vocabulary,) in nats, never below 0 for rounding."""
    p, q = before.log_softmax(dim=-1), after.log_softmax(dim=-1)
    terms = (p.exp() * (p - q)).masked_fill(p.exp() == 0, 0.0)
    return max(0.0, float(terms.sum()))


def _loss(logits: torch.Tensor, window: Window) -> float | None:
    """Mean cross-entropy in nats of logits (n_tokens, n_vocabulary), where a token of text follows one of text."""
    counted = [i for i in range(len(window) - 1) if not window.special[i] and not window.special[i + 1]]
    if not counted:
        return None
    rows = logits[counted].double().log_softmax(dim=-1)
    return -sum(float(row[window.token_ids[i + 1]]) for row, i in zip(rows, counted, strict=True)) / len(counted)


def _warning(large: int) -> str | None:
    if not large:
        return None
    tokens = "one token" if large == 1 else f"{large} tokens"
    return (
        f"The activation of {tokens} is changed by more than half its norm; beyond that, what a model writes usually "
        "breaks down. Choose a weaker change."
    )
