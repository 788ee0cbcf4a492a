"""Ray: loaded when asked for, joined where it runs, or started on this machine alone."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from itda_core.errors import UserError
from itda_core.runs.machine import machine

HERE = ("auto", "local")  # addresses that mean this machine
_SECONDS_TO_ANSWER = 5.0
_STORE_SHARE = 0.1  # of this machine's memory, for batches on their way
_LEAST_STORE, _MOST_STORE = 80 * 2**20, 4 * 2**30  # bytes; Ray refuses less


def ray_module() -> Any:
    """Ray. Raises UserError where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report usage to its makers
    try:
        return import_module("ray")
    except ImportError:
        raise UserError(
            "A cluster needs Ray, which is not installed; install the extra: pip install 'itda-studio[cluster]', or "
            "leave --cluster out."
        ) from None


def loopback_only() -> None:
    """Have Ray, which must not be loaded yet, listen on and connect to this machine's loopback address only."""
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # Ray's setting for "no other machines"


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, joined to the cluster at `address` (host:port), or to one of this machine's cores for one of HERE.

    A process that is already connected keeps its cluster. Raises UserError when nothing answers.
    """
    host, port = ("127.0.0.1", 0) if address in HERE else _parsed(address)
    if _is_loopback(host):
        loopback_only()
    ray = ray_module()
    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "include_dashboard": False}
    if address in HERE:
        here = machine()
        store = min(max(int(_STORE_SHARE * here.memory_free), _LEAST_STORE), _MOST_STORE)
        options |= {"address": "local", "num_cpus": here.cores, "object_store_memory": store}
    else:
        _check_answers(host, port)
        options = {name: options[name] for name in ("log_to_driver", "logging_level")} | {"address": address}
    try:
        with _signals_kept():
            ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        message = " ".join(str(error).split())[:200]
        raise UserError(
            f"The Ray cluster at {address} cannot be joined ({message}); this machine must be one of its nodes (ray "
            f"start --address={address}), with the same versions of Ray and Python."
        ) from error
    try:
        yield ray
    finally:
        with _signals_kept():
            ray.shutdown()


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536 or "/" in host:
        raise UserError(f"{address!r} is no address of a Ray cluster; give host:port, or auto for this machine alone.")
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_answers(host: str, port: int) -> None:
    """Raises UserError at once where no cluster answers; Ray itself would try for more than a minute."""
    try:
        socket.create_connection((host, port), timeout=_SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise UserError(
            f"No Ray cluster answers at {host}:{port} ({error.strerror or error}); check the address (ray status shows "
            "it on a node), or give auto for this machine alone."
        ) from None


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Restores the handler of SIGTERM, which Ray replaces by its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
