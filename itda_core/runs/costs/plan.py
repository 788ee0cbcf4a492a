"""What a training would cost, three ways, before anything of the model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from itda_core.dictionaries.config import TrainConfig
from itda_core.errors import UserError
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs import counted as costs_counted
from itda_core.runs.costs.counted import Amount
from itda_core.runs.costs.machines import PlannedMachine, named_machine
from itda_core.runs.costs.measured import this_machine
from itda_core.runs.costs.model_description import describe
from itda_core.runs.costs.model_shape import ModelShape, model_shape
from itda_core.runs.costs.strategies import Harvest, Strategy, in_memory, offloaded, streamed
from itda_core.runs.layers import existing_layers
from itda_core.runs.machine import machine

MOST_ATOMS = 16_384  # of a dictionary whose size is not given


@dataclass(frozen=True)
class Hardware:
    """The machine a plan is for: this one, or one with a named GPU; figures given here replace its own."""

    gpu: str | None = None  # one of machines.GPUS; None: this machine
    disk: float | None = None  # bytes per second its disk reads and writes
    memory: int | None = None  # bytes of the host
    measure: bool = False  # whether to measure this machine's rates anew

    def __post_init__(self) -> None:
        for name, value, unit in (("disk", self.disk, "GB/s"), ("memory", self.memory, "GB")):
            if value is not None and not 0 < value < float("inf"):
                raise UserError(f"{name}={value / 1e9:g} {unit} is impossible; give a number above 0.")


@dataclass(frozen=True)
class Plan:
    """A training of dictionaries before it starts."""

    shape: ModelShape
    amount: Amount
    layers: tuple[int, ...]
    dtype: str  # that the model computes in
    on: PlannedMachine
    strategies: tuple[Strategy, ...]  # in memory, streamed, offloaded
    notes: tuple[str, ...]

    @property
    def forward_operations(self) -> int:
        return costs_counted.forward_operations(self.shape, self.amount)

    @property
    def pursuit_operations(self) -> int:
        return costs_counted.pursuit_operations(self.shape, self.amount)

    @property
    def best(self) -> Strategy | None:
        """The quickest strategy that fits; None when none does."""
        return min((one for one in self.strategies if one.fits), key=lambda one: one.seconds, default=None)


def plan(model: ModelSpec, layers: Sequence[int] | None, config: TrainConfig, hardware: Hardware | None = None) -> Plan:
    """What training dictionaries of `layers` (None: all) on `config.tokens` tokens would cost.

    Looks at config and index files (of a model on the Hub nothing else is fetched), builds the model without weights,
    and measures this machine once unless another is named. Nothing of the weights is loaded. Of the config, `tokens`,
    `context`, `k` and `atoms` count; without `atoms` a tenth of the tokens is assumed, at most MOST_ATOMS. Raises
    UserError when the model cannot be found or its config does not identify it, when it lacks a layer, when the number
    of tokens is not given, and when the GPU is unknown.
    """
    hardware = hardware or Hardware()
    if config.tokens is None:
        raise UserError("The number of tokens to read is missing; give one, for example 1000000.")
    named = None if hardware.gpu is None else named_machine(hardware.gpu)
    description = describe(model)
    shape = model_shape(description, trust_remote_code=model.trust_remote_code)
    wanted = existing_layers(layers, len(shape.blocks), model.name)
    device = "cuda" if named else _device(model.device)
    dtype = computing_dtype(model.dtype, device, shape.stored_dtype)
    on = named or this_machine(device, [dtype], description.folder, anew=hardware.measure)
    on = replace(
        on,
        disk_read=hardware.disk or on.disk_read,
        disk_write=hardware.disk or on.disk_write,
        host_memory=hardware.memory or on.host_memory,
    )
    notes: list[str] = []
    atoms = config.atoms
    if atoms is None:
        atoms = max(1, min(MOST_ATOMS, round(config.tokens * costs_counted.ATOMS_PER_TOKEN)))
        notes.append(f"This estimate assumes {atoms:,} atoms per layer.")
    if config.rule.sized:
        notes.append(f"The choice of atoms after reading (selection {config.selection}) is not counted.")
    if not shape.measured_bytes:
        notes.append(f"No weights are here; the checkpoint's size assumes parameters in {shape.stored_dtype}.")
    amount = Amount(config.tokens, config.context, max(wanted), len(wanted), min(atoms, config.tokens), config.k)
    harvest = Harvest(shape, amount, on, dtype)
    strategies = (in_memory(harvest), streamed(harvest), offloaded(harvest))
    return Plan(shape, amount, wanted, dtype, on, strategies, tuple(notes))


def computing_dtype(given: str, device: str, stored: str) -> str:
    """What dtype "auto" means: half precision stays half on CUDA (as bfloat16), everything else is float32."""
    if given != "auto":
        return given
    return "bfloat16" if device.startswith("cuda") and stored in ("bfloat16", "float16") else "float32"


def _device(given: str) -> str:
    import torch  # machine() knows more of the devices once torch is there

    here = machine().device
    if given == "auto":
        return here
    kind = given.partition(":")[0]
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[kind]:
        raise UserError(f"Device {given} is not available on this machine; choose auto or cpu, or plan for a --gpu.")
    return given
