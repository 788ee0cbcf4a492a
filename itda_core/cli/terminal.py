"""What the command line shows people: tables on stdout, a progress line on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from itda_core import printable
from itda_core.analysis.centring import not_over_the_same
from itda_core.figures_as_text import figure
from itda_core.files import finite
from itda_core.runs.training.words import stage_words, step_words, time_left_words

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, Task, TaskID

    from itda_core.analysis import AtomUse, Decomposition, Evaluation, EvaluationProgress
    from itda_core.comparison import Convergence, JaccardMatrix, OrderEffect
    from itda_core.comparison.label_transfer.transfer import TransferTable
    from itda_core.comparison.matching.study import MatchProgress
    from itda_core.dictionaries import TrainProgress
    from itda_core.runs.atoms.mapping import MapProgress
    from itda_core.runs.transfer.run import TransferProgress

_ATOMS_SHOWN = 3
_CONTEXT_SHOWN = 24  # characters on each side of an atom's token


def print_json(value: Any) -> None:
    """One JSON object on stdout; what is not finite becomes null."""
    typer.echo(json.dumps(finite(value), indent=2, allow_nan=False))  # ASCII only: any terminal's encoding takes it


def visible(text: str) -> str:
    """`text` on one line, with characters that could steer a terminal shown instead of sent to it."""
    return printable.visible(text, escapes=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()) -> None:
    """A table on stdout; `numbers` names the columns set flush right. Cells are shown as they are, never as markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else visible(str(cell))) for cell in row))
    # Into a file or a pipe a row is one line, however long: something else will read it.
    Console(width=None if sys.stdout.isatty() else 400, markup=False, highlight=False, emoji=False).print(table)


def _seen_at(atom: AtomUse) -> str:
    """An atom's token in its context; of several labels the tokens, and what they have in common."""
    from itda_core.analysis.in_common import pattern_of, tokens_of

    if atom.further:
        return "; ".join(filter(None, [tokens_of(atom), pattern_of(atom)]))
    return f"{atom.context_before[-_CONTEXT_SHOWN:]}[{atom.token}]{atom.context_after[:_CONTEXT_SHOWN]}"


def print_decomposition(result: Decomposition) -> None:
    """One line per token: how well it is explained, and its strongest atoms in their source context."""
    rows = []
    for token in result.tokens:
        if token.special:
            continue
        for i, atom in enumerate(token.atoms[:_ATOMS_SHOWN] or [None]):
            first = i == 0
            rows.append(
                (
                    token.index if first else None,
                    f"'{token.text}'" if first else None,
                    f"{token.relative_error:.3f}" if first else None,
                    atom and atom.atom,
                    atom and figure(atom.coefficient, "+.2f"),
                    atom and _seen_at(atom),
                )
            )
    print_table(
        ("#", "token", "error", "atom", "coefficient", "where the atom was seen"),
        rows,
        numbers=("#", "error", "atom", "coefficient"),
    )


def print_evaluations(results: Sequence[Evaluation]) -> None:
    """One row per dictionary, k and method; the columns of predictions only where a model makes some."""
    headed = any(result.ce_original is not None for result in results)
    predicted = ("CE score", "CE rise", "KL", "CE", "CE reconstructed", "CE zero") if headed else ()
    numbers = ("k", "tokens", "FVU", "error", "cosine", "L0", "dead", *predicted)
    rows = []
    for result in results:
        figures = (result.fvu, result.relative_error, result.cosine, result.l0, result.dead_fraction)
        ce = (
            *(result.ce_score, result.ce_rise, result.kl),
            *(result.ce_original, result.ce_reconstructed, result.ce_zero),
        )
        shown = [None if value is None else figure(value, ".3f") for value in (*figures, *(ce if headed else ()))]
        name = Path(result.dictionary).name
        rows.append((name, result.k, result.method, result.text, f"{result.tokens:,}", *shown))
    print_table(("dictionary", "k", "method", "text", *numbers[1:]), rows, numbers=numbers)
    if apart := not_over_the_same([(Path(result.dictionary).name, result.centred) for result in results]):
        typer.echo(visible(apart), err=True)
    if headed:
        typer.echo(
            "CE and KL are in nats per prediction. CE rise: by how much the loss grows with the reconstruction in the "
            "activation's place. CE score: what is kept, as a share of what zeros there would cost.",
            err=True,
        )


def print_jaccard(matrix: JaccardMatrix) -> None:
    """The matrix in percent, its columns numbered as its rows are, then the notes that belong to every figure."""
    from itda_core.comparison.overlap.jaccard_report import sentences

    numbers = [str(i + 1) for i in range(len(matrix.labels))]
    rows = [
        (number, label, f"{size:,}", *(f"{100 * value:.1f}" for value in row))
        for number, label, size, row in zip(numbers, matrix.labels, matrix.sizes, matrix.jaccard, strict=True)
    ]
    print_table(("#", "Jaccard, percent", "labels", *numbers), rows, numbers=("#", "labels", *numbers))
    for sentence in sentences(matrix):
        typer.echo(visible(sentence))


def print_convergence(found: Convergence) -> None:
    """A row per checkpoint, a column per layer, in percent, then what belongs to them."""
    from itda_core.comparison.over_training.convergence_report import sentences

    layers = tuple(map(str, found.layers))
    rows = [(name, *map(_percent, row)) for name, row in zip(found.names, found.jaccard.tolist(), strict=True)]
    print_table(("Jaccard with the last, percent; layer", *layers), rows, numbers=layers)
    for sentence in sentences(found):
        typer.echo(visible(sentence))


def print_orders(effect: OrderEffect) -> None:
    """Every pair's mean and spread over orders, beside chance; the diagonal is the most that two orders allow."""
    typer.echo(f"\nJaccard over {effect.orders} orders of the corpus, percent: mean ± standard deviation")
    rows = []
    for i, one in enumerate(effect.labels):
        for j, two in enumerate(effect.labels[i:], start=i):
            figures = [
                _percent(mean[i, j]) + (f" ± {_percent(sd[i, j])}" if sd[i, j] == sd[i, j] else "")
                for mean, sd in ((effect.same_mean, effect.same_sd), (effect.other_mean, effect.other_sd))
            ]
            chance = effect.null_jaccard[i, j]
            rows.append((one, two, *(figures if i != j else (None, figures[1])), _percent(chance)))
    columns = ("one", "two", "in the same order", "in different orders", "by chance")
    print_table(columns, rows, numbers=columns[2:])
    typer.echo(effect.sentence())


def _percent(value: float) -> str:
    """Nothing for what is not known."""
    return "" if value != value else f"{100 * value:.1f}"


def print_transfer(table: TransferTable) -> None:
    """One row per labels, site and k, FVU beside that of the model's own dictionary and of random ones."""
    numbers = ("layer", "k", "atoms", "usable", "FVU", "own FVU", "random FVU", "sd", "gain", "L0")
    rows = []
    for cell in table.cells:
        figures = (cell.fvu, cell.own_fvu, cell.random_fvu, cell.random_sd, cell.gain, cell.l0)
        shown = [None if value is None else figure(value, ".3f") for value in figures]
        rows.append((cell.labels, cell.layer, cell.k, f"{cell.atoms:,}", f"{cell.comparable:.0%}", *shown))
    print_table(("labels of", *numbers), rows, numbers=numbers)
    typer.echo(
        visible(
            f"Rebuilt in {table.model}, measured on {table.tokens:,} held-out tokens of {table.held_out}; random: mean "
            f"and standard deviation of {table.draws} draws. gain: 0 as a random draw, 1 as the model's own "
            "dictionary; none where its own is no better than a draw."
        )
    )


class TrainingLine:
    """The progress of a training on stderr: a bar on a terminal, nothing elsewhere."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._task: TaskID | None = (
            progress.add_task("Starting…", total=None, figures="", left="") if progress else None
        )

    def step(self, name: str) -> None:
        """Show what is being done now."""
        self._show(step_words(name), 0, None, "", "")

    def update(self, training: TrainProgress) -> None:
        """Show which stage a training is at, how far it is, and how long the whole will take."""
        stage = training.stage
        left = "" if training.eta is None else time_left_words(training.eta, rough=training.rough)
        self._show(stage_words(stage), stage.done, stage.total, _figures(training), left)

    def share(self, progress: EvaluationProgress | MatchProgress | TransferProgress | MapProgress) -> None:
        """Show which share of the work is done."""
        tokens = getattr(progress, "tokens", None)
        figures = "" if tokens is None else f"{tokens:,} tokens"
        self._show(step_words(progress.step), progress.share, 1, figures, None)

    def part(self, name: str, share: float) -> None:
        """Show which share of something is done, 0 to 1; `name` says what, for people."""
        self._show(name, share, 1, "", None)

    def _show(self, name: str, done: float, total: float | None, figures: str, left: str | None) -> None:
        """total: None while it is not known; left: None: the time left goes by the share that is done."""
        if self._progress is None or self._task is None:
            return
        (task,) = self._progress.tasks
        task.total = total  # what `update` cannot take back
        self._progress.update(self._task, description=name, completed=done, figures=figures, left=left)

    def note(self, sentence: str) -> None:
        """Print one sentence above the line, which goes on below it."""
        if self._progress is not None:
            self._progress.console.print(f"note: {sentence}", markup=False, highlight=False, soft_wrap=True)
        else:
            typer.echo(f"note: {sentence}", err=True)


def _figures(training: TrainProgress) -> str:
    """What is known in the stage that a training is at."""
    layer, stage = training.layers[0], training.stage
    if stage.name == "choosing":
        chosen = [layer for layer in training.layers if layer.step > 1 and layer.layer == stage.layer]
        return f"error {chosen[0].relative_error:.3f}" if len(chosen) == 1 else ""
    if stage.name != "reading":
        return ""
    figures = [f"{training.tokens_per_second:,.0f}/s"] if training.tokens else []
    if layer.atoms:  # those that are chosen later have none yet, and no error
        expected = "" if layer.predicted_atoms is None else f" of about {layer.predicted_atoms:,}"
        figures += [f"{layer.atoms:,}{expected} atoms", f"error {layer.relative_error:.3f}"]
    if layer.sinks:
        figures.append(f"{layer.sinks:,} attention sinks left out")
    return "  ".join(figures)


def _time_left() -> ProgressColumn:
    """The time left as the work itself reckons it; where it does not, by the share of it that is done."""
    from rich.progress import TimeRemainingColumn
    from rich.text import Text

    class TimeLeft(TimeRemainingColumn):
        def render(self, task: Task) -> Text:
            left = task.fields.get("left")
            return super().render(task) if left is None else Text(left)

    return TimeLeft()


@contextmanager
def training_line() -> Iterator[TrainingLine]:
    """A progress line that is taken away again when the block ends."""
    if not sys.stderr.isatty():
        yield TrainingLine(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[figures]}"))
    with Progress(*columns, _time_left(), console=Console(stderr=True), transient=True) as progress:
        yield TrainingLine(progress)


@contextmanager
def stdout_for_json(as_json: bool) -> Iterator[None]:
    """While the work runs, whatever a library prints goes to stderr, so that stdout holds one JSON object only."""
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        yield
