"""A map of a dictionary's atoms by UMAP, as a job: what is asked for, the work, what its worker reports, what is kept.

UMAP takes seconds to minutes, so that a page cannot wait for it; where the atoms lie is kept by the dictionary's
identity, and read at once from then on.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from itda_core.dictionaries.storage.dictionary_folder import read_summary
from itda_core.errors import UserError
from itda_core.files import shown
from itda_core.files.reading import read_bytes
from itda_core.files.writing import write_bytes
from itda_core.runs.home import indices_folder
from itda_core.runs.jobs.request_fields import JobRequest, one_option
from itda_core.runs.jobs.request_options import DICTIONARY, LIBRARY
from itda_core.runs.jobs.status import SharedStatus
from itda_core.runs.library import Library

if TYPE_CHECKING:
    from itda_core.analysis.atoms.layout import Layout

# Measured with 1,024 to 16,384 atoms of 256 numbers on two cores: loading and compiling, then so long per 1,000 atoms.
_BEGINNING, _PER_THOUSAND = (8.0, 40.0), (1.0, 6.0)  # seconds, fast and slow
_BYTES = 8  # per atom


@dataclass(frozen=True)
class MapRequest(JobRequest):
    """All atoms of a dictionary laid out in the plane by UMAP, for the map on the page Atoms.

    For example: itda atoms map demo-0-L3
    """

    COMMAND = "atoms map"
    CALLED = "map request"
    WRITTEN = ("dictionary", "library")

    dictionary: str = field(metadata=one_option(DICTIONARY))  # a name in the library, or a folder
    # The folder names are looked up in; None: the user's library.
    library: str | None = field(default=None, metadata=one_option(LIBRARY))

    def about(self) -> str:
        """The dictionary."""
        return Path(self.dictionary).name


@dataclass(frozen=True)
class MapMade:
    """A map that is there."""

    dictionary: str  # its folder
    identity: str  # of the dictionary
    atoms: int
    seconds: float  # of work

    def to_dict(self) -> dict[str, Any]:
        """Plain values by the fields' names: the keys of `itda atoms map --json`."""
        return asdict(self)


@dataclass(frozen=True)
class MapStatus(SharedStatus):
    """A map at one moment; `map` is there when it is done."""

    map: MapMade | None = None

    OUTCOME = "map"

    def with_outcome(self, outcome: MapMade, seconds: float) -> MapStatus:
        """This status once there is nothing left to do. seconds: since the worker began."""
        return replace(self, map=outcome, share=1.0, seconds=seconds, eta=None)


@dataclass(frozen=True)
class MapProgress:
    """Where the work stands; UMAP tells nothing of its own way."""

    step: str
    share: float
    seconds: float
    eta: float | None = None
    map: MapMade | None = None


def make_map(
    request: MapRequest, *, on_step: Callable[[str], None] = lambda _: None
) -> Generator[MapProgress, None, None]:
    """Lay out the atoms that `request` names and keep where they lie.

    Raises UserError for a dictionary that does not exist, where UMAP is not installed, and when the disk is full.
    """
    from itda_core.analysis.atoms.layout import umap
    from itda_core.dictionaries import AtomDictionary

    began = monotonic()
    on_step("reading the dictionary")
    dictionary = AtomDictionary.load(Library(request.library).find(request.dictionary))
    assert dictionary.identity is not None, "a dictionary that was loaded has one"
    step = f"laying out {len(dictionary):,} atoms"
    on_step(step)
    yield MapProgress(step, 0.0, monotonic() - began)
    keep(dictionary.identity, umap(dictionary.atoms))
    seconds = monotonic() - began
    made = MapMade(str(dictionary.path), dictionary.identity, len(dictionary), seconds)
    yield MapProgress("done", 1.0, seconds, 0.0, made)


def map_seconds(request: MapRequest) -> tuple[float, float]:
    """How long it will take, fast and slow. Raises UserError for a dictionary that does not exist or is damaged."""
    thousands = read_summary(Library(request.library).find(request.dictionary)).atoms / 1000
    fast, slow = (begin + each * thousands for begin, each in zip(_BEGINNING, _PER_THOUSAND, strict=True))
    return fast, slow


def path_of(identity: str) -> Path:
    """Where the map of the dictionary of this identity is kept, if there is one."""
    assert identity.isalnum(), "hexadecimal"
    return indices_folder() / identity / "umap.npy"  # goes with the indices when the dictionary is deleted


def keep(identity: str, layout: Layout) -> None:
    """Keep where the atoms lie. Raises UserError when it cannot be written."""
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, layout.places.astype(np.float32), allow_pickle=False)
    write_bytes(path_of(identity), buffer.getvalue())


def kept(identity: str, n_atoms: int) -> Layout | None:
    """The map that was made; None where none was. Raises UserError for a damaged one."""
    import numpy as np

    from itda_core.analysis.atoms.layout import Layout

    path = path_of(identity)
    if not path.exists():
        return None
    try:
        places = np.load(io.BytesIO(read_bytes(path, 2**20 + 2 * _BYTES * n_atoms)), allow_pickle=False)
    except (ValueError, EOFError, OSError):
        places = None
    if places is None or places.shape != (n_atoms, 2) or places.dtype.kind != "f" or not np.isfinite(places).all():
        raise UserError(f"The map {shown(path)} is damaged; make it anew.")
    return Layout(places.astype(np.float32), None)
