"""`itda atoms show`, `itda atoms search` and `itda atoms honesty`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from itda_core.cli.options import (
    AsJson,
    Device,
    Dtype,
    LibraryFolder,
    Offline,
    OtherModel,
    Placement,
    Reference,
    RemoteCode,
    Revision,
    go_offline,
)
from itda_core.cli.terminal import print_json, print_table, stdout_for_json, training_line, visible
from itda_core.errors import UserError
from itda_core.figures_as_text import three_figures
from itda_core.runs.library import Library

if TYPE_CHECKING:
    from itda_core.analysis.atoms.atom_report import AtomReport
    from itda_core.analysis.atoms.examples import Example
    from itda_core.analysis.atoms.honesty.grades import DictionaryHonesty, Measure, Measures
    from itda_core.analysis.atoms.index import AtomIndex
    from itda_core.analysis.atoms.logits.direct_logits import DirectLogits
    from itda_core.analysis.atoms.search import Found
    from itda_core.dictionaries import AtomDictionary
    from itda_core.models import LanguageModel

_SHOWN = 5  # of each list in a terminal
_MEASURES = ("same_token", "same_class", "same_neighbourhood", "same_span", "same_kind")


def show(
    dictionary: Reference,
    atom: Annotated[int, typer.Argument(metavar="ATOM", help="The atom's number, from 0.")],
    logits: Annotated[
        bool, typer.Option("--logits/--no-logits", help="The tokens it raises and lowers; the model is loaded for it.")
    ] = True,
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
    """One atom: its labels, where it fires, what is near it, what it writes, whether its label can be trusted."""
    go_offline(offline)
    path = Library(library).find(dictionary)
    with stdout_for_json(as_json), training_line() as line:
        from itda_core.dictionaries import AtomDictionary
        from itda_core.runs.atoms.reading import honesty_of, index_of
        from itda_core.runs.model_of import model_of

        loaded = AtomDictionary.load(path)
        loaded.labels(atom)  # refused before anything else is read
        index = index_of(loaded)
        if index is None:
            line.note(f"There is no index of {dictionary}: make one with itda atoms index to see where its atoms fire.")
        honesty = None if index is None else honesty_of(loaded, index)

        def load() -> LanguageModel:
            return model_of(loaded, model, revision, device, dtype, offline, trust_remote_code, placement, head=True)

        from itda_core.analysis.atoms.atom_report import report_of

        own = model is None and revision is None
        written, reason = _written(loaded, atom, index, load, own) if logits else (None, "It was not asked for.")
        report = report_of(path.name, loaded, atom, index, honesty, written, reason)
    if as_json:
        print_json(report.to_dict())
    else:
        _print(report)


def search(
    words: Annotated[
        list[str], typer.Argument(metavar="DICTIONARY... TEXT", help="Names in the library or folders; then the text.")
    ],
    by: Annotated[
        str, typer.Option(help="token: the label's token; context: words around it; prompt: what a text uses; firing: "
                          "where a word stands in the index.")
    ] = "token",
    every: Annotated[
        str | None, typer.Option("--all-of", metavar="MODEL", help="All dictionaries of this model in the library.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Results at most.")] = 50,
    model: OtherModel = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Find atoms by a token, by words of their context, by a prompt that uses them, or by a word they fire on."""
    go_offline(offline)
    *names, text = words
    with stdout_for_json(as_json):
        from itda_core.dictionaries import AtomDictionary
        from itda_core.runs.atoms.reading import search_atoms
        from itda_core.runs.model_of import model_of

        found = Library(library)
        paths = [found.find(name) for name in names]
        paths += [entry.path for entry in found.entries() if every and entry.model == every and entry.problem is None]
        if not paths:
            raise UserError(
                f"No dictionary of {every} is in the library; name one." if every
                else "No dictionary was named; give DICTIONARY and then the text to search for, or --all-of MODEL."
            )  # fmt: skip
        loaded = [(path.name, AtomDictionary.load(path)) for path in dict.fromkeys(paths)]
        models: dict[str, LanguageModel] = {}

        def model_for(dictionary: AtomDictionary) -> LanguageModel:
            key = dictionary.spec.weights_fingerprint
            if key not in models:
                models[key] = model_of(
                    dictionary, model, revision, device, dtype, offline, trust_remote_code, placement, head=False
                )
            return models[key]

        results = search_atoms(loaded, text, by, most, model_for)
    if as_json:
        print_json({"query": text, "by": by, "results": [asdict(one) for one in results]})
        return
    _print_found(results)


def _print_found(results: Sequence[Found]) -> None:
    """What was found in a terminal."""
    if not results:
        typer.echo("No atom was found; try another word, or another --by.")
        return
    labels = [visible(one.label if one.labels > 1 else _in_context(one)) for one in results]
    rows = [
        (one.dictionary, one.atom, label, three_figures(one.score), visible(one.why))
        for one, label in zip(results, labels, strict=True)
    ]
    print_table(("dictionary", "atom", "label", "score", "why"), rows, numbers=("atom", "score"))


def honesty(
    dictionary: Reference,
    encoder: Annotated[
        str | None, typer.Option("--encoder", metavar="MODEL", help="Compare the words around by this encoder of texts "
                                 "instead of hashing them; the result is not kept.")
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    library: LibraryFolder = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Do the labels tell where the atoms fire? The share of each grade, and what labels share with text, beside chance.

    Needs an index of the dictionary (itda atoms index). Other settings than --library and --json are the encoder's.
    """
    go_offline(offline)
    path = Library(library).find(dictionary)
    with stdout_for_json(as_json), training_line() as line:
        from itda_core.analysis.atoms.honesty.grades import of_dictionary
        from itda_core.dictionaries import AtomDictionary
        from itda_core.runs.atoms.reading import honesty_of, index_of, measured_honesty

        loaded = AtomDictionary.load(path)
        index = index_of(loaded)
        if index is None:
            raise UserError(f"There is no index of {dictionary}; make one with itda atoms index {dictionary}.")

        def show_share(share: float) -> None:
            line.part("Measuring labels", share)

        if encoder is None:
            tallies = honesty_of(loaded, index, show_share)
        else:
            from itda_core.analysis.atoms.honesty.context_vectors import Encoded
            from itda_core.models import ModelSpec, load_model

            spec = ModelSpec(encoder, revision, device, dtype, offline, trust_remote_code, placement)
            contexts = Encoded(load_model(spec, head=False))
            tallies = measured_honesty(loaded, index, show_share, contexts)
        found, about = of_dictionary(tallies), index.description
    if as_json:
        print_json(
            {
                "dictionary": path.name,
                "corpus": about.corpus,
                "text": about.text,
                "tokens": about.tokens,
                **asdict(found),
            }
        )
        return
    typer.echo(visible(f"{path.name}, by {about.tokens:,} tokens of {about.corpus} ({about.text}); {found.contexts}"))
    _print_honesty(found)


def _print_honesty(found: DictionaryHonesty) -> None:
    """A dictionary's grades and measures in a terminal."""
    from itda_core.figures.honesty import MEASURE_NAMES

    columns = ("grade", "atoms", "of all atoms", "of all use")
    rows = [(one.grade, f"{one.atoms:,}", f"{one.share:.1%}", f"{one.share_of_use:.1%}") for one in found.grades]
    print_table(columns, rows, numbers=columns[1:])
    typer.echo("")
    columns = ("in common", "strongest quarter", "by chance", "lift", "all uses", "by chance", "lift")
    beside = [
        (MEASURE_NAMES[name], *_beside_chance(found.strongest, name), *_beside_chance(found.everywhere, name))
        for name in _MEASURES
    ]
    print_table(columns, beside, numbers=columns[1:])


def _beside_chance(measures: Measures, name: str) -> tuple[str, str, str]:
    """A share, that by chance, and the lift; what is not known is a dash."""
    one: Measure | None = getattr(measures, name)
    if one is None:
        return ("—", "—", "—")
    return f"{one.share:.1%}", f"{one.chance:.1%}", "—" if one.lift is None else three_figures(one.lift)


def _in_context(label) -> str:
    """A label's token between brackets, in some of its text."""
    return f"{label.context_before[-24:]}[{label.token}]{label.context_after[:12]}"


def _written(
    dictionary: AtomDictionary,
    atom: int,
    index: AtomIndex | None,
    load: Callable[[], LanguageModel],
    own: bool,
) -> tuple[DirectLogits | None, str]:
    """What the atom writes, or None and why; own: by the dictionary's own model, of which it may be kept."""
    from itda_core.analysis.atoms.logits.direct_logits import NoDirectPath
    from itda_core.analysis.atoms.logits.stored_logits import stored
    from itda_core.runs.atoms.reading import direct_path_of

    if index is not None and own:
        with suppress(UserError):  # damaged: the model is asked
            if (found := stored(index, atom)) is not None:
                return found, ""
    try:
        return direct_path_of(dictionary, load(), index).of(dictionary.atoms[atom]), ""
    except NoDirectPath as error:
        return None, str(error)


def _print(report: AtomReport) -> None:
    """The report in a terminal, the first few of each list."""
    from itda_core.analysis.atoms.together import certain

    rows: list[tuple[str, object]] = [("atom", f"{report.atom} of {report.dictionary}")]
    rows += [("label", visible(_in_context(label))) for label in report.labels[:_SHOWN]]
    rows += _rest("label", len(report.labels))
    if (usage := report.usage) is not None:
        rows.append(("used at", f"{usage.tokens:,} of {usage.of:,} tokens ({usage.usage:.2%})"))
        rows.append(("first choice", f"{usage.first_choice:.0%} of them"))
        rows.append(("coefficient", f"mean {usage.mean:.3g}, from {usage.min:.3g} to {usage.max:.3g}"))
    if (examples := report.examples) is not None:
        for name, found in (("positive", examples.positive), ("negative", examples.negative)):
            rows += [(name, f"{one.coefficient:8.3g}  {visible(_around(one))}") for one in found[:_SHOWN]]
            rows += _rest(name, len(found))
    for name, near in (("near", report.nearest), ("opposite", report.opposite)):
        rows.append((name, ", ".join(f"{one.atom} ({one.cosine:.2f})" for one in near[:_SHOWN]) or "none"))
    sure = certain(report.together or ())
    if report.together and not sure:
        rows.append(("fires with", "no atom more often than by chance, as far as this text can tell"))
    for one in sure[:_SHOWN]:
        rows.append(
            (
                "fires with",
                f"{one.atom}: {one.tokens:,} tokens, {one.expected:.1f} by chance; lift surely above {one.low:.1f}",
            )
        )
    rows += _rest("fires with", len(sure))
    if report.logits is not None:
        for name, tokens in (("raises", report.logits.raised), ("lowers", report.logits.lowered)):
            rows.append((name, visible(", ".join(repr(one.token) for one in tokens))))
    elif report.no_logits:
        rows.append(("writes", visible(report.no_logits)))
    if report.honesty is not None:
        rows.append(("honesty", report.honesty.grade))
        rows += _honesty_rows(report)
    print_table(("", ""), rows)


def _rest(name: str, count: int) -> list[tuple[str, object]]:
    """A row that tells how many of a list of so many are not shown, if any."""
    return [(name, f"… and {count - _SHOWN:,} more; --json has all")] if count > _SHOWN else []


def _honesty_rows(report: AtomReport) -> list[tuple[str, object]]:
    from itda_core.figures.honesty import MEASURE_NAMES

    found = [(name, getattr(report.honesty, name)) for name in _MEASURES]
    return [
        (MEASURE_NAMES[name], f"{one.share:.0%}, {one.chance:.0%} by chance") for name, one in found if one is not None
    ]


def _around(example: Example) -> str:
    """An example's token between brackets, in some of its text."""
    start, end = example.spans[example.at]
    return f"{example.text[max(0, start - 40) : start]}[{example.text[start:end]}]{example.text[end : end + 20]}"
