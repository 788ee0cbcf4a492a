"""The parts of trainings on a cluster that need no cluster: groups, parcels, the exchange, clear errors."""

from __future__ import annotations

import io
import itertools
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from itda_core.cli.main import main
from itda_core.dictionaries import TrainConfig
from itda_core.dictionaries.growing.growth import LayerProgress
from itda_core.dictionaries.growing.progress import TrainProgress
from itda_core.dictionaries.training_stage import TrainingStage
from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.runs import TrainRequest, cluster
from itda_core.runs.cluster.exchange import Exchange, Key
from itda_core.runs.cluster.groups import groups_of
from itda_core.runs.cluster.parcels import Parcel, keep_newest, newest_in
from itda_core.runs.cluster.progress import merged
from itda_core.runs.cluster.team import Team
from itda_core.runs.cluster.worker import Order, Outcome, Report
from itda_core.runs.training.checkpoint_folder import CheckpointFolder
from tests.conftest import acted

if TYPE_CHECKING:
    from itda_core.runs.cluster.workers import Slot


def partitions(layers: tuple[int, ...], workers: int) -> Iterator[list[tuple[int, ...]]]:
    """Every way to give each layer to one of the workers."""
    for owners in itertools.product(range(workers), repeat=len(layers)):
        groups = [tuple(layer for layer, owner in zip(layers, owners, strict=True) if owner == i) for i in set(owners)]
        yield groups


@pytest.mark.parametrize(("layers", "workers"), [((0, 1, 2, 3, 4, 5), 2), ((5, 0, 3), 2), ((2,), 3), ((0, 4, 7, 9), 3)])
def test_no_other_groups_take_less_time_by_the_cost_model(layers: tuple[int, ...], workers: int) -> None:
    def seconds(groups: list[tuple[int, ...]], forward: float, judging: float) -> float:
        share = (forward * (max(layers) + 1) + judging * len(layers)) / workers
        return max(judging * max(map(len, groups)), share)

    found = groups_of(layers, workers)
    assert sorted(layer for group in found for layer in group) == sorted(layers)
    assert len(found) == min(workers, len(layers))
    for forward, judging in ((1.0, 0.1), (1.0, 1.0), (0.1, 1.0)):
        best = min(seconds(groups, forward, judging) for groups in partitions(layers, workers))
        assert seconds(list(found), forward, judging) == pytest.approx(best)


def test_a_checkpoint_travels_as_bytes_and_replaces_the_one_before(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    for tokens, content in (("000000000010", b"ten"), ("000000000020", b"twenty")):
        folder = there / f"checkpoint-{tokens}"
        folder.mkdir(parents=True)
        (folder / "state.json").write_bytes(content)
        keep_newest(Parcel.of(folder), here)
    assert [path.name for path in here.iterdir()] == ["checkpoint-000000000020"]
    newest = newest_in(here)
    assert newest is not None
    assert (newest / "state.json").read_bytes() == b"twenty"


def test_a_parcel_that_leads_elsewhere_is_not_unpacked(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../outside.txt", "no")
    with pytest.raises(UserError, match="leads elsewhere"):
        Parcel("checkpoint-1", packed.getvalue()).unpack(tmp_path / "state")
    assert list(tmp_path.rglob("*.txt")) == []


def keys(*numbers: int) -> list[Key]:
    return [Key(1, number, str(number)) for number in numbers]


def test_each_batch_is_computed_once_and_reaches_every_member() -> None:
    async def scene() -> None:
        exchange = Exchange(ahead=4)
        await exchange.join([0, 1])
        a, b = keys(0, 16)
        first = await exchange.ask("w0", 0, a, [a, b])
        assert (first.compute, set(first.members)) == (a, {0, 1})
        second = await exchange.ask("w1", 1, a, [a, b])
        assert second.compute == b, "the first is being computed elsewhere"
        await exchange.publish(a, {1: ("a for 1",)})
        assert (await exchange.ask("w1", 1, a, [a])).part == ("a for 1",)
        await exchange.publish(b, {0: ("b for 0",)})
        assert (await exchange.ask("w0", 0, b, [b])).part == ("b for 0",)

    acted(scene())


def test_who_is_ahead_waits_for_room_and_who_is_last_never_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itda_core.runs.cluster.exchange._PATIENCE", 0.05)

    async def scene() -> None:
        exchange = Exchange(ahead=3)
        await exchange.join([0, 1])
        row = keys(*range(0, 160, 16))
        for key in row[:3]:
            assert (await exchange.ask("w0", 0, key, [key])).compute == key
            await exchange.publish(key, {1: (key,)})
        waiting = await exchange.ask("w0", 0, row[3], [row[3]])
        assert (waiting.part, waiting.compute) == ((), None)
        for key in row[:3]:
            assert (await exchange.ask("w1", 1, key, [key])).part == (key,)
        assert (await exchange.ask("w1", 1, row[3], [row[3]])).compute == row[3]
        assert (await exchange.ask("w0", 0, row[3], row[3:])).compute == row[4], "there is room again"

    acted(scene())


def test_what_a_dead_worker_had_claimed_is_computed_by_another() -> None:
    async def scene() -> None:
        exchange = Exchange(ahead=4)
        await exchange.join([0, 1])
        (a,) = keys(0)
        assert (await exchange.ask("w0", 0, a, [a])).compute == a
        await exchange.leave("w0", 0)
        again = await exchange.ask("w1", 1, a, [a])
        assert (again.compute, again.members) == (a, (1,))

    acted(scene())


def test_progress_of_groups_is_that_of_the_training() -> None:
    def of(layer: int, atoms: int) -> LayerProgress:
        return LayerProgress("resid_post", layer, atoms, 0.2, 0.1, ())

    begun = TrainProgress(300, 900, 3.0, 100.0, 6.0, (of(0, 5), of(1, 6)))
    together = merged([(0, 1), (4,)], {0: begun}, site="resid_post", tokens=900, seconds=4.0, rate=50.0)
    assert (together.tokens, together.total, together.seconds) == (200, 900, 4.0)
    assert together.eta == pytest.approx((900 - 200) / 50)
    assert [(layer.layer, layer.atoms) for layer in together.layers] == [(0, 5), (1, 6), (4, 0)]


def test_stages_of_groups_are_those_of_the_training() -> None:
    def at(stage: TrainingStage, eta: float, *layers: tuple[int, int]) -> TrainProgress:
        told = tuple(LayerProgress("resid_post", n, 0, 0.5, 0.0, (), step=step, steps=64) for n, step in layers)
        return TrainProgress(900, 900, 3.0, 100.0, eta, told, at=stage, rough=True)

    def together(*groups: TrainProgress) -> TrainProgress:
        return merged([(0, 1), (4,)], dict(enumerate(groups)), site="resid_post", tokens=900, seconds=4.0, rate=50.0)

    first = at(TrainingStage("choosing", 10, 64, 1, 2, 2), 30.0, (0, 64), (1, 10))
    reading = replace(at(TrainingStage("reading", 450, 900), 7.0, (4, 0)), tokens=450, at=None)
    assert together(first).stage == TrainingStage("reading", 600, 900)  # layer 4 has not begun
    assert together(first, reading).stage == TrainingStage("reading", 750, 900)
    assert together(first, reading).eta == 30.0  # as long as the slower one
    second = at(TrainingStage("labelling", 5, 20, 4), 2.0, (4, 64))
    assert together(first, second).stage == TrainingStage("choosing", 64 + 10 + 64, 3 * 64, None, 0, 3)
    assert (together(first, second).eta, together(first, second).rough) == (30.0, True)
    measuring = at(TrainingStage("measuring", 0, 2, 0, 1, 2), 3.0, (0, 64), (1, 64))
    assert together(measuring, second).stage == TrainingStage("labelling", 5, 20, None, 0, 3)
    ended = replace(measuring, done=True, eta=0.0)
    assert together(ended, replace(second, text_ended=True)).text_ended
    assert not together(replace(ended, full=True), second).full
    assert together(replace(ended, full=True), replace(second, full=True)).full
    assert together(ended, replace(second, done=True)).stage == TrainingStage("measuring", 3, 3, None, 0, 3)


@pytest.fixture
def request_(tiny_folder: Path, corpus_file: Path) -> TrainRequest:
    return TrainRequest(ModelSpec(str(tiny_folder), device="cpu"), (0,), str(corpus_file), TrainConfig(context=32))


def test_without_ray_the_extra_is_named(request_: TrainRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"itda-studio\[cluster\]"):
        cluster.run(request_)


def test_an_address_that_does_not_answer_is_named() -> None:
    pytest.importorskip("ray")
    with socket.socket() as taken:  # bound and never listening: a connection is refused
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match=f"No Ray cluster answers at {address}"), cluster_at(address):
            pass


@pytest.mark.parametrize("address", ["nowhere", "ray://host:1", "host:99999", ":1"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(UserError, match="no address of a Ray cluster"), cluster_at(address):
        pass


def cluster_at(address: str):
    from itda_core.runs.cluster.connection import connected

    return connected(address)


def test_what_does_not_go_with_a_cluster_is_refused_at_once(request_: TrainRequest) -> None:
    with pytest.raises(UserError, match="--keep-activations"):
        cluster.run(replace(request_, keep_activations=True))
    with pytest.raises(UserError, match="cuda:1"):
        cluster.run(replace(request_, model=replace(request_.model, device="cuda:1")))
    with pytest.raises(UserError, match="does not exist"):
        cluster.run(replace(request_, corpus="no/such.txt"))


def test_ray_is_not_loaded_before_it_is_asked_for() -> None:
    program = "import sys, itda_core.cli.main, itda_core.runs.cluster; print('ray' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("given", "address"),
    [(["--cluster", "--json"], "auto"), (["--json", "--cluster"], "auto"), (["--cluster", "host:6379"], "host:6379")],
)
def test_the_command_line_takes_an_address_or_none(
    request_: TrainRequest, monkeypatch: pytest.MonkeyPatch, given: list[str], address: str
) -> None:
    asked: list[tuple[TrainRequest, str]] = []

    def run(request: TrainRequest, *, address: str, **_: object) -> tuple[()]:
        asked.append((request, address))
        return ()

    monkeypatch.setattr(cluster, "run", run)
    with pytest.raises(SystemExit) as ended:
        main(["train", *request_.arguments(), *given])
    assert ended.value.code == 0
    assert asked == [(request_, address)]


class Method:
    """A method of an actor: it gives Ray's reference to its result, here the list that will hold it."""

    def __init__(self, answers: Callable[..., list[Any]]) -> None:
        self.remote = answers


class Actor:
    """A worker whose answers the test gives: a training ends when its result is put into `outcome`."""

    def __init__(self) -> None:
        self.report = Report()  # of its latest answer
        self.orders: list[Order] = []
        self.outcome: list[Outcome] = []
        self.train, self.poll = Method(self._train), Method(lambda: [self.report])

    def _train(self, order: Order) -> list[Outcome]:
        self.orders.append(order)
        self.outcome = []
        return self.outcome


class FakeRay:
    """References are lists, empty as long as there is no result."""

    exceptions = SimpleNamespace(RayActorError=ConnectionError)

    @staticmethod
    def wait(references: list[list[Any]], timeout: float) -> tuple[list[list[Any]], list[list[Any]]]:
        return [one for one in references if one], [one for one in references if not one]

    @staticmethod
    def get(reference: list[Any]) -> Any:
        return reference[0]


def test_a_report_of_a_workers_last_group_is_not_taken_for_its_next_ones(tmp_path: Path) -> None:
    """A worker of several threads may answer before it has begun with what it was asked for."""

    def at(order: Order, *layers: int) -> Report:
        parts = tuple(LayerProgress("resid_post", layer, 9, 0.5, 0.1, ()) for layer in layers)
        return Report(order.id, "training", progress=TrainProgress(500, 1000, 1.0, 500.0, 1.0, parts))

    actor = Actor()
    slot = SimpleNamespace(actor=actor, name="one", where="here", started=lambda: True)
    request = TrainRequest(ModelSpec("demo:0"), (0, 2, 3), "demo", TrainConfig(k=4, tokens=1000))

    @contextmanager
    def folder(own: TrainRequest) -> Iterator[CheckpointFolder]:
        yield CheckpointFolder(tmp_path / str(own.layers))

    team = Team(
        *(FakeRay, request, ((3,), (0, 2)), [cast("Slot", slot)], folder),
        most=1,
        checkpoint_seconds=60.0,
        on_note=lambda note: None,
    )
    (first,) = actor.orders
    actor.report = at(first, 3)
    for _ in range(4):
        team.step()
    assert (progress := team.progress()) is not None
    assert [layer.layer for layer in progress.layers] == [0, 2, 3]
    actor.outcome.append(Outcome(actor.report, dictionaries=(b"saved",)))
    for _ in range(4):  # the next group is asked for, and the worker still reports the one before
        team.step()
        if progress := team.progress():
            assert [layer.layer for layer in progress.layers] == [0, 2, 3]
    _, second = actor.orders
    actor.report = at(second, 0, 2)
    for _ in range(4):
        team.step()
    assert (progress := team.progress()) is not None
    assert [(layer.layer, layer.atoms) for layer in progress.layers] == [(0, 9), (2, 9), (3, 9)]
