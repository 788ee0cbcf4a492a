"""Activations of some fifty families against what Hugging Face's own code computes for the same windows.

The reference is loaded by transformers alone, runs to its end in batches of its own, and is read by
`output_hidden_states` and by plain forward hooks on modules that the zoo names; the last block's output, which many
families normalise before they return it, is read by such a hook too.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from itda_core.errors import UserError
from itda_core.models import LanguageModel, ModelSpec, Site, load_model
from itda_core.models.sites import KINDS
from itda_core.text import Document, Window, windows
from tests.models.zoo import CONTEXT, FAMILIES, N_LAYERS, USUAL, Family, folder_of

TEXTS = ["The king of torsen, 42.", "Ba deki lo mura sentor vi zan? Theing er the ba. " * 2, "Zan!", "é👩 torlo"]
DOCUMENTS = [Document(f"d{i}", text) for i, text in enumerate(TEXTS)]


class Tiny(NamedTuple):
    """A family's tiny model on disk, as we load it and as transformers does."""

    family: Family
    folder: Path
    ours: LanguageModel
    theirs: Any


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Tiny]:
    """`tiny(name)`, made when first asked for."""

    @cache
    def make(name: str) -> Tiny:
        family = FAMILIES[name]
        folder = folder_of(family, tmp_path_factory.mktemp(name))
        return Tiny(family, folder, load_model(ModelSpec(str(folder), device="cpu")), reference(family, folder))

    return make


def reference(family: Family, folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    import transformers as hf

    auto: Any = hf.AutoModelForCausalLM if family.has_head else hf.AutoModel
    if family.text_config:
        auto = hf.AutoModelForImageTextToText
    return auto.from_pretrained(folder, dtype=dtype).eval()


def cut(model: LanguageModel, *, special: bool = True) -> list[Window]:
    """Windows of 1 to 24 tokens, with or without the special ones (<bos>; [CLS] and [SEP])."""
    cuts = list(windows(DOCUMENTS, model.tokenizer, context=24))
    assert all(window.special[0] for window in cuts)
    return cuts if special else [without_special(window) for window in cuts]


def without_special(window: Window) -> Window:
    kept = [i for i, special in enumerate(window.special) if not special]
    return replace(
        window,
        token_ids=tuple(window.token_ids[i] for i in kept),
        spans=tuple(window.spans[i] for i in kept),
        special=(False,) * len(kept),
    )


def sites_of(tiny: Tiny) -> list[Site]:
    """Every site the family has, from all blocks."""
    kinds = [kind for kind in KINDS if has_site(tiny.family, kind)]
    sites = [Site(kind, layer) for layer in range(N_LAYERS) for kind in kinds]
    return [site for site in sites if site.kind != "attn_out" or attends(tiny.family, site.layer)]


def has_site(family: Family, kind: str) -> bool:
    return {"attn_out": family.attention, "mlp_out": family.mlp}.get(kind, "there") is not None


def attends(family: Family, layer: int | None) -> bool:
    """Whether the block has attention: in some families only a few do."""
    kinds = family.config.get("layer_types")
    return kinds is None or kinds[layer] == "full_attention"


def padded(cuts: Sequence[Window], side: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, each (n_windows, longest)."""
    longest = max(map(len, cuts))
    ids, mask = torch.zeros(2, len(cuts), longest, dtype=torch.long)
    for row, window in enumerate(cuts):
        place = slice(longest - len(window), longest) if side == "left" else slice(0, len(window))
        ids[row, place], mask[row, place] = torch.tensor(window.token_ids), 1
    return ids, mask


def their_activations(tiny: Tiny, theirs: Any, cuts: Sequence[Window], side: str) -> dict[str, torch.Tensor]:
    """By site name, (n_tokens, d_model) of all tokens of `cuts` as one batch, padding left out."""
    ids, mask = padded(cuts, side)
    if not tiny.family.counts_positions:  # they find padding by its id
        ids = ids.masked_fill(mask == 0, theirs.config.get_text_config().pad_token_id)
    options: dict[str, Any] = {}
    if tiny.family.counts_positions and "position_ids" in inspect.signature(theirs.forward).parameters:
        options["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
    if "use_cache" in inspect.signature(theirs.forward).parameters:
        options["use_cache"] = False
    seen: dict[str, torch.Tensor] = {}
    handles = []
    for layer in range(N_LAYERS):
        block = theirs.get_submodule(f"{tiny.family.blocks}.{layer}")
        named = {"mlp_out": tiny.family.mlp, "attn_out": tiny.family.attention if attends(tiny.family, layer) else None}
        modules = {kind: block.get_submodule(path) for kind, path in named.items() if path}
        for kind, module in {"resid_post": block, **modules}.items():
            handles.append(module.register_forward_hook(keep_in(seen, f"blocks.{layer}.hook_{kind}")))
    handles.append(theirs.get_input_embeddings().register_forward_hook(keep_in(seen, "embeddings")))
    try:
        with torch.no_grad():
            states = theirs(input_ids=ids, attention_mask=mask, output_hidden_states=True, **options).hidden_states
    finally:
        for handle in handles:
            handle.remove()
    assert len(states) == N_LAYERS + 1  # the last one normalised
    if not tiny.family.embeddings_first:
        states = [seen["embeddings"], *states]
    for layer in range(N_LAYERS):
        seen[f"blocks.{layer}.hook_resid_pre"] = states[layer]
        if layer + 1 < N_LAYERS:
            seen[f"blocks.{layer}.hook_resid_post"] = states[layer + 1]
    # OPT's MLP sees the tokens of a batch in one row.
    return {name: values.reshape(*mask.shape, -1)[mask.bool()] for name, values in seen.items()}


def keep_in(seen: dict[str, torch.Tensor], name: str) -> Callable[..., None]:
    def keep(_: object, __: object, output: Any) -> None:
        values = output[0] if isinstance(output, tuple) else output
        seen[name] = values.clone()  # Falcon adds to it in place

    return keep


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("name", FAMILIES)
def test_float32(name: str, special: bool, tiny: Callable[[str], Tiny]) -> None:
    one = tiny(name)
    cuts = cut(one.ours, special=special)
    assert len({len(window) for window in cuts}) > 2
    sites = sites_of(one)
    batches = list(one.ours.stream(cuts, sites, windows_per_batch=3, include_special=True))
    for side, at_once in (("left", len(cuts)), ("right", len(cuts)), ("right", 1)):
        parts = [
            their_activations(one, one.theirs, cuts[start : start + at_once], side)
            for start in range(0, len(cuts), at_once)
        ]
        for site in sites:
            got = torch.cat([batch.activations[site] for batch in batches])
            expected = torch.cat([part[site.name] for part in parts])
            apart = (got - expected).abs().max()  # padded and batched otherwise, so products of other shapes
            assert apart < 2e-5 * expected.abs().clamp(min=1).max(), (site, side, apart)


@pytest.mark.parametrize("name", FAMILIES)
def test_bfloat16_is_exact(name: str, tiny: Callable[[str], Tiny]) -> None:
    one = tiny(name)
    ours = load_model(ModelSpec(str(one.folder), device="cpu", dtype="bfloat16"))
    theirs = reference(one.family, one.folder, torch.bfloat16)
    cuts, sites = cut(ours), sites_of(one)
    got = next(ours.stream(cuts, sites, windows_per_batch=len(cuts), include_special=True)).activations
    expected = their_activations(one, theirs, cuts, "right")
    for site in sites:
        assert torch.equal(got[site], expected[site.name].float()), site


@pytest.mark.parametrize("name", [name for name in FAMILIES if FAMILIES[name].has_head])
def test_without_its_head_a_model_gives_the_same_activations_under_the_same_names(
    name: str, tiny: Callable[[str], Tiny]
) -> None:
    one = tiny(name)
    below = load_model(ModelSpec(str(one.folder), device="cpu"), head=False)
    assert one.ours.has_lm_head
    assert not below.has_lm_head
    assert below.module.get_output_embeddings() is None
    sizes = [sum(weight.numel() for weight in model.module.parameters()) for model in (one.ours, below)]
    assert sizes[0] - sizes[1] == sum(weight.numel() for weight in head_parameters(one.ours))
    if name == "llama":
        assert sizes[0] - sizes[1] == len(one.ours.tokenizer) * one.ours.d_model  # its head is not tied
    assert (below.fingerprint, below.n_layers, below.d_model) == (one.ours.fingerprint, N_LAYERS, one.ours.d_model)
    inside = one.family.mlp or "mixer"
    whole = f"{one.family.blocks}.1.{inside}"
    base = whole.removeprefix(f"{one.ours.module.base_model_prefix}.")
    assert base != whole
    for model in (one.ours, below):
        names = [model.site(path).name for path in (whole, base)]
        names += [model.site(path.replace(".1.", ".{layer}."), 1).name for path in (whole, base)]
        assert set(names) == {whole}
    sites = [*sites_of(one), Site("module", 1, whole), Site("module", 1, base)]
    cuts = cut(one.ours)
    with_head, without = (next(model.stream(cuts, sites)).activations for model in (one.ours, below))
    for site in sites:
        assert torch.equal(with_head[site], without[site]), site
    with pytest.raises(UserError, match="predicts no next token"):
        below.predict(cuts[:1])


def head_parameters(model: LanguageModel) -> list[torch.Tensor]:
    """What is not below the head."""
    below = {id(weight) for weight in model.module.base_model.parameters()}
    return [weight for weight in model.module.parameters() if id(weight) not in below]


@pytest.mark.parametrize("name", ["opt", "bloom", "mpt", "falcon", "llava", "lfm2"])
def test_true_activations_as_replacements_change_no_prediction(name: str, tiny: Callable[[str], Tiny]) -> None:
    one = tiny(name)
    cuts = cut(one.ours)
    for kind in ("resid_pre", "mlp_out"):
        site = one.ours.site(kind, 1)
        found = one.ours.predict(cuts, [site])
        spliced = one.ours.predict_spliced(cuts, site, found.activations[site])
        torch.testing.assert_close(spliced, found.logits, atol=1e-5, rtol=1e-5)
        noise = torch.randn(found.activations[site].shape, generator=torch.Generator().manual_seed(0))
        other = one.ours.predict_spliced(cuts, site, found.activations[site] + noise)
        assert not torch.allclose(other, found.logits, atol=1e-2)


def refused(load: Callable[[], object]) -> str:
    with pytest.raises(UserError) as error:
        load()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["mamba", "mamba2", "lfm2"])
def test_blocks_without_attention_say_what_they_consist_of(name: str, tiny: Callable[[str], Tiny]) -> None:
    one = tiny(name)
    said = refused(lambda: one.ours.site("attn_out", 0))
    children = ", ".join(child for child, _ in one.ours.blocks.modules[0].named_children())
    assert f"block {one.family.blocks}.0 of" in said
    assert f"which consists of {children}; give a module's path instead, for example {one.family.blocks}.0." in said
    example = said.rpartition(" ")[2].rstrip(".")
    assert one.ours.site(example).name == example
    if one.family.mlp is None:
        assert "Site mlp_out is not known" in refused(lambda: one.ours.site("mlp_out", 0))


def test_a_module_that_does_not_exist_is_met_with_those_that_do(tiny: Callable[[str], Tiny]) -> None:
    model = tiny("llama").ours
    said = refused(lambda: model.site("model.layers.1.mpl.up_proj"))
    assert "a module's path such as model.layers.0 (model.layers.1 consists of self_attn, mlp, input_layernorm" in said
    assert "(model.layers consists of 0 to 2)" in refused(lambda: model.site("model.layers.7"))
    assert "(the model consists of model, lm_head)" in refused(lambda: model.site("decoder.layers.1"))
    below = load_model(ModelSpec(str(tiny("llama").folder), device="cpu"), head=False)
    said = refused(lambda: below.site("lm_head"))
    assert "such as model.layers.0 (without its head, which was not loaded, the model consists of embed_tokens" in said


def test_a_dictionary_by_a_path_below_the_head_is_decomposed_by_the_whole_model(
    tiny: Callable[[str], Tiny], tmp_path: Path
) -> None:
    from itda_core import Corpus, TrainConfig, decompose, train

    text = tmp_path / "text.txt"
    text.write_text(" ".join(TEXTS * 8))
    below = load_model(ModelSpec(str(tiny("gpt2").folder), device="cpu"), head=False)
    config = TrainConfig(k=4, context=24)
    *_, last = train(below, Corpus.open(str(text)), (1,), config, site="h.{layer}.mlp")
    (dictionary,) = last.dictionaries
    assert dictionary.spec.site == "transformer.h.1.mlp"
    whole = decompose(tiny("gpt2").ours, dictionary, TEXTS[0], k=4)
    assert whole == decompose(below, dictionary, TEXTS[0], k=4)
    assert whole.site == "transformer.h.1.mlp"


def test_shared_blocks_and_positions_first_are_refused(tmp_path: Path) -> None:
    shared = Family("albert", {**USUAL, "embedding_size": 16}, encoder=True, has_head=False)
    folder = folder_of(shared, tmp_path / "albert")
    assert "(albert) runs 1 block(s) 3 times, so a block has no activation of its own" in refused(
        lambda: load_model(str(folder))
    )
    own = Family("albert", {**shared.config, "num_hidden_groups": N_LAYERS}, encoder=True, has_head=False)
    model = load_model(str(folder_of(own, tmp_path / "own")))
    assert model.blocks.path == "encoder.albert_layer_groups"
    strange = Family("xlnet", {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48})
    folder = folder_of(strange, tmp_path / "xlnet")
    assert "(xlnet) computes with positions before windows" in refused(lambda: load_model(str(folder)))


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose blocks are not modules: XLM keeps lists of attentions, MLPs and norms side by side."""
    xlm = {"emb_dim": 32, "n_layers": N_LAYERS, "n_heads": 4, "max_position_embeddings": CONTEXT, "pad_index": 0}
    return folder_of(Family("xlm", xlm, encoder=True, has_head=False), tmp_path_factory.mktemp("xlm"))


def test_an_unknown_architecture_lists_its_modules_which_can_be_read(unknown: Path) -> None:
    model = load_model(ModelSpec(str(unknown), device="cpu"))
    for said in (refused(lambda: model.site("resid_post", 0)), refused(lambda: model.site("attn_out", 1))):
        assert "(xlm) cannot be told: its config says 3 layers, its lists of modules are: attentions (3)" in said
        assert "Give as site the path of the module to read, for example attentions.{layer}; there are " in said
        assert ", ffns.{layer} (3), " in said
    assert (model.n_layers, model.d_model) == (N_LAYERS, 32)
    sites = [model.site("ffns.{layer}", layer) for layer in (0, 2)]
    cuts = cut(model)
    got = next(model.stream(cuts, sites, include_special=True)).activations
    ids, mask = padded(cuts, "right")
    seen: dict[str, torch.Tensor] = {}
    handles = [model.module.get_submodule(s.name).register_forward_hook(keep_in(seen, s.name)) for s in sites]
    with torch.no_grad():
        model.module(input_ids=ids, attention_mask=mask)
    for handle in handles:
        handle.remove()
    for site in sites:
        torch.testing.assert_close(got[site], seen[site.name][mask.bool()], atol=1e-5, rtol=1e-5)


def test_an_unknown_architecture_through_the_command_line(
    unknown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from itda_core.cli.main import main

    text = tmp_path / "text.txt"
    text.write_text(" ".join(TEXTS * 8))
    common = ["train", str(unknown), "--corpus", str(text), "--context", "24", "--library", str(tmp_path / "library")]
    common += ["--device", "cpu", "--k", "4", "--layers", "1"]
    with pytest.raises(SystemExit) as ended:
        main(common)
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("error: The blocks of model ")
    assert "for example attentions.{layer}; there are " in said
    with pytest.raises(SystemExit) as ended:
        main([*common, "--site", "ffns.{layer}", "--json"])
    assert ended.value.code == 0
    (trained,) = json.loads(capsys.readouterr().out)["dictionaries"]
    assert (trained["site"], trained["layer"], trained["d_model"]) == ("ffns.1", 1, 32)
