"""Decompose: several labels of one atom, small shares, only positive coefficients, layers, a second dictionary."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from itda_core.analysis import decompose, read_prompt, replay
from itda_core.analysis.shortfall import why_fewer
from itda_core.dictionaries import AtomDictionary
from itda_core.dictionaries.storage.dictionary_folder import read_summary
from itda_core.models import load_model
from itda_core.printable import visible, visible_token
from pages.ui.decompose import through_layers
from pages.ui.frame import shell
from tests.pages.conftest import HOSTILE, N_ATOMS, K, Studio, asked_for, components, grow, notices, page_links

PROMPT = "Bade kilo murasen, the torvi."


def lists(test: AppTest) -> list[dict[str, Any]]:
    return components(test, "atom_list")


def several(studio: Studio) -> Path:
    """The studio's dictionary with three more labels for each of its atoms, all behind the same word."""
    own = AtomDictionary.load(studio.dictionary)
    parts = []
    for token in (" park", " deer", " deer", " school"):
        part = own.provenance.copy()
        part["token"], part["context_before"] = token, "I saw the"
        parts.append(part)
    frame = pd.concat(parts).sort_values("atom", kind="stable", ignore_index=True)
    config, stats = own.config, dict(own.stats)
    made = AtomDictionary(own.atoms, own.mean, frame, own.spec, config, stats)
    return made.save_pretrained(studio.home / "library" / "several")


def test_all_tokens_of_an_atom_are_shown_and_what_they_have_in_common(studio: Studio) -> None:
    several(studio)
    test = studio.open("decompose", dictionary="several", prompt=PROMPT)
    for use in lists(test)[0]["atoms"]:
        assert use["tokens"] == ["deer ×2", "park", "school"]
        assert use["more"] == 0
        assert use["pattern"] == "all: word before is “the”"
    for step in components(test, "pursuit_replay")[0]["steps"]:
        assert (step["token"], step["pattern"]) == ("deer ×2 · park · school", "all: word before is “the”")
    table = test.dataframe[0].value
    assert set(table["token"]) == {"deer ×2 · park · school"}
    assert set(table["common"]) == {"all: word before is “the”"}


def test_one_label_is_shown_in_its_context_as_ever(studio: Studio) -> None:
    for use in lists(studio.open("decompose", prompt=PROMPT))[0]["atoms"]:
        assert (use["tokens"], use["pattern"]) == ([], "")
        assert use["token"] in HOSTILE


@pytest.mark.parametrize("sized", [False, True])
def test_the_error_of_training_is_not_taken_for_that_of_this_token(studio: Studio, sized: bool) -> None:
    path = (several(studio) if sized else studio.dictionary) / "dictionary.json"
    if sized:
        said = json.loads(path.read_text())
        said["config"] |= {"selection": "consensus", "threshold": None, "atoms": N_ATOMS}
        said.pop("sha256", None)
        path.write_text(json.dumps(said))
    asked = {"dictionary": path.parent.name, "prompt": PROMPT}
    atom = lists(studio.open("decompose", **asked))[0]["atoms"][0]["atom"]
    [facts] = [
        use["facts"] for use in lists(studio.open("decompose", **asked, atom=str(atom)))[0]["atoms"] if use["facts"]
    ]
    source = "its first source token" if sized else "its source token"
    assert f"in training, {source} had relative error 0.50 without it" in facts


def test_only_positive_coefficients(studio: Studio) -> None:
    dictionary = AtomDictionary.load(studio.dictionary)
    model = load_model(dictionary.spec.model)
    test = studio.open("decompose", prompt=PROMPT, token="1", k="6")
    assert "signs" not in asked_for(test)
    test.toggle(key="decompose.positive").set_value(True).run()
    assert asked_for(test)["signs"] == "positive"
    assert "&signs=positive" in test.code[0].value
    expected = decompose(model, dictionary, PROMPT, 6, "mp", non_negative=True).tokens[1]
    for again in (test, studio.open("decompose", prompt=PROMPT, token="1", k="6", signs="positive")):
        assert [use["atom"] for use in lists(again)[0]["atoms"]] == [use.atom for use in expected.atoms]
        assert all(use["coefficient"] > 0 for use in lists(again)[0]["atoms"])
        assert lists(again)[0]["note"] == why_fewer(expected, 6, "mp", non_negative=True)
        steps = components(again, "pursuit_replay")[0]["steps"]
        read = read_prompt(model, dictionary, PROMPT)
        told = replay(model, dictionary, read, 1, 6, "mp", non_negative=True)
        assert [step["atom"] for step in steps] == [step.atom for step in told.steps]
        assert not any(step["negative"] for step in steps)
    test.toggle(key="decompose.positive").set_value(False).run()
    assert "signs" not in asked_for(test)


def test_a_step_whose_atom_left_again_has_its_label_and_says_so(studio: Studio) -> None:
    dictionary = AtomDictionary.load(studio.dictionary)
    prompt = "The little dog's park so HOME 12 apples"
    read = decompose(load_model(dictionary.spec.model), dictionary, prompt, 9, "omp", non_negative=True)
    index = next(token.index for token in read.tokens if len(token.taken) > token.l0)
    stayed = {use.atom for use in read.tokens[index].atoms}
    asked = {"prompt": prompt, "token": str(index), "k": "9", "method": "omp", "signs": "positive"}
    steps = components(studio.open("decompose", **asked), "pursuit_replay")[0]["steps"]
    gone = [step for step in steps if step["atom"] not in stayed]
    assert gone
    for step in steps:
        label = dictionary.label(step["atom"])
        assert step["token"] == visible_token(label.token)
        assert step["before"] == visible(label.context_before[-32:])
        assert step["after"] == visible(label.context_after[:32])
        assert step["left"].startswith("left again") is (step in gone)


def test_small_shares_are_folded_away_but_for_the_pinned_one(studio: Studio) -> None:
    test = studio.open("decompose", prompt=PROMPT, token="1", k="30")
    uses = lists(test)[0]["atoms"]
    small = [use["atom"] for use in uses if use["small"]]
    assert small
    assert not any(use["small"] for use in uses[:3])
    assert lists(test)[0]["unfolded"] is False
    test.session_state["decompose.small"] = "shown"  # what the list's callback does
    test.run()
    assert asked_for(test)["small"] == "shown"
    assert lists(test)[0]["unfolded"] is True
    pinned = studio.open("decompose", prompt=PROMPT, token="1", k="30", small="shown", atom=str(small[-1]))
    assert lists(pinned)[0]["unfolded"] is True
    assert small[-1] not in [use["atom"] for use in lists(pinned)[0]["atoms"] if use["small"]]


def test_why_there_are_fewer_atoms_than_asked_for_is_said(studio: Studio) -> None:
    dictionary = AtomDictionary.load(studio.dictionary)
    told = decompose(load_model(dictionary.spec.model), dictionary, PROMPT, 30, "mp")
    fewer = next(token for token in told.tokens if token.l0 < 30)
    note = lists(studio.open("decompose", prompt=PROMPT, token=str(fewer.index), k="30"))[0]["note"]
    assert note == why_fewer(fewer, 30, "mp")
    assert note.startswith(f"L0 is {fewer.l0}, not 30: ")


def test_the_layers_of_one_model_are_one_key_away(studio: Studio, model_folder_of) -> None:
    assert not components(studio.open("decompose", prompt=PROMPT), "layer_stepper")
    for layer in (0, 2):
        grow(model_folder_of("gpt2"), studio.home / "library" / f"tiny-L{layer}-resid_post", layer)
    test = studio.open("decompose", dictionary=studio.dictionary.name, prompt=PROMPT)
    [shown] = components(test, "layer_stepper")
    assert [(one["layer"], one["name"]) for one in shown["layers"]] == [
        (layer, f"tiny-L{layer}-resid_post") for layer in (0, 1, 2)
    ]
    assert [one["chosen"] for one in shown["layers"]] == [False, True, False]


def test_a_second_dictionary_beside_the_first(studio: Studio, model_folder_of) -> None:
    other = grow(model_folder_of("gpt2"), studio.home / "library" / "tiny-L2-resid_post", 2)
    loaded = AtomDictionary.load(other)
    expected = decompose(load_model(loaded.spec.model), loaded, PROMPT, 3, "omp").tokens[2]
    asked = {"dictionary": studio.dictionary.name, "prompt": PROMPT, "token": "2", "k": "3", "method": "omp"}
    test = studio.open("decompose", **asked)
    assert len(lists(test)) == 1
    test.selectbox(key="decompose.beside").set_value(other.name).run()
    assert asked_for(test)["beside"] == other.name
    opened = expected.atoms[1].atom
    link = studio.open("decompose", **asked, beside=other.name, beside_atom=str(opened))
    assert f"&beside={other.name}&beside_atom={opened}" in link.code[0].value
    for again in (test, link):
        _, second = lists(again)
        assert [use["atom"] for use in second["atoms"]] == [use.atom for use in expected.atoms]
        assert [metric.value for metric in again.metric[3:6]] == [
            f"{expected.relative_error:.3f}", f"{expected.cosine:.3f}", str(expected.l0)
        ]  # fmt: skip
        assert not notices(again)
    assert lists(link)[1]["pinned"] == opened
    assert lists(link)[0]["pinned"] is None


def test_a_second_dictionary_whose_model_reads_other_tokens(studio: Studio, model_folder_of) -> None:
    grow(model_folder_of("bert"), studio.home / "library" / "encoder")
    test = studio.open("decompose", dictionary=studio.dictionary.name, prompt=PROMPT, beside="encoder", token="0")
    [said] = notices(test)
    assert "reads this prompt in other tokens" in said


def test_what_was_chosen_here_goes_along_through_the_pages(studio: Studio) -> None:
    shutil.copytree(studio.dictionary, studio.home / "library" / "other")
    name = studio.dictionary.name
    test = studio.open("decompose", dictionary=name, prompt=PROMPT, signs="positive", beside="other", small="shown")
    test.switch_page("pages/library.py").run()
    values = page_links(test)["Decompose"]
    assert {"signs=positive", "beside=other", "small=shown"} <= set(values.split("&"))


def test_a_pinned_atom_that_is_used_elsewhere_is_told_by_all_its_places(studio: Studio) -> None:
    several(studio)
    used = {use["atom"] for use in lists(studio.open("decompose", dictionary="several", prompt=PROMPT))[0]["atoms"]}
    atom = next(atom for atom in range(N_ATOMS) if atom not in used)
    test = studio.open("decompose", dictionary="several", prompt=PROMPT, atom=str(atom))
    tokens = [label["token"] for label in components(test, "label_list")[0]["labels"]]
    assert tokens == [" park", " deer", " deer", " school"]
    assert "all: word before is “the”" in [text.value for text in test.text]


@pytest.mark.parametrize("beside", ["nothing-of-that-name", HOSTILE[0]])
def test_a_second_dictionary_that_is_none_is_named_and_ignored(studio: Studio, beside: str) -> None:
    test = studio.open("decompose", prompt=PROMPT, beside=beside)
    assert "is no dictionary of the library" in "\n".join(notices(test))
    assert len(lists(test)) == 1


def test_a_k_that_the_second_dictionary_has_not_leaves_the_first_as_it_is(studio: Studio) -> None:
    own = AtomDictionary.load(studio.dictionary)
    frame = own.provenance.query("atom < 5").reset_index(drop=True)
    AtomDictionary(own.atoms[:5], own.mean, frame, own.spec, own.config, own.stats).save_pretrained(
        studio.home / "library" / "small"
    )
    test = studio.open("decompose", dictionary=studio.dictionary.name, prompt=PROMPT, k="9", beside="small")
    assert "exceeds the dictionary's 5 atoms" in notices(test)[0]
    assert len(lists(test)) == 1
    assert len(lists(test)[0]["atoms"]) > K
    assert own.atoms.shape[0] == N_ATOMS


def test_the_standalone_page_and_the_table_say_the_same(studio: Studio) -> None:
    from itda_core.runs.library import Library
    from pages.ui.decompose.exports import Read, csv, exports

    path = several(studio)
    entry = next(one for one in Library().entries() if one.path == path)
    own = AtomDictionary.load(path)
    told = decompose(load_model(own.spec.model), own, PROMPT, 30, "mp", non_negative=True)
    files = exports(Read(entry, told), show_special=False)
    name, _, page = files["Web page (works offline)"]
    assert name == "several-k30-mp-positive.html"
    shown = str(page())
    assert "only positive coefficients" in shown
    assert "deer ×2 · park · school" in shown
    assert "all: word before is “the”" in shown
    assert "more, each with a share below 5%" in shown
    signed = decompose(load_model(own.spec.model), own, PROMPT, 30, "mp")
    negative = sum(use.coefficient < 0 for token in signed.tokens for use in token.atoms)
    assert negative
    assert (
        str(exports(Read(entry, signed), show_special=True)["Web page (works offline)"][2]()).count(
            '<tr class="negative">'
        )
        == negative
    )
    assert "deer ×2 · park · school" in csv(Read(entry, told))
    shutil.rmtree(path)


def widgets(test: AppTest) -> dict[str, Any]:
    """The page's fields by key, as they reach the browser."""
    kinds = ("button_group", "slider", "toggle", "selectbox")
    return {str(one.key): one for kind in kinds for one in test.get(kind)}


def test_the_colour_is_marked_again_after_a_prompt_that_was_refused(studio: Studio) -> None:
    test = studio.open("decompose", prompt=PROMPT, colour="strongest")
    test.session_state["decompose.prompt"] = "word " * 300
    test.run()
    assert "more than the context" in notices(test)[0]
    assert "decompose.colour" not in widgets(test)
    test.session_state["decompose.prompt"] = PROMPT
    test.run()
    colour = widgets(test)["decompose.colour"]
    assert colour.value == "strongest"
    assert colour.proto.set_value  # a field that was not drawn in the run before shows only what is set
    assert not widgets(test.run())["decompose.colour"].proto.set_value  # it would undo a click on the way


def test_all_choices_are_marked_again_after_a_dictionary_that_is_none(studio: Studio) -> None:
    chosen = {"k": "3", "method": "omp", "signs": "positive", "special": "shown", "colour": "strongest"}
    chosen |= {"atom": "0", "why": "True", "kind": "log-probability", "change": "True", "unit": "norm", "added": "True"}
    name = studio.dictionary.name
    test = studio.open("decompose", dictionary=name, prompt=PROMPT, beside=name, **chosen)
    before = {key: one.value for key, one in widgets(test).items() if key.startswith("decompose.")}
    known = ("k", "method", "special", "colour", "along", "kind", "unit")
    assert before.keys() >= {f"decompose.{name}" for name in known}
    assert len(before) > 12
    test.query_params["dictionary"] = "none-of-that-name"
    test.run()
    assert not any(key.startswith("decompose.") for key in widgets(test))
    test.query_params["dictionary"] = name
    again = widgets(test.run())
    assert {key: again[key].value for key in before} == before
    assert all(again[key].proto.set_value for key in before)


def test_a_step_back_through_the_layers_returns_to_the_dictionary_that_was_left(
    studio: Studio, model_folder_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    for layer in (1, 2):
        grow(model_folder_of("gpt2"), studio.home / "library" / f"family-L{layer}", layer)
    pressable(monkeypatch)
    name = studio.dictionary.name
    identity = read_summary(studio.dictionary).identity[:8]
    mine = {"dictionary": name, "id": identity, "prompt": PROMPT}
    test = studio.open("decompose", **mine)
    for layer, expected in ((2, "family-L2"), (1, name)):
        test.button(key=f"press.{layer}").click().run()
        assert asked_for(test)["dictionary"] == expected
        assert "id" not in asked_for(test)  # it is of the dictionary that was left
        assert test.selectbox(key="shell.dictionary").value == expected
        assert not notices(test)


def test_a_step_counts_over_what_the_browsers_chooser_still_held(
    studio: Studio, model_folder_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    for layer in (0, 1, 2):
        grow(model_folder_of("gpt2"), studio.home / "library" / f"family-L{layer}", layer)
    pressable(monkeypatch)
    test = studio.open("decompose", dictionary="family-L1", prompt=PROMPT)
    test.selectbox(key="shell.dictionary").set_value("family-L0")  # sent along by a browser that has no newer answer
    test.button(key="press.2").click().run()
    assert test.selectbox(key="shell.dictionary").value == "family-L2"
    assert asked_for(test)["dictionary"] == "family-L2"
    assert not notices(test)


@pytest.mark.parametrize("steps", [(2, 1), (1,), (2, 0, 1)])
@pytest.mark.parametrize("broken_off", [False, True])
def test_a_step_there_and_back_pins_the_atom_again(
    studio: Studio, model_folder_of, monkeypatch: pytest.MonkeyPatch, steps: tuple[int, ...], broken_off: bool
) -> None:
    """Also where the runs between were broken off before they drew the stepper, so that each step is told to what the
    first run had drawn; and where a later step takes an earlier one's place before anyone was told of it.
    """
    for layer in (0, 1, 2):
        grow(model_folder_of("gpt2"), studio.home / "library" / f"family-L{layer}", layer)
    told: list[Any] = []
    monkeypatch.setattr(through_layers, "layer_stepper", lambda names, *, on_pick, **_: told.append(on_pick))
    test = studio.open("decompose", dictionary="family-L1", prompt=PROMPT, atom="3")
    test.segmented_control(key="decompose.colour").set_value("strongest").run()
    first = told[-1]
    if broken_off:
        with monkeypatch.context() as patch:
            patch.setattr(shell, "page", partial(_steps_and_ends, steps, first, shell.page))
            test.run()
    else:
        for layer in steps:
            with monkeypatch.context() as patch:
                patch.setattr(shell, "page", partial(_steps_and_ends, (layer,), told[-1], shell.page))
                test.run()
            test.run()
    test.run()
    assert asked_for(test)["dictionary"] == "family-L1"
    assert asked_for(test)["atom"] == "3"
    assert test.segmented_control(key="decompose.colour").value == "strongest"
    assert not notices(test)


def _steps_and_ends(layers: tuple[int, ...], step: Any, page: Any, name: str) -> None:
    """In the place of a page: as a run does that begins with such callbacks and is broken off."""
    for layer in layers:
        step(layer)
    st.stop()


def pressable(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest cannot press our component: buttons stand beside it."""
    drawn = through_layers.layer_stepper

    def pressing(names: Any, *, chosen: int, on_pick: Any, key: str) -> None:
        drawn(names, chosen=chosen, on_pick=on_pick, key=key)
        for layer in names:
            st.button(f"press {layer}", key=f"press.{layer}", on_click=on_pick, args=(layer,))

    monkeypatch.setattr(through_layers, "layer_stepper", pressing)


@pytest.mark.parametrize("prompt", [" ", "\n \n", "\t"])
def test_a_blank_prompt_is_said_to_be_one(studio: Studio, prompt: str) -> None:
    test = studio.open("decompose", prompt=prompt)
    assert notices(test) == ["The prompt is blank, so there is nothing to decompose."]
    assert not components(test, "token_row")


def test_what_max_and_sum_mean_is_said(studio: Studio) -> None:
    test = studio.open("decompose", prompt=PROMPT)
    [table] = test.dataframe
    columns = json.loads(table.proto.columns)
    drawn = [columns[name] for name in table.value.columns if not columns[name].get("hidden")]
    assert len(drawn) > 5
    assert all(column.get("help") for column in drawn)
    assert any("Max: " in caption.value and "Sum: " in caption.value for caption in test.caption)


def test_the_blanks_before_a_line_stand_before_it(studio: Studio) -> None:
    prompt = "baki:\n    lomu"
    [row] = components(studio.open("decompose", prompt=prompt), "token_row")
    lines = [""]
    for token in row["tokens"]:
        lines[-1] += token["text"].replace("↵", "").replace("·", " ")
        if token["breaks"]:
            lines.append(token["indent"])
    assert "".join(lines).strip()
    assert lines[-1].rstrip() == "    lomu"
