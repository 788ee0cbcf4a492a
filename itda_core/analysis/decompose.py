"""A prompt's activations as sparse sums of atoms: which source tokens explain each token.

Source: Leask, Nanda and Al Moubayed, "Inference-Time Decomposition of Activations" (ICML 2025), section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.analysis.taken import taken
from itda_core.arguments import plain
from itda_core.dictionaries.dictionary import AtomDictionary
from itda_core.errors import UserError
from itda_core.fingerprints import same_model, weights_of
from itda_core.text.windows import Window, prompt_window

if TYPE_CHECKING:
    import torch

    from itda_core.dictionaries import AtomLabel, LabelsOnly
    from itda_core.models import LanguageModel, Site


class PromptActivations(NamedTuple):
    """What the model computed for one prompt at the dictionary's site; any k and method can be tried on it."""

    prompt: str
    window: Window
    token_texts: tuple[str, ...]  # a special token's own name, otherwise the characters the token covers
    site: Site
    x: torch.Tensor  # (n_tokens, d_model) float32, special tokens included


@dataclass(frozen=True)
class SourceLabel:
    """A place where an atom was seen."""

    token: str
    context_before: str
    context_after: str
    document: str
    char_start: int
    char_end: int

    @classmethod
    def of(cls, label: AtomLabel) -> SourceLabel:
        """The parts of a label that a decomposition shows."""
        return cls(**{field.name: getattr(label, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class AtomUse:
    """One atom in one token's sum, with the label it carries from its source text (the first, where it has several)."""

    atom: int
    coefficient: float
    share: float  # |coefficient| / sum of the token's |coefficients|, 0 to 1
    token: str
    context_before: str
    context_after: str
    document: str
    char_start: int
    char_end: int
    further: tuple[SourceLabel, ...] = ()  # the other labels of an atom that is the mean of several activations

    @property
    def places(self) -> tuple[SourceLabel, ...]:
        """All its labels, the first one first."""
        return (SourceLabel(**{field.name: getattr(self, field.name) for field in fields(SourceLabel)}), *self.further)

    @classmethod
    def of(cls, atom: int, coefficient: float, share: float, labels: Sequence[AtomLabel]) -> AtomUse:
        """The use of `atom`, which has these `labels`."""
        first, *further = map(SourceLabel.of, labels)
        return cls(atom, coefficient, share, **asdict(first), further=tuple(further))


@dataclass(frozen=True)
class TokenDecomposition:
    """One token of the prompt: how well the dictionary explains it, and by which atoms (strongest first)."""

    index: int
    text: str
    char_start: int
    char_end: int
    special: bool
    relative_error: float  # |x - x_hat|^2 / |x|^2, x after centring if the dictionary is centred
    cosine: float  # of x and x_hat, both after centring if centred
    l0: int  # distinct atoms with a non-zero coefficient
    norm: float  # |x| before centring
    atoms: tuple[AtomUse, ...]
    sink: bool = False  # an attention sink: its norm exceeds those the dictionary was built from
    taken: tuple[int, ...] = ()  # the atom of each step, those that left again too, up to the last that stayed


@dataclass(frozen=True)
class Decomposition:
    """A prompt, token by token. `to_dict()` gives the keys of `itda decompose --json`."""

    model: str
    layer: int | None
    site: str
    k: int
    method: str
    prompt: str
    tokens: tuple[TokenDecomposition, ...]
    non_negative: bool = False  # whether no coefficient may be below zero
    centred: bool = False  # whether relative errors and cosines are after the dictionary's mean was removed

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the keys of `itda decompose --json`."""
        return asdict(self)


def read_prompt(model: LanguageModel, dictionary: AtomDictionary, prompt: str) -> PromptActivations:
    """The activations of `prompt` at the site the dictionary was built on.

    Raises UserError when the prompt is empty or longer than the model's context, or when the dictionary belongs to
    another model.
    """
    check_model(model, dictionary)
    site = model.site(dictionary.spec.site, dictionary.spec.layer)
    window = prompt_window(prompt, model.tokenizer, context=model.context)
    x = model.capture(window, [site])[site].float()
    return PromptActivations(prompt, window, token_texts(model, window), site, x)


def token_texts(model: LanguageModel, window: Window) -> tuple[str, ...]:
    """The window's tokens as people read them: their characters, or a special token's own name."""
    names = model.tokenizer.convert_ids_to_tokens(list(window.token_ids))
    return tuple(
        name if special else window.text[start:end]
        for name, special, (start, end) in zip(names, window.special, window.spans, strict=True)
    )


def decompose_activations(
    dictionary: AtomDictionary,
    read: PromptActivations,
    k: int | None = None,
    method: str | None = None,
    *,
    non_negative: bool = False,
) -> Decomposition:
    """The sparse sums of activations already read; no model runs. `k` and `method` default to the dictionary's own.

    non_negative: only coefficients of at least zero, in whichever pursuit.
    """
    import torch

    from itda_core.dictionaries.growing.sinks import sinks_in
    from itda_core.pursuit import reconstruct, relative_error

    k, method = defaults(dictionary, k, method)
    x = read.x.to(dictionary.atoms.device)
    code = dictionary.encode(x, k=k, method=method, non_negative=non_negative)
    centred = x - dictionary.mean
    x_hat = reconstruct(code, dictionary.atoms)
    errors = relative_error(centred, x_hat).tolist()
    cosines = torch.nn.functional.cosine_similarity(centred, x_hat, dim=-1).tolist()
    norms = x.norm(dim=-1).tolist()
    merged = code.merged()
    all_indices, all_coefficients = merged.indices.tolist(), merged.coefficients.tolist()
    steps = taken(dictionary, x, code, method, non_negative=non_negative)
    sinks = sinks_in(x, dictionary.sink_norm).tolist()
    labels = {atom: dictionary.labels(atom) for atom in sorted({atom for row in all_indices for atom in row})}
    tokens = []
    for index, (start, end) in enumerate(read.window.spans):
        uses = _uses(all_indices[index], all_coefficients[index], labels)
        tokens.append(
            TokenDecomposition(
                index=index,
                text=read.token_texts[index],
                char_start=start,
                char_end=end,
                special=read.window.special[index],
                relative_error=errors[index],
                cosine=cosines[index],
                l0=len(uses),
                norm=norms[index],
                atoms=uses,
                sink=sinks[index] and not read.window.special[index],
                taken=steps[index],
            )
        )
    spec = dictionary.spec
    return Decomposition(
        *(spec.model, spec.layer, spec.site, k, method, read.prompt, tuple(tokens)),
        non_negative=non_negative,
        centred=dictionary.config.centre,
    )


def _uses(
    atoms: list[int], coefficients: list[float], labels: Mapping[int, Sequence[AtomLabel]]
) -> tuple[AtomUse, ...]:
    """One token's merged code, its unused slots left out, with the labels of its atoms."""
    total = sum(map(abs, coefficients))
    return tuple(
        AtomUse.of(atom, coefficient, abs(coefficient) / total, labels[atom])
        for atom, coefficient in zip(atoms, coefficients, strict=True)
        if coefficient != 0.0
    )


def decompose(
    model: LanguageModel,
    dictionary: AtomDictionary | str | Path,
    prompt: str,
    k: int | None = None,
    method: str | None = None,
    *,
    non_negative: bool = False,
) -> Decomposition:
    """Which atoms explain each token of `prompt`: `read_prompt`, then `decompose_activations`.

    dictionary: also the folder of one.
    """
    dictionary = AtomDictionary.of(dictionary)
    read = read_prompt(model, dictionary, prompt)
    return decompose_activations(dictionary, read, k, method, non_negative=non_negative)


def defaults(dictionary: AtomDictionary, k: int | None, method: str | None) -> tuple[int, str]:
    """k and method where none are given: the dictionary's own, k never above its number of atoms."""
    own, k = dictionary.config, plain(k)
    return min(own.k, len(dictionary)) if k is None else k, own.method if method is None else method


def check_model(model: LanguageModel, dictionary: AtomDictionary | LabelsOnly) -> None:
    """Raises UserError when `dictionary` was built on other weights than `model` has: its labels would not hold."""
    spec = dictionary.spec
    if spec.d_model != model.d_model:
        raise UserError(
            f"The dictionary's atoms have {spec.d_model} dimensions, activations of {model.name} have {model.d_model}; "
            f"load {spec.model} instead."
        )
    if not same_model(spec.weights_fingerprint, model.fingerprint):
        if weights_of(spec.weights_fingerprint) == weights_of(model.fingerprint):
            raise UserError(
                f"The dictionary was built on {spec.model} with another config: {model.name} has the same weights, but "
                "its config.json (or code of its own) computes other activations from them; restore it, or train a "
                "dictionary on the model as it is."
            )
        raise UserError(
            f"The dictionary was built on {spec.model} with weights {spec.weights_fingerprint[:12]}, {model.name} has "
            f"{model.fingerprint[:12]}; load the same revision or train a dictionary on these weights."
        )
