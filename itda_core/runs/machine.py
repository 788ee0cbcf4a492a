"""This machine, as the home page shows it, examined without torch and without the network."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from itda_core.machine.host_memory import host_memory
from itda_core.machine.threads import cores

_TRUE = {"1", "on", "yes", "true"}


@dataclass(frozen=True)
class Machine:
    """What a training would run on."""

    device: str  # "cuda", "mps" or "cpu": what device="auto" chooses
    device_name: str  # for people
    cores: int  # that this process may use
    memory: int  # bytes
    memory_free: int  # bytes that could be used without swapping
    model_cache: Path  # where downloaded models are kept
    offline: bool  # the environment forbids downloads


def machine() -> Machine:
    """Look at the machine now. Makes no request and loads no torch; cheap enough for every page."""
    device, name = _device()
    memory = host_memory()
    return Machine(device, name, cores(), memory.total, memory.free, model_cache(), offline())


def model_cache() -> Path:
    """The Hugging Face hub's cache folder, by its documented environment variables."""
    if chosen := os.environ.get("HF_HUB_CACHE"):
        return Path(os.path.expanduser(chosen))
    base = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(os.path.expanduser(base)) / "hub"


def offline() -> bool:
    """Whether the environment forbids downloads (HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE)."""
    return any(os.environ.get(name, "").lower() in _TRUE for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def _device() -> tuple[str, str]:
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)  # absent while another thread is still importing torch
    if cuda is not None and cuda.is_available():
        return "cuda", cuda.get_device_name(0)
    if cuda is None and _torch_has_cuda() and (name := _nvidia_name()):
        return "cuda", name
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "mps", f"Apple GPU ({processor()})"
    return "cpu", processor()


def _torch_has_cuda() -> bool:
    """Whether the installed torch was built for CUDA: those wheels carry its library."""
    found = importlib.util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        return False
    return any((Path(folder) / "lib" / "libtorch_cuda.so").exists() for folder in found.submodule_search_locations)


def _nvidia_name() -> str | None:
    """The first NVIDIA card the driver lists; None without a driver or a card."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        return None
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("Model:"):
                return line.partition(":")[2].strip()
    return "NVIDIA GPU" if Path("/dev/nvidia0").exists() else None


@lru_cache(maxsize=1)
def processor() -> str:
    """The name of this machine's processor, for people."""
    try:
        if sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=2).stdout.strip()
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    except (OSError, subprocess.SubprocessError):
        pass  # only a name for people; the architecture below is always known
    return platform.processor() or platform.machine()
