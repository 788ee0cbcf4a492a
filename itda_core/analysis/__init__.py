"""What one does with a dictionary: decompose a prompt, replay a pursuit."""

from itda_core.analysis.decompose import (
    AtomUse,
    Decomposition,
    PromptActivations,
    TokenDecomposition,
    decompose,
    decompose_activations,
    read_prompt,
)
from itda_core.analysis.replay import Prediction, Replay, ReplayStep, replay

__all__ = [
    "AtomUse",
    "Decomposition",
    "Prediction",
    "PromptActivations",
    "Replay",
    "ReplayStep",
    "TokenDecomposition",
    "decompose",
    "decompose_activations",
    "read_prompt",
    "replay",
]
