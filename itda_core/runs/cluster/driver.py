"""Trainings on a cluster, from their requests to dictionaries in the library of this machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.errors import UserError
from itda_core.runs.cluster.connection import connected
from itda_core.runs.cluster.groups import groups_of
from itda_core.runs.layers import existing_layers, format_layers, parse_layers
from itda_core.runs.library import Library
from itda_core.runs.training.checkpoint_folder import CheckpointFolder, folder_in, folder_of, unfinished
from itda_core.runs.training.naming import check_names
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.run import CHECKPOINT_SECONDS, Interrupted, TrainedDictionary

if TYPE_CHECKING:
    from itda_core.dictionaries import TrainProgress
    from itda_core.runs.cluster.team import Team
    from itda_core.runs.cluster.workers import Slot

_BETWEEN_LOOKS = 0.25  # seconds; each look costs the workers a moment
_SECONDS_TO_STOP = 120.0  # for a batch and a checkpoint of any size


def _ignore(*_: object) -> None:
    return None


def _never() -> bool:
    return False


def run(
    request: TrainRequest,
    *,
    address: str = "auto",
    resume: bool = False,
    further: bool = False,
    work: Path | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    on_step: Callable[[str], None] = _ignore,
    on_progress: Callable[[TrainProgress], None] = _ignore,
    on_note: Callable[[str], None] = _ignore,
    should_stop: Callable[[], bool] = _never,
) -> tuple[TrainedDictionary, ...]:
    """As training.run, on the cluster at `address`; see `train_all`.

    Raises UserError as that does, and when it is to go `further`.
    """
    if further:
        raise UserError(
            "A training on a cluster begins anew or goes on from its own checkpoints; to go further from finished "
            "dictionaries, leave --cluster out."
        )
    (results,) = train_all(
        [request],
        address=address,
        resume=resume,
        work=work,
        checkpoint_seconds=checkpoint_seconds,
        on_step=on_step,
        on_progress=lambda _, progress: on_progress(progress),
        on_note=lambda _, note: on_note(note),
        should_stop=should_stop,
    )
    return results


def train_all(
    requests: Sequence[TrainRequest],
    *,
    address: str = "auto",
    resume: bool = False,
    work: Path | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    on_step: Callable[[str], None] = _ignore,
    on_progress: Callable[[int, TrainProgress], None] = _ignore,
    on_note: Callable[[int, str], None] = _ignore,
    should_stop: Callable[[], bool] = _never,
) -> list[tuple[TrainedDictionary, ...]]:
    """Train all `requests` (models, revisions, corpora, layers) and save the dictionaries into their libraries here.

    - `address`: host:port of a Ray cluster that this machine belongs to; "auto" or "local": this machine's cores;
    - each worker has one core, or one GPU where the cluster has some and the request's device allows it. As many
      requests as there are workers are trained at once; a request's layers are spread over its workers (groups_of),
      which share its forward passes, and those whose request is done compute for others. Hosts need the same
      itda-studio, and models and corpora under the same names; no disk is shared: checkpoints and dictionaries are
      sent here as the bytes of their files;
    - `resume`: go on with unfinished runs of the same requests, each group of layers from its last checkpoint;
    - `work`: where checkpoints are kept (None: in the user's checkpoints folder, a run per group of layers);
    - `on_progress`, `on_note`: with the request's place in `requests`;
    - `should_stop`: asked several times a second; True makes all workers save their state and raises Interrupted.

    Raises UserError for whatever cannot be done, Interrupted when told to stop; what was done is kept in both cases.
    """
    from itda_core.runs.cluster import workers

    checked = [_checked(request) for request in requests]
    if not checked:
        return []
    for request in checked:
        Library(request.library).check_writable()
    on_step("connecting to the cluster")
    with connected(address) as ray:
        slots = workers.start(ray, checked[0])
        trainings = _Trainings(ray, checked, slots, resume, work, checkpoint_seconds, on_note)
        try:
            on_step(f"starting {len(slots)} {'worker' if len(slots) == 1 else 'workers'}")
            workers.await_first(ray, slots)
            while not trainings.ended:
                trainings.begin()
                trainings.look(on_step, on_progress)
                if trainings.teams and should_stop():
                    tokens, total = _stop(list(trainings.teams.values()))
                    raise Interrupted(tokens, total)
                time.sleep(_BETWEEN_LOOKS)
        except UserError:
            _stop(list(trainings.teams.values()))
            raise
        finally:
            for team in trainings.teams.values():
                team.close()
            for slot in slots:
                slot.kill()
    if work is not None:
        shutil.rmtree(work, ignore_errors=True)
    return [trainings.results[i] for i in range(len(checked))]


class _Trainings:
    """Trainings side by side on the workers of one cluster, each by a team of them."""

    def __init__(
        self,
        ray: Any,
        requests: Sequence[TrainRequest],
        slots: Sequence[Slot],
        resume: bool,
        work: Path | None,
        checkpoint_seconds: float,
        on_note: Callable[[int, str], None],
    ) -> None:
        """requests: resolved; slots: all workers; the rest as in `train_all`."""
        self._ray, self._requests, self._slots = ray, requests, slots
        self._resume, self._checkpoints, self._on_note = resume, work, on_note
        self._checkpoint_seconds = checkpoint_seconds
        self._pending = list(range(len(requests)))
        self.teams: dict[int, Team] = {}  # by the request's place, as the results
        self.results: dict[int, tuple[TrainedDictionary, ...]] = {}
        self._announced = False  # whether the start of training was reported since the last dictionaries were saved

    @property
    def ended(self) -> bool:
        """Whether every request has its results."""
        return not (self._pending or self.teams)

    def begin(self) -> None:
        """Start waiting trainings on the free workers; where none waits, workers join the smallest team."""
        free = [slot for slot in self._slots if not any(slot in team.slots for team in self.teams.values())]
        while self._pending and free:
            number = self._pending.pop(0)
            given, free = _dealt(free, len(self._pending) + 1)
            self.teams[number] = self._team(number, given)
        for slot in free if self.teams else ():
            min(self.teams.values(), key=lambda team: len(team.slots)).join(slot)

    def _team(self, number: int, slots: list[Slot]) -> Team:
        from itda_core.runs.cluster.team import Team

        request = _with_layers(self._requests[number], self._ray, slots[0])
        if not self._resume:
            check_names(request, Library(request.library), request.layers or ())
        on_note = partial(self._on_note, number)
        checkpoints = _part(self._checkpoints, number, len(self._requests))
        folders = _CheckpointFolders(request, resume=self._resume, checkpoints=checkpoints, note=on_note)
        return Team(
            self._ray,
            request,
            folders.groups(len(slots)),
            slots,
            folders.checkpoints_of,
            most=len(self._slots),
            checkpoint_seconds=self._checkpoint_seconds,
            on_note=on_note,
        )

    def look(self, on_step: Callable[[str], None], on_progress: Callable[[int, TrainProgress], None]) -> None:
        """Look at every team once, and take the results of those that have ended."""
        for number, team in list(self.teams.items()):
            ended = team.step()
            if team.training and not self._announced:
                self._announced = True
                on_step("training")
            if progress := team.progress():
                on_progress(number, progress)
            if ended:
                on_step("saving")
                self.results[number] = team.results()
                self.teams.pop(number).close()
                self._announced = False


def _checked(request: TrainRequest) -> TrainRequest:
    """`request` resolved. Raises UserError for what does not go with a cluster, or with no training at all."""
    from itda_core.text import Corpus

    if request.keep_activations:
        raise UserError(
            "Keeping activations does not go with a cluster, whose machines would each keep a part; leave out "
            "--keep-activations or --cluster."
        )
    if ":" in request.model.device:
        raise UserError(f"Device {request.model.device} names one card of one machine; give cuda, cpu or auto.")
    request = request.resolved()
    Corpus.open(request.corpus)
    return request


def _dealt(free: list[Slot], pending: int) -> tuple[list[Slot], list[Slot]]:
    """The share of the free workers for the next of `pending` requests, at least one, and the other workers."""
    share = -(-len(free) // pending)
    return free[:share], free[share:]


def _part(checkpoints: Path | None, number: int, of: int) -> Path | None:
    return checkpoints if checkpoints is None or of == 1 else checkpoints / str(number)


def _with_layers(request: TrainRequest, ray: Any, slot: Slot) -> TrainRequest:
    """`request` with its layers as numbers; a worker counts them where this machine cannot."""
    from itda_core.runs.cluster.workers import n_layers
    from itda_core.runs.costs.model_figures import model_figures

    figures = model_figures(request.model)
    count = n_layers(ray, slot, request) if figures is None else figures.n_layers
    return replace(request, layers=existing_layers(request.layers, count, request.model.name))


@dataclass(frozen=True)
class _CheckpointFolders:
    """Where the groups of one request keep their checkpoints on this machine."""

    request: TrainRequest  # with its layers
    resume: bool
    checkpoints: Path | None
    note: Callable[[str], None]

    def groups(self, workers: int) -> tuple[tuple[int, ...], ...]:
        """The layers as groups: those of unfinished runs that go on, and the others newly cut."""
        assert self.request.layers is not None, "they were looked up"
        left = set(self.request.layers)
        found: list[tuple[int, ...]] = []
        for group in self._begun() if self.resume else ():
            if left.issuperset(group):
                found.append(group)
                left -= set(group)
        if left:
            found += groups_of(sorted(left), max(1, workers - len(found)))
        return tuple(found)

    @contextmanager
    def checkpoints_of(self, request: TrainRequest) -> Iterator[CheckpointFolder]:
        """The checkpoint folder of a group, locked while the block runs."""
        locked: AbstractContextManager[CheckpointFolder]
        if self.checkpoints is None:
            locked = folder_of(request, resume=self.resume, on_note=self.note)
        else:
            locked = folder_in(self.checkpoints / format_layers(request.layers), resume=self.resume)
        with locked as checkpoints:
            if self.checkpoints is not None and not self.resume:
                shutil.rmtree(checkpoints.state, ignore_errors=True)
            yield checkpoints

    def _begun(self) -> Iterator[tuple[int, ...]]:
        """Groups of layers with a checkpoint, the newest first."""
        if self.checkpoints is not None:
            for folder in self.checkpoints.iterdir() if self.checkpoints.is_dir() else ():
                if CheckpointFolder(folder).begun and (layers := parse_layers(folder.name)):
                    yield layers
            return
        for run in unfinished():
            layers = run.request.layers
            if layers and replace(run.request, layers=self.request.layers).key() == self.request.key():
                yield layers


def _stop(teams: Sequence[Team]) -> tuple[int, int | None]:
    """Have all teams save their state; returns the tokens they have read together, and those they were to read."""
    until = time.monotonic() + _SECONDS_TO_STOP
    for team in teams:
        team.stop()
    going = list(teams)
    while going and time.monotonic() < until:
        for team in list(going):
            try:
                ended = team.step()
            except UserError:  # the first error is being reported; the other teams' work is kept
                ended = True
            if ended:
                going.remove(team)
        time.sleep(_BETWEEN_LOOKS)
        for team in teams:
            team.progress()
    known = [team.total for team in teams if team.total is not None]
    return sum(team.tokens for team in teams), sum(known) if len(known) == len(teams) else None
