from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itda_core.cli import main as cli_main
from itda_core.dictionaries import TrainConfig
from itda_core.dictionaries.config import SIZED
from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.models.spec import PLACEMENTS
from itda_core.runs import TrainRequest

names = st.text("abcdefgh/-_.", min_size=1, max_size=12).filter(lambda text: not text.startswith("-"))
requests = st.builds(
    TrainRequest,
    model=st.builds(
        ModelSpec,
        name=names,
        revision=st.none() | names,
        device=st.sampled_from(["auto", "cpu", "cuda:1"]),
        dtype=st.sampled_from(["auto", "float32"]),
        offline=st.booleans(),
        trust_remote_code=st.booleans(),
        placement=st.sampled_from(PLACEMENTS),
    ),
    layers=st.none() | st.sets(st.integers(0, 40), min_size=1).map(lambda layers: tuple(sorted(layers))),
    corpus=names,
    config=st.builds(
        TrainConfig,
        selection=st.just("sequential"),
        k=st.integers(1, 100),
        method=st.sampled_from(["mp", "omp", "gp"]),
        threshold=st.floats(0.001, 0.999),
        atoms=st.none() | st.integers(1, 10**6),
        centre=st.booleans(),
        tokens=st.none() | st.integers(1, 10**9),
        context=st.integers(1, 4096),
        windows=st.sampled_from(["all", "first"]),
        seed=st.integers(0, 2**31),
        sinks=st.none() | st.floats(1.5, 1e6),
    )
    | st.builds(TrainConfig, selection=st.just("paper"), threshold=st.none() | st.just(0.3) | st.floats(1e-6, 0.01))
    | st.builds(TrainConfig, selection=st.sampled_from(SIZED), atoms=st.integers(1, 10**6), seed=st.integers(0, 9)),
    site=st.sampled_from(["resid_post", "mlp_out", "transformer.h.{layer}.mlp"]),
    library=st.none() | names,
    initial=st.lists(names, max_size=2).map(tuple),
    keep_activations=st.booleans(),
)


@given(requests)
def test_a_request_survives_json(request: TrainRequest) -> None:
    assert TrainRequest.from_dict(request.to_dict()) == request


@settings(max_examples=30, deadline=None)
@given(requests)
def test_the_command_line_reads_what_a_request_writes(request: TrainRequest) -> None:
    """The page shows this command, and a job's worker is started by it: both must ask for the same training."""
    asked: list[TrainRequest] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("itda_core.cli.train._train", lambda request, **_: asked.append(request))
        patch.setattr("itda_core.cli.request_command.go_offline", lambda _: None)
        with pytest.raises(SystemExit) as ended:
            cli_main.main(["train", *request.arguments()])
    assert ended.value.code == 0
    assert asked == [request]


def test_unknown_and_missing_keys_are_refused() -> None:
    value = TrainRequest(ModelSpec("demo:0"), (2,), "demo").to_dict()
    with pytest.raises(UserError, match="unknown keys speed"):
        TrainRequest.from_dict({**value, "speed": 3})
    with pytest.raises(UserError, match="lacks corpus"):
        TrainRequest.from_dict({key: value[key] for key in value if key != "corpus"})
    with pytest.raises(UserError, match="unknown keys colour"):
        TrainRequest.from_dict({**value, "model": {**value["model"], "colour": "red"}})


def test_a_request_of_before_activations_were_kept_or_weights_spread_is_read() -> None:
    request = TrainRequest(ModelSpec("demo:0"), (2,), "demo")
    value = {name: part for name, part in request.to_dict().items() if name != "keep_activations"}
    assert TrainRequest.from_dict(value) == request
    value["model"] = {name: part for name, part in value["model"].items() if name != "placement"}
    assert TrainRequest.from_dict(value) == request


def test_paths_become_absolute_and_names_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.csv").write_text("a,b\n")
    (tmp_path / "model").mkdir()
    request = TrainRequest(ModelSpec("model"), None, "text.csv#b", library="here").resolved()
    assert request.model.name == str(tmp_path / "model")
    assert request.corpus == f"{tmp_path / 'text.csv'}#b"
    assert request.library == os.path.join(tmp_path, "here")
    assert TrainRequest(ModelSpec("owner/name"), None, "hf:a/b").resolved().corpus == "hf:a/b"


def test_what_changes_the_result_changes_the_key_and_nothing_else_does() -> None:
    request = TrainRequest(ModelSpec("demo:0"), (2,), "demo")
    same = replace(
        request, model=ModelSpec("demo:0", device="cpu", offline=True, placement="spread"), library="/elsewhere"
    )
    assert replace(same, keep_activations=True).key() == request.key()
    for config in (TrainConfig(tokens=5), TrainConfig(threshold=0.1), TrainConfig(atoms=9)):  # a run may go on so
        assert replace(request, config=config).key() == request.key()
    others = [
        replace(request, layers=(3,)),
        replace(request, corpus="other.txt"),
        replace(request, site="mlp_out"),
        replace(request, config=TrainConfig(seed=1)),
        replace(request, config=TrainConfig(sinks=None)),
        replace(request, model=ModelSpec("demo:1")),
        replace(request, model=ModelSpec("demo:0", dtype="float16")),
    ]
    assert len({request.key(), *(other.key() for other in others)}) == len(others) + 1
