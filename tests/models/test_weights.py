"""Which file is read as a model's weights, by loading, streaming and fingerprint alike, and what is no weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from itda_core.errors import UserError
from itda_core.models import ModelSpec, load_model
from itda_core.models.folder.model_folder import weight_files
from itda_core.models.folder.stored_tensors import stored_tensors
from itda_core.models.loading import load_skeleton
from itda_core.runs.costs.model_description import describe

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SOME = "transformer.h.1.mlp.c_fc.weight"


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny GPT-2."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def refused(folder: Path, load: Callable[[ModelSpec], Any] = load_model) -> str:
    with pytest.raises(UserError) as error:
        load(ModelSpec(str(folder), device="cpu"))
    assert "\n" not in str(error.value)
    return str(error.value)


def save(weights: dict[str, torch.Tensor], path: Path) -> None:
    save_file(weights, path, {"format": "pt"})


def add_other_shards(folder: Path) -> None:
    """Shards with an index beside, of other weights, as an earlier save leaves them."""
    weights = {name: tensor + 1 for name, tensor in load_file(folder / WEIGHTS).items()}
    names, parts = sorted(weights), ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    for i, part in enumerate(parts):
        save({name: weights[name] for name in names[i::2]}, folder / part)
    map_ = {name: parts[i % 2] for i, name in enumerate(names)}
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": map_}))


def streamed_weights(folder: Path) -> dict[str, torch.Tensor]:
    weights = load_skeleton(ModelSpec(str(folder), device="cpu")).weights
    try:
        return weights.read(weights.names)
    finally:
        weights.close()


def by_transformers(folder: Path) -> torch.Tensor:
    import transformers as hf

    return hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).get_parameter(SOME)


def test_one_file_counts_whatever_index_lies_beside(folder: Path) -> None:
    before = load_model(str(folder)).fingerprint
    add_other_shards(folder)
    model = load_model(ModelSpec(str(folder), device="cpu"))
    assert torch.equal(model.module.get_parameter(SOME), by_transformers(folder))
    assert torch.equal(streamed_weights(folder)[SOME], by_transformers(folder))
    assert model.fingerprint == before
    (folder / WEIGHTS).unlink()  # now the shards are the model
    model = load_model(ModelSpec(str(folder), device="cpu"))
    assert torch.equal(model.module.get_parameter(SOME), by_transformers(folder))
    assert torch.equal(streamed_weights(folder)[SOME], by_transformers(folder))
    assert model.fingerprint != before


@pytest.mark.parametrize("index", ["null", "[]", "{}", '{"weight_map": null}', "{,}", '{"weight_map": {"a": "b"}}'])
def test_an_odd_index_counts_only_where_it_is_needed(folder: Path, index: str) -> None:
    (folder / INDEX).write_text(index)
    for load in (load_model, load_skeleton):
        assert load(ModelSpec(str(folder), device="cpu")).name
    (folder / WEIGHTS).unlink()
    for use in (load_model, load_skeleton, describe):
        said = refused(folder, use)
        assert INDEX in said
        assert "fetch" in said or "restore" in said


@pytest.mark.parametrize("named", ["../model.safetensors", "/etc/passwd", 3, None, "", "x.bin", "x" * 400])
def test_an_index_names_safetensors_files_of_its_folder(folder: Path, named: object) -> None:
    add_other_shards(folder)
    (folder / WEIGHTS).unlink()
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"][SOME] = named
    (folder / INDEX).write_text(json.dumps(index))
    assert "is no safetensors file of its folder" in refused(folder)


def test_an_index_without_metadata_is_refused_as_transformers_does(folder: Path) -> None:
    add_other_shards(folder)
    (folder / WEIGHTS).unlink()
    index = json.loads((folder / INDEX).read_text())
    del index["metadata"]
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(KeyError):
        by_transformers(folder)
    assert 'has no "metadata"' in refused(folder)


def test_weights_that_the_config_names_are_the_ones_that_count(folder: Path) -> None:
    other = {name: tensor + 1 for name, tensor in load_file(folder / WEIGHTS).items()}
    save(other, folder / "other.safetensors")
    config = json.loads((folder / "config.json").read_text())

    def name(weights: object) -> None:
        (folder / "config.json").write_text(json.dumps(config | {"transformers_weights": weights}))

    name("other.safetensors")
    assert torch.equal(by_transformers(folder), other[SOME])
    assert torch.equal(load_model(str(folder)).module.get_parameter(SOME), other[SOME])
    assert torch.equal(streamed_weights(folder)[SOME], other[SOME])
    for odd in ("../model.safetensors", "adapter_model.bin", 3):
        name(odd)
        assert "transformers_weights" in refused(folder) or "another folder" in refused(folder)


def test_a_distributed_checkpoint_is_refused(folder: Path) -> None:
    shutil.copy(folder / WEIGHTS, folder / "shard-00000-model-00001-of-00001.safetensors")
    assert "distributed training" in refused(folder)


BOTH = pytest.mark.parametrize("load", [load_model, load_skeleton])


@BOTH
def test_scales_left_over_and_further_layers_are_named(folder: Path, load: Callable[[ModelSpec], Any]) -> None:
    weights = load_file(folder / WEIGHTS)
    for added in (f"{SOME}_scale_inv", "transformer.h.4.ln_1.weight", "transformer.h.0.attn.c_attn.lora_A.weight"):
        save(weights | {added: torch.ones(4, 4)}, folder / WEIGHTS)
        said = refused(folder, load)
        assert added.removeprefix("transformer.") in said
        assert "has no place for" in said


@BOTH
@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.int32, torch.bool])
def test_whole_numbers_without_their_scales_are_refused(
    folder: Path, load: Callable[[ModelSpec], Any], kind: torch.dtype
) -> None:
    weights = load_file(folder / WEIGHTS)
    save({name: (x * 100).to(kind) if x.dim() > 1 else x for name, x in weights.items()}, folder / WEIGHTS)
    said = refused(folder, load)
    assert "transformer.h.0.attn.c_attn.weight" in said
    assert "quantization_config" in said


@BOTH
def test_what_older_versions_saved_beside_the_weights_is_no_fault(
    folder: Path, load: Callable[[ModelSpec], Any]
) -> None:
    mask = torch.ones(1, 1, 64, 64)
    added = {f"transformer.h.{i}.attn.bias": mask.bool() for i in range(4)}
    added |= {f"transformer.h.{i}.attn.masked_bias": torch.tensor(-1e4) for i in range(4)}
    added |= {"classifier.weight": torch.ones(2, 32)}  # of a head that is not read
    if load is load_skeleton:
        added |= {"lm_head.bias": torch.ones(500)}
    save(load_file(folder / WEIGHTS) | added, folder / WEIGHTS)
    assert load(ModelSpec(str(folder), device="cpu")).n_layers == 4


def test_unscaled_narrow_floats_are_read_as_they_are(folder: Path) -> None:
    weights = {name: x.to(torch.float8_e4m3fn) for name, x in load_file(folder / WEIGHTS).items()}
    save(weights, folder / WEIGHTS)
    loaded = load_model(ModelSpec(str(folder), device="cpu")).module.get_parameter(SOME)
    assert torch.equal(loaded, weights[SOME].float())


@pytest.mark.parametrize("file", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_is_not_left_out_silently(folder: Path, file: str) -> None:
    (folder / file).write_text("{}")
    said = refused(folder)
    assert f"lies an adapter ({file})" in said
    assert refused(folder, load_skeleton) == said
    (folder / file).rename(folder.parent / file)  # what the message tells to do
    assert load_model(str(folder)).n_layers == 4
    alone = folder.parent / "alone"
    alone.mkdir()
    shutil.copy(folder.parent / file, alone)
    assert "is an adapter" in refused(alone)


def test_shapes_that_the_config_does_not_say_are_named(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    save(weights | {SOME: weights[SOME][:, :-1].contiguous()}, folder / WEIGHTS)
    said = refused(folder)
    assert SOME in said
    assert "(32, 127)" in said
    assert "(32, 128)" in said


def test_a_name_in_two_files_is_refused(folder: Path) -> None:
    add_other_shards(folder)
    (folder / WEIGHTS).unlink()
    first, second = weight_files(folder)
    name, tensor = next(iter(load_file(first).items()))
    save(load_file(second) | {name: tensor}, second)
    assert f"Tensor {name!r} is both in {first.name} and in" in refused(folder)


@pytest.mark.parametrize(
    ("tensor", "cause"),
    [
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}, "the place of tensor x does not fit its shape"),
        ({"dtype": "I64", "shape": [-1], "data_offsets": [0, 8]}, "what its header says of tensor x"),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}, "its length is not what its header says"),
        (None, "not JSON: "),
    ],
)
def test_what_is_wrong_with_a_file_of_weights_is_said(tensor: object, cause: str, tmp_path: Path) -> None:
    header = b"{,}" if tensor is None else json.dumps({"x": tensor}).encode()
    file = tmp_path / WEIGHTS
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(UserError) as error:
        stored_tensors([file])
    said = str(error.value)
    assert f"{file} is damaged ({cause}" in said
    assert said.endswith("; fetch or save it again.")
    assert "\n" not in said
