"""Encoding and decoding with a dictionary, and dictionaries on a Hub that is no further than this process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from itda_core.dictionaries import AtomDictionary
from itda_core.errors import UserError
from itda_core.pursuit import chunks, matching_pursuit, orthogonal_matching_pursuit, reconstruct
from itda_core.pursuit.precision import FIXED_ONE
from tests.dictionaries.storage.test_dictionary_folder import make


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(20, 6, generator=torch.Generator().manual_seed(9)) + 2


def test_encode_subtracts_the_mean_and_decode_adds_it(x: torch.Tensor) -> None:
    dictionary = make(8, centre=True)
    code = dictionary.encode(x)
    expected = matching_pursuit(x - dictionary.mean, dictionary.atoms, 3)
    assert torch.equal(code.indices, expected.indices)
    torch.testing.assert_close(code.coefficients, expected.coefficients)
    x_hat = dictionary.decode(code)
    torch.testing.assert_close(x_hat, reconstruct(expected, dictionary.atoms) + dictionary.mean)
    assert dictionary.mean.abs().min() > 0
    uncentred = make(8)
    torch.testing.assert_close(
        uncentred.decode(uncentred.encode(x)), reconstruct(matching_pursuit(x, uncentred.atoms, 3), uncentred.atoms)
    )


def test_k_and_method_come_from_the_config_unless_given(x: torch.Tensor) -> None:
    dictionary = make(8, method="omp")
    assert torch.equal(dictionary.encode(x).indices, orthogonal_matching_pursuit(x, dictionary.atoms, 3).indices)
    code = dictionary.encode(x, k=5, method="mp")
    assert torch.equal(code.indices, matching_pursuit(x, dictionary.atoms, 5).indices)
    assert make(2).encode(x).indices.shape == (20, 2)  # fewer atoms than the config's k
    with pytest.raises(UserError, match="k=9 exceeds the dictionary's 8 atoms; lower k or train further"):
        dictionary.encode(x, k=9)
    with pytest.raises(UserError, match="no pursuit 'fista'"):
        dictionary.encode(x, method="fista")
    with pytest.raises(UserError, match=r"shape \(20, 5\) do not fit this dictionary of demo:0; give \(n_tokens, 6\)"):
        dictionary.encode(x[:, :5])


def test_the_gram_matrix_is_kept_unless_it_is_too_large(x: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    dictionary = make(8)
    gram = dictionary.gram()
    assert gram is dictionary.gram()
    torch.testing.assert_close(gram, dictionary.atoms @ dictionary.atoms.T)
    with_gram = dictionary.encode(x)
    monkeypatch.setattr(chunks, "free_memory", lambda _: 100)
    large = make(8)
    assert large.gram() is None
    torch.testing.assert_close(large.encode(x).coefficients, with_gram.coefficients, atol=1e-5, rtol=0)


def test_the_gram_matrix_may_be_held_in_half_precision(x: torch.Tensor) -> None:
    exact, before, after = make(8), make(8), make(8)
    expected = exact.encode(x)
    assert after.gram() is not None  # computed before it is halved
    for dictionary in (before, after):
        dictionary.hold_gram(torch.float16)
        torch.testing.assert_close(dictionary.gram(), (dictionary.atoms @ dictionary.atoms.T).half())
        torch.testing.assert_close(dictionary.encode(x).coefficients, expected.coefficients, atol=1e-2, rtol=0)


def test_many_atoms_are_screened_for_matching_pursuit_only(x: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = make(8)
    expected = {method: exact.encode(x, method=method) for method in ("mp", "omp", "gp")}
    grown = exact.gram()
    monkeypatch.setattr(chunks, "SCREENED_FROM", 7)
    computed, handed_over = make(8), make(8)
    handed_over._grams = {torch.float32: grown}  # as when it has grown
    for dictionary in (computed, handed_over):
        for method, code in expected.items():
            torch.testing.assert_close(dictionary.encode(x, method=method), code, atol=1e-5, rtol=0)
        screen, plain = dictionary.gram("mp"), dictionary.gram("omp")
        assert screen is not None
        assert plain is not None
        assert (screen.dtype, plain.dtype) == (torch.int16, torch.float32)
        torch.testing.assert_close(screen / FIXED_ONE, plain, atol=2e-5, rtol=0)


def test_half_precision_activations(x: torch.Tensor) -> None:
    dictionary = make(8, centre=True)
    code = dictionary.encode(x.half())
    assert code.coefficients.dtype == dictionary.decode(code).dtype == torch.float16
    expected = dictionary.decode(dictionary.encode(x))
    torch.testing.assert_close(dictionary.decode(code).float(), expected, atol=0.1, rtol=0)


def test_push_and_pull(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    hub = tmp_path / "hub"

    class Api:
        def create_repo(self, name: str, *, private: bool, exist_ok: bool):
            return huggingface_hub.RepoUrl(f"https://huggingface.co/{name}")

        def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> None:
            (hub / repo_id).parent.mkdir(parents=True)
            Path(folder_path).rename(hub / repo_id)

    def snapshot_download(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        assert (revision, "dictionary.json" in allow_patterns) == ("main", True)
        return str(hub / name)

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(UserError, match="set HF_TOKEN"):
        make().push_to_hub("someone/atoms")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "a token")
    assert make().push_to_hub("someone/atoms") == "https://huggingface.co/someone/atoms"
    pulled = AtomDictionary.from_pretrained("someone/atoms", revision="main")
    assert torch.equal(pulled.atoms, make().atoms)
