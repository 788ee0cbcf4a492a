"""Windows against the tokenizer's own output: byte-level and WordPiece, with and without special tokens."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from itda_core.errors import UserError
from itda_core.models import LanguageModel
from itda_core.text import Document, Prefix, TokenRef, prompt_window, windows

HARD = "  Two e\u0301clairs\r\nfor 👩‍👩‍👧 and Zoë.\t\n\nＦｕｌｌ ﬁne — ½ “quoted” 한국어 עברית \u200b end  "
texts = st.text(
    st.one_of(st.sampled_from("ab Cd.\r\n\t'é👩‍👧e\u0301ßİﬁ½한"), st.characters(exclude_categories=["Cs"])), max_size=60
)


@settings(max_examples=30, deadline=None)
@given(text=texts, room=st.integers(1, 9))
def test_windows_cover_every_token_once_in_order(model: LanguageModel, text: str, room: int) -> None:
    tokenizer = model.tokenizer
    framed = tokenizer("a")["input_ids"]
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    added, start = len(framed) - len(bare), framed.index(bare[0])
    expected = tokenizer(text, add_special_tokens=False)["input_ids"]

    cut = list(windows([Document("d", text)], tokenizer, context=room + added))

    ids: list[int] = []
    for window in cut:
        assert len(window) <= room + added
        assert len(window.token_ids) == len(window.spans) == len(window.special)
        before, own, after = np.split(window.token_ids, [start, len(window) - (added - start)])
        assert [*before, *after] == [*framed[:start], *framed[start + len(bare) :]]
        ids += own.tolist()
    assert ids == expected
    assert all(len(window) == room + added for window in cut[:-1])


@settings(max_examples=50, deadline=None)
@given(text=texts)
def test_spans_are_the_tokenizers_own_but_for_marks(model: LanguageModel, text: str) -> None:
    own = model.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    ours = [
        w.spans[t.position] for w in windows([Document("d", text)], model.tokenizer, context=16) for t in w.tokens()
    ]
    for (start, end), (our_start, our_end) in zip(own, ours, strict=True):
        assert our_start == start
        assert end <= our_end <= len(text)
        assert all(unicodedata.combining(c) or unicodedata.category(c)[0] == "M" for c in text[end:our_end])


@pytest.mark.parametrize("byte_level", ["gpt2", "gpt_neox", "llama", "gemma2", "qwen2"])
def test_byte_level_spans_rebuild_the_text(byte_level: str, model_of: Callable[[str], LanguageModel]) -> None:
    model = model_of(byte_level)
    cut = list(windows([Document("d", HARD)], model.tokenizer, context=16))
    assert len(cut) > 2
    rebuilt, read = "", 0
    for token in (token for window in cut for token in window.tokens()):
        assert token.char_start <= read  # nothing is skipped
        rebuilt += HARD[max(read, token.char_start) : token.char_end]
        read = max(read, token.char_end)
    assert rebuilt == HARD


def test_word_pieces_show_the_original_characters_not_the_normalised_ones(
    model_of: Callable[[str], LanguageModel],
) -> None:
    text = "  ÉTUDE\r\n Zoë"
    tokens = prompt_window(text, model_of("bert").tokenizer, context=64).tokens()
    assert "".join(token.text for token in tokens) == "ÉTUDEZoë"
    assert tokens[0].char_start == 2


def test_a_composed_character_keeps_its_marks(model_of: Callable[[str], LanguageModel]) -> None:
    text = "e\u0301t \u1112\u1161\u11abx"  # Qwen2 composes them, and reports the first character of each only
    qwen2 = AutoTokenizer.from_pretrained(model_of("qwen2").folder)  # its file, which we go by, says nothing of this
    tokens = prompt_window(text, qwen2, context=64).tokens()
    assert len({(t.char_start, t.char_end) for t in tokens}) < len(tokens)
    assert tokens[0].text == tokens[1].text == "e\u0301"
    assert {t.char_end for t in tokens} == {2, 3, 4, 7, 8}
    tokens = prompt_window("ete\u0301 x", model_of("bert").tokenizer, context=64).tokens()
    assert "".join(t.text for t in tokens) == "ete\u0301x"  # accents stripped


def test_pieces_of_one_character_share_its_span(tiny_model: LanguageModel) -> None:
    window = prompt_window("a👩b", tiny_model.tokenizer, context=16)
    assert [token.text for token in window.tokens()] == ["a", "👩", "👩", "👩", "👩", "b"]
    assert window.spans == ((0, 1), (1, 2), (1, 2), (1, 2), (1, 2), (2, 3))


def test_special_tokens_are_marked_and_have_no_width(model_of: Callable[[str], LanguageModel]) -> None:
    window = prompt_window("the king", model_of("bert").tokenizer, context=64)
    assert window.special[0]
    assert window.special[-1]
    assert not any(window.special[1:-1])
    assert window.spans[0] == (0, 0)
    assert window.spans[-1] == (8, 8)
    assert [t.position for t in window.tokens()] == list(range(1, len(window) - 1))
    assert len(window.tokens(include_special=True)) == len(window)
    assert prompt_window("the king", model_of("llama").tokenizer, context=64).special[:2] == (True, False)
    assert not any(prompt_window("the king", model_of("gpt2").tokenizer, context=64).special)


def test_a_special_token_written_in_the_text_is_special_an_unknown_word_is_not(
    model_of: Callable[[str], LanguageModel],
) -> None:
    window = prompt_window("a<|endoftext|>b", model_of("gpt2").tokenizer, context=64)
    assert window.special == (False, True, False)
    assert TokenRef(window, 1).text == "<|endoftext|>"
    window = prompt_window("a 👩 b", model_of("bert").tokenizer, context=64)
    assert window.token_ids[2] == model_of("bert").tokenizer.unk_token_id
    assert window.special == (True, False, False, False, True)
    assert TokenRef(window, 2).text == "👩"


def test_prefix_and_context(tiny_model: LanguageModel) -> None:
    text = "a b c d e f g h"
    cut = list(windows([Document("d:1", text)], tiny_model.tokenizer, context=4))
    token = cut[1].tokens()[1]
    assert token.prefix == Prefix("d:1", cut[1].char_start, token.char_end - 1)
    assert text[: token.prefix.last + 1] + token.context(after=100)[1] == text
    assert "".join((*token.context(2, 0), "")) == text[token.char_start - 2 : token.char_start]
    before, after = token.context(before=3, after=2)
    assert text[token.char_start - 3 : token.char_end + 2] == before + token.text + after
    first = cut[0].tokens()[0]
    assert first.context() == ("", text[first.char_end :])


def test_prefixes_agree_across_tokenizers_where_the_same_has_been_read(
    model_of: Callable[[str], LanguageModel],
) -> None:
    text = "the king of torsen."
    ours, theirs = (
        {token.prefix for token in prompt_window(text, model_of(f).tokenizer, context=64).tokens()}
        for f in ("gpt2", "llama")
    )
    assert ours == theirs  # llama's <bos> moves positions, not characters
    word_pieces = {token.prefix for token in prompt_window(text, model_of("bert").tokenizer, context=64).tokens()}
    assert Prefix("prompt", 0, len(text) - 1) in ours & word_pieces


def test_first_window_only_and_empty_documents(tiny_model: LanguageModel) -> None:
    documents = [Document("a", ""), Document("b", "one two three four five"), Document("c", "six")]
    every = list(windows(documents, tiny_model.tokenizer, context=5))
    first = list(windows(documents, tiny_model.tokenizer, context=5, which="first"))
    assert [w.document for w in first] == ["b", "c"]
    assert first == [next(w for w in every if w.document == d) for d in ("b", "c")]
    assert len(every) > 2


def test_documents_come_in_order_whatever_their_number(tiny_model: LanguageModel) -> None:
    documents = [Document(str(i), f"word {i}") for i in range(200)]
    assert [w.document for w in windows(documents, tiny_model.tokenizer, context=60)] == [d.id for d in documents]


def test_a_long_document_raises_no_warning(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    logger = logging.getLogger("transformers.tokenization_utils_base")
    monkeypatch.setattr(logger, "warning", lambda message, *_: said.append(message))
    tokenizer = AutoTokenizer.from_pretrained(tiny_folder)  # a new one: each warns only once
    assert sum(map(len, windows([Document("d", "word " * 500)], tokenizer, context=60))) > 500
    assert said == []
    tokenizer("word " * 500)
    assert "longer than the specified maximum" in said[0]


def test_what_is_refused(model_of: Callable[[str], LanguageModel]) -> None:
    bert, gpt2 = model_of("bert").tokenizer, model_of("gpt2").tokenizer
    with pytest.raises(UserError, match="leaves no room for text beside 2 special tokens; choose at least 3"):
        windows([], bert, context=2)
    with pytest.raises(UserError, match="context=0"):
        windows([], gpt2, context=0)
    with pytest.raises(UserError, match="windows='last'"):
        windows([], gpt2, context=4, which="last")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="empty"):
        prompt_window("  \n", bert, context=64)
    with pytest.raises(UserError, match="7 tokens and 2 special ones, more than the context of 8; shorten"):
        prompt_window(". . . . . . .", bert, context=8)
    with pytest.raises(UserError, match="more than the context of 3"):
        prompt_window("abcdefgh", gpt2, context=3)
    with pytest.raises(UserError, match="not valid Unicode"):
        prompt_window("half \ud83d", gpt2, context=64)

    class SlowTokenizer:
        is_fast = False

    with pytest.raises(UserError, match="SlowTokenizer is a slow tokenizer"):
        windows([], SlowTokenizer(), context=8)  # pyright: ignore[reportArgumentType]
