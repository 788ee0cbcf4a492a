"""Dictionaries on the Hugging Face Hub."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from itda_core.dictionaries.storage.description import SPECIFICATION
from itda_core.dictionaries.storage.dictionary_folder import ATOMS, PROVENANCE, save
from itda_core.errors import UserError
from itda_core.hub import explained

if TYPE_CHECKING:
    from itda_core.dictionaries.dictionary import AtomDictionary


def download(name: str, revision: str | None) -> Path:
    """A local copy of the repository `name` (owner/name), only the three files of a dictionary.

    Raises UserError when there is no such repository, it is not a dictionary, or the Hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        raise UserError(f"{name!r} is neither a folder on this machine nor a Hub id (owner/name); check it.") from None
    with explained("model", name, revision):
        return Path(snapshot_download(name, revision=revision, allow_patterns=[SPECIFICATION, ATOMS, PROVENANCE]))


def upload(dictionary: AtomDictionary, name: str, *, private: bool) -> str:
    """Put `dictionary` into the repository `name`, made if need be; returns its address.

    Raises UserError when there is no access token in the environment, or the Hub refuses or cannot be reached.
    """
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise UserError("Pushing to the Hub needs an access token; set HF_TOKEN or run `hf auth login`.")
    api = HfApi()
    with tempfile.TemporaryDirectory() as scratch, explained("model", name):
        folder = save(dictionary, Path(scratch) / "dictionary")
        address = api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(repo_id=address.repo_id, folder_path=folder, commit_message="Add the dictionary")
    return str(address)
