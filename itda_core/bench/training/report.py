"""What the training bench found, as a JSON object and as rows of tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from itda_core.bench.training.missed import ENCODER
from itda_core.bench.training.plan import METHODS
from itda_core.bench.training.results import BuiltCase, TrainingBench

FVU_METHOD = METHODS[-1]  # whose FVU stands for a dictionary where there is room for one; an SAE's is its encoder's
TIME_COLUMNS = (
    "case",
    "seconds",
    "tokens",
    "passes",
    "atoms",
    "FVU",
    "textbook",
    "speedup",
    "over batches",
    "of the SAE",
)
TIME_NUMBERS = TIME_COLUMNS[1:]


def to_json(bench: TrainingBench) -> dict[str, Any]:
    """Plain values only; None where there is no number. `fvu` is at the k the case was built with."""
    return {
        "machine": asdict(bench.machine),
        "plan": asdict(bench.plan),
        "corpus": bench.corpus,
        "read": bench.read,
        "cases": [_case(bench, case) for case in bench.cases],
        "threshold": {**asdict(bench.sizes), "paper_atoms": bench.sizes.paper_atoms, "ratio": bench.sizes.ratio},
        "notes": list(bench.notes),
    }


def _case(bench: TrainingBench, case: BuiltCase) -> dict[str, Any]:
    values = asdict(case) | {
        "fvu": headline(bench, case),
        "fvu_method": _own_method(case),
        "speedup": case.speedup,
        "speedup_over_batches": bench.speedup_over_batches(case),
        "fraction_of_sae": bench.fraction(case),
        "missed": [asdict(missed) for missed in case.missed],
        "notes": list(case.notes),
    }
    del values["as_good"]
    return values


def headline(bench: TrainingBench, case: BuiltCase) -> float | None:
    """The FVU on all held-out tokens at the k a case was built with: by FVU_METHOD, or its own encoder."""
    return case.fvu(case.k, _own_method(case), bench.plan.held_out)


def _own_method(case: BuiltCase) -> str:
    return ENCODER if is_autoencoder(case) else FVU_METHOD


def is_autoencoder(case: BuiltCase) -> bool:
    """Whether a case is an SAE, which encodes by itself."""
    return case.name.startswith("topk_sae")


def time_rows(bench: TrainingBench) -> Iterator[tuple[object, ...]]:
    """One row per case, in the order of TIME_COLUMNS."""
    for case in bench.cases:
        yield (
            case.name,
            _figure(case.seconds, "{:,.2f}"),
            _figure(case.tokens, "{:,}"),
            _figure(case.passes, "{:.0f}"),
            _figure(case.n_atoms, "{:,}"),
            _figure(headline(bench, case), "{:.3f}"),
            _figure(case.textbook_seconds, "{:,.1f}"),
            _figure(case.speedup, "{:.1f}x"),
            _figure(bench.speedup_over_batches(case), "{:.1f}x"),
            _figure(bench.fraction(case), "{:.2%}"),
        )


def quality_columns(bench: TrainingBench) -> tuple[str, ...]:
    """Of `quality_rows`: the dictionary, how it is encoded, and the FVU at each k."""
    return ("dictionary", "encoded by", *(f"k={k}" for k in sorted(bench.plan.ks)))


def quality_rows(bench: TrainingBench) -> Iterator[tuple[object, ...]]:
    """FVU on the held-out tokens: a row per dictionary and way to encode.

    The SAEs, one per k, share a row. A textbook's dictionary, which is that of ours, has none.
    """
    plan = bench.plan
    autoencoders = [case for case in bench.cases if is_autoencoder(case) and case.missed]
    shown = [[case] for case in bench.cases if not is_autoencoder(case) and not case.name.startswith("textbook")]
    firsts = [] if plan.first is None or plan.first >= plan.held_out else [plan.first]
    for tokens in (plan.held_out, *firsts):
        part = "" if tokens == plan.held_out else f", first {tokens:,}"
        for method in (ENCODER, *METHODS):
            for cases in [*shown, autoencoders]:
                found = [_first(case.fvu(k, method, tokens) for case in cases) for k in sorted(plan.ks)]
                if any(fvu is not None for fvu in found):
                    yield (cases[0].name, method + part, *(_figure(fvu, "{:.3f}") for fvu in found))


def _first(values: Iterator[float | None]) -> float | None:
    return next((value for value in values if value is not None), None)


def remarks(bench: TrainingBench) -> Iterator[str]:
    """What the tables cannot hold: the machine, the data, what each case is, atoms by threshold, notes."""
    plan, sizes = bench.plan, bench.sizes
    yield str(bench.machine)
    yield (
        f"{plan.model} {plan.site} {plan.layer} on {bench.corpus}, {plan.windows} windows of {plan.context} tokens, "
        f"special tokens left out: the first {plan.tokens:,} of {bench.read:,} tokens to build from, the last "
        f"{plan.held_out:,} held out. Everyone has the same activations in memory, grows with k={plan.k} and ends with "
        f"{plan.atoms:,} atoms."
    )
    yield (
        f"Seconds are medians of up to {plan.repeats} runs of ours (labels, Gram matrix and our own check on held-out "
        "text included), and of one of each textbook loop and each SAE (its training steps alone). textbook, speedup: "
        "against the textbook's loop by the same rule. over batches: against the quicker of its loops, batch by batch. "
        f"of the SAE: over the seconds of the SAE of k={plan.k}. FVU in the first table is by {FVU_METHOD} at the k a "
        "case was built with, the SAEs' by their own encoder."
    )
    for case in bench.cases:
        yield f"{case.name}: {case.what}{_threshold(case)}."
        for note in case.notes:
            yield f"{case.name}: {note}"
    by_windows = ", ".join(
        f"{atoms:,} in batches of {windows} windows ({sizes.sequential_atoms / atoms:.0%})"
        for windows, atoms in sizes.paper_atoms_by_windows.items()
    )
    yield (
        f"Threshold {sizes.relative_error} at k={sizes.k} on {sizes.tokens:,} tokens, no limit: sequential takes "
        f"{sizes.sequential_atoms:,} atoms; the published code's rule at its equivalent {sizes.paper_threshold:.3g} "
        f"takes {by_windows}."
    )
    yield from bench.notes


def _threshold(case: BuiltCase) -> str:
    if case.threshold is None:
        return ""
    words = f", threshold {case.threshold:.4g}"
    if case.trials is not None:
        words += f" (found by {case.trials} trial runs, not counted)"
    if case.shared_with_textbook is not None:
        words += f"; {case.shared_with_textbook:.1%} of its atoms are those of {case.textbook}"
    return words


def _figure(value: float | None, form: str) -> str | None:
    return None if value is None else form.format(value)
