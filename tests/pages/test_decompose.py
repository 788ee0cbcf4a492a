"""The decompose page, against the engine asked directly."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from itda_core.analysis import Decomposition, decompose, read_prompt, replay
from itda_core.dictionaries import AtomDictionary
from itda_core.dictionaries.storage.dictionary_folder import read_summary
from itda_core.models import load_model
from tests.pages.conftest import (
    HOSTILE,
    N_ATOMS,
    K,
    Studio,
    asked_for,
    components,
    elements,
    grow,
    notices,
    page_links,
    parsed_text,
)

PROMPT = "Bade kilo murasen, the torvi."


def asked(studio: Studio, prompt: str, k: int = K, method: str = "mp") -> Decomposition:
    dictionary = AtomDictionary.load(studio.dictionary)
    return decompose(load_model(dictionary.spec.model), dictionary, prompt, k, method)


def row(test: AppTest) -> dict[str, Any]:
    return components(test, "token_row")[0]


def listed(test: AppTest) -> dict[str, Any]:
    return components(test, "atom_list")[0]


def test_a_cold_deep_link_restores_everything(studio: Studio) -> None:
    expected = asked(studio, PROMPT, k=3, method="omp").tokens[2]
    atom = expected.atoms[1].atom
    test = studio.open("decompose", prompt=PROMPT, token="2", k="3", method="omp", atom=str(atom))
    assert row(test)["selected"] == 2
    assert [use["atom"] for use in listed(test)["atoms"]] == [use.atom for use in expected.atoms]
    assert listed(test)["pinned"] == atom
    assert np.allclose([use["coefficient"] for use in listed(test)["atoms"]], [u.coefficient for u in expected.atoms])
    assert test.metric[0].value == f"{expected.relative_error:.3f}"
    assert test.metric[1].value == f"{expected.cosine:.3f}"
    assert test.slider[0].value == 3
    assert components(test, "prompt_box")[0]["value"] == PROMPT
    assert "Coefficient of atom" in row(test)["legend"]["title"]
    assert not notices(test)


def test_the_share_button_gives_the_address_of_what_is_shown(studio: Studio) -> None:
    test = studio.open("decompose", prompt="Bade & <kilo>", token="1", k="2")
    link = test.code[0].value
    identity = read_summary(studio.dictionary).identity[:8]
    assert link.endswith(
        f"/decompose?dictionary={studio.dictionary.name}&id={identity}&prompt=Bade+%26+%3Ckilo%3E&token=1&k=2&method=mp"
    )


def test_the_replay_is_the_engines(studio: Studio) -> None:
    dictionary = AtomDictionary.load(studio.dictionary)
    model = load_model(dictionary.spec.model)
    expected = replay(model, dictionary, read_prompt(model, dictionary, PROMPT), 1, K, "mp")
    shown = components(studio.open("decompose", prompt=PROMPT, token="1"), "pursuit_replay")[0]
    assert [step["atom"] for step in shown["steps"]] == [step.atom for step in expected.steps]
    assert np.allclose([s["error"] for s in shown["steps"]], [s.relative_error for s in expected.steps], atol=1e-6)
    assert [len(step["guesses"]) for step in shown["steps"]] == [5] * K
    assert shown["own"][0]["probability"] == f"{expected.predictions[0].probability:.0%}"


def test_a_step_of_the_replay_pins_its_atom(studio: Studio) -> None:
    test = studio.open("decompose", prompt=PROMPT, token="1")
    atom = components(test, "pursuit_replay")[0]["steps"][1]["atom"]
    test.session_state["decompose.atom"] = atom  # what the replay's callback does
    test.run()
    assert asked_for(test)["atom"] == str(atom)
    assert components(test, "pursuit_replay")[0]["pinned"] == atom


def test_a_click_on_a_token_and_on_an_atom(studio: Studio) -> None:
    test = studio.open("decompose", prompt=PROMPT)
    test.session_state["decompose.token"] = 1  # what the token row's callback does
    test.run()
    assert asked_for(test)["token"] == "1"
    assert row(test)["selected"] == 1
    atom = listed(test)["atoms"][0]["atom"]
    test.session_state["decompose.atom"] = atom  # what the atom list's callback does
    test.run()
    test.segmented_control(key="decompose.colour").set_value("atom").run()
    assert asked_for(test)["atom"] == str(atom)
    expected = asked(studio, PROMPT)
    weights = [next((u.coefficient for u in t.atoms if u.atom == atom), 0.0) for t in expected.tokens]
    top = max(map(abs, weights))
    assert [t["alpha"] for t in row(test)["tokens"]] == pytest.approx([0.55 * abs(w) / top for w in weights], abs=2e-3)


def test_k_and_method_change_on_the_spot(studio: Studio) -> None:
    test = studio.open("decompose", prompt=PROMPT, token="1")
    test.slider[0].set_value(7).run()
    assert asked_for(test)["k"] == "7"
    assert len(components(test, "pursuit_replay")[0]["steps"]) == 7
    test.segmented_control(key="decompose.method").set_value("omp").run()
    assert asked_for(test)["method"] == "omp"
    expected = asked(studio, PROMPT, 7, "omp").tokens[1]
    assert test.metric[0].value == f"{expected.relative_error:.3f}"


def test_bad_values_are_named_and_ignored(studio: Studio) -> None:
    test = studio.open("decompose", prompt=PROMPT, token="99", k="zero", method="lasso", atom=str(N_ATOMS))
    said = "\n".join(notices(test))
    for bad in ("token=99", "k=zero", "method=lasso", f"atom={N_ATOMS}"):
        assert bad in said
    assert test.slider[0].value == K
    assert listed(test)["pinned"] is None


def test_an_unknown_dictionary_is_named_and_the_nearest_is_one_click_away(studio: Studio) -> None:
    test = studio.open("decompose", dictionary="tiny-L7-resid_post", prompt=PROMPT)
    assert "'tiny-L7-resid_post'" in notices(test)[0]
    assert not components(test, "token_row")
    test.button(key=f"shell.nearest.{studio.dictionary.name}").click().run()
    assert not notices(test)
    assert row(test)["tokens"]


@pytest.mark.parametrize(("prompt", "cause"), [("", "empty"), ("word " * 300, "more than the context")])
def test_prompts_that_cannot_be_read(studio: Studio, prompt: str, cause: str) -> None:
    test = studio.open("decompose", prompt=prompt)
    assert cause in notices(test)[0]
    assert components(test, "prompt_box")
    assert not components(test, "token_row")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_never_parsed(studio: Studio, hostile: str) -> None:
    test = studio.open("decompose", prompt=f"{hostile} {PROMPT}", k="20", token="0")
    assert "".join(token["text"] for token in row(test)["tokens"]).startswith(hostile)
    assert all(text not in parsed_text(test) for text in HOSTILE)
    assert hostile in json.dumps(components(test, "atom_list"))
    charts = [str(element.proto) for element in elements(test) if getattr(element, "type", "") == "plotly_chart"]
    assert charts
    assert "<script" not in charts[0]


def test_a_hostile_address_is_never_parsed(studio: Studio) -> None:
    for name in ("k", "token", "method", "atom", "dictionary"):
        test = studio.open("decompose", **{name: HOSTILE[1]})
        assert HOSTILE[1] in "\n".join(notices(test))
        assert HOSTILE[1] not in parsed_text(test)


def test_the_whole_prompt_is_counted(studio: Studio) -> None:
    test = studio.open("decompose", prompt=PROMPT)
    table = test.dataframe[0].value
    expected: dict[int, list[float]] = {}
    for token in asked(studio, PROMPT).tokens:
        for use in token.atoms:
            expected.setdefault(use.atom, []).append(use.coefficient)
    assert set(table["atom"]) == set(expected)
    for found in table.to_dict(orient="records"):
        values = expected[found["atom"]]
        assert found["tokens"] == len(values)
        assert found["sum"] == pytest.approx(sum(map(abs, values)), rel=1e-4)
        assert found["max"] == pytest.approx(max(values, key=abs), rel=1e-4)
    assert list(table["tokens"]) == sorted(table["tokens"], reverse=True)


def test_exports_hold_the_contracts_keys_and_every_atom(studio: Studio) -> None:
    import csv
    import io

    from itda_core.runs.library import Library
    from pages.ui.decompose.exports import Read, exports

    expected = asked(studio, PROMPT)
    files = exports(Read(Library().entries()[0], expected), show_special=False)
    said = json.loads(files["JSON"][2]())
    assert {"model", "layer", "site", "k", "method", "tokens"} <= set(said)
    assert {"index", "text", "char_start", "char_end", "relative_error", "atoms"} <= set(said["tokens"][0])
    rows = list(csv.DictReader(io.StringIO(str(files["CSV"][2]()))))
    assert len(rows) == sum(len(token.atoms) for token in expected.tokens)
    assert "<!doctype html>" in str(files["Web page (works offline)"][2]())


def test_no_dictionary_at_all(studio: Studio) -> None:
    import shutil

    shutil.rmtree(studio.dictionary)
    test = studio.open("decompose")
    assert "no dictionary yet" in notices(test)[0]


def test_an_encoder_predicts_nothing_and_says_nothing_of_it(studio: Studio, model_folder_of) -> None:
    grow(model_folder_of("bert"), studio.home / "library" / "encoder")
    test = studio.open("decompose", dictionary="encoder", prompt=PROMPT)
    shown = components(test, "pursuit_replay")[0]
    assert shown["own"] == []
    assert [step["guesses"] for step in shown["steps"]] == [[]] * K
    assert "lets the model go on" not in parsed_text(test)


def test_special_tokens_are_hidden_until_asked_for(studio: Studio, model_folder_of) -> None:
    grow(model_folder_of("bert"), studio.home / "library" / "encoder")
    test = studio.open("decompose", dictionary="encoder", prompt=PROMPT)
    assert not any(token["special"] for token in row(test)["tokens"])
    test.segmented_control(key="decompose.special").set_value("shown").run()
    assert [token["text"] for token in row(test)["tokens"] if token["special"]] == ["[CLS]", "[SEP]"]


def test_a_pinned_atom_this_token_does_not_use_stays_in_sight(studio: Studio) -> None:
    used = {use.atom for use in asked(studio, PROMPT).tokens[1].atoms}
    atom = next(atom for atom in range(N_ATOMS) if atom not in used)
    test = studio.open("decompose", prompt=PROMPT, token="1", atom=str(atom))
    assert components(test, "label_list")[0]["labels"][0]["token"] == HOSTILE[atom % 2]
    test.button(key="decompose.unpin").click().run()
    assert "atom" not in asked_for(test)
    assert row(test)["legend"]["title"] == "Relative error"


def test_pins_belong_to_their_dictionary(studio: Studio) -> None:
    import shutil

    shutil.copytree(studio.dictionary, studio.home / "library" / "other")
    test = studio.open("decompose", dictionary=studio.dictionary.name, prompt=PROMPT, atom="3", k="6")
    assert listed(test)["pinned"] == 3
    test.selectbox(key="shell.dictionary").set_value("other").run()
    assert listed(test)["pinned"] is None
    assert asked_for(test)["k"] == "6"


def test_a_link_leads_to_the_dictionary_among_others(studio: Studio) -> None:
    for name in ("another", "beside"):
        shutil.copytree(studio.dictionary, studio.dictionary.parent / name)
    links = page_links(studio.open("decompose", dictionary="beside"))
    assert links["Compare with others"] == "dictionary=beside"
    [shown] = components(studio.open("compare", dictionary="beside"), "heading")
    assert shown["name"].startswith("beside ~ ")
