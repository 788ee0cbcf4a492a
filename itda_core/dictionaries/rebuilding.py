"""A dictionary built again from its labels, in the model they come from or in another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch import Tensor

from itda_core.dictionaries.choosing.directions import unit_directions
from itda_core.dictionaries.choosing.learning import errors_without
from itda_core.dictionaries.dictionary import AtomDictionary, DictionarySpec
from itda_core.dictionaries.gathering import Chosen, LabelFinder, gather
from itda_core.dictionaries.growing.sinks import sinks_in
from itda_core.dictionaries.growing.stream_statistics import StreamStatistics, statistics_tokens, stream_statistics
from itda_core.dictionaries.growing.training_windows import windows_of_training
from itda_core.dictionaries.labels_only import LabelsOnly
from itda_core.dictionaries.provenance import AtomLabel, to_frame
from itda_core.dictionaries.threshold import cosine_of, threshold_of
from itda_core.errors import UserError
from itda_core.fingerprints import same_model

if TYPE_CHECKING:
    from itda_core.dictionaries.activation_source import ActivationSource, Site
    from itda_core.dictionaries.config import TrainConfig
    from itda_core.text.corpus import Corpus
    from itda_core.text.document import Document
    from itda_core.text.windows import Window


def rebuild(
    labels: LabelsOnly,
    model: ActivationSource,
    corpus: Corpus,
    *,
    site: str | None = None,
    layer: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> AtomDictionary:
    """The dictionary that `labels` name, its atoms read off `model` as it reads the same text.

    site, layer: where they are read; None: where the labels' dictionary was. An atom with several labels is the
    normalised mean of its activations' directions, as selection="consensus" makes it. Only windows in which a label
    lies go through the model, and those at the beginning from which training takes a site's stream statistics: the
    median norm, above a multiple of which a token is an attention sink, and the mean of a centred dictionary. Both are
    `model`'s own: a mean of another model's activations lies in another space, and for the model of the labels the same
    tokens give the same mean again.

    Left out, and counted in `stats["rebuilt"]`: labels at whose place this model's tokenizer ends no token or begins no
    window ("not_comparable"), those at an attention sink of this model, those whose activation is zero. An atom whose
    labels are all left out is missing; the others keep their order.

    Labels are those of this model's own tokens, and an atom can be verified like that of any dictionary. Their `error`
    is what they had for the model and the site of the labels; elsewhere it is what matching pursuit with all other
    atoms leaves of the activation. `stats["tokens"]` and `["windows"]` are the labels' own, and with another tokenizer
    this model's up to the end of the last document with a label; a threshold of selection="paper" is given for this
    width, at the same cosine.

    `on_progress` gets how many labels have been met, and how many there are. Raises UserError for another corpus, a
    site the model does not have, a context longer than the model's, and where nothing is comparable.
    """
    config = labels.config
    check_readable(labels, model, corpus)
    read = model.site(labels.spec.site if site is None else site, labels.spec.layer if layer is None else layer)
    statistics = statistics_of_sites(model, corpus, [read], config)[read]
    finder = LabelFinder([labels], model.tokenizer_fingerprint)
    same_tokenizer = labels.spec.tokenizer_fingerprint == model.tokenizer_fingerprint
    amount = TextAmount()

    def chosen() -> Iterator[Chosen]:
        for window in labelled_windows(corpus, model, config, finder, every=not same_tokenizer):
            amount.take(window)
            yield Chosen(window, finder.find(window))

    def report(met: int) -> None:
        if on_progress:
            on_progress(met, finder.count)

    gathered = gather(model, chosen(), [read], finder.count, report)
    if same_tokenizer:
        amount = TextAmount.of(labels, amount)
    rows = gathered.row_of
    return assemble(labels, model, corpus, read, gathered.x[read], gathered.labels, rows, statistics, amount)


def check_readable(labels: LabelsOnly, model: ActivationSource, corpus: Corpus) -> None:
    """Raises UserError when these labels cannot be places that `model` reads in `corpus`."""
    labels.check_corpus(corpus)
    if labels.config.context > model.context:
        raise UserError(
            f"The labels are places in windows of {labels.config.context} tokens, longer than the {model.context} that "
            f"{model.name} can read; train on such windows, or choose another model."
        )


@dataclass
class TextAmount:
    """How much of a corpus was read: windows of a model, and their tokens, special ones not counted."""

    windows: int = 0
    tokens: int = 0

    def take(self, window: Window) -> None:
        """One more window was read."""
        self.windows += 1
        self.tokens += len(window) - sum(window.special)

    @classmethod
    def of(cls, labels: LabelsOnly, otherwise: TextAmount) -> TextAmount:
        """What the dictionary of these labels had read; `otherwise` where it does not say."""
        recorded = labels.stats.get("windows"), labels.stats.get("tokens")
        return otherwise if None in recorded else cls(*cast("tuple[int, int]", recorded))


def labelled_windows(
    corpus: Corpus, model: ActivationSource, config: TrainConfig, finder: LabelFinder, *, every: bool
) -> Iterator[Window]:
    """The windows of all documents with a label, or of `every` document up to the last of these."""

    def documents() -> Iterator[Document]:
        left = finder.documents
        for document in corpus:
            if every or document.id in left:
                yield document
            left.discard(document.id)
            if not left:
                return

    return windows_of_training(documents(), model.tokenizer, config)


def statistics_of_sites(
    model: ActivationSource, corpus: Corpus, sites: Sequence[Site], config: TrainConfig
) -> dict[Site, StreamStatistics]:
    """What a training with these settings would take from the first tokens of each site."""
    parts: dict[Site, list[Tensor]] = {site: [] for site in sites}
    left = statistics_tokens(config)
    batches = model.stream(windows_of_training(corpus, model.tokenizer, config), sites) if left else iter(())
    while left > 0 and (batch := next(batches, None)) is not None:
        for site in sites:
            parts[site].append(batch.activations[site])
        left -= len(batch.tokens)
    return {
        site: stream_statistics(parts[site], config) if parts[site] else StreamStatistics(None, None) for site in sites
    }


class _LeftOut(NamedTuple):
    """How many labels gave no activation to build from."""

    not_comparable: int
    sinks: int
    zero: int


class _Directions(NamedTuple):
    """What labels give to build atoms from."""

    labels: Tensor  # (n_used,) int64, the numbers of the labels that give an activation, ascending
    vectors: Tensor  # (n_used, d_model) float32, their activations' directions, minus the mean if there is one
    left_out: _LeftOut


def assemble(
    labels: LabelsOnly,
    model: ActivationSource,
    corpus: Corpus,
    site: Site,
    x: Tensor,
    label_of: Sequence[AtomLabel],
    rows: Tensor,
    statistics: StreamStatistics,
    amount: TextAmount,
    *,
    with_errors: bool = True,
) -> AtomDictionary:
    """The dictionary of `labels` from activations at `site`.

    x: (n_places, d_model), `label_of` the label of each row; rows: (n_labels,) int64, the row of x of each label or
    -1; amount: how much text was read for it. Without `with_errors` the errors of its labels are 0: they take as long
    as encoding each label's token. Raises UserError when no label gives an activation to build from.
    """
    config, spec = labels.config, _spec(labels, model, corpus, site, x)
    used, directions, left_out = _directions(labels, x, rows, statistics)
    if not len(used):
        raise UserError(
            f"None of the {len(rows):,} labels of {labels!r} gives an activation of {model.name} at {site.name} "
            f"({left_out.not_comparable:,} are at no place that both have read, {left_out.sinks:,} at attention sinks, "
            f"{left_out.zero:,} at zero); choose a model whose tokens end where these do, or another site."
        )
    old = torch.from_numpy(labels.places["atom"].to_numpy(copy=True))[used]
    atom_of = torch.unique(old, return_inverse=True)[1]  # ascending: the atoms' order stays
    n_atoms = int(atom_of.max()) + 1
    sums = x.new_zeros(n_atoms, x.shape[1], dtype=torch.float32)
    sums.index_add_(0, atom_of.to(x.device), directions)
    atoms = unit_directions(sums)[0]
    if not with_errors:
        errors = [0.0] * len(used)
    elif _is_same_site(spec, labels.spec):
        errors = labels.places["error"].to_numpy()[used.numpy()].tolist()
    else:
        errors = errors_without(directions, atom_of.to(x.device), atoms, config.k).tolist()
    own = [
        replace(label_of[row], atom=atom, order=atom, error=error)
        for row, atom, error in zip(rows[used].tolist(), atom_of.tolist(), errors, strict=True)
    ]
    mean = torch.zeros_like(atoms[0]) if statistics.mean is None else statistics.mean.to(atoms)
    stats: dict[str, Any] = {
        "tokens": amount.tokens,
        "windows": amount.windows,
        "norm_median": statistics.norm_median,
        "rebuilt": _record(labels, model, n_atoms, left_out),
    }
    if config.rule.by_width and config.threshold is not None:
        config = replace(config, threshold=threshold_of(cosine_of(config.threshold, labels.spec.d_model), spec.d_model))
    return AtomDictionary(atoms, mean, to_frame(own), spec, config, stats)


def _directions(labels: LabelsOnly, x: Tensor, rows: Tensor, statistics: StreamStatistics) -> _Directions:
    """The labels that give an activation, and its direction; x and rows as in `assemble`."""
    sinks_above, median = labels.config.sinks, statistics.norm_median
    met = (rows >= 0).nonzero()[:, 0]
    seen = x[rows[met].to(x.device)]
    sinks = sinks_in(seen, None if sinks_above is None or median is None else sinks_above * median).cpu()
    vectors, usable = unit_directions(seen, statistics.mean)
    zero = torch.ones(len(met), dtype=torch.bool)
    zero[usable.cpu()] = False
    used = ~sinks & ~zero
    left_out = _LeftOut(len(rows) - len(met), int(sinks.sum()), int((zero & ~sinks).sum()))
    return _Directions(met[used], vectors[used.to(x.device)], left_out)


def _is_same_site(one: DictionarySpec, other: DictionarySpec) -> bool:
    """Whether both are of one site of one model."""
    return (one.layer, one.site) == (other.layer, other.site) and same_model(
        one.weights_fingerprint, other.weights_fingerprint
    )


def _record(labels: LabelsOnly, model: ActivationSource, n_atoms: int, left_out: _LeftOut) -> dict[str, Any]:
    """`stats["rebuilt"]` of a dictionary of `n_atoms` atoms: whose labels it was built from, and what is missing."""
    return {
        "model": labels.spec.model,
        "weights_fingerprint": labels.spec.weights_fingerprint,
        "layer": labels.spec.layer,
        "site": labels.spec.site,
        "same_tokenizer": labels.spec.tokenizer_fingerprint == model.tokenizer_fingerprint,
        "atoms": len(labels),
        "labels": len(labels.places),
        "labels_left_out": left_out._asdict(),
        "atoms_left_out": len(labels) - n_atoms,
    }


def _spec(labels: LabelsOnly, model: ActivationSource, corpus: Corpus, site: Site, x: Tensor) -> DictionarySpec:
    return DictionarySpec(
        model=model.name,
        revision=model.revision,
        weights_fingerprint=model.fingerprint,
        tokenizer_fingerprint=model.tokenizer_fingerprint,
        layer=site.layer,
        site=site.module or site.kind,
        d_model=x.shape[1],
        corpus=corpus.id,
        corpus_fingerprint=labels.spec.corpus_fingerprint,
    )
