"""Writes the table of assets/docs/atoms.md: do the labels of demo:0's dictionaries say where their atoms fire?

    python assets/demo/honesty_table.py [--tokens 10000] [--layers 0 1 2 3 4 5] [--work DIR]

Four selections of one size at each layer. The bundled dictionaries are two of them; the two others are trained here,
with the settings of build_dictionaries.py, and kept in DIR if one is named, so that a second run need not train again.
All are indexed on the same text, which none of them was built from.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from build_dictionaries import ATOMS, FOLDER, READING, THRESHOLDS, TOKENS, K

from itda_core import AtomDictionary, Corpus, ModelSpec, TrainConfig, load_model, train
from itda_core.analysis.atoms.build import index_atoms
from itda_core.analysis.atoms.honesty.grades import DictionaryHonesty, Measure, of_dictionary
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.dictionaries.threshold import threshold_of
from itda_core.models import LanguageModel
from itda_core.runs.atoms.reading import honesty_of
from itda_core.text.passages.truth import truth_of

BUNDLED = {"sequential": "", "consensus": "-consensus"}  # how their names end
SELECTIONS = ("sequential", "paper", "sampled", "consensus")
MEASURES = ("same_token", "same_kind", "same_span")


def config_of(selection: str, layer: int, d_model: int) -> TrainConfig:
    """How a dictionary that is not bundled is grown; the paper's threshold is `sequential`'s in its own unit."""
    if selection == "paper":
        threshold = threshold_of(math.sqrt(1 - THRESHOLDS[layer]), d_model)
        return TrainConfig(k=K, selection="paper", threshold=threshold, atoms=ATOMS, tokens=TOKENS)
    return replace(READING, selection=selection)


def trained(model: LanguageModel, selection: str, layers: Sequence[int], work: Path) -> None:
    """Train the dictionaries of a selection that are not in `work` yet; layers of one setting share forward passes."""
    wanted: dict[TrainConfig, list[int]] = {}
    for layer in layers:
        if not path_of(work, selection, layer).exists():
            wanted.setdefault(config_of(selection, layer, model.d_model), []).append(layer)
    for config, together in wanted.items():
        for progress in train(model, Corpus.open("demo"), together, config):
            print(f"\r{selection} {together}: {progress.tokens:,} tokens ", end="", file=sys.stderr, flush=True)
            for dictionary in progress.dictionaries:
                layer = dictionary.spec.layer
                assert layer is not None, "layers were asked for"
                dictionary.save_pretrained(path_of(work, selection, layer), dtype="float16")
        print(file=sys.stderr)


def path_of(work: Path, selection: str, layer: int) -> Path:
    """Where a dictionary is: a bundled one with the studio, another in `work`."""
    ending = BUNDLED.get(selection)
    return work / f"{selection}-L{layer}" if ending is None else FOLDER / f"demo-0-L{layer}{ending}"


def behind(dictionary: AtomDictionary, windows: int) -> AtomDictionary:
    """The same dictionary, measured on text behind so many `windows`: one that was full early has read fewer."""
    parts = (dictionary.atoms, dictionary.mean, dictionary.provenance, dictionary.spec, dictionary.config)
    return AtomDictionary(*parts, {**dictionary.stats, "windows": windows})


def honesty(model: LanguageModel, dictionary: AtomDictionary, tokens: int) -> DictionaryHonesty:
    """What an index of `tokens` says of a dictionary's labels."""
    corpus = Corpus.open("demo")
    with tempfile.TemporaryDirectory() as folder:
        saved = AtomDictionary.load(dictionary.save_pretrained(Path(folder) / "dictionary"))
        target = Path(folder) / "index"
        for progress in index_atoms(model, saved, corpus, tokens=tokens, folder=target, truth=truth_of(corpus)):
            last = progress
        assert last.description is not None, "the last progress has it"
        assert last.description.text == "held-out", last.notes
        return of_dictionary(honesty_of(saved, AtomIndex.open(target)))


def head() -> Iterator[str]:
    """The first two lines of the table."""
    columns = ("layer", "selection", "own word", "its kind", "misleads", "too rare", *MEASURES)
    yield f"| {' | '.join(columns).replace('_', ' ')} |"
    yield "|---" * len(columns) + "|"


def row(layer: int, selection: str, found: DictionaryHonesty) -> str:
    """One dictionary: the share of each grade among atoms and in use, and each measure beside chance."""
    grades = (f"{one.share:.0%}, {one.share_of_use:.0%}" for one in found.grades)
    measures = (_beside_chance(getattr(found.strongest, name)) for name in MEASURES)
    return f"| {' | '.join((str(layer), f'`{selection}`', *grades, *measures))} |"


def _beside_chance(measure: Measure | None) -> str:
    assert measure is not None, "the bundled corpus knows of all its text what it is"
    return f"{measure.share:.0%} ({measure.chance:.1%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tokens", type=int, default=10_000, help="held-out ones in each index")
    parser.add_argument("--layers", nargs="+", type=int, default=range(len(THRESHOLDS)))
    parser.add_argument("--selections", nargs="+", default=SELECTIONS, choices=SELECTIONS)
    parser.add_argument("--work", type=Path, help="where trained dictionaries are kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        model = load_model(ModelSpec("demo:0", device="cpu"), head=False)
        for selection in options.selections:
            if selection not in BUNDLED:
                trained(model, selection, options.layers, work)
        windows = AtomDictionary.load(path_of(work, READING.selection, 0)).stats["windows"]  # the whole of TOKENS
        print(*head(), sep="\n")
        for layer in options.layers:
            for selection in options.selections:
                dictionary = behind(AtomDictionary.load(path_of(work, selection, layer)), windows)
                print(row(layer, selection, honesty(model, dictionary, options.tokens)), flush=True)


if __name__ == "__main__":
    main()
