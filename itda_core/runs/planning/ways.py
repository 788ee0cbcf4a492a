"""Three ways to read a model's activations on a whole corpus, and what each costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from itda_core.runs.planning import costs
from itda_core.runs.planning.costs import Amount
from itda_core.runs.planning.machines import PlannedMachine
from itda_core.runs.planning.shape import ModelShape, Part

READING, MOVING, FORWARD, GROWING = "reading", "moving", "forward", "growing"
_HELD_SHARE = 4  # both copies of the hidden states are held in memory when they take at most a quarter of it


@dataclass(frozen=True)
class Way:
    """One way to do the training; the fields are keys of `itda plan --json`."""

    name: str  # "memory", "stream" or "offload"
    bytes_read: int  # from the checkpoint
    hidden_bytes: int  # hidden states of the whole text, the copies together; 0 where none are kept
    disk_bytes: int  # of them on disk, at once; 0 where they are held in memory
    host_memory: int  # bytes of the host at the highest
    device_memory: int | None  # bytes of the device at the highest; None: the host computes
    read_seconds: float  # from and to the disk
    move_seconds: float  # from the host to the device and back
    forward_seconds: float  # the model's own work
    growth_seconds: float  # pursuits, and atoms that enter
    seconds: float  # in all: the most of reading, moving and computing where these overlap, else their sum
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
        return costs.run_blocks(self.shape, self.amount)

    @property
    def forward_seconds(self) -> float:
        """The same whichever way the weights come."""
        return costs.forward_seconds(self.shape, self.amount, self.on, self.dtype)

    @property
    def growth_seconds(self) -> float:
        """Of all dictionaries."""
        return self.amount.n_layers * costs.growth_seconds(self.shape.d_model, self.amount, self.on)

    @property
    def batch_bytes(self) -> int:
        return costs.batch_bytes(self.shape, self.amount, self.dtype)

    @property
    def dictionary_bytes(self) -> int:
        return costs.dictionary_bytes(self.shape.d_model, self.amount)

    def computed(self, parts: Sequence[Part]) -> int:
        """Bytes of their parameters in the dtype the model computes in."""
        return sum(costs.computed_bytes(part, self.dtype) for part in parts)

    def moved(self, count: float) -> float:
        """Seconds of moving `count` bytes between host and device."""
        return 0.0 if self.on.transfer is None else count / self.on.transfer

    def fits(self, host: int, device: int | None, disk: int) -> bool:
        on = self.on
        return (
            host <= on.host_memory
            and (device is None or on.device_memory is None or device <= on.device_memory)
            and (on.disk_free is None or disk <= on.disk_free)
        )


def in_memory(harvest: Harvest) -> Way:
    """The whole model but its head in memory, one pass in batches; all dictionaries grow side by side.

    Loading and computing follow each other.
    """
    shape, amount, on = harvest.shape, harvest.amount, harvest.on
    parts = (shape.embedding, *shape.blocks, shape.rest)
    read, weights = _stored(parts), harvest.computed(parts)
    captured = costs.captured_bytes(shape, amount, amount.n_layers)
    work = harvest.batch_bytes + captured + (amount.n_layers + 1) * harvest.dictionary_bytes
    loading = weights + (read if weights != read else 0)  # files stay mapped while they are converted
    host, device = _split(harvest, loading, weights + work, alone=max(loading, weights + work))
    return _way(
        harvest,
        "memory",
        bytes_read=read,
        host=host,
        device=device,
        read_seconds=read / on.disk_read,
        move_seconds=harvest.moved(weights),
        overlap=False,
    )


def streamed(harvest: Harvest) -> Way:
    """Layer by layer: every block is read once for the whole text, the next one while this one computes.

    The hidden states of the whole text are kept between blocks, at most two copies of them: in memory where they take
    at most a quarter of what is free, else on disk, written and read once per block. The head is never read. Reading,
    moving and computing overlap, but for what comes ahead of the first block.
    """
    shape, on, blocks = harvest.shape, harvest.on, harvest.blocks
    hidden = costs.hidden_bytes(shape, harvest.amount, harvest.dtype)
    held = 2 * hidden <= on.host_memory / _HELD_SHARE
    stored = max(part.stored_bytes for part in blocks)
    computed = max(harvest.computed([part]) for part in blocks)
    converted = computed if computed != stored else 0
    captured = costs.captured_bytes(shape, harvest.amount, 1)
    work = harvest.batch_bytes + captured + 2 * harvest.dictionary_bytes  # a buffer grows by copying
    waiting = harvest.computed([shape.embedding]) + 2 * stored + (2 * hidden if held else 0)
    host, device = _split(harvest, waiting, 2 * computed + work, alone=waiting + converted + work)
    read = shape.embedding.stored_bytes + _stored(blocks)
    first = (shape.embedding.stored_bytes + blocks[0].stored_bytes) / on.disk_read
    kept = 0.0 if held else len(blocks) * hidden * (1 / on.disk_read + 1 / on.disk_write)
    return _way(
        harvest,
        "stream",
        bytes_read=read,
        hidden=2 * hidden,
        disk=0 if held else 2 * hidden,
        host=host,
        device=device,
        read_seconds=read / on.disk_read + kept,
        move_seconds=harvest.moved(harvest.computed(blocks) + 2 * len(blocks) * hidden),
        overlap=True,
        start=first,
    )


def offloaded(harvest: Harvest) -> Way:
    """accelerate's disk offload: every forward batch reads the weights again, block by block, before it uses them.

    After the first batch from the page cache where the host's memory holds them. Nothing overlaps.
    """
    shape, on, batches = harvest.shape, harvest.on, harvest.amount.batches
    parts = (shape.embedding, *harvest.blocks)
    once, largest = _stored(parts), max(harvest.computed([part]) for part in parts)
    layers = harvest.amount.n_layers
    captured = costs.captured_bytes(shape, harvest.amount, layers)
    work = harvest.batch_bytes + captured + (layers + 1) * harvest.dictionary_bytes
    host, device = _split(harvest, largest, largest + work, alone=largest + work)
    again = on.disk_read_again if host + once <= on.host_memory else on.disk_read
    return _way(
        harvest,
        "offload",
        bytes_read=once * batches,
        host=host,
        device=device,
        read_seconds=once / on.disk_read + once * (batches - 1) / again,
        move_seconds=harvest.moved(batches * harvest.computed(parts)),
        overlap=False,
    )


def _stored(parts: Sequence[Part]) -> int:
    return sum(part.stored_bytes for part in parts)


def _split(harvest: Harvest, waiting: int, working: int, *, alone: int) -> tuple[int, int | None]:
    """Bytes on the host and on the device: `waiting` and `working` with a device, all of it `alone` without one."""
    if harvest.on_device:
        return costs.BASE_MEMORY + waiting, costs.DEVICE_BASE_MEMORY + working
    return costs.BASE_MEMORY + alone, None


def _way(
    harvest: Harvest,
    name: str,
    *,
    bytes_read: int,
    host: int,
    device: int | None,
    read_seconds: float,
    move_seconds: float,
    overlap: bool,
    start: float = 0.0,
    hidden: int = 0,
    disk: int = 0,
) -> Way:
    """start: seconds of reading before anything can overlap."""
    forward, growth = harvest.forward_seconds, harvest.growth_seconds
    compute = forward + growth
    slowest = max((read_seconds, READING), (move_seconds, MOVING), (compute, FORWARD if forward > growth else GROWING))
    if overlap:
        seconds = max(read_seconds, start + max(move_seconds, compute))
    else:
        seconds = read_seconds + move_seconds + compute
    return Way(
        name=name,
        bytes_read=bytes_read,
        hidden_bytes=hidden,
        disk_bytes=disk,
        host_memory=host,
        device_memory=device,
        read_seconds=read_seconds,
        move_seconds=move_seconds,
        forward_seconds=forward,
        growth_seconds=growth,
        seconds=seconds,
        bottleneck=slowest[1],
        fits=harvest.fits(host, device, disk),
    )
