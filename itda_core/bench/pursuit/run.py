"""The pursuits of this machine beside the textbook's and beside the machine's limit, in one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

import torch

from itda_core.bench.pursuit.cases import MEMORY_TIMES, Case, Plan
from itda_core.bench.pursuit.encoding_memory import code_bytes, encoding_bytes, encoding_bytes_apart
from itda_core.bench.pursuit.growth import measure_growth
from itda_core.bench.pursuit.limits import Rates, measure_rates, work
from itda_core.bench.pursuit.race import Ours, Rival, race
from itda_core.bench.pursuit.reference import Reference, reference_for
from itda_core.bench.pursuit.results import CaseResult, MemoryPoint, PursuitBench
from itda_core.bench.surroundings import Surroundings
from itda_core.bench.synthetic import Atoms, atoms_of, gram_dtype_of, inputs_of
from itda_core.bench.timing import matrix_precision, timed
from itda_core.errors import UserError
from itda_core.runs.machine import machine

Step = Callable[[str], None]


def choose_device(name: str) -> str:
    """ "cpu" or "cuda" for "auto", "cpu" or "cuda". Raises UserError for others and for a device that is not there."""
    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"The bench knows the devices auto, cpu and cuda, not {name!r}; choose one of them.")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise UserError("There is no CUDA device that torch can use here; choose --device cpu.")
    return "cuda" if there and name != "cpu" else "cpu"


def bench_pursuit(plan: Plan, device: str, on_step: Step = lambda _: None) -> PursuitBench:
    """Measure a plan on "cpu" or "cuda"; `on_step` gets what is being done.

    A case whose dictionary does not fit in memory is reported without times. Raises UserError when there is too little
    memory for the growth's fixed case.
    """
    needed = 16 * plan.growth.fixed.n_atoms**2
    if needed > _free(device):
        raise UserError(f"The bench needs {needed / 2**20:,.0f} MiB of free memory; close other programs.")
    results: list[CaseResult] = []
    memory: list[MemoryPoint] = []
    with torch.no_grad(), matrix_precision("highest"):
        for _, group in groupby(plan.cases, key=lambda case: (case.n_atoms, case.d_model, case.k, case.tokens)):
            found, points = _same_dictionary(plan, list(group), device, on_step)
            results += found
            memory += points
        growth = measure_growth(
            plan.growth,
            repeats=plan.rounds * plan.ours_per_round,
            inputs=plan.inputs,
            device=device,
            free_bytes=_free(device),
            on_step=on_step,
        )
    return PursuitBench(
        machine=Surroundings.of(device),
        cases=tuple(_with_best_matrix_rate(results)),
        memory_case=plan.memory,
        memory=tuple(memory),
        growth=growth,
    )


def _with_best_matrix_rate(results: list[CaseResult]) -> list[CaseResult]:
    """The same product gave the matrix rate each time: the best one holds for all cases."""
    best = Rates(max((result.rates.matrix for result in results if result.rates), default=0.0), 0.0)
    return [replace(result, rates=result.rates and result.rates.or_better(best)) for result in results]


def _same_dictionary(
    plan: Plan, cases: list[Case], device: str, on_step: Step
) -> tuple[list[CaseResult], list[MemoryPoint]]:
    """Cases that differ in their pursuit only: their memory first, then all of them timed side by side."""
    size = f"n={cases[0].n_atoms} d={cases[0].d_model}"
    needed, free = _bytes_needed(cases, plan.inputs), _free(device)
    if needed > free:
        note = f"Not run: it needs {needed / 2**20:,.0f} MiB of memory and {free / 2**20:,.0f} MiB are free."
        return [CaseResult(case, None, notes=(note,)) for case in cases], []
    followed = []
    if (plan.memory.n_atoms, plan.memory.d_model) == (cases[0].n_atoms, cases[0].d_model):
        followed = [plan.memory, replace(plan.memory, tokens=MEMORY_TIMES * plan.memory.tokens)]
    peaks: list[int] | None = None
    if device == "cpu":  # before this process holds memory that the other one could need
        on_step(f"memory at {size}")
        peaks = encoding_bytes_apart([*cases, *followed])

    on_step(f"Gram matrix of {size}")
    grams = _GramMatrices(cases[0], [*cases, *followed], device)
    if device == "cuda":
        peaks = [
            encoding_bytes(case, inputs_of(case, 1, device)[0], grams.of(case), device) for case in (*cases, *followed)
        ]

    on_step(f"rates at {size}")
    rates = measure_rates(plan.matrix_size, grams.largest_bytes, device)
    ours = [Ours(case, grams.of(case)) for case in cases]
    rivals, remarks = _rivals(cases, grams, plan.reference_tokens)
    race(plan, ours, list(rivals.values()), device, on_step)
    rates = rates.or_better(measure_rates(plan.matrix_size, grams.largest_bytes, device))

    matching = next((one.median for one in ours if one.case.method == "mp"), None)
    found = []
    for i, one in enumerate(ours):
        result = _result(one, rivals.get(one.case.method), matching, rates, remarks.get(one.case.method))
        unknown = () if peaks else ("Its memory could not be measured: the process that did so failed.",)
        peak = peaks[i] if peaks and one.failure is None else None
        seconds = grams.seconds(one.case)
        found.append(replace(result, gram_seconds=seconds, peak_bytes=peak, notes=result.notes + unknown))
    points = [
        MemoryPoint(case.tokens, peak, code_bytes(case))
        for case, peak in zip(followed, (peaks or [])[len(cases) :], strict=False)
    ]
    return found, points


class _GramMatrices:
    """One dictionary's atoms with their Gram matrix in every dtype that some cases want, each computed once."""

    def __init__(self, like: Case, cases: Sequence[Case], device: str) -> None:
        self._atoms = atoms_of(like, device)
        torch.mm(self._atoms[:64], self._atoms[:64].T)  # starts the library
        self._timed: dict[torch.dtype, tuple[float, Atoms]] = {}
        for case in cases:
            dtype = gram_dtype_of(case, self._atoms)
            if dtype not in self._timed:
                self._timed[dtype] = timed(lambda case=case: Atoms.of(self._atoms, case), device)

    def of(self, case: Case) -> Atoms:
        return self._timed[gram_dtype_of(case, self._atoms)][1]

    def seconds(self, case: Case) -> float:
        """What computing the Gram matrix of a case took."""
        return self._timed[gram_dtype_of(case, self._atoms)][0]

    @property
    def largest_bytes(self) -> int:
        return max(dictionary.gram.nbytes for _, dictionary in self._timed.values())


def _rivals(cases: Sequence[Case], grams: _GramMatrices, tokens: int) -> tuple[dict[str, Rival], dict[str, str]]:
    """By method: the textbook's pursuit beside ours, and what is to be said where there is none."""
    rivals: dict[str, Rival] = {}
    remarks: dict[str, str] = {}
    for case in cases:
        reference = reference_for(case, tokens)
        if isinstance(reference, Reference):
            dictionary = grams.of(case)
            if reference.device is not None:
                dictionary = Atoms(dictionary.atoms.cpu(), dictionary.gram.cpu())
            rivals.setdefault(case.method, Rival(case, dictionary, reference=reference))
        elif reference is not None:
            remarks[case.method] = reference
    return rivals, remarks


def _result(ours: Ours, rival: Rival | None, matching: float | None, rates: Rates, remark: str | None) -> CaseResult:
    case, seconds = ours.case, ours.median
    notes = [remark] if remark else []
    if ours.failure:
        notes.append(f"Ours {ours.failure}.")
    if rival is not None and rival.failure:
        notes.append(f"{rival.reference.name} {rival.failure}.")
    elif rival is not None and rival.reference.note:
        notes.append(rival.reference.note)
    theirs = rival.errors if rival else None
    errors = ours.errors if ours.errors is None or theirs is None else ours.errors[: len(theirs)]  # of the same tokens
    result = CaseResult(
        case,
        textbook=rival.reference.name if rival else None,
        seconds=seconds,
        textbook_seconds=rival.median * case.tokens / rival.reference.tokens if rival and rival.median else None,
        warm_up_seconds=ours.warm_up_seconds,
        times_mp=seconds / matching if seconds and matching and case.method != "mp" else None,
        relative_error=_mean(errors),
        textbook_relative_error=_mean(theirs),
        rates=rates,
        work=work(case, ours.dictionary.gram.itemsize),
        gram_dtype=str(ours.dictionary.gram.dtype).removeprefix("torch."),
    )
    if errors is not None and theirs is not None and not result.as_good:
        notes.append("Ours reconstructs worse than the textbook, so no speedup is claimed.")
    return replace(result, notes=tuple(notes))


def _mean(errors: torch.Tensor | None) -> float | None:
    return None if errors is None else float(errors.mean())


def _bytes_needed(cases: list[Case], inputs: int) -> int:
    """The dictionary, the inputs and the textbook's dense tensors."""
    case = cases[0]
    gram = case.n_atoms**2 * (4 + 4)  # of two kinds at most
    vectors = 4 * case.d_model * (case.n_atoms + (inputs + 3) * case.tokens)
    return gram + vectors + 16 * case.tokens * case.n_atoms


def _free(device: str) -> int:
    """Bytes that can be allocated now."""
    if device == "cpu":
        return machine().memory_free
    torch.cuda.empty_cache()  # what torch keeps for later counts as taken otherwise
    return torch.cuda.mem_get_info()[0]
