"""What of the Decompose page can be taken along: JSON, a table, a page that opens without network."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from itda_core.analysis.decompose import AtomUse, Decomposition
from itda_core.analysis.in_common import pattern_of, tokens_of
from itda_core.analysis.replay import Replay
from itda_core.figures.decomposition_page import Beside, decomposition_page
from itda_core.files.csv_export import frame_csv
from itda_core.files.without_paths import without_paths
from itda_core.runs.library import LibraryEntry
from pages.ui.frame import shell


class Read(NamedTuple):
    """A dictionary and what it makes of the prompt."""

    entry: LibraryEntry
    shown: Decomposition

    @property
    def told(self) -> Decomposition:
        """As it may be shown to others: a model may be a folder of this machine."""
        return replace(self.shown, model=without_paths(self.shown.model))

    @property
    def command(self) -> str:
        """The same decomposition as a line for a terminal."""
        shown = self.shown
        asked = [self.entry.name, "--prompt", shown.prompt, "--k", str(shown.k), "--method", shown.method]
        return shlex.join(["itda", "decompose", *asked, *(["--non-negative"] if shown.non_negative else [])])

    def to_dict(self) -> dict[str, Any]:
        """The decomposition with what it is of."""
        of = {"dictionary": self.entry.name, "identity": self.entry.identity, "command": self.command}
        return {**of, **self.told.to_dict()}


def exports(
    first: Read,
    second: Read | None = None,
    *,
    show_special: bool,
    colour: str = "error",
    pinned: int | None = None,
    chosen: int | None = None,
    replay: Replay | None = None,
    uses: Mapping[int, AtomUse] | None = None,
) -> shell.Files:
    """The files; `second` is what stands beside the first, `replay` that of the chosen token, `uses` its atoms. The row
    of tokens is coloured as on the page: by `colour`, with the atom `pinned`.
    """
    shown = first.shown
    beside = "" if second is None else f"-beside-{second.entry.name}"
    stem = f"{first.entry.name}-k{shown.k}-{shown.method}{'-positive' * shown.non_negative}{beside}"

    def all_of_it() -> str:
        more = {} if second is None else {"beside": second.to_dict()}
        return json.dumps({**first.to_dict(), **more}, indent=2, ensure_ascii=False)

    def page() -> str:
        return decomposition_page(
            first.told,
            dictionary=first.entry.name,
            show_special=show_special,
            colour=colour,
            pinned=pinned,
            chosen=chosen,
            replay=replay,
            uses=uses,
            command=first.command,
            beside=None if second is None else Beside(second.entry.name, second.told, second.command),
        )

    return {
        "JSON": (f"{stem}.json", "application/json", all_of_it),
        "CSV": (f"{stem}.csv", "text/csv", lambda: csv(first, second)),
        "Web page (works offline)": (f"{stem}.html", "text/html", page),
    }


def csv(first: Read, second: Read | None = None) -> str:
    """One row per dictionary, token and atom."""
    rows = [
        {
            "dictionary": read.entry.name,
            "token_index": token.index,
            "token": token.text,
            "special": token.special,
            "relative_error": token.relative_error,
            "centred": read.shown.centred,
            "rank": rank,
            "atom": use.atom,
            "coefficient": use.coefficient,
            "share": use.share,
            "source_token": use.token,
            "context_before": use.context_before,
            "context_after": use.context_after,
            "document": use.document,
            "char_start": use.char_start,
            "char_end": use.char_end,
            "source_tokens": tokens_of(use),
            "in_common": pattern_of(use),
        }
        for read in (first, second)
        if read is not None
        for token in read.shown.tokens
        for rank, use in enumerate(token.atoms, start=1)
    ]
    return frame_csv(pd.DataFrame(rows))
