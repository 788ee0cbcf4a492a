"""Dictionaries, or files of their labels, compared: with their corpus and the tokenizers they were read with."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from itda_core import fingerprints
from itda_core.errors import UserError
from itda_core.files import write_text
from itda_core.files.csv_export import csv_text
from itda_core.fingerprints import same_model

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from itda_core.comparison import Differences, JaccardMatrix, LabelSet, OrderProgress
    from itda_core.comparison.overlap.comparability import Comparability
    from itda_core.dictionaries import LabelsOnly
    from itda_core.models import LanguageModel
    from itda_core.text import Corpus

BY = ("dictionary", "model")


@dataclass(frozen=True, eq=False)
class Comparison:
    """A Jaccard matrix, the label sets it compares, and notes."""

    matrix: JaccardMatrix
    sets: tuple[LabelSet, ...]
    comparable: Comparability
    notes: tuple[str, ...]  # sentences

    def differences(self) -> Differences:
        """The labels that count in the matrix's one cell. Raises UserError unless two sets were compared, or where
        their labels say nothing of their tokens.
        """
        from itda_core.comparison.overlap.differences import differences

        if len(self.sets) != 2:
            raise UserError(f"Labels can be listed for two dictionaries, not for {len(self.sets)}; name two.")
        return differences((self.sets[0], self.sets[1]), self.comparable, crop=self.matrix.crop)


def compare(
    paths: Sequence[Path],
    *,
    by: str = "dictionary",
    corpus: str | None = None,
    offline: bool = False,
    trust_remote_code: bool = False,
    null: str = "uniform",
    interval: bool = True,
    crop: bool = False,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """The Jaccard matrix of dictionaries in folders or of label files; both give the same figures.

    - `by`: "dictionary", or "model": the dictionaries of one model united over its layers (paper, section 5.2);
    - `corpus`: where their corpus is; None: by its name. Where it or a tokenizer is not at hand, the matrix is that of
      all labels, and a note says so;
    - `null`, `interval`, `crop`, `seed`: see comparison.jaccard_matrix.

    Raises UserError as jaccard_matrix does, when a folder is no dictionary or a file holds no labels, and when the
    corpus that was named is another.
    """
    from itda_core.comparison import LabelSet, jaccard_matrix
    from itda_core.comparison.overlap.chance import check_null
    from itda_core.comparison.overlap.jaccard_report import labels_and_atoms
    from itda_core.comparison.overlap.refusals import check

    check_null(null)
    if by not in BY:
        raise UserError(f"Dictionaries cannot be compared by {by!r}; choose {' or '.join(BY)}.")
    on_step("reading labels")
    sets = named_apart([LabelSet.load(path) for path in paths])
    if by == "model":
        sets = by_model(sets)
    check(sets)
    on_step("reading the corpus")
    notes = list(filter(None, [labels_and_atoms(sets)]))
    must = corpus is not None or null == "token"
    comparable, note = looked_up(sets, corpus, must=must, offline=offline, trust_remote_code=trust_remote_code)
    notes += [note] if note else []
    on_step("comparing")
    matrix = jaccard_matrix(sets, comparable=comparable, null=null, interval=interval, crop=crop, seed=seed)
    return Comparison(matrix, tuple(sets), comparable, tuple(notes))


def looked_up(
    sets: Sequence[LabelSet],
    corpus: str | None = None,
    *,
    must: bool = False,
    offline: bool = False,
    trust_remote_code: bool = False,
) -> tuple[Comparability, str]:
    """What of `sets` is comparable, counted in their corpus; where it or a tokenizer is not at hand, every label is,
    and the sentence says so ("" otherwise).

    Raises UserError as comparability does, and with `must` also where it cannot be counted.
    """
    from itda_core.comparison.overlap.comparability import comparability

    try:
        text = corpus_of_labels(sets, corpus)
        tokenizers = tokenizers_of(sets, offline=offline, trust_remote_code=trust_remote_code)
    except UserError as error:
        if must:
            raise
        note = f"All labels were compared, because what is comparable could not be looked up: {error}"
        return comparability(sets, None, None), note
    return comparability(sets, text, tokenizers), ""


def write_csv(matrix: JaccardMatrix, path: Path) -> None:
    """Every pair of a matrix as a row of the file `path`, which is replaced. Raises UserError when it cannot be."""
    from itda_core.comparison.overlap.jaccard_report import CELL_COLUMNS, cells

    write_text(path, csv_text(CELL_COLUMNS, cells(matrix)))


def compare_orders(
    paths: Sequence[Path],
    *,
    orders: int = 3,
    corpus: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    offline: bool = False,
    trust_remote_code: bool = False,
    seed: int = 0,
) -> Generator[OrderProgress, None, None]:
    """What the order of the corpus does to these dictionaries (folders, or files of their labels), see
    comparison.order_effect: each is grown anew, by its own settings, in several orders of its documents. If a limit of
    atoms ended its training early, only the text up to there is used, without the limit. Layers of a model that follow
    each other with equal settings are grown from the same forward passes.

    Raises UserError as order_effect, `corpus_of_labels` and model_of do, and where a dictionary does not say how much
    text it read.
    """
    from itda_core.comparison import LabelSet, order_effect
    from itda_core.comparison.overlap.corpus_orders import Training, check_orders
    from itda_core.runs.model_of import model_of
    from itda_core.runs.rebuilding import labels_in

    check_orders(orders)
    dictionaries = [labels_in(path) for path in paths]
    sets = named_apart([LabelSet.of(dictionary) for dictionary in dictionaries])
    text = corpus_of_labels(sets, corpus)

    def loader(dictionary: LabelsOnly) -> Callable[[], LanguageModel]:
        return lambda: model_of(
            dictionary, device=device, dtype=dtype, offline=offline, trust_remote_code=trust_remote_code, head=False
        )

    trainings: list[Training] = []
    weights = ""  # of the last training's model
    for one, dictionary in zip(sets, dictionaries, strict=True):
        config, spec = dictionary.config, dictionary.spec
        if one.tokens is None:
            raise UserError(f"{one.name} does not say how much text it was grown on; leave it out, or train it anew.")
        atoms = config.atoms if config.rule.sized else None
        own = replace(config, tokens=one.tokens, atoms=atoms)
        last = trainings[-1] if trainings and same_model(weights, spec.weights_fingerprint) else None
        if last and (last.config, last.site) == (own, spec.site) and spec.layer not in last.layers:
            trainings[-1] = last._replace(names=(*last.names, one.name), layers=(*last.layers, spec.layer))
            continue
        weights = spec.weights_fingerprint
        trainings.append(Training((one.name,), loader(dictionary), (spec.layer,), own, spec.site))
    return order_effect(trainings, text, orders=orders, seed=seed)


def by_model(sets: Sequence[LabelSet]) -> list[LabelSet]:
    """The sets of each model united over its layers, in the order in which the models come.

    Raises UserError when the dictionaries of a model are of different corpora, contexts or windows.
    """
    from itda_core.comparison import LabelSet

    model_of_print = fingerprints.by_model(one.specs[0].weights_fingerprint for one in sets)
    groups: dict[str, list[LabelSet]] = {}
    for one in sets:
        groups.setdefault(model_of_print[one.specs[0].weights_fingerprint], []).append(one)
    return named_apart([LabelSet.union(group, group[0].specs[0].model) for group in groups.values()])


def named_apart(sets: Sequence[LabelSet]) -> list[LabelSet]:
    """The same sets, with a number behind each repeated name."""
    taken: set[str] = set()
    found = []
    for one in sets:
        name, number = one.name, 2
        while name in taken:
            name, number = f"{one.name} ({number})", number + 1
        taken.add(name)
        found.append(replace(one, name=name))
    return found


def corpus_of_labels(sets: Sequence[LabelSet], reference: str | None = None) -> Corpus:
    """The corpus of label sets, by its name or where `reference` says. Raises UserError when it is not found, or when
    its text is another one.
    """
    from itda_core.comparison.overlap.refusals import described_corpus
    from itda_core.runs.verify import corpus_named

    corpus = corpus_named(sets[0].specs[0].corpus, reference)
    if corpus.fingerprint != sets[0].corpus:
        raise UserError(
            f"The text of corpus {corpus.id} is not the one that {sets[0].name} was built on "
            f"({described_corpus(sets[0])}); give the same file, unchanged, with --corpus PATH."
        )
    return corpus


def tokenizers_of(
    sets: Sequence[LabelSet], *, offline: bool = False, trust_remote_code: bool = False
) -> dict[str, PreTrainedTokenizerBase]:
    """The tokenizers of label sets by fingerprint, without their models.

    Raises UserError when one cannot be loaded, or is not the one that a dictionary was built with any more.
    """
    from itda_core.models import ModelSpec
    from itda_core.models.fingerprints import tokenizer_fingerprint
    from itda_core.models.tokenizer.loading import load_tokenizer

    found: dict[str, PreTrainedTokenizerBase] = {}
    for one in sets:
        spec = one.specs[0]
        if spec.tokenizer_fingerprint in found:
            continue
        wanted = ModelSpec(spec.model, spec.revision, offline=offline, trust_remote_code=trust_remote_code)
        tokenizer = load_tokenizer(wanted)
        if tokenizer_fingerprint(tokenizer) != spec.tokenizer_fingerprint:
            raise UserError(
                f"{one.name} was built with another tokenizer than {spec.model} has now; load the same revision."
            )
        found[spec.tokenizer_fingerprint] = tokenizer
    return found
