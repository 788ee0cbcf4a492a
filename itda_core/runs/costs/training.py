"""What a training will cost, before it starts."""

from __future__ import annotations

import math
import shutil
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.dictionaries.config import SIZED
from itda_core.dictionaries.storage.description import read_description
from itda_core.dictionaries.threshold import meaning
from itda_core.errors import UserError
from itda_core.files import read_json
from itda_core.models.folder.model_folder import is_local, model_folder, weight_files
from itda_core.models.folder.stored_tensors import stored_tensors
from itda_core.models.placement import SHARE
from itda_core.models.sites import KINDS
from itda_core.models.spec import ModelSpec
from itda_core.runs.home import activations_folder
from itda_core.runs.layers import existing_layers
from itda_core.runs.library import Library, LibraryEntry
from itda_core.runs.machine import Machine, machine
from itda_core.runs.training.request import TrainRequest

if TYPE_CHECKING:
    from itda_core.dictionaries.config import TrainConfig

_CHARACTERS_PER_TOKEN = 4.0
_DEMO_SAMPLE = 200  # passages read to guess the bundled corpus's length
_ATOMS_PER_TOKEN = 0.1  # where nothing better is known
_BASE_MEMORY = 700 * 2**20  # Python with torch and transformers
_WINDOWS_PER_BATCH = 16
_LIVE_VECTORS = 12  # of d_model per token that a block's forward pass holds at its widest (MLP in and out, Q, K, V)
_BUFFER_ROOM = 1.25  # buffers of atoms are at most so much larger than what is in them
_LABEL_BYTES = 250  # of provenance, packed
_LABEL_OBJECT_BYTES = 1000  # and as it is in Python
_INDEX_BYTES = 3 * 8  # of an activation that is held on disk
_FLOPS_PER_CORE = (2e9, 20e9)  # a CPU core on matrices of this size, from unlucky to good
_FLOPS_GPU = (2e12, 40e12)
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_RUNS_COUNTED = 5
_BLOCKS_HELD = 3  # of a streamed model at once: two blocks, and embeddings that are rarely larger than one


@dataclass(frozen=True)
class ModelFigures:
    """What a model's folder says without loading it."""

    n_layers: int
    d_model: int
    parameters: int
    stored_bytes: int


@dataclass(frozen=True)
class Estimate:
    """Costs of one training. A figure that cannot be known is None; `notes` says why, and what was assumed."""

    tokens: int | None  # that will be read
    layers: int | None
    memory: int | None  # bytes, at its highest
    disk: int | None  # bytes of the dictionaries, as much again for checkpoints while it runs, and what is chosen from
    tokens_per_second: tuple[float, float] | None  # slow, fast
    seconds: tuple[float, float] | None  # fast, slow
    measured: bool  # whether the rate comes from earlier runs on this model
    notes: tuple[str, ...]
    activations: int | None = 0  # bytes of activations to keep: 0 where none are; None where that is not known
    disk_free: int | None = None  # bytes, where they would be kept

    def fits_disk(self) -> bool | None:
        """Whether the activations that are to be kept fit on the disk; None when it cannot be known."""
        if self.activations is None or self.disk_free is None:
            return None
        return self.activations <= self.disk_free

    def fits(self, on: Machine) -> bool | None:
        """Whether the memory that is free now suffices; None when it cannot be known."""
        return None if self.memory is None else self.memory <= on.memory_free


def estimate(request: TrainRequest, library: Library | None = None) -> Estimate:
    """What `request` will cost on this machine; nothing is loaded and nothing is fetched.

    - atoms of a layer: the wanted number, else as many per token as earlier runs with this model, k, selection and
      threshold took, else a tenth of the tokens (rough, rather too many); those of an initial dictionary beside;
    - memory: Python and torch, the weights in the dtype they run in, one batch of 16 windows at 12 vectors per token,
      and per layer the atoms in float64 and their Gram matrix in float32 in buffers with a quarter of spare room, one
      layer's twice (buffers grow by copying). "sampled" and "consensus" hold the atoms in float32 instead, a part
      of each layer's activations (the others are on disk), and what choosing the atoms of one layer takes; the
      activations it reads from mapped files are not counted, because the system holds what it has room for;
    - activations, where they are kept: one number per token, layer and dimension in the dtype the model runs in;
    - of a model that is streamed, three blocks' weights and one dictionary at a time; on the disk, hidden states of the
      text twice;
    - disk: atoms and mean in float32 and 250 bytes per label, twice while checkpoints are kept; "sampled" and
      "consensus" also up to 3.25 times the activations they choose from, and three times one layer's;
    - time: the rate of earlier runs on this model in the library, give or take half of it; else the forward pass
      (2 operations per parameter and token) and the pursuit (2 x atoms x (d_model + k) per token and layer, with half
      the atoms on average) at 2 to 20 billion operations per core and second, 2 to 40 trillion on a GPU.

    Raises UserError when the layers do not exist, or the threshold can add no atom.
    """
    request = request.resolved()
    notes: list[str] = []
    here = machine()
    tokens = request.config.tokens or _corpus_tokens(request.corpus)
    if tokens is None:
        notes.append("How long this corpus is is not known before it is read; give a number of tokens.")
    figures = model_figures(request.model)
    if figures is None:
        notes.append("The model is not on this machine yet; its size is known once it has been fetched.")
        n_layers = None if request.layers is None else len(request.layers)
        kept = None if request.keep_activations else 0
        return Estimate(tokens, n_layers, None, None, None, None, False, tuple(notes), kept)
    n_layers = len(existing_layers(request.layers, figures.n_layers, request.model.name))
    earlier = _earlier(request, library or Library(request.library))
    if request.config.rule.by_width and request.site in KINDS:  # what a module gives may have another width
        threshold = request.config.threshold_for(figures.d_model)
        assert threshold is not None, "this selection has one"
        notes.append(meaning(threshold, figures.d_model))
    atoms = None if tokens is None else _atoms(request, figures.d_model, tokens, earlier, notes)
    if atoms is not None and request.config.atoms is None:
        atoms += _initial_atoms(request)
    rates = [run.tokens_per_second for run in earlier if run.tokens_per_second > 0][:_RUNS_COUNTED]
    if rates:
        rate = (min(rates) / 1.5, max(rates) * 1.5)
        notes.append("The speed is that of earlier runs on this model, give or take half of it.")
    else:
        rate = _rough_rate(figures, n_layers, atoms or 0, request.config.k, here, request.model.device)
        notes.append("The speed is a rough guess: there is no earlier run on this model to go by.")
    memory = disk = None
    seconds = None if tokens is None else (tokens / rate[1], tokens / rate[0])
    if atoms is not None:
        choosing = _choosing(request.config, figures, n_layers, atoms, tokens)
        memory = _memory(request, figures, n_layers, atoms, here) + choosing.memory
        disk = _disk(figures, n_layers, atoms) + choosing.disk
        if tokens is not None and _streamed(request, figures, here):
            disk += 2 * tokens * figures.d_model * _number_bytes(request, figures, here)
            notes.append("The model is read from the disk block by block, and the text's hidden states are kept there.")
        if seconds:
            slow, fast = operations_per_second(here, request.model.device)
            seconds = (seconds[0] + choosing.operations / fast, seconds[1] + choosing.operations / slow)
    kept = 0
    if request.keep_activations:
        kept = None if tokens is None else tokens * n_layers * figures.d_model * _number_bytes(request, figures, here)
    free = disk_free(activations_folder())
    return Estimate(tokens, n_layers, memory, disk, rate, seconds, bool(rates), tuple(notes), kept, free)


def check_room(request: TrainRequest, n_sites: int, d_model: int, number_bytes: int) -> None:
    """Raises UserError when the disk cannot hold the activations that `request` is to keep.

    Of a text of unknown length nothing is said; what an earlier training kept of the same text counts as room.
    """
    from itda_core.models.activation_cache.shards import sets

    tokens = request.config.tokens or _corpus_tokens(request.corpus)
    folder = activations_folder()
    if tokens is None:
        return
    needed = tokens * n_sites * d_model * number_bytes
    free = disk_free(folder) + sum(kept.bytes for kept in sets(folder) if kept.model == request.model.name)
    if needed > free:
        raise UserError(
            f"Keeping the activations takes about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free for them in "
            f"{folder}; leave out --keep-activations, read fewer tokens or layers, or choose another folder with "
            "ITDA_HOME."
        )


def disk_free(folder: Path) -> int:
    """Bytes that are free where `folder` is, or would be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def model_figures(spec: ModelSpec) -> ModelFigures | None:
    """Read from config.json and the headers of the weights; None when the model is not on this machine.

    Raises UserError when its folder is not a model's, or is damaged.
    """
    try:
        folder = model_folder(replace(spec, offline=True)).path
    except UserError:
        if is_local(spec.name):
            raise
        return None
    config = read_json(folder / "config.json")
    if not isinstance(config, dict):
        raise UserError(f"{folder / 'config.json'} is damaged (no table); fetch it again.")
    inner = config.get("text_config")
    text: dict[str, Any] = inner if isinstance(inner, dict) else config
    n_layers = _first(text, ("num_hidden_layers", "n_layer", "n_layers", "num_layers"))
    d_model = _first(text, ("hidden_size", "n_embd", "d_model", "dim"))
    if n_layers is None or d_model is None:
        raise UserError(f"{folder / 'config.json'} names no number of layers or no width; choose another model.")
    files = weight_files(folder)
    parameters = sum(math.prod(one.shape) for one in stored_tensors(files).values())
    return ModelFigures(n_layers, d_model, parameters, sum(file.stat().st_size for file in files))


@dataclass(frozen=True)
class _EarlierRun:
    entry: LibraryEntry
    tokens: int
    tokens_per_second: float


def _earlier(request: TrainRequest, library: Library) -> list[_EarlierRun]:
    """The user's own runs on this model, newest first (bundled dictionaries were made on another machine)."""
    runs = []
    for entry in library.entries():
        if entry.bundled or entry.problem or entry.model != request.model.name:
            continue
        if entry.selection in SIZED:  # their seconds are mostly those of choosing, which is reckoned by itself
            continue
        stats = read_description(entry.path)["stats"]
        tokens, rate = stats.get("tokens"), stats.get("tokens_per_second")
        if isinstance(tokens, int) and tokens > 0 and isinstance(rate, (int, float)):
            runs.append(_EarlierRun(entry, tokens, float(rate)))
    return runs


def _atoms(request: TrainRequest, d_model: int, tokens: int, earlier: Iterable[_EarlierRun], notes: list[str]) -> int:
    config = request.config
    if config.atoms is not None:
        return min(config.atoms, tokens)
    wanted = (config.k, config.selection, config.threshold_for(d_model))
    shares = [
        run.entry.atoms / run.tokens
        for run in earlier
        if run.entry.atoms and (run.entry.k, run.entry.selection, run.entry.threshold) == wanted
    ]
    if not shares:
        notes.append("How many atoms a threshold gives is not known beforehand; a tenth of the tokens is assumed.")
    return max(1, round(tokens * (statistics.median(shares) if shares else _ATOMS_PER_TOKEN)))


def _initial_atoms(request: TrainRequest) -> int:
    """Of the largest dictionary the training begins with. Raises UserError when there is no such dictionary."""
    if not request.initial:
        return 0
    from itda_core.dictionaries.storage.dictionary_folder import read_summary

    library = Library(request.library)
    return max(read_summary(library.find(name)).atoms for name in request.initial)


def _streamed(request: TrainRequest, figures: ModelFigures, here: Machine) -> bool:
    """Whether blocks are read one by one, as far as main memory tells (loading.is_streamed counts GPUs as well)."""
    if request.model.placement != "auto":
        return request.model.placement == "stream"
    return figures.parameters * _number_bytes(request, figures, here) > SHARE * here.memory_free


def _memory(request: TrainRequest, figures: ModelFigures, n_layers: int, atoms: int, here: Machine) -> int:
    size = _number_bytes(request, figures, here)
    weights = figures.parameters * size
    if _streamed(request, figures, here):  # dictionaries grow one after the other; a block, the next, and embeddings
        n_layers, weights = 1, _BLOCKS_HELD * weights // figures.n_layers
    batch = _WINDOWS_PER_BATCH * request.config.context * figures.d_model * (_LIVE_VECTORS * size + 4 * n_layers)
    if request.config.rule.sized:  # no buffers; two copies while a checkpoint is written
        dictionaries = 2 * n_layers * atoms * figures.d_model * 4
    else:
        room = _BUFFER_ROOM * atoms
        dictionaries = (n_layers + 1) * (room * figures.d_model * 8 + room * room * 4)
    return _BASE_MEMORY + weights + batch + round(dictionaries)


class _Choosing(NamedTuple):
    """What it costs beside to choose atoms once the text is read."""

    memory: int = 0  # bytes
    disk: int = 0  # bytes
    operations: float = 0.0


def _choosing(config: TrainConfig, figures: ModelFigures, n_layers: int, atoms: int, tokens: int | None) -> _Choosing:
    """For the selections that do (SIZED). tokens: to read; None: not known, and more than enough is assumed."""
    if not config.rule.sized:
        return _Choosing()
    from itda_core.dictionaries.choosing.learning import choosing_memory, choosing_operations  # torch comes with it
    from itda_core.dictionaries.choosing.reservoir import MOST_ON_DISK, SEGMENT_BYTES, SLACK, pool_room

    row = figures.d_model * 4
    tokens = sys.maxsize if tokens is None else tokens
    held = min(tokens, pool_room(atoms))
    most = min(tokens, round((1 + SLACK) * held))
    in_memory = min(most, 2 * SEGMENT_BYTES // row)  # of each layer; being joined, they are there twice
    working = choosing_memory(atoms, held, figures.d_model, config.rule.members)
    # When segments are written anew, the old ones stay until the next checkpoint.
    on_disk = min(tokens, round((MOST_ON_DISK + 1 + SLACK) * held))
    return _Choosing(
        memory=n_layers * (in_memory * (row + _LABEL_OBJECT_BYTES) + most * _INDEX_BYTES) + working,
        disk=n_layers * on_disk * (row + _LABEL_BYTES) + 3 * held * row,
        operations=n_layers * choosing_operations(atoms, held, figures.d_model),
    )


def _number_bytes(request: TrainRequest, figures: ModelFigures, here: Machine) -> int:
    """Of one number of the model, and of an activation."""
    size = _BYTES.get(request.model.dtype)
    if size is not None:
        return size
    # "auto": float32 on a CPU, half precision stays what it is on a GPU
    on_cpu = "cpu" in (request.model.device, here.device if request.model.device == "auto" else "")
    return 4 if on_cpu else max(1, round(figures.stored_bytes / max(figures.parameters, 1)))


def _disk(figures: ModelFigures, n_layers: int, atoms: int) -> int:
    return 2 * n_layers * (atoms * (figures.d_model * 4 + _LABEL_BYTES) + figures.d_model * 4)


def _rough_rate(
    figures: ModelFigures, n_layers: int, atoms: int, k: int, here: Machine, device: str
) -> tuple[float, float]:
    """Tokens per second, slow and fast."""
    per_token = 2 * figures.parameters + n_layers * atoms * (figures.d_model + k)
    slow, fast = operations_per_second(here, device)
    return slow / per_token, fast / per_token


def operations_per_second(here: Machine, device: str) -> tuple[float, float]:
    """What matrix products reach on `device` ("auto": this machine's best), from unlucky to good."""
    on_gpu = (here.device if device == "auto" else device) != "cpu"
    slow, fast = _FLOPS_GPU if on_gpu else (flops * here.cores for flops in _FLOPS_PER_CORE)
    return slow, fast


def _corpus_tokens(reference: str) -> int | None:
    """A guess from the number of characters; None for what is streamed from the Hub or does not exist."""
    if reference == "demo":
        from itertools import islice

        from itda_core.text import Corpus
        from itda_core.text.sources.demo import PASSAGES

        sample = [len(document.text) for document in islice(Corpus.open("demo"), _DEMO_SAMPLE)]
        return round(statistics.mean(sample) * PASSAGES / _CHARACTERS_PER_TOKEN)
    path = Path(reference)
    if not path.is_file():
        path = Path(reference.rpartition("#")[0] or reference)
    return max(1, round(path.stat().st_size / _CHARACTERS_PER_TOKEN)) if path.is_file() else None


def _first(config: dict[str, Any], names: Iterable[str]) -> int | None:
    values = (config.get(name) for name in names)
    return next((value for value in values if isinstance(value, int) and value > 0), None)
