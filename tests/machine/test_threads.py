"""Threads sleep while they wait, whichever way in, and a user's own settings stay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from itda_core.cli import main as cli_main
from itda_core.machine import cgroup, threads

ROOT = Path(threads.__file__).resolve().parents[2]
NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY", "OPENBLAS_THREAD_TIMEOUT")


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any of these settings, as most users have it."""
    for name in (*NAMES, "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def settings() -> dict[str, str]:
    return {name: os.environ[name] for name in (*NAMES, "OMP_NUM_THREADS") if name in os.environ}


def test_waiting_is_passive_unless_the_user_says_otherwise(unset: pytest.MonkeyPatch) -> None:
    threads.wait_passively()
    assert settings() == {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "3000", "OPENBLAS_THREAD_TIMEOUT": "4"}
    for name in NAMES:
        for other in NAMES:
            unset.delenv(other, raising=False)
        unset.setenv(name, "their own")
        threads.wait_passively()
        assert settings()[name] == "their own"
        of_openmp = {name for name in settings() if name.startswith(("OMP_", "GOMP_", "KMP_"))}
        assert of_openmp == ({"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} if name.startswith("OPENBLAS") else {name})


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu.max": "150000 0"}, None),
        ({}, None),
    ],
)
def test_a_containers_quota_is_read(
    files: dict[str, str], quota: float | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
    monkeypatch.setattr(cgroup, "_ROOT", tmp_path)
    assert cgroup.cpu_quota() == quota


@pytest.mark.parametrize(
    ("quota", "cores", "number"), [(None, 8, None), (8.0, 8, None), (1.6, 2, "2"), (0.2, 1, "1"), (64.0, 8, None)]
)
def test_there_are_no_more_threads_than_cores(
    quota: float | None, cores: int, number: str | None, unset: pytest.MonkeyPatch
) -> None:
    unset.setattr(threads, "cpu_quota", lambda: quota)
    unset.setattr(threads, "_cores_by_affinity", lambda: 8)
    threads.wait_passively()
    assert threads.cores() == cores
    assert settings().get("OMP_NUM_THREADS") == number
    unset.setenv("OMP_NUM_THREADS", "7")
    threads.wait_passively()
    assert settings()["OMP_NUM_THREADS"] == "7"


def heard(*program: str, **environment: str) -> str:
    """What PyTorch's OpenMP says of its settings when `program` loads it."""
    result = subprocess.run(
        [sys.executable, *program],
        env={**{k: v for k, v in os.environ.items() if k not in NAMES}, "OMP_DISPLAY_ENV": "verbose", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stderr


def test_openmp_hears_it() -> None:
    if "OMP_WAIT_POLICY" not in heard("-c", "import torch"):
        pytest.skip("this OpenMP does not say what it was told")
    said = heard("-c", "import itda_core, torch")
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in said
    assert "GOMP_SPINCOUNT" not in said or "GOMP_SPINCOUNT = '3000'" in said
    assert "OMP_WAIT_POLICY = 'ACTIVE'" in heard("-c", "import itda_core, torch", OMP_WAIT_POLICY="active")
    command = ["decompose", "demo-0-L0", "--prompt", "a", "--json"]
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in heard("-m", "itda_core", *command)


def test_the_dashboards_process_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    handed_on: list[dict[str, str]] = []
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")  # as it is since itda_core was imported
    monkeypatch.setattr(os, "execve", lambda program, arguments, environment: handed_on.append(environment))
    with pytest.raises(SystemExit):
        cli_main.main(["app", "--port", "18501", "--headless"])
    assert handed_on[0]["OMP_WAIT_POLICY"] == "passive"
