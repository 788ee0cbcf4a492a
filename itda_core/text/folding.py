"""Text as it is compared where case and accents do not count."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """`text` without case and accents."""
    if text.isascii():  # nearly all there is
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in plain if not unicodedata.combining(character))
