"""Dictionaries of this package, grown by the code of `itda train` on activations in memory, and random draws."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from itda_core.bench.training.harvest import Harvest
from itda_core.bench.training.reach import Reached, Trial, reaching
from itda_core.bench.training.textbook import Grown
from itda_core.dictionaries.choosing.directions import unit_directions
from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.growing.training import train
from itda_core.dictionaries.selections import selection_named
from itda_core.dictionaries.threshold import threshold_of


def grown(harvest: Harvest, config: TrainConfig) -> Grown:
    """The dictionary that `itda train` makes of the harvest's text with this config."""
    site = harvest.source.site()
    *_, last = train(harvest.source, harvest.corpus, [site.layer], config, site=site.kind)
    (dictionary,) = last.dictionaries
    return Grown(dictionary.atoms, dictionary.mean, int(dictionary.stats["tokens"]))


def random_draw(x: Tensor, atoms: int, *, centre: bool, seed: int) -> Grown:
    """`atoms` of the activations x (n_tokens, d_model) drawn at random; `centre`: their mean subtracted first."""
    mean = x.double().mean(dim=0).float() if centre else torch.zeros_like(x[0])
    directions, usable = unit_directions(x, mean)
    drawn = torch.randperm(len(usable), generator=torch.Generator().manual_seed(seed))[:atoms]
    return Grown(directions[usable[drawn.to(usable.device)]], mean, len(x))


def equivalent_threshold(selection: str, relative_error: float, d_model: int) -> float:
    """What a relative squared error is in the unit of a selection; see dictionaries.threshold."""
    by_width = selection_named(selection).by_width
    return threshold_of(math.sqrt(1 - relative_error), d_model) if by_width else relative_error


def reaching_config(harvest: Harvest, config: TrainConfig) -> tuple[TrainConfig, Reached]:
    """`config`, whose selection goes by a threshold, with the one that fills the dictionary close to the last token.

    The threshold of `Reached` is a relative squared error whatever the selection's own unit. Raises UserError when
    none fills it.
    """
    assert config.atoms is not None, "a number of atoms is wanted"
    d_model = harvest.training.shape[1]

    def at(relative_error: float) -> TrainConfig:
        return replace(config, threshold=equivalent_threshold(config.selection, relative_error, d_model))

    def trial(relative_error: float) -> Trial:
        found = grown(harvest, at(relative_error))
        return Trial(len(found.atoms), found.tokens)

    reached = reaching(trial, config.atoms, len(harvest.training))
    return at(reached.threshold), reached
