"""Finished dictionaries that a training can go on from: those of the same training with less text or fewer atoms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.storage.description import read_description
from itda_core.errors import UserError
from itda_core.fingerprints import same_model

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary
    from itda_core.models import LanguageModel, Site
    from itda_core.runs.library import Library, LibraryEntry
    from itda_core.text import Corpus

_FIGURES = ("tokens", "seconds", "tokens_per_second", "mean_relative_error")  # of a training's result
_PER_LAYER = ("totals", "atoms_before", "atoms_added")  # what differs between the dictionaries of one run


def finished(
    library: Library,
    model: LanguageModel,
    corpus: Corpus,
    sites: Sequence[Site],
    config: TrainConfig,
    initial: str | None = None,
) -> tuple[AtomDictionary, ...]:
    """The dictionaries of one finished run in `library` that a training of `config` goes on from, one per site;
    initial: the fingerprint of what it begins with.

    Where a selection chooses all its atoms together and can go no further, these are what the training ended with.

    Only the user's own count. Of several runs the one that read most text is taken, and of those the newest; empty
    where there is none that has all the sites.
    """
    from itda_core.dictionaries import AtomDictionary

    wanted = {(site.module or site.kind, site.layer): i for i, site in enumerate(sites)}
    runs: dict[str, dict[int, LibraryEntry]] = {}
    length: dict[str, tuple[int, str]] = {}  # tokens read, when
    for entry in library.entries():  # newest first
        layer_site = wanted.get((str(entry.site), entry.layer))
        if entry.bundled or entry.problem or layer_site is None:
            continue
        description = read_description(entry.path)
        if not _leads_to(description, model, corpus, config, initial):
            continue
        run = _run_of(description["stats"])
        runs.setdefault(run, {}).setdefault(layer_site, entry)
        length.setdefault(run, (description["stats"]["stream"]["tokens"], str(entry.created)))
    whole = [run for run, found in runs.items() if len(found) == len(sites)]
    if not whole:
        return ()
    best = max(whole, key=length.__getitem__)
    return tuple(AtomDictionary.load(runs[best][i].path) for i in range(len(sites)))


def ended(dictionaries: Sequence[AtomDictionary], config: TrainConfig) -> bool:
    """Whether `dictionaries` are what a training of `config` ends with, so that nothing is left to do."""
    resolved = (
        TrainConfig.from_dict({**config.to_dict(), "threshold": config.threshold_for(dictionary.spec.d_model)})
        for dictionary in dictionaries
    )
    return all(dictionary.config == wanted for dictionary, wanted in zip(dictionaries, resolved, strict=True))


def _leads_to(
    description: dict[str, Any], model: LanguageModel, corpus: Corpus, config: TrainConfig, initial: str | None
) -> bool:
    from itda_core.dictionaries.checkpoints.checkpoint import differences
    from itda_core.dictionaries.growing.training import how_made

    spec, stats = description["spec"], description["stats"]
    if not isinstance(stats.get("stream"), dict) or not isinstance(stats.get("stages"), list):
        return False
    if any(stats.get(name) is None for name in _FIGURES):  # of an earlier version, or edited
        return False
    theirs = (spec["tokenizer_fingerprint"], spec["corpus_fingerprint"])
    if theirs != (model.tokenizer_fingerprint, corpus.fingerprint):
        return False
    if not same_model(spec["weights_fingerprint"], model.fingerprint):
        return False
    try:
        earlier = TrainConfig.from_dict({"sinks": None, **description["config"]})
    except UserError:
        return False
    return (
        isinstance(stats["stream"].get("tokens"), int)
        and config.goes_on_from(earlier)
        and not config.asks_less_than(earlier, (spec["d_model"],))
        and not differences(stats["stream"].get("made", {}), how_made(model, config, initial))
    )


def _run_of(stats: dict[str, Any]) -> str:
    """A key that the dictionaries of one run share: where it stopped, and by which stages."""
    stages = [{name: v for name, v in stage.items() if name not in _PER_LAYER} for stage in stats["stages"]]
    stream = {name: value for name, value in stats["stream"].items() if name not in _PER_LAYER}
    return json.dumps([stream, stages], sort_keys=True)
