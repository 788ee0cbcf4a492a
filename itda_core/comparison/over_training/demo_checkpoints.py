"""The bundled training checkpoints of demo:0: of each, the labels of a dictionary of every layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from itda_core.errors import UserError
from itda_core.files import read_json

if TYPE_CHECKING:
    from itda_core.dictionaries import LabelsOnly

CHECKPOINTS = Path(__file__).resolve().parents[3] / "assets" / "demo" / "checkpoints"
LIST = "checkpoints.json"


class DemoCheckpoint(NamedTuple):
    """One layer of the model as it stood at one step of its training."""

    step: int  # of the optimiser, 1 the first
    tokens: int  # trained on so far
    layer: int
    labels: LabelsOnly
    held_out_loss: float  # of the model at that step, nats per token


def labels_file(folder: Path, step: int, layer: int | None) -> Path:
    """Where the labels of a layer at a step lie."""
    from itda_core.dictionaries.labels_only import SUFFIX

    return folder / f"step-{step:04}-L{layer}{SUFFIX}"


def demo_checkpoints(folder: Path = CHECKPOINTS) -> list[DemoCheckpoint]:
    """All of them, by step and layer; the last step is the end of the training.

    assets/demo/train_models.py and build_dictionaries.py (both with --checkpoints) make them; the settings of the
    dictionaries are those of the bundled ones. Raises UserError when a file is missing or damaged.
    """
    from itda_core.dictionaries import read_labels

    about = read_json(folder / LIST)
    found: list[DemoCheckpoint] = []
    try:
        steps = [(int(one["step"]), int(one["tokens"]), float(one["held_out_loss"])) for one in about["checkpoints"]]
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{folder / LIST} is damaged; restore it from the repository.") from None
    for step, tokens, loss in sorted(steps):
        layer = 0
        while (path := labels_file(folder, step, layer)).is_file():
            found.append(DemoCheckpoint(step, tokens, layer, read_labels(path), loss))
            layer += 1
        if layer == 0:
            raise UserError(f"{path} is missing; restore it from the repository.")
    return found
