"""Which activations become atoms: sequential selection, one activation at a time in corpus order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from itda_core.dictionaries.choosing.directions import unit_directions
from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.growing.buffers import GrowingAtoms
from itda_core.pursuit.chunks import by_gram
from itda_core.pursuit.code import SparseCode
from itda_core.pursuit.methods import NAMES
from itda_core.pursuit.precision import doubt_of, wide_dtype

LARGEST_BLOCK = {**dict.fromkeys(NAMES, 128), "mp": 512}  # tokens; the others judge more of a block again
FIRST_BLOCK, SMALLEST_BLOCK = 128, 16
BUSY, QUIET = 8, 2  # new atoms in a block above which the next one is halved, up to which it is doubled
COMPILED = True  # whether a CPU judges one activation after the other; judging in blocks agrees up to rounding
SLACK = 1e-5  # of |x|: by how much a new atom may fall short of a chosen one and still be taken as able to beat it


class Judged(NamedTuple):
    """The result of judging some activations, in their order."""

    errors: Tensor  # (n_judged,) float64, relative squared error of each that was judged, before it could enter
    accepted: list[tuple[int, float]]  # (row of x, its error) of each that became an atom
    skipped: int  # of zero norm
    rows: int  # how many rows of x were looked at: all, or up to the one that filled the dictionary


class ThresholdSelection(ABC):
    """What selections that go by a threshold share: the atoms as they grow."""

    def __init__(self, config: TrainConfig, d_model: int, device: torch.device, mean: Tensor | None = None) -> None:
        """mean: (d_model,) subtracted from each activation first; None: nothing is.

        Raises UserError when the threshold can add no atom at this d_model.
        """
        threshold = config.threshold_for(d_model)
        assert threshold is not None, "a selection that goes by one"
        self._config, self._mean, self._threshold = config, mean, threshold
        self._buffers = GrowingAtoms(d_model, device)

    @property
    def atoms(self) -> Tensor:
        """(n_atoms, d_model) unit norm, float32, a copy."""
        return self._buffers.atoms

    @property
    def gram(self) -> Tensor:
        """atoms @ atoms.T (n_atoms, n_atoms) float32, a copy."""
        count = self._buffers.count
        return self._buffers.gram[:count, :count].contiguous()

    def __len__(self) -> int:
        return self._buffers.count

    @property
    def full(self) -> bool:
        """Whether the wanted number of atoms is reached."""
        return self._config.atoms is not None and self._buffers.count >= self._config.atoms

    @abstractmethod
    def judge(self, x: Tensor) -> Judged:
        """Judge activations x (n_tokens, d_model), in their order. Raises UserError for a NaN or an infinite entry."""

    def restore(self, atoms: Tensor) -> None:
        """Go on from `atoms` (n_atoms, d_model), as if they had been selected here."""
        self._buffers = GrowingAtoms.of(atoms)


class SequentialSelection(ThresholdSelection):
    """Grows one dictionary. An activation becomes an atom when the dictionary as it then stands reconstructs it worse
    than the threshold, so near-duplicates do not enter together (compare Leask et al. 2025, section 3).

    The result does not depend on how activations are cut into calls of `judge`, but for what rounding decides.
    Correlations are products in float64 rounded to float32: hardly one in a hundred million comes out otherwise where a
    product has another shape, which moves an error by its last bits, and the dictionary only where that error is the
    threshold up to them.

    On a CPU each is judged in its turn, where there is compiled code for the pursuit. Otherwise a block of activations
    is judged at once on the supposition that no atom enters; when one does, those after it are judged again. For
    matching pursuit only those whose pursuit the new atom can change: it changes nothing as long as, at each step, its
    correlation with the residual is below the chosen atom's, and the old pursuit tells this correlation in O(k). For
    the other pursuits all later ones of the block are judged again.
    """

    def __init__(self, config: TrainConfig, d_model: int, device: torch.device, mean: Tensor | None = None) -> None:
        super().__init__(config, d_model, device, mean)
        self._compiled = COMPILED and device.type == "cpu" and _is_compiled(config.method)

    def restore(self, atoms: Tensor) -> None:
        """Go on from `atoms` (n_atoms, d_model), as if they had been selected here."""
        if not self._compiled:
            super().restore(atoms)
            return
        from itda_core.dictionaries.growing.sequential_compiled import fill_gram

        self._buffers.reserve(len(atoms))
        self._buffers.wide[: len(atoms)] = atoms
        self._buffers.count = len(atoms)
        fill_gram(self._buffers.wide.numpy(), self._buffers.gram.numpy(), len(atoms))

    def judge(self, x: Tensor) -> Judged:
        """Judge activations x (n_tokens, d_model) one after the other; stops behind the one that fills the dictionary.

        Raises UserError when an activation has a NaN or an infinite entry.
        """
        directions, usable = unit_directions(x, self._mean)
        errors: list[Tensor] = []
        accepted: list[tuple[int, float]] = []
        start, size = 0, min(FIRST_BLOCK, LARGEST_BLOCK[self._config.method])
        while start < len(usable) and not self.full:
            rows = usable[start : start + size]
            judge = self._judge_in_turn if self._compiled else self._judge_block
            block_errors, entered = judge(directions[rows])
            errors.append(block_errors)
            accepted += [(int(rows[i]), float(block_errors[i])) for i in entered]
            start += len(block_errors)
            size = LARGEST_BLOCK["mp"] if self._compiled else self._next_size(size, len(entered))
        rows = len(x) if not self.full else (int(usable[start - 1]) + 1 if start else 0)
        judged = torch.cat(errors) if errors else torch.zeros(0)
        return Judged(judged.double(), accepted, rows - start, rows)

    def _judge_in_turn(self, x: Tensor) -> tuple[Tensor, list[int]]:
        """Errors of unit vectors x (n_tokens, d_model), and which of them entered; ends behind the one that fills."""
        import numpy as np

        from itda_core.dictionaries.growing.sequential_compiled import NEXT_BADLY_EXPLAINED, enter, padded
        from itda_core.pursuit.kernels import cpu

        buffers, wide, config = self._buffers, x.to(wide_dtype(x)), self._config
        buffers.reserve(len(x))
        correlations, gram, atoms = buffers.correlations(wide).numpy(), buffers.gram.numpy(), buffers.wide.numpy()
        mask, limits = cpu.MAGNITUDE, cpu.limits_of(correlations.dtype)
        room = cpu.room_for(buffers.capacity, config.k, torch.float32)
        indices, coefficients = np.empty(config.k, np.int64), np.empty(config.k, np.float32)
        errors = np.ones(len(x))  # nothing reconstructs nothing: the first activation always enters
        next_badly_explained = NEXT_BADLY_EXPLAINED[config.method]
        entered: list[int] = []
        token = 0
        while True:
            steps = min(config.k, buffers.count)
            if steps:
                token = next_badly_explained(
                    correlations, gram, padded(buffers.count, buffers.capacity), token, self._threshold, mask, limits,
                    room, indices[:steps], coefficients[:steps], errors,
                )  # fmt: skip
            if token == len(x):
                return torch.from_numpy(errors), entered
            enter(wide.numpy(), token, correlations, gram, atoms, buffers.count)
            buffers.count += 1
            entered.append(token)
            token += 1
            if self.full:
                return torch.from_numpy(errors[:token]), entered

    def _judge_block(self, x: Tensor) -> tuple[Tensor, list[int]]:
        """Errors of unit vectors x (n_tokens, d_model), and which of them entered; ends behind the one that fills."""
        code, errors = self._empty(len(x))
        buffers, wide = self._buffers, x.to(wide_dtype(x))
        if buffers.count == 0:
            errors.fill_(1)  # nothing reconstructs nothing: the first activation always enters
            correlations = x.new_zeros(len(x), buffers.capacity)
        else:
            correlations = buffers.correlations(wide)
            self._pursue(torch.arange(len(x), device=x.device), correlations, code, errors)
        entered: list[int] = []
        position = 0
        while True:
            above = (errors[position:] > self._threshold).nonzero()
            if len(above) == 0:
                return errors.cpu(), entered
            token = position + int(above[0])
            position = token + 1
            entered.append(token)
            buffers.append(x[token])
            if self.full:
                return errors[:position].cpu(), entered
            if position == len(x):
                continue
            if buffers.capacity > correlations.shape[1]:
                wider = x.new_zeros(len(x), buffers.capacity)
                wider[:, : correlations.shape[1]] = correlations
                correlations = wider
            later = buffers.newest_correlations(wide[position:])
            correlations[position:, buffers.count - 1] = later
            redo = self._changed(position, later, code)
            if len(redo):
                self._pursue(redo, correlations, code, errors)

    def _pursue(self, rows: Tensor, correlations: Tensor, code: SparseCode, errors: Tensor) -> None:
        """Judge the tokens `rows` of the block by the dictionary as it stands, into `code` and `errors`."""
        steps = min(self._config.k, self._buffers.count)
        energy = torch.ones(len(rows), dtype=errors.dtype, device=errors.device)
        stop = torch.full_like(energy, -1)
        method, gram = self._config.method, self._buffers.gram
        found, remaining = by_gram(method, correlations[rows], gram, energy, steps, stop)
        code.indices[rows, :steps], code.coefficients[rows, :steps] = found.indices, found.coefficients
        errors[rows] = remaining

    def _changed(self, position: int, later: Tensor, code: SparseCode) -> Tensor:
        """The tokens from `position` on whose pursuit the newest atom can change; `later` are its correlations."""
        newest = self._buffers.count - 1
        rows = torch.arange(position, len(code.indices), device=later.device)
        if self._config.method != "mp" or newest < self._config.k:  # below k atoms, one more also means one more step
            return rows
        indices, coefficients = code.indices[position:], code.coefficients[position:]
        shares = coefficients * self._buffers.gram[newest][indices]
        residual = later[:, None] - shares.cumsum(dim=1) + shares
        floor = doubt_of(torch.ones_like(later), later.dtype)  # the least a step can have been refused for
        chosen = torch.maximum(coefficients.abs(), floor[:, None])
        return rows[(residual.abs() > chosen - SLACK).any(dim=1)]

    def _empty(self, n_tokens: int) -> tuple[SparseCode, Tensor]:
        device, k = self._buffers.gram.device, self._config.k
        code = SparseCode(
            torch.zeros(n_tokens, k, dtype=torch.int64, device=device), torch.zeros(n_tokens, k, device=device)
        )
        return code, torch.zeros(n_tokens, dtype=wide_dtype(code.coefficients), device=device)

    def _next_size(self, size: int, entered: int) -> int:
        """Smaller blocks where many enter, as each entry has later ones judged again; results do not depend on it."""
        if entered > BUSY:
            return max(SMALLEST_BLOCK, size // 2)
        return min(LARGEST_BLOCK[self._config.method], size * 2) if entered <= QUIET else size


def _is_compiled(method: str) -> bool:
    """Whether there is compiled code that judges one activation after the other by that pursuit."""
    from itda_core.dictionaries.growing.sequential_compiled import NEXT_BADLY_EXPLAINED

    return method in NEXT_BADLY_EXPLAINED
