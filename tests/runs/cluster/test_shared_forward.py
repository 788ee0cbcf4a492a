"""Forward passes shared by several workers, played by threads around a real exchange."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from itda_core.dictionaries import TrainConfig
from itda_core.models import ModelSpec
from itda_core.models.activations import ActivationBatch
from itda_core.runs import TrainRequest
from itda_core.runs.cluster.exchange import Exchange
from itda_core.runs.cluster.shared_forward import Share, SharedForward
from itda_core.text import Corpus
from itda_core.text.windows import windows as windows_of
from tests.runs.workers import PATIENCE

if TYPE_CHECKING:
    from itda_core.models import LanguageModel

GROUPS = ((0, 1), (3,))


class Lost(Exception):
    """What the threads' Ray raises for what has gone with its owner."""


class Remote:
    """An actor's handle: `handle.method.remote(...)` runs the method in the loop of `target`."""

    def __init__(self, target: Exchange, loop: asyncio.AbstractEventLoop) -> None:
        self._target, self._loop = target, loop

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        return SimpleNamespace(remote=lambda *given: asyncio.run_coroutine_threadsafe(method(*given), self._loop))


class Threads:
    """As much of Ray as SharedForward uses; every `loses`-th reference is lost when it is asked for."""

    exceptions = SimpleNamespace(RayError=Lost)

    def __init__(self, loses: int | None) -> None:
        self._loses, self._puts = loses, 0

    def put(self, value: Any) -> Future[Any]:
        self._puts += 1
        reference: Future[Any] = Future()
        if self._loses and self._puts % self._loses == 0:
            reference.set_exception(Lost())
        else:
            for array in value:
                array.flags.writeable = False  # as what Ray hands out
            reference.set_result(value)
        return reference

    def get(self, references: Any) -> Any:
        if isinstance(references, list):
            return [reference.result() for reference in references]
        return references.result()


class Counted:
    """A model of which each forward batch is counted."""

    def __init__(self, model: LanguageModel, batches: list[tuple[int, ...]]) -> None:
        self._model, self._batches = model, batches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def stream(self, windows: Any, sites: Any, **options: Any) -> Iterator[ActivationBatch]:
        self._batches.append(tuple(token for window in windows for token in window.token_ids))
        with self._model.lock:
            yield from list(self._model.stream(windows, sites, **options))


@contextmanager
def loop_of_its_own() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


@pytest.mark.parametrize(("helpers", "loses"), [(0, None), (1, None), (1, 3)])
def test_activations_are_the_models_and_each_batch_is_computed_once(
    tiny_model: LanguageModel,
    corpus_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    helpers: int,
    loses: int | None,
) -> None:
    ray = Threads(loses)
    monkeypatch.setattr("itda_core.runs.cluster.shared_forward.ray_module", lambda: ray)
    corpus = Corpus.open(str(corpus_file))
    request = TrainRequest(ModelSpec(tiny_model.name), (0, 1, 3), str(corpus_file), TrainConfig(context=32))
    batches: list[tuple[int, ...]] = []
    model: Any = Counted(tiny_model, batches)

    with loop_of_its_own() as loop:
        exchange = Remote(Exchange(ahead=6), loop)
        exchange.join.remote([0, 1]).result()
        done = threading.Event()

        def source(who: str, member: int | None) -> SharedForward:
            return SharedForward(model, corpus, request, Share(exchange, who, GROUPS, member, 6))

        def read(member: int) -> list[ActivationBatch]:
            sites = [tiny_model.site("resid_post", layer) for layer in GROUPS[member]]
            with source(f"w{member}", member) as opened:
                windows = windows_of(corpus, tiny_model.tokenizer, context=32)
                return list(opened.stream(windows, sites, windows_per_batch=16))

        def help_out(number: int) -> None:
            with source(f"h{number}", None) as opened:
                opened.compute_for_others(done.is_set)

        with ThreadPoolExecutor(4) as pool:
            helping = [pool.submit(help_out, number) for number in range(helpers)]
            reading = [pool.submit(read, member) for member in (0, 1)]
            found = [future.result(timeout=PATIENCE) for future in reading]
            done.set()
            for future in helping:
                future.result(timeout=PATIENCE)

    whole = list(windows_of(corpus, tiny_model.tokenizer, context=32))
    for group, given in zip(GROUPS, found, strict=True):
        sites = [tiny_model.site("resid_post", layer) for layer in group]
        wanted = list(tiny_model.stream(whole, sites, windows_per_batch=16))
        assert [batch.windows for batch in given] == [batch.windows for batch in wanted]
        for one, two in zip(given, wanted, strict=True):
            assert one.tokens == two.tokens
            # To the bit: the same windows at once, in threads of one process.
            assert all(torch.equal(one.activations[site], two.activations[site]) for site in sites)
    if loses is None:
        assert len(wanted) > 5
        assert len(batches) == len(set(batches)) == len(wanted)
    else:
        assert len(batches) > len(wanted), "lost ones are computed again"
