"""How the numeric libraries' threads behave beside other work: set before any of them is loaded.

Threads of OpenMP (PyTorch's, and the MKL's in it) and of OpenBLAS (NumPy's and SciPy's) keep their core busy while they
wait for each other, for as long as milliseconds. Where other programs want the cores, a thread that spins uses up the
time that the thread it waits for needs, and everything runs many times slower. Waiting costs nothing when a thread
sleeps instead, and waking it takes microseconds.

The libraries read these settings when they are loaded, so `itda_core` makes them when it is imported, whichever way in
(the studio, its jobs, the command line, Ray workers, a notebook). They are in the environment, so programs started from
here have them too. Whatever the user has set stays.
"""

from __future__ import annotations

import os

from itda_core.machine.cgroup import cpu_quota

# GNU's OpenMP looks this often whether it may go on before it sleeps, which takes a tenth of a millisecond or so: a
# model's operations follow each other more quickly than that, and sleeping at once would cost a training 7% of its pace
# on a quiet machine. LLVM's and Intel's go by the policy alone.
_OPENMP = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "3000"}
_OPENMP_TOO = ("KMP_BLOCKTIME", "KMP_LIBRARY")  # other variables by which a user may have set the same
_OPENBLAS = {"OPENBLAS_THREAD_TIMEOUT": "4"}  # 2 to the power of 4 processor cycles, the least that it knows


def wait_passively() -> None:
    """Have threads sleep while they wait, and not more of them than the cores this process may use.

    Changes the environment of this process only. Without effect on libraries that are loaded already.
    """
    _set_unless_given(_OPENMP, *_OPENMP_TOO)
    _set_unless_given(_OPENBLAS)
    if cores() < _cores_by_affinity():  # a container's quota, of which OpenMP knows nothing
        _set_unless_given({"OMP_NUM_THREADS": str(cores())})


def cores() -> int:
    """How many cores this process may use: by its affinity, and by its container's quota."""
    quota = cpu_quota()
    return _cores_by_affinity() if quota is None else min(_cores_by_affinity(), max(1, round(quota)))


def _cores_by_affinity() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _set_unless_given(settings: dict[str, str], *others: str) -> None:
    """Makes the settings, unless the user has made one of them or of the `others` that mean the same."""
    if not any(name in os.environ for name in (*settings, *others)):
        os.environ.update(settings)
