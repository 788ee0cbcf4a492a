"""Activations harvested block by block against those of the whole model in memory, for every family."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from itda_core.errors import UserError
from itda_core.models import LanguageModel, ModelSpec, Site, load_model
from itda_core.models.loading import load_skeleton
from itda_core.models.sites import KINDS
from itda_core.models.streamed.harvest import LayerHarvest
from itda_core.models.streamed.skeleton import Skeleton
from itda_core.text import Document, Window, windows
from tests.models.zoo import FAMILIES, folder_of

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
    expected = in_memory(whole, sites)
    assert set(found) == set(sites)
    for site in sites:
        assert torch.equal(found[site], expected[site]), (site, (found[site] - expected[site]).abs().max())
