"""Atoms changed, on the decompose page: against the engine asked directly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from itda_core.analysis.interventions.change import Change
from itda_core.analysis.interventions.steer import Steering
from itda_core.dictionaries import AtomDictionary
from itda_core.figures_as_text import points_apart
from itda_core.files import write_json
from itda_core.models import load_model
from itda_core.runs.steering.request import SteerRequest
from itda_core.runs.steering.run import steer
from itda_core.runs.steering.status import SteeringStatus
from pages.ui.effects import change_exports, writing
from tests.pages.conftest import HOSTILE, Studio, asked_for, components, grow, notices, parsed_text

PROMPT = "Bade kilo murasen, the torvi."


def table(test: AppTest, *columns: str):
    [found] = [one.value for one in test.dataframe if set(columns) <= set(one.value.columns)]
    return found


def captions(test: AppTest) -> str:
    return "\n".join(caption.value for caption in test.caption)


def engine_of(studio: Studio, changes: list[Change], **more: object) -> Steering:
    dictionary = AtomDictionary.load(studio.dictionary)
    return Steering(load_model(dictionary.spec.model), dictionary, PROMPT, changes, **more)  # pyright: ignore[reportArgumentType]


def strongest(studio: Studio, token: int) -> int:
    [row] = [components(studio.open("decompose", prompt=PROMPT, token=str(token)), "atom_list")[0]]
    return int(row["atoms"][0]["atom"])


def test_several_changes_are_those_of_the_engine(studio: Studio) -> None:
    atom = strongest(studio, 4)
    other = (atom + 1) % 40
    changes = [Change(atom, 0.4, "norm", added=True), Change(other, -0.5, "norm")]
    expected = engine_of(studio, changes, where="prompt", token=4).effect()
    asked = {"change": "True", "strength": "0.4", "unit": "norm", "added": "True", "where": "prompt"}
    test = studio.open("decompose", prompt=PROMPT, token="4", atom=str(atom), also=f"{other}:-0.5:norm", **asked)
    shown = table(test, "before", "after")
    for column in ("before", "after"):
        assert shown[column].tolist() == pytest.approx([getattr(one, column) for one in expected.compared], abs=1e-4)
    assert shown["unexplained dropped"].tolist() == pytest.approx(
        [one.reconstruction_only for one in expected.compared], abs=1e-4
    )
    assert shown["difference"].tolist() == [points_apart(one.before, one.after) for one in expected.compared]
    metrics = {metric.label: metric.value for metric in test.metric}
    assert float(metrics["KL"]) == pytest.approx(expected.kl, abs=1e-3)
    moved = [one for one in expected.changed if one.moved]
    told = table(test, "becomes", "atom")
    assert told["atom"].tolist() == [one.atom for one in moved]
    assert [float(value.replace("−", "-")) for value in told["× the norm"]] == pytest.approx(
        [one.strengths.norm for one in moved], abs=6e-3
    )
    [prompt] = [one for one in components(test, "marked_text") if one["label"] == "The prompt"]
    marked = [text for text, kind, _ in prompt["tokens"] if kind == "mark"]
    assert marked == [text for text, mark in zip(expected.tokens, expected.marked, strict=True) if mark]
    assert notices(test) == [expected.warning]


def test_removing_an_atom_is_where_it_begins_and_lines_come_and_go(studio: Studio) -> None:
    atom = strongest(studio, 4)
    test = studio.open("decompose", prompt=PROMPT, token="4", atom=str(atom), change="True")
    assert "becomes 0.00: 0.00 × its own, 0.00 × the norm." in captions(test)
    assert "there is no atom index" in captions(test)
    other = (atom + 1) % 40
    test.number_input(key="decompose.another").set_value(other).run()
    assert asked_for(test)["also"] == f"{other}:0"
    test.number_input(key=f"decompose.also.{other}.strength").set_value(0.5).run()
    assert asked_for(test)["also"] == f"{other}:0.5"
    test.button(key=f"decompose.also.{other}.gone").click().run()
    assert "also" not in asked_for(test)
    assert not test.exception


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"strength": "lots"}, "strength=lots"),
        ({"strength": "nan"}, "strength=nan"),
        ({"unit": "max"}, "unit=max"),
        ({"where": "here"}, "where=here"),
        ({"also": "1:x"}, "also=1:x"),
        ({"also": "1:nan:norm"}, "also=1:nan:norm"),
        ({"also": "999999:0"}, "names atom 999,999"),
        ({"also": "1:0~1:2"}, "names an atom twice"),
        ({"also": "1:2:own:add"}, "scaling"),
        ({"also": "~".join(["1:0"] * 40)}, "further atoms"),
        ({"also": "<script>alert(1)</script>"}, "<script>"),
        ({"special_too": "maybe"}, "special_too=maybe"),
        ({"curve_token": "999999"}, "curve_token=999999"),
        ({"curve_low": "2", "curve_high": "1"}, "no strengths"),
        ({"length": "0"}, "length=0"),
        ({"length": "99999999"}, "length=99999999"),
        ({"temperature": "-1"}, "temperature=-1"),
        ({"temperature": "nan"}, "temperature=nan"),
        ({"seed": "-3"}, "seed=-3"),
        ({"strength": "1e9"}, "strength"),
    ],
)
def test_what_a_stranger_typed_is_said_and_the_rest_is_shown(
    studio: Studio, address: dict[str, str], said: str
) -> None:
    test = studio.open("decompose", prompt=PROMPT, token="4", atom="0", change="True", **address)
    assert any(said in sentence for sentence in notices(test))
    assert not test.exception
    assert components(test, "token_row")
    assert len(notices(test)) == 1


def test_the_curve_is_of_the_chosen_token_and_range(studio: Studio) -> None:
    atom = strongest(studio, 4)
    steering = engine_of(studio, [Change(atom, 0.0)], where="token", token=4)
    asked = {"change": "True", "curve_token": "40", "curve_low": "-1.0", "curve_high": "0.5"}
    test = studio.open("decompose", prompt=PROMPT, token="4", atom=str(atom), **asked)
    [chart] = [json.loads(one.proto.spec) for one in test.get("plotly_chart") if "KL, nats" in one.proto.spec]
    probability, kl = chart["data"]
    points = steering.curve(probability["x"], 40)
    assert (probability["x"][0], probability["x"][-1]) == (-1.0, 0.5)
    assert probability["y"] == pytest.approx([point.probability for point in points], abs=1e-6)
    assert kl["y"] == pytest.approx([point.kl for point in points], abs=1e-6)
    likeliest = max(steering.effect().compared, key=lambda one: one.before).token_id
    test.selectbox(key="decompose.curve_token").set_value(likeliest).run()
    assert "curve_token" not in asked_for(test), "the default"
    assert not test.exception


def test_text_is_written_as_asked_and_taken_along(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    atom = strongest(studio, 4)
    taken: dict[str, str] = {}
    real = change_exports.files

    def kept(*given: object):
        made = real(*given)  # pyright: ignore[reportArgumentType]
        taken.update({name: str(content()) for name, (_, _, content) in made.items()})  # pyright: ignore[reportCallIssue]
        return made

    monkeypatch.setattr(change_exports, "files", kept)
    asked = {"change": "True", "where": "all", "length": "6", "temperature": "0.9", "seed": "5", "strength": "-1.0"}
    test = studio.open("decompose", prompt=PROMPT, token="4", atom=str(atom), **asked)
    test.button(key="decompose.write").click().run()
    test.session_state["decompose.writing"][1].join(120)
    test.run()
    steering = engine_of(studio, [Change(atom, -1.0)], where="all", token=4)
    for title, changed in (("Before", False), ("After", True)):
        [text] = [one for one in components(test, "marked_text") if one["label"] == title]
        *_, pieces = steering.pieces(6, changed=changed, temperature=0.9, seed=5)
        begins, written = text["tokens"][: -len(pieces)], text["tokens"][-len(pieces) :]
        assert "".join(word for word, _, _ in begins) == PROMPT
        effect = steering.effect()
        marked = [word for word, mark in zip(effect.tokens, effect.marked, strict=True) if mark]
        assert marked
        assert [word for word, kind, _ in begins if kind == "mark"] == (["".join(marked)] if changed else [])
        assert [word for word, _, _ in written] == [piece.text for piece in pieces]
        assert [kind == "mark" for _, kind, _ in written] == [piece.changed for piece in pieces]
    told = json.loads(taken["Change (JSON)"])
    assert told["after"]["text"] == steering.written(6, changed=True, temperature=0.9, seed=5)
    assert (told["seed"], told["temperature"], told["new_tokens"]) == (5, 0.9, 6)
    assert "--where all --token 4 --new-tokens 6 --temperature 0.9 --seed 5" in told["command"]
    assert "<script" not in taken["Change (web page, works offline)"]
    test.number_input(key="decompose.strength").set_value(0.5).run()
    assert not [one for one in components(test, "marked_text") if one["label"] == "After"], "it was of other changes"
    assert not test.exception


def test_a_long_text_is_a_job(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"prompt": PROMPT, "token": "4", "atom": "0", "change": "True", "length": "40"}
    keys = {button.key for button in studio.open("decompose", **asked).button}
    assert "decompose.write" in keys
    assert "steer.start" not in keys
    monkeypatch.setattr(writing, "_MOST_HERE", 39)
    test = studio.open("decompose", **asked)
    keys = {button.key for button in test.button}
    assert "steer.start" in keys
    assert "decompose.write" not in keys
    assert any("40 tokens are written twice" in caption.value for caption in test.caption)
    assert "More than 39 tokens are written by a job in the background" in captions(test)


def test_a_job_is_shown_with_its_marks(studio: Studio) -> None:
    request = SteerRequest(str(studio.dictionary), PROMPT, ("0:0.3:norm",), where="all", new_tokens=4)
    *_, last = steer(request)
    assert last.steered is not None
    folder = studio.home / "jobs" / "20300101-000000-000001-abcd"
    order = {"created": "2030-01-01T00:00:00+00:00", "kind": "steer", "further": False, "request": request.to_dict()}
    write_json(folder / "request.json", order)
    write_json(folder / "status.json", SteeringStatus("done").with_outcome(last.steered, 1.0).to_dict())
    test = studio.open("decompose", job=folder.name)
    [after] = [one for one in components(test, "marked_text") if one["label"] == "After"]
    assert [kind for _, kind, _ in after["tokens"]] == ["mark", "mark", "mark", "mark", ""]
    assert after["tokens"][0][0] == PROMPT
    [before] = [one for one in components(test, "marked_text") if one["label"] == "Before"]
    assert [kind for _, kind, _ in before["tokens"]] == ["given", "", "", "", ""]
    assert "Atoms are changed at" in json.dumps(components(test, "fact_table"))
    test.button(key="steer.see").click().run()
    there = asked_for(test)
    assert (there["atom"], there["strength"], there["unit"], there["where"]) == ("0", "0.3", "norm", "all")
    assert "job" not in there
    assert not test.exception


def test_a_loss_that_falls_points_down(studio: Studio) -> None:
    for atom in range(40):
        found = engine_of(studio, [Change(atom, 0.3, "norm")], where="prompt", token=4).effect()
        if (
            found.loss_before is not None
            and found.loss_after is not None
            and found.loss_after < found.loss_before - 1e-3
        ):
            break
    else:
        pytest.fail("no change of this model lowers the loss")
    asked = {"change": "True", "unit": "norm", "strength": "0.3", "where": "prompt"}
    test = studio.open("decompose", prompt=PROMPT, token="4", atom=str(atom), **asked)
    [loss] = [metric for metric in test.metric if metric.label == "Loss on the prompt"]
    assert loss.proto.direction == loss.proto.DOWN
    assert loss.proto.color == loss.proto.GREEN, "a lower loss is better"


def test_what_cannot_change_says_why(studio: Studio) -> None:
    """The loss, when the last token alone is changed; an atom that is not used, in its own unit."""
    last = len(engine_of(studio, [Change(0, 0.0)]).effect().tokens) - 1
    atom = strongest(studio, last)
    test = studio.open("decompose", prompt=PROMPT, token=str(last), atom=str(atom), change="True", strength="3")
    [loss] = [metric for metric in test.metric if metric.label == "Loss on the prompt"]
    assert f"Before the change: {loss.value}." in loss.proto.help
    assert "it stays as it is" in loss.proto.help
    used = {one["atom"] for one in components(test, "atom_list")[0]["atoms"]}
    unused = next(atom for atom in range(40) if atom not in used)
    test = studio.open("decompose", prompt=PROMPT, token=str(last), atom=str(unused), change="True", strength="3")
    assert "give the strength in another unit" in captions(test)
    asked = {"change": "True", "strength": "3", "unit": "norm"}
    test = studio.open("decompose", prompt=PROMPT, token=str(last), atom=str(unused), **asked)
    assert "give the strength in another unit" not in captions(test)


def test_special_tokens_are_changed_when_asked_for(studio: Studio) -> None:
    asked = {"change": "True", "unit": "norm", "strength": "0.3", "where": "prompt", "special_too": "True"}
    test = studio.open("decompose", prompt=PROMPT, token="4", atom="0", **asked)
    expected = engine_of(studio, [Change(0, 0.3, "norm")], where="prompt", token=4, include_special=True).effect()
    assert table(test, "becomes", "at")["at"].tolist() == [one.token for one in expected.changed if one.moved]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_never_parsed(studio: Studio, hostile: str) -> None:
    test = studio.open("decompose", prompt=f"{hostile} {PROMPT}", atom="0", change="True", where="all")
    test.button(key="decompose.write").click().run()
    test.session_state["decompose.writing"][1].join(120)
    test.run()
    assert all(text not in parsed_text(test) for text in HOSTILE)
    assert not test.exception


def test_an_encoder_has_no_next_token_and_says_so(studio: Studio, model_folder_of: Callable[[str], Path]) -> None:
    grow(model_folder_of("bert"), studio.home / "library" / "encoder-L1")
    test = studio.open("decompose", dictionary="encoder-L1", prompt="the dog", atom="0", change="True")
    assert sum("predicts no next token" in sentence for sentence in notices(test)) == 1
