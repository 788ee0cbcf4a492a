"""Machines a plan can be made for: what they hold, and how fast they compute, read and move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from itda_core.errors import UserError
from itda_core.runs.machine import Machine

GIB = 2**30
NVME = 3e9  # bytes per second that an NVMe disk reads in sequence; `itda plan --disk` replaces it
HOST_MEMORY = 64 * GIB  # of the host of a named GPU; `itda plan --ram` replaces it
_FLOPS_PER_CORE = (2e9, 20e9)  # a CPU core on matrices of this size, from unlucky to good
_FLOPS_GPU = (2e12, 40e12)


@dataclass(frozen=True)
class PlannedMachine:
    """What a plan needs to know of a machine. Rates are what is reached, not what is advertised."""

    name: str
    device: str  # "cpu", "cuda" or "mps"
    host_memory: int  # bytes a run may use
    device_memory: int | None  # bytes; None: the device computes in the host's memory
    matrix: Mapping[str, float]  # operations per second of large matrix products, by dtype
    wide_matrix: float  # the same in float64, in which activations are multiplied with atoms
    memory_read: float  # bytes per second of the memory it computes in (a CPU: one thread's)
    threads: int  # that read memory side by side; 1 on a device, whose rate is the whole device's
    disk_read: float  # bytes per second
    disk_read_again: float  # of what the page cache holds
    disk_write: float
    transfer: float | None  # bytes per second from host to device; None: there is nothing to move
    disk_free: int | None = None  # bytes where hidden states would be kept; None: not known
    measured: str | None = None  # the day of the oldest rate (ISO 8601); None: public figures


@dataclass(frozen=True)
class _Card:
    name: str
    memory: int  # GiB
    half: float  # operations per second, bfloat16 and float16 on dense matrices, sums in float32
    single: float  # float32 without TF32
    double: float  # float64, by tensor cores where they have it
    bandwidth: float  # bytes per second of its memory
    bus: float  # bytes per second of its PCI Express x16, one way


_PCIE_4, _PCIE_5 = 31.5e9, 63e9
_UTILISATION = 0.6  # of the advertised operations, what large matrix products reach in practice: 0.5 to 0.8
_BANDWIDTH_SHARE = 0.8  # of the advertised bytes per second, on the card and on the bus

# From NVIDIA's data sheets and architecture white papers (Hopper, Ampere, Ada, Blackwell), without sparsity.
_CARDS = {
    "h200": _Card("NVIDIA H200 SXM", 141, 989.4e12, 66.9e12, 66.9e12, 4.8e12, _PCIE_5),
    "h100": _Card("NVIDIA H100 SXM", 80, 989.4e12, 66.9e12, 66.9e12, 3.35e12, _PCIE_5),
    "a100": _Card("NVIDIA A100 SXM 80 GB", 80, 312e12, 19.5e12, 19.5e12, 2.04e12, _PCIE_4),
    "l40s": _Card("NVIDIA L40S", 48, 362e12, 91.6e12, 1.43e12, 0.864e12, _PCIE_4),
    "a6000": _Card("NVIDIA RTX A6000", 48, 154.8e12, 38.7e12, 0.605e12, 0.768e12, _PCIE_4),
    "5090": _Card("NVIDIA GeForce RTX 5090", 32, 209.5e12, 104.8e12, 1.64e12, 1.79e12, _PCIE_5),
    "4090": _Card("NVIDIA GeForce RTX 4090", 24, 165.2e12, 82.6e12, 1.29e12, 1.01e12, _PCIE_4),
    "4080": _Card("NVIDIA GeForce RTX 4080", 16, 97.5e12, 48.7e12, 0.76e12, 0.717e12, _PCIE_4),
    "3090": _Card("NVIDIA GeForce RTX 3090", 24, 71.2e12, 35.6e12, 0.556e12, 0.936e12, _PCIE_4),
}
GPUS = tuple(_CARDS)


def named_machine(gpu: str) -> PlannedMachine:
    """A host with one card of GPUS, 64 GiB of memory and an NVMe disk of 3 GB/s.

    It is assumed to reach 60% of the advertised operations and 80% of the advertised bandwidths. Raises UserError when
    the card is none of GPUS.
    """
    card = _CARDS.get(gpu.lower().removeprefix("rtx").strip(" -_"))
    if card is None:
        raise UserError(
            f"GPU {gpu[:40]!r} is unknown; choose one of {', '.join(GPUS)}, or leave it out for this machine."
        )
    half, single = _UTILISATION * card.half, _UTILISATION * card.single
    return PlannedMachine(
        name=card.name,
        device="cuda",
        host_memory=HOST_MEMORY,
        device_memory=card.memory * GIB,
        matrix=MappingProxyType({"bfloat16": half, "float16": half, "float32": single}),
        wide_matrix=_UTILISATION * card.double,
        memory_read=_BANDWIDTH_SHARE * card.bandwidth,
        threads=1,
        disk_read=NVME,
        disk_read_again=_BANDWIDTH_SHARE * card.bus,  # from the page cache a card reads no faster than its bus
        disk_write=NVME,
        transfer=_BANDWIDTH_SHARE * card.bus,
    )


def operations_per_second(here: Machine, device: str) -> tuple[float, float]:
    """Operations per second that matrix products reach on `device` ("auto": this machine's best), from unlucky to
    good, where nothing was measured."""
    on_gpu = (here.device if device == "auto" else device) != "cpu"
    slow, fast = _FLOPS_GPU if on_gpu else (flops * here.cores for flops in _FLOPS_PER_CORE)
    return slow, fast
