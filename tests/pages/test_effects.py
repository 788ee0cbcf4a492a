"""Why the next token, and an atom changed, on the decompose page: against the engine asked directly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from itda_core.analysis.interventions.attribute import attribute
from itda_core.analysis.interventions.change import Change
from itda_core.analysis.interventions.steer import Steering
from itda_core.dictionaries import AtomDictionary
from itda_core.models import load_model
from tests.pages.conftest import HOSTILE, Studio, components, grow, notices, parsed_text

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


def test_a_change_is_that_of_the_engine(studio: Studio) -> None:
    dictionary = AtomDictionary.load(studio.dictionary)
    atom = strongest(studio, 4)
    wanted = Change(atom, 0.4, "norm", added=True)
    expected = Steering(
        load_model(dictionary.spec.model), dictionary, PROMPT, [wanted], where="prompt", token=4
    ).effect()
    asked = {"change": "True", "strength": "0.4", "unit": "norm", "added": "True", "where": "prompt"}
    test = studio.open("decompose", prompt=PROMPT, token="4", atom=str(atom), **asked)
    before, after, alone = frames(test, "p")
    for table, predictions in (
        (before, expected.before),
        (after, expected.after),
        (alone, expected.reconstruction_only),
    ):
        assert table["p"].tolist() == pytest.approx([one.probability for one in predictions], abs=1e-4)
    shown = {metric.label: metric.value for metric in test.metric}
    assert float(shown["KL"]) == pytest.approx(expected.kl, abs=1e-3)
    assert not test.exception


def test_removing_an_atom_is_where_it_begins_and_text_is_written_when_asked(studio: Studio) -> None:
    atom = strongest(studio, 4)
    test = studio.open("decompose", prompt=PROMPT, token="4", atom=str(atom), change="True")
    assert any("becomes 0.00" in caption.value for caption in test.caption)
    test.button(key="decompose.write").click().run()
    written = [text.value for text in test.text if text.value.startswith(PROMPT)]
    assert len(written) == 2
    assert not test.exception


def test_a_strength_that_is_none_is_said(studio: Studio) -> None:
    test = studio.open("decompose", prompt=PROMPT, token="4", atom="0", change="True", strength="lots")
    assert any("strength=lots" in sentence for sentence in notices(test))
    assert len(frames(test, "p")) == 3


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
