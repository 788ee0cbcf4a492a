"""Steering: what a model predicts and writes when atoms are changed at a dictionary's site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.analysis.decompose import token_texts
from itda_core.analysis.interventions.change import Change
from itda_core.analysis.interventions.coded import check_belongs, coded
from itda_core.analysis.interventions.effect import CurvePoint, Effect, NextToken, Piece
from itda_core.analysis.interventions.shifted import Shifted, shifted_code
from itda_core.analysis.interventions.target import check_position
from itda_core.analysis.replay import Prediction, likeliest
from itda_core.arguments import one_of
from itda_core.dictionaries.dictionary import AtomDictionary
from itda_core.errors import UserError
from itda_core.models.tokenizer.token_text import token_text
from itda_core.text.windows import Window, prompt_window

if TYPE_CHECKING:
    import torch

    from itda_core.analysis.interventions.coded import Coded
    from itda_core.models import LanguageModel, Site
    from itda_core.models.edits import Shift

WHERE = ("token", "prompt", "generated", "all")
N_PREDICTIONS = 10
N_CURVE = 21  # strengths of a curve


class Unchanged(NamedTuple):
    """What a model computes for a prompt as it is, with which any changes are compared."""

    x: torch.Tensor  # (n_tokens, d_model) float32: the activations at the dictionary's site, special tokens included
    behind: torch.Tensor  # (n_vocabulary,) float32: the logits behind the token
    loss: float | None  # nats, see Effect.loss_before


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
        unchanged: Unchanged | None = None,
    ) -> None:
        """where: "token" (number `token` of the prompt, the last one if None), "prompt", "generated" or "all";
        unchanged: of the same model, dictionary, prompt and token, where an earlier steering has computed it.

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
        if unchanged is not None:
            self.unchanged = unchanged

    @cached_property
    def unchanged(self) -> Unchanged:
        """What the model computes without any change."""
        x = self.model.capture(self.window, [self.site])[self.site].float()
        (logits,) = self._logits([{}], range(len(self.window)))
        return Unchanged(x, logits[self.token], _loss(logits, self.window))

    @property
    def room(self) -> int:
        """How many tokens can follow the prompt before the model's context is full."""
        return self.model.context - self._n_prompt

    def effect(self) -> Effect:
        """The prediction behind the token, and the prompt's loss, before and after."""
        found = self._changed(self.changes)
        dropped = found.shift_without_error - found.shift
        shifts = [_rows(found.shift), _rows(found.shift_without_error), _rows(dropped)]
        logits = self._logits(shifts, range(len(self.window)))
        rows = [self.unchanged.behind, *(one[self.token] for one in logits)]
        before, after, reconstruction, unchanged = (row.double() for row in rows)
        spec = self.dictionary.spec
        return Effect(
            model=self.model.name,
            dictionary=self.dictionary.path.name if self.dictionary.path else str(self.dictionary),
            layer=spec.layer,
            site=spec.site,
            prompt=self.prompt,
            tokens=token_texts(self.model, self.window),
            special=tuple(self.window.special),
            token=self.token,
            changes=self.changes,
            where=self.where,
            include_special=self._include_special,
            changed=found.tokens,
            before=self._predictions(before),
            after=self._predictions(after),
            reconstruction_only=self._predictions(reconstruction),
            compared=self._compared(before, after, reconstruction),
            kl=_kl(before, after),
            kl_reconstruction_only=_kl(before, reconstruction),
            kl_reconstruction_unchanged=_kl(before, unchanged),
            loss_before=self.unchanged.loss,
            loss_after=_loss(logits[0], self.window),
            warning=_warning(found.large),
        )

    def curve(self, strengths: Sequence[float], next_token: int) -> tuple[CurvePoint, ...]:
        """KL and the probability of `next_token` behind the token, over strengths of the first change's atom."""
        first, *others = self.changes
        before = self.unchanged.behind.double()
        if not 0 <= next_token < len(before):
            raise UserError(f"Token {next_token} is not in the model's vocabulary of {len(before):,}.")
        for strength in strengths:
            replace(first, strength=strength).check(self.dictionary)
        shifts = [_rows(self._changed((replace(first, strength=one), *others)).shift) for one in strengths]
        logits = self._logits(shifts, [self.token])[:, 0].double()
        return tuple(
            CurvePoint(strength, _kl(before, row), float(row.softmax(dim=-1)[next_token]))
            for strength, row in zip(strengths, logits, strict=True)
        )

    def pieces(
        self, n_tokens: int, *, changed: bool, temperature: float = 0.0, seed: int = 0, cached: bool = True
    ) -> Iterator[tuple[Piece, ...]]:
        """What the model writes behind the prompt, as it grows: all pieces so far, whose texts together are the text;
        `changed`: with the changes, else as it is.

        Special tokens that are written are not changed unless they are asked for. Raises UserError as
        models.generation.generate.
        """
        from itda_core.models.generation import generate

        moved, ids = set[int](), list[int]()

        def edit(x: torch.Tensor, first: int) -> torch.Tensor:
            found = self._read(x, first, ids)
            moved.update(first + one.token for one in found.tokens if one.moved)
            return found.shift

        text, ends = "", list[int]()
        options: dict[str, Any] = {"site": self.site, "edit": edit} if changed else {}
        for one in generate(
            self.model, self.window, n_tokens, temperature=temperature, seed=seed, cached=cached, **options
        ):
            ids.append(one.token_id)
            whole = str(self.model.tokenizer.decode(ids))
            kept = _in_common(text, whole)  # signs that were half written are others now
            text, ends = whole, [*(min(end, kept) for end in ends), len(whole)]
            yield self._pieces(text, ends, moved)

    def continuation(
        self, n_tokens: int, *, changed: bool, temperature: float = 0.0, seed: int = 0, cached: bool = True
    ) -> Iterator[str]:
        """The text of `pieces`, as it grows."""
        for pieces in self.pieces(n_tokens, changed=changed, temperature=temperature, seed=seed, cached=cached):
            yield "".join(piece.text for piece in pieces)

    def written(self, n_tokens: int, *, changed: bool, temperature: float = 0.0, seed: int = 0) -> str:
        """All of `continuation`, once it has ended; "" where nothing is written."""
        *_, text = ("", *self.continuation(n_tokens, changed=changed, temperature=temperature, seed=seed))
        return text

    def shifted(self, x: torch.Tensor, changes: Sequence[Change]) -> Shifted:
        """What `changes` do to the prompt's activations x (n_tokens, d_model)."""
        return self._shifted(self._coded(x, self.window.special), [self._applies(i) for i in range(len(x))], changes)

    @cached_property
    def _code(self) -> Coded:
        return self._coded(self.unchanged.x, self.window.special)

    def _changed(self, changes: Sequence[Change]) -> Shifted:
        return self._shifted(self._code, [self._applies(i) for i in range(len(self.window))], changes)

    def _applies(self, position: int) -> bool:
        """Whether atoms are changed at this token of the prompt."""
        return self.where in ("prompt", "all") or (self.where == "token" and position == self.token)

    @cached_property
    def _n_prompt(self) -> int:
        """Tokens of the prompt from which is written on."""
        from itda_core.models.generation import prompt_ids

        return len(prompt_ids(self.window))

    @cached_property
    def _special_ids(self) -> frozenset[int]:
        return frozenset(self.model.tokenizer.all_special_ids)

    def _read(self, x: torch.Tensor, first: int, written: Sequence[int]) -> Shifted:
        """What the changes do to activations x (n_tokens, d_model), the first of which is at position `first`, where
        the tokens `written` follow the prompt.
        """
        prompt, positions = self._n_prompt, range(first, first + len(x))
        where = [self._applies(i) if i < prompt else self.where in ("generated", "all") for i in positions]
        special = [
            self.window.special[i] if i < prompt else written[i - prompt] in self._special_ids for i in positions
        ]
        return self._shifted(self._coded(x, special), where, self.changes)

    def _coded(self, x: torch.Tensor, special: Sequence[bool]) -> Coded:
        return coded(self.dictionary, x, special, self._k, self._method, non_negative=self._non_negative)

    def _shifted(self, code: Coded, where: Sequence[bool], changes: Sequence[Change]) -> Shifted:
        return shifted_code(self.dictionary, code, where, changes, include_special=self._include_special)

    def _pieces(self, text: str, ends: Sequence[int], moved: set[int]) -> tuple[Piece, ...]:
        begins = [0, *ends[:-1]]
        return tuple(
            Piece(text[begin:end], self._n_prompt + i in moved)
            for i, (begin, end) in enumerate(zip(begins, ends, strict=True))
        )

    def _logits(self, shifts: Sequence[Shift], positions: Sequence[int]) -> torch.Tensor:
        from itda_core.models.edits import shifted_logits

        return shifted_logits(self.model, self.window, self.site, shifts, positions)

    def _predictions(self, logits: torch.Tensor) -> tuple[Prediction, ...]:
        return likeliest(self.model, logits[None], N_PREDICTIONS)[0]

    def _compared(self, *logits: torch.Tensor) -> tuple[NextToken, ...]:
        """logits: (n_vocabulary,) each, before, after and with the reconstruction alone."""
        before, after, reconstruction = (row.softmax(dim=-1) for row in logits)
        n = min(N_PREDICTIONS, len(before))
        ids = dict.fromkeys([*before.topk(n).indices.tolist(), *after.topk(n).indices.tolist()])
        rows = [
            NextToken(token_text(self.model.tokenizer, i), i, *(float(p[i]) for p in (before, after, reconstruction)))
            for i in ids
        ]
        return tuple(sorted(rows, key=lambda one: -max(one.before, one.after)))


def _in_common(text: str, other: str) -> int:
    """With how many signs both begin."""
    return next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))


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
        f"The activation of {tokens} is changed by more than half its norm (the mean taken off); beyond that, what a "
        "model writes usually breaks down. Choose a weaker change."
    )
