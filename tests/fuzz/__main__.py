"""Many damaged inputs: `python -m tests.fuzz --cases 10000 --seed 0 [--kind NAME ...]`.

Each kind runs in a process of its own, which a case may end (an abort in foreign code): that is a fault of the case,
and the next one goes on in a new process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.harness import SECONDS, Kind, fault, kinds


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=10_000, help="over all kinds together")
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--kind", action="append", choices=sorted(kinds()), help="only these")
    parser.add_argument("--process", nargs=3, metavar=("FIRST", "LAST", "LOG"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    chosen = given.kind or sorted(kinds())
    if given.process:
        first, last, log = given.process
        _run(kinds()[chosen[0]], range(int(first), int(last)), Path(log))
        return 0
    each = -(-given.cases // len(chosen))
    n_faults = sum(_watch(name, given.seed, given.seed + each) for name in chosen)
    print(f"{each * len(chosen):,} cases, {n_faults} faults")
    return 1 if n_faults else 0


def _run(kind: Kind, seeds: range, log: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, log.open("a") as said:
        os.environ["ITDA_HOME"] = str(Path(folder) / "home")
        prepared = kind.prepare(Path(folder))
        for seed in seeds:
            print(f"begun {seed}", file=said, flush=True)
            if (wrong := fault(kind, prepared, seed)) is not None:
                print(f"FAULT {kind.name} {seed}: {wrong.strip()}", flush=True)
                print("fault", file=said, flush=True)
    return


def _watch(name: str, first: int, last: int) -> int:
    """Run the cases of one kind; how many went wrong."""
    began, n_faults, seed = time.monotonic(), 0, first
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        while seed < last:
            log.write_text("")
            command = [sys.executable, "-m", "tests.fuzz", "--kind", name, "--process", str(seed), str(last), str(log)]
            try:
                rc = subprocess.run(command, timeout=SECONDS * 2 * (last - seed)).returncode
            except subprocess.TimeoutExpired:
                rc = -9
            lines = log.read_text().splitlines()
            n_faults += lines.count("fault")
            begun = [int(line.split()[1]) for line in lines if line.startswith("begun")]
            if rc == 0:
                break
            if not begun:
                raise SystemExit(f"{name}: its process ended with {rc} before the first case")
            print(f"FAULT {name} {begun[-1]}: the process ended with {rc}", flush=True)
            n_faults, seed = n_faults + 1, begun[-1] + 1
    print(f"{name}: {last - first:,} cases, {n_faults} faults, {time.monotonic() - began:.0f} s", flush=True)
    return n_faults


if __name__ == "__main__":
    sys.exit(main())
