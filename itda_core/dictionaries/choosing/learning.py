"""Which real activations make the best dictionary of a wanted size: directions are learned, then tied to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from itda_core.dictionaries.choosing.first_atoms import BLOCK, all_drawn, draw_round, energy_of
from itda_core.dictionaries.choosing.means import ENTRIES, Means, means_along
from itda_core.dictionaries.choosing.prefix_hash import draw, uniforms
from itda_core.pursuit import SparseCode, matching_pursuit
from itda_core.pursuit.chunks import exact_products
from itda_core.pursuit.code import weighted_rows

DRAWS = 8  # rounds in which the first atoms are drawn
FREE, TIED = 32, 24  # steps: directions learn freely, then bound more and more to real activations
STEPS = DRAWS + FREE + TIED
TIES = (0.2, 0.4, 0.6, 0.8, 0.9, 0.9)  # how far directions are moved to their means, at equal distances within TIED
MOST_K = 10  # atoms per token while learning: more would teach the dictionary to mend itself
BATCH_PER_ATOM, LEAST_BATCH = 10, 4096  # tokens of a step
MOMENTUM = 0.5  # what a step keeps of the sums of the one before
CANDIDATES_PER_MEMBER = 12
_ENTRIES = 2**23  # of a matrix held at once
_TIE, _LABEL = 1.5, 0.4  # of the work that learning from a token is: a token in a tie, a label and atom in labelling


class Choosing(NamedTuple):
    """Where the choice of atoms stands after some steps: all that the next one needs beside the activations."""

    step: int  # steps done
    directions: Tensor  # (n_directions, d_model) unit norm; fewer than n_atoms while they are drawn
    drawn: Tensor  # (n_directions,) int64, the rows they are; empty once all are drawn
    pull: Tensor  # (n_atoms, d_model) what directions move to, and
    use: Tensor  # (n_atoms,) by how much they are used; both empty before directions learn
    relative_error: float = 1.0  # of the tokens the last step looked at: sum |x - x_hat|^2 / sum |x|^2

    @classmethod
    def ended(cls, step: int, relative_error: float) -> Choosing:
        """What is left to tell once the atoms are there."""
        nothing = torch.zeros(0)
        return cls(step, nothing, nothing, nothing, nothing, relative_error)


class Learning(NamedTuple):
    """A step in the choice of atoms."""

    choosing: Choosing  # as it leaves it
    means: Means | None = None  # on the last step

    @property
    def step(self) -> int:
        """0 for the first."""
        return self.choosing.step - 1

    @property
    def steps(self) -> int:
        return STEPS


def learn(
    x: Tensor,
    numbers: Tensor,
    n_atoms: int,
    k: int,
    members: int,
    *,
    room_for: Callable[[int], Tensor] | None = None,
    begun: Choosing | None = None,
) -> Iterator[Learning]:
    """Choose n_atoms atoms, each the normalised mean of at most `members` of the activations.

    x: (n_tokens, d_model) none of them zero, in an order that chance has given (Reservoir.ordered); numbers:
    (n_tokens,) int64 of their tokens, from which all that is random comes; room_for(n_tokens): an uninitialised tensor
    (n_tokens, d_model) that may lie on disk (None: in memory), two of which are needed; begun: after which step of an
    earlier call with the same activations to go on.

    1. Drawing: in DRAWS rounds, activations enter with probability proportional to the energy that matching pursuit
       with those before leaves of them, so that atoms are where the unexplained mass is.
    2. Learning: at each step a batch is encoded by matching pursuit, and every direction d_j moves to the normalised
       d_j + sum_i c_ij r_i / sum_i c_ij^2 over the tokens i that use it with coefficient c_ij, where r_i are their
       residuals: one step of power iteration to what the atom update of K-SVD looks for (Aharon, Elad and Bruckstein
       2006, section IV), for all atoms at once, with sums that fade over batches (as Mairal et al. 2010, "Online
       learning for matrix factorization and sparse coding"). A direction nobody uses is replaced by an activation drawn
       as in 1.
    3. Tying: as 2, and every few steps the directions are moved part of the way (TIES) to the means of real activations
       that come nearest to them (means_along), so that what a mean of few cannot say is left to other atoms.

    At the end each direction is replaced by its mean. On the activations of MiniLM, learning directions before tying
    them lowers the error at 10 atoms per token by about 8% against spherical k-means with the same kind of means.
    Raises TooFewActivations.
    """
    k = min(k, MOST_K, n_atoms)
    x, unit = _scaled(x, room_for or partial(_in_memory, x))
    candidates = CANDIDATES_PER_MEMBER * members
    now = begun or Choosing(0, x[:0], numbers[:0], x[:0], x.new_zeros(0))
    if now.step <= DRAWS:
        energy = energy_of(x)
        while now.step < DRAWS:
            now = _drawn(now, x, unit, energy, numbers, n_atoms, k)
            yield Learning(now)
        directions = all_drawn(now.directions, x, unit, energy, numbers, n_atoms, k, STEPS)
        now = now._replace(directions=directions, pull=torch.zeros_like(directions), use=x.new_zeros(n_atoms))
    every = TIED // len(TIES)
    while now.step < STEPS:
        now = _learned(now, x, unit, numbers, k)
        tied = now.step - DRAWS - FREE
        if tied > 0 and tied % every == 0:
            now = _tied(now, TIES[tied // every - 1], means_along(now.directions, unit, members, candidates))
        if now.step < STEPS:
            yield Learning(now)
    yield Learning(now, means_along(now.directions, unit, members, candidates))


def choosing_operations(n_atoms: int, n_tokens: int, d_model: int) -> float:
    """About how many multiplications and additions `learn` needs."""
    batch = min(n_tokens, max(LEAST_BATCH, BATCH_PER_ATOM * n_atoms))
    products = DRAWS / 2 * n_tokens + 3 * (FREE + TIED) * batch + (len(TIES) + 1) * n_tokens
    return 2.0 * products * n_atoms * d_model


def round_work(n_atoms: int, n_tokens: int) -> tuple[float, ...]:
    """How much work each of the STEPS rounds of `learn` is, beside the others: 1 is a token's part in learning.

    As timed on a CPU at d_model 128 and 384: a round of drawing looks at all tokens with the atoms drawn so far,
    and a tie, as the means at the end, at all tokens with all atoms.
    """
    batch = min(n_tokens, max(LEAST_BATCH, BATCH_PER_ATOM * n_atoms))
    work = [n_tokens * (0.25 + 1.5 * step / DRAWS) for step in range(DRAWS)] + [float(batch)] * (FREE + TIED)
    every = TIED // len(TIES)
    for step in range(DRAWS + FREE + every, STEPS + 1, every):
        work[step - 1] += _TIE * n_tokens
    work[-1] += _TIE * n_tokens
    return tuple(work)


def labelling_work(n_labels: int, k: int) -> float:
    """How much work `errors_without` is, in the unit of `round_work`."""
    return _LABEL * k * n_labels


def choosing_memory(n_atoms: int, n_tokens: int, d_model: int, members: int) -> int:
    """About how many bytes `learn`, and labelling what it chose, hold at their highest beside x and what `room_for`
    gives: a batch, the Gram matrix, directions and what moves them, all members, the codes of all tokens, and the
    products of a block of directions with all tokens.
    """
    batch = min(n_tokens, max(LEAST_BATCH, BATCH_PER_ATOM * n_atoms))
    rows = batch + (6 + members) * n_atoms
    codes = 4 * n_tokens * 8 * MOST_K
    return 4 * (rows * d_model + n_atoms**2 + 2 * min(ENTRIES, n_atoms * n_tokens)) + codes


def _in_memory(x: Tensor, n_rows: int) -> Tensor:
    return x.new_empty(n_rows, x.shape[1])


def _scaled(x: Tensor, room_for: Callable[[int], Tensor]) -> tuple[Tensor, Tensor]:
    """Activations divided by their root mean square, and those of unit norm: (n_tokens, d_model) each."""
    scaled, unit = room_for(len(x)), room_for(len(x))
    # The mean of all at once, whose rounding no block has a part in; the place is needed anyway.
    scale = torch.square(x, out=unit).mean().sqrt()
    for part, into, direction in zip(x.split(BLOCK), scaled.split(BLOCK), unit.split(BLOCK), strict=True):
        torch.div(part, scale, out=into)
        torch.div(into, torch.linalg.vector_norm(into, dim=1, keepdim=True), out=direction)
    return scaled, unit


def _drawn(now: Choosing, x: Tensor, unit: Tensor, energy: Tensor, numbers: Tensor, n_atoms: int, k: int) -> Choosing:
    """A round of drawing: the step after `now`."""
    wanted = n_atoms * (now.step + 1) // DRAWS - len(now.directions)
    chances, taken = uniforms(numbers, now.step), now.drawn.to(x.device)
    rows, missing = draw_round(x, unit, energy, chances, now.directions, taken, wanted, k)
    return now._replace(
        step=now.step + 1,
        directions=torch.cat([now.directions, unit[rows]]),
        drawn=torch.cat([now.drawn, rows.to(now.drawn.device)]),
        relative_error=missing / float(energy.sum()),
    )


def _learned(now: Choosing, x: Tensor, unit: Tensor, numbers: Tensor, k: int) -> Choosing:
    """A step of learning on the next batch: the step after `now`."""
    n_atoms = len(now.directions)
    batch = min(len(x), max(LEAST_BATCH, BATCH_PER_ATOM * n_atoms))
    start = (now.step - DRAWS) * batch % len(x)
    rows = torch.arange(start, start + batch, device=x.device) % len(x)
    part = x[start : start + batch] if start + batch <= len(x) else torch.cat([x[start:], x[: start + batch - len(x)]])
    moved = _pulls(matching_pursuit(part, now.directions, k), part, now.directions)
    pull, use = MOMENTUM * now.pull + moved.pull, MOMENTUM * now.use + moved.use
    directions = _normalised(now.directions + pull / use.clamp_min(1e-9)[:, None])
    idle = (use < 1e-6 * use.mean()).nonzero()[:, 0]
    if len(idle):
        fresh = draw(moved.left, uniforms(numbers[rows.cpu()], now.step), len(idle)).to(x.device)
        directions[idle[: len(fresh)]] = unit[rows[fresh]]
        pull[idle], use[idle] = 0, 0
    relative = float(moved.left.sum() / energy_of(part).sum())
    return Choosing(now.step + 1, directions, now.drawn[:0], pull, use, relative)


def _tied(now: Choosing, tie: float, means: Means) -> Choosing:
    """Directions moved by the share `tie` to their means."""
    return now._replace(directions=_normalised((1 - tie) * now.directions + tie * means.atoms))


def _normalised(rows: Tensor) -> Tensor:
    return rows / torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp_min(1e-12)


class _Pulls(NamedTuple):
    pull: Tensor  # (n_atoms, d_model) per atom the sum of coefficient times residual
    use: Tensor  # (n_atoms,) and of squared coefficients
    left: Tensor  # (n_tokens,) squared norm of each residual


def _pulls(code: SparseCode, x: Tensor, directions: Tensor) -> _Pulls:
    """To what the tokens x (n_tokens, d_model), encoded as `code`, pull the directions (n_atoms, d_model).

    A product of dense matrices, a block of tokens at a time: scattered additions would depend on the order of threads.
    """
    n_atoms = len(directions)
    pull, use, left = x.new_zeros(n_atoms, x.shape[1]), x.new_zeros(n_atoms), []
    step = max(64, _ENTRIES // n_atoms)
    merged = code.merged()  # an atom taken again counts once, with what it took in all
    with exact_products():
        for start in range(0, len(x), step):
            block = slice(start, start + step)
            residual = x[block] - weighted_rows(code.indices[block], directions, code.coefficients[block])
            left.append(residual.square().sum(dim=1))
            dense = residual.new_zeros(len(residual), n_atoms)
            # Unused slots all name atom 0 with coefficient 0: added after the others, they must not overwrite one.
            dense.scatter_add_(1, merged.indices[block], merged.coefficients[block])
            pull.addmm_(dense.T, residual)
            use += dense.square().sum(dim=0)
    return _Pulls(pull, use, torch.cat(left))


def errors_without(
    x: Tensor, own: Tensor, atoms: Tensor, k: int, on_rows: Callable[[int, int], None] | None = None
) -> Tensor:
    """Relative squared error of unit activations by matching pursuit with all atoms but one: what that one is for.

    x: (n_tokens, d_model) unit norm; own: (n_tokens,) int64, the atom each has to do without; on_rows: told how many of
    how many tokens are done, before some more are. Returns (n_tokens,).
    """
    k = min(k, len(atoms) - 1)
    error = x.new_ones(len(x))
    step = max(1, _ENTRIES // len(atoms))
    with exact_products():
        for start in range(0, len(x), step):
            if on_rows is not None:
                on_rows(start, len(x))
            part, without = x[start : start + step], own[start : start + step, None]
            rest = part.clone()
            for _ in range(k):
                correlations = (rest @ atoms.T).scatter_(1, without, 0)
                index = correlations.abs().argmax(dim=1, keepdim=True)
                value = correlations.gather(1, index)
                rest -= value * atoms[index[:, 0]]
            error[start : start + step] = rest.square().sum(dim=1).clamp(max=1)
    return error
