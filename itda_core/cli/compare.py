"""`itda compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from itda_core.cli.options import AsJson, Device, Dtype, LibraryFolder, Offline, RemoteCode, go_offline
from itda_core.cli.terminal import (
    print_convergence,
    print_jaccard,
    print_json,
    print_orders,
    stdout_for_json,
    training_line,
    visible,
)
from itda_core.errors import UserError
from itda_core.files.paths import new_file
from itda_core.runs.library import Library

By = Annotated[str, typer.Option(help="dictionary, or model: the dictionaries of each model united over its layers.")]
Null = Annotated[
    str, typer.Option(help="How the chance level is computed: uniform, or token (each keeps its token counts).")
]
Orders = Annotated[
    int | None,
    typer.Option(
        max=1000, help="Also grow each anew in this many orders of its corpus, to see their effect (minutes)."
    ),
]
OverTraining = Annotated[
    bool,
    typer.Option(
        "--over-training",
        help="Compare checkpoints of one model (revisions, or folders) with the last one, layer by layer, in the "
        "order of the numbers in their names. Without --corpus what is comparable is estimated.",
    ),
]
DifferencesFile = Annotated[
    Path | None,
    typer.Option(help="Write the labels that two dictionaries share, or only one has, into this CSV file."),
]


def compare(
    dictionaries: Annotated[
        list[str],
        typer.Argument(
            metavar="DICTIONARY|FILE...",
            help="At least two dictionaries (name or folder) or label files (itda library export --labels-only).",
        ),
    ],
    by: By = "dictionary",
    corpus: Annotated[
        str | None, typer.Option(help="Their corpus, which shows what is comparable; found by its name if left out.")
    ] = None,
    crop: Annotated[
        bool, typer.Option("--crop", help="Cut each pair to the smaller one's size, to the labels that entered first.")
    ] = False,
    null: Null = "uniform",
    interval: Annotated[
        bool, typer.Option("--interval/--no-interval", help="Bootstrap intervals over documents.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    orders: Orders = None,
    over_training: OverTraining = False,
    csv: Annotated[Path | None, typer.Option(help="Write every pair into this file as well.")] = None,
    differences: DifferencesFile = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """How much dictionaries have in common: the Jaccard matrix of their labels, with chance level and intervals."""
    go_offline(offline)
    csv = None if csv is None else new_file(csv, "--csv")
    differences = None if differences is None else new_file(differences, "--differences")
    reading = {"corpus": corpus, "offline": offline, "trust_remote_code": trust_remote_code, "seed": seed}
    tests = {"null": null, "interval": interval}
    output = {"csv": csv, "as_json": as_json}
    if over_training:
        unfit = {"--by": by != "dictionary", "--crop": crop, "--orders": orders is not None}
        unfit["--differences"] = differences is not None
        if given := [name for name, is_given in unfit.items() if is_given]:
            raise UserError(f"{' and '.join(given)} cannot go with --over-training; leave one of them out.")
        _over_training(dictionaries, Library(library), **output, **reading, **tests)
        return
    growing = None if orders is None else {"orders": orders, "device": device, "dtype": dtype}
    options = {"by": by, "crop": crop, **tests}
    _compare(dictionaries, Library(library), reading, options, growing, differences=differences, **output)


def _compare(
    dictionaries: Sequence[str],
    library: Library,
    reading: dict[str, Any],
    options: dict[str, Any],
    growing: dict[str, Any] | None,
    *,
    differences: Path | None,
    csv: Path | None,
    as_json: bool,
) -> None:
    """reading, options: those of runs.comparing.compare; growing: beside `reading`, those of compare_orders."""
    with stdout_for_json(as_json), training_line() as line:
        from itda_core.files import write_text
        from itda_core.files.csv_export import frame_csv
        from itda_core.runs.comparing import compare as compare_all
        from itda_core.runs.comparing import compare_orders, write_csv
        from itda_core.runs.rebuilding import find_labels

        paths = [find_labels(name, library) for name in dictionaries]
        # A target that cannot be written is refused before anything else is done.
        orders = () if growing is None else compare_orders(paths, **reading, **growing)
        found = compare_all(paths, **reading, **options, on_step=line.step)
        for note in found.notes:
            line.note(visible(note))
        if csv is not None:
            write_csv(found.matrix, csv)
        if differences is not None:
            write_text(differences, frame_csv(found.differences().labels()))
        effect = None
        for progress in orders:
            line.step(f"{progress.name}, order {progress.order + 1}: {progress.trained} of {progress.total} grown")
            effect = progress.effect
    if as_json:
        order = {} if effect is None else {"orders": effect.to_dict()}
        print_json({**found.matrix.to_dict(), "notes": list(found.notes), **order})
    else:
        print_jaccard(found.matrix)
        if effect is not None:
            print_orders(effect)


def _over_training(
    dictionaries: Sequence[str], library: Library, *, csv: Path | None, as_json: bool, **options: Any
) -> None:
    """options: those of runs.over_training."""
    from itda_core.comparison.over_training.convergence_report import to_csv
    from itda_core.files import write_text
    from itda_core.runs.over_training import over_training
    from itda_core.runs.rebuilding import find_labels

    with stdout_for_json(as_json), training_line() as line:
        paths = [find_labels(name, library) for name in dictionaries]
        found = over_training(paths, on_step=line.step, **options)
        for note in found.notes:
            line.note(visible(note))
    if csv is not None:
        write_text(csv, to_csv(found.convergence))
    if as_json:
        print_json({**found.convergence.to_dict(), "notes": list(found.notes)})
    else:
        print_convergence(found.convergence)
