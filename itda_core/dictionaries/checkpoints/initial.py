"""The dictionaries a training begins with, if any.

Its atoms and labels come first and stay, whatever selected them, and count for `config.atoms`; a centred one gives its
mean as well. The published code can begin like this, but keeps no labels. They are part of a run's identity: a run that
goes on must have begun with the same. `stats["initial"]` records which they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from itda_core.dictionaries.checkpoints.checkpoint import differences
from itda_core.dictionaries.config import EXTENDED
from itda_core.dictionaries.provenance import to_labels
from itda_core.errors import UserError

if TYPE_CHECKING:
    from itda_core.dictionaries.activation_source import ActivationSource, Site
    from itda_core.dictionaries.config import TrainConfig
    from itda_core.dictionaries.dictionary import AtomDictionary
    from itda_core.text.corpus import Corpus


def placed(
    initial: Sequence[AtomDictionary],
    sites: Sequence[Site],
    model: ActivationSource,
    corpus: Corpus,
    config: TrainConfig,
) -> dict[int, AtomDictionary]:
    """The initial dictionaries by the number of their site.

    A label names a place of one text, cut in one way and read by one model: where any of that differs from the
    training's, `verify` would not find the place again, and the Jaccard similarity would count a prefix that was never
    read. So model, tokenizer, corpus, context and windows have to be the training's own, and whether it centres. How
    the atoms were selected, from how much of the text, and with which k does not matter.

    Raises UserError when one of the dictionaries does not fit, naming why, when the selection cannot begin with one, or
    when no atom could be added.
    """
    if initial and not config.rule.extends:
        raise UserError(
            f"selection={config.selection!r} chooses all of its atoms itself; leave the initial "
            f"dictionary out, or choose selection={' or '.join(map(repr, EXTENDED))}."
        )
    numbers = {(site.module or site.kind, site.layer): i for i, site in enumerate(sites)}
    found: dict[int, AtomDictionary] = {}
    for dictionary in initial:
        spec = dictionary.spec
        number = numbers.get((spec.site, spec.layer))
        if number is None:
            raise UserError(
                f"{dictionary!r} is of none of the sites of this training ({', '.join(site.name for site in sites)}); "
                "train its layer too, or leave it out."
            )
        if number in found:
            raise UserError(
                f"{dictionary!r} is the second initial dictionary of {sites[number].name}; give one for each layer."
            )
        if different := _misfit(dictionary, sites[number], model, corpus, config):
            raise UserError(
                f"{dictionary!r} cannot be the initial dictionary, because it had {'; '.join(different)}: its atoms or "
                "their labels would not hold; use its settings, or leave it out."
            )
        if config.atoms is not None and len(dictionary) >= config.atoms:
            raise UserError(
                f"The initial dictionary has {len(dictionary):,} atoms already, and atoms={config.atoms:,} are wanted; "
                "ask for more, or leave one of the two out."
            )
        found[number] = dictionary
    return found


def fingerprint(initial: Mapping[int, AtomDictionary]) -> str | None:
    """The fingerprint of all of them with the numbers of their sites, 64 hexadecimal digits; None for none."""
    if not initial:
        return None
    digest = hashlib.sha256()
    for number, dictionary in sorted(initial.items()):
        digest.update(f"{number} {own_fingerprint(dictionary)}\n".encode())
    return digest.hexdigest()


def own_fingerprint(dictionary: AtomDictionary) -> str:
    """The fingerprint of a dictionary's atoms, mean and labels, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for tensor in (dictionary.atoms, dictionary.mean):
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    for label in to_labels(dictionary.provenance):
        digest.update(f"{label.atom} {label.document!r} {label.window_start} {label.position}\n".encode())
    return digest.hexdigest()


def described(dictionary: AtomDictionary) -> dict[str, Any]:
    """The entry for this one in the statistics of a dictionary that began with it: JSON-able."""
    return {
        "name": None if dictionary.path is None else dictionary.path.name,
        "atoms": len(dictionary),
        "selection": dictionary.config.selection,
        "fingerprint": own_fingerprint(dictionary),
    }


def _misfit(
    dictionary: AtomDictionary, site: Site, model: ActivationSource, corpus: Corpus, config: TrainConfig
) -> list[str]:
    spec = dictionary.spec
    had = {
        "d_model": spec.d_model,
        "model": spec.weights_fingerprint,
        "tokenizer": spec.tokenizer_fingerprint,
        "corpus": spec.corpus_fingerprint,
        **{name: getattr(dictionary.config, name) for name in ("context", "windows", "centre")},
    }
    wanted = {
        "d_model": model.d_model if site.module is None else spec.d_model,  # a module may be narrower or wider
        "model": model.fingerprint,
        "tokenizer": model.tokenizer_fingerprint,
        "corpus": corpus.fingerprint,
        **{name: getattr(config, name) for name in ("context", "windows", "centre")},
    }
    return differences(had, wanted)
