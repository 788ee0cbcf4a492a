"""How well a finished dictionary reconstructs text it was not grown on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch
from torch import Tensor

from itda_core.dictionaries.growing.sinks import sinks_in
from itda_core.pursuit import relative_error

if TYPE_CHECKING:
    from itda_core.dictionaries.activation_source import Site
    from itda_core.dictionaries.dictionary import AtomDictionary

S = TypeVar("S", bound="Site")

MOST_TOKENS = 4096
FEWEST_TOKENS = 256  # with fewer left in the corpus the figure would be chance, and training text is used


class Quality(NamedTuple):
    """Figures over some tokens; None where they are not defined."""

    fvu: float | None  # sum |x - x_hat|^2 / sum |x - mean(x)|^2
    relative_error: float | None  # mean of |x - x_hat|^2 / |x|^2 (x after centring, if centred)
    tokens: int  # measured on
    sinks: int  # tokens left out because the dictionary leaves out attention sinks
    l0: float | None = None  # mean number of distinct atoms per token


def collect(parts: Iterable[Mapping[S, Tensor]], most: int = MOST_TOKENS) -> dict[S, Tensor]:
    """The first `most` activations of a stream, per site (n_tokens, d_model); it is read no further than that."""
    held: dict[S, list[Tensor]] = {}
    room = most
    for part in parts:
        for site, x in part.items():
            held.setdefault(site, []).append(x[:room])
        room -= min(room, max((len(x) for x in part.values()), default=0))
        if room == 0:
            break
    return {site: torch.cat(xs) for site, xs in held.items()}


def quality(dictionary: AtomDictionary, x: Tensor, k: int | None = None, method: str | None = None) -> Quality:
    """How well `dictionary` reconstructs activations x (n_tokens, d_model), by k and method, its own if left out."""
    n_tokens = len(x)
    x = x[~sinks_in(x, dictionary.sink_norm)]
    sinks = n_tokens - len(x)
    if len(x) == 0:
        return Quality(None, None, 0, sinks)
    code = dictionary.encode(x, k=k, method=method)
    x_hat = dictionary.decode(code)
    mean = dictionary.mean.to(x.device)
    errors = relative_error(x - mean, x_hat - mean)
    # Sums of squares over thousands of tokens lose digits in float32.
    residual = (x - x_hat).cpu().double().square().sum()
    wide = x.cpu().double()
    variance = (wide - wide.mean(dim=0)).square().sum()
    fvu = float(residual / variance) if variance > 0 else None
    l0 = float((code.merged().coefficients != 0).sum(dim=1).double().mean())
    return Quality(fvu, float(errors.cpu().double().mean()), len(x), sinks, l0)
