"""What making an index compiles, compiled when the studio is installed and not when somebody waits for it."""

from __future__ import annotations

import numpy as np

from itda_core.analysis.atoms.writing.merging import Entries, add_sums, deal, no_sums


def compile_all() -> None:
    """What was compiled before is only loaded."""
    for n_atoms in (1, 2**16):  # the codes of small dictionaries take two bytes each, those of large ones four
        entries = Entries(n_atoms, 1)
        entries.take(np.zeros((1, 1), np.int64), np.ones((1, 1), np.float32), 0)
        found = entries.sorted()
        add_sums(no_sums(n_atoms), found, np.ones(1, np.float32), 0)
        deal(np.diff(found.offsets), found, found.offsets[:-1].copy(), found)
