"""Why a token has fewer atoms than k, in words."""

from __future__ import annotations

from collections import Counter

from itda_core.analysis.decompose import TokenDecomposition
from itda_core.printable import visible_token
from itda_core.pursuit.methods import method_named

_NOTHING = 1e-5  # relative squared error, below which float32 sees nothing left to explain
_MOST_NAMED = 3  # of the atoms that were chosen again


def why_fewer(token: TokenDecomposition, k: int, method: str, *, non_negative: bool = False) -> str:
    """Why `token` has fewer than `k` atoms: one sentence of visible text, "" where it has as many.

    method, non_negative: the pursuit that `token` was decomposed by.
    """
    if token.l0 >= k:
        return ""
    keeps = method_named(method).keeps_steps  # otherwise each atom of the sum is that of one step
    reasons = [
        *(_again(token) if keeps else _left(token, method, non_negative)),
        *_ended(token, k, method, non_negative),
    ]
    if not reasons:
        return f"L0 is {token.l0}, not {k}: coefficients of an atom cancelled out."
    return f"L0 is {token.l0}, not {k}: {'; '.join(reasons)}."


def _again(token: TokenDecomposition) -> list[str]:
    """Atoms that matching pursuit chose more than once."""
    names = {use.atom: visible_token(use.token.strip(" ") or use.token) for use in token.atoms}
    often = [(atom, times) for atom, times in Counter(token.taken).most_common() if atom in names and times > 1]
    parts = [
        f"{'atom ' if i == 0 else ''}{atom} (“{names[atom]}”) was chosen {'twice' if times == 2 else f'{times} times'}"
        for i, (atom, times) in enumerate(often[:_MOST_NAMED])
    ]
    if len(often) > _MOST_NAMED:
        more = len(often) - _MOST_NAMED
        parts.append(f"{more} more {'atom' if more == 1 else 'atoms'} as well")
    return [", ".join(parts)] if parts else []


def _left(token: TokenDecomposition, method: str, non_negative: bool) -> list[str]:
    """Steps in between whose atom did not stay, or was there already."""
    count = len(token.taken) - token.l0
    if count <= 0:
        return []
    if method == "gp":
        steps = "1 step" if count == 1 else f"{count} steps"
        also = ", or lost theirs again" if non_negative else ""
        return [f"{steps} only refined atoms chosen before{also}"]
    atoms = "1 atom" if count == 1 else f"{count} atoms"
    return [f"{atoms} left again, the coefficient having fallen to zero"]


def _ended(token: TokenDecomposition, k: int, method: str, non_negative: bool) -> list[str]:
    """Steps that were not taken."""
    taken = len(token.taken)
    if taken >= k:
        return []
    after = f" after step {taken}" if taken else ""
    if token.relative_error < _NOTHING:
        return [f"nothing was left to explain{after}"]
    if method == "gp":
        count = k - taken
        return [f"the last {'step' if count == 1 else f'{count} steps'} brought no new atom"]
    with_it = " with a positive coefficient" if non_negative else ""
    return [f"no further atom lowers the error{with_it}{after}"]
