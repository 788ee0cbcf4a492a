"""What a token of the vocabulary writes, shown as text: with the space it begins with, as bytes where it is none."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_REPLACEMENT = "\ufffd"  # for bytes that are no whole character


def token_text(tokenizer: PreTrainedTokenizerBase, token_id: int) -> str:
    """What the token adds to a text behind itself; bytes that are no whole character as <0xF0>.

    SentencePiece's decoders leave out the space at the beginning of a text, which the token has within one.
    """
    alone, twice = (str(tokenizer.decode([token_id] * times)) for times in (1, 2))
    text = twice[len(alone) :] if twice.startswith(alone) else alone
    if _REPLACEMENT not in text:
        return text
    name = tokenizer.convert_ids_to_tokens(token_id)
    if not isinstance(name, str):
        return text
    if _BYTE.fullmatch(name):
        return name
    known = _bytes_of_signs()
    if any(sign not in known for sign in name):
        return text
    read = bytes(known[sign] for sign in name).decode("utf-8", "surrogateescape")  # a byte that is no text: U+DC80 + …
    return "".join(f"<0x{ord(sign) - 0xDC00:02X}>" if "\udc80" <= sign <= "\udcff" else sign for sign in read)


@cache
def _bytes_of_signs() -> dict[str, int]:
    """The signs by which byte-level tokenizers write the 256 bytes, as GPT-2 has them.

    Those that are printable stand for themselves; the others follow each other from 256 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
