"""Builds the atom indices of the bundled dictionaries, on text of the bundled corpus that none of them was built from.

    python assets/demo/build_indices.py [--tokens 13000] [--others 2000] [--only NAME ...] [--beside]

Those of the first model, which a visitor meets first, get `--tokens` tokens, the others `--others`: together they stay
within 17 MB. An index that exists is replaced only when its successor is complete. One is named as its dictionary is,
and found by its identity: a dictionary that is built anew needs a new one.

Beside those of the first model lies what they say of the labels' honesty, under 2 MB in all; that of the others is
measured where it is asked for, which takes a blink. So does what their atoms write into the logits, 1.2 MB in all, so
that a first visitor need not wait for the model. --beside writes both for the indices there are.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from itda_core import AtomDictionary, Corpus, ModelSpec, load_model
from itda_core.analysis.atoms.build import index_atoms
from itda_core.analysis.atoms.honesty.stored import SUMMARY, TABLE, store
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.analysis.atoms.logits import stored_logits
from itda_core.models import LanguageModel
from itda_core.runs.atoms.reading import direct_path_of, measured_honesty
from itda_core.runs.indexing.indices import BUNDLED as FOLDER
from itda_core.runs.library import BUNDLED as DICTIONARIES
from itda_core.text.passages.truth import truth_of

TOKENS, OTHERS = 13_000, 2_000
FIRST = "demo:0"


def build(model: LanguageModel, dictionary: AtomDictionary, tokens: int) -> int:
    """The index of a bundled dictionary, in place of what may be there; returns its bytes."""
    assert dictionary.path is not None, "a bundled one lies in a folder"
    corpus, path = Corpus.open("demo"), FOLDER / dictionary.path.name
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".partial-") as folder:
        new = Path(folder) / path.name
        for progress in index_atoms(
            model, dictionary, corpus, tokens=tokens, folder=new, truth=truth_of(corpus), windows_per_batch=16
        ):
            last = progress
        if path.exists():
            shutil.rmtree(path)
        new.rename(path)
    for file in path.iterdir():
        file.chmod(0o644)
    assert last.description is not None, "the last progress has it"
    assert last.description.text == "held-out", last.notes
    size = sum(file.stat().st_size for file in path.iterdir())
    print(f"{path.name}: {last.tokens:,} tokens, {last.description.entries:,} entries, {size:,} bytes", file=sys.stderr)
    return size


def build_honesty(dictionary: AtomDictionary) -> int:
    """What the index of a bundled dictionary says of its labels, kept beside it; returns its bytes."""
    assert dictionary.path is not None, "a bundled one lies in a folder"
    index = AtomIndex.open(FOLDER / dictionary.path.name)
    store(index, measured_honesty(dictionary, index), small=True)
    for name in (TABLE, SUMMARY):
        (index.folder / name).chmod(0o644)
    size = sum((index.folder / name).stat().st_size for name in (TABLE, SUMMARY))
    print(f"{index.folder.name}: honesty, {size:,} bytes", file=sys.stderr)
    return size


def build_logits(model: LanguageModel, dictionary: AtomDictionary) -> int:
    """What the atoms of a bundled dictionary write, kept beside its index; returns its bytes."""
    assert dictionary.path is not None, "a bundled one lies in a folder"
    index = AtomIndex.open(FOLDER / dictionary.path.name)
    path = direct_path_of(dictionary, model, index)
    stored_logits.store(index, [path.of(atom) for atom in dictionary.atoms])
    names = (stored_logits.TABLE, stored_logits.ABOUT)
    for name in names:
        (index.folder / name).chmod(0o644)
    size = sum((index.folder / name).stat().st_size for name in names)
    print(f"{index.folder.name}: logits, {size:,} bytes", file=sys.stderr)
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tokens", type=int, default=TOKENS, help=f"of the dictionaries of {FIRST}")
    parser.add_argument("--others", type=int, default=OTHERS, help="of all others")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of these dictionaries alone")
    parser.add_argument("--beside", action="store_true", help="honesty and logits alone, by the indices there are")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    models: dict[str, LanguageModel] = {}
    total = 0
    for path in sorted(DICTIONARIES.iterdir()):
        if options.only is not None and path.name not in options.only:
            continue
        dictionary = AtomDictionary.load(path)
        name = dictionary.spec.model
        if name not in models:
            models[name] = load_model(ModelSpec(name, device="cpu"), head=name == FIRST)
        if not options.beside:
            total += build(models[name], dictionary, options.tokens if name == FIRST else options.others)
        if name == FIRST:
            total += build_honesty(dictionary) + build_logits(models[name], dictionary)
    print(f"{total:,} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
