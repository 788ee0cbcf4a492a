"""From the name of a device to one that this machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from itda_core.errors import UserError

if TYPE_CHECKING:
    import torch


def device_of(name: str) -> torch.device:
    """The device called so, as ModelSpec has it. Raises UserError when this machine has none such."""
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    device = torch.device(name)
    there = {"cpu": True, "mps": mps, "cuda": cuda and (device.index or 0) < torch.cuda.device_count()}
    if not there[device.type]:
        raise UserError(f"Device {name} is not available on this machine; choose auto or cpu.", field="device")
    return device


def check_device(name: str) -> None:
    """Raises UserError when this machine has no device called so; torch is loaded only to look for a GPU."""
    if name not in ("auto", "cpu"):
        device_of(name)
