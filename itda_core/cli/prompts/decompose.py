"""`itda decompose`."""

from __future__ import annotations

from typing import Annotated

import typer

from itda_core.cli.options import (
    AsJson,
    Device,
    Dtype,
    LibraryFolder,
    Offline,
    OtherModel,
    OwnMethod,
    Placement,
    Reference,
    RemoteCode,
    Revision,
    go_offline,
)
from itda_core.cli.terminal import print_decomposition, print_json, stdout_for_json
from itda_core.runs.library import Library


def decompose(
    dictionary: Reference,
    prompt: Annotated[str, typer.Option(help="The text to decompose.")],
    k: Annotated[int | None, typer.Option("--k", help="Atoms per token; the dictionary's own if left out.")] = None,
    method: OwnMethod = None,
    non_negative: Annotated[
        bool, typer.Option("--non-negative", help="Only coefficients of at least zero, in whichever pursuit.")
    ] = False,
    model: OtherModel = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Which atoms explain each token of a prompt."""
    go_offline(offline)
    path = Library(library).find(dictionary)
    with stdout_for_json(as_json):
        from itda_core.analysis import decompose as explain
        from itda_core.dictionaries import AtomDictionary
        from itda_core.runs.model_of import model_of

        loaded = AtomDictionary.load(path)
        language_model = model_of(
            loaded, model, revision, device, dtype, offline, trust_remote_code, placement, head=False
        )
        result = explain(language_model, loaded, prompt, k, method, non_negative=non_negative)
    if as_json:
        print_json(result.to_dict())
    else:
        print_decomposition(result)
