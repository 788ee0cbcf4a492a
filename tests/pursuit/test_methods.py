"""The table of pursuits: what it names exists, and a row is all that a pursuit without kernels needs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pkgutil import resolve_name

import pytest
import torch

from itda_core.dictionaries import config
from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.growing.sequential import SequentialSelection
from itda_core.errors import UserError
from itda_core.pursuit import PURSUITS, chunks, encode, gram_matrix, kernels, matching_pursuit, methods
from itda_core.pursuit.methods import NAMES, NOTES, TABLE, Method, method_named


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Method:
    """A pursuit that nothing is compiled for: matching pursuit under another name."""
    row = Method("plain", "plain pursuit", "plain", "", TABLE[0].function, TABLE[0].algorithm)
    monkeypatch.setattr(methods, "TABLE", (*TABLE, row))
    return row


def problem(n_tokens: int = 40, n_atoms: int = 30, d_model: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    atoms = torch.nn.functional.normalize(torch.randn(n_atoms, d_model, generator=random), dim=1)
    return torch.randn(n_tokens, d_model, generator=random), atoms


def test_the_table_loads_no_tensor_library() -> None:
    program = "import sys; from itda_core.pursuit.methods import TABLE; assert 'torch' not in sys.modules, 'loaded'"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_all_that_the_table_names_is_there() -> None:
    assert tuple(PURSUITS) == NAMES == ("mp", "omp", "gp")
    for method in TABLE:
        assert resolve_name(method.function) is PURSUITS[method.name]
        for where in (method.algorithm, *filter(None, [method.cpu and method.cpu.function])):
            assert callable(resolve_name(where))
        assert "" not in (method.title, method.note, method.source)
    assert NOTES.startswith("MP: matching pursuit, the cheapest. OMP: orthogonal")


def test_the_kernels_for_cuda_are_there() -> None:
    pytest.importorskip("triton")
    assert all(callable(resolve_name(method.cuda.function)) for method in TABLE if method.cuda is not None)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_an_unknown_pursuit_is_one_error_everywhere(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, atoms = problem()
    monkeypatch.setattr(kernels, "_for_cpu", lambda _: device == "cpu")
    monkeypatch.setattr(kernels, "_for_cuda", lambda _: device == "cuda")
    for ask in (
        lambda: kernels.gram_kernel("lars", x, signed=True),
        lambda: encode(x, atoms, 3, "lars"),
        lambda: gram_matrix(atoms, "lars"),
        lambda: method_named("lars"),
    ):
        with pytest.raises(UserError, match="There is no pursuit 'lars'; choose one of mp, omp, gp"):
            ask()


def test_on_cuda_non_negative_orthogonal_pursuit_runs_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_for_cpu", lambda _: False)
    monkeypatch.setattr(kernels, "_for_cuda", lambda _: True)
    assert kernels.gram_kernel("omp", torch.ones(1, 1), signed=False) is None


@pytest.mark.parametrize("with_gram", [False, True])
def test_a_pursuit_without_kernels_runs_as_it_stands(plain: Method, with_gram: bool) -> None:
    x, atoms = problem()
    gram = gram_matrix(atoms) if with_gram else None
    assert kernels.gram_kernel(plain.name, x, signed=True) is None
    code = chunks.in_chunks(plain.name, x, atoms, 5, gram, 0.0, None, False)
    expected = matching_pursuit(x, atoms, 5, gram=gram)
    assert torch.equal(code.indices, expected.indices)
    torch.testing.assert_close(code.coefficients, expected.coefficients, atol=1e-5, rtol=0)


def test_a_dictionary_grows_by_a_pursuit_without_kernels(plain: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "METHODS", (*NAMES, plain.name))
    from itda_core.dictionaries.growing import sequential

    monkeypatch.setitem(sequential.LARGEST_BLOCK, plain.name, 128)
    x, _ = problem(n_tokens=200)
    grown = {}
    for name in ("mp", plain.name):
        grown[name] = SequentialSelection(TrainConfig(k=3, method=name), x.shape[1], x.device)
        grown[name].judge(x)
    torch.testing.assert_close(grown[plain.name].atoms, grown["mp"].atoms)


def test_a_pursuit_is_not_asked_for_what_it_cannot_do(plain: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    x, atoms = problem()
    row = replace(plain, non_negative=False, needs_gram=True)
    monkeypatch.setattr(methods, "TABLE", (row,))
    with pytest.raises(UserError, match="The plain pursuit gives signed codes only; choose another"):
        chunks.in_chunks(row.name, x, atoms, 5, None, 0.0, None, True)
    monkeypatch.setattr(chunks, "pays", lambda *_: False)
    computed = chunks.in_chunks(row.name, x, atoms, 5, None, 0.0, None, False)
    assert torch.equal(
        computed.indices, chunks.in_chunks(row.name, x, atoms, 5, atoms @ atoms.T, 0, None, False).indices
    )
    monkeypatch.setattr(chunks, "free_memory", lambda _: 0)
    with pytest.raises(UserError, match="no room for the Gram matrix of 30 atoms"):
        chunks.in_chunks(row.name, x, atoms, 5, None, 0.0, None, False)
