"""Where in a model an activation is read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from itda_core.errors import UserError


@dataclass(frozen=True)
class SiteKind:
    """A place that every block has."""

    name: str
    words: str  # for people who choose one


TABLE = (
    SiteKind("resid_post", "residual stream after the block"),
    SiteKind("resid_pre", "residual stream before the block"),
    SiteKind("attn_out", "what attention adds"),
    SiteKind("mlp_out", "what the MLP adds"),
)
KINDS = tuple(kind.name for kind in TABLE)
_TRANSFORMER_LENS = re.compile(rf"blocks\.(\d+)\.(?:hook_)?({'|'.join(KINDS)})")
_BLOCK_NUMBER = re.compile(r"(?:^|\.)(\d+)(?=\.|$)")


@dataclass(frozen=True)
class Site:
    """One place in a model: one of the four kinds at a block, or a module by its path.

    - `resid_post`: the output of block `layer` (the residual stream after it); `resid_pre`: its input;
    - `attn_out`, `mlp_out`: the output of the block's attention or MLP submodule, as that submodule returns it
      (where a block normalises or scales this output before adding it, as Gemma-2 does, the value is the one before;
      where the submodule itself adds the residual, as in BERT, BLOOM and MPT, it is its last projection's output, and
      of a mixture of experts it is their weighted sum);
    - `module`: the output of the module at the path `module`.

    Each is what Hugging Face's own code computes there for the same batch with as many threads, to the bit; another
    batch or padding rounds otherwise (float32: by less than 2e-5 in tests of fifty families), and so does another
    processor.
    """

    kind: str
    layer: int | None  # 0-based; None for a module path without a block number
    module: str | None = None  # the path when kind == "module"

    def __post_init__(self) -> None:
        if self.kind == "module":
            if not self.module:
                raise UserError("A site of kind 'module' needs the module's path, for example transformer.h.3.mlp.")
            return
        if self.kind not in KINDS:
            raise UserError(f"Site {self.kind!r} is unknown; choose one of {', '.join(KINDS)} or a module path.")
        if self.layer is None:
            raise UserError(f"Site {self.kind!r} needs a layer; give one, for example layer 0.")
        if self.layer < 0:
            raise UserError(f"Layer {self.layer} does not exist; layers are counted from 0.")

    @property
    def name(self) -> str:
        """`blocks.2.hook_resid_post` (as TransformerLens and SAELens write it), or the module path."""
        return self.module or f"blocks.{self.layer}.hook_{self.kind}"

    def __str__(self) -> str:
        return self.name

    @classmethod
    def parse(cls, text: str, layer: int | None = None) -> Site:
        """The site that `text` names: one of KINDS (then `layer` is needed), a TransformerLens name or a module path.

        A module path may contain `{layer}`, which `layer` fills. Raises UserError when `text` names no site, when a
        layer is missing, or when `layer` contradicts the layer in the name.
        """
        text = text.strip()
        if text in KINDS:
            return cls(text, layer)
        if "{layer}" in text:
            if layer is None:
                raise UserError(f"Site {text!r} needs a layer; give one, for example layer 0.")
            text = text.replace("{layer}", str(layer))
        lens = _TRANSFORMER_LENS.fullmatch(text)
        number = lens or _BLOCK_NUMBER.search(text)
        named = int(number.group(1)) if number else None
        if layer is not None and named is not None and layer != named:
            raise UserError(f"Site {text!r} is of layer {named}, but layer {layer} was asked for; give one of the two.")
        if lens:
            return cls(lens.group(2), named)
        if not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", text) or ("." not in text and not text.isidentifier()):
            raise UserError(f"Site {text!r} is unknown; choose one of {', '.join(KINDS)} or a module path.")
        return cls("module", named, text)
