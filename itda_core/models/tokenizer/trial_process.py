"""A tokenizer tried by the tokenizers package alone: `python -P tokenizer_trial.py FILE`, a process of its own.

What a tokenizer.json says can end the process that reads it, or cuts a text by it, in Rust code, where nothing is left
to catch. Here that ends the trial. Its last line of output is what `main` returns, as JSON. Limits of memory and time
are this process's own where the system knows them.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

SECONDS = 30  # of computing; the largest vocabularies need three
_BYTES, _BYTES_FOR_EACH = 2 * 2**30, 40  # of memory, and for each byte of the file
_MOST_ADDED, _MOST_TOKENS, _MOST_DECODED = 3, 2000, 50_000  # of a vocabulary that are tried
TEXTS = (
    "",
    " ",
    "The little dog ran to the park, then it slept.",
    " leading and  double   spaces ",
    "line\nline\n\n\tindented\r\nend\n",
    "naïve café Ærøskøbing — “quoted” … 50 €",
    "日本語のテキスト и немного по-русски हिन्दी العربية",
    "👩‍👩‍👧 e\u0301 \u200b\ufeff\u00a0\u2028",
    "def f(x):\n    return x**2 + 3.14159  # comment",
    "x" * 200,
    "0123456789 1,000,000 \x00\x1f",
    "don't I'll we've CamelCase snake_case http://a.b/c?d=e",
)


def main(path: str) -> list[tuple[str, list[int]]]:
    """Some texts, and the ids that each is cut into, without special tokens around it. Raises whatever is raised."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    added = tokenizer.get_added_tokens_decoder()
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    by_id = sorted(vocabulary, key=lambda token: vocabulary[token])
    some, more = (by_id[:: max(1, len(by_id) // most)] for most in (_MOST_TOKENS, _MOST_DECODED))
    texts = [*TEXTS, *(f"a {token.content} b{token.content}" for token in [*added.values()][:_MOST_ADDED])]
    cut = [_cut(tokenizer, text) for text in texts]
    if cut != [_cut(tokenizer, text) for text in texts]:
        raise ValueError("it cuts the same text differently each time, so its model.dropout is to be null")
    for batch in (texts, [" ".join(texts) * 20, " ".join(some), "".join(some)]):
        for framed in (False, True):
            for one in tokenizer.encode_batch(batch, add_special_tokens=framed):
                if not len(one.ids) == len(one.offsets) == len(one.special_tokens_mask) == len(one.tokens):
                    raise ValueError("it does not say of each token which characters it stands for")
                tokenizer.decode(one.ids)
                tokenizer.decode(one.ids, skip_special_tokens=False)
    for id in [vocabulary[token] for token in more] + [*added]:
        tokenizer.id_to_token(id)
        tokenizer.decode([id])
    tokenizer.num_special_tokens_to_add(False)
    tokenizer.to_str()
    return list(zip(texts, cut, strict=True))


def _cut(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def _limit(path: str) -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        most = _BYTES + _BYTES_FOR_EACH * Path(path).stat().st_size
        for kind, limit in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_AS, most)):
            with suppress(ValueError, OSError):
                resource.setrlimit(kind, (limit, resource.getrlimit(kind)[1]))


if __name__ == "__main__":
    _limit(sys.argv[1])
    sys.stdout.write("\n" + json.dumps(main(sys.argv[1])) + "\n")
