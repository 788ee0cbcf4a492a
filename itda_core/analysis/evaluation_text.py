"""Which text dictionaries may be measured on: what they were built from is known, and is left out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from itda_core.errors import UserError

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary
    from itda_core.models import LanguageModel
    from itda_core.text import Corpus, Window

Held = Literal["held-out", "training", "other corpus"]
_SECONDS_BETWEEN_COUNTS = 0.2


class EvaluationText(NamedTuple):
    """Windows to measure some dictionaries of one model on."""

    windows: Iterator[Window]  # those with a token of text, to the end of the corpus
    held: tuple[Held, ...]  # per dictionary: what this text is to it
    note: str | None  # a sentence about text that was left out, or could not be


class _Built(NamedTuple):
    """How much of a corpus a dictionary was built from: at least so many windows, and at least so many tokens."""

    windows: float
    tokens: float

    @classmethod
    def of(cls, dictionary: AtomDictionary) -> _Built:
        from itda_core.dictionaries.growing.stream_statistics import MEAN_TOKENS

        stats, config = dictionary.stats, dictionary.config
        windows, tokens = stats.get("windows"), stats.get("tokens")
        if not isinstance(windows, int):  # it records tokens alone, or nothing: then no part is safe
            return cls(0, tokens if isinstance(tokens, int) else float("inf"))
        # The mean of a dictionary that was full early comes from further on.
        return cls(windows, min(MEAN_TOKENS, config.tokens or MEAN_TOKENS) if config.centre else 0)


def evaluation_text(
    model: LanguageModel, dictionaries: Sequence[AtomDictionary], corpus: Corpus, tokens: int
) -> Iterator[int | EvaluationText]:
    """Finds the part of `corpus` to measure `dictionaries` on, the same for all; `tokens`: how many will be wanted.

    Yields how many tokens have been passed over, a few times a second, and the text in the end.

    The windows are as long as those that the dictionaries have read (config.context, config.windows). If some were
    built from this corpus (same fingerprint), the windows that any of them read are left out; where too few tokens
    remain, they are taken all the same, and the note says so. Raises UserError for a corpus without a token of text.
    """
    from itda_core.dictionaries.growing.held_out import FEWEST_TOKENS
    from itda_core.text import windows

    config = dictionaries[0].config

    def cut() -> Iterator[Window]:
        which = cast("Literal['all', 'first']", config.windows)
        return windows(corpus, model.tokenizer, context=config.context, which=which)

    here = [dictionary.spec.corpus_fingerprint == corpus.fingerprint for dictionary in dictionaries]
    built = [_Built.of(dictionary) for dictionary, same in zip(dictionaries, here, strict=True) if same]
    remaining = cut()
    n_windows = n_tokens = 0
    for passed in _passed_over(remaining, built):
        n_windows, n_tokens = passed
        yield n_tokens
    enough = min(tokens, FEWEST_TOKENS) if built else 1
    behind, n_behind = _look_ahead(_with_text(remaining), enough)
    if n_behind >= enough:
        note = (
            f"Held-out text: {corpus.id} after its first {n_windows:,} windows ({n_tokens:,} tokens), which were "
            f"left out: {'the dictionary was' if len(dictionaries) == 1 else 'dictionaries were'} built from them."
        )
        yield EvaluationText(
            behind, tuple("held-out" if same else "other corpus" for same in here), note if built else None
        )
        return
    if not n_behind and not n_tokens:
        raise UserError(f"Corpus {corpus.id} gave no token of text to {model.name}; choose one with more text.")
    note = (
        f"{corpus.id} has only {n_behind:,} tokens behind the text that was built from: the figures are for training "
        "text, and too good. Name another corpus for held-out text."
    )
    yield EvaluationText(_with_text(cut()), tuple("training" if same else "other corpus" for same in here), note)


def _passed_over(remaining: Iterator[Window], built: Sequence[_Built]) -> Iterator[tuple[int, int]]:
    """Skips what was built from; yields the windows and tokens of text skipped so far, now and then and at the end."""
    n_windows = n_tokens = 0
    counted_at = time.monotonic()
    while any(n_windows < part.windows or n_tokens < part.tokens for part in built):
        window = next(remaining, None)
        if window is None:
            break
        n_windows += 1
        n_tokens += n_text(window)
        if time.monotonic() - counted_at >= _SECONDS_BETWEEN_COUNTS:
            counted_at = time.monotonic()
            yield n_windows, n_tokens
    yield n_windows, n_tokens


def _look_ahead(remaining: Iterator[Window], enough: int) -> tuple[Iterator[Window], int]:
    """The same windows, and how many tokens they hold, counted up to `enough` and no further."""
    seen: list[Window] = []
    n_tokens = 0
    while n_tokens < enough and (window := next(remaining, None)) is not None:
        seen.append(window)
        n_tokens += n_text(window)
    return chain(seen, remaining), n_tokens


def _with_text(windows: Iterable[Window]) -> Iterator[Window]:
    return (window for window in windows if n_text(window))


def n_text(window: Window) -> int:
    """Tokens of text in `window`: all but the special ones."""
    return len(window) - sum(window.special)
