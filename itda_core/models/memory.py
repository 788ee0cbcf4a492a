"""The memory this machine's processes have: its own, or their container's share of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import psutil


class HostMemory(NamedTuple):
    """Bytes."""

    total: int
    free: int  # that could be used without swapping


def host_memory() -> HostMemory:
    """Main memory as it is now; in a container with a limit, what that leaves."""
    memory = psutil.virtual_memory()
    limit, used = read_cgroup("memory.max"), read_cgroup("memory.current")
    if not limit.isdigit():
        return HostMemory(memory.total, memory.available)
    left = max(int(limit) - (int(used) if used.isdigit() else 0), 0)
    return HostMemory(min(memory.total, int(limit)), min(memory.available, left))


def read_cgroup(name: str) -> str:
    """A container's setting or meter, such as `memory.max`; empty outside of one."""
    try:
        return (Path("/sys/fs/cgroup") / name).read_text().strip()
    except OSError:
        return ""
