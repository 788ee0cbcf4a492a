"""Labels of dictionaries in the library, or in files, transferred to a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from itda_core.errors import UserError
from itda_core.files import read_json
from itda_core.runs.layers import existing_layers
from itda_core.runs.library import Library
from itda_core.runs.rebuilding import open_labels
from itda_core.runs.verify import corpus_of

if TYPE_CHECKING:
    from pathlib import Path

    from itda_core.comparison.transfer import TransferTable
    from itda_core.dictionaries import AtomDictionary, LabelsOnly
    from itda_core.models import LanguageModel, ModelSpec, Site
    from itda_core.text import Corpus

OWN_LAYERS = "own"  # each layer of which there are labels


def transfer_labels(
    references: Sequence[str],
    model: ModelSpec,
    *,
    layers: Sequence[int] | str | None = OWN_LAYERS,
    corpus: str | None = None,
    ks: Sequence[int] | None = None,
    method: str | None = None,
    own: Sequence[str] = (),
    tokens: int | None = None,
    draws: int | None = None,
    seed: int = 0,
    held_out: str | None = None,
    library: str | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> TransferTable:
    """`comparison.transfer_table` of labels (dictionaries by name or folder, or files of labels) in `model`.

    - layers: of `model`; None: all; OWN_LAYERS: those that the labels are of. The site is the labels' own, the same in
      all;
    - own: dictionaries of `model`. Where none is given for a layer, one of these weights, this site and this text is
      looked for in the library; of several, that whose number of atoms comes nearest to the labels' (the user's own
      and the newest first).

    Raises UserError for what does not exist or does not belong together, as `transfer_table` does.
    """
    from itda_core.comparison.transfer import DRAWS, TOKENS, transfer_table
    from itda_core.dictionaries import AtomDictionary
    from itda_core.models import load_model
    from itda_core.text import Corpus

    shelf = Library(library)
    on_step("reading labels")
    labels = [open_labels(reference, shelf) for reference in references]
    if len(kinds := {one.spec.site for one in labels}) != 1:
        raise UserError(f"The labels are of different sites ({', '.join(sorted(kinds))}); transfer them one at a time.")
    given = [AtomDictionary.load(shelf.find(name)) for name in own]
    text = corpus_of(labels[0], corpus)
    held = None if held_out is None else Corpus.open(held_out)
    on_step("loading the model")
    language_model = load_model(model, head=False)
    sites = _sites(labels, language_model, layers)
    missing = [site for site in sites if site not in {_site_of(one, language_model) for one in given}]
    given += _in_library(shelf, language_model, text, missing, labels)
    return transfer_table(
        labels,
        language_model,
        text,
        sites,
        own=given,
        ks=ks,
        method=method,
        tokens=TOKENS if tokens is None else tokens,
        draws=DRAWS if draws is None else draws,
        seed=seed,
        held_out=held,
        on_progress=lambda step, share: on_step(f"{step} {share:.0%}"),
    )


def _sites(labels: Sequence[LabelsOnly], model: LanguageModel, layers: Sequence[int] | str | None) -> list[Site]:
    kind = labels[0].spec.site
    own = sorted({one.spec.layer for one in labels}, key=lambda layer: -1 if layer is None else layer)
    if isinstance(layers, str):
        return [model.site(kind, layer) for layer in own]
    return [model.site(kind, layer) for layer in existing_layers(layers, model.n_layers, model.name)]


def _site_of(dictionary: AtomDictionary, model: LanguageModel) -> Site | None:
    """None where `model` is another one, which transfer_table says."""
    spec = dictionary.spec
    return model.site(spec.site, spec.layer) if spec.weights_fingerprint == model.fingerprint else None


def _in_library(
    library: Library, model: LanguageModel, corpus: Corpus, sites: Sequence[Site], labels: Sequence[LabelsOnly]
) -> list[AtomDictionary]:
    """For each of `sites` the dictionary that suits best, if there is one; rebuilt ones are nobody's own."""
    from itda_core.dictionaries import AtomDictionary

    wanted = {(site.module or site.kind, site.layer): site for site in sites}
    best: dict[Site, tuple[int, Path]] = {}
    for entry in library.entries():  # the user's own first, newest first
        site = wanted.get((str(entry.site), entry.layer))
        if entry.problem or site is None or entry.atoms is None:
            continue
        said = read_json(entry.path / "dictionary.json")
        prints = said["spec"]["weights_fingerprint"], said["spec"]["corpus_fingerprint"]
        if prints != (model.fingerprint, corpus.fingerprint) or "rebuilt" in said["stats"]:
            continue
        distance = min(abs(entry.atoms - len(one)) for one in labels)
        if site not in best or distance < best[site][0]:
            best[site] = (distance, entry.path)
    return [AtomDictionary.load(path) for _, path in best.values()]
