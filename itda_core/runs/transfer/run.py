"""Labels of dictionaries in the library, or in files, transferred to a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from itda_core.dictionaries.storage.description import read_description
from itda_core.fingerprints import same_model
from itda_core.runs.costs.model_figures import model_figures
from itda_core.runs.costs.transfer import operations_by_step
from itda_core.runs.library import Library
from itda_core.runs.transfer.request import TransferRequest
from itda_core.runs.verify import corpus_of

if TYPE_CHECKING:
    from pathlib import Path

    from itda_core.comparison.label_transfer.transfer import TransferTable
    from itda_core.dictionaries import AtomDictionary, LabelsOnly
    from itda_core.models import LanguageModel, Site
    from itda_core.text import Corpus


class TransferProgress(NamedTuple):
    """Where a transfer stands, from when its model was loaded."""

    step: str  # what is being done
    share: float  # of the work that is done, 0 to 1
    seconds: float


def transfer_labels(
    request: TransferRequest,
    *,
    on_step: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[TransferProgress], None] = lambda _: None,
) -> TransferTable:
    """`comparison.transfer_table` of what `request` names.

    The site is the labels' own, the same in all. Where no own dictionary is given for a layer, one of these weights,
    this site and this text is looked for in the library; of several, that whose number of atoms comes nearest to the
    labels' (the user's own and the newest first). What the callbacks raise ends the work.

    Raises UserError for what does not exist or does not belong together, as `transfer_table` does; what can be seen
    without the model is looked at before it is loaded.
    """
    from itda_core.comparison.label_transfer.transfer import transfer_table
    from itda_core.dictionaries import AtomDictionary
    from itda_core.models import load_model
    from itda_core.models.folder.model_folder import model_folder
    from itda_core.text import Corpus

    library = Library(request.library)
    on_step("reading labels")
    labels = request.read_labels(library)
    given = [AtomDictionary.load(library.find(name)) for name in request.own]
    on_step("finding the model")
    model_folder(request.model)
    figures = model_figures(request.model)
    if figures is not None:
        request.target_layers(labels, figures.n_layers)
    on_step("opening the corpus")
    text = corpus_of(labels[0], request.corpus)
    held = None if request.held_out is None else Corpus.open(request.held_out)
    on_step("loading the model")
    language_model = load_model(request.model, head=False)
    kind = labels[0].spec.site
    sites = [language_model.site(kind, layer) for layer in request.target_layers(labels, language_model.n_layers)]
    missing = [site for site in sites if site not in {_site_of(one, language_model) for one in given}]
    given += _in_library(library, language_model, text, missing, labels)
    costs = {} if figures is None else operations_by_step(request, labels, figures)
    began = monotonic()
    return transfer_table(
        labels,
        language_model,
        text,
        sites,
        own=given,
        ks=request.ks or None,
        method=request.method,
        tokens=request.tokens,
        draws=request.draws,
        seed=request.seed,
        held_out=held,
        on_progress=lambda step, share: on_progress(
            TransferProgress(step, share_of_all(costs, step, share), monotonic() - began)
        ),
    )


def share_of_all(costs: Mapping[str, float], step: str, share: float) -> float:
    """The share of the whole that is done when `share` of `step` is; `costs`: what each step takes, in order."""
    if step not in costs:  # the steps before these take next to no time
        return 0.0
    steps = list(costs)
    before = sum(costs[name] for name in steps[: steps.index(step)])
    return (before + share * costs[step]) / sum(costs.values())


def _site_of(dictionary: AtomDictionary, model: LanguageModel) -> Site | None:
    """The site of a dictionary; None where `model` is another one, which transfer_table reports."""
    spec = dictionary.spec
    return model.site(spec.site, spec.layer) if same_model(spec.weights_fingerprint, model.fingerprint) else None


def _in_library(
    library: Library, model: LanguageModel, corpus: Corpus, sites: Sequence[Site], labels: Sequence[LabelsOnly]
) -> list[AtomDictionary]:
    """For each of `sites` the dictionary that suits best, if any; rebuilt ones do not count as the model's own."""
    from itda_core.dictionaries import AtomDictionary

    wanted = {(site.module or site.kind, site.layer): site for site in sites}
    best: dict[Site, tuple[int, Path]] = {}
    for entry in library.entries():  # the user's own first, newest first
        site = wanted.get((str(entry.site), entry.layer))
        if entry.problem or site is None or entry.atoms is None:
            continue
        description = read_description(entry.path)
        spec = description["spec"]
        if "rebuilt" in description["stats"] or spec["corpus_fingerprint"] != corpus.fingerprint:
            continue
        if not same_model(spec["weights_fingerprint"], model.fingerprint):
            continue
        distance = min(abs(entry.atoms - len(one)) for one in labels)
        if site not in best or distance < best[site][0]:
            best[site] = (distance, entry.path)
    return [AtomDictionary.load(path) for _, path in best.values()]
