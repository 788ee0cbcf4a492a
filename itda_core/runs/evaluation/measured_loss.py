"""What is known of the loss that a dictionary's reconstruction costs its model: nothing is estimated here."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.dictionaries.storage.description import read_description
from itda_core.figures_as_text import figure
from itda_core.runs.identities import identity_at
from itda_core.runs.jobs.jobs import Jobs
from itda_core.runs.jobs.kinds import EVALUATION

if TYPE_CHECKING:
    from itda_core.analysis.evaluate import Evaluation

NOT_MEASURED = "not measured yet; itda evaluate and the page Evaluate measure it"
_MOST_JOBS = 50  # that are looked through, newest first


class MeasuredLoss(NamedTuple):
    """Figures of predictions with the reconstruction in the activation's place; None where one is not known."""

    ce_score: float | None
    ce_original: float | None  # nats per prediction
    ce_reconstructed: float | None
    kl: float | None
    measured: str  # how, in words

    @property
    def rise(self) -> float | None:
        """ce_reconstructed - ce_original, nats per prediction."""
        if self.ce_reconstructed is None or self.ce_original is None:
            return None
        return self.ce_reconstructed - self.ce_original

    def words(self) -> dict[str, str]:
        """Names and values for people."""
        rise = None if self.rise is None else f"{figure(self.rise, '+.3f')} (from {self.ce_original:.3f})"
        found = {
            "CE score": None if self.ce_score is None else figure(self.ce_score, ".3f"),
            "rise of the loss (nats)": rise,
            "KL (nats)": None if self.kl is None else figure(self.kl, ".3f"),
            "loss measured": self.measured,
        }
        return {name: word for name, word in found.items() if word is not None}


def loss_words(path: Path, jobs: Jobs | None = None) -> dict[str, str]:
    """Of the dictionary in the folder `path`: `MeasuredLoss.words`, or that the loss was not measured.

    Raises UserError when the folder is no dictionary.
    """
    found = measured_loss(path, jobs)
    return {"rise of the loss (nats)": NOT_MEASURED} if found is None else found.words()


def measured_loss(path: Path, jobs: Jobs | None = None) -> MeasuredLoss | None:
    """What dictionary.json in the folder `path` holds, else what the finished evaluations on this machine found: the
    newest at the dictionary's own k and pursuit, or else the newest at any; None where neither is there.

    A result is the dictionary's where it holds its identity, whatever the folder was called then. One that holds none
    counts where it is of the same folder and began after the dictionary was made: before, another one may have had its
    name. Raises UserError when the folder is no dictionary.
    """
    said = read_description(path)
    if (stored := _stored(said["stats"])) is not None:
        return stored
    identity, own = identity_at(path), (said["config"].get("k"), said["config"].get("method"))
    newest: Evaluation | None = None
    for job in (jobs or Jobs()).list(EVALUATION, most=_MOST_JOBS):
        status = job.status
        if status.state != "done":
            continue
        later = _before(said["created"], job.created)
        for one in status.results:
            mine = one.identity == identity if one.identity is not None else later and _is_of(one, path, said)
            if not mine or one.ce_original is None:
                continue
            if (one.k, one.method) == own:
                return _of(one, own)
            newest = newest or one
    return None if newest is None else _of(newest, own)


def _stored(stats: dict[str, Any]) -> MeasuredLoss | None:
    names = ("ce_score", "ce_original", "ce_reconstructed", "kl")
    known = {name: value for name in names if _is_figure(value := stats.get(name))}
    if not known:
        return None
    return MeasuredLoss(*(known.get(name) for name in names), measured="when the dictionary was made")


def _is_figure(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_of(result: Evaluation, path: Path, said: dict[str, Any]) -> bool:
    spec = said["spec"]
    of = result.model, result.layer, result.site, result.atoms
    return Path(result.dictionary) == path and of == (spec["model"], spec["layer"], spec["site"], said["atoms"])


def _of(result: Evaluation, own: tuple[object, object]) -> MeasuredLoss:
    """own: the k and the pursuit that the dictionary was grown by."""
    k, method = own
    apart = (result.k, result.method) != own
    other = f" (its own: k = {k}, {str(method).upper()}; not evaluated)" if apart else ""
    how = f"k = {result.k}, {result.method.upper()}{other}, {result.tokens:,} tokens of {result.corpus} ({result.text})"
    return MeasuredLoss(result.ce_score, result.ce_original, result.ce_reconstructed, result.kl, how)


def _before(earlier: str, later: str) -> bool:
    """Of two times in ISO 8601; False where one cannot be read."""
    try:
        return datetime.fromisoformat(earlier) <= datetime.fromisoformat(later)
    except (ValueError, TypeError):  # no time, or one of them without a zone
        return False
