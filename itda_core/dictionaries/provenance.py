"""Where each atom was seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from itda_core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from itda_core.text.windows import TokenRef

CONTEXT_BEFORE, CONTEXT_AFTER = 80, 40  # characters of the document kept around an atom's token


@dataclass(frozen=True, slots=True)
class AtomLabel:
    """One place where an atom was seen; the fields are the columns of a dictionary's provenance."""

    atom: int  # row of the dictionary
    order: int  # 0 for the first atom that entered
    document: str  # document id
    window_start: int  # first character of the window in the document
    position: int  # token of the window, special ones counted
    token_id: int
    token: str  # the document's characters the token stands for
    char_start: int  # characters [char_start, char_end) of the document
    char_end: int
    context_before: str  # characters of the document before the token, at most CONTEXT_BEFORE
    context_after: str
    error: float  # relative squared error when it entered, 0 to 1

    @classmethod
    def of(cls, token: TokenRef, atom: int, error: float) -> AtomLabel:
        """The label of an atom that entered as number `atom` from `token`."""
        before, after = token.context(CONTEXT_BEFORE, CONTEXT_AFTER)
        return cls(
            atom=atom,
            order=atom,
            document=token.window.document,
            window_start=token.window.char_start,
            position=token.position,
            token_id=token.token_id,
            token=token.text,
            char_start=token.char_start,
            char_end=token.char_end,
            context_before=before,
            context_after=after,
            error=error,
        )


_KINDS = {"int": "int64", "float": "float64", "str": "str"}
DTYPES = {field.name: _KINDS[str(field.type)] for field in fields(AtomLabel)}
COLUMNS = tuple(DTYPES)


def to_frame(labels: Iterable[AtomLabel]) -> pd.DataFrame:
    """One row per label, columns COLUMNS."""
    import pandas as pd

    rows = [asdict(label) for label in labels]
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=kind) for name, kind in DTYPES.items()})


def to_labels(frame: pd.DataFrame) -> list[AtomLabel]:
    """The rows of a provenance as labels, in the frame's order."""
    columns = [frame[name].tolist() for name in COLUMNS]
    return [AtomLabel(*row) for row in zip(*columns, strict=True)]


def check(frame: pd.DataFrame, n_atoms: int, source: str) -> pd.DataFrame:
    """`frame` with the columns and dtypes a provenance has. Raises UserError, naming `source`, when it does not fit."""
    if missing := [name for name in COLUMNS if name not in frame.columns]:
        raise UserError(f"{source} is damaged (no column {', '.join(missing)}); restore it from a copy or train anew.")
    frame = frame.loc[:, list(COLUMNS)].reset_index(drop=True)
    if frame.isna().to_numpy().any():
        raise UserError(f"{source} is damaged (empty cells); restore it from a copy or train anew.")
    try:
        frame = frame.astype(DTYPES)
    except (TypeError, ValueError) as error:
        raise UserError(f"{source} is damaged ({error}); restore it from a copy or train anew.") from None
    labelled = set(frame["atom"].tolist())
    if labelled != set(range(n_atoms)):
        raise UserError(
            f"{source} does not belong to these atoms (it labels {len(labelled)} atoms, the dictionary has {n_atoms}); "
            "restore it from a copy or train anew."
        )
    return frame
