"""The numeric tests once more with other kernels of this machine, as other processors would run them; see `make
test-portable`.

Matrix products, reductions and what Numba compiles add in another order on another processor, so that a test which
asks for more than arithmetic promises passes on the machine it was written on and nowhere else. Libraries can be told
to use the kernels of an older or another processor; an emulation is a set of such settings. Each is looked at from
inside before its tests run: a setting that did nothing is an error, and where this machine cannot do it, that is said.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TESTS = ("tests/dictionaries", "tests/pursuit", "tests/models/streamed", "tests/comparison")
# What is matrix products, and little else.
PRODUCTS = (
    "tests/models/streamed",
    "tests/comparison/matching/test_study.py",
    *(f"tests/comparison/measures/test_{of}.py" for of in ("table", "moments")),
)
AT_ONCE = 2  # emulations side by side
# Where nothing is computed that kernels could round otherwise, or Python is another machine's interpreter.
LEFT_OUT = (
    "tests/pursuit/kernels/test_cuda.py",
    "tests/dictionaries/growing/test_compile_ahead.py",
    "tests/dictionaries/test_config.py",
    "tests/dictionaries/choosing/test_prefix_hash.py",
    "tests/dictionaries/choosing/test_reservoir.py",
    "tests/dictionaries/growing/test_predicted_size.py",
    "tests/dictionaries/storage/test_dictionary_folder.py",
    "tests/comparison/overlap/test_chance.py",
    "tests/comparison/over_training/test_demo_checkpoints.py",
    "tests/comparison/overlap/test_comparability.py",
    "tests/comparison/over_training/test_checkpoint_series.py",
    "tests/comparison/overlap/test_differences.py",
    "tests/comparison/overlap/test_bootstrap.py",
    "tests/comparison/overlap/test_jaccard.py",
    "tests/comparison/test_label_sets.py",
    "tests/comparison/test_room.py",
)
# Tests of kills, disks and what is refused come to the same arithmetic a second time, or to none.
NOT = "kill or disk or saved or damaged or refused or half_precision_gram_matrix_without"


class Setting(NamedTuple):
    """Environment variables, and what must be found inside once they are set."""

    of: str  # the library; a key of what `look` finds
    environment: dict[str, str]
    found: str  # a regular expression
    needs: str = ""  # a feature of the processor, as LLVM names it, without which its kernels would not run
    vendor: str = ""  # whose processors listen to it


def threads(count: int) -> Setting:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    return Setting("threads", dict.fromkeys(names, str(count)), rf"^{count}$")


def torch_kernels(name: str, needs: str = "") -> Setting:
    return Setting("torch", {"ATEN_CPU_CAPABILITY": name}, rf"(?i)^{name}$", needs)


def mkl(variable: str, value: str, found: str, needs: str = "", vendor: str = "GenuineIntel") -> Setting:
    return Setting("MKL", {variable: value}, found, needs, vendor)


def onednn(name: str, found: str, needs: str = "") -> Setting:
    return Setting("oneDNN", {"ONEDNN_MAX_CPU_ISA": name}, found, needs)


def openblas(name: str, needs: str = "") -> Setting:
    return Setting("OpenBLAS", {"OPENBLAS_CORETYPE": name}, rf"^{name}( {name})*$", needs)


def numba(name: str, features: str, found: str, needs: str) -> Setting:
    return Setting("Numba", {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}, found, needs)


class Emulation(NamedTuple):
    """What is set, and what is run so."""

    settings: tuple[Setting, ...]
    tests: tuple[str, ...] = TESTS


# float16 is taken as given (F16C, and with it AVX): without it Numba's code for it does not link.
EMULATIONS = {
    "without AVX2 and fused multiplication, one thread": Emulation(
        (
            threads(1),
            torch_kernels("default"),
            mkl("MKL_CBWR", "COMPATIBLE", "CNR:COMPATIBLE", vendor=""),
            onednn("SSE41", r"SSE4\.1"),
            openblas("Nehalem", "sse4.2"),
            numba("generic", "+f16c", r"^generic .*, fused: no$", "f16c"),
        )
    ),
    "AVX2, two threads": Emulation(
        (
            threads(2),
            torch_kernels("avx2", "avx2"),
            mkl("MKL_ENABLE_INSTRUCTIONS", "AVX2", r"\(Intel\(R\) AVX2\)", "avx2"),
            onednn("AVX2", r"AVX2$", "avx2"),
            openblas("Haswell", "avx2"),
            numba("haswell", "+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt", r"^haswell .*, fused: yes$", "avx2"),
        )
    ),
    "SSE in matrix products, all else as here": Emulation(
        (
            mkl("MKL_ENABLE_INSTRUCTIONS", "SSE4_2", r"SSE4\.2\) enabled", "sse4.2"),
            onednn("AVX", r"AVX$", "avx"),
            openblas("Sandybridge", "avx"),
        ),
        PRODUCTS,
    ),
}
THREADS_ONLY = {"one thread": Emulation((threads(1),)), "two threads": Emulation((threads(2),))}


def look() -> dict[str, str]:
    """Which kernels this very process uses, by library; a library that is not there is not in it."""
    import llvmlite.binding as llvm
    import numba as compiler
    import numpy as np
    import scipy.linalg  # noqa: F401  # which brings an OpenBLAS of its own
    import torch
    from numba.core.registry import cpu_target
    from threadpoolctl import threadpool_info

    @compiler.njit(fastmath=True)
    def product(x: Any, y: Any) -> float:
        total = 0.0
        for i in range(x.shape[0]):
            total += x[i] * y[i]
        return total

    product(np.ones(64), np.ones(64))
    assembly = "".join(product.inspect_asm().values())
    target: Any = cpu_target.target_context
    _, name, features = target.codegen().magic_tuple()
    found = {
        "threads": str(torch.get_num_threads()),
        "torch": torch.backends.cpu.get_cpu_capability(),
        "Numba": f"{name or llvm.get_host_cpu_name()} {len(features)}, fused: {'yes' if 'fmadd' in assembly else 'no'}",
    }
    blas = [pool["architecture"] for pool in threadpool_info() if pool["internal_api"] == "openblas"]
    if blas:
        found["OpenBLAS"] = " ".join(blas)
    # MKL and oneDNN say on the standard output what they use, when first used.
    torch.mm(torch.ones(40, 50), torch.ones(50, 60))
    if torch.backends.mkldnn.is_available():
        torch.ones(4, 4).to_mkldnn()
    return found


def looked(environment: Mapping[str, str]) -> dict[str, str]:
    """What `look` finds in a process of this environment."""
    verbose = {"MKL_VERBOSE": "1", "ONEDNN_VERBOSE": "1"}
    command = [sys.executable, __file__, "--look"]
    ran = subprocess.run(command, env={**environment, **verbose}, cwd=ROOT, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"Nothing could be looked at with {environment}:\n{ran.stderr}")
    found: dict[str, str] = json.loads(ran.stdout.splitlines()[-1])
    said = [line for line in ran.stdout.splitlines() if line.startswith("MKL_VERBOSE")]
    if said:
        found["MKL"] = " ".join(said)
    told = re.search(r"onednn_verbose.*cpu,isa:(.*)", ran.stdout)
    if told:
        found["oneDNN"] = told[1].strip()
    return found


def processor() -> tuple[str, set[str]]:
    """The vendor, where it can be told, and the features of this processor in LLVM's words."""
    import llvmlite.binding as llvm

    features = {name for name, there in llvm.get_host_cpu_features().items() if there}
    told = Path("/proc/cpuinfo")
    vendor = re.search(r"vendor_id\s*:\s*(\S+)", told.read_text()) if told.is_file() else None
    return (vendor[1] if vendor else "unknown"), features


class Ready(NamedTuple):
    """An emulation that does what it says, or what is wrong with it."""

    environment: dict[str, str]
    settings: dict[str, str]  # what of it was set
    words: list[str]  # what was left out, and why
    wrong: list[str]


def prepare(emulation: Emulation) -> Ready:
    """The environment of an emulation, looked at from inside."""
    vendor, features = processor()
    words: list[str] = []
    used: list[Setting] = []
    for setting in emulation.settings:
        if setting.needs and setting.needs not in features:
            words.append(f"{setting.of}: this processor has no {setting.needs}")
        else:
            used.append(setting)
    own = {name: value for setting in used for name, value in setting.environment.items()}
    # Threads that wait must not spin: there are more of them than cores.
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive", **own}
    found, wrong = looked(environment), []
    for setting in used:
        there = found.get(setting.of)
        if there is None:
            words.append(f"{setting.of}: not in use on this machine")
        elif not re.search(setting.found, there):
            said = f"{setting.of}: {' '.join(setting.environment)} did nothing"
            if setting.vendor and setting.vendor != vendor:
                words.append(f"{said} (it is for processors of {setting.vendor} alone)")
            else:
                wrong.append(f"{said}, it is {there[:200]}")
    return Ready(environment, own, words, wrong)


def run(name: str, tests: Sequence[str], ready: Ready, options: Sequence[str]) -> tuple[bool, str]:
    """The tests in one emulation: whether all passed, and a line about it, with what failed below."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--durations=0", "--durations-min=3", "-rf"]
    command += ["--tb=short", "-k", f"not ({NOT})", *tests, *(f"--ignore={path}" for path in LEFT_OUT), *options]
    began = time.monotonic()
    ran = subprocess.run(command, env=ready.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = ran.stdout.decode(errors="replace")
    counts = {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|errors?)\b", output)}
    failed = sum(count for word, count in counts.items() if word != "passed")
    said = f"{name}: {counts.get('passed', 0)} passed, {failed} failed, {time.monotonic() - began:.0f} s ("
    said += " ".join(f"{key}={value}" for key, value in ready.settings.items()) + ")"
    said += "".join(f"; left out: {word}" for word in ready.words)
    return ran.returncode == 0, said if ran.returncode == 0 else f"{said}\n{output}"


def main(arguments: Sequence[str]) -> int:
    """All emulations, or those whose names hold one of the words given; what begins with a dash is for pytest."""
    options = [argument for argument in arguments if argument.startswith("-")]
    words = [argument for argument in arguments if argument not in options]
    usual = platform.machine().lower() in ("x86_64", "amd64")
    if not usual:
        print(f"A {platform.machine()} has one kind of kernels only; the tests run with one thread and with two.")
    emulations = EMULATIONS if usual else THREADS_ONLY
    emulations = {name: one for name, one in emulations.items() if not words or any(word in name for word in words)}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ready = dict(zip(emulations, pool.map(prepare, emulations.values()), strict=True))
        wrong = [f"{name}: {what}" for name, one in ready.items() for what in one.wrong]
        if wrong:
            print("\n".join(wrong), file=sys.stderr)
            return 2
        good = True
        for passed, said in pool.map(lambda name: run(name, emulations[name].tests, ready[name], options), emulations):
            print(said, flush=True)
            good &= passed
    return 0 if good else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--look"]:
        print("\n" + json.dumps(look()))
    else:
        sys.exit(main(sys.argv[1:]))
