"""What lies behind one Jaccard value: the labels that two dictionaries share, and those that only one of them has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from itda_core.comparison.label_sets import LabelSet, packed, together
from itda_core.comparison.overlap.crop import first_of
from itda_core.comparison.overlap.refusals import check
from itda_core.comparison.overlap.surprise import surprise
from itda_core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from itda_core.comparison.overlap.comparability import Comparability

SHOWN = ("atom", "order", "token", "context_before", "context_after", "document", "window_start", "char_start")
COUNTED = ("shared", "only_one", "only_two", "one", "two")


@dataclass(frozen=True, eq=False)
class Differences:
    """Two dictionaries label by label.

    `shared`, `only_one` and `only_two` have a row per prefix, in order of entering, with the columns SHOWN, `char_end`
    and `kind` (of passage; of corpora other than the bundled one the document); `shared` also has `atom_two` and
    `order_two`, and `surprise` in bits (module surprise), and is in the first one's order.

    `by_token` and `by_kind` count them: per token text, or kind, the columns COUNTED (`one` and `two` are how many
    labels each dictionary has there in all) and `difference`, two's count less one's; largest differences first.
    """

    one: str
    two: str
    shared: pd.DataFrame
    only_one: pd.DataFrame
    only_two: pd.DataFrame
    by_token: pd.DataFrame
    by_kind: pd.DataFrame
    not_comparable: tuple[int, int]  # labels of each that were left out
    cropped: tuple[int, int] = (0, 0)  # comparable ones of each that were left out because the other has fewer

    def most_surprising(self) -> pd.DataFrame:
        """`shared`, the most surprising first, and of equals the one that entered first."""
        by_surprise = self.shared.sort_values("surprise", ascending=False, kind="stable")
        return by_surprise.reset_index(drop=True)

    def labels(self) -> pd.DataFrame:
        """All of them, `shared`, `only_one` and `only_two` one after the other; `part` says which of these."""
        import pandas as pd

        parts = {"shared": self.shared, "only first": self.only_one, "only second": self.only_two}
        found = pd.concat([frame.assign(part=name) for name, frame in parts.items()], ignore_index=True)
        return found.astype({"atom_two": "Int64", "order_two": "Int64"})


def differences(
    sets: tuple[LabelSet, LabelSet], comparable: Comparability | None = None, *, crop: bool = False
) -> Differences:
    """The labels that two sets share or do not; with `comparable` (of these two, in this order) only comparable ones.

    crop: only the first n of these labels of each set count, n being the size of the smaller, as in `jaccard_matrix`.
    Raises UserError when they are of different corpora, or their labels say nothing of the tokens they stand at.
    """
    check(sets)
    for each in sets:
        if missing := [name for name in SHOWN if name not in each.frame]:
            raise UserError(
                f"{each.name} has labels alone and says nothing of {', '.join(missing)}; give the dictionary itself, "
                "or build it again from its labels (itda library rebuild)."
            )
    kept = [np.ones(len(each), bool) for each in sets]
    if comparable is not None:
        kept = [comparable.labels(0, 1), comparable.labels(1, 0)]
    left_out = [int((~mask).sum()) for mask in kept]
    sizes = [int(mask.sum()) for mask in kept]
    if crop:
        kept = [first_of(mask, min(sizes)) for mask in kept]
    parts = tuple(each.only(mask) for each, mask in zip(sets, kept, strict=True))
    _, document = together(parts)
    start, last = (np.concatenate([getattr(each, name) for each in parts]) for name in ("window_start", "last"))
    keys = packed(document, start, last)
    first, second = keys[: len(parts[0])], keys[len(parts[0]) :]
    order = np.argsort(second)
    place = np.searchsorted(second, first, sorter=order)
    hit = place < len(second)
    hit[hit] = second[order[place[hit]]] == first[hit]
    partner = order[place[hit]]
    alone = np.ones(len(second), bool)
    alone[partner] = False
    frames = [_shown(each) for each in parts]
    shared, other = _rows(frames[0], np.flatnonzero(hit)), frames[1].iloc[partner]
    shared = shared.assign(atom_two=other["atom"].to_numpy(), order_two=other["order"].to_numpy())
    shared = shared.assign(surprise=_surprise(frames, np.flatnonzero(hit), partner))
    only = _rows(frames[0], np.flatnonzero(~hit)), _rows(frames[1], np.flatnonzero(alone))
    return Differences(
        one=sets[0].name,
        two=sets[1].name,
        shared=shared,
        only_one=only[0],
        only_two=only[1],
        by_token=_counted("token", shared, *only),
        by_kind=_counted("kind", shared, *only),
        not_comparable=(left_out[0], left_out[1]),
        cropped=(sizes[0] - len(parts[0]), sizes[1] - len(parts[1])),
    )


def _surprise(frames: Sequence[pd.DataFrame], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of every shared label, which stands in row `first` of one frame and row `second` of the other (n_shared,)."""
    import pandas as pd

    tokens, _ = pd.factorize(pd.concat([frame["token"] for frame in frames], ignore_index=True))
    token = tokens[first]
    tokens[len(frames[0]) + second] = token  # a letter of several tokens may be cut differently in the other dictionary
    n_tokens = int(tokens.max(initial=-1)) + 1
    labelled = np.bincount(tokens, minlength=n_tokens) - np.bincount(token, minlength=n_tokens)
    return surprise((first, second), (len(frames[0]), len(frames[1])), token, labelled)


def kind_of(document: str, corpus: str) -> str:
    """What kind of passage a document of the bundled corpus is ("story"), by its id; of another corpus, the id."""
    from itda_core.text.passages import KINDS

    kind = document.rpartition("-")[0]
    return kind if corpus == "demo" and kind in KINDS else document


def _rows(frame: pd.DataFrame, which: np.ndarray) -> pd.DataFrame:
    return frame.iloc[which].reset_index(drop=True)


def _shown(one: LabelSet) -> pd.DataFrame:
    frame = one.frame.iloc[one.row][[*SHOWN, "char_end"]].reset_index(drop=True)
    corpus = one.specs[0].corpus
    kinds = {document: kind_of(document, corpus) for document in one.documents.tolist()}
    return frame.assign(kind=frame["document"].map(kinds))


def _counted(column: str, shared: pd.DataFrame, only_one: pd.DataFrame, only_two: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    parts = zip(COUNTED, (shared, only_one, only_two), strict=False)
    counts = pd.DataFrame({name: part[column].value_counts() for name, part in parts}).fillna(0).astype("int64")
    counts["one"], counts["two"] = counts["shared"] + counts["only_one"], counts["shared"] + counts["only_two"]
    counts["difference"] = counts["two"] - counts["one"]
    counts = counts.rename_axis(column).reset_index()
    largest = counts["difference"].abs()
    different = counts["only_one"] + counts["only_two"]
    keys = counts.assign(_largest=-largest, _different=-different)
    return (
        keys.sort_values(["_largest", "_different", column])
        .drop(columns=["_largest", "_different"])
        .reset_index(drop=True)
    )
