"""A tokenizer as Llama's: SentencePiece's signs for spaces, and bytes for characters that are not in its vocabulary."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.conftest import CONTEXT, generated_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPACE = "\u2581"


def byte_fallback() -> PreTrainedTokenizerFast:
    """Merges learned from `generated_text`; all else is bytes: of an emoji four, "<0xF0>" to begin with."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    first = Tokenizer(models.BPE())
    first.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    words = [word for text in generated_text(400) for word in text.split()]
    first.train_from_iterator(words, trainers.BpeTrainer(vocab_size=400, show_progress=False))
    learned = json.loads(first.to_str())["model"]
    pieces = sorted(learned["vocab"], key=learned["vocab"].__getitem__)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    merges = [tuple(merge) for merge in learned["merges"]]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    model = models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = first.normalizer
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", model_max_length=CONTEXT
    )
