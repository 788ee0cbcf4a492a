"""Attribution: which atoms, at which tokens, make the model's next token likely.

With x = mean + sum_j c_j atom_j + error at a site, the effect of atom j at token t on a target is
c_j * (atom_j . d target / d x_t): the target's change to first order were the atom not there, its sign turned. No
gradient goes through the pursuit. Effects of all atoms, of the mean and of the error sum to x . d target / d x exactly.
Integrated over a path from zero activations at all tokens to x, they sum to the change of the target along that path.
Gradient times activation on sparse codes: Marks et al., "Sparse Feature Circuits" (2403.19647), section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.analysis.decompose import token_texts
from itda_core.analysis.interventions.coded import check_belongs, coded
from itda_core.analysis.interventions.ranks import rank_correlation
from itda_core.analysis.interventions.target import KINDS, Target, check_position, token_named
from itda_core.dictionaries.dictionary import AtomDictionary
from itda_core.errors import UserError
from itda_core.models.tokenizer.token_text import token_text
from itda_core.text.windows import Window, prompt_window

if TYPE_CHECKING:
    import torch

    from itda_core.models import LanguageModel, Site
    from itda_core.models.gradients import Gradients

# Steps of a path lie at u^4 for u from 0 to 1: a normalisation makes nearly all of the change happen near zero.
_GRADING = 4
N_CHECKED = 20  # parts of a layer that are really removed
MOST_STEPS = 512  # of a path
MOST_GAP = 0.05  # of the target's change, between it and what the steps sum to
_ZERO = 1e-6  # times the activations: at zero itself some normalisations have no value


@dataclass(frozen=True)
class Part:
    """What one atom at one token does to the target."""

    token: int  # of the prompt, special ones counted
    atom: int
    coefficient: float
    effect: float  # in units of the target: logits, or nats


@dataclass(frozen=True)
class Checked:
    """A part that was really removed."""

    token: int
    atom: int
    predicted: float  # change of the target by its effect: the effect, its sign turned
    measured: float  # change of the target when coefficient * atom is taken from the activation


@dataclass(frozen=True)
class LayerAttribution:
    """The parts of the activations at one dictionary's site."""

    dictionary: str
    layer: int | None
    site: str
    k: int
    parts: tuple[Part, ...]  # strongest |effect| first
    error: tuple[float, ...]  # per token: the effect of what the dictionary does not explain
    mean: tuple[float, ...]  # per token: the effect of the dictionary's mean
    sum: float  # of all of these: x . gradient, over all tokens
    checked: tuple[Checked, ...] = ()  # the strongest parts that have an effect; empty where nothing was removed
    rank_correlation: float | None = None  # Spearman's, of predicted and measured
    besides: tuple[Checked, ...] = ()  # further parts that were asked for, where the dictionary uses them
    path_change: float | None = None  # of the target from zero activations to these; None without a path

    @property
    def coarse(self) -> bool:
        """Whether the steps of a path were too few: what they sum to is not what the target changes by."""
        if self.path_change is None:
            return False
        return abs(self.sum - self.path_change) > MOST_GAP * max(1.0, abs(self.path_change))

    @property
    def by_token(self) -> tuple[float, ...]:
        """Per token the sum of its atoms' effects."""
        found = [0.0] * len(self.error)
        for part in self.parts:
            found[part.token] += part.effect
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Its sums as plain values: by atoms, mean and error, what they make together, and how far to be trusted."""
        return {
            **{name: getattr(self, name) for name in ("dictionary", "layer", "site", "k")},
            "atoms": sum(self.by_token),
            "mean": sum(self.mean),
            "error": sum(self.error),
            **{name: getattr(self, name) for name in ("sum", "explained", "rank_correlation", "path_change")},
        }

    @property
    def explained(self) -> float:
        """The share of the summed |effects| that atoms have, 0 to 1; the rest is error and mean."""
        atoms = sum(abs(part.effect) for part in self.parts)
        whole = atoms + sum(map(abs, (*self.error, *self.mean)))
        return atoms / whole if whole else 0.0


@dataclass(frozen=True)
class Attribution:
    """Why this next token. `to_dict()` gives the keys of `itda attribute --json`."""

    model: str
    prompt: str
    tokens: tuple[str, ...]  # as people read them; a special token's own name
    special: tuple[bool, ...]
    token: int  # behind which the target is predicted
    target: str  # the next token that is asked about
    target_id: int
    against: str | None
    kind: str  # "logit" or "log-probability"
    value: float  # of the target
    probability: float  # of the next token that is asked about, 0 to 1
    integrated: int  # steps of the path from zero; 0: the gradient at x alone
    layers: tuple[LayerAttribution, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the keys of `itda attribute --json`; what is about one layer is a list over all."""
        where = [(one.dictionary, one.layer) for one in self.layers]

        def per_token(name: str) -> list[dict[str, Any]]:
            return [
                {"dictionary": one.dictionary, "layer": one.layer, "token": i, "effect": effect}
                for one in self.layers
                for i, effect in enumerate(getattr(one, name))
            ]

        return {
            **{name: getattr(self, name) for name in ("model", "prompt", "token", "target", "against", "kind")},
            **{name: getattr(self, name) for name in ("value", "probability", "integrated")},
            "tokens": list(self.tokens),
            "parts": [
                {"dictionary": name, "layer": layer, **vars(part)}
                for (name, layer), one in zip(where, self.layers, strict=True)
                for part in one.parts
            ],
            "error": per_token("error"),
            "mean": per_token("mean"),
            "atoms_by_token": per_token("by_token"),
            "sum": [one.sum for one in self.layers],
            "layers": [one.to_dict() for one in self.layers],
            "checked": [
                {"dictionary": name, "layer": layer, **vars(part)}
                for (name, layer), one in zip(where, self.layers, strict=True)
                for part in one.checked
            ],
            "rank_correlation": [one.rank_correlation for one in self.layers],
        }


def attribute(
    model: LanguageModel,
    dictionaries: AtomDictionary | str | Path | Sequence[AtomDictionary | str | Path],
    prompt: str,
    *,
    token: int | None = None,
    target: str | int | None = None,
    against: str | int | None = None,
    kind: str = "logit",
    k: int | None = None,
    method: str | None = None,
    integrated: int = 0,
    check: int = N_CHECKED,
    besides: Sequence[tuple[int, int]] = (),
    non_negative: bool = False,
) -> Attribution:
    """Which atoms of `dictionaries` (of one model, one or several layers) make the next token behind `token` likely.

    - token: number of the prompt's token behind which is predicted; None: the last one;
    - target, against: texts or ids of next tokens; None: the likeliest one, against none;
    - kind: "logit", or "log-probability", which against another token is the same difference;
    - integrated: steps of a path from zero, for each site by itself (see LayerAttribution.coarse); 0: gradient at x;
    - check: how many of the strongest parts of each layer are really removed;
    - besides: (token, atom) pairs that are removed too, though the rank correlation is without them;
    - k, method, non_negative: of the pursuit, as for AtomDictionary.encode.

    Raises UserError for a model without a head, another model's dictionary, tokens that are not there, an unknown kind,
    and as `prompt_window`.
    """
    from itda_core.models.gradients import target_gradients

    _check(model, chosen := _loaded(dictionaries), kind, integrated)
    window = prompt_window(prompt, model.tokenizer, context=model.context)
    position = check_position(window, token)
    sites = [model.site(dictionary.spec.site, dictionary.spec.layer) for dictionary in chosen]
    asked = _Asked(model, position, target, against, kind)
    at_x = target_gradients(model, window, list(dict.fromkeys(sites)), asked)
    wanted = asked.target
    read = _gradients(model, window, sites, wanted, at_x, integrated)
    layers = tuple(
        _layer(model, dictionary, window, site, wanted, one, _Encoding(k, method, non_negative), (check, set(besides)))
        for dictionary, site, one in zip(chosen, sites, read, strict=True)
    )
    if integrated:
        layers = _with_path_changes(model, window, sites, wanted, at_x, layers)
    return Attribution(
        model=model.name,
        prompt=prompt,
        tokens=token_texts(model, window),
        special=window.special,
        token=position,
        target=token_text(model.tokenizer, wanted.token_id),
        target_id=wanted.token_id,
        against=None if wanted.against is None else token_text(model.tokenizer, wanted.against),
        kind=kind,
        value=read[0].value,
        probability=asked.probability,
        integrated=integrated,
        layers=layers,
    )


def _loaded(given: AtomDictionary | str | Path | Sequence[AtomDictionary | str | Path]) -> list[AtomDictionary]:
    listed = [given] if isinstance(given, (AtomDictionary, str, Path)) else list(given)
    if not listed:
        raise UserError("No dictionary was given; name at least one.")
    return [AtomDictionary.of(one) for one in listed]


def _check(model: LanguageModel, dictionaries: Sequence[AtomDictionary], kind: str, integrated: int) -> None:
    for dictionary in dictionaries:
        check_belongs(model, dictionary)
    if kind not in KINDS:
        raise UserError(f"Targets of kind {kind!r:.40} are unknown; choose {' or '.join(KINDS)}.")
    if not 0 <= integrated <= MOST_STEPS:
        raise UserError(f"A path of {integrated} steps is none; give 0 (no path) to {MOST_STEPS}.")


class _Encoding(NamedTuple):
    """How activations are encoded; None: as the dictionary's own config says."""

    k: int | None
    method: str | None
    non_negative: bool


class _Asked:
    """The target of the first logits that it is called with, so that one forward pass does for choosing it too."""

    def __init__(
        self, model: LanguageModel, position: int, target: str | int | None, against: str | int | None, kind: str
    ) -> None:
        self._model, self._position, self._kind = model, position, kind
        self._given, self._against = target, against
        self.probability = 0.0  # of the target's token

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """The target from logits (n_tokens, n_vocabulary)."""
        row = logits[self._position].detach()
        chosen = int(row.argmax()) if self._given is None else _token(self._model, self._given, len(row))
        other = None if self._against is None else _token(self._model, self._against, len(row))
        self.target = Target(self._position, chosen, other, self._kind)
        self.probability = float(row.softmax(dim=-1)[chosen])
        return self.target.of(logits)


def _token(model: LanguageModel, given: str | int, n_vocabulary: int) -> int:
    found = token_named(model, given) if isinstance(given, str) else given
    if isinstance(found, bool) or not 0 <= found < n_vocabulary:
        raise UserError(f"Token {given!r:.40} is not in the model's vocabulary of {n_vocabulary:,}; give another.")
    return found


def _gradients(
    model: LanguageModel, window: Window, sites: Sequence[Site], target: Target, at_x: Gradients, steps: int
) -> list[Gradients]:
    """Per site the target, the activations, and the gradient: `at_x`, or its mean along the path."""
    from itda_core.models.gradients import target_gradients

    if not steps:
        return [at_x] * len(sites)
    found: dict[Site, Gradients] = {}
    for site in dict.fromkeys(sites):
        mean: torch.Tensor | None = None
        for step in range(steps):
            at = (step + 0.5) / steps
            weight = _GRADING * at ** (_GRADING - 1) / steps
            scaled = target_gradients(model, window, [site], target.of, scale=at**_GRADING)
            part = scaled.gradients[site].double() * weight
            mean = part if mean is None else mean + part
        assert mean is not None, "a path has steps"
        found[site] = at_x._replace(gradients={**at_x.gradients, site: mean})
    return [found[site] for site in sites]


def _with_path_changes(
    model: LanguageModel,
    window: Window,
    sites: Sequence[Site],
    target: Target,
    at_x: Gradients,
    layers: Sequence[LayerAttribution],
) -> tuple[LayerAttribution, ...]:
    """`layers` with what the target changes by along their paths: what parts sum to, if steps are enough."""
    from itda_core.models.gradients import target_gradients

    zero = [target_gradients(model, window, [site], target.of, scale=_ZERO).value for site in sites]
    return tuple(replace(layer, path_change=at_x.value - value) for layer, value in zip(layers, zero, strict=True))


def _layer(
    model: LanguageModel,
    dictionary: AtomDictionary,
    window: Window,
    site: Site,
    target: Target,
    read: Gradients,
    how: _Encoding,
    removing: tuple[int, set[tuple[int, int]]],
) -> LayerAttribution:
    x = read.activations[site]
    code = coded(dictionary, x, window.special, how.k, how.method, non_negative=how.non_negative)
    gradient = read.gradients[site].to(code.x)
    along = (dictionary.atoms[code.atoms].to(code.x) * gradient[:, None, :]).sum(dim=-1)
    effects = code.coefficients * along
    used = (code.coefficients != 0).nonzero().tolist()
    parts = sorted(
        (Part(t, int(code.atoms[t, s]), float(code.coefficients[t, s]), float(effects[t, s])) for t, s in used),
        key=lambda part: (-abs(part.effect), part.token, part.atom),
    )
    felt = [part for part in parts if part.effect]  # in the last block, other tokens' atoms do nothing
    check, wanted = removing
    strongest = felt[:check]
    besides = [part for part in parts if (part.token, part.atom) in wanted]
    removed = _removed(model, dictionary, window, site, target, [*strongest, *besides])
    checked, others = removed[: len(strongest)], removed[len(strongest) :]
    spec = dictionary.spec
    return LayerAttribution(
        dictionary=dictionary.path.name if dictionary.path else f"{spec.model} {site.name}",
        layer=spec.layer,
        site=spec.site,
        k=code.atoms.shape[1],
        parts=tuple(parts),
        error=tuple((code.error * gradient).sum(dim=-1).tolist()),
        mean=tuple((code.mean * gradient).sum(dim=-1).tolist()),
        sum=float((code.x * gradient).sum()),
        checked=checked,
        rank_correlation=rank_correlation([one.predicted for one in checked], [one.measured for one in checked]),
        besides=others,
    )


def _removed(
    model: LanguageModel,
    dictionary: AtomDictionary,
    window: Window,
    site: Site,
    target: Target,
    parts: Sequence[Part],
) -> tuple[Checked, ...]:
    """Each of `parts` taken from its activation in turn, all else as it is."""
    from itda_core.models.edits import shifted_logits

    if not parts:
        return ()
    shifts = [{part.token: -part.coefficient * dictionary.atoms[part.atom]} for part in parts]
    logits = shifted_logits(model, window, site, [{}, *shifts], [target.position])[:, 0].double()
    values = target.of_row(logits).tolist()  # the first is the model itself, read in the same batches
    return tuple(
        Checked(part.token, part.atom, -part.effect, after - values[0])
        for part, after in zip(parts, values[1:], strict=True)
    )
