"""The dictionaries that one prompt goes through, layer by layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from itda_core.runs.library import Library, LibraryEntry
from itda_core.runs.through_layers import through_layers

WEIGHTS, CONFIG = "a" * 64, "b" * 16


def entry(name: str, layer: int | None, **changes: object) -> LibraryEntry:
    made = LibraryEntry(
        Path(name), name, layer=layer, model="demo:0", site="resid_post", atoms=1000, k=8, selection="sequential",
        method="mp", corpus="demo", threshold=0.25, fingerprint=WEIGHTS,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def names(found: dict[int, LibraryEntry]) -> dict[int, str]:
    return {layer: one.name for layer, one in found.items()}


def test_the_same_weights_site_and_selection_ascending() -> None:
    here = entry("m-L1", 1)
    others = [
        entry("m-L3", 3),
        entry("m-L0", 0, fingerprint=f"{WEIGHTS}+{CONFIG}"),  # recorded before configs counted: the same weights
        entry("other-L2", 2, fingerprint="c" * 64),
        entry("attn-L2", 2, site="attn_out"),
        entry("broken-L2", 2, problem="It is damaged."),
        entry("consensus-L2", 2, selection="consensus"),
        entry("nowhere", None),
    ]
    assert names(through_layers(here, [*others, here])) == {0: "m-L0", 1: "m-L1", 3: "m-L3"}


def test_of_several_the_one_of_the_same_name_then_of_the_same_settings() -> None:
    here = entry("demo-0-L2-consensus", 2, selection="consensus")
    at_three = [
        entry("mine-L3", 3, selection="consensus", k=40),
        entry("big-L3", 3, selection="consensus", atoms=9000),
        entry("near-L3", 3, selection="consensus", atoms=1100),
    ]
    assert names(through_layers(here, [here, *at_three])) == {2: here.name, 3: "near-L3"}
    named = entry("demo-0-L3-consensus", 3, selection="consensus", k=40)
    assert names(through_layers(here, [here, *at_three, named])) == {2: here.name, 3: named.name}
    assert names(through_layers(entry("L2", 2), [entry("L23", 23), entry("XL3", 3), entry("L3", 3, k=9)]))[3] == "L3"


def test_one_stands_at_its_own_layer_and_alone_where_there_are_no_others() -> None:
    here = entry("mine", 2)
    assert names(through_layers(here, [entry("demo-L2", 2), here])) == {2: "mine"}
    assert through_layers(entry("site of no layer", None), [here]) == {}


def test_the_bundled_ones_go_through_all_their_layers() -> None:
    listed = [one for one in Library().entries() if one.bundled]
    here = next(one for one in listed if one.name == "demo-0-L2")
    assert names(through_layers(here, listed)) == {layer: f"demo-0-L{layer}" for layer in range(6)}


def test_a_step_back_leads_to_the_one_that_was_left() -> None:
    mine, family = entry("mine", 2, k=40), [entry(f"demo-0-L{layer}", layer) for layer in range(4)]
    listed = [mine, *family]
    assert names(through_layers(family[3], listed))[2] == "demo-0-L2"
    assert names(through_layers(family[3], listed, [mine])) == {
        0: "demo-0-L0",
        1: "demo-0-L1",
        2: "mine",
        3: "demo-0-L3",
    }
    stranger = entry("stranger", 2, fingerprint="c" * 64)
    assert names(through_layers(family[3], listed, [stranger]))[2] == "demo-0-L2"
