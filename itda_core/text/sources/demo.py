"""The documents of the bundled corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from itda_core.text.document import Document, Source
from itda_core.text.passages import VERSION, passages

PASSAGES = 20_000
SEED = 0


def demo(reference: str) -> Source:
    """The passages that the bundled models were trained on; `reference` is what the corpus is called."""

    def read() -> Iterator[Document]:
        return (Document(passage.id, passage.text) for passage in passages(PASSAGES, seed=SEED))

    named = f"itda passages {VERSION} seed {SEED} n {PASSAGES}"
    return Source(reference, read, lambda: hashlib.sha256(named.encode()).hexdigest())
