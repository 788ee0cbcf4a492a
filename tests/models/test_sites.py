"""Names of sites."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itda_core.errors import UserError
from itda_core.models.sites import KINDS, Site


@given(kind=st.sampled_from(KINDS), layer=st.integers(0, 200))
def test_names_and_kinds_are_read_back(kind: str, layer: int) -> None:
    site = Site(kind, layer)
    assert site.name == f"blocks.{layer}.hook_{kind}" == str(site)
    assert Site.parse(site.name) == Site.parse(kind, layer) == Site.parse(site.name, layer) == site


def test_module_paths() -> None:
    assert Site.parse("transformer.h.3.mlp") == Site("module", 3, "transformer.h.3.mlp")
    assert Site.parse("transformer.h.{layer}.mlp", 2).name == "transformer.h.2.mlp"
    assert Site.parse("model.embed_tokens") == Site("module", None, "model.embed_tokens")
    assert Site.parse("lm_head").layer is None
    assert Site.parse("blocks.3.hook_resid_mid").kind == "module"  # TransformerLens has more names than we know


@pytest.mark.parametrize(
    ("text", "layer", "said"),
    [
        ("resid_post", None, "needs a layer"),
        ("resid_post", -1, "counted from 0"),
        ("blocks.2.hook_resid_post", 3, "is of layer 2, but layer 3"),
        ("h.{layer}.mlp", None, "needs a layer"),
        ("", 0, "is unknown; choose one of resid_post, resid_pre"),
        ("resid post", 0, "is unknown"),
        ("a..b", 0, "is unknown"),
        ("__import__('os')", 0, "is unknown"),
    ],
)
def test_what_names_no_site(text: str, layer: int | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Site.parse(text, layer)


def test_sites_are_checked_when_made() -> None:
    with pytest.raises(UserError, match="'resid_mid' is unknown"):
        Site("resid_mid", 0)
    with pytest.raises(UserError, match="path"):
        Site("module", 0)
