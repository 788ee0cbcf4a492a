"""The model a dictionary was built on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from itda_core.errors import UserError

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary, LabelsOnly
    from itda_core.models import LanguageModel


def model_of(
    dictionary: AtomDictionary | LabelsOnly,
    name: str | None = None,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    offline: bool = False,
    trust_remote_code: bool = False,
    placement: str = "auto",
    *,
    head: bool = True,
) -> LanguageModel:
    """Load the model of `dictionary`, or its copy under another `name` (a folder that moved, a mirror).

    The other settings are those of a ModelSpec, in its order; `head`: see `load_model`; only predictions need one.
    Raises UserError when it cannot be loaded, or has other weights, for which the atoms have no meaning.
    """
    from itda_core.analysis.decompose import check_model
    from itda_core.models import ModelSpec, load_model

    spec = dictionary.spec
    if name is None:
        name, revision = spec.model, revision or spec.revision
    wanted = ModelSpec(name, revision, device, dtype, offline, trust_remote_code, placement)
    try:
        model = load_model(wanted, head=head)
    except UserError as error:
        if name != spec.model:
            raise
        raise UserError(
            f"The dictionary's model cannot be loaded: {error} If it has moved, name it with --model."
        ) from error
    check_model(model, dictionary)
    return model
