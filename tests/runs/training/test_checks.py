"""What can be seen to be wrong with a training before it starts is what the training itself would refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from itda_core.dictionaries import TrainConfig
from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.models.loading import load_model, load_outline
from itda_core.runs import TrainRequest, estimate, run
from itda_core.runs.faults import Faults
from itda_core.runs.machine import machine
from itda_core.runs.training.checks import find_faults, find_shortage, known_model


@pytest.fixture
def request_(tiny_folder: Path, corpus_file: Path) -> TrainRequest:
    config = TrainConfig(k=3, tokens=600, context=32)
    return TrainRequest(ModelSpec(str(tiny_folder), device="cpu"), (0, 2), str(corpus_file), config)


def faults_of(request: TrainRequest) -> Faults:
    faults = Faults()
    find_faults(request, faults, figures=known_model(request.model, faults), outline=load_outline)
    return faults


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("layers", {"layers": (4,)}),
        ("site", {"site": "transformer.h.{layer}.nothing"}),
        ("site", {"site": "transformer.h.1.mlp"}),
        ("model", {"model": ModelSpec("./no-such-model")}),
        ("context", {"config": TrainConfig(k=3, context=65)}),
        ("k", {"config": TrainConfig(k=33, context=32)}),
        ("threshold", {"config": TrainConfig(k=3, context=32, selection="paper", threshold=0.9)}),
        ("device", {"model": ModelSpec("demo:0", device="cuda:77")}),
    ],
)
def test_it_is_what_the_training_says(request_: TrainRequest, field: str, change: dict) -> None:
    assert faults_of(request_).errors == []
    request = replace(request_, **change)
    (found,) = faults_of(request).errors
    assert found.field == field
    with pytest.raises(UserError) as raised:
        run(request)
    assert str(raised.value) == str(found)


def test_an_outline_is_the_model_without_weights(tiny_folder: Path) -> None:
    spec = ModelSpec(str(tiny_folder), device="cpu")
    outline, model = load_outline(spec), load_model(spec, head=False)
    assert (outline.n_layers, outline.d_model, outline.context) == (model.n_layers, model.d_model, model.context)
    assert all(weight.is_meta for weight in outline.module.parameters())
    for site in ("resid_post", "attn_out", "transformer.h.{layer}.mlp"):
        assert outline.site(site, 1) == model.site(site, 1)
    known = known_model(spec, Faults())
    assert known is not None
    assert known.context == model.context


@pytest.mark.usefixtures("home")
def test_too_little_memory_holds_back_where_the_atoms_are_known(request_: TrainRequest) -> None:
    small = replace(machine(), memory_free=1)
    for config, held_back in ((request_.config, False), (replace(request_.config, atoms=50), True)):
        request = replace(request_, config=config)
        faults = Faults()
        find_shortage(request, estimate(request), small, faults)
        assert bool(faults) == held_back
        assert [error.field for error in (faults.errors or faults.remarks)] == ["memory"]
        said = str((faults.errors or faults.remarks)[0])
        assert said.startswith("About" if held_back else "Up to")
        assert "of memory would be needed" in said
        assert ("most texts give far fewer" in said) == (not held_back)
        assert said.rpartition("; ")[2].startswith("choose fewer layers")  # what a page shows as the remedy
    faults = Faults()
    find_shortage(request_, replace(estimate(request_), library_free=1, assumed=False), machine(), faults)
    assert [error.field for error in faults.errors] == ["disk"]


@pytest.mark.usefixtures("home")
def test_more_than_the_text_has(request_: TrainRequest, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("ten words are all that there is to read here")
    request = replace(request_, corpus=str(short))
    faults = faults_of(request)
    assert not faults
    assert [remark.field for remark in faults.remarks] == ["tokens"]
    config = TrainConfig(k=3, context=32, selection="sampled", atoms=500)
    assert [error.field for error in faults_of(replace(request, config=config)).errors] == ["atoms"]
