"""The memory this machine's processes have: its own, or their container's share of it."""

from __future__ import annotations

from typing import NamedTuple

import psutil

from itda_core.machine.cgroup import read_cgroup


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
