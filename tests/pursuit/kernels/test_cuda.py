# ruff: noqa: E402 (Triton reads its environment when it is imported)
"""The CUDA kernels against plain float64 loops and the plain torch pursuits: by Triton's interpreter without a GPU."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read when a kernel is defined, and Triton's own are when it is imported
pytest.importorskip("triton")

from itda_core.pursuit import gradient as plain_gp
from itda_core.pursuit import kernels
from itda_core.pursuit import matching as plain_mp
from itda_core.pursuit import orthogonal as plain_omp
from itda_core.pursuit.code import SparseCode, reconstruct
from itda_core.pursuit.forms import GramForm, ResidualForm
from itda_core.pursuit.forms import strongest as plain_strongest
from itda_core.pursuit.kernels import cuda, cuda_matching, cuda_refit
from itda_core.pursuit.precision import doubt_of


def matching_in_memory(*arguments: Any, **options: Any) -> tuple[SparseCode, Tensor]:
    """The form for dictionaries of which the correlations of a token do not fit on chip."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda_matching, "ON_CHIP", 0)
        return cuda.matching(*arguments, **options)


KERNELS = {"mp": cuda.matching, "mp in memory": matching_in_memory, "omp": cuda.orthogonal, "gp": cuda.gradient}
PLAIN = {
    "mp": plain_mp.matching,
    "mp in memory": plain_mp.matching,
    "omp": plain_omp.orthogonal,
    "gp": plain_gp.gradient,
}
METHODS = pytest.mark.parametrize("method", sorted(KERNELS))
VARIANTS = pytest.mark.parametrize(
    ("method", "signed"),
    [(method, signed) for method in sorted(KERNELS) for signed in (True, False) if signed or method != "omp"],
)
SHAPES = pytest.mark.parametrize(("n_atoms", "k"), [(1, 1), (5, 5), (64, 4), (100, 6), (300, 3)])


def problem(n_atoms: int, n_tokens: int = 2, d_model: int = 24, seed: int = 0) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    atoms = torch.nn.functional.normalize(torch.randn(n_atoms, d_model, generator=random), dim=1)
    return torch.randn(n_tokens, d_model, generator=random).to(DEVICE), atoms.to(DEVICE)


def energy_of(x: Tensor) -> Tensor:
    return x.double().square().sum(dim=1)


def pursue(
    method: str,
    x: Tensor,
    atoms: Tensor,
    k: int,
    *,
    signed: bool = True,
    tolerance: float = 0.0,
    gram: Tensor | None = None,
    plain: bool = False,
) -> tuple[SparseCode, Tensor]:
    energy = energy_of(x)
    stop = energy * tolerance if tolerance > 0 else torch.full_like(energy, -math.inf)
    gram = atoms @ atoms.T if gram is None else gram
    if plain:
        return PLAIN[method](GramForm(x @ atoms.T, gram.float()), energy, k, stop, signed=signed)
    return KERNELS[method](x @ atoms.T, gram, energy, k, stop, signed=signed)


def strongest(residual: Tensor, atoms: Tensor, *, signed: bool = True) -> tuple[Tensor, Tensor]:
    """By the kernel, as the pursuit without a Gram matrix takes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "fused_strongest", lambda _: cuda.strongest)
        return ResidualForm(residual, atoms).strongest(doubt_of(energy_of(residual), torch.float32), signed)


def loop(method: str, x: np.ndarray, atoms: np.ndarray, k: int, signed: bool) -> tuple[list[int], list[float]]:
    """One token by the textbook, on the residual itself, in float64; an unused slot is -1."""
    residual, slots, weights = x.copy(), [], []
    for _ in range(k):
        correlations = atoms @ residual
        best = int((np.abs(correlations) if signed else correlations).argmax())
        if abs(correlations[best]) < 1e-5 or (not signed and correlations[best] < 0):
            break
        again = method == "gp" and best in slots
        slots.append(-1 if again else best)
        weights.append(0.0)
        used = [slot for slot, atom in enumerate(slots) if atom >= 0]
        if method.startswith("mp"):
            weights[-1] = float(correlations[best])
        elif method == "omp":
            weights = list(np.linalg.lstsq(atoms[slots].T, x, rcond=None)[0])
        else:
            direction = np.array([correlations[slots[slot]] for slot in used])
            image = direction @ atoms[[slots[slot] for slot in used]]
            length = float(direction @ direction / (image @ image))
            if not signed:
                reaches = [-weights[slot] / d for slot, d in zip(used, direction, strict=True) if d < 0]
                length = min([length, *reaches])
            for slot, d in zip(used, direction, strict=True):
                weights[slot] += length * d
                if not signed and weights[slot] < 1e-12:
                    weights[slot], slots[slot] = 0.0, -1
        residual = x - sum((w * atoms[a] for w, a in zip(weights, slots, strict=True) if a >= 0), np.zeros_like(x))
    return slots, weights


def check_residual(x: Tensor, atoms: Tensor, code: SparseCode, remaining: Tensor) -> None:
    left = energy_of(x - reconstruct(code, atoms))
    torch.testing.assert_close(remaining, left, rtol=1e-4, atol=2e-5)


@VARIANTS
@SHAPES
def test_agrees_with_the_textbook_loop_and_the_plain_pursuit(method: str, signed: bool, n_atoms: int, k: int) -> None:
    x, atoms = problem(n_atoms)
    code, remaining = pursue(method, x, atoms, k, signed=signed)
    assert code.indices.dtype == torch.int64
    assert code.coefficients.dtype == torch.float32
    for token in range(len(x)):
        slots, weights = loop(method, x[token].double().cpu().numpy(), atoms.double().cpu().numpy(), k, signed)
        unused = [-1] * (k - len(slots))
        assert code.indices[token].tolist() == [max(slot, 0) for slot in slots + unused]
        wanted = weights + [0.0] * len(unused)
        np.testing.assert_allclose(code.coefficients[token].cpu().numpy(), wanted, rtol=2e-4, atol=2e-5)
    check_residual(x, atoms, code, remaining)
    plain, plain_remaining = pursue(method, x, atoms, k, signed=signed, plain=True)
    assert torch.equal(code.indices, plain.indices)
    torch.testing.assert_close(code.coefficients, plain.coefficients, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(remaining, plain_remaining, rtol=1e-4, atol=1e-5)


@METHODS
def test_more_atoms_than_one_pass_takes(method: str) -> None:
    x, atoms = problem(64 * 128 + 200, n_tokens=1, d_model=48)
    # The strongest atoms are on both sides of the border between the passes.
    x[0] = atoms[8390] * 3 + atoms[8191] * 2 + atoms[8192]
    code, _ = pursue(method, x, atoms, 3)
    plain, _ = pursue(method, x, atoms, 3, plain=True)
    assert code.indices[0, :2].tolist() == [8390, 8191]
    assert torch.equal(code.indices, plain.indices)
    torch.testing.assert_close(code.coefficients, plain.coefficients, rtol=1e-4, atol=1e-5)


@METHODS
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gram_in_half_precision(method: str, dtype: torch.dtype) -> None:
    x, atoms = problem(90, n_tokens=1, seed=2)
    gram = (atoms @ atoms.T).to(dtype)
    code, _ = pursue(method, x, atoms, 4, gram=gram)
    plain, _ = pursue(method, x, atoms, 4, gram=gram, plain=True)
    assert torch.equal(code.indices, plain.indices)
    torch.testing.assert_close(code.coefficients, plain.coefficients, rtol=1e-5, atol=1e-6)


@METHODS
def test_gram_as_a_view_of_a_larger_one(method: str) -> None:
    x, atoms = problem(70, n_tokens=1, seed=3)
    larger = torch.full((80, 96), math.nan, device=DEVICE)
    larger[:70, :70] = atoms @ atoms.T
    code, remaining = pursue(method, x, atoms, 4, gram=larger[:70, :70])
    packed, packed_remaining = pursue(method, x, atoms, 4)
    assert torch.equal(code.indices, packed.indices)
    assert torch.equal(code.coefficients, packed.coefficients)
    assert torch.equal(remaining, packed_remaining)


@VARIANTS
def test_equal_correlations_go_to_the_lower_index(method: str, signed: bool) -> None:
    x, atoms = problem(150, n_tokens=3, seed=4)
    x[0], x[1], x[2] = 2 * atoms[140], -2 * atoms[7], 2 * atoms[33]
    atoms[9] = atoms[140]  # identical, in another block
    atoms[3] = -atoms[7]  # negated
    atoms[30] = atoms[33]
    atoms[31] = -atoms[33]
    code, _ = pursue(method, x, atoms, 1, signed=signed)
    assert code.indices[:, 0].tolist() == [9, 3, 30]
    assert code.coefficients[:, 0].tolist() == pytest.approx([2.0, 2.0, 2.0])


@METHODS
def test_a_difference_of_rounding_is_a_tie_and_more_is_not(method: str) -> None:
    gram = torch.eye(200, device=DEVICE)
    unit = torch.finfo(torch.float32).eps
    for difference, wanted in ((8 * unit, 20), (16 * unit, 199)):  # |x| is 1.4, and counted in eight units
        correlations = torch.zeros(1, 200, device=DEVICE)
        correlations[0, 20], correlations[0, 199] = 1 - difference, 1
        energy = energy_of(correlations)
        code, _ = KERNELS[method](correlations, gram, energy, 1, torch.full_like(energy, -math.inf))
        assert code.indices.tolist() == [[wanted]]


@VARIANTS
def test_zero_and_rounding_are_not_encoded(method: str, signed: bool) -> None:
    x, atoms = problem(40, n_tokens=4, seed=5)
    atoms[:, -1] = 0
    atoms = torch.nn.functional.normalize(atoms, dim=1)
    x[:3] = 0
    x[1, -1], x[2, -1] = 1e15, 3  # orthogonal to all atoms
    x[3] = x[3] * 1e-7
    x[3, -1] = 1  # correlations within the rounding of |x|
    code, remaining = pursue(method, x, atoms, 2, signed=signed)
    assert not code.indices.any()
    assert not code.coefficients.any()
    assert torch.equal(remaining, energy_of(x))


@METHODS
def test_a_token_stops_at_its_tolerance(method: str) -> None:
    x, atoms = problem(60, n_tokens=3, seed=6)
    x[0] = atoms[50] + 0.1 * x[0] / x[0].norm()
    code, remaining = pursue(method, x, atoms, 9, tolerance=0.3)
    plain, _ = pursue(method, x, atoms, 9, tolerance=0.3, plain=True)
    assert torch.equal(code.indices, plain.indices)
    assert (remaining <= 0.3 * energy_of(x)).all()
    used = (code.coefficients != 0).sum(dim=1)
    assert used[0] == 1
    assert 1 < used[1:].max() < 9
    energy = energy_of(x)
    done, _ = KERNELS[method](x @ atoms.T, atoms @ atoms.T, energy, 3, energy)
    assert not done.coefficients.any()


def test_orthogonal_stops_at_dependent_atoms() -> None:
    x, atoms = problem(30, d_model=3, seed=7)
    code, remaining = pursue("omp", x, atoms, 8)
    plain, _ = pursue("omp", x, atoms, 8, plain=True)
    assert torch.equal(code.indices, plain.indices)
    assert ((code.coefficients != 0).sum(dim=1) <= 3).all()
    assert (remaining <= 1e-6 * energy_of(x)).all()
    # Correlations that no activation has: they point to a third atom, though it is a sum of the first two.
    gram = torch.tensor([[1.0, 0.0, 0.8], [0.0, 1.0, 0.6], [0.8, 0.6, 1.0]], device=DEVICE)
    energy = torch.full((1,), 9.0, dtype=torch.float64, device=DEVICE)
    correlations = torch.tensor([[2.0, 1.9, 1.0]], device=DEVICE)
    code, _ = cuda.orthogonal(correlations, gram, energy, 3, torch.full_like(energy, -math.inf))
    assert code.indices.tolist() == [[0, 1, 0]]
    assert code.coefficients[0].tolist() == pytest.approx([2.0, 1.9, 0.0])


@pytest.mark.parametrize("method", ["omp", "gp"])
def test_the_chosen_atoms_in_several_parts(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, atoms = problem(60, n_tokens=1, d_model=70, seed=8)
    whole, whole_remaining = pursue(method, x, atoms, 6)
    sizes = cuda_refit.sizes_of(60, 6)
    monkeypatch.setattr(cuda, "sizes_of", lambda n_atoms, k: {**sizes, "PART": 2})
    assert sizes["PART"] == 8
    code, remaining = pursue(method, x, atoms, 6)
    assert torch.equal(code.indices, whole.indices)
    torch.testing.assert_close(code.coefficients, whole.coefficients, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(remaining, whole_remaining, rtol=1e-9, atol=1e-9)
    check_residual(x, atoms, code, remaining)
    if method == "omp":
        assert len(set(code.indices[0].tolist())) == 6
        left = (x - reconstruct(code, atoms)).double()
        assert (left @ atoms[code.indices[0]].double().T).abs().max() < 1e-5 * x.norm()


@pytest.mark.parametrize(("n_atoms", "k"), [(300, 40), (16384, 40), (70000, 300), (5, 1), (20000, 20000)])
def test_a_matrix_over_the_chosen_atoms_stays_small_on_chip(n_atoms: int, k: int) -> None:
    sizes = cuda_refit.sizes_of(n_atoms, k)
    assert sizes["SLOTS"] >= k
    assert sizes["ROWS"] * sizes["COLUMNS"] <= 64 * 128
    assert sizes["N_BLOCKS"] * sizes["COLUMNS"] >= n_atoms
    assert sizes["PART"] == 1 or sizes["SLOTS"] * sizes["PART"] <= 8 * 32 * sizes["num_warps"]


def test_gradient_leaves_the_slot_of_a_known_atom_unused() -> None:
    x, atoms = problem(6, n_tokens=1, d_model=5, seed=3)
    code, _ = pursue("gp", x, atoms, 4)
    slots, weights = loop("gp", x[0].double().cpu().numpy(), atoms.double().cpu().numpy(), 4, True)
    assert slots == [4, 1, -1, 5]
    assert code.indices[0].tolist() == [4, 1, 0, 5]
    assert code.coefficients[0].tolist() == pytest.approx(weights, rel=1e-4)


@pytest.mark.parametrize("method", ["mp", "mp in memory", "gp"])
def test_non_negative_where_nothing_points_along_the_activation(method: str) -> None:
    x, _ = problem(1)
    atoms = -torch.nn.functional.normalize(x[:1])
    code, remaining = pursue(method, x[:1], atoms, 1, signed=False)
    assert not code.coefficients.any()
    assert torch.equal(remaining, energy_of(x[:1]))


def test_non_negative_gradient_lets_an_atom_leave() -> None:
    x, atoms = problem(8, n_tokens=2, d_model=3, seed=62)
    x = x[1:]
    before = pursue("gp", x, atoms, 1, signed=False)[0].coefficients
    left = 0
    for k in range(2, 6):
        code, remaining = pursue("gp", x, atoms, k, signed=False)
        plain, _ = pursue("gp", x, atoms, k, signed=False, plain=True)
        assert torch.equal(code.indices, plain.indices)
        torch.testing.assert_close(code.coefficients, plain.coefficients, rtol=1e-3, atol=1e-5)
        check_residual(x, atoms, code, remaining)
        gone = (before > 0) & (code.coefficients[:, : k - 1] == 0)
        assert not code.indices[:, : k - 1][gone].any()
        assert (code.coefficients >= 0).all()
        left += int(gone.sum())
        before = code.coefficients
    assert left > 0


@METHODS
def test_no_tokens_one_token_and_a_batch(method: str) -> None:
    x, atoms = problem(50, n_tokens=3, seed=11)
    code, remaining = pursue(method, x[:0], atoms, 4)
    assert code.indices.shape == code.coefficients.shape == (0, 4)
    assert remaining.shape == (0,)
    batch, _ = pursue(method, x, atoms, 3)
    energy, correlations = energy_of(x)[1:2], (x @ atoms.T)[1:2].clone()
    alone, _ = KERNELS[method](correlations, atoms @ atoms.T, energy, 3, torch.full_like(energy, -math.inf))
    assert torch.equal(alone.indices, batch.indices[1:2])
    assert torch.equal(alone.coefficients, batch.coefficients[1:2])


@METHODS
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**20), n_atoms=st.integers(1, 9), data=st.data())
def test_orthonormal_atoms_are_recovered(method: str, seed: int, n_atoms: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, min(n_atoms, 4)))
    random = torch.Generator().manual_seed(seed)
    atoms = torch.linalg.qr(torch.randn(16, 16, generator=random)).Q[:n_atoms].contiguous().to(DEVICE)
    order = torch.randperm(n_atoms, generator=random)[:k].to(DEVICE)
    weights = torch.arange(k + 1, 1, -1, device=DEVICE) * (-1.0) ** torch.arange(k, device=DEVICE)
    code, remaining = pursue(method, (weights @ atoms[order])[None], atoms, k)
    assert code.indices[0].tolist() == order.tolist()
    torch.testing.assert_close(code.coefficients[0], weights, rtol=1e-4, atol=1e-4)
    assert float(remaining) < 1e-4


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(("n_tokens", "n_atoms", "d_model"), [(1, 1, 3), (7, 5, 24), (70, 300, 50)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_strongest(dtype: torch.dtype, n_tokens: int, n_atoms: int, d_model: int, signed: bool) -> None:
    x, atoms = problem(n_atoms, n_tokens, d_model, seed=12)
    atoms = atoms.to(dtype)
    index, value = strongest(x, atoms, signed=signed)
    correlations = x.double() @ atoms.double().T
    wanted = (correlations.abs() if signed else correlations).argmax(dim=1)
    there = correlations.gather(1, wanted[:, None])[:, 0]
    positive = there.abs() > 0 if signed else there > 0
    assert torch.equal(index, torch.where(positive, wanted, 0))
    torch.testing.assert_close(value.double(), torch.where(positive, there, 0), rtol=1e-5, atol=1e-5)
    plain_index, plain_value = plain_strongest(x @ atoms.float().T, doubt_of(energy_of(x), torch.float32), signed)
    assert torch.equal(index, plain_index)
    torch.testing.assert_close(value, plain_value, rtol=1e-5, atol=1e-5)


def test_strongest_goes_to_the_lower_of_equal_atoms() -> None:
    x, atoms = problem(300, n_tokens=3, seed=13)
    x[0], x[1], x[2] = 2 * atoms[290], 3 * atoms[140], atoms[64]
    atoms[130], atoms[20], atoms[60] = atoms[290], -atoms[140], atoms[64]
    index, value = strongest(x, atoms)
    assert index.tolist() == [130, 20, 60]
    assert value.tolist() == pytest.approx([2.0, -3.0, 1.0], rel=1e-5)
    index, value = strongest(x, atoms, signed=False)
    assert index.tolist() == [130, 140, 60]
    none, nothing = strongest(x[:0], atoms)
    assert none.shape == nothing.shape == (0,)


def test_strongest_drives_a_pursuit_without_a_gram_matrix() -> None:
    x, atoms = problem(200, n_tokens=3, seed=15)
    by_gram, _ = pursue("mp", x, atoms, 4)
    residual = x.clone()
    for step in range(4):
        index, value = strongest(residual, atoms)
        assert torch.equal(index, by_gram.indices[:, step])
        residual -= value[:, None] * atoms[index]


def test_strongest_of_strided_rows() -> None:
    x, atoms = problem(40, n_tokens=5, seed=14)
    wide_x = torch.full((5, 30), math.nan, device=DEVICE)
    wide_atoms = torch.full((40, 27), math.nan, device=DEVICE)
    wide_x[:, :24], wide_atoms[:, :24] = x, atoms
    index, value = strongest(wide_x[:, :24], wide_atoms[:, :24])
    wanted, there = strongest(x, atoms)
    assert torch.equal(index, wanted)
    assert torch.equal(value, there)


COMPILE = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from itda_core.pursuit.kernels import cuda_choice, cuda_matching, cuda_refit, cuda_strongest

f32, f64, i32, i64 = "*fp32", "*fp64", "i32", "*i64"
types = dict(
    correlations=f32, first=f32, gram="*fp16", remaining=f64, doubt=f32, stop=f64, indices=i64, coefficients=f32,
    inverse=f64, fitted=f64, directions=f64, maxima=f32, residual=f32, atoms="*bf16", best=f32, values=f32,
    candidates="*i32", dependent="fp32", n_tokens=i32, n_atoms=i32, gram_stride=i32, k=i32, d_model=i32,
    residual_stride=i32, atom_stride=i32,
)
tile, sizes_of_refit, signed = cuda_choice.tile_of(300), cuda_refit.sizes_of(300, 8), {"SIGNED": False}
for kernel, sizes in (
    (cuda_matching._on_chip, {"BLOCK": 512, **signed}),
    (cuda_matching._in_memory, {**tile, **signed}),
    (cuda_refit.orthogonal_kernel, sizes_of_refit),
    (cuda_refit.gradient_kernel, {**sizes_of_refit, **signed}),
    (cuda_strongest._best_of_tiles, {**cuda_strongest.TILE, **signed}),
):
    names = kernel.arg_names
    constants = {name: sizes[name] for name in names if name in sizes}
    signature = {name: "constexpr" if name in constants else types[name] for name in names}
    if "orthogonal" in kernel.__name__:
        signature["coefficients"] = f64
    source = ASTSource(kernel, signature, constexprs={(names.index(name),): size for name, size in constants.items()})
    options = {**cuda_choice.LAUNCH, "num_warps": sizes.get("num_warps", 4)}
    compiled = compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    assert "tf32" not in compiled.asm["ptx"], kernel.__name__
    print(kernel.__name__)
"""


def test_every_kernel_compiles_for_a_gpu(tmp_path: Path) -> None:
    # The interpreter lets pass what the compiler refuses; the compiler needs no GPU.
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", COMPILE],
        env=environment,
        cwd=Path(cuda.__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["_on_chip", "_in_memory", "orthogonal_kernel", "gradient_kernel", "_best_of_tiles"]
