"""Where each atom was seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from itda_core.errors import UserError
from itda_core.files import shown

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
TEXTS = tuple(name for name, kind in DTYPES.items() if kind == "str")
MOST_NUMBER = 2**31  # of characters, tokens or atoms; sums and products of two of them still fit into 64 bits
_ERROR_ROUNDING = 1e-3  # an error computed by a pursuit may lie so far beyond 0 or 1


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
    """`frame` with the columns and dtypes a provenance has. Raises UserError, naming `source`, when it does not fit:
    columns that are missing or empty, numbers where no place can be, atoms without a label.
    """
    if missing := [name for name in COLUMNS if name not in frame.columns]:
        raise _damaged(source, f"no column {', '.join(missing)}")
    frame = frame.loc[:, list(COLUMNS)].reset_index(drop=True)
    if frame.isna().to_numpy().any():
        raise _damaged(source, "empty cells")
    for name, kind in DTYPES.items():  # pandas would silently convert a fraction or a truth value
        if kind == "int64" and frame[name].dtype.kind in "fb":
            raise _damaged(source, f"column {name} holds no whole numbers")
    try:
        frame = frame.astype(DTYPES)
    except (TypeError, ValueError, OverflowError) as error:
        raise _damaged(source, shown(error)[:200]) from None
    _check_bounds(frame, source)
    atoms = frame["atom"].to_numpy()
    counted = len(set(atoms.tolist()))
    if counted != n_atoms or (n_atoms and int(atoms.max()) != n_atoms - 1):
        raise UserError(
            f"{shown(source)} does not belong to these atoms (it labels {counted} atoms, the dictionary has "
            f"{n_atoms}); restore it from a copy or train anew."
        )
    return frame


def _check_bounds(frame: pd.DataFrame, source: str) -> None:
    """Raises UserError where a number is impossible in a label."""
    import numpy as np

    for name, kind in DTYPES.items():
        values = frame[name].to_numpy()
        if kind == "int64" and ((values < 0) | (values >= MOST_NUMBER)).any():
            raise _damaged(source, f"column {name} is out of bounds")
    error = frame["error"].to_numpy()
    if not (np.isfinite(error) & (error >= -_ERROR_ROUNDING) & (error <= 1 + _ERROR_ROUNDING)).all():
        raise _damaged(source, "column error is out of bounds")


def _damaged(source: str, why: str) -> UserError:
    return UserError(f"{shown(source)} is damaged ({why}); restore it from a copy or train anew.")
