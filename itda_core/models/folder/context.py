"""How many tokens a model reads at once, as its config and its tokenizer state it."""

from __future__ import annotations

from collections.abc import Callable

_FIELDS = ("max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_seq_len")
_NO_LIMIT = 10**9  # tokenizers without a limit report an astronomical one


def stated_limits(field: Callable[[str], object], of_tokenizer: object) -> list[int]:
    """The limits that a config (`field` gives what it says under a name) and its tokenizer state, in tokens.

    One that is none (of -1 or in words, as some tokenizers have it) does not count.
    """
    of_config = next((limit for name in _FIELDS if (limit := limit_of(field(name)))), None)
    return [limit for limit in (of_config, limit_of(of_tokenizer)) if limit]


def limit_of(stated: object) -> int | None:
    """A number of tokens; None for what is none, and for the astronomical one of tokenizers without a limit."""
    if isinstance(stated, bool) or not isinstance(stated, (int, float)) or not 1 <= stated < _NO_LIMIT:
        return None
    return int(stated)
