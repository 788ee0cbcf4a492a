"""Three strategies to read a model's activations on a whole corpus, and what each costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from itda_core.runs.costs import counted as costs_counted
from itda_core.runs.costs.counted import Amount
from itda_core.runs.costs.machines import PlannedMachine
from itda_core.runs.costs.model_shape import BYTES, ModelShape, Part

READING, MOVING, FORWARD, GROWING = "reading", "moving", "forward", "growing"


@dataclass(frozen=True)
class Strategy:
    """One strategy for a training; the fields are keys of `itda plan --json`."""

    name: str  # "memory", "stream" or "offload"
    bytes_read: int  # from the checkpoint
    hidden_bytes: int  # of disk for the hidden states of the whole text, both copies together; 0 where none are kept
    host_memory: int  # bytes of the host at the highest
    device_memory: int | None  # bytes of the device at the highest; None: the host computes
    read_seconds: float  # the checkpoint from the disk, hidden states to it and back
    move_seconds: float  # from the host to the device and back
    forward_seconds: float  # the model's own work
    growth_seconds: float  # pursuits, and atoms that enter
    seconds: float  # in all; less than the sum of the four if reading and computing overlap
    bottleneck: str  # READING, MOVING, FORWARD or GROWING
    fits: bool  # into memory, the device's and the disk as far as known


@dataclass(frozen=True)
class Harvest:
    """A model, a text and a machine together."""

    shape: ModelShape
    amount: Amount
    on: PlannedMachine
    dtype: str  # that the model computes in

    @property
    def on_device(self) -> bool:
        """Whether the model computes in other memory than the host's."""
        return self.on.device_memory is not None

    @property
    def blocks(self) -> tuple[Part, ...]:
        return costs_counted.run_blocks(self.shape, self.amount)

    @property
    def forward_seconds(self) -> float:
        """Seconds of all forward passes, the same for every strategy."""
        return costs_counted.forward_seconds(self.shape, self.amount, self.on, self.dtype)

    @property
    def growth_seconds(self) -> float:
        """Seconds of growing all dictionaries."""
        return self.amount.n_layers * costs_counted.growth_seconds(self.shape.d_model, self.amount, self.on)

    @property
    def batch_bytes(self) -> int:
        return costs_counted.batch_bytes(self.shape.d_model, self.amount, BYTES[self.dtype])

    @property
    def dictionary_bytes(self) -> int:
        return costs_counted.dictionary_bytes(self.shape.d_model, self.amount)

    def computed(self, parts: Sequence[Part]) -> int:
        """Bytes of their parameters in the dtype the model computes in."""
        return sum(costs_counted.computed_bytes(part, self.dtype) for part in parts)

    def moved(self, count: float) -> float:
        """Seconds of moving `count` bytes between host and device."""
        return 0.0 if self.on.transfer is None else count / self.on.transfer

    def fits(self, host: int, device: int | None, disk: int) -> bool:
        """Whether so many bytes of the host, of the device and of the disk are there, as far as that is known."""
        on = self.on
        return (
            host <= on.host_memory
            and (device is None or on.device_memory is None or device <= on.device_memory)
            and (on.disk_free is None or disk <= on.disk_free)
        )


def in_memory(harvest: Harvest) -> Strategy:
    """The whole model but its head in memory, one pass in batches; all dictionaries grow side by side.

    Computing begins once all is loaded.
    """
    shape, amount, on = harvest.shape, harvest.amount, harvest.on
    parts = (shape.embedding, *shape.blocks, shape.rest)
    read, weights = _stored(parts), harvest.computed(parts)
    captured = costs_counted.captured_bytes(shape.d_model, amount, amount.n_layers)
    working = harvest.batch_bytes + captured + (amount.n_layers + 1) * harvest.dictionary_bytes
    loading = weights + (read if weights != read else 0)  # files stay mapped while they are converted
    host, device = _split(harvest, loading, weights + working, alone=max(loading, weights + working))
    return _strategy(
        harvest,
        "memory",
        bytes_read=read,
        host=host,
        device=device,
        alone_seconds=read / on.disk_read,
        move_seconds=harvest.moved(weights),
    )


def streamed(harvest: Harvest) -> Strategy:
    """Layer by layer (models.streamed): every block is read once for the whole text, the next one while this one
    computes and its dictionary grows.

    The hidden states of the whole text lie on the disk, twice at the highest: what goes into a block, and what comes
    out. They are read once per block and once per dictionary, from the page cache where memory has room for both
    copies, and written through to the disk once per block. The head is never read.
    """
    shape, on, blocks, amount = harvest.shape, harvest.on, harvest.blocks, harvest.amount
    stored = max(part.stored_bytes for part in blocks)
    computed = max(harvest.computed([part]) for part in blocks)
    embedding = harvest.computed([shape.embedding])
    captured = costs_counted.captured_bytes(shape.d_model, amount, 1)
    working = harvest.batch_bytes + captured + 2 * harvest.dictionary_bytes  # a buffer grows by copying
    converted = computed if computed != stored else 0
    host, device = _split(
        harvest,
        2 * stored + harvest.batch_bytes,
        embedding + computed + working,
        alone=embedding + 2 * stored + converted + working,
    )
    hidden = costs_counted.hidden_bytes(shape, amount, harvest.dtype)
    again = on.disk_read_again if host + 2 * hidden <= on.host_memory else on.disk_read
    states = hidden * (len(blocks) * (1 / on.disk_write + 1 / again) + (amount.n_layers / again if amount.atoms else 0))
    first = shape.embedding.stored_bytes + blocks[0].stored_bytes
    return _strategy(
        harvest,
        "stream",
        bytes_read=shape.embedding.stored_bytes + _stored(blocks),
        hidden=2 * hidden,
        host=host,
        device=device,
        alone_seconds=first / on.disk_read,
        ahead_seconds=_stored(blocks[1:]) / on.disk_read,
        states_seconds=states,
        move_seconds=harvest.moved(harvest.computed(blocks) + 2 * len(blocks) * hidden),
    )


def offloaded(harvest: Harvest) -> Strategy:
    """accelerate's disk offload: every forward batch reads the weights again, block by block, before it uses them.

    After the first batch they come from the page cache if the host's memory holds them. Nothing overlaps.
    """
    shape, on, batches = harvest.shape, harvest.on, harvest.amount.batches
    parts = (shape.embedding, *harvest.blocks)
    once, largest = _stored(parts), max(harvest.computed([part]) for part in parts)
    layers = harvest.amount.n_layers
    captured = costs_counted.captured_bytes(shape.d_model, harvest.amount, layers)
    working = harvest.batch_bytes + captured + (layers + 1) * harvest.dictionary_bytes
    host, device = _split(harvest, largest, largest + working, alone=largest + working)
    again = on.disk_read_again if host + once <= on.host_memory else on.disk_read
    return _strategy(
        harvest,
        "offload",
        bytes_read=once * batches,
        host=host,
        device=device,
        alone_seconds=once / on.disk_read + once * (batches - 1) / again,
        move_seconds=harvest.moved(batches * harvest.computed(parts)),
    )


def _stored(parts: Sequence[Part]) -> int:
    return sum(part.stored_bytes for part in parts)


def _split(harvest: Harvest, waiting: int, working: int, *, alone: int) -> tuple[int, int | None]:
    """Bytes on the host and on the device: `waiting` and `working` with a device, all of it `alone` without one."""
    if harvest.on_device:
        return costs_counted.BASE_MEMORY + waiting, costs_counted.DEVICE_BASE_MEMORY + working
    return costs_counted.BASE_MEMORY + alone, None


def _strategy(
    harvest: Harvest,
    name: str,
    *,
    bytes_read: int,
    host: int,
    device: int | None,
    alone_seconds: float,
    move_seconds: float,
    ahead_seconds: float = 0.0,
    states_seconds: float = 0.0,
    hidden: int = 0,
) -> Strategy:
    """The strategy's totals. Seconds of reading: alone_seconds while nothing else is done, ahead_seconds beside
    everything else; states_seconds: of writing and reading hidden states."""
    forward, growth = harvest.forward_seconds, harvest.growth_seconds
    read = alone_seconds + ahead_seconds + states_seconds
    slowest = max((read, READING), (move_seconds, MOVING), (forward, FORWARD), (growth, GROWING))
    return Strategy(
        name=name,
        bytes_read=bytes_read,
        hidden_bytes=hidden,
        host_memory=host,
        device_memory=device,
        read_seconds=read,
        move_seconds=move_seconds,
        forward_seconds=forward,
        growth_seconds=growth,
        seconds=alone_seconds + max(ahead_seconds, states_seconds + move_seconds + forward + growth),
        bottleneck=slowest[1],
        fits=harvest.fits(host, device, hidden),
    )
