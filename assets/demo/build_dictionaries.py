"""Builds the bundled dictionaries: every layer of every bundled model, on the first tokens of the bundled corpus.

    python assets/demo/build_dictionaries.py [--models 0 1 2 3 4] [--selections sequential consensus]
    python assets/demo/build_dictionaries.py --checkpoints DIR

One setting for all five models, so that they can be compared: k=8 (at d_model 128 the paper's k=40 needs only about a
hundred atoms), and per layer a threshold at which every model reaches 1,024 atoms, where growth stops. Of the first
model there is a second one of each layer, for reading: as many atoms chosen by consensus, the mean removed; and the
example that Home and Decompose begin with, decomposed by the middle layer's. Atoms are stored in float16. A dictionary
that exists is replaced only when its successor is complete; build_indices.py then makes its atom index anew.

With --checkpoints, dictionaries of the same settings are grown of the checkpoints that train_models.py --checkpoints
left in DIR, and only their labels are kept, in assets/demo/checkpoints; comparison.checkpoints reads them.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from itda_core import AtomDictionary, Corpus, ModelSpec, TrainConfig, decompose, load_model, train
from itda_core.analysis.example import PROMPT, write_example
from itda_core.comparison.over_training.demo_checkpoints import CHECKPOINTS, LIST, labels_file
from itda_core.dictionaries import LabelsOnly, write_labels
from itda_core.files import read_json, write_json
from itda_core.models import LanguageModel

K = 8
TOKENS = 200_000
ATOMS = 1024
THRESHOLDS = (0.255, 0.215, 0.25, 0.315, 0.37, 0.43)  # of layer 0, 1, ...: later layers are harder to explain
READING = TrainConfig(k=K, selection="consensus", atoms=ATOMS, centre=True, tokens=TOKENS)
SELECTIONS = ("sequential", READING.selection)
READ = 0  # the model whose dictionaries are for reading
FOLDER = Path(__file__).parent / "dictionaries"


def build(number: int) -> None:
    """The dictionaries of demo:`number`."""
    name = f"demo:{number}"
    for dictionary in grown(name, name):
        keep(dictionary, FOLDER / f"demo-{number}-L{dictionary.spec.layer}")


def build_for_reading(number: int) -> None:
    """The dictionaries of demo:`number` for reading, and the example."""
    name = f"demo:{number}"
    model = load_model(ModelSpec(name, device="cpu"))
    for dictionary in _grown(model, name, list(range(model.n_layers)), READING):
        path = FOLDER / f"demo-{number}-L{dictionary.spec.layer}-{READING.selection}"
        keep(dictionary, path)
    build_example(number)


def build_example(number: int) -> None:
    """What a first visitor sees, decomposed by the middle layer's dictionary for reading."""
    model = load_model(ModelSpec(f"demo:{number}", device="cpu"))
    path = FOLDER / f"demo-{number}-L{model.n_layers // 2}-{READING.selection}"
    write_example(decompose(model, AtomDictionary.load(path), PROMPT), path)


def build_checkpoints(folder: Path) -> None:
    """The labels of every checkpoint in `folder`, and its list of them."""
    about = read_json(folder / LIST)
    CHECKPOINTS.mkdir(exist_ok=True)
    for checkpoint in about["checkpoints"]:
        step = checkpoint["step"]
        for dictionary in grown(str(folder / f"step-{step}"), f"{about['model']} step {step}"):
            labels = LabelsOnly.of(dictionary)
            # Where the weights lay while this was made means nothing to anyone else.
            labels = replace(labels, spec=replace(labels.spec, model=f"{about['model']} step {step}"))
            path = labels_file(CHECKPOINTS, step, labels.spec.layer)
            path.unlink(missing_ok=True)
            write_labels(labels, path)
            print(f"\n{path.name}: {len(labels)} atoms, {path.stat().st_size:,} bytes", file=sys.stderr)
    write_json(CHECKPOINTS / LIST, about)


def grown(reference: str, name: str) -> Iterator[AtomDictionary]:
    """A dictionary per layer of a model; layers that share a threshold grow from the same forward passes."""
    model = load_model(ModelSpec(reference, device="cpu"))
    by_threshold = itertools.groupby(sorted(range(model.n_layers), key=THRESHOLDS.__getitem__), THRESHOLDS.__getitem__)
    for threshold, layers in by_threshold:
        yield from _grown(model, name, list(layers), TrainConfig(k=K, threshold=threshold, atoms=ATOMS, tokens=TOKENS))


def _grown(model: LanguageModel, name: str, layers: Sequence[int], config: TrainConfig) -> Iterator[AtomDictionary]:
    for progress in train(model, Corpus.open("demo"), layers, config):
        atoms = ", ".join(f"L{layer.layer} {layer.atoms}" for layer in progress.layers)
        print(f"\r{name} {progress.tokens:,} tokens: {atoms}  ", end="", file=sys.stderr, flush=True)
        yield from progress.dictionaries
    print(file=sys.stderr)


def keep(dictionary: AtomDictionary, path: Path) -> None:
    """Store `dictionary` as `path`, in place of what may be there."""
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".partial-") as folder:
        new = dictionary.save_pretrained(Path(folder) / path.name, dtype="float16")
        if path.exists():
            shutil.rmtree(path)
        new.rename(path)
    size = sum(file.stat().st_size for file in path.iterdir())
    print(f"\n{path.name}: {len(dictionary)} atoms, {size:,} bytes, {dictionary.stats}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--selections", nargs="+", default=SELECTIONS, choices=SELECTIONS)
    parser.add_argument("--example", action="store_true", help="the example instead, by the dictionaries there are")
    parser.add_argument("--checkpoints", type=Path, metavar="DIR", help="of these instead, their labels only")
    options = parser.parse_args()
    if options.checkpoints is not None:
        build_checkpoints(options.checkpoints)
        return
    if options.example:
        build_example(READ)
        return
    FOLDER.mkdir(exist_ok=True)
    if "sequential" in options.selections:
        for number in options.models:
            build(number)
    if READING.selection in options.selections and READ in options.models:
        build_for_reading(READ)


if __name__ == "__main__":
    main()
