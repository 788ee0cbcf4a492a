"""What one does with a dictionary: decompose a prompt, replay a pursuit, measure how good it is."""

from itda_core.analysis.decompose import (
    AtomUse,
    Decomposition,
    PromptActivations,
    TokenDecomposition,
    decompose,
    decompose_activations,
    read_prompt,
)
from itda_core.analysis.evaluate import Encoding, Evaluation, EvaluationProgress, evaluate
from itda_core.analysis.replay import Prediction, Replay, ReplayStep, replay

__all__ = [
    "AtomUse",
    "Decomposition",
    "Encoding",
    "Evaluation",
    "EvaluationProgress",
    "Prediction",
    "PromptActivations",
    "Replay",
    "ReplayStep",
    "TokenDecomposition",
    "decompose",
    "decompose_activations",
    "evaluate",
    "read_prompt",
    "replay",
]
