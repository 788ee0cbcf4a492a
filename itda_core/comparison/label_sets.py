"""What of a dictionary is compared with others: the places its labels name, as prefixes that any model may read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from itda_core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from itda_core.dictionaries import DictionarySpec, TrainConfig


class Labelled(Protocol):
    """An AtomDictionary, or what is left of one when only its labels were kept."""

    @property
    def spec(self) -> DictionarySpec: ...
    @property
    def config(self) -> TrainConfig: ...
    @property
    def stats(self) -> dict[str, Any]: ...


class Reading(NamedTuple):
    """What decides which prefixes of a text arise when it is read: equal readings, equal prefixes."""

    tokenizer: str  # fingerprint
    context: int  # tokens per window
    windows: str  # "all" or "first"


@dataclass(frozen=True, eq=False)
class LabelSet:
    """The set of prefixes that one dictionary, or a union of several, has labels at; every prefix once.

    Arrays (n_labels,), in the order in which the labels entered: `document` (an index into `documents`),
    `window_start` and `last` (characters, see text.Prefix), and `row`, which row of `frame` each comes from.
    """

    name: str
    specs: tuple[DictionarySpec, ...]
    reading: Reading
    corpus: str  # fingerprint of the text
    tokens: int | None  # of the text that were read to find the labels; None: not known
    windows_read: int | None  # windows of the text that were read, the last perhaps in part
    documents: np.ndarray  # (n_documents,) of str, each with a label
    document: np.ndarray  # int64
    window_start: np.ndarray  # int64
    last: np.ndarray  # int64
    row: np.ndarray  # int64
    frame: pd.DataFrame  # what is known of each label, see provenance.COLUMNS; labels-only files know less
    spread: bool = False  # whether labels were chosen from all of the text read; those of a dictionary that grows while
    # it reads lie early in it

    def __len__(self) -> int:
        return len(self.document)

    @property
    def spec(self) -> DictionarySpec | None:
        """Of the one dictionary; None for a union."""
        return self.specs[0] if len(self.specs) == 1 else None

    @cached_property
    def token_ids(self) -> np.ndarray:
        """(n_labels,) int64, by the set's own tokenizer."""
        return self.frame["token_id"].to_numpy(np.int64)[self.row]

    @cached_property
    def n_atoms(self) -> int | None:
        """How many atoms the labels belong to; None for a union, whose atoms may have the same number."""
        return int(self.frame["atom"].iloc[self.row].nunique()) if len(self.specs) == 1 else None

    @classmethod
    def of(cls, dictionary: Labelled, name: str | None = None) -> LabelSet:
        """All labels of `dictionary` (an AtomDictionary or a LabelsOnly); each label of a consensus atom counts.

        name: what figures call it; None: the name of its folder or file, or its model, layer and site.
        """
        from itda_core.dictionaries.labels_only import SUFFIX

        frame: Any = getattr(dictionary, "provenance", None)
        if not hasattr(frame, "columns"):  # a LabelsOnly, whose provenance is a method because it needs the corpus
            frame = dictionary.places  # pyright: ignore[reportAttributeAccessIssue]
        path = getattr(dictionary, "path", None)
        name = name or (path.name.removesuffix(SUFFIX) if path else None)
        return cls.from_frame(frame, dictionary.spec, dictionary.config, dictionary.stats, name)

    @classmethod
    def load(cls, path: str | Path, name: str | None = None) -> LabelSet:
        """The labels of the dictionary in the folder `path`, or those in the file `path` that labels were written to;
        atoms are not read, and torch is not loaded.

        Raises UserError when the folder is no dictionary, the file holds no labels, or either is damaged.
        """
        from itda_core.dictionaries.labels_only import read_labels
        from itda_core.dictionaries.storage.dictionary_folder import read_labelling

        if Path(path).is_file():
            return cls.of(read_labels(path), name)
        found = read_labelling(path)
        return cls.from_frame(found.provenance, found.spec, found.config, found.stats, name or Path(path).name)

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, spec: DictionarySpec, config: TrainConfig, stats: dict[str, Any], name: str | None
    ) -> LabelSet:
        """Labels in a frame with at least the columns `order`, `document`, `window_start` and `char_end`."""
        import pandas as pd

        if name is None:
            layer = "" if spec.layer is None else f" L{spec.layer}"
            name = f"{spec.model}{layer} {spec.site}"
        codes, documents = pd.factorize(frame["document"])
        once = stats.get("passes", 1) == 1
        tokens, windows = stats.get("tokens"), stats.get("windows")
        return cls._unique(
            name=name,
            specs=(spec,),
            reading=Reading(spec.tokenizer_fingerprint, config.context, config.windows),
            corpus=spec.corpus_fingerprint,
            tokens=int(tokens) if once and tokens is not None else None,  # else it counts some text twice
            windows_read=None if windows is None else int(windows),
            documents=np.asarray(documents, dtype=object),
            document=codes.astype(np.int64),
            window_start=frame["window_start"].to_numpy(np.int64),
            last=frame["char_end"].to_numpy(np.int64) - 1,
            order=frame["order"].to_numpy(np.int64),
            frame=frame,
            spread=config.rule.sized,
        )

    @classmethod
    def union(cls, sets: Sequence[LabelSet], name: str) -> LabelSet:
        """The prefixes that any of `sets` has, those that entered early in theirs first (paper, section 5.2).

        Raises UserError when they are of different corpora, tokenizers or windows, or none is given.
        """
        import pandas as pd

        if not sets:
            raise UserError(f"There is nothing to unite as {name}; name at least one dictionary.")
        first = sets[0]
        for other in sets[1:]:
            if (other.corpus, other.reading) != (first.corpus, first.reading):
                what = "corpus" if other.corpus != first.corpus else "tokenizer, context or windows"
                raise UserError(
                    f"{first.name} and {other.name} cannot be united as {name}, because they are of different {what}; "
                    "unite dictionaries of one model and one corpus."
                )
        documents, document = together(sets)
        furthest = [[one.tokens for one in sets], [one.windows_read for one in sets]]
        tokens, windows = (None if None in each else max(filter(None, each), default=0) for each in furthest)
        return cls._unique(
            name=name,
            specs=tuple(spec for one in sets for spec in one.specs),
            reading=first.reading,
            corpus=first.corpus,
            tokens=tokens,
            windows_read=windows,
            documents=documents,
            document=document,
            window_start=np.concatenate([one.window_start for one in sets]),
            last=np.concatenate([one.last for one in sets]),
            order=np.concatenate([np.arange(len(one)) for one in sets]),
            frame=pd.concat([one.frame.iloc[one.row] for one in sets], ignore_index=True),
            spread=all(one.spread for one in sets),
        )

    @classmethod
    def _unique(
        cls,
        *,
        document: np.ndarray,
        window_start: np.ndarray,
        last: np.ndarray,
        order: np.ndarray,
        **same: Any,
    ) -> LabelSet:
        """Sorted by order, each prefix where it entered first."""
        row = np.argsort(order, kind="stable") if np.any(np.diff(order) < 0) else np.arange(len(order))
        keys = packed(document[row], window_start[row], last[row])
        if np.any(np.diff(np.sort(keys)) == 0):
            _, first = np.unique(keys, return_index=True)
            row = row[np.sort(first)]
        made = {"document": document[row], "window_start": window_start[row], "last": last[row], "row": row}
        return cls(**same, **made)

    def only(self, kept: np.ndarray, name: str | None = None) -> LabelSet:
        """The same with those of its labels; kept: (n_labels,) bool, or indices in order of entering."""
        part = {key: getattr(self, key)[kept] for key in ("document", "window_start", "last", "row")}
        return replace(self, name=name or self.name, **part)


def together(sets: Sequence[LabelSet]) -> tuple[np.ndarray, np.ndarray]:
    """All documents of `sets`, each once, and the label's document for the labels of all sets, one after the other."""
    import pandas as pd

    numbers, found = pd.factorize(np.concatenate([one.documents for one in sets]))
    documents = np.asarray(found, dtype=object)
    begin = np.cumsum([0, *(len(one.documents) for one in sets)])
    return documents, np.concatenate([numbers[begin[i] + one.document] for i, one in enumerate(sets)])


def packed(document: np.ndarray, window_start: np.ndarray, last: np.ndarray, spare_bits: int = 0) -> np.ndarray:
    """One int64 per prefix, equal for equal ones and growing with (document, window_start, last), which leaves the
    highest `spare_bits` bits below the sign free. Arrays (n_labels,) int64.
    """
    if not len(document):
        return np.zeros(0, np.int64)
    length = last - window_start + 1  # 0 when nothing of the document had been read
    starts, lengths = int(window_start.max()) + 1, int(length.max()) + 1
    room = 2 ** (63 - spare_bits)
    windows = document * starts + window_start
    if (int(document.max()) + 1) * starts * lengths >= room:  # an enormous corpus: only those that occur are numbered
        windows = np.unique(windows, return_inverse=True)[1]
    keys = windows * lengths + length
    return keys if (int(windows.max()) + 1) * lengths < room else np.unique(keys, return_inverse=True)[1]
