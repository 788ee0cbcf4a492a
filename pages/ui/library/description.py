"""What is known of a dictionary, in words: what its dictionary.json says, and the loss that was measured."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from itda_core.errors import UserError
from itda_core.figures_as_text import figure
from itda_core.files import read_json
from itda_core.fingerprints import short
from itda_core.runs.evaluation.measured_loss import loss_words
from itda_core.runs.units import duration
from pages.ui.components.moments import moment
from pages.ui.components.printable import visible


class Description(NamedTuple):
    """What is known of a dictionary, in words for three small tables."""

    origin: dict[str, str]
    settings: dict[str, str]
    measured: dict[str, str]


def description(path: Path, *, bundled: bool = False) -> Description:
    """What dictionary.json says, without loading torch; of a `bundled` one not how fast another machine made it.

    Raises UserError when it is damaged.
    """
    said = read_json(path / "dictionary.json")
    parts = [said.get(name) if isinstance(said, dict) else None for name in ("spec", "config", "stats")]
    if not all(isinstance(part, dict) for part in parts):
        raise UserError(f"{path} is damaged; restore it from a copy or train anew.")
    spec, config, stats = (part or {} for part in parts)
    stats = {name: value for name, value in stats.items() if not (bundled and name in _OF_A_MACHINE)}
    text = str(stats.get("fvu_text") or "")
    read = {**_READ, "relative_error": f"relative error, {_TEXTS.get(text, text)}"} if text else _READ
    made = moment(created) if isinstance(created := said.get("created"), str) else ""
    origin, settings = _words({**spec, "made": made or None}, {}), _words(config, _ASKED)
    measured = _words(_sorted(stats), read)
    return Description(origin, settings, {**measured, **loss_words(path)})


# What people call the entries of each part; the other names are those of the file, in words.
_NAMES = {
    "d_model": "d_model",
    "k": "k",
    "fvu": "FVU",
    "fvu_text": "FVU measured on",
    "fvu_tokens": "tokens of that text",
    "fvu_sinks_left_out": "attention sinks left out of that text",
    "mean_relative_error": "relative error, training text",
    "norm_median": "median norm",
    "sinks_left_out": "attention sinks left out",
    "special_tokens_left_out": "special tokens left out",
    "zero_activations_left_out": "activations of zero left out",
    "windows": "windows read",
    "centre": "mean removed",
    "passes": "passes over the text",
    "seconds": "training took",
    "tokens_per_second": "tokens per second in training",
}
_OF_A_MACHINE = ("seconds", "tokens_per_second")  # of the one that trained it
_FIRST = ("fvu", "fvu_text", "fvu_tokens", "relative_error", "mean_relative_error")  # what a reader asks for
_ASKED = {
    "tokens": "tokens asked for",
    "atoms": "atoms asked for",
    "windows": "windows",
    "sinks": "a sink's norm, of the median",
}
_READ = {"tokens": "tokens read"}
_TEXTS = {"held-out": "held-out text", "training": "training text"}


def _sorted(stats: dict[str, object]) -> dict[str, object]:
    return {**{name: stats[name] for name in _FIRST if name in stats}, **stats}


def _words(part: dict[str, object], own_names: dict[str, str]) -> dict[str, str]:
    """The entries that have a value, by the names that people read; own_names: those of this part alone."""
    words = {}
    for name, value in part.items():
        if value is None or value == [] or isinstance(value, dict):  # a dict: what only a later training reads
            continue
        word = _stages(value) if isinstance(value, list) else _word(value)
        if name == "seconds" and isinstance(value, (int, float)):
            word = duration(value)
        if name.endswith("fingerprint"):
            word = short(word)
        if name == "fvu_text":
            word = _TEXTS.get(word, word)
        words[own_names.get(name) or _NAMES.get(name, name.replace("_", " "))] = word
    return words


def _stages(value: list[object]) -> str:
    """The parts of a training that went further than it was first asked to."""
    parts = [
        f"{_word(stage.get('tokens_read'))} tokens{_threshold(stage)}: {_word(stage.get('atoms_added'))} atoms"
        for stage in value
        if isinstance(stage, dict)
    ]
    return "; ".join(parts) or "—"


def _threshold(stage: dict[str, object]) -> str:
    given = stage.get("threshold")
    return "" if given is None else f" at threshold {_word(given)}"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else figure(value, ".4g")
    if isinstance(value, int):
        return f"{value:,}"
    return "—" if value is None else visible(str(value))
