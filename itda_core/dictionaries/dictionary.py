"""A dictionary: atoms that were really seen, where they were seen, and how they were selected."""

from __future__ import annotations

import os
from collections import defaultdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.arguments import plain, user_path
from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.provenance import AtomLabel, to_labels
from itda_core.dictionaries.spec import DictionarySpec
from itda_core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import Tensor

    from itda_core.pursuit import SparseCode


class AtomDictionary:
    """Atoms (n_atoms, d_model) of unit norm with their labels.

    `mean` (d_model,) is zero unless the dictionary is centred; `provenance` has one row per label; `spec`, `config` and
    `stats` say what it was grown from, how, and how well it does; `path` is its folder, None before it is saved.
    """

    def __init__(
        self,
        atoms: Tensor,
        mean: Tensor,
        provenance: pd.DataFrame,
        spec: DictionarySpec,
        config: TrainConfig,
        stats: dict[str, Any],
        path: Path | None = None,
        *,
        gram: Tensor | None = None,
    ) -> None:
        """gram: atoms @ atoms.T where it is at hand, so that it need not be computed again."""
        from itda_core.pursuit.given import as_tensor

        atoms, mean = as_tensor(atoms, "Atoms"), as_tensor(mean, "Means")
        assert tuple(mean.shape) == tuple(atoms.shape[1:]), "atoms (n_atoms, d_model) and mean (d_model,)"
        self.atoms, self.mean, self.provenance = atoms, mean, provenance
        self.spec, self.config, self.stats, self.path = spec, config, stats, path
        self._grams: dict[torch.dtype, Tensor | None] = {} if gram is None else {gram.dtype: gram}
        self._gram_dtype: torch.dtype | None = None  # None: what suits the pursuit

    def __len__(self) -> int:
        return self.atoms.shape[0]

    def __repr__(self) -> str:
        layer = "" if self.spec.layer is None else f" layer {self.spec.layer}"
        return f"AtomDictionary({len(self)} atoms of {self.spec.model}{layer} {self.spec.site})"

    @property
    def sink_norm(self) -> float | None:
        """Activations longer than this, before centring, were left out as attention sinks; None: none was."""
        sinks, median = self.config.sinks, self.stats.get("norm_median")
        return None if sinks is None or median is None else sinks * median

    @classmethod
    def load(cls, path: str | Path) -> AtomDictionary:
        """The dictionary in the folder `path`, everything checked. Raises UserError when it is damaged or foreign."""
        from itda_core.dictionaries.storage.dictionary_folder import read

        path = user_path(path)
        return cls(*read(path), path)

    @classmethod
    def of(cls, given: AtomDictionary | str | Path) -> AtomDictionary:
        """`given`, or the dictionary in that folder, see `load`."""
        return cls.load(given) if isinstance(given, (str, Path)) else given

    def save_pretrained(self, path: str | Path, *, dtype: str = "float32", run: str | None = None) -> Path:
        """Write the folder `path`, whole or not at all; atoms are stored as `dtype` ("float32" or "float16").

        run: which training made it, for one that may be killed just behind this.

        Raises UserError when `path` exists, cannot be written, or the disk is full.
        """
        from itda_core.dictionaries.storage.dictionary_folder import save

        return save(self, user_path(path), dtype=dtype, run=run)

    @classmethod
    def from_pretrained(cls, source: str | Path, *, revision: str | None = None) -> AtomDictionary:
        """The dictionary in a local folder, or on the Hugging Face Hub under the id `source`.

        Raises UserError when there is none, when the Hub cannot be reached, or when what is there is damaged.
        """
        from itda_core.dictionaries.storage.hub import download

        path = user_path(source)
        return cls.load(path) if os.path.isdir(path) else cls.load(download(str(source), revision))

    def push_to_hub(self, name: str, *, private: bool = False) -> str:
        """Upload to the Hub as the model repository `name` (owner/name), made if need be; returns its address.

        The access token comes from the environment (HF_TOKEN) or an earlier `hf auth login`, never from an argument.
        Raises UserError when the Hub refuses or cannot be reached.
        """
        from itda_core.dictionaries.storage.hub import upload

        return upload(self, name, private=private)

    def to(self, device: torch.device | str) -> AtomDictionary:
        """The same dictionary with its tensors on `device`."""
        atoms, mean = self.atoms.to(device), self.mean.to(device)
        return AtomDictionary(atoms, mean, self.provenance, self.spec, self.config, self.stats, self.path)

    def encode(
        self, x: Tensor, k: int | None = None, method: str | None = None, *, non_negative: bool = False
    ) -> SparseCode:
        """Codes of activations x (n_tokens, d_model), the mean subtracted first; x may be an array of NumPy as well.

        k: atoms per token; None: the config's, or all atoms if there are fewer. method: see pursuit.methods; None: the
        config's. non_negative: only coefficients of at least zero.

        Raises UserError for a k above the number of atoms, an unknown method, a wrong d_model, or NaN.
        """
        from itda_core.pursuit import encode
        from itda_core.pursuit.given import as_tensor

        x = as_tensor(x, "Activations")
        self._check_width(x)
        k = min(self.config.k, len(self)) if k is None else k
        centred = x - self.mean.to(x.dtype) if self.config.centre else x
        atoms = self.atoms if self.atoms.device == x.device else self.atoms.to(x.device)
        method = self.config.method if method is None else method
        gram = self.gram(method) if atoms is self.atoms else None
        return encode(centred, atoms, k, method, gram, non_negative=non_negative)

    def decode(self, code: SparseCode) -> Tensor:
        """The activations a code stands for, the mean added back: (n_tokens, d_model)."""
        from itda_core.pursuit import SparseCode, reconstruct
        from itda_core.pursuit.given import as_tensor

        code = SparseCode(as_tensor(code[0], "Indices"), as_tensor(code[1], "Coefficients"))
        x_hat = reconstruct(code, self.atoms.to(code.coefficients.device))
        return x_hat + self.mean.to(x_hat) if self.config.centre else x_hat

    def gram(self, method: str = "mp") -> Tensor | None:
        """atoms @ atoms.T (n_atoms, n_atoms) as the pursuit `method` likes it best (see pursuit.gram_dtype): kept from
        when the dictionary grew, or computed when first asked for. None where memory is too short for it.
        """
        import torch

        from itda_core.pursuit import gram_dtype, gram_matrix, to_fixed

        dtype = self._gram_dtype or gram_dtype(self.atoms, method)
        if dtype not in self._grams:
            exact = self._grams.get(torch.float32)
            if exact is not None and dtype == torch.int16:
                self._grams[dtype] = to_fixed(exact.clone())
            else:
                self._grams[dtype] = gram_matrix(self.atoms, dtype=dtype)
        return self._grams[dtype]

    def hold_gram(self, dtype: torch.dtype) -> None:
        """Keep the Gram matrix in `dtype` from now on; float16 halves its memory and costs digits of the coefficients
        (see pursuit.gram_matrix).
        """
        self._gram_dtype, self._grams = dtype, {}

    def forget_gram(self) -> None:
        """Give up the Gram matrix until it is asked for again."""
        self._grams = {}

    def label(self, atom: int) -> AtomLabel:
        """Where `atom` was seen (the first of its labels). Raises UserError when there is no such atom."""
        return self.labels(atom)[0]

    def labels(self, atom: int) -> tuple[AtomLabel, ...]:
        """Every place `atom` stands for. Raises UserError when there is no such atom."""
        atom = plain(atom)
        if isinstance(atom, bool) or not isinstance(atom, int) or not 0 <= atom < len(self):
            raise UserError(f"There is no atom {atom!r:.200}; this dictionary has atoms 0 to {len(self) - 1}.")
        return self._labels[atom]

    @cached_property
    def _labels(self) -> dict[int, tuple[AtomLabel, ...]]:
        by_atom: defaultdict[int, list[AtomLabel]] = defaultdict(list)
        for label in to_labels(self.provenance):
            by_atom[label.atom].append(label)
        return {atom: tuple(labels) for atom, labels in by_atom.items()}

    def _check_width(self, x: Tensor) -> None:
        if x.ndim != 2 or x.shape[1] != self.spec.d_model:
            raise UserError(
                f"Activations of shape {tuple(x.shape)} do not fit this dictionary of {self.spec.model}; "
                f"give (n_tokens, {self.spec.d_model})."
            )
