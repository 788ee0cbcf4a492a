"""What the dictionaries of a training are called."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from itda_core.dictionaries import TrainConfig
from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.runs import Library, TrainRequest, run
from itda_core.runs.names import MOST_BYTES
from itda_core.runs.training.naming import check_names, usual_name
from tests.runs.samples import make_dictionary


@pytest.fixture
def request_(tiny_folder: Path, corpus_file: Path) -> TrainRequest:
    config = TrainConfig(k=3, tokens=600, context=32)
    return TrainRequest(ModelSpec(str(tiny_folder), device="cpu"), (0, 2), str(corpus_file), config, name="mine")


def test_one_layer_has_the_name_and_of_several_each_its_number(request_: TrainRequest, home: Path) -> None:
    assert [Path(one.path).name for one in run(request_)] == ["mine-L0", "mine-L2"]
    with pytest.raises(UserError, match="'mine-L0' already"):
        run(request_)
    (alone,) = run(replace(request_, layers=(1,)))
    assert Path(alone.path).name == "mine"
    assert sorted(path.name for path in (home / "library").iterdir()) == ["mine", "mine-L0", "mine-L2"]


def test_a_name_that_is_taken_while_it_trains_is_counted_up(request_: TrainRequest, home: Path) -> None:
    def take(step: str) -> None:
        if step == "saving":
            shutil.copytree(Library().add(make_dictionary()), home / "library" / "mine")

    (made,) = run(replace(request_, layers=(1,)), on_step=take)
    assert Path(made.path).name == "mine-2"


def test_going_further_keeps_the_name_beside_the_earlier_one(request_: TrainRequest) -> None:
    one = replace(request_, layers=(1,), config=replace(request_.config, threshold=0.5))
    run(one)
    (longer,) = run(replace(one, config=replace(one.config, tokens=900)), resume=True)
    assert Path(longer.path).name == "mine-2"


@pytest.mark.parametrize("name", ["../out", "/tmp/x", "a/b", ".hidden", "", "con", "x" * 121])
def test_a_name_never_leads_out_of_the_library(request_: TrainRequest, name: str) -> None:
    with pytest.raises(UserError) as refused:
        replace(request_, name=name)
    assert refused.value.field == "name"
    with pytest.raises(UserError):
        TrainRequest.from_dict({**request_.to_dict(), "name": name})


def test_a_run_is_the_same_whatever_it_is_called(request_: TrainRequest) -> None:
    assert request_.key() == replace(request_, name=None).key()
    assert request_.arguments()[-2:] == ["--name", "mine"]
    earlier = request_.to_dict()
    del earlier["name"]
    assert TrainRequest.from_dict(earlier).name is None


def test_the_usual_name_tells_trainings_apart(home: Path) -> None:
    request = TrainRequest(ModelSpec("demo:0"), (2,), "demo", TrainConfig(k=8, threshold=0.25))
    library = Library()
    assert usual_name(request, library, (2,)) == "demo-0-L2-sequential-0.25"
    assert usual_name(replace(request, layers=(1, 2)), library, (1, 2)) == "demo-0-sequential-0.25"
    sized = replace(request, config=TrainConfig(selection="consensus", atoms=512), site="mlp_out")
    assert usual_name(sized, library, (2,)) == "demo-0-L2-mlp_out-consensus-512"
    assert usual_name(replace(request, config=TrainConfig(selection="paper")), library, (2,)) == "demo-0-L2-paper"
    (home / "library" / "demo-0-sequential-0.25-L2").mkdir(parents=True)
    assert usual_name(replace(request, layers=(1, 2)), library, (1, 2)) == "demo-0-sequential-0.25-2"
    assert usual_name(request, library, (2,)) == "demo-0-L2-sequential-0.25"


def test_a_usual_name_is_always_one_that_can_be_had(home: Path) -> None:
    for model in ("/models/" + "é" * 200, "owner/" + "m" * 200, "/models/a model!", "///"):
        request = TrainRequest(ModelSpec(model), None, "demo", TrainConfig(), "transformer." + "h." * 200 + "{layer}")
        name = usual_name(request, Library(), range(12))
        check_names(replace(request, name=name), Library(), range(12))
        assert len(f"{name}-L11".encode()) <= MOST_BYTES
