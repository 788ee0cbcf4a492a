"""Attribution: which atoms, at which tokens, make the model's next token likely.

With x = mean + sum_j c_j atom_j + error at a site, the effect of atom j at token t on a target is
c_j * (atom_j . d target / d x_t): the target's change to first order were the atom not there, its sign turned. No
gradient goes through the pursuit. Effects of all atoms, of the mean and of the error sum to x . d target / d x exactly.
Integrated over a path from zero activations at all tokens to x, they sum to the change of the target along that path.
Gradient times activation on sparse codes: Marks et al., "Sparse Feature Circuits" (2403.19647), section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.analysis.decompose import token_texts
from itda_core.analysis.interventions.coded import check_belongs, coded
from itda_core.analysis.interventions.ranks import rank_correlation
from itda_core.analysis.interventions.target import KINDS, Target, check_position, token_named
from itda_core.dictionaries.dictionary import AtomDictionary
from itda_core.errors import UserError
from itda_core.text.windows import Window, prompt_window

if TYPE_CHECKING:
    import torch

    from itda_core.models import LanguageModel, Site
    from itda_core.models.gradients import Gradients

# Steps of a path lie at u^4 for u from 0 to 1: a normalisation makes nearly all of the change happen near zero.
_GRADING = 4
N_CHECKED = 20  # parts of a layer that are really removed
MOST_STEPS = 512  # of a path


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
            "sum": [one.sum for one in self.layers],
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
    non_negative: bool = False,
) -> Attribution:
    """Which atoms of `dictionaries` (of one model, one or several layers) make the next token behind `token` likely.

    - token: number of the prompt's token behind which is predicted; None: the last one;
    - target, against: texts or ids of next tokens; None: the likeliest one, against none;
    - kind: "logit", or "log-probability", which against another token is the same difference;
    - integrated: steps of a path from zero, at each dictionary's site for itself; 0: the gradient at x;
    - check: how many of the strongest parts of each layer are really removed;
    - k, method, non_negative: of the pursuit, as for AtomDictionary.encode.

    Raises UserError for a model without a head, another model's dictionary, tokens that are not there, an unknown kind,
    and as `prompt_window`.
    """
    given = [dictionaries] if isinstance(dictionaries, (AtomDictionary, str, Path)) else list(dictionaries)
    chosen = [AtomDictionary.of(one) for one in given]
    if not chosen:
        raise UserError("No dictionary was given; name at least one.")
    _check(model, chosen, kind, integrated)
    window = prompt_window(prompt, model.tokenizer, context=model.context)
    position = check_position(window, token)
    sites = [model.site(dictionary.spec.site, dictionary.spec.layer) for dictionary in chosen]
    wanted, probability = _target(model, window, sites[0], position, target, against, kind)
    read = _gradients(model, window, sites, wanted, integrated)
    layers = tuple(
        _layer(model, dictionary, window, site, wanted, one, _Encoding(k, method, non_negative), check)
        for dictionary, site, one in zip(chosen, sites, read, strict=True)
    )
    against_text = None if wanted.against is None else _text(model, wanted.against)
    return Attribution(
        model=model.name,
        prompt=prompt,
        tokens=token_texts(model, window),
        special=window.special,
        token=position,
        target=_text(model, wanted.token_id),
        target_id=wanted.token_id,
        against=against_text,
        kind=kind,
        value=read[0].value,
        probability=probability,
        integrated=integrated,
        layers=layers,
    )


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


def _target(
    model: LanguageModel,
    window: Window,
    site: Site,
    position: int,
    target: str | int | None,
    against: str | int | None,
    kind: str,
) -> tuple[Target, float]:
    """The target, and how probable its token is."""
    from itda_core.models.edits import shifted_logits

    logits = shifted_logits(model, window, site, [{}], [position])[0, 0]
    chosen = int(logits.argmax()) if target is None else _token(model, target, len(logits))
    other = None if against is None else _token(model, against, len(logits))
    return Target(position, chosen, other, kind), float(logits.softmax(dim=-1)[chosen])


def _token(model: LanguageModel, given: str | int, n_vocabulary: int) -> int:
    found = token_named(model, given) if isinstance(given, str) else given
    if isinstance(found, bool) or not 0 <= found < n_vocabulary:
        raise UserError(f"Token {given!r:.40} is not in the model's vocabulary of {n_vocabulary:,}; give another.")
    return found


def _gradients(
    model: LanguageModel, window: Window, sites: Sequence[Site], target: Target, steps: int
) -> list[Gradients]:
    """Per site the target, the activations, and the gradient (its mean along the path)."""
    from itda_core.models.gradients import target_gradients

    at_x = target_gradients(model, window, list(dict.fromkeys(sites)), target.of)
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


def _layer(
    model: LanguageModel,
    dictionary: AtomDictionary,
    window: Window,
    site: Site,
    target: Target,
    read: Gradients,
    how: _Encoding,
    check: int,
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
    checked = _removed(model, dictionary, window, site, target, felt[:check])
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


def _text(model: LanguageModel, token_id: int) -> str:
    return str(model.tokenizer.decode([token_id]))
