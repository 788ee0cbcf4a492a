"""What a token writes, as text: pieces put together give the text back, whichever way a tokenizer has of spaces."""

from __future__ import annotations

import re

import pytest

from itda_core.models.tokenizer.token_text import token_text
from tests.conftest import byte_level, word_piece
from tests.models.byte_fallback import byte_fallback

TEXT = "The baker sang 🙂 to José, 文字 12 ring."
TOKENIZERS = {"byte-level": lambda: byte_level("gpt2"), "byte fallback": byte_fallback}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_pieces_are_the_text_with_its_spaces_and_its_bytes(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]()
    pieces = [token_text(tokenizer, id) for id in tokenizer(TEXT, add_special_tokens=False)["input_ids"]]
    assert not {"Ġ", "\u2581", "\ufffd"} & {*"".join(pieces)}
    emoji = "".join(f"<0x{byte:02X}>" for byte in "🙂".encode())
    assert emoji in "".join(pieces)

    def read(found: re.Match[str]) -> str:
        return bytes(int(byte, 16) for byte in re.findall("<0x(..)>", found.group())).decode()

    assert re.sub("(<0x..>)+", read, "".join(pieces)).lstrip() == TEXT


def test_a_piece_that_is_a_character_and_a_part_of_one_shows_both() -> None:
    class Tokenizer:
        def decode(self, ids: list[int]) -> str:
            return b" \xf0\x9f".decode("utf-8", "replace") * len(ids)

        def convert_ids_to_tokens(self, id: int) -> str:
            return "ĠðŁ"  # GPT-2's signs for the bytes 20, f0 and 9f

    assert token_text(Tokenizer(), 0) == " <0xF0><0x9F>"  # pyright: ignore[reportArgumentType]


def test_word_pieces_have_the_space_of_their_word() -> None:
    tokenizer = word_piece()
    ids = tokenizer("Thering.", add_special_tokens=False)["input_ids"]
    assert "".join(token_text(tokenizer, id) for id in ids).replace(" .", ".").strip() == "thering."


def test_a_sign_for_what_cannot_be_read_stays_one() -> None:
    tokenizer = byte_level("gpt2")
    tokenizer.add_tokens(["\ufffd"])
    assert token_text(tokenizer, len(tokenizer) - 1) == "\ufffd"
