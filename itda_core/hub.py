"""The Hugging Face Hub: asking for a repository, with its refusals as sentences a person can act on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, cast

from itda_core.errors import UserError

if TYPE_CHECKING:
    from huggingface_hub.hf_api import DatasetInfo, ModelInfo

Kind = Literal["model", "dataset"]
TIMEOUT = 5.0  # seconds the Hub may take to say that a repository exists


class HubUnreachable(UserError):
    """No answer from the Hub: no network, or offline by setting."""


class NotOnHub(UserError):
    """The Hub has no such repository, or none that this user may see."""


def repository(kind: Kind, name: str, revision: str | None = None) -> ModelInfo | DatasetInfo:
    """What the Hub knows about a repository: `.id`, `.sha` (the commit `revision` stands for), `.siblings`.

    One request, so without a network the answer comes within TIMEOUT. Raises UserError (HubUnreachable, NotOnHub).
    """
    from huggingface_hub import HfApi

    api = HfApi()
    with explained(kind, name, revision):
        if kind == "model":
            return api.model_info(name, revision=revision, timeout=TIMEOUT)
        return api.dataset_info(name, revision=revision, timeout=TIMEOUT)


@contextmanager
def bars_on_terminals_only() -> Iterator[None]:
    """Keeps huggingface_hub's progress bars out of log files."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    silenced = not sys.stderr.isatty() and not are_progress_bars_disabled()
    if silenced:
        disable_progress_bars()
    try:
        yield
    finally:
        if silenced:
            enable_progress_bars()


@contextmanager
def explained(kind: Kind, name: str, revision: str | None = None) -> Iterator[None]:
    """Turns what huggingface_hub raises about a repository into UserError, HubUnreachable or NotOnHub."""
    from huggingface_hub import errors

    # The base class of every error of the HTTP library, whichever one huggingface_hub uses.
    http_error = cast(type[Exception], errors.HfHubHTTPError.__mro__[1])
    page = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{name}"
    try:
        yield
    except errors.GatedRepoError:
        raise UserError(
            f"The {kind} {name} is gated; ask for access on {page}, then set HF_TOKEN or run `hf auth login`."
        ) from None
    except errors.RepositoryNotFoundError:
        raise NotOnHub(
            f"There is no {kind} {name!r} on the Hugging Face Hub (or it is private); check the name, "
            "or set HF_TOKEN if it is yours."
        ) from None
    except errors.RevisionNotFoundError:
        raise UserError(f"The {kind} {name} has no revision {revision!r}; name a branch or tag of it.") from None
    except errors.HFValidationError:
        raise NotOnHub(f"{name!r} cannot be a {kind} on the Hugging Face Hub; names look like owner/name.") from None
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "an error")
        raise UserError(f"The Hugging Face Hub answered {status} about the {kind} {name}; try again later.") from error
    except (http_error, errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, ConnectionError) as error:
        raise unreachable(kind, name) from error


def unreachable(kind: Kind, name: str) -> HubUnreachable:
    """What is raised where the Hub does not answer, or may not be asked."""
    return HubUnreachable(
        f"The Hugging Face Hub cannot be reached for the {kind} {name}; check the network, or use what is on this "
        f"machine ({'a local folder or demo:0' if kind == 'model' else 'a file or demo'})."
    )
