"""Which activations become atoms by the rule of the published code: whole batches, judged by one dictionary."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from itda_core.dictionaries.choosing.directions import unit_directions
from itda_core.dictionaries.growing.sequential import Judged, ThresholdSelection
from itda_core.pursuit.chunks import by_gram
from itda_core.pursuit.code import weighted_rows
from itda_core.pursuit.precision import wide_dtype

# Counts the changes of what is chosen, so that no dictionary is made by two rules. 2: equally frequent activations come
# in the published code's order, and what no atom explains has the error of a zero vector.
RULE = 2
BLOCK = 512  # tokens reconstructed at once, which bounds the memory; the dictionary stands still meanwhile


class PaperSelection(ThresholdSelection):
    """Grows one dictionary as the code published with Leask et al. (2025) does, batch by batch.

    A batch is what one call of `judge` gets, and the dictionary depends on where batches end. For each:

    1. While there are fewer atoms than dimensions, the batch's most frequent distinct activations become atoms, until
       there are d_model. Two activations are the same when all their float32 entries are; the more frequent comes
       first. Nearly all are distinct, so most of them are equally frequent, and which of these enter is decided by the
       same two calls as there, see `most_frequent`. Each enters once, even if an earlier batch gave it already.
    2. The whole batch is reconstructed with the dictionary as it then stands: signed matching pursuit, k steps.
    3. A token's error is the mean over the d_model dimensions of (x / |x| - x_hat / |x_hat|)^2 = 2 (1 - cosine) /
       d_model. Where x_hat is zero it stays zero, and the error is 1 / d_model.
    4. Every token whose error is above the threshold becomes an atom, in the batch's order, duplicates included.
       The dictionary is cropped at `config.atoms`, in step 1 too; a batch that fills it is judged to its end.

    Atoms are normalised as they enter, which is what normalising all rows again after each batch amounts to. One thing
    differs from the published code: special tokens and padding never get here, so none becomes an atom. An activation
    of zero norm, which has no direction, is skipped. `restore` goes on at the border of two batches.

    `Judged` tells relative squared errors, as for the other selections: those of step 2, and of an atom that entered in
    step 1 the one by the dictionary before the batch (1 when there was none).
    """

    def judge(self, x: Tensor) -> Judged:
        """Judge one batch of activations x (n_tokens, d_model); a dictionary that is full looks at none.

        Raises UserError when an activation has a NaN or an infinite entry.
        """
        directions, usable = unit_directions(x, self._mean)
        if self.full or len(usable) == 0:
            rows = 0 if self.full else len(x)
            return Judged(torch.zeros(0, dtype=torch.float64), [], rows, rows)
        directions = directions[usable]
        accepted = self._fill(x[usable], directions)
        relative, errors = self._errors(directions)
        above = (errors > self._threshold).nonzero()[:, 0].tolist()
        for token in above if self._config.atoms is None else above[: self._config.atoms - len(self)]:
            self._buffers.append(directions[token])
            accepted.append((token, float(relative[token])))
        # Rows of `directions` are those of x without the ones of zero norm.
        named = [(int(usable[token]), error) for token, error in accepted]
        return Judged(relative.double().cpu(), named, len(x) - len(usable), len(x))

    def _fill(self, x: Tensor, directions: Tensor) -> list[tuple[int, float]]:
        """Step 1: the rows that entered, each with its relative error by the dictionary before the batch."""
        d_model = directions.shape[1]
        room = (d_model if self._config.atoms is None else min(d_model, self._config.atoms)) - len(self)
        if room <= 0:
            return []
        entering = torch.tensor(most_frequent(x)[:room], device=x.device)
        before, _ = self._errors(directions[entering])
        for row in entering:
            self._buffers.append(directions[row])
        return list(zip(entering.tolist(), before.tolist(), strict=True))

    def _errors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Steps 2 and 3 for unit vectors x (n_tokens, d_model): relative squared errors, and errors in the published
        code's unit, (n_tokens,) each in the wide dtype.
        """
        if len(self) == 0:
            one = x.new_ones(len(x), dtype=wide_dtype(x))
            return one, one / x.shape[1]
        parts = [self._errors_of_block(block) for block in x.split(BLOCK)]
        return torch.cat([part.relative for part in parts]), torch.cat([part.published for part in parts])

    def _errors_of_block(self, x: Tensor) -> _Errors:
        buffers, wide = self._buffers, x.to(wide_dtype(x))
        energy = wide.new_ones(len(x))
        stop = torch.full_like(energy, -1)
        # k steps even where there are fewer atoms than that: an atom may be taken again.
        code, relative = by_gram("mp", buffers.correlations(wide), buffers.gram, energy, self._config.k, stop)
        x_hat = weighted_rows(code.indices, buffers.wide, code.coefficients.to(wide.dtype))
        norm = torch.linalg.vector_norm(x_hat, dim=1, keepdim=True)
        distance = (wide - x_hat / torch.where(norm > 0, norm, 1)).square().mean(dim=1)
        return _Errors(relative, distance)


class _Errors(NamedTuple):
    relative: Tensor  # |x - x_hat|^2 / |x|^2
    published: Tensor  # 2 (1 - cosine) / d_model


def most_frequent(x: Tensor) -> list[int]:
    """The distinct rows of x (n, d_model), each by where it is first, the most frequent first.

    Rows are the same when all their entries are equal. Of equally frequent rows the order is the published code's:
    `torch.unique` puts rows in the order of their entries, and `torch.sort` goes by their counts alone. It does not
    keep the order of equal counts; what it makes of that may differ between versions of torch and processors.
    """
    # On the CPU: not every device can tell rows apart.
    _, which, counts = torch.unique(x.float().cpu(), dim=0, return_inverse=True, return_counts=True)
    first = torch.full_like(counts, len(x)).scatter_reduce_(0, which, torch.arange(len(x)), "amin")
    return first[torch.sort(counts, descending=True).indices].tolist()
