"""The CUDA pursuits (Triton) that change all chosen coefficients at each step: correlations anew from the fit.

Per step one pass over the atoms subtracts all chosen rows of the Gram matrix from <x, atom>, accumulating on chip, so
that no copy of the correlations is written back. What belongs to the chosen atoms alone is in float64.
"""

# Triton's annotations describe its compiler's values, not the plain ones that its language takes.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

import triton
import triton.language as tl

from itda_core.pursuit.kernels.cuda_choice import UNIT, keep_maxima, lowest, strength_of, strongest_block, tile, tile_of

MOST_PER_THREAD = 8  # numbers of a matrix over the chosen atoms that a thread holds at once
REGISTERS = 128  # of a thread: nothing is spilled, and several programs run beside each other


def sizes_of(n_atoms: int, k: int) -> dict[str, int]:
    """The compile-time sizes of tile_of, and of matrices over `k` slots, which are taken PART columns at a time."""
    sizes = tile_of(n_atoms)
    sizes["num_warps"] = max(4, sizes["num_warps"])
    slots = triton.next_power_of_2(k)
    part = MOST_PER_THREAD * 32 * sizes["num_warps"] // slots
    return {**sizes, "SLOTS": slots, "PART": min(slots, max(1, part)), "maxnreg": REGISTERS}


@triton.jit
def unexplained(first, gram, gram_stride, indices, coefficients, count, atoms, inside):
    """<x - fit, atom> of `atoms`, a block of any shape. A slot with a negative index is unused.

    0 where <x, atom> is infinite: such an atom is out of the running.
    """
    image = tl.zeros(atoms.shape, tl.float32)
    for slot in range(0, count):
        chosen = tl.maximum(tl.load(indices + slot), 0)
        weight = tl.load(coefficients + slot).to(tl.float32)
        image += weight * tl.load(gram + chosen * gram_stride + atoms, mask=inside, other=0.0).to(tl.float32)
    left = tl.load(first + atoms, mask=inside, other=0.0) - image
    return tl.where(tl.abs(left) < float("inf"), left, 0.0)


@triton.jit
def grown_doubt(coefficients, count, slots):
    """By how much the weights of the first `count` slots make correlations less certain; precision.doubt_of."""
    weights = tl.load(coefficients + slots, mask=slots < count, other=0.0)
    return (tl.sum(tl.abs(weights)) * UNIT).to(tl.float32)


@triton.jit
def strongest_unexplained(
    first, gram, gram_stride, indices, coefficients, count, maxima, n_atoms, doubt,
    SIGNED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, N_BLOCKS: tl.constexpr,
):  # fmt: skip
    """The atom (int64) most correlated with what the fit leaves, and its correlation."""
    for start in range(0, n_atoms, ROWS * COLUMNS):
        atoms = tile(start, ROWS, COLUMNS)
        left = unexplained(first, gram, gram_stride, indices, coefficients, count, atoms, atoms < n_atoms)
        keep_maxima(maxima, start, left, n_atoms, SIGNED, ROWS, COLUMNS)
    tl.debug_barrier()  # other threads read what was written
    start, enough = strongest_block(maxima, n_atoms, doubt, COLUMNS, N_BLOCKS)
    atoms = start + tl.arange(0, COLUMNS)
    left = unexplained(first, gram, gram_stride, indices, coefficients, count, atoms, atoms < n_atoms)
    # Computed a second time, a correlation may differ in its last bit; the block's own maximum is always found.
    return lowest(left, atoms, tl.minimum(enough, tl.max(strength_of(left, SIGNED))), SIGNED)


@triton.jit
def orthogonal_kernel(
    first, gram, remaining, doubt, stop, indices, coefficients, inverse, fitted, maxima,
    n_atoms, gram_stride, k, dependent,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, N_BLOCKS: tl.constexpr, SLOTS: tl.constexpr, PART: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    first += token * n_atoms
    maxima += token * tl.cdiv(n_atoms, COLUMNS)
    indices += token * k
    coefficients += token * k
    fitted += token * k
    inverse += token * k * k
    slots = tl.arange(0, SLOTS)
    energy, least, done = tl.load(remaining + token), tl.load(doubt + token), tl.load(stop + token)
    count = 0
    going = energy > done
    while going:
        doubtful = least + grown_doubt(coefficients, count, slots)
        index, value = strongest_unexplained(
            first, gram, gram_stride, indices, coefficients, count, maxima, n_atoms, doubtful,
            True, ROWS, COLUMNS, N_BLOCKS,
        )  # fmt: skip
        going = strength_of(value, True) > doubtful
        if going:
            # The new atom as seen by the orthonormalised ones, and its squared distance to their span.
            seen = tl.zeros([SLOTS], tl.float64)
            for start in range(0, count, PART):
                part = start + tl.arange(0, PART)
                atoms = tl.load(indices + part, mask=part < count, other=0)
                overlap = tl.load(gram + index * gram_stride + atoms, mask=part < count, other=0.0).to(tl.float64)
                inside = (slots < count)[:, None] & (part[None, :] <= slots[:, None])
                block = tl.load(inverse + slots[:, None] * k + part[None, :], mask=inside, other=0.0)
                seen += tl.sum(block * overlap[None, :], axis=1)
            distance = tl.load(gram + index * gram_stride + index).to(tl.float64) - tl.sum(seen * seen)
            going = distance > dependent
            if going:
                scale = 1.0 / tl.sqrt(distance)
                earlier = tl.load(fitted + slots, mask=slots < count, other=0.0)
                fit = (tl.load(first + index).to(tl.float64) - tl.sum(seen * earlier)) * scale
                tl.debug_barrier()  # all have read what is written now
                for start in range(0, count, PART):
                    part = start + tl.arange(0, PART)
                    inside = (slots < count)[:, None] & (part[None, :] <= slots[:, None])
                    block = tl.load(inverse + slots[:, None] * k + part[None, :], mask=inside, other=0.0)
                    row = -tl.sum(block * seen[:, None], axis=0) * scale
                    tl.store(inverse + count * k + part, row, mask=part < count)
                    weights = tl.load(coefficients + part, mask=part < count, other=0.0)
                    tl.store(coefficients + part, weights + fit * row, mask=part < count)
                tl.store(inverse + count * k + count, scale)
                tl.store(fitted + count, fit)
                tl.store(coefficients + count, fit * scale)
                tl.store(indices + count, index)
                # Nothing subtracted from infinity changes it: the atom is out of the running from now on.
                tl.store(first + index, float("inf"))
                energy -= fit * fit
                count += 1
                going = (count < k) & (energy > done)
                tl.debug_barrier()  # other threads read what was written
    tl.store(remaining + token, energy)


@triton.jit
def times_gram(weights, gram, gram_stride, indices, count, atoms, used, PART: tl.constexpr):
    """<weighted sum of the atoms of `count` slots, atom> of `atoms` (SLOTS,), in float64; 0 where not `used`."""
    total = tl.zeros(atoms.shape, tl.float64)
    for start in range(0, count, PART):
        part = start + tl.arange(0, PART)
        columns = tl.load(indices + part, mask=part < count, other=-1)
        weight = tl.load(weights + part, mask=part < count, other=0.0).to(tl.float64)
        inside = used[:, None] & (columns >= 0)[None, :]
        block = tl.load(gram + atoms[:, None] * gram_stride + columns[None, :], mask=inside, other=0.0)
        total += tl.sum(block.to(tl.float64) * weight[None, :], axis=1)
    return total


@triton.jit
def gradient_kernel(
    first, gram, remaining, doubt, stop, indices, coefficients, directions, maxima,
    n_atoms, gram_stride, k,
    SIGNED: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, N_BLOCKS: tl.constexpr, SLOTS: tl.constexpr, PART: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    first += token * n_atoms
    maxima += token * tl.cdiv(n_atoms, COLUMNS)
    indices += token * k
    coefficients += token * k
    directions += token * k
    slots = tl.arange(0, SLOTS)
    energy, least, done = tl.load(remaining + token), tl.load(doubt + token), tl.load(stop + token)
    step = 0
    going = energy > done
    while going:
        doubtful = least + grown_doubt(coefficients, step, slots)
        index, value = strongest_unexplained(
            first, gram, gram_stride, indices, coefficients, step, maxima, n_atoms, doubtful,
            SIGNED, ROWS, COLUMNS, N_BLOCKS,
        )  # fmt: skip
        going = strength_of(value, SIGNED) > doubtful
        if going:
            support = tl.load(indices + slots, mask=slots < step, other=-1)
            known = tl.max((support == index).to(tl.int32)) > 0
            support = tl.where((slots == step) & (known == 0), index, support)
            used = support >= 0
            weights = tl.load(coefficients + slots, mask=slots < step, other=0.0).to(tl.float64)
            image = times_gram(coefficients, gram, gram_stride, indices, step, support, used, PART)
            direction = tl.load(first + support, mask=used, other=0.0).to(tl.float64) - image
            tl.debug_barrier()  # all have read what is written now
            tl.store(indices + slots, support, mask=slots == step)
            tl.store(directions + slots, direction, mask=slots <= step)
            tl.debug_barrier()  # other threads read what was written
            image = times_gram(directions, gram, gram_stride, indices, step + 1, support, used, PART)
            along = tl.sum(image * direction)
            slope = tl.sum(direction * direction)
            length = tl.where(along > 0, slope / tl.where(along > 0, along, 1.0), 0.0)
            weights_then = weights + length * direction
            if not SIGNED:
                # No further than to the first coefficient that reaches zero; its atom leaves.
                shrinking = direction < 0
                reach = tl.where(shrinking, weights / tl.where(shrinking, -direction, 1.0), float("inf"))
                length = tl.minimum(length, tl.min(reach))
                weights_then = weights + length * direction
                leaves = (reach <= length) | (weights_then <= 0)
                weights_then = tl.where(leaves, 0.0, weights_then)
                support = tl.where(leaves, -1, support)
            energy -= length * (2 * slope - length * along)
            tl.debug_barrier()  # all have read what is written now
            tl.store(coefficients + slots, weights_then.to(tl.float32), mask=slots <= step)
            tl.store(indices + slots, support, mask=slots <= step)
            step += 1
            going = (step < k) & (energy > done)
            tl.debug_barrier()  # other threads read what was written
    tl.store(remaining + token, energy)
