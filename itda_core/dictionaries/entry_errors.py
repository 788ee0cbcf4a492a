"""How badly each labelled activation was explained when it became an atom, computed anew from the dictionary itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from itda_core.dictionaries.choosing.learning import errors_without
from itda_core.dictionaries.dictionary import AtomDictionary
from itda_core.fingerprints import same_model
from itda_core.pursuit import encode, reconstruct
from itda_core.pursuit import relative_error as relative_errors

_ENTRIES = 2**24  # of correlations held at once


def entry_errors(dictionary: AtomDictionary, atoms: Sequence[int], x: Tensor) -> Tensor | None:
    """The error that a label of each of `atoms` should have, (n_labels,) float32; NaN where the dictionary is silent.

    x: (n_labels, d_model) unit norm, the labels' activations, the mean removed. None where nothing is told of any label
    at all: selection="paper" judges by the dictionary before a batch, whose beginning is not kept, and a dictionary
    rebuilt in its own model has the errors of the one it was rebuilt from.
    """
    rebuilt = dictionary.stats.get("rebuilt")
    if rebuilt is not None:
        own = dictionary.spec
        same_site = (rebuilt["layer"], rebuilt["site"]) == (own.layer, own.site)
        if same_site and same_model(rebuilt["weights_fingerprint"], own.weights_fingerprint):
            return None
    of = torch.tensor(atoms, dtype=torch.int64, device=x.device)
    unit = dictionary.atoms.to(x.device)
    if rebuilt is not None or dictionary.config.rule.sized:
        return errors_without(x, of, unit, dictionary.config.k)
    if dictionary.config.selection != "sequential":
        return None
    errors = _by_those_before(dictionary, of, x, unit)
    initial = dictionary.stats.get("initial")
    errors[of < (0 if initial is None else initial["atoms"])] = torch.nan  # judged by a training of its own
    return errors


def _by_those_before(dictionary: AtomDictionary, of: Tensor, x: Tensor, atoms: Tensor) -> Tensor:
    """Each row of x judged by the atoms before its own; of: (n_labels,) int64."""
    k, method = dictionary.config.k, dictionary.config.method
    errors = x.new_ones(len(x))
    if method != "mp":
        gram = dictionary.gram(method)
        for row, count in enumerate(of.tolist()):
            if count:
                part = None if gram is None else gram[:count, :count].to(x.device)
                code = encode(x[row : row + 1], atoms[:count], min(k, count), method, part)
                errors[row] = relative_errors(x[row : row + 1], reconstruct(code, atoms[:count]))[0]
        return errors
    in_order = torch.argsort(of, stable=True)
    for rows in in_order.split(max(1, _ENTRIES // len(atoms))):
        most = int(of[rows].max())
        if most:
            errors[rows] = _matching_errors(x[rows], atoms[:most], of[rows], k)
    return errors


def _matching_errors(x: Tensor, atoms: Tensor, count: Tensor, k: int) -> Tensor:
    """Of unit vectors x (n_rows, d_model), by matching pursuit with the first `count` (n_rows,) of `atoms` each.

    As in growing, a pursuit takes at most as many steps as it has atoms.
    """
    later = torch.arange(len(atoms), device=x.device) >= count[:, None]
    rest = x.clone()
    for step in range(k):
        correlations = (rest @ atoms.T).masked_fill_(later, 0)
        index = correlations.abs().argmax(dim=1, keepdim=True)
        value = correlations.gather(1, index).masked_fill_(step >= count[:, None], 0)
        rest -= value * atoms[index[:, 0]]
    return rest.square().sum(dim=1).clamp(max=1)
