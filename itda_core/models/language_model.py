"""A loaded transformer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from itda_core.models import activations, prediction
from itda_core.models.architecture import Blocks, context_length, find_blocks, stated_layers, submodule, width
from itda_core.models.fingerprints import model_fingerprint, tokenizer_fingerprint
from itda_core.models.forward import batching_probe
from itda_core.models.forward.batching import Batching, Groups, grouped
from itda_core.models.forward.hooks import module_at
from itda_core.models.sites import Site
from itda_core.models.spec import ModelSpec
from itda_core.models.tokenizer.loading import check_ids, n_embeddings, note_of

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from itda_core.text import Window


class LanguageModel:
    """A Hugging Face decoder or encoder whose blocks were found, with its tokenizer."""

    def __init__(
        self,
        spec: ModelSpec,
        module: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        *,
        folder: Path,
        revision: str | None,
        has_lm_head: bool,
        headless: bool = False,
        device: torch.device | None = None,
    ) -> None:
        """headless: `module` is what lies below the head of the whole model, whose names the sites keep;
        device: where it computes, `module`'s own if None.

        Raises UserError for architectures that cannot be read, see `find_blocks`.
        """
        self.spec = spec
        self.module = module
        self.tokenizer = tokenizer
        self.folder = folder
        self.revision = revision  # the Hub's commit; None for a folder
        self.has_lm_head = has_lm_head  # whether it predicts the next token
        self.headless = headless
        self.device: torch.device = module.device if device is None else device  # activations come back to it
        self.blocks: Blocks = find_blocks(module, module.config, spec.name)
        self.d_model: int = width(module, module.config)
        self.context: int = context_length(module, module.config, tokenizer)  # tokens, special ones included
        self.lock = threading.RLock()  # held while hooks are on the module
        # By the size of a batch the sites at which one was held against windows alone.
        self._checked: dict[tuple[bool, int, int], set[Site]] = {}
        check_ids(tokenizer, module, spec.name)

    def __repr__(self) -> str:
        return f"LanguageModel({self.name!r}, {self.n_layers} layers, d_model {self.d_model}, {self.device})"

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def n_layers(self) -> int:
        return len(self.blocks.modules) or stated_layers(self.module.config)

    @property
    def dtype(self) -> torch.dtype:
        return self.module.dtype

    @cached_property
    def fingerprint(self) -> str:
        """Of the weights and of what else activations depend on, see `model_fingerprint`."""
        return model_fingerprint(self.folder, own_code=self.spec.trust_remote_code)

    @cached_property
    def tokenizer_fingerprint(self) -> str:
        """Hexadecimal sha256 of the tokenizer."""
        return tokenizer_fingerprint(self.tokenizer)

    @cached_property
    def batching(self) -> Batching:
        """How several windows may be read so that each gives what it gives alone: found out when first needed."""
        with self.lock:
            return batching_probe.batching_of(self)

    def groups(self, windows: Sequence[Window]) -> Groups:
        """Which of `windows` share a forward pass, by their places."""
        return grouped([*map(len, windows)], self.batching if len(windows) > 1 else Batching.TOGETHER)

    def is_new(self, windows: Sequence[Window], sites: Sequence[Site]) -> bool:
        """Whether `windows` are the first batch of their size, of those read together, at one of `sites`; asked
        once of each.
        """
        if len(windows) < 2 or self.batching is not Batching.TOGETHER:
            return False
        lengths = {len(window) for window in windows}
        size = len(lengths) > 1, max(lengths).bit_length(), len(windows).bit_length()
        checked = self._checked.setdefault(size, set())
        if checked.issuperset(sites):
            return False
        checked.update(sites)
        return True

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on this model's activations: whole sentences."""
        return tuple(note for note in (self.tokenizer_note, self.batching_note) if note is not None)

    @property
    def tokenizer_note(self) -> str | None:
        """A note if its tokenizer differs from the one that transformers makes of its files."""
        return note_of(self.tokenizer)

    @property
    def batching_note(self) -> str | None:
        """A note if its windows are not read as batches."""
        if self.batching is Batching.EQUAL:
            return (
                f"Windows of {self.name} share a forward pass only where they are of one length, which takes longer: "
                "it reads what stands right of a text despite the mask."
            )
        if self.batching is Batching.ALONE:
            return (
                f"Windows of {self.name} are read one by one, which takes longer: in a batch they would change each "
                "other's activations."
            )
        if self.batching is Batching.UNSTEADY:
            return (
                f"{self.name} reads a text differently each time, because its code draws at random: what is found "
                "here cannot be reproduced exactly, and its labels cannot be verified."
            )
        return None

    @property
    def pad_id(self) -> int:
        """The token that fills a batch's shorter windows; which one it is changes no activation that is read."""
        table = n_embeddings(self.module)
        for id in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id):
            if isinstance(id, int) and (table is None or 0 <= id < table):
                return id
        return 0

    def site(self, kind: str, layer: int | None = None) -> Site:
        """The site that `Site.parse(kind, layer)` names. Raises UserError when this model has none such.

        A module's path may be that of the whole model (`transformer.h.3.mlp`) or of the model below its head
        (`h.3.mlp`); the site has the former, however the model was loaded.
        """
        site = Site.parse(kind, layer)
        module_at(self, site)
        if site.module is None:
            return site
        inner = next(path for path in self._readings(site.module) if submodule(self.module, path) is not None)
        return Site(site.kind, site.layer, self.whole_path(inner))

    def submodule(self, path: str) -> nn.Module | None:
        """The module at `path` of the whole model or of the model below its head; None when there is none."""
        found = (submodule(self.module, reading) for reading in self._readings(path))
        return next((module for module in found if module is not None), None)

    def whole_path(self, path: str) -> str:
        """The path in the whole model of what is at `path` of `module`."""
        return f"{self.module.base_model_prefix}.{path}" if self.headless else path

    def _readings(self, path: str) -> list[str]:
        """Where in `module` the path may lie, the likeliest first."""
        prefix = f"{self.module.base_model_prefix}."
        below = [path.removeprefix(prefix)] if path.startswith(prefix) else []
        return [*below, path] if self.headless else [path, f"{prefix}{path}", *below]

    def stream(
        self,
        windows: Iterable[Window],
        sites: Sequence[Site],
        *,
        windows_per_batch: int = 16,
        include_special: bool = False,
    ) -> Iterator[activations.ActivationBatch]:
        """See `activations.stream`."""
        return activations.stream(
            self, windows, sites, windows_per_batch=windows_per_batch, include_special=include_special
        )

    def capture(self, window: Window, sites: Sequence[Site]) -> dict[Site, torch.Tensor]:
        """See `activations.capture`."""
        return activations.capture(self, window, sites)

    def next_token_logits(self, window: Window, site: Site, position: int, replacements: torch.Tensor) -> torch.Tensor:
        """See `activations.next_token_logits`."""
        return activations.next_token_logits(self, window, site, position, replacements)

    def predict(self, windows: Sequence[Window], sites: Sequence[Site] = ()) -> prediction.Predictions:
        """See `prediction.predict`."""
        return prediction.predict(self, windows, sites)

    def predict_spliced(self, windows: Sequence[Window], site: Site, replacement: torch.Tensor) -> torch.Tensor:
        """See `prediction.predict_spliced`."""
        return prediction.predict_spliced(self, windows, site, replacement)
