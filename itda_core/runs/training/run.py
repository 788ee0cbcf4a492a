"""One training from the request to dictionaries in the library: what the command line and a job's worker both call."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from itda_core.dictionaries.storage.description import read_description
from itda_core.dictionaries.threshold import meaning
from itda_core.errors import UserError
from itda_core.runs.costs.training import check_room
from itda_core.runs.home import activations_folder
from itda_core.runs.jobs.stopping import Interrupted
from itda_core.runs.layers import existing_layers
from itda_core.runs.library import Library
from itda_core.runs.training.checkpoint_folder import CheckpointFolder, Origin, folder_in, folder_of, is_of
from itda_core.runs.training.finished import ended, finished
from itda_core.runs.training.further import Reached
from itda_core.runs.training.naming import check_names
from itda_core.runs.training.outcome import TrainedDictionary
from itda_core.runs.training.reports import Reports, ignore, never
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.telling import Teller
from itda_core.runs.training.whole_text import expected_tokens

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary, TrainConfig, TrainProgress
    from itda_core.dictionaries.activation_source import ActivationSource
    from itda_core.models import LanguageModel, Site
    from itda_core.models.activation_cache.cached_model import KeptActivations
    from itda_core.models.streamed.harvest import LayerActivations
    from itda_core.models.streamed.skeleton import Skeleton
    from itda_core.text import Corpus

    class OpenedSource(ActivationSource, AbstractContextManager[ActivationSource], Protocol):
        """Gives activations while its block runs."""


CHECKPOINT_SECONDS = 20.0
NOTHING_FINISHED = (
    "No dictionaries in the library lead to this training: they were deleted or had other settings, or the model, "
    "its precision or the text has changed since; start a new training."
)


ENDED = "This training has ended already; its dictionaries are in the library."


class _Opened(NamedTuple):
    """The model, corpus and dictionaries that a request names, found and checked."""

    request: TrainRequest
    library: Library
    corpus: Corpus
    model: LanguageModel | Skeleton
    layers: Sequence[int]
    sites: Sequence[Site]
    initial: Sequence[AtomDictionary]
    begun_with: str | None  # the fingerprint of `initial`
    origin: Origin


def run(
    request: TrainRequest,
    *,
    resume: bool = False,
    further: bool = False,
    work: Path | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    on_step: Callable[[str], None] = ignore,
    on_progress: Callable[[TrainProgress], None] = ignore,
    on_note: Callable[[str], None] = ignore,
    should_stop: Callable[[], bool] = never,
    source_of: Callable[[LanguageModel, Corpus], OpenedSource] | None = None,
) -> tuple[TrainedDictionary, ...]:
    """Train what `request` asks for and save one dictionary per layer into its library.

    - `resume`: continue the unfinished run of this request, or one with less tokens, fewer atoms or a higher threshold,
      see dictionaries.train; where there is none, the newest finished run of that kind whose dictionaries are in the
      library (they stay as they are, new ones are added; those of this very request are returned as they are); where
      there is none either, begin;
    - `further`: where `work` holds nothing unfinished, go on from a finished run as `resume` does without `work`, but
      never begin: where nothing leads to this training, that is an error;
    - `work`: where checkpoints are kept (None: in the user's checkpoints folder, one per request); removed at the end;
    - `checkpoint_seconds`: how often the state is saved, besides at an interruption;
    - `on_step`: "loading the model", "training" or "saving", as each begins;
    - `request.keep_activations`: what the model gives is written to the user's activations folder. Activations kept
      there by an earlier training on the same text are read in any case, which changes no result: to the bit where they
      were kept on this processor with as many threads, else as another processor's rounding would;
    - a model that fits into no memory, or is to be streamed (`request.model.placement`), is read from the disk block
      by block, see models.streamed; its layers are trained one after the other, each saved at once;
    - `should_stop`: asked after each forward batch; True makes the training save its state and raise Interrupted;
    - `source_of`: gives the activations in the model's stead (None: the model itself, or what was kept of it).

    Raises UserError for whatever in the request cannot be done, before any long work begins.
    """
    began, reports = time.monotonic(), Reports(on_step, on_progress, on_note, should_stop)
    opened = _open(request.resolved(), reports, may_stream=source_of is None)
    request, library, origin = opened.request, opened.library, opened.origin
    locked = folder_of(request, resume=resume, on_note=on_note) if work is None else folder_in(work, resume=resume)
    with locked as checkpoints:
        extend: tuple[AtomDictionary, ...] = ()
        if not checkpoints.begun:
            if made := _made_already(library, checkpoints, opened.sites, request.config, origin):
                on_note(ENDED)
                return made
            if further or (resume and work is None):
                extend = _extended(opened, further=further)
                if extend and ended(extend, request.config):
                    on_note(ENDED)
                    return tuple(TrainedDictionary.of(one, one.path) for one in extend if one.path is not None)
                on_note(_beginning(extend))
        on_step("training")
        how = {"resume": resume, "checkpoint_seconds": checkpoint_seconds}
        teller, loading = _teller(opened, reports), time.monotonic() - began
        with closing(_trainings(opened, checkpoints, extend, reports, teller, source_of, **how)) as trainings:
            for training in trainings:
                for dictionary in _each_to_save(training, teller, should_stop, loading):
                    save_all([dictionary], library, checkpoints, request, origin)
        results = save_all((), library, checkpoints, request, origin)
        checkpoints.remove()
    return results


def _open(request: TrainRequest, reports: Reports, *, may_stream: bool) -> _Opened:
    """Raises UserError for whatever in the request cannot be done, before anything is written."""
    from itda_core.models.folder.model_folder import model_folder
    from itda_core.text import Corpus

    library = Library(request.library)
    library.check_writable()
    reports.on_step("opening the corpus")
    corpus = Corpus.open(request.corpus)
    reports.on_step("loading the model")
    model_folder(request.model)  # a missing one is reported before torch is loaded, which takes seconds

    from itda_core.dictionaries import AtomDictionary
    from itda_core.dictionaries.checkpoints.initial import fingerprint, placed
    from itda_core.models.loading import is_streamed, load_model, load_skeleton

    spec, config = request.model, request.config
    model = load_skeleton(spec) if may_stream and is_streamed(spec) else load_model(spec, head=False)
    for note in model.notes:
        reports.on_note(note)
    layers = existing_layers(request.layers, model.n_layers, model.name)
    sites = [model.site(request.site, layer) for layer in layers]
    if config.rule.by_width and all(site.module is None for site in sites):
        threshold = config.threshold_for(model.d_model)
        assert threshold is not None, "this selection has one"
        reports.on_note(meaning(threshold, model.d_model))
    config.check_context(model.name, model.context)
    if all(site.module is None for site in sites):  # what a module gives may be narrower or wider
        config.check_width(model.d_model)
    initial = [AtomDictionary.load(library.find(name)) for name in request.initial]
    begun_with = fingerprint(placed(initial, sites, model, corpus, config))
    if request.keep_activations:
        check_room(request, len(sites), model.d_model, model.dtype.itemsize)
    origin = Origin(model.fingerprint, model.tokenizer_fingerprint, corpus.fingerprint)
    return _Opened(request, library, corpus, model, layers, sites, initial, begun_with, origin)


def _extended(opened: _Opened, *, further: bool) -> tuple[AtomDictionary, ...]:
    """The finished dictionaries that the training goes on from; none where there are none, if it may begin anew."""
    config = opened.request.config
    found = finished(opened.library, opened.model, opened.corpus, opened.sites, config, opened.begun_with)
    if further and not found:
        raise UserError(NOTHING_FINISHED)
    if found and config.rule.extends and not ended(found, config):
        Reached.of(found).check_full(config)
    return found


def _trainings(
    opened: _Opened,
    checkpoints: CheckpointFolder,
    extend: Sequence[AtomDictionary],
    reports: Reports,
    teller: Teller,
    source_of: Callable[[LanguageModel, Corpus], OpenedSource] | None,
    *,
    resume: bool,
    checkpoint_seconds: float,
) -> Generator[Generator[TrainProgress]]:
    """The trainings that give all dictionaries: one of all layers, or one after the other where blocks are streamed."""
    from itda_core.models.activation_cache.cached_model import KeptActivations
    from itda_core.models.streamed.skeleton import Skeleton
    from itda_core.runs.training.streamed_run import train_streamed

    request, model, corpus = opened.request, opened.model, opened.corpus
    if not (checkpoints.begun or extend):  # what goes on may find its own earlier dictionaries of that name
        check_names(request, opened.library, [site.layer for site in opened.sites])

    def keeping(source: LanguageModel | LayerActivations) -> KeptActivations:
        return KeptActivations(
            source,
            corpus,
            activations_folder(),
            context=request.config.context,
            windows=request.config.windows,
            keep=request.keep_activations,
            on_note=reports.on_note,
        )

    if isinstance(model, Skeleton):
        saved = checkpoints.saved_sites(request.config, opened.origin)
        return train_streamed(
            model,
            corpus,
            request,
            opened.sites,
            checkpoints.streamed,
            done=[site for site in opened.sites if (site.module or site.kind, site.layer) in saved],
            extend=extend,
            initial=opened.initial,
            resume=resume,
            checkpoint_seconds=checkpoint_seconds,
            keeping=keeping if request.keep_activations else nullcontext,
            reports=reports,
            teller=teller,
        )
    source = keeping(model) if source_of is None else source_of(model, corpus)
    going_on = resume and checkpoints.begun
    return _in_memory(source, opened, checkpoints.state, extend, teller, resume=going_on, seconds=checkpoint_seconds)


def _in_memory(
    source: OpenedSource,
    opened: _Opened,
    state: Path,
    extend: Sequence[AtomDictionary],
    teller: Teller,
    *,
    resume: bool,
    seconds: float,
) -> Generator[Generator[TrainProgress]]:
    """The one training of all layers that a model in memory gives."""
    from itda_core.dictionaries.growing.training import train_and_tell

    with source:
        yield train_and_tell(
            source,
            opened.corpus,
            opened.layers,
            opened.request.config,
            teller.tell_or_stop,
            site=opened.request.site,
            work=state,
            checkpoint_seconds=seconds,
            resume=resume,
            extend=extend,
            initial=opened.initial,
        )


def _beginning(extend: Sequence[AtomDictionary]) -> str:
    if not extend:
        return "There is no unfinished run of this training; it starts from the beginning."
    names = ", ".join(one.path.name for one in extend if one.path is not None)
    return f"Going on from {names}, {extend[0].stats['stream']['tokens']:,} tokens into the training."


def _teller(opened: _Opened, reports: Reports) -> Teller:
    """Who tells how far this training is."""
    from itda_core.models.streamed.skeleton import Skeleton

    model, n_sites = opened.model, len(opened.sites)
    n_together = 1 if isinstance(model, Skeleton) else n_sites
    request = opened.request
    expected = expected_tokens(request.corpus, opened.corpus, model.tokenizer, request.config)
    return Teller(reports, request.config, n_together, model.d_model, model.device.type, expected)


def _follow(
    events: Generator[TrainProgress], on_progress: Callable[[TrainProgress], None], should_stop: Callable[[], bool]
) -> tuple[AtomDictionary, ...]:
    """Follow a training to its dictionaries. Raises Interrupted, after its state is saved, when it should stop."""
    with closing(events):  # a training that is closed early saves its state
        for progress in events:
            on_progress(progress)
            if progress.done:
                return progress.dictionaries
            if should_stop():
                break
        else:
            raise AssertionError("a training ends with its dictionaries")
    raise Interrupted(progress.tokens, progress.total)


def _each_to_save(
    training: Generator[TrainProgress], teller: Teller, should_stop: Callable[[], bool], loading: float
) -> Iterator[AtomDictionary]:
    """The dictionaries at the end of a training, one after the other; loading: seconds that their own do not have."""
    dictionaries = _follow(training, teller.tell, should_stop)
    for dictionary in dictionaries:
        dictionary.stats["reading"]["loading"] = loading
    teller.reports.on_step("saving")
    return teller.each_saved(dictionaries)


def save_all(
    dictionaries: Sequence[AtomDictionary],
    library: Library,
    own: CheckpointFolder,
    request: TrainRequest,
    origin: Origin,
) -> tuple[TrainedDictionary, ...]:
    """Save into the library, each once, even when the disk was full, or the process killed, in the middle of an
    earlier attempt; own, request, origin: of the training.
    """
    config = request.config
    saved: list[dict[str, Any]] = own.saved(config, origin)
    put = _put_by(library, own, config, origin) if dictionaries else {}
    for dictionary in dictionaries:
        site = (dictionary.spec.site, dictionary.spec.layer)
        if site not in {(done["site"], done["layer"]) for done in saved}:
            earlier = put.get(site)  # a kill came between its rename and the record of it
            name = request.name_of(dictionary.spec.layer)
            path = library.add(dictionary, name=name, run=own.run) if earlier is None else earlier
            saved.append(asdict(TrainedDictionary.of(dictionary, path)))
            own.record_saved(saved)
    return tuple(TrainedDictionary(**result) for result in saved)


def _put_by(library: Library, own: CheckpointFolder, config: TrainConfig, origin: Origin) -> dict[Any, Path]:
    """What earlier sessions of this run have put into the library, by site and layer."""
    found: dict[tuple[str, int | None], Path] = {}
    if own.resumed:
        for folder in library.folders():
            if is_of(folder, config, origin, own.run):
                spec = read_description(folder)["spec"]
                found[spec["site"], spec["layer"]] = folder
    return found


def _made_already(
    library: Library, checkpoints: CheckpointFolder, sites: Sequence[Site], config: TrainConfig, origin: Origin
) -> tuple[TrainedDictionary, ...]:
    """What this run ended with, if a kill came after its checkpoints were removed; empty where it has not ended."""
    from itda_core.dictionaries import AtomDictionary

    put = _put_by(library, checkpoints, config, origin)
    paths = [put.get((site.module or site.kind, site.layer)) for site in sites]
    if None in paths:
        return ()
    return tuple(TrainedDictionary.of(AtomDictionary.load(path), path) for path in paths if path is not None)
