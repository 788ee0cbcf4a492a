"""Dictionaries built again from labels, those in a file or those of a dictionary."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.files.paths import expanded
from itda_core.runs.library import Library
from itda_core.runs.verify import corpus_of

if TYPE_CHECKING:
    from itda_core.dictionaries import LabelsOnly
    from itda_core.models import ModelSpec


@dataclass(frozen=True)
class Rebuilt:
    """A dictionary that was built again. `to_dict()` gives the keys of `itda library rebuild --json`."""

    path: Path
    name: str
    model: str
    layer: int | None
    site: str
    atoms: int
    rebuilt: dict[str, Any]  # the source of the labels, their number, and how many were left out for which reason

    def to_dict(self) -> dict[str, Any]:
        """Plain values by the names of the fields."""
        return {**vars(self), "path": str(self.path)}


def find_labels(reference: str, library: Library) -> Path:
    """A file that itda library export --labels-only wrote, or the folder of a dictionary given by name or folder.

    Raises UserError when there is none.
    """
    path = expanded(reference)
    return path if os.path.isfile(path) else library.find(reference)


def open_labels(reference: str, library: Library) -> LabelsOnly:
    """The labels in what `find_labels` finds. Raises UserError when there is none, or it is damaged."""
    return labels_in(find_labels(reference, library))


def labels_in(path: Path) -> LabelsOnly:
    """The labels in a file of them or in a dictionary's folder; atoms are not read, and torch is not loaded.

    Raises UserError when it is none, or is damaged.
    """
    from itda_core.dictionaries.labels_only import LabelsOnly, read_labels
    from itda_core.dictionaries.storage.dictionary_folder import read_labelling

    return read_labels(path) if path.is_file() else LabelsOnly.of(read_labelling(path))


def rebuild_into_library(
    reference: str,
    model: ModelSpec,
    *,
    corpus: str | None = None,
    layer: int | None = None,
    site: str | None = None,
    library: str | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Rebuilt:
    """`dictionaries.rebuild` of the labels `reference` in `model`, saved into the library under a free name.

    corpus: where the labels' text is now; None: where they say. Raises UserError as `open_labels`, `corpus_of`,
    `load_model` and `rebuild` do.
    """
    from itda_core.dictionaries import rebuild
    from itda_core.models import load_model

    target = Library(library)
    on_step("reading labels")
    labels = open_labels(reference, target)
    text = corpus_of(labels, corpus)
    labels.check_corpus(text)
    target.check_writable()
    on_step("loading the model")
    language_model = load_model(model, head=False)
    on_step("reading the labels' text")
    found = rebuild(labels, language_model, text, site=site, layer=layer)
    path = target.add(found)
    spec = found.spec
    return Rebuilt(path, path.name, spec.model, spec.layer, spec.site, len(found), found.stats["rebuilt"])
