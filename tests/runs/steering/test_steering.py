"""A steering as a request: read, written, done, bounded, refused; on the bundled model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from itda_core.analysis.interventions.steer import Steering
from itda_core.analysis.interventions.steered import Steered
from itda_core.dictionaries import AtomDictionary
from itda_core.errors import UserError
from itda_core.models import load_model
from itda_core.runs.jobs.kinds import KINDS, kind_of
from itda_core.runs.jobs.request_fields import from_options, settings
from itda_core.runs.library import Library
from itda_core.runs.steering.cost import steering_seconds
from itda_core.runs.steering.request import SteerRequest
from itda_core.runs.steering.run import steer
from itda_core.runs.steering.status import SteeringStatus

DICTIONARY, PROMPT = "demo-0-L3-consensus", "Mix the flour and the sugar. Add two"
ASKED = SteerRequest(DICTIONARY, PROMPT, ("763:-1", "51:0.3:norm:add"), where="all", new_tokens=5, curve="-1:1")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITDA_HOME", str(tmp_path))


def done(request: SteerRequest) -> tuple[list[float], Steered]:
    progresses = list(steer(request))
    assert progresses[-1].steered is not None
    return [progress.share for progress in progresses], progresses[-1].steered


def test_a_request_is_the_same_again_as_json_and_as_a_command() -> None:
    full = replace(ASKED, token=4, special=True, temperature=0.5, seed=3, next=" eggs", k=4, non_negative=True)
    assert kind_of(full) is KINDS["steer"]
    assert SteerRequest.from_dict(full.to_dict()) == full
    words = full.arguments()
    given: dict[str, Any] = dict.fromkeys(settings(SteerRequest))
    given["dictionary"] = words.pop(0)
    while words:
        name = words.pop(0).removeprefix("--").replace("-", "_")
        kind = settings(SteerRequest)[name].given_as
        given[name] = True if kind is bool else [words.pop(0)] if name == "atom" else kind(words.pop(0))
    assert from_options(SteerRequest, given) == full


def test_it_does_what_the_engine_does() -> None:
    shares, steered = done(ASKED)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    dictionary = AtomDictionary.load(Library().find(DICTIONARY))
    steering = Steering(load_model("demo:0"), dictionary, PROMPT, steered.effect.changes, where="all")
    assert steered.effect.kl == pytest.approx(steering.effect().kl, abs=1e-9)
    assert steered.continuations is not None
    for changed, pieces in ((False, steered.continuations.before), (True, steered.continuations.after)):
        assert "".join(piece.text for piece in pieces) == steering.written(5, changed=changed)
    assert steered.curve is not None
    before = steered.effect.compared[0]
    assert steered.curve.next_token == before.token == " eggs"
    assert steered.curve.points[0].probability == pytest.approx(before.after, abs=1e-6), "its strength is the first"
    assert len(steered.curve.points) == 21


def test_a_status_is_read_as_it_was_written() -> None:
    _, steered = done(ASKED)
    status = SteeringStatus("done").with_outcome(steered, 1.0)
    again = SteeringStatus.from_dict(status.to_dict())
    assert again == status
    assert again.after == steered.continuations.after if steered.continuations else False
    assert again.steered is not None
    assert again.steered.to_dict() == steered.to_dict()


def test_what_is_written_ends_with_the_context_and_that_is_said() -> None:
    long = replace(ASKED, prompt="word " * 200, new_tokens=10_000, where="token", curve=None)
    first, *_ = (progresses := list(steer(long)))
    assert any("leaves room for" in note for note in first.notes)
    written = progresses[-1].steered
    assert written is not None
    assert written.continuations is not None
    model = load_model("demo:0")
    n_prompt = len(written.effect.tokens)
    assert 0 < len(written.continuations.before) <= model.context - n_prompt


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"atoms": ("99999:0",)}, "no atom 99999"),
        ({"atoms": ("x:0",)}, "number of an atom"),
        ({"atoms": ("3",)}, "give --strength"),
        ({"atoms": ("3:nan",)}, "no number"),
        ({"atoms": ("3:1:norm:add:more",)}, "is not the change"),
        ({"atoms": ("3:1:miles",)}, "unknown"),
        ({"atoms": ("3",), "strength": float("nan")}, "strength"),
        ({"atoms": tuple(f"{i}:0" for i in range(17))}, "too many"),
        ({"new_tokens": -1}, "cannot be written"),
        ({"new_tokens": 10**9}, "cannot be written"),
        ({"temperature": float("nan")}, "temperature"),
        ({"curve": "3:1"}, "two strengths"),
        ({"curve": "nan:1"}, "two strengths"),
        ({"curve": "-1:1", "next": "several words here"}, "several tokens"),
        ({"placement": "stream"}, "cannot be streamed"),
        ({"token": 99}, "does not exist"),
        ({"dictionary": "nobody"}, "nobody"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(changed: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        list(steer(replace(ASKED, **changed)))  # pyright: ignore[reportArgumentType]


def test_more_tokens_take_longer() -> None:
    few, many = steering_seconds(ASKED), steering_seconds(replace(ASKED, new_tokens=500))
    assert few is not None
    assert many is not None
    assert 0 < few[0] < few[1] < many[1]
    assert many[0] == pytest.approx(100 * few[0])
