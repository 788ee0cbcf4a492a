"""Paths, NumPy's numbers and arrays and torch's own values, wherever Python code gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close as close

from itda_core import AtomDictionary, Corpus, ModelSpec, TrainConfig, UserError, decompose, evaluate, load_model, train
from itda_core.arguments import plain, plain_list, user_path
from itda_core.comparison import jaccard, linear_cka, linear_regression, relative_representation, svcca
from itda_core.dictionaries import DictionarySpec
from itda_core.models import LanguageModel
from itda_core.pursuit import PURSUITS, reconstruct, relative_error
from tests.conftest import generated_text


def test_a_config_holds_pythons_own_numbers() -> None:
    config = TrainConfig(
        k=np.int64(3),  # pyright: ignore[reportArgumentType]
        threshold=np.float32(0.25),  # pyright: ignore[reportArgumentType]
        atoms=np.array(7),  # pyright: ignore[reportArgumentType]
        tokens=torch.tensor(500),  # pyright: ignore[reportArgumentType]
        context=np.uint16(64),  # pyright: ignore[reportArgumentType]
        seed=np.int8(1),  # pyright: ignore[reportArgumentType]
        centre=np.True_,  # pyright: ignore[reportArgumentType]
        sinks=np.float64(12),
        method=np.str_("omp"),
    )
    assert config == TrainConfig(
        k=3, threshold=0.25, atoms=7, tokens=500, context=64, seed=1, centre=True, sinks=12.0, method="omp"
    )
    assert {type(value) for value in config.to_dict().values()} <= {int, float, bool, str}
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    "setting",
    [
        {"k": np.float64(3)},
        {"k": np.array([3, 4])},
        {"k": np.True_},
        {"threshold": np.array([0.3])},
        {"method": ["mp"]},
    ],
)
def test_what_is_no_number_is_refused_as_ever(setting: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"is not a|does not exist"):
        TrainConfig(**setting)


def test_models_and_dictionaries_by_path(tmp_path: Path) -> None:
    spec = ModelSpec(tmp_path, device=torch.device("cpu"), dtype=torch.float32)  # pyright: ignore[reportArgumentType]
    assert spec == ModelSpec(str(tmp_path), device="cpu", dtype="float32")
    with pytest.raises(UserError, match="neither a name nor a path"):
        ModelSpec(7)  # pyright: ignore[reportArgumentType]
    made = DictionarySpec(tmp_path, None, "w", "t", np.int64(2), "resid_post", np.int32(8), "c", "f")  # pyright: ignore[reportArgumentType]
    assert json.loads(json.dumps(made.to_dict()))["layer"] == 2
    assert made.model == str(tmp_path)
    assert user_path("~") == Path.home()
    with pytest.raises(UserError, match="is no path"):
        AtomDictionary.load(7)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="There is no user 'nobody9'"):
        AtomDictionary.load("~nobody9/d")


def test_a_training_with_numpys_arguments_is_saved_and_used(tiny_model: LanguageModel, tmp_path: Path) -> None:
    text = tmp_path / "c.txt"
    text.write_text("\n\n".join(generated_text(30, 5)))
    config = TrainConfig(k=np.int64(3), threshold=np.float32(0.3), tokens=np.int64(400), context=np.int32(16))  # pyright: ignore[reportArgumentType]
    *_, last = train(tiny_model, text, np.array([0, 2]), config, work=str(tmp_path / "work"))  # pyright: ignore[reportArgumentType]
    folder = last.dictionaries[1].save_pretrained(tmp_path / "d")
    loaded = AtomDictionary.load(folder)
    assert (loaded.spec.layer, loaded.config.k) == (2, 3)
    assert json.loads((folder / "dictionary.json").read_text())["config"]["tokens"] == 400
    assert AtomDictionary.from_pretrained(folder).config == loaded.config
    *_, single = train(tiny_model, Corpus.open(text), np.int64(2), config)  # pyright: ignore[reportArgumentType]
    assert single.dictionaries[0].provenance.equals(last.dictionaries[1].provenance)
    assert jaccard(folder, loaded) == 1
    for odd in (np.array([0.0]), [True], "all"):
        with pytest.raises(UserError, match="is not a whole number"):
            train(tiny_model, text, odd, config)  # pyright: ignore[reportArgumentType]

    own = decompose(tiny_model, loaded, "baki lomu", k=2)
    assert decompose(tiny_model, folder, "baki lomu", k=np.int64(2)) == own  # pyright: ignore[reportArgumentType]
    json.dumps(own.to_dict())
    *_, measured = evaluate(tiny_model, folder, text, ks=np.array([1, 3]), methods="mp", tokens=np.int64(50))  # pyright: ignore[reportArgumentType]
    assert [result.k for result in measured.results] == [1, 3]
    json.dumps([result.to_dict() for result in measured.results])

    x = torch.randn(5, loaded.spec.d_model)
    codes = [loaded.encode(given, k=np.int64(2)) for given in (x, x.numpy(), x.tolist(), list(x.numpy()), list(x))]  # pyright: ignore[reportArgumentType]
    for code in codes[1:]:
        assert torch.equal(code.indices, codes[0].indices)
        close(code.coefficients, codes[0].coefficients)
    arrays = (codes[0].indices.numpy(), codes[0].coefficients.numpy())
    close(loaded.decode(arrays), loaded.decode(codes[0]))  # pyright: ignore[reportArgumentType]
    assert loaded.label(np.int64(1)) == loaded.label(torch.tensor(1)) == loaded.label(1)  # pyright: ignore[reportArgumentType]
    for odd in (1.5, "1", True, -1):
        with pytest.raises(UserError, match="There is no atom"):
            loaded.label(odd)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", PURSUITS)
def test_pursuits_take_arrays(name: str) -> None:
    torch.manual_seed(0)
    x, atoms = torch.randn(6, 8), torch.nn.functional.normalize(torch.randn(12, 8), dim=1)
    code = PURSUITS[name](x, atoms, 3)
    read_only = x.numpy().copy()
    read_only.flags.writeable = False
    turned, swapped = np.asfortranarray(x.numpy())[::-1][::-1], x.numpy().astype(">f4")
    for given in (x.numpy(), read_only, turned, swapped):
        again = PURSUITS[name](given, atoms.numpy(), np.int64(3), gram=(atoms @ atoms.T).numpy())  # pyright: ignore[reportArgumentType]
        assert torch.equal(again.indices, code.indices)
        close(again.coefficients, code.coefficients)
    close(reconstruct(code, atoms.numpy()), reconstruct(code, atoms))  # pyright: ignore[reportArgumentType]
    x_hat = reconstruct(code, atoms)
    close(relative_error(x.numpy(), x_hat.numpy()), relative_error(x, x_hat))  # pyright: ignore[reportArgumentType]
    masked = np.ma.masked_array(x.numpy(), True)
    for odd in ("activations", {"a": 1}, [[1.0], [1.0, 2.0]], np.array([["a"]]), None, masked):
        with pytest.raises(UserError, match=r"torch.from_numpy\(array\)"):
            PURSUITS[name](odd, atoms, 3)  # pyright: ignore[reportArgumentType]
    for odd in (np.float64(3), np.array([3]), "3", True):
        with pytest.raises(UserError, match="is not a number of atoms"):
            PURSUITS[name](x, atoms, odd)  # pyright: ignore[reportArgumentType]


def test_measures_take_arrays() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(40, 3), torch.randn(40, 4)
    for measure in (linear_cka, svcca, linear_regression, relative_representation):
        assert measure(x.numpy(), y.numpy()) == pytest.approx(measure(x, y), abs=1e-6)  # pyright: ignore[reportArgumentType]
        with pytest.raises(UserError, match=r"torch\.from_numpy"):
            measure("x", y)  # pyright: ignore[reportArgumentType]


def test_plain_values() -> None:
    assert plain_list(np.arange(3)) == plain_list(torch.arange(3)) == plain_list(range(3)) == [0, 1, 2]
    assert plain_list(np.int64(2)) == plain_list(2) == [2]
    assert plain_list("mp") == ["mp"]
    assert plain_list((None, np.int8(1))) == [None, 1]
    assert type(plain(np.float16(0.5))) is float
    assert plain("x") == "x"
    assert plain(np.arange(2)).tolist() == [0, 1]


def test_load_model_takes_a_path(tiny_model: LanguageModel, tiny_folder: Path) -> None:
    assert load_model(tiny_folder).fingerprint == tiny_model.fingerprint
    with pytest.raises(UserError):
        load_model(tiny_folder / "nowhere")
