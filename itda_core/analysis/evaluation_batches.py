"""How the text of an evaluation is divided into forward passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from itda_core.analysis.evaluation_text import n_text

if TYPE_CHECKING:
    from itda_core.models import LanguageModel
    from itda_core.text import Window

_MOST_WINDOWS = 16  # of one forward pass
_MOST_LOGITS = {"cpu": 2**25, "cuda": 2**28}  # entries of one forward pass: 128 MiB, 1 GiB in float32
_MOST_OPERATIONS = {"cpu": 2**36, "cuda": 2**44}  # of one forward pass: well under a second, so that progress is heard


def default_windows_per_batch(model: LanguageModel, context: int) -> int:
    """How many windows of `context` tokens `model` reads at once: its logits and its operations stay within bounds."""
    device = model.device.type if model.device.type in _MOST_LOGITS else "cpu"
    parameters = sum(parameter.numel() for parameter in model.module.parameters())
    most = _MOST_OPERATIONS[device] // (2 * parameters * context)
    if model.has_lm_head:
        most = min(most, _MOST_LOGITS[device] // (context * model.module.config.get_text_config().vocab_size))
    return max(1, min(_MOST_WINDOWS, most))


def batches(windows: Iterable[Window], tokens: int, at_once: int) -> Iterator[list[Window]]:
    """Windows up to the one in which `tokens` is reached, `at_once` at a time."""
    wanted = _up_to(windows, tokens)
    while batch := list(islice(wanted, at_once)):
        yield batch


def _up_to(windows: Iterable[Window], tokens: int) -> Iterator[Window]:
    for window in windows:
        yield window
        tokens -= n_text(window)
        if tokens <= 0:
            return
