"""The words around a token as one vector, so that two places in text can be compared by a cosine.

The bundled way needs no model. Words are folded (case, accents); each is hashed to one of DIMENSIONS and a sign
(Weinberger et al. 2009, arXiv 0902.2206), weighted by how rare it is in the text at hand (inverse document frequency,
a window being a document). The token itself is not among the words around it, nor is the rest of a word it is a piece
of, so that a context does not say the token again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from math import log
from typing import TYPE_CHECKING, Protocol

import numpy as np

from itda_core.dictionaries.provenance import CONTEXT_AFTER, CONTEXT_BEFORE
from itda_core.text import folding

if TYPE_CHECKING:
    from itda_core.models import LanguageModel

DIMENSIONS = 256
# Scripts without spaces between words (Thai to Lao, Burmese, Khmer, Chinese, Japanese): each sign counts as a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_ENCODED_AT_ONCE = 64


class Contexts(Protocol):
    """A way to make vectors of contexts."""

    name: str  # for people and files: what made them

    def of(self, text: str, starts: Sequence[int] | np.ndarray, ends: Sequence[int] | np.ndarray) -> np.ndarray:
        """The contexts of the characters [start, end) of `text`: (n, dimensions) float32, of norm 1, or 0 where there
        is nothing around.
        """
        ...

    def of_each(self, texts: Sequence[str], starts: Sequence[int], ends: Sequence[int]) -> np.ndarray:
        """The same of one place in each of several texts: (len(texts), dimensions) float32."""
        ...


class HashedWords:
    """Contexts by the hashing of words, see above."""

    name = f"hashed words, {DIMENSIONS} dimensions"

    def __init__(self, texts: Iterable[str]) -> None:
        """texts: of the corpus at hand; they say which words are rare."""
        self._windows, self._in = 0, Counter[str]()
        for text in texts:
            self._windows += 1
            self._in.update({folded(word) for word in WORD.findall(text)})

    def of(self, text: str, starts: Sequence[int] | np.ndarray, ends: Sequence[int] | np.ndarray) -> np.ndarray:
        """See `Contexts.of`: words that lie wholly within CONTEXT_BEFORE and CONTEXT_AFTER characters."""
        starts, ends = np.asarray(starts), np.asarray(ends)
        words = list(WORD.finditer(text))
        first = np.array([word.start() for word in words], dtype=np.int64)
        behind = np.array([word.end() for word in words], dtype=np.int64)
        summed = np.zeros((len(words) + 1, DIMENSIONS), dtype=np.float32)
        for i, word in enumerate(words):
            place, sign = hashed(folded(word.group()))
            summed[i + 1, place] = sign * self._weight(folded(word.group()))
        np.cumsum(summed, axis=0, out=summed)
        # A word at the very edge may have been cut there, as a label's context is.
        low = np.searchsorted(first, starts - CONTEXT_BEFORE, side="right")
        left = np.maximum(low, np.searchsorted(behind, starts, side="right"))
        right = np.searchsorted(first, ends, side="left")
        high = np.maximum(right, np.searchsorted(behind, ends + CONTEXT_AFTER, side="left"))
        return normalised(summed[left] - summed[low] + summed[high] - summed[right])

    def of_each(self, texts: Sequence[str], starts: Sequence[int], ends: Sequence[int]) -> np.ndarray:
        """See `Contexts.of_each`."""
        places = zip(texts, starts, ends, strict=True)
        return np.concatenate([self.of(text, [start], [end]) for text, start, end in places])

    def _weight(self, word: str) -> float:
        return log((1 + self._windows) / (1 + self._in[word])) + 1e-3  # one that is everywhere still is a word


class Encoded:
    """Contexts by an encoder of whole texts: the mean of its last block's activations over the tokens around."""

    def __init__(self, model: LanguageModel) -> None:
        self._model, self.name = model, f"encoder {model.name}"
        self._site = model.site("resid_post", model.n_layers - 1)

    def of(self, text: str, starts: Sequence[int] | np.ndarray, ends: Sequence[int] | np.ndarray) -> np.ndarray:
        """See `Contexts.of`. The text with the token in its place is read, and the token's own activations left out."""
        return self.of_each([text] * len(starts), list(map(int, starts)), list(map(int, ends)))

    def of_each(self, texts: Sequence[str], starts: Sequence[int], ends: Sequence[int]) -> np.ndarray:
        """See `Contexts.of_each`: read together, for a model takes about as long for one short text as for many."""
        from itda_core.text import Document, windows

        found = np.zeros((len(starts), self._model.d_model), dtype=np.float32)
        documents = [
            Document(f"{i}:{min(start, CONTEXT_BEFORE)}:{min(start, CONTEXT_BEFORE) + end - start}", around)
            for i, (text, start, end) in enumerate(zip(texts, starts, ends, strict=True))
            if (around := text[max(0, start - CONTEXT_BEFORE) : end + CONTEXT_AFTER]).strip()
        ]
        read = windows(documents, self._model.tokenizer, context=self._model.context, which="first")
        for batch in self._model.stream(read, [self._site], windows_per_batch=_ENCODED_AT_ONCE):
            x = batch.activations[self._site].cpu().numpy()
            for token, row in zip(batch.tokens, x, strict=True):
                i, start, end = map(int, token.window.document.split(":"))
                if token.char_end <= start or token.char_start >= end:
                    found[i] += row
        return normalised(found)


def normalised(x: np.ndarray) -> np.ndarray:
    """The rows of x (n, dimensions) at norm 1; what is 0 stays so."""
    norms = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.divide(x, norms, out=np.zeros_like(x), where=norms > 1e-6)


@lru_cache(maxsize=262_144)
def folded(word: str) -> str:
    """A word without case and accents; held, because most come again and again."""
    return folding.folded(word)


@lru_cache(maxsize=262_144)
def hashed(word: str) -> tuple[int, int]:
    """The dimension of a word, 0 to DIMENSIONS - 1, and its sign, 1 or -1: the same on every machine."""
    number = int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
    return (number >> 1) % DIMENSIONS, 1 - 2 * (number & 1)
