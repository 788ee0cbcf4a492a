"""`itda library`: the dictionaries on this machine."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itda_core.cli.options import (
    AsJson,
    Device,
    Dtype,
    LabelsCorpus,
    LibraryFolder,
    Offline,
    OtherModel,
    Placement,
    Reference,
    RemoteCode,
    Revision,
    Yes,
    go_offline,
    group,
)
from itda_core.cli.terminal import print_json, print_table, stdout_for_json, training_line, visible
from itda_core.dictionaries.selections import with_purpose
from itda_core.errors import UserError
from itda_core.runs.jobs.request_options import MODELS
from itda_core.runs.library import Library, LibraryEntry

if TYPE_CHECKING:
    from itda_core.runs.verify import Verification

library = group("The dictionaries on this machine: yours and the bundled ones.")


@library.command("list")
def list_(library: LibraryFolder = None, as_json: AsJson = False) -> None:
    """Your dictionaries, newest first, then the bundled ones."""
    entries = Library(library).entries()
    if as_json:
        print_json({"dictionaries": [_row(entry) for entry in entries]})
        return
    if not entries:
        typer.echo("The library is empty; train a dictionary with itda train or add one with itda library import.")
        return
    print_table(
        ("name", "model", "layer", "site", "selection", "tokens", "atoms", "k", "pursuit", "FVU", "MiB", "created"),
        [
            (
                entry.name + (" (damaged)" if entry.problem else " (bundled)" if entry.bundled else ""),
                entry.model,
                entry.layer,
                entry.site,
                with_purpose(entry.selection),
                None if entry.tokens is None else f"{entry.tokens:,}",
                entry.atoms,
                entry.k,
                entry.method,
                entry.fvu_words or None,
                None if entry.bytes is None else f"{entry.bytes / 2**20:.1f}",
                entry.created,
            )
            for entry in entries
        ],
        numbers=("layer", "tokens", "atoms", "k", "FVU", "MiB"),
    )
    for entry in entries:
        if entry.problem:
            typer.echo(f"{visible(entry.name)}: {visible(entry.problem)}", err=True)


def _row(entry: LibraryEntry) -> dict[str, Any]:
    return {**asdict(entry), "path": str(entry.path)}


@library.command()
def show(dictionary: Reference, library: LibraryFolder = None, as_json: AsJson = False) -> None:
    """What a dictionary was grown from, how, and how well it does."""
    from itda_core.dictionaries.storage.description import read_description
    from itda_core.dictionaries.storage.dictionary_folder import read_summary
    from itda_core.runs.evaluation.measured_loss import loss_words

    path = Library(library).find(dictionary)
    summary = read_summary(path)
    description = read_description(path)
    if as_json:
        print_json({"path": str(path), "name": summary.name, "bytes": summary.bytes, **description})
        return
    rows: list[tuple[str, object]] = [("path", path), ("MiB", f"{summary.bytes / 2**20:.1f}")]
    for name, value in description.items():
        if isinstance(value, dict):
            rows += [(f"{name}.{inner}", item) for inner, item in value.items()]
        else:
            rows.append((name, value))
    rows += [(f"loss.{name}", word) for name, word in loss_words(path).items()]
    print_table(("", ""), rows)


@library.command()
def verify(
    dictionary: Reference,
    sample: Annotated[int | None, typer.Option(help="Check this many atoms, drawn at random; all if left out.")] = None,
    corpus: Annotated[str | None, typer.Option(help="Where the corpus file is now.")] = None,
    model: OtherModel = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check the labels: read each atom's text again and compare its activation with the atom."""
    go_offline(offline)
    path = Library(library).find(dictionary)
    with stdout_for_json(as_json):
        from itda_core.dictionaries import AtomDictionary
        from itda_core.runs.model_of import model_of
        from itda_core.runs.verify import corpus_of
        from itda_core.runs.verify import verify as check_labels

        loaded = AtomDictionary.load(path)
        text = corpus_of(loaded, corpus)
        language_model = model_of(
            loaded, model, revision, device, dtype, offline, trust_remote_code, placement, head=False
        )
        result = check_labels(loaded, language_model, text, sample)
    if as_json:
        print_json(_verification(path, result))
    else:
        worst = "" if result.worst_cosine is None else f"; the lowest cosine is {result.worst_cosine:.6f}"
        true = len(result.checks) - len(result.wrong)
        typer.echo(f"{true} of {len(result.checks)} atoms come out of their labels again{worst}.")
        if result.note:
            typer.echo(result.note)
    _check_verified(path, result)


def _verification(path: Path, result: Verification) -> dict[str, Any]:
    return {
        "dictionary": str(path),
        "atoms": result.atoms,
        "labels": result.labels,
        "checked": len(result.checks),
        "found": sum(check.cosine is not None for check in result.checks),
        "true": len(result.checks) - len(result.wrong),
        "worst_cosine": result.worst_cosine,
        "fault": result.fault,
        "note": result.note,
        "checks": [asdict(check) for check in result.checks],
    }


def _check_verified(path: Path, result: Verification) -> None:
    """Raises UserError where a label is wrong, or a file is not as it was saved."""
    if result.wrong:
        named = ", ".join(str(check.atom) for check in result.wrong[:10])
        differs = ", ".join(dict.fromkeys(name for check in result.wrong for name in check.differs))
        what = f" and differ in {differs}" if differs else ""
        raise UserError(
            f"{len(result.wrong)} atoms of {path.name} do not come out of their labels again ({named}){what}; "
            "train it anew."
        )
    if result.fault:
        raise UserError(result.fault)


@library.command("import")
def import_(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A dictionary's folder, its zip, or a Hub id.")],
    name: Annotated[str | None, typer.Option(help="What to call it; its own name if left out.")] = None,
    revision: Revision = None,
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Add a dictionary, checked before it appears. Only JSON, safetensors and Parquet are read."""
    with stdout_for_json(as_json):
        path = Library(library).import_(source, name, revision=revision, on_note=_note)
    say_path(path, "Imported as", as_json)


def _note(note: str) -> None:
    typer.echo(visible(note), err=True)


@library.command()
def export(
    dictionary: Reference,
    target: Annotated[str | None, typer.Argument(metavar="[TARGET]", help="A file, or a folder for NAME.zip.")] = None,
    labels_only: Annotated[
        bool,
        typer.Option(
            "--labels-only",
            help="The labels alone (NAME.labels.json.gz, a few kilobytes, no text and no vectors): anyone with the "
            "model and the corpus can build the dictionary from it again, see itda library rebuild.",
        ),
    ] = False,
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write a dictionary as one zip file."""
    with stdout_for_json(as_json):
        path = Library(library).export(dictionary, target, labels_only=labels_only)
    say_path(path, "Exported to", as_json)


@library.command()
def rebuild(
    labels: Annotated[
        str,
        typer.Argument(metavar="FILE|DICTIONARY", help="What --labels-only wrote, or a dictionary's name or folder."),
    ],
    model: Annotated[str, typer.Option(help=MODELS)],
    corpus: LabelsCorpus = None,
    layer: Annotated[int | None, typer.Option(help="Layer of the model; the labels' own if left out.")] = None,
    site: Annotated[str | None, typer.Option(help="Site in the model; the labels' own if left out.")] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Build a dictionary from labels alone: a model's activations at the places they name, in the same text."""
    from itda_core.models.spec import ModelSpec

    go_offline(offline)
    spec = ModelSpec(model, revision, device, dtype, offline, trust_remote_code, placement)
    with stdout_for_json(as_json), training_line() as line:
        from itda_core.runs.rebuilding import rebuild_into_library

        found = rebuild_into_library(
            labels, spec, corpus=corpus, layer=layer, site=site, library=library, on_step=line.step
        )
    if as_json:
        print_json(found.to_dict())
        return
    was = found.rebuilt
    reasons = {
        "not_comparable": "at no place both have read",
        "sinks": "at attention sinks",
        "zero": "without activation",
    }
    left_out = [f"{n:,} {reasons[why]}" for why, n in was["labels_left_out"].items() if n]
    typer.echo(
        f"{found.atoms:,} of {was['atoms']:,} atoms of {visible(str(was['model']))} rebuilt in {visible(found.model)}"
        + (f" (labels left out: {', '.join(left_out)})." if left_out else ".")
    )
    say_path(found.path, "Saved as", as_json)


@library.command()
def rename(
    dictionary: Reference,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its new name.")],
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Give a dictionary of yours another name."""
    say_path(Library(library).rename(dictionary, name), "Renamed to", as_json)


@library.command()
def remove(
    dictionary: Reference,
    yes: Yes = False,
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:
    """Delete a dictionary of yours. On a terminal it asks first."""
    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        typer.confirm(f"Delete {visible(dictionary)}? It cannot be brought back.", abort=True, err=True)
    Library(library).remove(dictionary)
    if as_json:
        print_json({"removed": dictionary})
    else:
        typer.echo(f"Removed {visible(dictionary)}.")


@library.command()
def activations(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One set; all if left out.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Delete it, or all.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Activations that trainings kept (itda train --keep-activations): what there is, how large; or remove it."""
    from itda_core.models.activation_cache.shards import remove_set, sets
    from itda_core.runs.home import activations_folder

    folder = activations_folder()
    found = [kept for kept in sets(folder) if name in (None, kept.name)]
    if name is not None and not found:
        known = ", ".join(kept.name for kept in sets(folder)[:5]) or "none"
        raise UserError(f"There are no kept activations named {name[:80]!r}, only: {known}.")
    if remove:
        size = sum(kept.bytes for kept in found) / 1e6
        if found and not yes and sys.stdin.isatty() and sys.stderr.isatty():
            typer.confirm(f"Delete {len(found)} sets of activations, {size:,.1f} MB?", abort=True, err=True)
        for kept in found:
            remove_set(folder, kept.name)
    if as_json:
        listed = [{**asdict(kept), "folder": str(kept.folder)} for kept in found]
        print_json({"removed" if remove else "activations": listed})
    elif remove:
        typer.echo(f"Removed {len(found)} sets of activations, {size:,.1f} MB.")
    elif not found:
        typer.echo("No activations are kept; itda train --keep-activations keeps them.")
    else:
        print_table(
            ("name", "model", "corpus", "context", "sites", "tokens", "MB"),
            [
                (
                    kept.name,
                    kept.model,
                    kept.corpus,
                    kept.context,
                    ", ".join(kept.sites),
                    f"{kept.tokens:,}",
                    f"{kept.bytes / 1e6:,.1f}",
                )
                for kept in found
            ],
            numbers=("context", "tokens", "MB"),
        )


def say_path(path: Path, words: str, as_json: bool) -> None:
    """Say where a dictionary is now, as a sentence that begins with `words`, or as an object."""
    if as_json:
        print_json({"path": str(path), "name": path.name})
    else:
        typer.echo(f"{words} {path}")
