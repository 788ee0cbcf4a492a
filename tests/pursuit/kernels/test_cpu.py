"""The compiled pursuits against the plain ones, from several threads at once, and what is kept on disk of them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from itda_core.pursuit.forms import GramForm, strongest_and_largest
from itda_core.pursuit.gradient import gradient
from itda_core.pursuit.kernels import compiled, cpu
from itda_core.pursuit.matching import matching
from itda_core.pursuit.orthogonal import non_negative_orthogonal, orthogonal
from tests.pursuit.choices import clear

ROOT = Path(cpu.__file__).resolve().parents[3]
PAIRS = [
    pytest.param(matching, cpu.matching, True, id="mp"),
    pytest.param(matching, cpu.matching, False, id="mp-non-negative"),
    pytest.param(orthogonal, cpu.orthogonal, True, id="omp"),
    pytest.param(non_negative_orthogonal, cpu.orthogonal, False, id="omp-non-negative"),
    pytest.param(gradient, cpu.gradient, True, id="gp"),
    pytest.param(gradient, cpu.gradient, False, id="gp-non-negative"),
]


def activations(n_tokens: int, n_atoms: int, d_model: int) -> tuple[Tensor, Tensor]:
    """Activations and coherent atoms, as those of a model are."""
    random = torch.Generator().manual_seed(n_tokens)
    common = torch.randn(d_model, generator=random)
    atoms = torch.nn.functional.normalize(torch.randn(n_atoms, d_model, generator=random) + common, dim=1)
    return torch.randn(n_tokens, d_model, generator=random) + common, atoms


def problem(n_tokens: int, n_atoms: int, d_model: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Correlations, Gram matrix, energies and stops of such activations."""
    x, atoms = activations(n_tokens, n_atoms, d_model)
    energy = x.double().square().sum(dim=1)
    stop = torch.where(torch.arange(n_tokens) % 3 == 0, 0.5 * energy, -torch.inf)
    return x @ atoms.T, atoms @ atoms.T, energy, stop


@pytest.mark.parametrize(("plain", "kernel", "signed"), PAIRS)
def test_many_tokens_shared_out_among_threads_give_what_the_plain_pursuit_gives(plain, kernel, signed) -> None:
    correlations, gram, energy, stop = problem(200, 700, 48)
    before, torch_threads = correlations.clone(), torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        code, remaining = kernel(correlations.clone(), gram, energy, 11, stop, signed=signed)
    finally:
        torch.set_num_threads(torch_threads)
    expected, expected_remaining = plain(GramForm(before, gram), energy, 11, stop, signed=signed)
    method = {matching: "mp", gradient: "gp"}.get(plain, "omp")
    decided = clear(method, *activations(200, 700, 48), 11, non_negative=not signed)
    assert decided.float().mean() > 0.9
    assert torch.equal(code.indices[decided], expected.indices[decided])
    torch.testing.assert_close(code.coefficients[decided], expected.coefficients[decided], atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(remaining, expected_remaining, atol=1e-3, rtol=1e-4)
    assert (remaining >= 0).all()
    stopped = (code.coefficients != 0).sum(dim=1) < 11
    assert stopped[::3].any()


def test_several_callers_at_once_do_not_disturb_each_other() -> None:
    problems = [problem(40 + i, 300, 32) for i in range(6)]

    def run(i: int) -> Tensor:
        correlations, gram, energy, stop = problems[i]
        return cpu.orthogonal(correlations, gram, energy, 7, stop)[0].coefficients

    alone = [run(i) for i in range(6)]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(5):
            together = list(pool.map(run, range(6)))
            assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


@pytest.mark.parametrize("signed", [True, False])
def test_strongest_is_the_plain_maximum(signed: bool) -> None:
    random = torch.Generator().manual_seed(0)
    for n_atoms in (1, 15, 64, 200, 1100):
        correlations = torch.randn(50, n_atoms, generator=random)
        correlations[7] = 0
        correlations[8] = -correlations[8].abs()
        correlations[9, n_atoms // 2 :] = 5  # a tie: the first of them
        correlations[10, n_atoms // 2], correlations[10, -1] = 5.5, 6  # the first where 0.5 is within doubt
        for doubt in (torch.full((50,), 1e-6), torch.linspace(0, 1, 50)):
            found = cpu.strongest(correlations, doubt, signed=signed)
            expected = strongest_and_largest(correlations, doubt, signed=signed)
            assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
        assert found[0][9] == n_atoms // 2


ONCE = """
import torch
from itda_core.pursuit import matching_pursuit
from itda_core.pursuit.kernels import compiled, cpu
atoms = torch.eye(4)
print(matching_pursuit(torch.tensor([[0.0, -3.0, 0.0, 1.0]]), atoms, 2, gram=atoms).indices.tolist())
print(sum(cpu._matching.stats.cache_hits.values()))
"""


def test_what_was_compiled_is_kept_on_disk_and_nothing_breaks_where_it_cannot_be(tmp_path: Path) -> None:
    def run(folder: Path) -> list[str]:
        environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "HOME": str(folder), "PYTHONPATH": str(ROOT)}
        environment.pop("NUMBA_CACHE_DIR", None)
        done = subprocess.run(
            [sys.executable, "-c", ONCE], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert run(tmp_path) == ["[[1, 3]]", "0"]
    assert run(tmp_path) == ["[[1, 3]]", "1"]
    (tmp_path / "file").write_text("no folder")
    assert run(tmp_path / "file")[0] == "[[1, 3]]"


def test_another_constant_anywhere_in_the_room_is_another_folder(tmp_path: Path, monkeypatch) -> None:
    """Constants are compiled in: what was compiled with others must not be taken up."""
    (tmp_path / "kernels").mkdir()
    constants = tmp_path / "forms.py"
    constants.write_text("DOUBT = 4")
    monkeypatch.setattr(compiled, "__file__", str(tmp_path / "kernels" / "compiled.py"))
    before = compiled._folder()
    assert compiled._folder() == before
    constants.write_text("DOUBT = 5")
    assert compiled._folder() != before


HALVES = """
import torch
from itda_core.pursuit import matching_pursuit
from itda_core.pursuit.kernels import cpu
atoms = torch.eye(4)
print(cpu.converts_halves())
print(matching_pursuit(torch.tensor([[0.0, -3.0, 0.0, 1.0]]), atoms, 2, gram=atoms.half()).indices.tolist())
"""


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="others convert half floats anyway")
def test_a_half_precision_gram_matrix_without_the_instruction_for_it(tmp_path: Path) -> None:
    """As on a processor without F16C, where the conversion is a function that compiled code does not have."""
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment.pop("NUMBA_CPU_FEATURES", None)
    done = subprocess.run([sys.executable, "-c", HALVES], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["False", "[[1, 3]]"]


def test_float64_is_computed_in_float64() -> None:
    correlations, gram, energy, stop = (value.double() for value in problem(20, 90, 32))
    code, remaining = cpu.matching(correlations.clone(), gram, energy, 9, stop)
    expected, _ = matching(GramForm(correlations, gram), energy, 9, stop)
    np.testing.assert_allclose(code.coefficients.numpy(), expected.coefficients.numpy(), atol=1e-13)
    assert remaining.dtype == torch.float64
