"""Why the next token, and an atom changed, on the decompose page: against the engine asked directly."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from itda_core.analysis.interventions.attribute import attribute
from itda_core.dictionaries import AtomDictionary
from itda_core.models import load_model
from itda_core.runs.library import Library
from pages.ui.effects import why_exports
from pages.ui.frame import effects_engine, engine
from pages.ui.frame.effects_engine import Asked, Pursued
from tests.conftest import Cli
from tests.pages.conftest import HOSTILE, Studio, asked_for, components, grow, notices, parsed_text

PROMPT = "Bade kilo murasen, the torvi."


def frames(test: AppTest, *columns: str) -> list:
    """The tables that have these columns, in the page's order."""
    return [one.value for one in test.dataframe if set(columns) <= set(one.value.columns)]


def strongest(studio: Studio, token: int) -> int:
    [row] = [components(studio.open("decompose", prompt=PROMPT, token=str(token)), "atom_list")[0]]
    return int(row["atoms"][0]["atom"])


def test_nothing_is_asked_of_the_model_before_it_is_wanted(studio: Studio) -> None:
    test = studio.open("decompose", prompt=PROMPT, atom="0")
    assert not frames(test, "effect")
    assert not frames(test, "p")
    assert {toggle.key for toggle in test.toggle} >= {"decompose.why", "decompose.change"}
    without = studio.open("decompose", prompt=PROMPT)
    assert "decompose.change" not in {toggle.key for toggle in without.toggle}


def test_effects_are_those_of_the_engine(studio: Studio) -> None:
    dictionary = AtomDictionary.load(studio.dictionary)
    expected = attribute(load_model(dictionary.spec.model), dictionary, PROMPT, token=4, k=3, method="omp").layers[0]
    test = studio.open("decompose", prompt=PROMPT, token="4", k="3", method="omp", why="True")
    [table] = frames(test, "effect", "removed")
    parts = expected.parts[:30]
    assert table["atom"].tolist() == [part.atom for part in parts]
    assert table["effect"].tolist() == pytest.approx([part.effect for part in parts], abs=1e-5)
    measured = {(one.token, one.atom): one.measured for one in expected.checked}
    for at, atom, removed in zip(table["at"], table["atom"], table["removed"], strict=True):
        if (at, atom) in measured:
            assert removed == pytest.approx(measured[at, atom], abs=1e-4)
    assert any("activation × gradient" in caption.value for caption in test.caption)
    assert not notices(test)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"next": "no single token is this"}, "several tokens"),
        ({"kind": "nothing"}, "kind=nothing"),
        ({"next": "x" * 300}, "token"),
    ],
)
def test_a_target_that_is_none_is_one_sentence(studio: Studio, address: dict[str, str], said: str) -> None:
    test = studio.open("decompose", prompt=PROMPT, why="True", **address)
    assert any(said in sentence for sentence in notices(test))
    assert components(test, "token_row")
    assert not test.exception


def test_all_layers_are_one_picture_whose_cells_lead_there(
    studio: Studio, model_folder_of: Callable[[str], Path]
) -> None:
    grow(model_folder_of("gpt2"), studio.home / "library" / "tiny-L0-resid_post", 0)
    here = studio.dictionary.name
    both = [AtomDictionary.load(studio.home / "library" / name) for name in ("tiny-L0-resid_post", here)]
    model = load_model(both[0].spec.model)
    asked = {"dictionary": here, "prompt": PROMPT, "token": "2", "behind": "5", "why": "True"}
    alone = studio.open("decompose", **asked)
    assert not components(alone, "heatmap")
    test = studio.open("decompose", **asked, over="all", along="path", steps="4")
    expected = attribute(model, both, PROMPT, token=5, integrated=4, check=0).layers
    [cells] = components(test, "heatmap")
    assert cells["rows"] == ["layer 1", "layer 0"]
    assert cells["chosen"] == [0, 2]
    for row, layer in zip(cells["values"], reversed(expected), strict=True):
        assert row == pytest.approx([*layer.by_token[:6]], abs=1e-4)
    [by_layer] = frames(test, "dictionary", "explained")
    assert by_layer["dictionary"].tolist() == ["tiny-L0-resid_post", here]
    for name in ("atoms", "mean", "error", "sum", "explained"):
        told = [layer.to_dict()[name] for layer in expected]
        assert by_layer[name].tolist() == pytest.approx(told, abs=1e-4)
    [atoms] = frames(test, "effect", "removed")
    assert atoms["effect"].tolist() == pytest.approx([part.effect for part in expected[1].parts[:30]], abs=1e-4)
    assert any("follows token 5" in caption.value for caption in test.caption)
    test.button(key="decompose.why.follow").click().run()
    assert not any("follows token" in caption.value for caption in test.caption)
    assert "behind" not in asked_for(test)
    assert not test.exception


def test_an_attribution_is_taken_along_and_its_command_makes_it_again(
    studio: Studio, itda: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITDA_HOME", str(studio.home))
    (entry,) = Library().entries()
    key, how = engine.key_of(entry.path), Pursued(3, "omp", True)
    asked = Asked("", "", "log-probability", 3)
    found = effects_engine.attribution(key, PROMPT, 4, how, asked)
    taken = why_exports.files(key, found, 0, entry, how, asked)
    made = {label: content() for label, (_, _, content) in taken.items()}
    read = json.loads(made["Why the next token, JSON"])
    assert str(Path(found.model).parent) not in "".join(map(str, made.values()))
    program, *arguments = shlex.split(read["command"])
    assert program == "itda"
    code, out, _ = itda(*arguments, "--json", "--device", "cpu")
    assert code == 0
    again = json.loads(out)
    for name in ("parts", "error", "mean", "checked", "sum", "integrated", "kind", "token"):
        assert again[name] == pytest.approx(read[name]) if name == "sum" else again[name] == read[name]
    web = made["Why the next token, web page"]
    assert isinstance(web, str)
    assert "<script" not in web
    assert "Checked by removing" in web
    test = studio.open("decompose", prompt=PROMPT, token="4", why="True")
    assert any("itda attribute" in code.value for code in test.code)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_never_parsed(studio: Studio, hostile: str) -> None:
    test = studio.open("decompose", prompt=f"{hostile} {PROMPT}", atom="0", why="True", change="True", next=hostile)
    assert all(text not in parsed_text(test) for text in HOSTILE)
    assert not test.exception


def test_an_encoder_has_no_next_token_and_says_so(studio: Studio, model_folder_of: Callable[[str], Path]) -> None:
    name = "encoder-L1"
    grow(model_folder_of("bert"), studio.home / "library" / name)
    test = studio.open("decompose", dictionary=name, prompt="the dog", atom="0", why="True", change="True")
    assert sum("predicts no next token" in sentence for sentence in notices(test)) == 2
    assert components(test, "token_row")
