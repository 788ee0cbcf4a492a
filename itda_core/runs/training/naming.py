"""What the dictionaries of a training are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from itda_core.runs.library import Library
from itda_core.runs.names import MOST_BYTES, cleaned
from itda_core.runs.training.request import TrainRequest

_ROOM = len("-L9999") + len("-999")  # bytes of what may come behind a name


def check_names(request: TrainRequest, library: Library, layers: Sequence[int | None]) -> None:
    """Raises UserError when one of the dictionaries cannot be called as `request` has it: a bad name, or a taken one.

    layers: those that are trained; None is a site that belongs to no layer. Where they are not known, none: then the
    name alone is looked at.
    """
    if request.name is None:
        return
    if not layers:
        library.new_name(request.name)
    for layer in layers:
        library.new_name(request.name_of(layer) or "")


def usual_name(request: TrainRequest, library: Library, layers: Sequence[int | None]) -> str:
    """A name that tells the training apart and that nothing in the library has, such as `demo-0-L2-sequential-0.3`.

    It tells the model, the layer (of several each dictionary tells its own), the site where it is another than usual,
    the selection, and the threshold or, of selections that end with a wanted number, the atoms.
    """
    config = request.config
    size = config.atoms if config.rule.sized else config.threshold
    parts = [
        *([f"L{request.layers[0]}"] if request.layers and request.one_layer else []),
        *([] if request.site == type(request).site else [cleaned(request.site.replace("{layer}", ""), "._-")]),
        config.selection,
        *([] if size is None else [f"{size:g}" if isinstance(size, float) else str(size)]),
    ]
    behind = cleaned("-".join(filter(None, parts)), "._-", MOST_BYTES // 2)
    stem = f"{cleaned(_short(request.model.name), '._-', MOST_BYTES // 2 - _ROOM) or 'model'}-{behind}"
    number, name = 1, stem
    while any(library.has(replace(request, name=name).name_of(layer) or name) for layer in layers or (None,)):
        number += 1
        name = f"{stem}-{number}"
    return name


def _short(model: str) -> str:
    """A model's name without its folder or its owner."""
    return model.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
