"""All atoms of a dictionary laid out in the plane: by PCA at once, by UMAP in seconds to minutes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from itda_core.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch

NEIGHBOURS, LEAST_DISTANCE = 15, 0.1  # UMAP's own defaults
FEWEST = 4  # atoms that UMAP can lay out
_SAMPLED = 20_000  # atoms from which the directions of largest variance are found
_SEED = 0


class Layout(NamedTuple):
    """Where atoms lie."""

    places: np.ndarray  # (n_atoms, 2) float32, between -1 and 1
    explained: float | None  # of the atoms' variance, 0 to 1; None where no such share is known


def pca(atoms: torch.Tensor) -> Layout:
    """The atoms (n_atoms, d_model) on the two directions of their largest variance.

    Of more than 20,000 atoms, as many evenly spread ones give the directions.
    """
    import numpy as np
    import torch

    x = atoms.detach().float().cpu()
    step = max(1, -(-len(x) // _SAMPLED))
    some = x[::step].double()
    mean = some.mean(0)
    values, vectors = torch.linalg.eigh((some - mean).T @ (some - mean))
    two = vectors[:, [-1, -2]] if x.shape[1] > 1 else torch.cat([vectors, torch.zeros_like(vectors)], dim=1)
    signs = torch.sign(two[two.abs().argmax(0), torch.arange(2)])  # of an eigenvector either sign is right
    places = ((x.double() - mean) @ (two * torch.where(signs == 0, 1.0, signs))).float().numpy()
    total = float(values.clamp_min(0).sum())
    explained = float(values[-2:].sum()) / total if total > 0 else 0.0
    return Layout(_scaled(np.ascontiguousarray(places)), explained)


def umap_installed() -> bool:
    """Whether the extra `viz` is there."""
    return find_spec("umap") is not None


def umap(atoms: torch.Tensor) -> Layout:
    """The atoms (n_atoms, d_model) laid out by UMAP over their cosines; the same at every call.

    McInnes, Healy and Melville, "UMAP" (2018), by umap-learn. Raises UserError where that is not installed, and for
    fewer than four atoms.
    """
    if len(atoms) < FEWEST:
        raise UserError(f"UMAP lays out {FEWEST} atoms or more, this dictionary has {len(atoms)}; use PCA.")
    if not umap_installed():
        raise UserError("UMAP is not installed here; install the extra (pip install 'itda-studio[viz]') or use PCA.")
    import numpy as np
    from umap import UMAP

    neighbours = min(NEIGHBOURS, len(atoms) - 1)
    made = UMAP(n_neighbors=neighbours, min_dist=LEAST_DISTANCE, metric="cosine", random_state=_SEED, n_jobs=1)
    found = made.fit_transform(atoms.detach().float().cpu().numpy())
    return Layout(_scaled(np.nan_to_num(np.asarray(found, dtype=np.float32))), None)


def _scaled(places: np.ndarray) -> np.ndarray:
    """`places` (n, 2) moved and scaled alike in both directions, into -1 to 1."""
    import numpy as np

    if not len(places):
        return places.astype(np.float32)
    low, high = places.min(0), places.max(0)
    size = float((high - low).max()) or 1.0
    return ((places - (low + high) / 2) * (2 / size)).astype(np.float32)
