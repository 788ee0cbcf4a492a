"""Which model is meant, before anything of it is loaded."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from itda_core.errors import UserError

DEMO_MODELS = tuple(f"demo:{i}" for i in range(5))
PLACEMENTS = ("auto", "memory", "spread", "stream")
DTYPES = ("auto", "float32", "bfloat16", "float16")
_DEMO_FOLDERS = Path(__file__).resolve().parents[2] / "assets" / "demo" / "models"


@dataclass(frozen=True)
class ModelSpec:
    """A model by name, and how to load it.

    Raises UserError when the name is empty or the dtype, the device or the placement is none that exists.
    """

    name: str  # "demo:0" .. "demo:4", a local folder, or a Hugging Face id
    revision: str | None = None  # branch, tag or commit of a Hub id
    device: str = "auto"  # "auto" (cuda, then mps, then cpu), or a torch device
    dtype: str = "auto"  # one of DTYPES
    offline: bool = False  # use only what is already on this machine
    trust_remote_code: bool = False  # run Python that comes with the model; never on by itself
    placement: str = "auto"  # of the weights, one of PLACEMENTS, see load_model; it changes no result

    def __post_init__(self) -> None:
        if not isinstance(self.name, (str, os.PathLike)):
            raise UserError(f"Model {self.name!r:.200} is neither a name nor a path; give demo:0, a folder or Hub id.")
        object.__setattr__(self, "name", os.fspath(self.name))  # frozen; paths and torch's own values are taken as well
        object.__setattr__(self, "device", str(self.device))
        object.__setattr__(self, "dtype", str(self.dtype).removeprefix("torch."))
        if not self.name.strip():
            raise UserError(
                "No model was named; give demo:0, a local model folder or a Hugging Face id.", field="model"
            )
        if self.dtype not in DTYPES:
            raise UserError(f"dtype {self.dtype!r} is unknown; choose one of {', '.join(DTYPES)}.", field="dtype")
        if self.placement not in PLACEMENTS:
            raise UserError(
                f"Placement {self.placement!r} is unknown; choose one of {', '.join(PLACEMENTS)}.", field="placement"
            )
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device):
            raise UserError(
                f"Device {self.device!r} is unknown; choose auto, cpu, cuda, cuda:0, ... or mps.", field="device"
            )


def demo_folder(index: int) -> Path:
    """The folder of bundled model `index`. Raises UserError when there is no such demo model."""
    if not 0 <= index < len(DEMO_MODELS):
        raise UserError(f"demo:{index} does not exist; the bundled models are {', '.join(DEMO_MODELS)}.")
    return _DEMO_FOLDERS / f"demo-{index}"
