"""A model's config.json: read by transformers, and which of transformers' classes it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from itda_core import files
from itda_core.errors import UserError
from itda_core.foreign import foreign, quoted
from itda_core.models.folder.model_folder import CONFIG
from itda_core.models.spec import ModelSpec

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_MOST_LAYERS = 2_000  # no model has as many, and building them would take minutes to hours
_MOST_PARTS = 100_000  # heads, experts
_LAYERS, _PARTS = re.compile(r"(^|_)(layers?|blocks?|depth)$"), re.compile(r"(^|_)(heads?|experts?|groups?)$")
_OWN_ATTENTION = (None, "eager", "sdpa")  # what torch itself computes; everything else wants a package or a GPU


def read_config(folder: Path, spec: ModelSpec) -> PretrainedConfig:
    """The config of a model folder. Attention that torch does not compute itself is left to transformers' choice: how
    it is computed changes no activation. Raises UserError when it is damaged, of no known architecture, or refused."""
    from transformers import AutoConfig

    stated = files.read_json(folder / CONFIG)
    if not isinstance(stated, dict):
        raise UserError(f"{folder / CONFIG} is damaged (no table but {type(stated).__name__}); fetch it again.")
    for name, value, most in _counts(stated):
        if value > most:
            raise UserError(
                f"Model {spec.name} cannot be read: its config.json says {quoted(name)} {_number(value)}, and no model "
                f"has more than {most:,}; correct it, or fetch config.json again."
            )

    def refusal(cause: str) -> UserError:
        if "auto_map" in stated and not spec.trust_remote_code:
            return needs_code(spec)
        kind = stated.get("model_type")
        if "auto_map" not in stated and not _known(kind):
            return UserError(
                f"Model {spec.name} cannot be read: its config names the architecture {quoted(kind)!r}, which the "
                "installed transformers does not know; give another model, or update transformers."
            )
        return refused(spec, stated, cause, "read")

    with foreign(refusal):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=spec.trust_remote_code, local_files_only=True)
        if config._attn_implementation not in _OWN_ATTENTION:
            config._attn_implementation = None
        text = config.get_text_config()
        n_layers, pad, size = (
            getattr(text, name, None) for name in ("num_hidden_layers", "pad_token_id", "vocab_size")
        )
    if isinstance(n_layers, int) and n_layers < 1:
        raise UserError(
            f"Model {spec.name} cannot be read: its config.json says {n_layers} layers, so it has no blocks; correct "
            "that number, or give another model."
        )
    if isinstance(pad, int) and isinstance(size, int) and not -size <= pad < size:
        raise UserError(
            f"Model {spec.name} cannot be read: its config.json says pad_token_id {_number(pad)}, and a vocab_size of "
            f"{_number(size)}, so that token has no embedding; set pad_token_id to null or to a token that has one."
        )
    return config


def refused(spec: ModelSpec, config: PretrainedConfig | dict[str, Any] | None, cause: str, what: str) -> UserError:
    """The error for a model that transformers, or its own code, refused to make of its config.

    what: what failed, a participle: "read", "loaded", "planned for". A package that is missing is named as such.
    """
    if "trust_remote_code" in cause:
        return needs_code(spec)
    if cause.startswith("Unrecognized configuration class"):
        return UserError(
            f"Model {spec.name} cannot be {what}: transformers has no class that makes a model of its config alone "
            f"({cause}); give the whole model that it is a part of."
        )
    known = config if isinstance(config, dict) else {} if config is None else config.to_dict()
    if re.search(r"pip install|not installed|No module named|packages? that were not found|not found in your", cause):
        return UserError(
            f"Model {spec.name} cannot be {what}: {cause}; install what is missing into the environment that runs this."
        )
    if "memory" in cause and ("suffice" in cause or "allocate" in cause):
        return UserError(
            f"Model {spec.name} cannot be {what}: this machine's memory does not hold it ({cause}); close other "
            "programs, or give a smaller model."
        )
    if "auto_map" in known and spec.trust_remote_code:
        return UserError(
            f"Model {spec.name} cannot be {what}: its own code raised an error ({cause}); correct that code, or "
            "install the version of transformers that it was written for."
        )
    return UserError(
        f"Model {spec.name} cannot be {what}: transformers refuses its config.json ({cause}); correct what is named "
        "there, or fetch config.json again."
    )


def needs_code(spec: ModelSpec) -> UserError:
    """The refusal of a model whose own code may not run."""
    return UserError(
        f"Model {spec.name} needs Python code of its own to run; if you trust its authors, load it with "
        "trust_remote_code."
    )


def whole_loader(config: PretrainedConfig) -> str | None:
    """Transformers' class that loads the checkpoint with the head that predicts the next token; None without one."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind = config.model_type
    if "AutoModelForCausalLM" in own_classes(config):
        return "AutoModelForCausalLM"
    # BERT and its kin have a causal head too, which reads both ways unless the config makes a decoder of it.
    if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False):
        return None
    if MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind) in architectures(config):
        return "AutoModelForCausalLM"
    if MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.get(kind) in architectures(config):  # given text, they read text
        return "AutoModelForImageTextToText"
    return None


def base_loader(config: PretrainedConfig) -> str:
    """Transformers' class that loads the checkpoint without a head."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES, MODEL_MAPPING_NAMES

    encoders = cast("Mapping[str, str]", MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES)
    encoder = encoders.get(config.model_type)  # the encoder alone of T5 and its kin
    if encoder in architectures(config) and encoder != MODEL_MAPPING_NAMES.get(config.model_type):
        return "AutoModelForTextEncoding"
    return "AutoModel"


def has_base(config: PretrainedConfig, spec: ModelSpec) -> bool:
    """Whether transformers has a class for the model below its head."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    own_code = own_classes(config) if spec.trust_remote_code else {}
    if "AutoModelForCausalLM" in own_code:
        return "AutoModel" in own_code
    base = MODEL_MAPPING_NAMES.get(config.model_type)
    return base is not None and base not in architectures(config)


def architectures(config: PretrainedConfig) -> tuple[str, ...]:
    """The classes that the config says its weights are of."""
    stated = config.architectures
    return tuple(name for name in stated if isinstance(name, str)) if isinstance(stated, (list, tuple)) else ()


def own_classes(config: PretrainedConfig) -> dict[str, Any]:
    """Which of transformers' classes the Python that comes with a model stands in for."""
    stated = getattr(config, "auto_map", None)
    return stated if isinstance(stated, dict) else {}


def _known(kind: object) -> bool:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return isinstance(kind, str) and kind in CONFIG_MAPPING


def _counts(stated: dict[str, Any], inside: str = "") -> Iterator[tuple[str, float, int]]:
    """The numbers of a config that count parts to build, by name, with the most there can be; of configs inside too."""
    for name, value in stated.items():
        if isinstance(value, dict):
            yield from _counts(value, f"{inside}{name}.")
        elif isinstance(value, (int, float)):
            if _LAYERS.search(name):
                yield f"{inside}{name}", value, _MOST_LAYERS
            elif _PARTS.search(name):
                yield f"{inside}{name}", value, _MOST_PARTS


def _number(value: float) -> str:
    return str(value) if abs(value) < 10**15 else f"{value:.3g}" if abs(value) < 10**300 else "beyond 10^300"
