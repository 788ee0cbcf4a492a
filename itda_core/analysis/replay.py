"""A pursuit replayed: what each further atom brings to one token's reconstruction, and to the model's prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from itda_core.analysis.decompose import AtomUse, PromptActivations, TokenDecomposition, check_model, defaults
from itda_core.analysis.taken import strongest
from itda_core.errors import UserError
from itda_core.models.tokenizer.token_text import token_text
from itda_core.pursuit.methods import method_named

if TYPE_CHECKING:
    import torch

    from itda_core.dictionaries import AtomDictionary, AtomLabel
    from itda_core.models import LanguageModel


@dataclass(frozen=True)
class Prediction:
    """A token the model may write next, and how probable it is (0 to 1)."""

    token: str
    probability: float


@dataclass(frozen=True)
class ReplayStep:
    """The reconstruction after `step` atoms."""

    step: int  # 1 for the first atom
    atom: int  # the atom this step chose
    coefficient: float  # its coefficient now, all its choices up to this step summed; 0 where it left again at once
    relative_error: float
    predictions: tuple[Prediction, ...]  # with the reconstruction in place of the activation; empty without an LM head


@dataclass(frozen=True)
class Replay:
    """All steps of one token's pursuit, and what the model predicts from the true activation."""

    token: int
    method: str
    steps: tuple[ReplayStep, ...]
    predictions: tuple[Prediction, ...]


def replay(
    model: LanguageModel,
    dictionary: AtomDictionary,
    read: PromptActivations,
    token: int,
    k: int | None = None,
    method: str | None = None,
    *,
    top: int = 5,
    non_negative: bool = False,
) -> Replay:
    """The pursuit of token number `token` of the prompt after 1, 2, ... k atoms.

    Each step shows what an encoding with that many atoms gives: for OMP and GP, which refit the coefficients as they
    go, the coefficients they had then. For a language model the partial reconstruction (plus the
    dictionary's mean) takes the activation's place at the dictionary's site, and the `top` likeliest next tokens are
    read off; all other positions stay as they were.
    """
    check_model(model, dictionary)
    if not 0 <= token < len(read.token_texts):
        raise UserError(f"Token {token} does not exist; the prompt has tokens 0 to {len(read.token_texts) - 1}.")
    k, method = defaults(dictionary, k, method)
    x = read.x[token : token + 1].to(dictionary.atoms.device)
    partial, chosen = _partial_reconstructions(dictionary, x, k, method, non_negative)
    predictions = _predictions(model, read, token, partial, top)
    centred = x - dictionary.mean
    energy = centred.square().sum().item()
    steps = []
    for step, (atom, coefficient) in enumerate(chosen, start=1):
        error = (x - partial[step - 1]).square().sum().item()
        steps.append(ReplayStep(step, atom, coefficient, error / energy if energy else 0.0, predictions[step]))
    return Replay(token, method, tuple(steps), predictions[0])


def step_uses(
    replay: Replay, token: TokenDecomposition, labels: Callable[[int], Sequence[AtomLabel]]
) -> dict[int, AtomUse]:
    """The atoms of all steps, by number; `labels` gives those of an atom, as a dictionary's `labels` does.

    An atom that a step took and a later one dropped is none of the token's: its coefficient and its share are 0.
    """
    stayed = {use.atom: use for use in token.atoms}
    return {
        step.atom: stayed[step.atom] if step.atom in stayed else AtomUse.of(step.atom, 0.0, 0.0, labels(step.atom))
        for step in replay.steps
    }


def remark(replay: Replay, step: ReplayStep, token: TokenDecomposition) -> str:
    """What has to be said of a step beside its atom and coefficient; "" for nothing."""
    left = left_again(step, token)
    if all(one.atom != step.atom for one in replay.steps[: step.step - 1]):
        return left
    times = sum(one.atom == step.atom for one in replay.steps[: step.step])
    nth = {2: "second", 3: "third"}.get(times, f"{times}th")
    keeps = method_named(replay.method).keeps_steps
    again = f"taken for the {nth} time; the coefficient is {'its total so far' if keeps else 'fitted anew'}"
    return f"{again}; {left}" if left else again


def left_again(step: ReplayStep, token: TokenDecomposition) -> str:
    """What is said of a step whose atom did not stay in the token's sum; "" where it did."""
    if any(use.atom == step.atom for use in token.atoms):
        return ""
    return "left again later" if step.coefficient else "left again at once"


def _partial_reconstructions(
    dictionary: AtomDictionary, x: torch.Tensor, k: int, method: str, non_negative: bool
) -> tuple[torch.Tensor, list[tuple[int, float]]]:
    """(n_steps, d_model) reconstructions after each step, and per step the atom it chose with its coefficient then."""
    import torch

    whole = dictionary.encode(x, k=k, method=method, non_negative=non_negative)
    keeps, before = method_named(method).keeps_steps, dictionary.mean
    rows, chosen = [], []
    for step in range(1, k + 1):
        if keeps:
            code = type(whole)(whole.indices[:, :step], whole.coefficients[:, :step])
        else:
            code = dictionary.encode(x, k=step, method=method, non_negative=non_negative)
        after = dictionary.decode(code)[0]
        if code.coefficients[0, step - 1]:
            atom = int(code.indices[0, step - 1])
        elif torch.allclose(after, before, rtol=1e-5, atol=1e-6 * float(x.norm())):
            break  # nothing was left to explain, or nothing that this pursuit could: it ended early
        else:  # a step of gradient pursuit that chose an atom it had, or whose atom left again at once
            (atom,) = strongest(dictionary, x - before, non_negative=non_negative)
        coefficient = code.coefficients[0][(code.indices[0] == atom) & (code.coefficients[0] != 0)].sum().item()
        rows.append(after)
        chosen.append((atom, coefficient))
        before = after
    return torch.stack(rows) if rows else x.new_zeros(0, x.shape[1]), chosen


def _predictions(
    model: LanguageModel, read: PromptActivations, token: int, partial: torch.Tensor, top: int
) -> list[tuple[Prediction, ...]]:
    """Predictions from the true activation (first), then from each partial one; empty ones without a head."""
    if not model.has_lm_head:
        return [()] * (len(partial) + 1)
    import torch

    replacements = torch.cat([read.x[token : token + 1].to(partial.device), partial])
    return likeliest(model, model.next_token_logits(read.window, read.site, token, replacements).float(), top)


def likeliest(model: LanguageModel, logits: torch.Tensor, top: int) -> list[tuple[Prediction, ...]]:
    """Of each row of logits (n, n_vocabulary) the `top` likeliest tokens, the likeliest first."""
    probabilities, ids = logits.softmax(dim=-1).topk(min(top, logits.shape[-1]), dim=-1)
    text = {i: token_text(model.tokenizer, i) for i in ids.unique().tolist()}
    return [
        tuple(Prediction(text[i], p) for i, p in zip(row_ids, row, strict=True))
        for row_ids, row in zip(ids.tolist(), probabilities.tolist(), strict=True)
    ]
