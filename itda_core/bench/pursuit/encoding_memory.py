"""What an encoding holds at most beside its activations, the atoms, their Gram matrix and the code it returns.

On a CPU it is measured in a process of its own, whose allocator gives every freed block back at once: elsewhere a block
that is kept from before and used again would not be seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from itda_core.bench.peak import peak_growth
from itda_core.bench.pursuit.cases import Case
from itda_core.bench.synthetic import Atoms, atoms_of, inputs_of
from itda_core.pursuit import SparseCode, encode

GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}  # glibc


def encode_case(case: Case, x: Tensor, dictionary: Atoms) -> SparseCode:
    """Ours, as every caller runs it: x (n_tokens, d_model), the Gram matrix at hand."""
    return encode(x, dictionary.atoms, case.k, case.method, dictionary.gram)


def code_bytes(case: Case) -> int:
    """Size of a case's code: an int64 index and a float32 coefficient per slot."""
    return case.tokens * case.k * (8 + 4)


def encoding_bytes(case: Case, x: Tensor, dictionary: Atoms, device: str) -> int:
    """Bytes held at most while a case is encoded, beside x, atoms, Gram matrix and the code."""
    encode_case(case, x[:2], dictionary)  # compiles
    return max(0, peak_growth(lambda: encode_case(case, x, dictionary), device) - code_bytes(case))


def encoding_bytes_apart(cases: Sequence[Case]) -> list[int] | None:
    """`encoding_bytes` of cases of one dictionary size on this CPU, in a process of its own; None where that failed."""
    root = str(Path(__file__).resolve().parents[3])
    known = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    described = json.dumps({"threads": torch.get_num_threads(), "cases": [asdict(case) for case in cases]})
    finished = subprocess.run(
        [sys.executable, "-m", "itda_core.bench.pursuit.encoding_memory", described],
        env={**os.environ, **GIVE_BACK, "PYTHONPATH": known},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return json.loads(finished.stdout) if finished.returncode == 0 else None


def _main(described: str) -> None:
    order = json.loads(described)
    torch.set_num_threads(order["threads"])
    cases = [Case(**fields) for fields in order["cases"]]
    atoms = atoms_of(cases[0], "cpu")
    found = []
    for case in cases:
        dictionary = Atoms.of(atoms, case)
        found.append(encoding_bytes(case, inputs_of(case, 1, "cpu")[0], dictionary, "cpu"))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    _main(sys.argv[1])
