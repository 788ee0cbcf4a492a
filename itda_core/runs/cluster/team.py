"""One training on the workers that were given to it: groups of layers, their checkpoints, their results."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.errors import UserError
from itda_core.runs.archive import extract_zip
from itda_core.runs.cluster.exchange import Exchange
from itda_core.runs.cluster.parcels import Parcel, keep_newest, newest_in
from itda_core.runs.cluster.progress import merged
from itda_core.runs.cluster.shared_forward import Share
from itda_core.runs.cluster.worker import Order, Outcome, Report
from itda_core.runs.cluster.workers import Slot
from itda_core.runs.layers import format_layers
from itda_core.runs.library import Library
from itda_core.runs.training.checkpoint_folder import CheckpointFolder, Origin
from itda_core.runs.training.run import TrainedDictionary, save_all

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary, TrainProgress
    from itda_core.runs.training.request import TrainRequest

_MOST_DEATHS = 5  # of one worker's processes; more are not chance
_SENDING_SHARE = 20  # checkpoints take at most about a twentieth of the time to send, however large they are


@dataclass(eq=False)
class _Group:
    """Some layers and where their checkpoints are kept."""

    layers: tuple[int, ...]
    request: TrainRequest
    checkpoints: CheckpointFolder
    order: str = ""  # Order.id of what its worker was last asked for
    slot: Slot | None = None
    outcome: Any = None  # Ray's reference, while a worker trains
    polled: Any = None  # Ray's reference to a report
    sending: Any = None  # Ray's reference to a checkpoint
    sending_since: float = 0.0
    send_after: float = 0.0  # time.monotonic()
    report: Report = field(default_factory=Report)
    notes: int = 0  # handed on
    result: Outcome | None = None


class Team:
    """A training: `step` it until it says that it has ended, then `results`.

    The driver keeps the checkpoints, in one folder per group, exactly as if each group had been trained on this
    machine alone: workers send theirs as they come. A worker that dies is replaced, and its group goes on from there.
    """

    def __init__(
        self,
        ray: Any,
        request: TrainRequest,
        groups: Sequence[Sequence[int]],
        slots: Sequence[Slot],
        checkpoints_of: Callable[[TrainRequest], AbstractContextManager[CheckpointFolder]],
        *,
        most: int,
        checkpoint_seconds: float,
        on_note: Callable[[str], None],
    ) -> None:
        """slots: workers that are this team's until it has ended, `most` if others join them later; checkpoints_of:
        the checkpoint folder of a group's request."""
        self._ray, self._request, self._on_note = ray, request, on_note
        self._checkpoint_seconds = checkpoint_seconds
        self.slots = list(slots)
        self._inside = ExitStack()
        self._groups: list[_Group] = []
        with ExitStack() as entering:
            for layers in groups:
                own = replace(request, layers=tuple(layers))
                self._groups.append(_Group(tuple(layers), own, entering.enter_context(checkpoints_of(own))))
            self._inside = entering.pop_all()
        self._computing: dict[Slot, Any] = {}  # workers without layers, with Ray's references
        self._exchange: Any = None
        self._ahead = 2 * most + 2
        if most > 1:
            place = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Exchange)
            self._exchange = place.remote(self._ahead)
        self._started = time.monotonic()
        self.tokens, self.total = 0, request.config.tokens  # read so far, and to read, as last reported
        self._first: tuple[float, int] | None = None  # when reading began, and where
        self._shown: dict[int, TrainProgress] = {}
        self._noted: set[str] = set()
        self._stopping = False
        self._hand_out(together=True)

    def join(self, slot: Slot) -> None:
        """One more worker, whose own training has ended: it takes a group that waits, or computes."""
        self.slots.append(slot)

    @property
    def training(self) -> bool:
        """Whether a worker has work that is worth keeping."""
        return any(group.report.step == "training" for group in self._groups)

    def step(self) -> bool:
        """Look at every worker once; True when all groups have ended. Raises UserError when one cannot go on."""
        for group in self._groups:
            if group.slot is not None:
                self._follow(group, group.slot)
        for slot, outcome in list(self._computing.items()):
            self._follow_computing(slot, outcome)
        if not self._stopping:
            self._hand_out()
        ended = all(group.result is not None or (self._stopping and group.slot is None) for group in self._groups)
        # The request is repeated at each look, because a worker that is just beginning forgets earlier ones.
        for slot in self._computing if ended or self._stopping else ():
            slot.actor.stop.remote()
        for slot in [group.slot for group in self._groups if group.slot] if self._stopping else ():
            slot.actor.stop.remote()
        return ended and not self._computing

    def stop(self) -> None:
        """Let every worker end after its next batch and send its state; `step` until then."""
        self._stopping = True

    def progress(self) -> TrainProgress | None:
        """The progress of all layers; None before the first batch, and when nothing is new since the last call."""
        known = {i: group.report.progress for i, group in enumerate(self._groups) if group.report.progress is not None}
        if known == self._shown:
            return None
        self._shown = known
        now = time.monotonic()
        tokens = self._request.config.tokens
        site, groups = self._request.site, [group.layers for group in self._groups]
        so_far = merged(groups, known, site=site, tokens=tokens, seconds=0.0, rate=0.0)
        self.tokens, self.total = so_far.tokens, so_far.total
        if self._first is None:
            self._first = now, so_far.tokens
        spent = now - self._first[0]
        rate = (so_far.tokens - self._first[1]) / spent if spent > 0 else 0.0
        seconds = now - self._started
        return merged(groups, known, site=site, tokens=tokens, seconds=seconds, rate=rate)

    def results(self) -> tuple[TrainedDictionary, ...]:
        """Save the dictionaries into the library, by layer. Raises UserError when the disk is full, or they differ in
        model or corpus, as copies on two machines may."""
        from itda_core.dictionaries import AtomDictionary

        library = Library(self._request.library)
        with tempfile.TemporaryDirectory() as scratch:
            loaded: list[list[AtomDictionary]] = []
            for i, group in enumerate(self._groups):
                assert group.result is not None, "all groups have ended"
                loaded.append([])
                for j, content in enumerate(group.result.dictionaries):
                    folder = Path(scratch) / f"{i}-{j}"
                    folder.mkdir()
                    packed = folder.with_suffix(".zip")
                    packed.write_bytes(content)
                    extract_zip(packed, folder)
                    loaded[-1].append(AtomDictionary.load(folder))
            _check_alike([dictionary for found in loaded for dictionary in found])
            results: list[TrainedDictionary] = []
            for group, dictionaries in zip(self._groups, loaded, strict=True):
                origin = Origin.of(dictionaries[0].spec.to_dict())
                results += save_all(dictionaries, library, group.checkpoints, self._request, origin)
        for group in self._groups:
            group.checkpoints.remove()
        return tuple(sorted(results, key=lambda result: -1 if result.layer is None else result.layer))

    def close(self) -> None:
        """Unlock the checkpoint folders and end the exchange."""
        self._inside.close()
        if self._exchange is not None:
            self._ray.kill(self._exchange)

    def _hand_out(self, *, together: bool = False) -> None:
        """Give workers that have nothing to do a group, or forward passes. `together`: groups wait for each other."""
        busy = {id(group.slot) for group in self._groups} | {id(slot) for slot in self._computing}
        free = [slot for slot in self.slots if id(slot) not in busy and slot.started()]
        waiting = [group for group in self._groups if group.slot is None and group.result is None]
        if self._exchange is not None and together:
            members = [self._groups.index(group) for group, _ in zip(waiting, free, strict=False)]
            self._ray.get(self._exchange.join.remote(members))
        for slot in free:
            if waiting:
                self._train(waiting.pop(0), slot)
            elif self._exchange is not None and any(group.outcome is not None for group in self._groups):
                share = self._share(slot, None)
                self._computing[slot] = slot.actor.compute.remote(self._request.to_dict(), share)

    def _train(self, group: _Group, slot: Slot) -> None:
        newest = newest_in(group.checkpoints.state)
        group.order = uuid.uuid4().hex
        order = Order(
            id=group.order,
            request=group.request.to_dict(),
            checkpoint=None if newest is None else Parcel.of(newest),
            checkpoint_seconds=self._checkpoint_seconds,
            share=None if self._exchange is None else self._share(slot, self._groups.index(group)),
        )
        group.slot, group.outcome = slot, slot.actor.train.remote(order)
        group.polled = group.sending = None
        group.notes = 0

    def _share(self, slot: Slot, member: int | None) -> Share:
        return Share(self._exchange, slot.name, tuple(group.layers for group in self._groups), member, self._ahead)

    def _follow(self, group: _Group, slot: Slot) -> None:
        try:
            if self._there(group.outcome):
                outcome: Outcome = self._ray.get(group.outcome)
                self._ended(group, outcome)
                return
            if group.polled is None:
                group.polled = slot.actor.poll.remote()
            elif self._there(group.polled):
                report: Report = self._ray.get(group.polled)
                group.polled = None
                if report.order == group.order:  # a worker of several threads may answer before it has begun
                    self._reported(group, report)
            self._fetch_checkpoint(group, slot)
        except self._ray.exceptions.RayActorError:
            group.slot = group.outcome = None
            self._died(slot, f"layers {format_layers(group.layers)}", self._groups.index(group))

    def _follow_computing(self, slot: Slot, outcome: Any) -> None:
        try:
            if self._there(outcome):
                del self._computing[slot]
                if error := self._ray.get(outcome):
                    raise UserError(error)
        except self._ray.exceptions.RayActorError:
            self._died(slot, "forward passes", None)

    def _died(self, slot: Slot, what: str, member: int | None) -> None:
        where = slot.where
        if self._exchange is not None:
            self._ray.get(self._exchange.leave.remote(slot.name, member))
        slot.replace()
        if slot.deaths > _MOST_DEATHS:
            raise UserError(
                f"Workers for {what} died {slot.deaths} times, the last one as {where}; memory may be short: train "
                "fewer layers at a time or on larger machines. What was done is kept; --resume goes on."
            )
        if not self._stopping:
            self._on_note(f"The worker for {what} ({where}) died; another one takes its place.")

    def _reported(self, group: _Group, report: Report) -> None:
        if report.progress is None and group.report.progress is not None:  # a replacement that is still loading
            report = replace(report, progress=group.report.progress)
        for note in report.notes[group.notes :]:
            if note not in self._noted:  # all groups read the same text, and say the same of it
                self._noted.add(note)
                self._on_note(note)
        group.notes = len(report.notes)
        group.report = report

    def _fetch_checkpoint(self, group: _Group, slot: Slot) -> None:
        now = time.monotonic()
        if group.sending is not None:
            if self._there(group.sending):
                if parcel := self._ray.get(group.sending):
                    keep_newest(parcel, group.checkpoints.state)
                group.sending, group.send_after = None, now + _SENDING_SHARE * (now - group.sending_since)
            return
        held = newest_in(group.checkpoints.state)
        newest = group.report.checkpoint
        if newest is not None and now >= group.send_after and (held is None or held.name < newest):
            group.sending, group.sending_since = slot.actor.checkpoint.remote(), now

    def _ended(self, group: _Group, outcome: Outcome) -> None:
        group.slot = group.outcome = None
        self._reported(group, outcome.report)
        if outcome.checkpoint is not None:
            keep_newest(outcome.checkpoint, group.checkpoints.state)
        if outcome.error is not None:
            raise UserError(outcome.error)
        if outcome.dictionaries:
            group.result = outcome

    def _there(self, reference: Any) -> bool:
        return bool(self._ray.wait([reference], timeout=0)[0])


def _check_alike(dictionaries: Sequence[AtomDictionary]) -> None:
    """Raises UserError when dictionaries were not all trained on one model and one text."""
    for name in ("weights_fingerprint", "tokenizer_fingerprint", "corpus_fingerprint"):
        found = {getattr(dictionary.spec, name) for dictionary in dictionaries}
        if len(found) > 1:
            raise UserError(
                f"The cluster's machines hold different files under one name ({name.replace('_', ' ')}s "
                f"{', '.join(sorted(value[:12] for value in found))}); copy the same model and corpus to all of them."
            )
