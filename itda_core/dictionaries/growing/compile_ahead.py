"""What is compiled for this machine's CPU, compiled when the studio is installed and not when it is first asked for."""

from __future__ import annotations

import torch

from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.growing.sequential import SequentialSelection
from itda_core.pursuit.kernels import compile_ahead
from itda_core.pursuit.methods import NAMES


def compile_all() -> None:
    """Every pursuit, and the growing of dictionaries by each. What was compiled before is only loaded."""
    compile_ahead(every=True)
    x = torch.eye(3)
    for method in NAMES:
        growing = SequentialSelection(TrainConfig(k=1, threshold=0.5, method=method), x.shape[1], x.device)
        growing.judge(x)
        growing.restore(growing.atoms)
