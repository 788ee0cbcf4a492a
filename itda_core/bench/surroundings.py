"""The machine a bench ran on."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from itda_core.runs.machine import machine, processor


@dataclass(frozen=True)
class Surroundings:
    """What every bench says about its machine; the fields are the keys of `machine` in `--json`."""

    device: str  # "cpu" or "cuda"
    name: str  # of the device, for people
    cores: int  # that this process may use
    threads: int  # of torch on the CPU
    memory_bytes: int  # of the device
    torch: str  # its version

    @classmethod
    def of(cls, device: str) -> Surroundings:
        """This machine as it is now, its CPU or its CUDA device."""
        here, on_cuda = machine(), device == "cuda"
        return cls(
            device=device,
            name=torch.cuda.get_device_name() if on_cuda else processor(),
            cores=here.cores,
            threads=torch.get_num_threads(),
            memory_bytes=torch.cuda.mem_get_info()[1] if on_cuda else here.memory,
            torch=torch.__version__,
        )

    def __str__(self) -> str:
        threads = f", {self.cores} cores, {self.threads} threads" if self.device == "cpu" else ""
        return f"{self.name}, {self.memory_bytes / 2**30:.0f} GiB{threads}, torch {self.torch}."
