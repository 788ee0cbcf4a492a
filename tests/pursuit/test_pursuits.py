"""Pursuits against plain float64 loops, scikit-learn, and what must hold for any input."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from sklearn.linear_model import orthogonal_mp
from torch import Tensor

from itda_core.errors import UserError
from itda_core.pursuit import (
    PURSUITS,
    chunks,
    encode,
    forms,
    gradient_pursuit,
    gram_matrix,
    kernels,
    matching_pursuit,
    orthogonal_matching_pursuit,
    precision,
    reconstruct,
    relative_error,
)
from tests.pursuit.choices import clear

PAYS = chunks.pays


@pytest.fixture(autouse=True, scope="module", params=["compiled", "plain"])
def compiled(request) -> Iterator[bool]:
    """Every test runs by the compiled pursuits, and by torch alone; without a Gram matrix, by residuals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "COMPILED", request.param == "compiled")
        patch.setattr(chunks, "pays", lambda *_: False)
        yield request.param == "compiled"


METHODS = pytest.mark.parametrize("method", sorted(PURSUITS))
FORMS = pytest.mark.parametrize("with_gram", [False, True], ids=["residual", "gram"])


def problem(n_tokens=40, n_atoms=50, d_model=24, seed=0, dtype=torch.float64) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    atoms = torch.randn(n_atoms, d_model, generator=random, dtype=torch.float64)
    x = torch.randn(n_tokens, d_model, generator=random, dtype=torch.float64)
    return x.to(dtype), torch.nn.functional.normalize(atoms, dim=1).to(dtype)


def gram_of(atoms: Tensor, wanted: bool) -> Tensor | None:
    return atoms @ atoms.T if wanted else None


def plain_matching(x: np.ndarray, atoms: np.ndarray, k: int) -> tuple[list[int], list[float]]:
    residual, indices, coefficients = x.copy(), [], []
    for _ in range(k):
        correlations = atoms @ residual
        best = int(np.abs(correlations).argmax())
        indices.append(best)
        coefficients.append(correlations[best])
        residual = residual - correlations[best] * atoms[best]
    return indices, coefficients


def plain_gradient(x: np.ndarray, atoms: np.ndarray, k: int) -> np.ndarray:
    """Blumensath and Davies 2008, algorithm 1 with the gradient as direction; returns dense coefficients."""
    residual, chosen, coefficients = x.copy(), set(), np.zeros(len(atoms))
    for _ in range(k):
        correlations = atoms @ residual
        chosen.add(int(np.abs(correlations).argmax()))
        support = sorted(chosen)
        direction = np.zeros(len(atoms))
        direction[support] = correlations[support]
        image = direction @ atoms
        step = residual @ image / (image @ image)
        coefficients += step * direction
        residual = residual - step * image
    return coefficients


def dense(code, n_atoms: int) -> Tensor:
    return torch.zeros(len(code.indices), n_atoms, dtype=code.coefficients.dtype).scatter_add_(
        1, code.indices, code.coefficients
    )


def errors_by_k(method: str, x: Tensor, atoms: Tensor, gram: Tensor | None, most: int) -> Tensor:
    """(most, n_tokens): the errors after 1, 2, ... atoms, each by a pursuit of its own."""
    codes = (PURSUITS[method](x, atoms, k, gram=gram) for k in range(1, most + 1))
    return torch.stack([relative_error(x, reconstruct(code, atoms)) for code in codes])


@FORMS
@pytest.mark.parametrize("k", [1, 7, 50])
def test_matching_pursuit_equals_a_plain_loop(with_gram: bool, k: int) -> None:
    x, atoms = problem()
    code = matching_pursuit(x, atoms, k, gram=gram_of(atoms, with_gram))
    for token in range(len(x)):
        indices, coefficients = plain_matching(x[token].numpy(), atoms.numpy(), k)
        assert code.indices[token].tolist() == indices
        np.testing.assert_allclose(code.coefficients[token].numpy(), coefficients, atol=1e-12)


@FORMS
@pytest.mark.parametrize("k", [1, 6, 15])
def test_gradient_pursuit_equals_a_plain_loop(with_gram: bool, k: int) -> None:
    x, atoms = problem()
    code = gradient_pursuit(x, atoms, k, gram=gram_of(atoms, with_gram))
    expected = np.array([plain_gradient(row, atoms.numpy(), k) for row in x.numpy()])
    np.testing.assert_allclose(dense(code, len(atoms)).numpy(), expected, atol=1e-10)


@FORMS
@pytest.mark.parametrize("k", [1, 6, 20])
def test_orthogonal_matching_pursuit_equals_scikit_learn(with_gram: bool, k: int) -> None:
    x, atoms = problem()
    code = orthogonal_matching_pursuit(x, atoms, k, gram=gram_of(atoms, with_gram))
    expected = np.asarray(orthogonal_mp(atoms.numpy().T, x.numpy().T, n_nonzero_coefs=k)).T
    np.testing.assert_allclose(dense(code, len(atoms)).numpy(), expected, atol=1e-9)


@FORMS
def test_orthogonal_matching_pursuit_is_least_squares_on_its_atoms(with_gram: bool) -> None:
    x, atoms = problem(dtype=torch.float32)
    code = orthogonal_matching_pursuit(x, atoms, 10, gram=gram_of(atoms, with_gram))
    for token in range(len(x)):
        chosen = atoms[code.indices[token]].double().numpy().T
        expected = np.linalg.lstsq(chosen, x[token].double().numpy(), rcond=None)[0]
        np.testing.assert_allclose(code.coefficients[token].numpy(), expected, atol=2e-5)
    residual = x - reconstruct(code, atoms)
    overlaps = torch.einsum("td,tkd->tk", residual, atoms[code.indices])
    assert overlaps.abs().max() < 1e-5 * x.norm(dim=1).max()


@METHODS
@FORMS
def test_error_never_grows_with_k_and_stays_within_0_and_1(method: str, with_gram: bool) -> None:
    x, atoms = problem(dtype=torch.float32)
    gram = gram_of(atoms, with_gram)
    errors = errors_by_k(method, x, atoms, gram, 20)
    assert (errors >= 0).all()
    assert (errors <= 1 + 1e-6).all()
    assert (errors.diff(dim=0) <= 1e-6).all()
    assert errors[-1].mean() < 0.5 * errors[0].mean()


def test_orthogonal_is_not_worse_than_gradient_than_matching_on_average() -> None:
    x, atoms = problem(n_tokens=200, n_atoms=100)
    mp, gp, omp = (relative_error(x, reconstruct(encode(x, atoms, 12, m), atoms)) for m in ("mp", "gp", "omp"))
    assert omp.mean() < gp.mean() < mp.mean()
    one_step = [encode(x, atoms, 1, m) for m in ("mp", "gp", "omp")]
    for code in one_step[1:]:  # with a single atom the three are the same
        assert torch.equal(code.indices, one_step[0].indices)
        torch.testing.assert_close(code.coefficients, one_step[0].coefficients)


@METHODS
@FORMS
def test_orthonormal_dictionary_recovers_exactly(method: str, with_gram: bool) -> None:
    atoms = torch.linalg.qr(torch.randn(16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))).Q.T
    weights = torch.zeros(5, 16, dtype=torch.float64)
    weights[torch.arange(5)[:, None], torch.tensor([3, 7, 12])] = torch.tensor([2.0, -5.0, 0.5], dtype=torch.float64)
    code = PURSUITS[method]((weights @ atoms).contiguous(), atoms.contiguous(), 8, gram=gram_of(atoms, with_gram))
    assert code.indices[:, :3].tolist() == [[7, 3, 12]] * 5  # by size: the order of the steps
    np.testing.assert_allclose(dense(code, 16).numpy(), weights.numpy(), atol=1e-12)
    assert not code.indices[:, 3:].any()  # no step fits rounding
    assert not code.coefficients[:, 3:].any()


@METHODS
@FORMS
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_tokens=st.integers(1, 12),
    n_atoms=st.integers(1, 20),
    d=st.integers(1, 10),
    k=st.integers(1, 4),
)
def test_rows_are_independent_and_atoms_may_be_permuted(method, with_gram, seed, n_tokens, n_atoms, d, k) -> None:
    x, atoms = problem(n_tokens, n_atoms, d, seed)
    k = min(k, n_atoms)
    pursuit = PURSUITS[method]
    code = pursuit(x, atoms, k, gram=gram_of(atoms, with_gram))
    alone = pursuit(x[-1:], atoms, k, gram=gram_of(atoms, with_gram))
    x_hat = reconstruct(code, atoms)
    torch.testing.assert_close(reconstruct(alone, atoms), x_hat[-1:], atol=1e-9, rtol=0)
    order = torch.randperm(n_atoms, generator=torch.Generator().manual_seed(seed))
    shuffled = pursuit(x, atoms[order], k, gram=gram_of(atoms[order], with_gram))
    torch.testing.assert_close(reconstruct(shuffled, atoms[order]), x_hat, atol=1e-9, rtol=0)
    if d > 4:  # with very few dimensions, exact ties between atoms occur and go to the lower index
        used = code.coefficients != 0
        assert torch.equal(order[shuffled.indices][used], code.indices[used])
    assert (relative_error(x, x_hat) <= 1 + 1e-12).all()


@METHODS
@FORMS
def test_chunks_change_nothing(method: str, with_gram: bool) -> None:
    x, atoms = problem(n_tokens=40, dtype=torch.float32)
    gram = gram_of(atoms, with_gram)
    whole = PURSUITS[method](x, atoms, 12, gram=gram)
    decided = clear(method, x, atoms, 12)
    assert decided.float().mean() > 0.9
    for memory in (1, 40_000):  # products of other shapes differ in their last bits
        parts = PURSUITS[method](x, atoms, 12, gram=gram, memory_bytes=memory)
        assert torch.equal(parts.indices[decided], whole.indices[decided])
        torch.testing.assert_close(parts.coefficients[decided], whole.coefficients[decided], atol=1e-5, rtol=0)


@METHODS
@FORMS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("d_model", "common", "k"), [(37, 0, 8), (37, 0, 24), (12, 1, 8), (96, 3, 20)])
def test_of_identical_atoms_the_lower_index_is_taken(
    method: str, with_gram: bool, dtype: torch.dtype, d_model: int, common: float, k: int
) -> None:
    """Also late in a pursuit, where correlations are small, and of atoms that are much alike, whose weights are large:
    the errors of what was computed before do not shrink with the residual.
    """
    x, atoms = problem(n_tokens=60, n_atoms=33, d_model=d_model)
    shared = common * torch.randn(d_model, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x, atoms = (x + shared).to(dtype), torch.nn.functional.normalize(atoms + shared, dim=1).to(dtype)
    twice = torch.cat([atoms, -atoms, atoms])  # a sign makes no difference either
    code = PURSUITS[method](x, twice, k, gram=gram_of(twice, with_gram))
    assert (code.indices < len(atoms)).all()
    once = PURSUITS[method](x, atoms, k, gram=gram_of(atoms, with_gram))
    # Atoms so much alike often come within float32's doubt of each other, and which is taken then matters little.
    atol = 5e-3 if dtype == torch.float32 and common else 1e-4
    errors = [relative_error(x, reconstruct(*one)) for one in ((code, twice), (once, atoms))]
    torch.testing.assert_close(errors[0], errors[1], atol=atol, rtol=0)


@METHODS
@FORMS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_that_differ_within_the_bound_decide_nothing(
    method: str, with_gram: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if on a processor whose products are off by several units of rounding, each time differently."""
    x, atoms = problem(n_tokens=60, n_atoms=33, d_model=37, dtype=dtype)
    twice = torch.cat([atoms, -atoms, atoms])
    random, exact = torch.Generator().manual_seed(2), torch.mm
    unit = 2 * torch.finfo(dtype).eps

    def inexact(left: Tensor, right: Tensor, out: Tensor | None = None) -> Tensor:
        size = left.norm(dim=1, keepdim=True) * right.norm(dim=0)
        noise = 2 * torch.rand(size.shape, generator=random, dtype=dtype) - 1
        product = exact(left, right) + unit * size * noise
        return product if out is None else out.copy_(product)

    monkeypatch.setattr(torch, "mm", inexact)
    code = PURSUITS[method](x, twice, 8, gram=inexact(twice, twice.T.contiguous()) if with_gram else None)
    assert (code.indices < len(atoms)).all()


@FORMS
def test_orthogonal_stops_at_a_dependent_atom(with_gram: bool) -> None:
    _, atoms = problem(n_atoms=2, d_model=6)
    between = torch.nn.functional.normalize(atoms[0] + atoms[1], dim=0)
    atoms = torch.cat([atoms, between[None], atoms])
    x = torch.stack([atoms[0] - 3 * atoms[1], between, torch.randn(6, dtype=torch.float64)])
    code = orthogonal_matching_pursuit(x, atoms, 5, gram=gram_of(atoms, with_gram))
    assert torch.isfinite(code.coefficients).all()
    assert code.coefficients.abs().max() < 10
    assert ((code.coefficients != 0).sum(dim=1) <= 2).all()
    residual = x - reconstruct(code, atoms)
    assert (residual @ atoms.T).abs().max() < 1e-9


@METHODS
@FORMS
def test_tolerance_stops_each_token_at_the_first_error_that_reaches_it(method: str, with_gram: bool) -> None:
    x, atoms = problem()
    gram = gram_of(atoms, with_gram)
    errors = errors_by_k(method, x, atoms, gram, 16)
    code = PURSUITS[method](x, atoms, 16, gram=gram, tolerance=0.2)
    expected = torch.where((errors <= 0.2).any(0), (errors <= 0.2).double().argmax(0), 15)
    got = relative_error(x, reconstruct(code, atoms))
    torch.testing.assert_close(got, errors.gather(0, expected[None])[0], atol=1e-9, rtol=0)
    if method != "gp":  # gradient pursuit may take an atom again, which leaves a slot unused
        assert torch.equal((code.coefficients != 0).sum(1), expected + 1)


@METHODS
@FORMS
def test_zero_vectors_single_atoms_and_no_tokens(method: str, with_gram: bool) -> None:
    atoms = torch.tensor([[0.6, -0.8]])
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, -8.0]])
    code = PURSUITS[method](x, atoms, 1, gram=gram_of(atoms, with_gram))
    assert code.indices.tolist() == [[0], [0], [0]]
    torch.testing.assert_close(code.coefficients, torch.tensor([[0.0], [-1.4], [10.0]]))
    assert relative_error(x, reconstruct(code, atoms))[0] == 0
    empty = PURSUITS[method](x[:0], atoms, 1, gram=gram_of(atoms, with_gram))
    assert empty.indices.shape == empty.coefficients.shape == (0, 1)
    assert reconstruct(empty, atoms).shape == (0, 2)


@METHODS
@FORMS
def test_inputs_may_be_views_and_are_not_changed(method: str, with_gram: bool) -> None:
    x, atoms = problem(dtype=torch.float32)
    wide_x, wide_atoms = x.repeat_interleave(2, dim=1), atoms.T.contiguous()
    kept = x.clone(), atoms.clone()
    code = PURSUITS[method](wide_x[:, ::2], wide_atoms.T, 6, gram=gram_of(atoms, with_gram))
    expected = PURSUITS[method](x, atoms, 6, gram=gram_of(atoms, with_gram))
    decided = clear(method, x, atoms, 6)
    assert decided.float().mean() > 0.9
    assert torch.equal(code.indices[decided], expected.indices[decided])
    torch.testing.assert_close(code.coefficients[decided], expected.coefficients[decided])
    assert torch.equal(x, kept[0])
    assert torch.equal(atoms, kept[1])


@METHODS
@FORMS
@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e15, 1e30])
def test_the_scale_of_activations_only_scales_coefficients(method: str, with_gram: bool, scale: float) -> None:
    x, atoms = problem(dtype=torch.float32)
    plain = PURSUITS[method](x, atoms, 8, gram=gram_of(atoms, with_gram))
    scaled = PURSUITS[method](x * scale, atoms, 8, gram=gram_of(atoms, with_gram))
    decided = clear(method, x, atoms, 8)
    assert decided.float().mean() > 0.9
    assert torch.equal(plain.indices[decided], scaled.indices[decided])
    torch.testing.assert_close(scaled.coefficients[decided] / scale, plain.coefficients[decided], rtol=1e-4, atol=1e-5)
    errors = relative_error(x * scale, reconstruct(scaled, atoms))
    torch.testing.assert_close(errors, relative_error(x, reconstruct(plain, atoms)), rtol=1e-3, atol=1e-5)


@METHODS
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(method: str, dtype: torch.dtype) -> None:
    x, atoms = problem(dtype=torch.float32)
    code = PURSUITS[method](x.to(dtype), atoms, 8)
    expected = PURSUITS[method](x.to(dtype).float(), atoms, 8)
    assert code.coefficients.dtype == dtype
    assert torch.equal(code.indices, expected.indices)
    assert torch.equal(code.coefficients, expected.coefficients.to(dtype))
    assert reconstruct(code, atoms.to(dtype)).dtype == dtype
    halves = PURSUITS[method](x.to(dtype), atoms.to(dtype), 8)
    assert relative_error(x, reconstruct(halves, atoms)).mean() < 0.5


@METHODS
def test_bad_input_is_refused_with_a_sentence(method: str) -> None:
    pursuit = PURSUITS[method]
    x, atoms = problem(dtype=torch.float32)
    with pytest.raises(UserError, match=r"^k=64 exceeds the dictionary's 32 atoms; lower k or train further$"):
        pursuit(x, atoms[:32], 64)
    with pytest.raises(UserError, match="k=0 is not a number of atoms"):
        pursuit(x, atoms, 0)
    broken = x.clone()
    broken[3, 2] = float("nan")
    with pytest.raises(UserError, match="Activation 3 of 40 contains NaN"):
        pursuit(broken, atoms, 2)
    broken[3, 2] = float("inf")
    with pytest.raises(UserError, match="Activation 3"):
        pursuit(broken, atoms, 2)
    for factor in (1.01, 0.0, float("nan")):
        wrong = atoms.clone()
        wrong[5] *= factor
        with pytest.raises(UserError, match="Atom 5 has norm"):
            pursuit(x, wrong, 2)
    with pytest.raises(UserError, match="do not fit"):
        pursuit(x[:, :5], atoms, 2)
    with pytest.raises(UserError, match="do not fit"):
        pursuit(x[0], atoms, 2)
    with pytest.raises(UserError, match="Gram matrix has shape"):
        pursuit(x, atoms, 2, gram=torch.eye(3))
    with pytest.raises(UserError, match=r"tolerance=1\.5"):
        pursuit(x, atoms, 2, tolerance=1.5)
    with pytest.raises(UserError, match="int64"):
        pursuit(x.long(), atoms, 2)
    huge = torch.full((1, 24), 60_000.0, dtype=torch.float16)
    with pytest.raises(UserError, match="float16 can hold"):
        pursuit(huge, torch.nn.functional.normalize(torch.ones(1, 24), dim=1), 1)


def test_unknown_method_names_the_known_ones() -> None:
    x, atoms = problem()
    with pytest.raises(UserError, match="'fista'; choose one of mp, omp, gp"):
        encode(x, atoms, 2, "fista")


def plain_non_negative_matching(x: np.ndarray, atoms: np.ndarray, k: int) -> tuple[list[int], list[float]]:
    residual, indices, coefficients = x.copy(), [], []
    for _ in range(k):
        correlations = atoms @ residual
        best = int(correlations.argmax())
        if correlations[best] <= 0:
            break
        indices.append(best)
        coefficients.append(correlations[best])
        residual = residual - correlations[best] * atoms[best]
    return indices, coefficients


@FORMS
def test_non_negative_matching_pursuit_equals_a_plain_loop(with_gram: bool) -> None:
    x, atoms = problem(n_tokens=30, n_atoms=13, d_model=20)  # few atoms: some tokens end early
    code = matching_pursuit(x, atoms, 12, gram=gram_of(atoms, with_gram), non_negative=True)
    used = code.coefficients > 0
    assert (code.coefficients >= 0).all()
    for token in range(len(x)):
        indices, coefficients = plain_non_negative_matching(x[token].numpy(), atoms.numpy(), 12)
        assert code.indices[token][used[token]].tolist() == indices
        np.testing.assert_allclose(code.coefficients[token][used[token]].numpy(), coefficients, atol=1e-12)
    negative = -atoms[:1]
    code = matching_pursuit(negative, atoms[:1], 1, gram=gram_of(atoms[:1], with_gram), non_negative=True)
    assert code.coefficients.tolist() == [[0.0]]


@FORMS
def test_non_negative_orthogonal_pursuit_with_enough_steps_is_non_negative_least_squares(with_gram: bool) -> None:
    x, atoms = problem(n_tokens=40, n_atoms=30, d_model=40)
    code = orthogonal_matching_pursuit(x, atoms, 30, gram=gram_of(atoms, with_gram), non_negative=True)
    expected = np.array([nnls(atoms.numpy().T, row)[0] for row in x.numpy()])
    np.testing.assert_allclose(dense(code, 30).numpy(), expected, atol=1e-9)
    assert (expected > 0).sum() < 0.7 * expected.size  # the constraint matters


@FORMS
@pytest.mark.parametrize("k", [3, 9, 20])
def test_non_negative_orthogonal_pursuit_is_the_best_fit_on_its_own_atoms(with_gram: bool, k: int) -> None:
    x, atoms = problem(n_tokens=60, n_atoms=80, d_model=16)  # crowded: atoms leave their slots again
    code = orthogonal_matching_pursuit(x, atoms, k, gram=gram_of(atoms, with_gram), non_negative=True)
    assert (code.coefficients >= 0).all()
    for token in range(len(x)):
        used = code.coefficients[token] > 0
        chosen = atoms[code.indices[token][used]].numpy().T
        fit = nnls(chosen, x[token].numpy())[0]
        np.testing.assert_allclose(code.coefficients[token][used].numpy(), fit, atol=1e-9)
    mp = matching_pursuit(x, atoms, k, gram=gram_of(atoms, with_gram), non_negative=True)
    errors = [relative_error(x, reconstruct(c, atoms)).mean() for c in (code, mp)]
    assert errors[0] < errors[1]


def plain_non_negative_gradient(x: np.ndarray, atoms: np.ndarray, k: int) -> np.ndarray:
    residual, support, coefficients = x.copy(), set(), np.zeros(len(atoms))
    for _ in range(k):
        correlations = atoms @ residual
        best = int(correlations.argmax())
        if correlations[best] <= 1e-12:
            break
        support.add(best)
        direction = np.zeros(len(atoms))
        direction[sorted(support)] = correlations[sorted(support)]
        image = direction @ atoms
        step = residual @ image / (image @ image)
        for atom in support:
            if direction[atom] < 0:
                step = min(step, coefficients[atom] / -direction[atom])
        coefficients += step * direction
        coefficients[coefficients < 1e-15] = 0
        support = {atom for atom in support if coefficients[atom] > 0}
        residual = x - coefficients @ atoms
    return coefficients


@FORMS
@pytest.mark.parametrize("k", [1, 5, 20])
def test_non_negative_gradient_pursuit_equals_a_plain_loop(with_gram: bool, k: int) -> None:
    x, atoms = problem(n_tokens=30, n_atoms=60, d_model=12)
    code = gradient_pursuit(x, atoms, k, gram=gram_of(atoms, with_gram), non_negative=True)
    expected = np.array([plain_non_negative_gradient(row, atoms.numpy(), k) for row in x.numpy()])
    np.testing.assert_allclose(dense(code, len(atoms)).numpy(), expected, atol=1e-9)


@METHODS
@pytest.mark.parametrize("non_negative", [False, True])
@pytest.mark.parametrize("n_atoms", [1, 63, 64, 65, 511, 512, 513, 1100])
def test_any_number_of_atoms(method: str, non_negative: bool, n_atoms: int) -> None:
    """Vector loops take whole units and groups of units; what remains must count as well."""
    x, atoms = problem(n_tokens=9, n_atoms=n_atoms, d_model=40, dtype=torch.float32)
    x[0], x[1] = 3 * atoms[-1], 2 * atoms[n_atoms // 2]
    k = min(n_atoms, 6)
    by_gram = PURSUITS[method](x, atoms, k, gram=atoms @ atoms.T, non_negative=non_negative)
    by_residual = PURSUITS[method](x, atoms, k, non_negative=non_negative)
    assert by_gram.indices[:2, 0].tolist() == [n_atoms - 1, n_atoms // 2]
    decided = clear(method, x, atoms, k, non_negative=non_negative)
    assert decided.float().mean() > 0.7
    assert torch.equal(by_gram.indices[decided], by_residual.indices[decided])
    torch.testing.assert_close(by_gram.coefficients[decided], by_residual.coefficients[decided], atol=1e-4, rtol=0)


def test_residuals_are_correlated_with_some_atoms_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    x, atoms = problem(n_atoms=101, dtype=torch.float32)
    atoms[90:] = atoms[:11]  # ties across the pieces go to the lower index
    whole = {method: PURSUITS[method](x, atoms, 8) for method in PURSUITS}
    monkeypatch.setattr(forms, "ATOMS_AT_ONCE", 16)
    for method, expected in whole.items():
        code, decided = PURSUITS[method](x, atoms, 8), clear(method, x, atoms, 8)
        assert decided.float().mean() > 0.9
        assert torch.equal(code.indices[decided], expected.indices[decided])
        assert (code.indices < 90).all()
        torch.testing.assert_close(code.coefficients[decided], expected.coefficients[decided], atol=1e-5, rtol=0)


@METHODS
def test_half_precision_gram_costs_digits_only(method: str) -> None:
    x, atoms = problem(n_tokens=50, n_atoms=150, d_model=64, dtype=torch.float32)
    half = gram_matrix(atoms, dtype=torch.float16)
    assert half is not None
    assert half.dtype == torch.float16
    exact = PURSUITS[method](x, atoms, 10, gram=gram_matrix(atoms))
    code = PURSUITS[method](x, atoms, 10, gram=half)
    same = (code.indices == exact.indices).all(dim=1)
    assert same.float().mean() > 0.9
    torch.testing.assert_close(code.coefficients[same], exact.coefficients[same], atol=5e-3, rtol=0)
    errors = [relative_error(x, reconstruct(c, atoms)).mean().item() for c in (code, exact)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-2)


def test_gram_matrix_is_refused_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    _, atoms = problem(n_atoms=100, dtype=torch.float32)
    monkeypatch.setattr(chunks, "free_memory", lambda _: 4 * 100 * 100 * 4 - 1)
    assert gram_matrix(atoms) is None
    half = gram_matrix(atoms, dtype=torch.float16)
    torch.testing.assert_close(half, (atoms @ atoms.T).half())
    monkeypatch.setattr(chunks, "free_memory", lambda _: 4 * 100 * 100 * 4)
    torch.testing.assert_close(gram_matrix(atoms), atoms @ atoms.T)


def test_the_gram_matrix_is_computed_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    x, atoms = problem(n_tokens=30, n_atoms=50, dtype=torch.float32)
    computed = []
    monkeypatch.setattr(chunks, "pays", PAYS)
    monkeypatch.setattr(chunks, "gram_matrix", lambda atoms, method: computed.append(len(atoms)))
    matching_pursuit(x, atoms, 2)
    assert computed == []
    matching_pursuit(x, atoms, 3)
    assert computed == [50]


def test_products_are_exact_whatever_the_program_allows() -> None:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        seen = []
        with chunks.exact_products():
            seen.append(torch.get_float32_matmul_precision())
        assert seen == ["highest"]
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("non_negative", [False, True])
@pytest.mark.parametrize("n_atoms", [1, 64, 65, 513, 1500])
def test_a_screened_pursuit_is_exact(compiled: bool, non_negative: bool, n_atoms: int) -> None:
    """Rounding the Gram matrix to 16 bits changes neither what is chosen nor the digits of the coefficients."""
    if not compiled:
        pytest.skip("the plain pursuits have no screen; they take such a Gram matrix for what it is")
    x, atoms = problem(n_tokens=80, n_atoms=n_atoms, d_model=48, dtype=torch.float32)
    common = torch.randn(48, generator=torch.Generator().manual_seed(3))
    x, atoms = x + common, torch.nn.functional.normalize(atoms + 0.1 * common, dim=1)
    x[0], x[1], x[2] = 0, 5 * atoms[n_atoms // 2], -3 * atoms[-1]  # nothing left after no step, or after one
    k = min(n_atoms, 30)
    fixed = gram_matrix(atoms, dtype=torch.int16)
    code = matching_pursuit(x, atoms, k, gram=fixed, non_negative=non_negative)
    decided = clear("mp", x, atoms, k, non_negative=non_negative)
    assert decided[:3].all()
    assert decided.float().mean() > 0.8
    for token in decided.nonzero()[:, 0].tolist():
        loop = plain_non_negative_matching if non_negative else plain_matching
        indices, coefficients = loop(x[token].double().numpy(), atoms.double().numpy(), k)
        scale = float(x[token].norm())
        found = [i for i, c in zip(indices, coefficients, strict=True) if abs(c) > 1e-4 * scale]  # the rest is rounding
        assert code.indices[token][: len(found)].tolist() == found
        got = code.coefficients[token][: len(found)]
        np.testing.assert_allclose(got, coefficients[: len(found)], atol=4e-6 * scale)
        assert (code.coefficients[token][len(found) :].abs() <= 2e-4 * scale).all()
    assert int((code.coefficients[0] != 0).sum()) == 0
    assert int((code.coefficients[1] != 0).sum()) == 1
    once = matching_pursuit(x, atoms, k, gram=fixed, tolerance=0.5, non_negative=non_negative)
    expected = matching_pursuit(x, atoms, k, gram=atoms @ atoms.T, tolerance=0.5, non_negative=non_negative)
    assert torch.equal(once.indices[decided], expected.indices[decided])


def test_without_a_screen_a_fixed_point_gram_matrix_costs_digits_only() -> None:
    x, atoms = problem(n_tokens=50, n_atoms=70, d_model=64, dtype=torch.float32)
    fixed = gram_matrix(atoms, dtype=torch.int16)
    for method in PURSUITS:
        exact = PURSUITS[method](x, atoms, 6, gram=gram_matrix(atoms))
        code = PURSUITS[method](x, atoms, 6, gram=fixed)
        assert (code.indices == exact.indices).float().mean() > 0.99
        torch.testing.assert_close(dense(code, 70), dense(exact, 70), atol=2e-3, rtol=0)


def test_a_screened_pursuit_takes_the_lower_of_identical_atoms(compiled: bool) -> None:
    if not compiled:
        pytest.skip("the plain pursuits have no screen")
    x, atoms = problem(n_tokens=60, n_atoms=33, d_model=37, dtype=torch.float32)
    twice = torch.cat([atoms, -atoms, atoms, atoms[:5] + 1e-7])
    twice = torch.nn.functional.normalize(twice, dim=1)
    code = matching_pursuit(x, twice, 8, gram=gram_matrix(twice, dtype=torch.int16))
    expected, decided = matching_pursuit(x, twice, 8), clear("mp", x, atoms, 8)
    assert decided.float().mean() > 0.9
    assert (code.indices < len(atoms)).all()  # the last five differ by less than rounding
    assert torch.equal(code.indices[decided], expected.indices[decided])
    torch.testing.assert_close(code.coefficients[decided], expected.coefficients[decided], atol=1e-5, rtol=0)


def test_more_atoms_than_the_cache_holds_are_screened(compiled: bool) -> None:
    _, atoms = problem(n_atoms=chunks.SCREENED_FROM + 1, dtype=torch.float32)
    kinds = [chunks.gram_dtype(atoms, "mp"), chunks.gram_dtype(atoms[1:], "mp"), chunks.gram_dtype(atoms, "omp")]
    assert kinds == [torch.int16 if compiled else torch.float32, torch.float32, torch.float32]


def test_atoms_whose_norm_is_a_little_off_fit_into_16_bits() -> None:
    x, atoms = problem(n_tokens=30, n_atoms=80, dtype=torch.float32)
    for factor, dtype in ((1.0009, torch.float32), (1.009, torch.bfloat16)):
        wide = (atoms * factor).to(dtype)
        fixed = gram_matrix(wide, dtype=torch.int16)
        assert fixed is not None
        torch.testing.assert_close(fixed / precision.FIXED_ONE, wide.float() @ wide.float().T, atol=2e-5, rtol=0)
        code = matching_pursuit(x, wide.float(), 6, gram=fixed) if factor < 1.001 else None
        if code is not None:
            expected, decided = matching_pursuit(x, wide.float(), 6), clear("mp", x, wide.float(), 6)
            assert decided.float().mean() > 0.9
            assert torch.equal(code.indices[decided], expected.indices[decided])
