"""A request of a kind that exists only here: its JSON, its paths and its command follow from its fields."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import typer

from itda_core.cli.request_command import asks_for
from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.runs import EvaluateRequest
from itda_core.runs.jobs.request_fields import JobRequest, Option, from_texts, layers_option, one_option, parts
from itda_core.runs.jobs.request_options import CORPUS, KS, SETTINGS, SPEC


@dataclass(frozen=True)
class Count(JobRequest):
    COMMAND = "count"
    CALLED = "counting request"
    WRITTEN = ("model", "corpus", "k", "layers", "fast", "share", *SETTINGS)

    model: ModelSpec = field(metadata=parts(SPEC))
    corpus: str = field(metadata=one_option(CORPUS))
    ks: tuple[int, ...] = field(default=(), metadata=one_option(KS))
    layers: tuple[int, ...] | None = field(default=None, metadata=one_option(layers_option("Which.", shown="all")))
    share: float = field(default=0.5, metadata=one_option(Option("Of the text.", added=True)))
    fast: bool = field(default=False, metadata=one_option(Option("In a hurry.")))


PLAIN = Count(ModelSpec("demo:0"), "demo")
FULL = Count(
    ModelSpec("a/b", "v1", "cpu", "float16", True, True, "memory"), "text.txt", (2, 3), (0, 1, 5), 0.25, fast=True
)


@pytest.mark.parametrize("request_", [PLAIN, FULL])
def test_the_command_and_the_json_mean_the_request(request_: Count, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itda_core.cli.request_command.go_offline", lambda _: None)
    heard: list[Count] = []
    command = typer.Typer()
    command.command()(asks_for(Count, ("corpus", "model"))(lambda request: heard.append(request)))
    command(request_.arguments(), standalone_mode=False)
    assert heard == [request_]
    assert Count.from_dict(json.loads(json.dumps(request_.to_dict()))) == request_


def test_the_line_for_a_terminal_leaves_out_what_is_default() -> None:
    assert PLAIN.command() == "itda count demo:0 --corpus demo"
    assert FULL.command() == (
        "itda count a/b --corpus text.txt --k 2,3 --layers 0-1,5 --fast --share 0.25 --revision v1 --device cpu "
        "--dtype float16 --offline --trust-remote-code --placement memory"
    )


def test_a_form_asks_for_the_request_in_texts() -> None:
    assert from_texts(Count, {"model": "demo:0", "corpus": "demo", "k": "", "layers": "all", "share": ""}) == PLAIN
    texts = {"corpus": "text.txt", "k": "2, 3", "layers": "0-1,5", "share": "0.25", "fast": True}
    model = {"model": "a/b", "revision": "v1", "device": "cpu", "dtype": "float16", "placement": "memory"}
    assert from_texts(Count, {**texts, **model, "offline": True, "trust_remote_code": True}) == FULL


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"corpus": ""}, "Nothing was given for corpus"),
        ({"share": "half"}, "share=half is not a number"),
        ({"share": "nan"}, "share=nan is not a number"),
        ({"share": "1e300"}, "share=1e300 is not a number"),
        ({"k": "two"}, "k=two is not a whole number"),
        ({"layers": "first"}, "Layers 'first' cannot be read"),
    ],
)
def test_what_a_form_cannot_mean_is_said(given: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        from_texts(Count, {"model": "demo:0", "corpus": "demo", **given})


def test_a_command_needs_no_model() -> None:
    @dataclass(frozen=True)
    class Wait(JobRequest):
        COMMAND = "wait"
        CALLED = "request to wait"
        WRITTEN = ("times",)

        times: int = field(default=1, metadata=one_option(Option("How often.")))

    heard: list[Wait] = []
    command = typer.Typer()
    command.command()(asks_for(Wait, ())(lambda request: heard.append(request)))
    command(["--times", "3"], standalone_mode=False)
    assert heard == [Wait(3)] == [from_texts(Wait, {"times": "3"})]
    with pytest.raises(UserError, match=r"times=3\.5 is not a whole number"):
        from_texts(Wait, {"times": "3.5"})


def test_only_what_was_added_may_be_missing() -> None:
    value = PLAIN.to_dict()
    model = {name: part for name, part in value["model"].items() if name != "placement"}
    assert Count.from_dict({**{name: value[name] for name in value if name != "share"}, "model": model}) == PLAIN
    with pytest.raises(UserError, match="counting request lacks fast"):
        Count.from_dict({name: value[name] for name in value if name != "fast"})
    with pytest.raises(UserError, match="counting request's layers are not text"):
        Count.from_dict({**value, "layers": 3})


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").touch()
    (tmp_path / "a" / "b").mkdir(parents=True)
    resolved = FULL.resolved()
    assert (resolved.corpus, resolved.model.name) == (str(tmp_path / "text.txt"), str(tmp_path / "a" / "b"))
    assert PLAIN.resolved() == PLAIN


def test_an_evaluation_of_before_weights_were_placed_is_read() -> None:
    request = EvaluateRequest(("a",))
    assert EvaluateRequest.from_dict({k: v for k, v in request.to_dict().items() if k != "placement"}) == request
    assert EvaluateRequest(("a",), placement="spread").command() == "itda evaluate a --placement spread"
