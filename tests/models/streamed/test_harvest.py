"""Activations harvested block by block against those of the whole model in memory, for every family.

Equal to the bit: a block is given the same hidden states of the same windows in the same shapes, by the same process.
Padding alone is not the same, zeros here and what the blocks before made of it there; in a dense block each row of a
product is computed from its own row, and attention gives padding a weight of exactly zero, so that it changes nothing.
A mixture of experts sends padding to experts like any token: other zeros, other experts, so that the products of each
expert have another number of rows, which their last bits depend on. There the bound is one of rounding.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from itda_core.errors import UserError
from itda_core.models import LanguageModel, ModelSpec, Site, load_model
from itda_core.models.loading import load_skeleton
from itda_core.models.sites import KINDS
from itda_core.models.streamed.harvest import LayerHarvest
from itda_core.models.streamed.skeleton import Skeleton
from itda_core.text import Document, Window, windows
from tests.models.zoo import FAMILIES, folder_of
from tests.tolerance import assert_rounded

TEXTS = ["The king of torsen, 42.", "Ba deki lo mura sentor vi zan? Theing er the ba. " * 4, "Zan!", "é👩 torlo"] * 3
DOCUMENTS = [Document(f"d{i}", text) for i, text in enumerate(TEXTS)]
BATCH = 4


def cut(model: LanguageModel) -> list[Window]:
    return list(windows(DOCUMENTS, model.tokenizer, context=24))


def known_sites(model: LanguageModel) -> list[Site]:
    """Those of all blocks, without the kinds that a family has no module for."""
    found = []
    for layer in range(model.n_layers):
        for kind in KINDS:
            try:
                found.append(model.site(kind, layer))
            except UserError:
                assert kind in ("attn_out", "mlp_out")
    return found


def in_memory(model: LanguageModel, sites: list[Site]) -> dict[Site, torch.Tensor]:
    batches = list(model.stream(cut(model), sites, windows_per_batch=BATCH))
    return {site: torch.cat([batch.activations[site] for batch in batches]) for site in sites}


# Roundings one behind another from a block's input to its output, in models as narrow as these: in float32 the sums of
# the projections, of attention over 24 tokens, and of the norms; sums of bfloat16 are held in float32, and rounded to
# bfloat16 is what the operations give, from the first norm to the last addition.
BLOCK_ROUNDINGS = {torch.float32: 256, torch.bfloat16: 16}


def assert_what_the_whole_model_gives(
    found: dict[Site, torch.Tensor], expected: dict[Site, torch.Tensor], whole: LanguageModel
) -> None:
    """To the bit; of a mixture of experts up to what its blocks so far have rounded."""
    assert set(found) == set(expected)
    for site, values in expected.items():
        if has_experts(whole):
            assert site.layer is not None
            roundings = BLOCK_ROUNDINGS[whole.dtype] * (site.layer + 1)
            assert_rounded(found[site], values, roundings, dtype=whole.dtype)
        else:
            assert torch.equal(found[site], values), (site, (found[site] - values).abs().max())


def has_experts(model: LanguageModel) -> bool:
    return any("experts" in name for name, _ in model.module.named_modules())


def harvested(model: Skeleton, sites: list[Site], folder: Path) -> dict[Site, torch.Tensor]:
    found = {}
    read = cut(model)
    with LayerHarvest(model, read, sites, folder, windows_per_batch=BATCH) as harvest:
        for site, source in harvest.sources():
            batches = list(source.stream(read, [site], windows_per_batch=BATCH))
            assert [token for batch in batches for token in batch.tokens] == [t for w in read for t in w.tokens()]
            found[site] = torch.cat([batch.activations[site] for batch in batches])
    assert not list(folder.iterdir())
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_gives_what_the_whole_model_gives(name: str, tmp_path: Path) -> None:
    folder = folder_of(FAMILIES[name], tmp_path / "model")
    whole = load_model(ModelSpec(str(folder), device="cpu"), head=False)
    try:
        skeleton = load_skeleton(ModelSpec(str(folder), device="cpu"))
        sites = known_sites(whole)
        found = harvested(skeleton, sites, tmp_path / "states")
    except UserError as error:
        pytest.fail(f"{name}: {error}")
    assert_what_the_whole_model_gives(found, in_memory(whole, sites), whole)


@pytest.mark.parametrize("name", ["llama", "gemma2", "mixtral", "bert", "gpt_oss"])
def test_half_precision_is_computed_and_kept_in_half_precision(name: str, tmp_path: Path) -> None:
    folder = folder_of(FAMILIES[name], tmp_path / "model")
    spec = ModelSpec(str(folder), device="cpu", dtype="bfloat16")
    whole = load_model(spec, head=False)
    sites = known_sites(whole)
    found = harvested(load_skeleton(spec), sites, tmp_path / "states")
    assert_what_the_whole_model_gives(found, in_memory(whole, sites), whole)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama in several shards."""
    parent = tmp_path_factory.mktemp("llama")
    whole = load_model(ModelSpec(str(folder_of(FAMILIES["llama"], parent)), device="cpu"))
    sharded = parent / "sharded"
    whole.module.save_pretrained(sharded, max_shard_size="12KB")
    whole.tokenizer.save_pretrained(sharded)
    assert len(list(sharded.glob("*.safetensors"))) >= 8
    return sharded


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def skeleton_of(folder: Path) -> Skeleton:
    return load_skeleton(ModelSpec(str(folder), device="cpu"))


def test_each_block_is_read_once_and_what_is_not_needed_never(llama: Path, tmp_path: Path) -> None:
    skeleton = skeleton_of(llama)
    before = skeleton.weights.bytes_read
    d_model, n_vocabulary = skeleton.d_model, skeleton.module.config.vocab_size
    assert before == 4 * (n_vocabulary * d_model + d_model)  # embeddings and the last norm; no head
    read: list[tuple[str, ...]] = []
    own = skeleton.weights.read

    def reading(names: Iterable[str], buffer: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        read.append(tuple(names))
        return own(read[-1], buffer)

    skeleton.weights.read = reading
    harvested(skeleton, [Site("resid_post", 0), Site("resid_post", 1)], tmp_path / "states")
    assert read == [skeleton.block_names(0), skeleton.block_names(1)]  # block 2 is not wanted
    stored = {}
    for shard in llama.glob("*.safetensors"):
        stored |= load_file(shard)
    for layer, names in enumerate(read):
        assert set(names) == {name for name in stored if name.startswith(f"model.layers.{layer}.")}
    assert skeleton.weights.bytes_read - before == sum(stored[name].nbytes for names in read for name in names)


def test_embeddings_are_let_go_where_nothing_later_depends_on_them(llama: Path, tmp_path: Path) -> None:
    skeleton = skeleton_of(llama)
    harvested(skeleton, [Site("resid_post", 2)], tmp_path / "states")
    embeddings = skeleton.module.get_input_embeddings()
    assert embeddings.weight.is_meta
    assert all(parameter.is_meta for block in skeleton.blocks.modules for parameter in block.parameters())


def test_embeddings_stay_where_later_blocks_are_given_something_of_them(llama: Path, tmp_path: Path) -> None:
    skeleton = skeleton_of(llama)
    model: Any = skeleton.module
    rotary = model.rotary_emb.forward

    def rotary_of_content(x: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        cos, sin = rotary(x, position_ids)
        return cos + x.mean(), sin

    model.rotary_emb.forward = rotary_of_content
    windows_ = cut(skeleton)[:2]
    skeleton.put(0, skeleton.weights.read(skeleton.block_names(0)))
    skeleton.run(0, windows_, [], None)
    assert not skeleton.forget_embeddings(windows_)
    assert not model.get_input_embeddings().weight.is_meta


def test_a_model_that_works_between_its_blocks_is_refused(llama: Path, tmp_path: Path) -> None:
    skeleton = skeleton_of(llama)
    handle = skeleton.blocks.modules[1].register_forward_pre_hook(lambda _, args: (args[0] * 2, *args[1:]))
    try:
        with pytest.raises(UserError, match="between its blocks"):
            harvested(skeleton, [Site("resid_post", 1)], tmp_path / "states")
    finally:
        handle.remove()


def test_a_harvest_goes_on_where_it_was_stopped(llama: Path, tmp_path: Path) -> None:
    sites = [Site(kind, layer) for layer in range(3) for kind in ("resid_pre", "resid_post", "mlp_out")]
    expected = in_memory(load_model(ModelSpec(str(llama), device="cpu"), head=False), sites)
    for stop in range(len(sites)):
        folder = tmp_path / f"states-{stop}"
        first = skeleton_of(llama)
        read = cut(first)
        done: list[Site] = []
        with LayerHarvest(first, read, sites, folder, windows_per_batch=BATCH) as harvest:
            for site, _ in harvest.sources():
                if len(done) == stop:
                    break  # while this site is in use
                done.append(site)
        again = skeleton_of(llama)
        outside = again.weights.bytes_read
        found: dict[Site, torch.Tensor] = {}
        with LayerHarvest(again, read, sites, folder, windows_per_batch=BATCH) as harvest:
            for site, source in harvest.sources(skip=done):
                batches = source.stream(read, [site], windows_per_batch=BATCH)
                found[site] = torch.cat([batch.activations[site] for batch in batches])
        assert list(found) == sites[stop:]
        assert all(torch.equal(found[site], expected[site]) for site in found)
        blocks_read = 2 - (stop // 3)  # the block in use had been passed and is not read again
        sizes = sum(again.weights.room(again.block_names(layer)) for layer in range(3 - blocks_read, 3))
        assert again.weights.bytes_read - outside <= sizes


def test_hidden_states_with_a_turned_bit_are_computed_anew(llama: Path, tmp_path: Path) -> None:
    first = skeleton_of(llama)
    site = Site("resid_post", 1)
    with LayerHarvest(first, cut(first), [site], tmp_path, windows_per_batch=BATCH) as harvest:
        next(harvest.sources())
    (kept,) = tmp_path.glob("depth-2")
    raw = bytearray(kept.read_bytes())
    raw[len(raw) // 2] ^= 64
    kept.write_bytes(raw)
    found = harvested(skeleton_of(llama), [site], tmp_path)
    expected = in_memory(load_model(ModelSpec(str(llama), device="cpu"), head=False), [site])
    assert torch.equal(found[site], expected[site])


def test_hidden_states_of_another_text_are_not_used(llama: Path, tmp_path: Path) -> None:
    first = skeleton_of(llama)
    read = cut(first)
    site = Site("resid_post", 1)
    with LayerHarvest(first, read[:-1], [site], tmp_path, windows_per_batch=BATCH) as harvest:
        next(harvest.sources())
    assert list(tmp_path.iterdir())
    found = harvested(skeleton_of(llama), [site], tmp_path)
    expected = in_memory(load_model(ModelSpec(str(llama), device="cpu"), head=False), [site])
    assert torch.equal(found[site], expected[site])


def test_a_torn_shard_is_named_before_anything_is_read(llama: Path, tmp_path: Path) -> None:
    folder = copied(llama, tmp_path / "model")
    shard = sorted(folder.glob("*.safetensors"))[3]
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(UserError, match=rf"{shard.name} is damaged .its length is not what its header says.; fetch"):
        skeleton_of(folder)


def test_a_missing_shard_is_named(llama: Path, tmp_path: Path) -> None:
    folder = copied(llama, tmp_path / "model")
    shard = sorted(folder.glob("*.safetensors"))[2]
    shard.unlink()
    with pytest.raises(UserError, match=shard.name):
        skeleton_of(folder)


def test_an_index_that_names_what_is_not_there_is_refused(llama: Path, tmp_path: Path) -> None:
    folder = copied(llama, tmp_path / "model")
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    shard = next(iter(index["weight_map"].values()))
    index["weight_map"]["model.layers.0.self_attn.extra.weight"] = shard
    path.write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"self_attn\.extra\.weight is in .*, where it is not"):
        skeleton_of(folder)


def test_a_block_without_all_its_tensors_is_refused(llama: Path, tmp_path: Path) -> None:
    folder = copied(llama, tmp_path / "model")
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    name = "model.layers.1.mlp.up_proj.weight"
    shard = folder / index["weight_map"].pop(name)
    path.write_text(json.dumps(index))
    save_file({key: value for key, value in load_file(shard).items() if key != name}, shard, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lack 1 tensors of block 1 \(mlp\.up_proj\.weight\)"):
        harvested(skeleton_of(folder), [Site("resid_post", 2)], tmp_path / "states")


def test_a_quantised_checkpoint_is_refused(llama: Path, tmp_path: Path) -> None:
    folder = copied(llama, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="quantised"):
        skeleton_of(folder)


def test_a_full_disk_loses_nothing(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site("resid_post", 2)
    first = skeleton_of(llama)
    read = cut(first)
    true, written = os.write, 0

    def write(descriptor: int, content: memoryview) -> int:
        nonlocal written
        written += len(content)
        if written > 2.5 * size:  # in the third block
            raise OSError(errno.ENOSPC, "no space left on device")
        return true(descriptor, content)

    with LayerHarvest(first, read, [site], tmp_path, windows_per_batch=BATCH) as harvest:
        size = harvest.disk // 2
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(UserError, match="disk is full"):
            next(harvest.sources())
        monkeypatch.undo()
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"harvest.json", "depth-2"}  # two blocks are done
    found = harvested(skeleton_of(llama), [site], tmp_path)
    expected = in_memory(load_model(ModelSpec(str(llama), device="cpu"), head=False), [site])
    assert torch.equal(found[site], expected[site])


def test_sites_outside_the_blocks_are_refused(llama: Path, tmp_path: Path) -> None:
    skeleton = skeleton_of(llama)
    with pytest.raises(UserError, match="outside the blocks"):
        LayerHarvest(skeleton, cut(skeleton), [skeleton.site("model.norm")], tmp_path)


def test_modules_inside_a_block_can_be_read(llama: Path, tmp_path: Path) -> None:
    skeleton, whole = skeleton_of(llama), load_model(ModelSpec(str(llama), device="cpu"))
    site = skeleton.site("model.layers.1.mlp.up_proj")
    assert site == whole.site("model.layers.1.mlp.up_proj")
    assert torch.equal(harvested(skeleton, [site], tmp_path)[site], in_memory(whole, [site])[site])


def test_a_text_without_a_window_is_refused(llama: Path, tmp_path: Path) -> None:
    skeleton = skeleton_of(llama)
    with pytest.raises(UserError, match="gave no token"):
        LayerHarvest(skeleton, [], [Site("resid_post", 1)], tmp_path)
