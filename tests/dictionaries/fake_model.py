"""A language model in a few lines: seeded embeddings, each mixed with what came before it in the window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from itda_core.errors import UserError
from itda_core.text import Corpus, Document, TokenRef, Window

WORDS = 60


class FakeBatch(NamedTuple):
    tokens: list[TokenRef]
    activations: dict[FakeSite, Tensor]
    windows: int


@dataclass(frozen=True)
class FakeSite:
    kind: str
    layer: int | None
    module: str | None = None

    @property
    def name(self) -> str:
        return f"blocks.{self.layer}.hook_{self.kind}"


class FakeModel:
    """Three layers; activations (n_tokens, d_model). `read` counts the windows that went through it."""

    name, revision, n_layers, context, dtype = "fake", None, 3, 64, torch.float32
    fingerprint, tokenizer_fingerprint, device = "weights", "tokenizer", torch.device("cpu")
    batching = "together"

    def __init__(self, seed: int = 0, d_model: int = 16) -> None:
        random = torch.Generator().manual_seed(seed)
        self.tokenizer = fake_tokenizer()
        self.d_model, self.read = d_model, 0
        self.embeddings = torch.randn(WORDS + 3, d_model, generator=random)
        self.mixing = torch.randn(self.n_layers, d_model, d_model, generator=random) / d_model**0.5

    def site(self, kind: str, layer: int | None = None) -> FakeSite:
        if layer is None or not 0 <= layer < self.n_layers:
            raise UserError(f"fake has no layer {layer}; choose 0 to 2.")
        return FakeSite(kind, layer)

    def capture(self, window: Window, sites: Sequence[FakeSite]) -> dict[FakeSite, Tensor]:
        x, read = self.embeddings[list(window.token_ids)], {}
        for layer in range(self.n_layers):
            before = torch.cat([torch.zeros(1, self.d_model), x.cumsum(dim=0)[:-1]])
            x = x + torch.tanh((x + 0.3 * before) @ self.mixing[layer])
            read |= {site: x for site in sites if site.layer == layer}
        return read

    def stream(
        self, windows: Iterable[Window], sites: Sequence[FakeSite], *, windows_per_batch: int = 16
    ) -> Iterator[FakeBatch]:
        windows, done = iter(windows), 0
        while batch := list(islice(windows, windows_per_batch)):
            done, self.read = done + len(batch), self.read + len(batch)
            keep = [~torch.tensor(window.special) for window in batch]
            read = [self.capture(window, sites) for window in batch]
            rows = {site: torch.cat([x[site][kept] for x, kept in zip(read, keep, strict=True)]) for site in sites}
            yield FakeBatch([token for window in batch for token in window.tokens()], rows, done)


def fake_tokenizer() -> PreTrainedTokenizerFast:
    """Words w0 to w59, a start token before each sequence."""
    vocabulary = {"[UNK]": 0, "[BOS]": 1, "[PAD]": 2} | {f"w{i}": i + 3 for i in range(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="[BOS] $A", special_tokens=[("[BOS]", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", bos_token="[BOS]", pad_token="[PAD]", model_max_length=64
    )


def fake_corpus(documents: int = 60, words: int = 20, seed: int = 0) -> Corpus:
    """Documents of random words; some words are much more frequent than others."""
    random = torch.Generator().manual_seed(seed)
    weights = 1 / torch.arange(1, WORDS + 1)
    texts = [
        " ".join(f"w{i}" for i in torch.multinomial(weights, words, replacement=True, generator=random).tolist())
        for _ in range(documents)
    ]
    return Corpus.from_documents("fake-corpus", [Document(f"d{i}", text) for i, text in enumerate(texts)])
