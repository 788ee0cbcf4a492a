"""Small models in memory side by side, a large one alone; each lent to one session at a time."""

import gc
import threading
import time
import weakref

import pytest

import itda_core.models
from itda_core.errors import UserError
from itda_core.models.spec import ModelSpec
from pages.ui.frame import model_holder
from pages.ui.frame.model_holder import ModelHolder


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


def test_a_model_that_was_set_apart_from_collections_is_freed_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those that the server loads while it starts: a model refers to itself, so that only a collection frees it."""
    alive: list[weakref.ref[Model]] = []

    def load(spec: ModelSpec) -> Model:
        assert all(model() is None for model in alive)
        model = Model(spec.name)
        model.itself = model  # pyright: ignore[reportAttributeAccessIssue]
        alive.append(weakref.ref(model))
        return model

    monkeypatch.setattr(itda_core.models, "load_model", load, raising=False)
    holder = ModelHolder()
    try:
        with holder.lend(ModelSpec("a")):
            gc.freeze()
        with holder.lend(ModelSpec("b")):
            assert gc.get_freeze_count() > 0, "what stays is set apart again"
    finally:
        gc.unfreeze()
    assert len(alive) == 2


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


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that are loaded; they have as many bytes as their names say, or 1."""
    loaded: list[str] = []

    def load(spec: ModelSpec) -> Model:
        loaded.append(spec.name)
        time.sleep(0.02)
        return Model(spec.name)

    monkeypatch.setattr(itda_core.models, "load_model", load, raising=False)
    monkeypatch.setattr(model_holder, "_weights_of", lambda spec: int(spec.name) if spec.name.isdigit() else 1)
    monkeypatch.setattr(model_holder, "MOST_BYTES", 100)
    return loaded


def _together(holder: ModelHolder, names: list[str]) -> None:
    def session(name: str) -> None:
        with holder.lend(ModelSpec(name)) as model:
            assert model.name == name

    threads = [threading.Thread(target=session, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_small_models_are_each_loaded_once_however_many_sessions_want_them(loads: list[str]) -> None:
    holder = ModelHolder()
    for _ in range(2):
        _together(holder, [f"model {i}" for i in range(5)] * 2)
    assert sorted(loads) == [f"model {i}" for i in range(5)]


def test_a_session_with_another_model_does_not_wait(loads: list[str]) -> None:
    holder = ModelHolder()
    with holder.lend(ModelSpec("a")):
        _together(holder, ["b"])  # would never end
    assert loads == ["a", "b"]


def test_the_least_lately_used_leaves_for_one_that_does_not_fit(loads: list[str]) -> None:
    holder = ModelHolder()
    for name in ("40", "50", "40", "60", "40", "50"):
        with holder.lend(ModelSpec(name)):
            pass
    assert loads == ["40", "50", "60", "50"]


def test_a_large_model_waits_until_the_others_are_given_back(loads: list[str]) -> None:
    holder = ModelHolder()
    large = threading.Thread(target=_together, args=(holder, ["1000"]))
    with holder.lend(ModelSpec("a")):
        large.start()
        time.sleep(0.2)
        assert loads == ["a"]
    large.join(60)
    assert not large.is_alive()
    assert loads == ["a", "1000"]
    assert holder.ready == ModelSpec("1000")


def _waits_for_room(holder: ModelHolder, name: str) -> threading.Thread:
    """A session whose model does not fit beside the one that is lent."""
    thread = threading.Thread(target=_together, args=(holder, [name]), daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not holder._making_room and time.monotonic() < until:
        time.sleep(0.01)
    return thread


def test_steady_visitors_of_one_model_do_not_keep_out_another(loads: list[str]) -> None:
    holder = ModelHolder()
    lent: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def visitor() -> None:
        with holder.lend(ModelSpec("a")) as model:
            lent.append(model.name)
            inside.set()
            leave.wait(60)

    with holder.lend(ModelSpec("a")):
        large = _waits_for_room(holder, "1000")
        later = threading.Thread(target=visitor, daemon=True)
        later.start()
        time.sleep(0.2)
    large.join(10)  # `later` has the model until it is told to leave
    assert not large.is_alive()
    assert inside.wait(60)
    leave.set()
    later.join(60)
    assert lent == ["a"]
    assert loads == ["a", "1000", "a"]


def test_who_has_a_model_may_have_it_again_while_a_load_waits_for_it(loads: list[str]) -> None:
    holder = ModelHolder()
    again = threading.Event()
    large: list[threading.Thread] = []

    def session() -> None:
        with holder.lend(ModelSpec("a")):
            large.append(_waits_for_room(holder, "1000"))
            with holder.lend(ModelSpec("a")):
                again.set()

    threading.Thread(target=session, daemon=True).start()
    assert again.wait(60)
    large[0].join(60)
    assert loads == ["a", "1000"]
