"""What a training will cost, before it starts."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from itda_core.dictionaries.config import SIZED, TrainConfig
from itda_core.dictionaries.growing.predicted_size import Grown, atoms_after
from itda_core.dictionaries.storage.description import read_description
from itda_core.dictionaries.threshold import meaning
from itda_core.errors import UserError
from itda_core.models.placement import SHARE
from itda_core.models.sites import KINDS
from itda_core.runs.costs import counted
from itda_core.runs.costs.choosing import LABEL_BYTES, choosing_cost
from itda_core.runs.costs.counted import Amount
from itda_core.runs.costs.machines import operations_per_second
from itda_core.runs.costs.model_figures import ModelFigures, model_figures
from itda_core.runs.costs.model_shape import BYTES
from itda_core.runs.home import activations_folder
from itda_core.runs.layers import existing_layers
from itda_core.runs.library import Library, LibraryEntry
from itda_core.runs.machine import Machine, machine
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.units import duration, size
from itda_core.text.sources.files import path_and_column

_CHARACTERS_PER_TOKEN = 4.0
_DEMO_SAMPLE = 200  # passages read to guess the bundled corpus's length
_RUNS_COUNTED = 5
_TELLING_TOKENS, _TELLING_SECONDS = 5000, 3.0  # a shorter run took as long as its preparation did, not as its text
_SPREAD = 1.5  # how many times as fast, or as slow, a run may be as those before it
_BLOCKS_HELD = 3  # of a streamed model at once: two blocks, and embeddings that are rarely larger than one


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
    library_free: int | None = None  # bytes, where the dictionaries would be
    assumed: bool = False  # whether the number of atoms, and with it memory and disk, is not known but assumed
    once: tuple[float, float] = (0.0, 0.0)  # of `seconds`, least and most: what is done once, however long the text

    def fits_disk(self) -> bool | None:
        """Whether the activations that are to be kept fit on the disk; None when it cannot be known."""
        if self.activations is None or self.disk_free is None:
            return None
        return self.activations <= self.disk_free

    def check_disk(self) -> None:
        """Raises UserError when the activations that are to be kept do not fit on the disk."""
        if self.fits_disk() is False:
            raise no_room(self.activations or 0, self.disk_free or 0)

    def fits_library(self) -> bool | None:
        """Whether the dictionaries and their checkpoints fit on the disk; None when it cannot be known."""
        if self.disk is None or self.library_free is None:
            return None
        return self.disk <= self.library_free

    def fits(self, on: Machine) -> bool | None:
        """Whether the memory that is free now suffices; None when it cannot be known."""
        return None if self.memory is None else self.memory <= on.memory_free


def estimate(request: TrainRequest, library: Library | None = None) -> Estimate:
    """What `request` will cost on this machine; nothing is loaded and nothing is fetched.

    - atoms of a layer: the wanted number, else what earlier runs with this model, site, pursuit, k, selection and
      threshold tell, best of the same layers, else a tenth of the tokens (usually too many); an initial dictionary's
      atoms are added;
    - memory: Python and torch, the weights in the dtype they run in, one forward batch, and per layer a growing
      dictionary, one layer's twice (buffers grow by copying), as in `counted`. "sampled" and "consensus" hold the atoms
      in float32 instead, a part of each layer's activations (the others are on disk), and what choosing the atoms of
      one layer takes; the activations it reads from mapped files are not counted, because the system holds what it has
      room for;
    - activations, where they are kept: one number per token, layer and dimension in the dtype the model runs in;
    - a streamed model takes three blocks' weights and one dictionary at a time in memory, and the text's hidden states
      twice on the disk;
    - disk: atoms and mean in float32 and 250 bytes per label, twice while checkpoints are kept; "sampled" and
      "consensus" also up to 3.25 times the activations they choose from, and three times one layer's;
    - time: the rate of earlier runs on this model in the library, with this pursuit, selection and k, that took long
      enough to tell one: ±50%, or wider where they differ by more, which is said, and what they took once; else the
      operations of the forward pass and of the pursuits, as in `counted`, at `machines.operations_per_second`.

    Raises UserError when the layers do not exist, or the threshold can add no atom.
    """
    request = request.resolved()
    notes: list[str] = []
    tokens = request.config.tokens or _corpus_tokens(request.corpus)
    if tokens is None:
        notes.append("The length of this corpus is unknown until it is read; give a number of tokens.")
    figures = model_figures(request.model)
    if figures is None:
        notes.append("The model is not on this machine yet; its size is known once it has been fetched.")
        n_layers = None if request.layers is None else len(request.layers)
        kept = None if request.keep_activations else 0
        return Estimate(tokens, n_layers, None, None, None, None, False, tuple(notes), kept)
    n_layers = len(existing_layers(request.layers, figures.n_layers, request.model.name))
    library = library or Library(request.library)
    earlier = _earlier(request, library)
    if request.config.rule.by_width and request.site in KINDS:  # a module's output may have another width
        threshold = request.config.threshold_for(figures.d_model)
        assert threshold is not None, "this selection has one"
        notes.append(meaning(threshold, figures.d_model))
    run = _Run(request, figures, n_layers, machine())
    atoms = 0 if tokens is None else _atoms(request, figures.d_model, tokens, earlier, notes)
    rate = run.rate(atoms, earlier, notes)
    measured, free = bool(_rates(request, earlier)), disk_free(activations_folder())
    room = disk_free(library.folder)
    assumed = request.config.atoms is None and not _grown_alike(request, figures.d_model, earlier)
    if tokens is None:
        kept = None if request.keep_activations else 0
        return Estimate(None, n_layers, None, None, rate, None, measured, tuple(notes), kept, free)
    choosing = choosing_cost(request.config, figures.d_model, n_layers, atoms, tokens)
    memory, disk = run.memory(atoms, tokens) + choosing.memory, run.disk(atoms) + choosing.disk
    if run.is_streamed:
        disk += 2 * tokens * figures.d_model * run.number_bytes
        notes.append("The model is read from the disk block by block, and the text's hidden states are kept there.")
    slow, fast = operations_per_second(run.here, request.model.device)
    once, chosen = _once(request, earlier, notes), (choosing.operations / fast, choosing.operations / slow)
    seconds = once[0] + chosen[0] + tokens / rate[1], once[1] + chosen[1] + tokens / rate[0]
    kept = tokens * n_layers * figures.d_model * run.number_bytes if request.keep_activations else 0
    known = memory, disk, rate, seconds, measured
    return Estimate(tokens, n_layers, *known, tuple(notes), kept, free, room, assumed, once)


def check_room(request: TrainRequest, n_sites: int, d_model: int, number_bytes: int) -> None:
    """Raises UserError when the disk cannot hold the activations that `request` is to keep.

    A text of unknown length is not checked; what an earlier training kept of the same text counts as free.
    """
    from itda_core.models.activation_cache.shards import sets

    tokens = request.config.tokens or _corpus_tokens(request.corpus)
    folder = activations_folder()
    if tokens is None:
        return
    needed = tokens * n_sites * d_model * number_bytes
    free = disk_free(folder) + sum(kept.bytes for kept in sets(folder) if kept.model == request.model.name)
    if needed > free:
        raise no_room(needed, free)


def no_room(needed: int, free: int) -> UserError:
    """What is said where the disk does not hold the activations that are to be kept; both in bytes."""
    return UserError(
        f"Keeping the activations takes about {size(needed)}, and {size(free)} are free for them in "
        f"{activations_folder()}; do not keep them, read fewer tokens or layers, or choose another folder with "
        "ITDA_HOME.",
        field="keep_activations",
    )


def disk_free(folder: Path) -> int:
    """Bytes that are free where `folder` is, or would be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class _EarlierRun:
    entry: LibraryEntry
    tokens: int
    timed: int  # tokens, behind what is done once where that was told apart
    seconds: float  # that these took
    tokens_per_second: float
    config: TrainConfig
    begun_empty: bool  # whether it had no atoms to begin with
    once: float  # seconds of what is done once: loading, the first tokens' mean, compiling, measuring; as far as known


def _earlier(request: TrainRequest, library: Library) -> list[_EarlierRun]:
    """The user's own runs on this model, newest first (bundled dictionaries were made on another machine)."""
    runs = []
    for entry in library.entries():
        if entry.bundled or entry.problem or entry.model != request.model.name:
            continue
        if entry.selection in SIZED:  # their seconds are mostly those of choosing, which is estimated separately
            continue
        description = read_description(entry.path)
        try:
            config = TrainConfig.from_dict({"sinks": None, **description["config"]})
        except UserError:  # of settings that this version does not have
            continue
        stats = description["stats"]
        tokens, seconds, rate = (stats.get(name) for name in ("tokens", "seconds", "tokens_per_second"))
        if isinstance(tokens, int) and tokens > 0 and isinstance(rate, (int, float)):
            timed, took = tokens, float(seconds) if isinstance(seconds, (int, float)) else 0.0
            once, in_all = 0.0, took
            if (reading := stats.get("reading")) is not None:  # which earlier versions did not tell apart
                timed, took = reading["tokens"], float(reading["seconds"])
                rate = timed / took if took > 0 else 0.0
                prepared = in_all - tokens / rate if rate > 0 else 0.0
                once = max(0.0, prepared) + reading.get("loading", 0.0) + reading.get("measuring", 0.0)
            runs.append(_EarlierRun(entry, tokens, timed, took, float(rate), config, "initial" not in stats, once))
    return runs


def _telling(request: TrainRequest, earlier: Iterable[_EarlierRun]) -> list[_EarlierRun]:
    """The last few runs that tell how fast one like `request` reads; each once, however many dictionaries it made."""
    config = request.config
    wanted = (config.method, config.selection, config.k)
    telling: dict[tuple[float, float], _EarlierRun] = {}
    for run in earlier:
        alike = (run.entry.method, run.entry.selection, run.entry.k) == wanted
        if alike and run.timed >= _TELLING_TOKENS and run.seconds >= _TELLING_SECONDS and run.tokens_per_second > 0:
            telling.setdefault((run.seconds, run.tokens_per_second), run)
    return list(telling.values())[:_RUNS_COUNTED]


def _rates(request: TrainRequest, earlier: Iterable[_EarlierRun]) -> list[float]:
    """Tokens per second of those runs."""
    return [run.tokens_per_second for run in _telling(request, earlier)]


def _once(request: TrainRequest, earlier: Iterable[_EarlierRun], notes: list[str]) -> tuple[float, float]:
    """Seconds that those runs took for what is done once, least and most; adds to `notes` that these are counted."""
    known = [run.once for run in _telling(request, earlier) if run.once > 0]
    if not known:
        return 0.0, 0.0
    least, most = min(known), max(known)
    words = " to ".join(dict.fromkeys((duration(least), duration(most))))
    notes.append(
        f"The time has {words} for what is done once, as those runs took: loading the model, compiling, looking ahead, "
        "measuring."
    )
    return least, most


def _grown_alike(request: TrainRequest, d_model: int, earlier: Iterable[_EarlierRun]) -> dict[int | None, list[Grown]]:
    """Tokens and atoms, ascending, by layer, of the runs that tell how many atoms one like `request` takes in: those of
    its own layers, where there are any, else those of others.
    """
    wanted = _grows_by(request.config, d_model)
    found: dict[int | None, list[Grown]] = {}
    for run in earlier:
        alike = run.entry.site == request.site and _grows_by(run.config, d_model) == wanted
        if run.begun_empty and run.entry.atoms and alike:
            found.setdefault(run.entry.layer, []).append(Grown(run.tokens, run.entry.atoms))
    asked = set(found) if request.layers is None else set(found) & set(request.layers)
    return {layer: sorted(found[layer]) for layer in asked or found}


def _grows_by(config: TrainConfig, d_model: int) -> tuple[object, ...]:
    """What decides, beside the model and the text, how many atoms come of so many tokens."""
    return config.k, config.method, config.selection, config.threshold_for(d_model), config.centre


def _atoms(request: TrainRequest, d_model: int, tokens: int, earlier: Iterable[_EarlierRun], notes: list[str]) -> int:
    """Atoms of a layer, including those it begins with. Raises UserError when there is no such initial dictionary."""
    config = request.config
    if config.atoms is not None:
        return min(config.atoms, tokens)
    if grown := _grown_alike(request, d_model, earlier):
        found = max(1, round(statistics.mean(atoms_after(tokens, layer) for layer in grown.values())))
        most = max(layer[-1].tokens for layer in grown.values())
        bound = "; a longer text gives fewer per token, so these are upper bounds" if tokens > most else ""
        notes.append(
            f"Memory and disk are those of about {found:,} atoms a layer, going by earlier runs of up to {most:,} "
            f"tokens{bound}."
        )
    else:
        found = max(1, round(tokens * counted.ATOMS_PER_TOKEN))
        notes.append(
            "No earlier run tells how many atoms there will be. Memory and disk are upper bounds for most texts: they "
            "assume one atom per ten tokens, and a long text gives far fewer."
        )
    if request.initial:
        from itda_core.dictionaries.storage.dictionary_folder import read_summary

        library = Library(request.library)
        found += max(read_summary(library.find(name)).atoms for name in request.initial)
    return found


@dataclass(frozen=True)
class _Run:
    """A training of a model that is on this machine."""

    request: TrainRequest
    figures: ModelFigures
    n_layers: int  # that are wanted
    here: Machine

    @property
    def number_bytes(self) -> int:
        """Bytes of one number of the model, and of an activation."""
        model, figures = self.request.model, self.figures
        if model.dtype in BYTES:
            return BYTES[model.dtype]
        # "auto": float32 on a CPU, half precision stays what it is on a GPU
        on_cpu = "cpu" in (model.device, self.here.device if model.device == "auto" else "")
        return 4 if on_cpu else max(1, round(figures.stored_bytes / max(figures.parameters, 1)))

    @property
    def is_streamed(self) -> bool:
        """Whether blocks are read one by one, judged by main memory alone (loading.is_streamed counts GPUs as well)."""
        if self.request.model.placement != "auto":
            return self.request.model.placement == "stream"
        return self.figures.parameters * self.number_bytes > SHARE * self.here.memory_free

    def memory(self, atoms: int, tokens: int) -> int:
        """Bytes at the highest."""
        config, d_model, layers = self.request.config, self.figures.d_model, self.n_layers
        weights = self.figures.parameters * self.number_bytes
        if self.is_streamed:  # dictionaries grow one after the other; a block, the next, and embeddings
            layers, weights = 1, _BLOCKS_HELD * weights // self.figures.n_layers
        amount = Amount(tokens, config.context, self.figures.n_layers - 1, layers, atoms, config.k)
        batch = counted.batch_bytes(d_model, amount, self.number_bytes)
        batch += counted.captured_bytes(d_model, amount, layers)
        if config.rule.sized:  # no buffers; two copies while a checkpoint is written
            dictionaries = 2 * layers * atoms * d_model * 4
        else:
            dictionaries = counted.dictionary_bytes(d_model, amount, layers + 1)
        return counted.BASE_MEMORY + weights + batch + dictionaries

    def disk(self, atoms: int) -> int:
        """Bytes of the dictionaries, and of as much again in checkpoints."""
        d_model = self.figures.d_model
        return 2 * self.n_layers * (atoms * (d_model * 4 + LABEL_BYTES) + d_model * 4)

    def rate(self, atoms: int, earlier: Iterable[_EarlierRun], notes: list[str]) -> tuple[float, float]:
        """Tokens per second, slow and fast; adds to `notes` where that comes from."""
        if rates := _rates(self.request, earlier):
            middle, slowest, fastest = statistics.median(rates), min(rates), max(rates)
            if middle / _SPREAD <= slowest and fastest <= middle * _SPREAD:
                notes.append("Based on earlier runs (±50%).")
                return middle / _SPREAD, middle * _SPREAD
            notes.append(
                f"Based on {len(rates)} earlier runs that differ by more than ±50%: they read {slowest:,.0f} to "
                f"{fastest:,.0f} tokens per second."
            )
            return slowest / _SPREAD, fastest * _SPREAD
        notes.append(
            "The speed is a rough guess, because no earlier run of this model, pursuit and number of atoms per token "
            "was long enough to tell it. Loading the model and what else is done once come on top."
        )
        pursuits = self.n_layers * counted.pursuit_per_token(atoms, self.figures.d_model, self.request.config.k)
        per_token = counted.forward_per_token(self.figures.parameters) + pursuits // 2  # half the atoms on average
        slow, fast = operations_per_second(self.here, self.request.model.device)
        return slow / per_token, fast / per_token


def most_tokens(reference: str) -> int | None:
    """A number that the tokens of a corpus are certainly below, because each takes a byte at least.

    None where none is known: of what is streamed, and of files that are packed.
    """
    guessed = _corpus_tokens(reference)
    file, _ = path_and_column(reference)
    if guessed is None or file.suffix.lower() == ".parquet":
        return None
    return guessed * round(_CHARACTERS_PER_TOKEN) + 1


def _corpus_tokens(reference: str) -> int | None:
    """A guess from the number of characters; None for what is streamed from the Hub or does not exist."""
    if reference == "demo":
        from itertools import islice

        from itda_core.text import Corpus
        from itda_core.text.sources.demo import PASSAGES

        sample = [len(document.text) for document in islice(Corpus.open("demo"), _DEMO_SAMPLE)]
        return round(statistics.mean(sample) * PASSAGES / _CHARACTERS_PER_TOKEN)
    path, _ = path_and_column(reference)
    return max(1, round(path.stat().st_size / _CHARACTERS_PER_TOKEN)) if path.is_file() else None
