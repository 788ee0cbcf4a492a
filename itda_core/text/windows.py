"""Documents cut into windows of tokens, each token with the characters it stands for."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from itda_core.errors import UserError
from itda_core.foreign import foreign, quoted
from itda_core.text.document import Document

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROMPT = "prompt"  # the document id of a text typed by a person
_DOCUMENTS_AT_ONCE = 64  # the tokenizer runs documents in parallel
_CHARACTERS_AT_ONCE = 1_000_000
_PROBES = ("a", "the", "0", ".")  # one of these has tokens in any usable vocabulary


class Prefix(NamedTuple):
    """What identifies an activation across models: what had been read when it arose (contract, "prefix")."""

    document: str
    window_start: int  # first character of the window in the document
    last: int  # last character read; window_start - 1 when none of the document had been read


@dataclass(frozen=True, slots=True)
class Window:
    """At most `context` consecutive tokens of a document, with the special tokens the tokenizer puts around them.

    `token_ids`, `spans` and `special` have one entry per token.
    """

    document: str  # document id
    text: str  # the whole document's text
    char_start: int  # first character of the window in the document
    token_ids: tuple[int, ...]  # with special tokens
    spans: tuple[tuple[int, int], ...]  # characters [start, end) in the document; zero width for added special ones
    special: tuple[bool, ...]  # True: a special token, left out of everything by default

    def __len__(self) -> int:
        return len(self.token_ids)

    def tokens(self, *, include_special: bool = False) -> list[TokenRef]:
        """The window's tokens in order, special ones only when asked for."""
        return [TokenRef(self, i) for i, special in enumerate(self.special) if include_special or not special]


class TokenRef(NamedTuple):
    """One token of one window."""

    window: Window
    position: int  # counts the window's tokens from 0, special ones included

    @property
    def token_id(self) -> int:
        return self.window.token_ids[self.position]

    @property
    def char_start(self) -> int:
        return self.window.spans[self.position][0]

    @property
    def char_end(self) -> int:
        return self.window.spans[self.position][1]

    @property
    def special(self) -> bool:
        return self.window.special[self.position]

    @property
    def text(self) -> str:
        """The document's characters the token stands for; pieces of one character all show that character."""
        return self.window.text[self.char_start : self.char_end]

    @property
    def prefix(self) -> Prefix:
        return Prefix(self.window.document, self.window.char_start, self.char_end - 1)

    def context(self, before: int = 80, after: int = 40) -> tuple[str, str]:
        """At most `before` characters of the document left of the token, and `after` right of it."""
        text, start, end = self.window.text, self.char_start, self.char_end
        return text[max(0, start - before) : start], text[end : end + after]


def windows(
    corpus: Iterable[Document],
    tokenizer: PreTrainedTokenizerBase,
    *,
    context: int,
    which: Literal["all", "first"] = "all",
) -> Iterator[Window]:
    """Every document in consecutive windows of at most `context` tokens, special tokens included in the count.

    A document is tokenised once as a whole, without special tokens; each window then gets the special tokens that the
    tokenizer itself puts around a sequence. Order is the corpus's; a document without tokens gives no window;
    `which="first"` keeps each document's first window only. Raises UserError at once (not at the first window) when
    the tokenizer is a slow one or `context` leaves no room for text.
    """
    frame = _Frame.of(tokenizer)
    room = frame.room(context)
    if which not in ("all", "first"):
        raise UserError(f"windows={which!r} is unknown; choose 'all' or 'first'.")
    return _windows(corpus, tokenizer, frame, room, which)


def prompt_window(text: str, tokenizer: PreTrainedTokenizerBase, *, context: int) -> Window:
    """The one window of a prompt; its document id is "prompt".

    Raises UserError when the prompt has no token or more tokens than `context` holds.
    """
    frame = _Frame.of(tokenizer)
    room = frame.room(context)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError("The prompt holds characters that are not valid Unicode; type it again without them.") from None
    ids, spans = _tokenise([Document(PROMPT, text)], tokenizer)[0]
    if not ids:
        raise UserError("The prompt is empty; type at least one word.")
    if len(ids) > room:
        n_special = context - room
        added = f" and {n_special} special {'one' if n_special == 1 else 'ones'}" if n_special else ""
        raise UserError(f"The prompt has {len(ids)} tokens{added}, more than the context of {context}; shorten it.")
    return frame.window(Document(PROMPT, text), ids, spans)


class _Frame(NamedTuple):
    """The special tokens a tokenizer puts around a sequence, and the ids that are special wherever they stand."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    special_ids: frozenset[int]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> _Frame:
        if not getattr(tokenizer, "is_fast", False):
            raise UserError(
                f"{type(tokenizer).__name__} is a slow tokenizer, which cannot say which characters a token stands "
                "for; use a model with a fast one (a tokenizer.json file)."
            )
        framed = bare = ()
        with foreign(lambda reason: UserError(f"The tokenizer fails on a single word ({reason}); give another model.")):
            for probe in _PROBES:
                bare = tuple(tokenizer(probe, add_special_tokens=False, verbose=False)["input_ids"])
                framed = tuple(tokenizer(probe, add_special_tokens=True, verbose=False)["input_ids"])
                if bare:
                    break
        starts = [i for i in range(len(framed) - len(bare) + 1) if framed[i : i + len(bare)] == bare]
        if not bare or not starts:
            raise UserError(
                f"{type(tokenizer).__name__} rewrites a sequence when it adds special tokens, so its tokens cannot be "
                "told from its special ones; use a model with an ordinary tokenizer."
            )
        # An unknown word is text that was read, whatever its id; where the same id also ends texts, it is special.
        names = tokenizer.special_tokens_map
        structural = {token for name, token in names.items() if name != "unk_token" and isinstance(token, str)}
        unknown = {names["unk_token"]} - structural if isinstance(names.get("unk_token"), str) else set()
        everywhere = zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
        special = {id for id, token in everywhere if token not in unknown}
        return cls(framed[: starts[0]], framed[starts[0] + len(bare) :], frozenset(special))

    def room(self, context: int) -> int:
        """How many tokens of text fit beside the special ones."""
        added = len(self.before) + len(self.after)
        if context <= added:
            raise UserError(
                f"context={context} leaves no room for text beside {added} special tokens; choose at least "
                f"{added + 1}.",
                field="context",
            )
        return context - added

    def window(self, document: Document, ids: Sequence[int], spans: Sequence[tuple[int, int]]) -> Window:
        start, end = spans[0][0], max(span[1] for span in spans)
        before, after = len(self.before), len(self.after)
        return Window(
            document=document.id,
            text=document.text,
            char_start=start,
            token_ids=(*self.before, *ids, *self.after),
            spans=((start, start),) * before + tuple(spans) + ((end, end),) * after,
            special=(True,) * before + tuple(i in self.special_ids for i in ids) + (True,) * after,
        )


def _windows(
    corpus: Iterable[Document],
    tokenizer: PreTrainedTokenizerBase,
    frame: _Frame,
    room: int,
    which: Literal["all", "first"],
) -> Iterator[Window]:
    for documents in _batches(corpus):
        encoded = _tokenise(documents, tokenizer)
        for document, (ids, spans) in zip(documents, encoded, strict=True):
            stop = len(ids) if which == "all" else min(room, len(ids))
            for i in range(0, stop, room):
                yield frame.window(document, ids[i : i + room], spans[i : i + room])


def _batches(corpus: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    characters = 0
    for document in corpus:
        batch.append(document)
        characters += len(document.text)
        if len(batch) == _DOCUMENTS_AT_ONCE or characters >= _CHARACTERS_AT_ONCE:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _tokenise(
    documents: Sequence[Document], tokenizer: PreTrainedTokenizerBase
) -> list[tuple[list[int], list[tuple[int, int]]]]:
    """Token ids and character spans of each document, without special tokens added.

    Raises UserError when one is no valid Unicode, or the tokenizer fails on it.
    """
    try:
        encoded = _encoded([document.text for document in documents], tokenizer)
    except UserError as error:
        if len(documents) == 1:
            raise UserError(_uncut(documents[0], str(error))) from error
        return [one for document in documents for one in _tokenise([document], tokenizer)]  # to name the faulty one
    return [
        (ids, _placed(document.text, spans))
        for document, ids, spans in zip(documents, encoded["input_ids"], encoded["offset_mapping"], strict=True)
    ]


def _encoded(texts: list[str], tokenizer: PreTrainedTokenizerBase) -> Any:
    """Raises UserError where the tokenizer, which is others' code, raises anything."""
    with foreign(UserError):
        return tokenizer(
            texts,
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            return_token_type_ids=False,
            truncation=False,
            padding=False,
            verbose=False,  # a document longer than the model's context is cut by us, no warning is due
        )


def _uncut(document: Document, reason: str) -> str:
    """The reason why a document cannot be cut into tokens, as a sentence."""
    half = next((i for i, character in enumerate(document.text) if "\ud800" <= character <= "\udfff"), None)
    if half is None:
        return f"The tokenizer fails on document {quoted(document.id)!r} ({reason}); leave it out, or change its text."
    return (
        f"Document {quoted(document.id)!r} has half a character (a surrogate without its other half) as its character "
        f"{half}, which is no valid Unicode; replace it."
    )


def _placed(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The tokenizer's spans where they miss a little.

    A token of no characters stands where reading had come to (some tokenizers report (0, 0) for it). A character that
    the normaliser composed or stripped of its accents keeps the marks it is written with, which tokenizers leave out.
    """
    placed: list[tuple[int, int]] = []
    read = 0
    for start, end in (*spans, (len(text), len(text))):
        if start > read:
            marks = read
            while marks < start and _is_mark(text[marks]):
                marks += 1
            for i in range(len(placed) - 1, -1, -1):  # every piece of the character
                if marks == read or placed[i][1] != read or placed[i][0] == read:
                    break
                placed[i] = (placed[i][0], marks)
            read = marks
        if start == end:
            start = end = read
        read = max(read, end)
        placed.append((start, end))
    return placed[:-1]


def _is_mark(character: str) -> bool:
    """Whether it joins the character before it: a combining mark, or a vowel or end of a Hangul syllable."""
    return unicodedata.category(character).startswith("M") or "\u1160" <= character <= "\u11ff"
