"""The form of a kind of job that has none of its own: a question for each option of its request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass
from functools import partial
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Any, Generic

from itda_core.models.spec import DEMO_MODELS
from itda_core.runs.faults import Faults
from itda_core.runs.jobs.kinds import JobKind, R, kind_of
from itda_core.runs.jobs.request_fields import JobRequest, Setting, from_texts, settings, shown_default
from itda_core.runs.jobs.request_options import LIBRARY, SETTINGS
from pages.ui.components.printable import escaped
from pages.ui.forms import job_form, kept, model_settings
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.forms.more_settings import more_settings
from pages.ui.frame import address

_MORE = MappingProxyType(
    {
        "device": model_settings.device,
        "dtype": model_settings.precision,
        "placement": partial(model_settings.placement, streams=False),
        "offline": model_settings.offline,
        "trust_remote_code": model_settings.trust,
    }
)
_NOT_ASKED = {*SETTINGS, LIBRARY.name} - _MORE.keys()
_PROPOSED = {"model": DEMO_MODELS[0], "corpus": "demo"}  # where the command line proposes nothing


@dataclass(frozen=True)
class Asked(Generic[R]):
    """What the form holds, by the names of the options; `request` checks it."""

    kind: JobKind[R, Any]
    given: Mapping[str, str | bool]

    def request(self, faults: Faults) -> R | None:
        """What is asked for; the first thing that can be seen to be wrong before any work goes to `faults`."""
        with faults.caught():
            return from_texts(self.kind.request, self.given)
        return None


def form(kind: JobKind[R, Any], field_faults: FieldFaults) -> Asked[R]:
    """Draws the form. What it holds is in the address, and comes back with it."""
    given: dict[str, str | bool] = {}
    for name, setting in _questions(kind):
        given[name] = _answer(f"{kind.name}.{name}", name, setting)
        field_faults.beside(name)
    more = [name for name in _MORE if name in settings(kind.request)]
    if more:
        with more_settings(kind.name, [name for name in model_settings.ADDRESS if name in more]):
            given |= {name: _MORE[name](kind.name) for name in more}
    return Asked(kind, given)


def in_address(kind: JobKind[Any, Any]) -> dict[str, object]:
    """What of the form is in the address now."""
    more = [name for name in model_settings.ADDRESS if name in settings(kind.request)]
    return address.held([*(name for name, _ in _questions(kind)), *more])


def cost(request: JobRequest, _: Faults) -> None:
    """What it would take."""
    seconds = resolve_name(kind_of(request).estimate)(request)
    job_form.cost(f"One {kind_of(request).noun}", seconds, "the model is on this machine")


def _questions(kind: JobKind[Any, Any]) -> Iterator[tuple[str, Setting]]:
    """The options that stand in the form itself."""
    for name, setting in settings(kind.request).items():
        if name not in _MORE and name not in _NOT_ASKED:
            yield name, setting


def _answer(key: str, name: str, setting: Setting) -> str | bool:
    label, help = name.replace("_", " ").capitalize(), escaped(setting.option.help)
    if setting.given_as is bool:
        return kept.toggle(name, label, key=key, help=help)
    return kept.text(name, label, _proposed(name, setting), key=key, help=help)


def _proposed(name: str, setting: Setting) -> str:
    """What an empty form's field holds: the default that --help shows."""
    default = shown_default(setting)
    if default is MISSING:
        return _PROPOSED.get(name, "")
    if default is None or isinstance(default, str):
        return default or ""
    return ",".join(map(setting.option.write, default if setting.several else [default]))
