"""At most one model in memory, lent to one session at a time."""

import gc
import threading
import time
import weakref

import pytest

import itda_core.models
from itda_core.errors import UserError
from itda_core.models.spec import ModelSpec
from pages.ui.models import ModelHolder


class Model:
    device = "cpu"

    def __init__(self, name: str) -> None:
        self.name = name


def test_the_old_model_is_gone_before_the_new_one_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[Model]] = []
    at_load: list[int] = []

    def load(spec: ModelSpec) -> Model:
        gc.collect()
        at_load.append(sum(model() is not None for model in alive))
        model = Model(spec.name)
        alive.append(weakref.ref(model))
        return model

    monkeypatch.setattr(itda_core.models, "load_model", load, raising=False)
    holder = ModelHolder()
    for name in ("a", "a", "b", "a"):
        with holder.lend(ModelSpec(name)) as model:
            assert model.name == name
        del model
    assert at_load == [0, 0, 0]


def test_a_model_that_fails_to_load_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(spec: ModelSpec) -> Model:
        if spec.name == "bad":
            raise UserError("No such model; choose another.")
        return Model(spec.name)

    monkeypatch.setattr(itda_core.models, "load_model", load, raising=False)
    holder = ModelHolder()
    with holder.lend(ModelSpec("good")):
        assert holder.device == "cpu"
    with pytest.raises(UserError), holder.lend(ModelSpec("bad")):
        pass
    assert holder.ready is None
    assert holder.device is None
    with holder.lend(ModelSpec("good")) as model:
        assert model.name == "good"


def test_one_session_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(itda_core.models, "load_model", lambda spec: Model(spec.name), raising=False)
    holder = ModelHolder()
    inside, most = 0, 0

    def session() -> None:
        nonlocal inside, most
        with holder.lend(ModelSpec("a")):
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    threads = [threading.Thread(target=session) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
