"""From what has grown at a site to the finished dictionary, measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from itda_core.dictionaries.checkpoints.initial import described
from itda_core.dictionaries.dictionary import AtomDictionary, DictionarySpec
from itda_core.dictionaries.growing import held_out
from itda_core.dictionaries.provenance import to_frame
from itda_core.dictionaries.threshold import cosine_of
from itda_core.errors import UserError

if TYPE_CHECKING:
    from itda_core.dictionaries.activation_source import ActivationSource
    from itda_core.dictionaries.checkpoints.snapshot import Snapshot
    from itda_core.dictionaries.config import TrainConfig
    from itda_core.dictionaries.growing.growth import Growth
    from itda_core.text.corpus import Corpus


class MeasuredText(NamedTuple):
    """What a dictionary is measured on."""

    x: Tensor  # (n_tokens, d_model), activations at its site
    kind: str  # what the text is to the dictionary: "held-out" or "training"


def finished_dictionary(
    growth: Growth,
    layer: int,
    model: ActivationSource,
    corpus: Corpus,
    config: TrainConfig,
    now: Snapshot,
    made: dict[str, Any],
    measured_on: MeasuredText,
) -> AtomDictionary:
    """The dictionary of site number `layer` of a run that has come to `now`; made: see `training.how_made`.

    Raises UserError when every activation was zero.
    """
    totals = growth.totals
    if not totals.judged:
        raise UserError(f"Every activation at {growth.site.name} of {model.name} was zero; choose another site.")
    atoms = growth.atoms
    spec = DictionarySpec(
        model=model.name,
        revision=model.revision,
        weights_fingerprint=model.fingerprint,
        tokenizer_fingerprint=model.tokenizer_fingerprint,
        layer=growth.site.layer,
        site=growth.site_name,
        d_model=atoms.shape[1],
        corpus=corpus.id,
        corpus_fingerprint=corpus.fingerprint,
    )
    mean = torch.zeros_like(atoms[0]) if growth.mean is None else growth.mean
    config = replace(config, threshold=config.threshold_for(spec.d_model))
    dictionary = AtomDictionary(atoms, mean, to_frame(growth.labels), spec, config, {}, gram=growth.gram)
    dictionary.stats.update(norm_median=growth.norm_median)
    quality = held_out.quality(dictionary, measured_on.x)
    if growth.gram is None:  # then it was made for this alone, and all layers' together would fill the memory
        dictionary.forget_gram()
    dictionary.stats.update(
        tokens=totals.tokens,
        windows=now.windows,
        seconds=now.seconds,
        tokens_per_second=now.tokens / now.seconds,
        mean_relative_error=totals.error_sum / totals.judged,
        fvu=quality.fvu,
        relative_error=quality.relative_error,
        fvu_tokens=quality.tokens,
        fvu_text=measured_on.kind,
        special_tokens_left_out=now.special,
        zero_activations_left_out=totals.skipped,
        sinks_left_out=totals.sinks,
        fvu_sinks_left_out=quality.sinks,
        passes=now.passes,
        stages=now.stage_list(layer),
        stream={**now.record(layer), "made": made},
        **_special_stats(growth, config, atoms),
    )
    return dictionary


def _special_stats(growth: Growth, config: TrainConfig, atoms: Tensor) -> dict[str, Any]:
    """Statistics that only some dictionaries have: of what they began with, of the published selection."""
    stats: dict[str, Any] = {} if growth.initial is None else {"initial": described(growth.initial)}
    if config.rule.by_width:
        assert config.threshold is not None, "this selection has one"
        stats["threshold_cosine"] = cosine_of(config.threshold, atoms.shape[1])
        stats["duplicate_atoms"] = len(atoms) - len(torch.unique(atoms.cpu(), dim=0))
    return stats
