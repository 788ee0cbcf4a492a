"""What making an atom index will cost, before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from itda_core.dictionaries.storage.dictionary_folder import read_summary
from itda_core.errors import UserError
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.counted import forward_per_token, pursuit_per_token
from itda_core.runs.costs.machines import operations_per_second
from itda_core.runs.costs.model_figures import model_figures
from itda_core.runs.indexing.request import IndexRequest
from itda_core.runs.library import Library
from itda_core.runs.machine import machine

# Measured on the bundled dictionaries: an entry takes 5.7 bytes, a token's place and text 12, an atom's sums 48.
_ENTRY_BYTES, _TOKEN_BYTES, _ATOM_BYTES = 5.7, 12.0, 48.0
_WRITTEN_PER_SECOND = 3e6  # entries, on two cores


@dataclass(frozen=True)
class IndexEstimate:
    """Costs of one index on this machine."""

    tokens: int
    seconds: tuple[float, float] | None  # fast, slow; None where the model is not on this machine yet
    bytes: int  # on the disk in the end; about twice as many while it is made


def estimate_index(request: IndexRequest) -> IndexEstimate:
    """What `request` will cost; nothing is loaded and nothing is fetched.

    Counted are one forward pass, a pursuit per token (as in `counted`) and the writing of its entries; loading, and
    finding text that the dictionary was not built from, are not. Raises UserError for a dictionary that does not exist
    or is damaged, and for a number of tokens below 1.
    """
    if request.tokens < 1:
        raise UserError(f"tokens={request.tokens} indexes nothing; give at least 1.", field="tokens")
    summary = read_summary(Library(request.library).find(request.dictionary))
    k = min(summary.k, summary.atoms)
    code = 2 if summary.atoms < 2**16 - 1 else 4
    size = request.tokens * (k * (_ENTRY_BYTES + code) + _TOKEN_BYTES) + summary.atoms * _ATOM_BYTES
    figures = model_figures(ModelSpec(request.model or summary.model, request.revision or summary.revision))
    if figures is None:
        return IndexEstimate(request.tokens, None, round(size))
    per_token = forward_per_token(figures.parameters) + pursuit_per_token(summary.atoms, summary.d_model, k)
    slow, fast = operations_per_second(machine(), request.device)
    writing = request.tokens * k / _WRITTEN_PER_SECOND
    seconds = (request.tokens * per_token / fast + writing, request.tokens * per_token / slow + writing)
    return IndexEstimate(request.tokens, seconds, round(size))


def index_seconds(request: IndexRequest) -> tuple[float, float] | None:
    """The seconds of `estimate_index`."""
    return estimate_index(request).seconds
