"""An index written and read, its writing beside encoding alone, its memory in a process of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from itda_core.analysis.atoms.examples import examples_of
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.analysis.atoms.index_format import IndexDescription
from itda_core.analysis.atoms.index_writer import IndexWriter
from itda_core.analysis.atoms.usage import usage_of
from itda_core.analysis.atoms.writing.compile_ahead import compile_all
from itda_core.bench.atoms.drawn import batches, with_text
from itda_core.bench.atoms.plan import AtomsPlan
from itda_core.bench.peak import peak_growth
from itda_core.bench.pursuit.encoding_memory import GIVE_BACK
from itda_core.bench.surroundings import Surroundings
from itda_core.bench.synthetic import coherent_activations, coherent_atoms
from itda_core.errors import UserError
from itda_core.pursuit import SparseCode, encode, gram_matrix, reconstruct, relative_error


@dataclass(frozen=True)
class Pages:
    """Seconds of what a page shows of an atom: its figures and its examples."""

    first: float  # opening the index, and the first atom
    median: float  # of further atoms
    slowest: float
    cold: float | None  # median with the files out of the system's cache; None where that cannot be asked for


@dataclass(frozen=True)
class AtomsBench:
    """What was found; seconds of writing are those from codes to the finished index."""

    machine: Surroundings
    plan: AtomsPlan
    entries: int
    seconds: float
    index_bytes: int
    peak_bytes: int | None  # that writing held at most; None: could not be measured
    encoding_seconds: float  # of plan.encoded tokens, alone
    whole_seconds: float  # of the same with an index made of them
    pages: Pages

    @property
    def entries_per_second(self) -> float:
        return self.entries / self.seconds


def bench_atoms(plan: AtomsPlan, on_step: Callable[[str], None] = lambda _: None) -> AtomsBench:
    """Measure a plan in a temporary folder; `on_step` gets what is being done. Raises UserError when the disk is full,
    and for sizes that cannot be.
    """
    if not (1 <= plan.k <= plan.atoms and plan.tokens >= 1):
        raise UserError(f"{plan.name} cannot be drawn; ask for a k of at most the number of atoms.")
    on_step("compiling")
    compile_all()
    with tempfile.TemporaryDirectory(prefix="itda-bench-atoms-") as folder:
        on_step("writing an index")
        index = Path(folder, "index")
        seconds, entries = write(plan, Path(folder, "work"), index)
        size = sum(path.stat().st_size for path in index.iterdir())
        on_step("reading pages")
        pages = read_pages(plan, index)
        on_step("encoding, with and without an index")
        alone, whole = beside_encoding(plan, Path(folder))
    on_step("memory")
    return AtomsBench(
        machine=Surroundings.of("cpu"),
        plan=plan,
        entries=entries,
        seconds=seconds,
        index_bytes=size,
        peak_bytes=_peak_apart(plan),
        encoding_seconds=alone,
        whole_seconds=whole,
        pages=pages,
    )


def write(plan: AtomsPlan, work: Path, folder: Path) -> tuple[float, int]:
    """Writes the index `folder` from drawn codes; returns the seconds that took, drawing left out, and its entries."""
    seconds = 0.0
    writer = IndexWriter(work, asdict(plan), plan.atoms, plan.k)
    for batch in batches(plan):
        begun = time.perf_counter()
        writer.take(batch)
        seconds += time.perf_counter() - begun
    begun = time.perf_counter()
    for _ in writer.finish(folder, _described(plan, writer)):
        pass
    return seconds + time.perf_counter() - begun, writer.reached.entries


def read_pages(plan: AtomsPlan, folder: Path) -> Pages:
    """Seconds of pages of random atoms, the files in the system's cache and out of it."""
    begun = time.perf_counter()
    index = AtomIndex.open(folder)
    draw = np.random.default_rng(plan.seed + 1)
    first, *others = draw.integers(plan.atoms, size=plan.pages + 1).tolist()
    _page(index, first)
    opened = time.perf_counter() - begun
    warm = [_page(index, atom) for atom in others]
    cold = [_page(index, atom) for atom in others if _out_of_cache(folder)]
    return Pages(opened, statistics.median(warm), max(warm), statistics.median(cold) if cold else None)


def _page(index: AtomIndex, atom: int) -> float:
    begun = time.perf_counter()
    entries = index.entries(atom)
    usage_of(index, atom, entries)
    examples_of(index, atom, entries=entries)
    return time.perf_counter() - begun


def _out_of_cache(folder: Path) -> bool:
    """Asks the system to forget what it holds of an index's files; whether it can be asked."""
    advise = getattr(os, "posix_fadvise", None)
    if advise is None:
        return False
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())  # what is not on the disk yet stays
            advise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def beside_encoding(plan: AtomsPlan, folder: Path) -> tuple[float, float]:
    """Median seconds of encoding plan.encoded tokens, and of that with an index made of them: (alone, whole)."""
    atoms = coherent_atoms(plan.atoms, plan.d_model, seed=1)
    x = coherent_activations(plan.encoded, plan.d_model, seed=100)
    gram = gram_matrix(atoms)
    draw = np.random.default_rng(plan.seed)
    encode(x[:2], atoms, plan.k, gram=gram)  # compiles
    times: dict[str, list[float]] = {"alone": [], "whole": []}
    for repeat in range(plan.repeats):
        begun = time.perf_counter()
        for part in x.split(plan.batch):
            encode(part, atoms, plan.k, gram=gram)
        times["alone"].append(time.perf_counter() - begun)
        text, began = 0.0, time.perf_counter()
        writer = IndexWriter(folder / f"work-{repeat}", {}, plan.atoms, plan.k)
        for part in x.split(plan.batch):
            code = encode(part, atoms, plan.k, gram=gram)
            relative_error(part, reconstruct(code, atoms))
            before = time.perf_counter()
            batch = with_text(*_arrays(code), part.norm(dim=1).numpy(), 0, plan, draw)
            text += time.perf_counter() - before  # made up, which a real one need not be
            writer.take(batch)
        for _ in writer.finish(folder / f"index-{repeat}", _described(plan, writer)):
            pass
        times["whole"].append(time.perf_counter() - began - text)
    return statistics.median(times["alone"]), statistics.median(times["whole"])


def _arrays(code: SparseCode) -> tuple[np.ndarray, np.ndarray]:
    return code.indices.numpy(), code.coefficients.numpy()


def _described(plan: AtomsPlan, writer: IndexWriter) -> IndexDescription:
    reached = writer.reached
    return IndexDescription(
        dictionary="0" * 64,
        model="drawn",
        weights_fingerprint="",
        layer=0,
        site="resid_post",
        n_atoms=plan.atoms,
        k=plan.k,
        method="mp",
        corpus="drawn",
        corpus_fingerprint="",
        text="other corpus",
        context=plan.context,
        tokens=reached.tokens,
        windows=reached.windows,
        entries=reached.entries,
        slots=plan.k,
        sinks_left_out=0,
        energy=reached.energy,
        notes=(),
        created="2030-01-01T00:00:00+00:00",
        seconds=0.0,
    )


def _peak_apart(plan: AtomsPlan) -> int | None:
    """What writing holds at most, in a process of its own, whose allocator gives every freed block back at once."""
    root = str(Path(__file__).resolve().parents[3])
    known = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    finished = subprocess.run(
        [sys.executable, "-m", "itda_core.bench.atoms.run", json.dumps(asdict(plan))],
        env={**os.environ, **GIVE_BACK, "PYTHONPATH": known},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return int(finished.stdout) if finished.returncode == 0 else None


def _main(described: str) -> None:
    plan = AtomsPlan(**json.loads(described))
    torch.set_num_threads(1)
    compile_all()
    with tempfile.TemporaryDirectory(prefix="itda-bench-atoms-") as folder:
        peak = peak_growth(lambda: write(plan, Path(folder, "work"), Path(folder, "index")), "cpu")
    sys.stdout.write(str(peak))


if __name__ == "__main__":
    _main(sys.argv[1])
