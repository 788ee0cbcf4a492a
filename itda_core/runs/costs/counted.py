"""What the parts of a training take, counted: operations, bytes of memory, seconds of growing one dictionary."""

from __future__ import annotations

import math
from dataclasses import dataclass

from itda_core.runs.costs.machines import PlannedMachine
from itda_core.runs.costs.model_shape import BYTES, ModelShape, Part

BASE_MEMORY = 700 * 2**20  # bytes: Python with torch and transformers
DEVICE_BASE_MEMORY = 600 * 2**20  # bytes: a CUDA context with its libraries
WINDOWS_PER_BATCH = 16  # of one forward pass, as dictionaries.train takes them
ATOMS_PER_TOKEN = 0.1  # assumed where nothing better is known
_LIVE_VECTORS = 12  # of d_model per token that a block's forward pass holds at its widest (MLP in and out, Q, K, V)
_VECTORS_TOUCHED = 115  # of d_model per token and layer that anything but matrix products reads or writes
_BUFFER_ROOM = 1.25  # buffers of atoms are at most so much larger than what is in them
_JUDGED_AT_ONCE = 1024  # activations whose correlations with a new atom are computed when it enters
_STEP_ON_CPU = 3e-7  # seconds of one step of a pursuit, beside reading a row; on a GPU thousands go side by side
_ENTRY_ON_GPU = 1e-3  # seconds of one atom's entry, beside reading: kernels one after the other; assumed, not measured


@dataclass(frozen=True)
class Amount:
    """How much of the text is read, how deep, and for how large a dictionary."""

    tokens: int  # of text
    context: int  # tokens per window
    last_layer: int  # the deepest one wanted
    n_layers: int  # how many are wanted
    atoms: int  # of each dictionary at the end; 0: activations are only read
    k: int  # atoms per token
    windows_per_batch: int = WINDOWS_PER_BATCH

    @property
    def windows(self) -> int:
        """All full, with one special token in each: what a corpus of long documents gives with a Llama tokenizer."""
        return math.ceil(self.tokens / max(1, self.context - 1))

    @property
    def positions(self) -> int:
        """Tokens that pass through the model, special ones included."""
        return self.windows * self.context

    @property
    def batches(self) -> int:
        return math.ceil(self.windows / self.windows_per_batch)


def forward_per_token(parameters: int) -> int:
    """Operations of a forward pass per token, roughly: each of the model's parameters is multiplied and added once."""
    return 2 * parameters


def pursuit_per_token(n_atoms: int, d_model: int, k: int) -> int:
    """Operations of a pursuit of k steps per token: correlations with all atoms, a row of their Gram matrix a step."""
    return 2 * n_atoms * (d_model + k)


def run_blocks(shape: ModelShape, amount: Amount) -> tuple[Part, ...]:
    """The blocks a harvest runs: up to the last one that is wanted."""
    return shape.blocks[: amount.last_layer + 1]


def forward_operations(shape: ModelShape, amount: Amount) -> int:
    """Operations of all forward passes: per token 2 for each matrix entry of the blocks, and for attention
    4 x context x width per token and layer (queries with keys, weights with values; masked pairs are computed too).

    Of a mixture's experts only those that one token uses count. Norms, activation functions and the embedding are left
    out, because they are no matrix products.
    """
    blocks = run_blocks(shape, amount)
    matrices = sum(part.multiplied for part in blocks)
    return 2 * amount.positions * (matrices + 2 * amount.context * shape.attention_width * len(blocks))


def forward_seconds(shape: ModelShape, amount: Amount, on: PlannedMachine, dtype: str) -> float:
    """Seconds of all forward passes: the matrix products, and the memory traffic of norms, rotations, activation
    functions and sums of the residual stream.

    The traffic was measured as what products leave unexplained of the forward pass of Llama blocks of width 512, 1,024
    and 2,048 on one thread of a CPU in float32: 45 to 54 ns per token and dimension (30%, 20% and 11% of the pass).
    """
    products = forward_operations(shape, amount) / on.matrix[dtype]
    touched = amount.positions * len(run_blocks(shape, amount)) * shape.d_model * _VECTORS_TOUCHED * BYTES[dtype]
    return products + touched / (on.memory_read * on.threads)


def pursuit_operations(shape: ModelShape, amount: Amount) -> int:
    """Operations of growing all dictionaries: a pursuit per token and layer with half the atoms on average, and the
    Gram matrix of the atoms."""
    judged = amount.tokens * pursuit_per_token(amount.atoms, shape.d_model, amount.k) // 2
    return amount.n_layers * (judged + amount.atoms**2 * shape.d_model)


def growth_seconds(d_model: int, amount: Amount, on: PlannedMachine) -> float:
    """Seconds of growing one dictionary by sequential selection, which is not bound by its operations:

    - the correlations of every token with the atoms there are, a product in float64;
    - k steps per token, each reading a row of the Gram matrix (half the atoms on average, float32);
    - every atom that enters reads all before it, and the activations judged after it in its block, in float64.

    On a CPU it is within a third of measurements with 200 to 3,300 atoms of 128 to 4,096 dimensions; on a GPU it is
    untested.
    """
    atoms, cpu = amount.atoms, on.device == "cpu"
    if not atoms:
        return 0.0
    product = amount.tokens * atoms * d_model / on.wide_matrix
    row = (_STEP_ON_CPU if cpu else 0.0) + 4 * (atoms / 2) / on.memory_read
    entry = (0.0 if cpu else _ENTRY_ON_GPU) + (atoms + _JUDGED_AT_ONCE) / 2 * d_model * 8 / on.memory_read
    return product + amount.tokens * amount.k * row + atoms * entry


def dictionary_bytes(d_model: int, amount: Amount, count: int = 1) -> int:
    """Bytes of `count` growing dictionaries: atoms in float64 and Gram matrix in float32, in buffers with room."""
    room = _BUFFER_ROOM * amount.atoms
    return round(count * (room * d_model * 8 + room * room * 4))


def batch_bytes(d_model: int, amount: Amount, number_bytes: int) -> int:
    """Bytes of one forward batch inside a block, with numbers of `number` bytes."""
    return amount.windows_per_batch * amount.context * d_model * _LIVE_VECTORS * number_bytes


def captured_bytes(d_model: int, amount: Amount, layers: int) -> int:
    """Bytes of one forward batch's activations at `layers` sites, in float32."""
    return amount.windows_per_batch * amount.context * d_model * 4 * layers


def hidden_bytes(shape: ModelShape, amount: Amount, dtype: str) -> int:
    """Bytes of one copy of the whole text's hidden states between two blocks."""
    return amount.positions * shape.d_model * BYTES[dtype]


def computed_bytes(part: Part, dtype: str) -> int:
    """Bytes of its parameters in the dtype the model computes in."""
    return part.parameters * BYTES[dtype]
