"""What a container may use, as Linux reports it."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def read_cgroup(name: str) -> str:
    """A container's setting or meter, such as `memory.max`; empty outside of one."""
    try:
        return (_ROOT / name).read_text().strip()
    except OSError:
        return ""


def cpu_quota() -> float | None:
    """How many cores' time a container may use, 1.5 for example; None without a limit."""
    quota = read_cgroup("cpu.max").split()  # control groups of version 2
    if not quota:
        quota = [read_cgroup("cpu/cpu.cfs_quota_us"), read_cgroup("cpu/cpu.cfs_period_us")]  # of version 1
    if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit() and int(quota[1]):
        return int(quota[0]) / int(quota[1])
    return None
