"""What can be seen to be wrong with a training before it starts, without loading a weight or fetching anything.

Each check is the one that the work itself makes; here all are made, and what they raise is kept by field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from itda_core.errors import UserError, about
from itda_core.models.devices import check_device
from itda_core.models.folder.model_folder import folder_here
from itda_core.models.sites import KINDS
from itda_core.models.spec import DEMO_MODELS, ModelSpec
from itda_core.runs.costs.model_figures import ModelFigures, model_figures
from itda_core.runs.costs.training import Estimate, most_tokens
from itda_core.runs.faults import Faults
from itda_core.runs.layers import existing_layers
from itda_core.runs.library import Library
from itda_core.runs.machine import Machine
from itda_core.runs.training.naming import check_names
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.units import size

if TYPE_CHECKING:
    from itda_core.models import LanguageModel


def known_model(spec: ModelSpec, faults: Faults, field: str = "model") -> ModelFigures | None:
    """The model's figures, if it is on this machine; what is wrong with it is kept under `field`.

    The Hub is asked for what is not here. None where it is yet to be fetched, or cannot be had.
    """
    with faults.caught(field), about(field):
        return None if folder_here(spec) is None else model_figures(spec)
    return None


def find_faults(
    request: TrainRequest,
    faults: Faults,
    *,
    figures: ModelFigures | None,
    outline: Callable[[ModelSpec], LanguageModel],
) -> None:
    """Keeps what is wrong with `request`, whose parts are right each by itself.

    figures: of its model, None where it is not here, or wrong; outline: loading.load_outline, or what remembers it.
    """
    spec = request.model
    layers: Sequence[int] = request.layers or ()
    with faults.caught("device"):
        check_device(spec.device)
    if figures is not None:
        with faults.caught():
            layers = existing_layers(request.layers, figures.n_layers, spec.name)
        _check_reading(request, figures, faults)
        usual = spec.name in DEMO_MODELS and request.site in KINDS
        if not (usual or spec.trust_remote_code or faults.of("device", "model", "layers", "context")):
            _check_outline(request, outline, layers, faults)
    with faults.caught():
        check_names(request, Library(request.library), layers)
    _check_amounts(request, faults)


def _check_reading(request: TrainRequest, figures: ModelFigures, faults: Faults) -> None:
    """How activations are read and decomposed, as far as config and tokenizer say what the model can."""
    if figures.context is not None:
        with faults.caught():
            request.config.check_context(request.model.name, figures.context)
    if request.site in KINDS:  # what a module gives may be narrower or wider
        with faults.caught("k"):
            request.config.check_k(figures.d_model)
        with faults.caught("threshold"):
            request.config.threshold_for(figures.d_model)


def _check_outline(
    request: TrainRequest, outline: Callable[[ModelSpec], LanguageModel], layers: Sequence[int], faults: Faults
) -> None:
    """What only the model's modules and its tokenizer tell."""
    from itda_core.text import windows

    with faults.caught("model"):
        model = outline(request.model)
        with about("site"):
            for layer in layers:
                model.site(request.site, layer)
        request.config.check_context(model.name, model.context)
        windows([], model.tokenizer, context=request.config.context)


def _check_amounts(request: TrainRequest, faults: Faults) -> None:
    """Whether the text has as much as is asked for."""
    config = request.config
    most = None if faults.of("corpus") else most_tokens(request.corpus)
    if most is None:
        return
    if config.rule.sized and config.atoms is not None and config.atoms > most and not faults.of("tokens"):
        faults.add(
            UserError(
                f"atoms={config.atoms:,} are more than the text has tokens (less than {most:,}); ask for fewer atoms "
                "or choose a longer text.",
                field="atoms",
            )
        )
    if config.tokens is not None and config.tokens > most and not faults.of("tokens"):
        faults.remarks.append(
            UserError(
                f"tokens={config.tokens:,} are more than the text has (less than {most:,}), so all of it is read; "
                "choose a longer text to read more.",
                field="tokens",
            )
        )


def find_shortage(request: TrainRequest, expected: Estimate, here: Machine, faults: Faults) -> None:
    """Keeps what the estimate says does not fit: an error where it is certain enough to hold the training back, a
    remark where it rests on an assumed number of atoms.
    """
    with faults.caught("keep_activations"):
        expected.check_disk()
    kept = faults.remarks if expected.assumed else faults.errors
    much = "Up to" if expected.assumed else "About"
    guess = " (if every tenth token becomes an atom; most texts give far fewer)" if expected.assumed else ""
    if expected.fits(here) is False:
        lacking = UserError(
            f"{much} {size(expected.memory or 0)} of memory would be needed{guess}, {size(here.memory_free)} are free; "
            "choose fewer layers, fewer tokens or a lower limit of atoms, or let the weights stream, one block at a "
            "time.",
            field="memory",
        )
        kept.append(lacking)
    if expected.fits_library() is False:
        lacking = UserError(
            f"{much} {size(expected.disk or 0)} of disk would be needed{guess}, {size(expected.library_free or 0)} are "
            "free; choose fewer layers or fewer atoms, or free some space.",
            field="disk",
        )
        kept.append(lacking)
