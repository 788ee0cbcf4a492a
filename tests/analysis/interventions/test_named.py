"""Tokens of the vocabulary by what they read: shown with their space and their bytes, and found by what is shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from itda_core.analysis.interventions.target import token_named
from itda_core.analysis.replay import likeliest
from itda_core.errors import UserError
from itda_core.models.tokenizer.token_text import token_text
from tests.conftest import byte_level
from tests.models.byte_fallback import byte_fallback

TEXT = "The baker sang 🙂 to José, 12 ring."
TOKENIZERS = {"byte-level": lambda: byte_level("gpt2"), "byte fallback": byte_fallback}


def model_of(kind: str) -> Any:
    return SimpleNamespace(tokenizer=TOKENIZERS[kind](), name="tried")


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_predictions_are_shown_with_their_space_and_found_by_it(kind: str) -> None:
    model = model_of(kind)
    ids = list(dict.fromkeys(model.tokenizer(TEXT, add_special_tokens=False)["input_ids"]))
    logits = torch.full((1, len(model.tokenizer)), -9.0)
    logits[0, ids] = torch.linspace(2, 1, len(ids))
    shown = [one.token for one in likeliest(model, logits, len(ids))[0]]
    assert not [text for text in shown if "\ufffd" in text]
    spaced = [(text, id) for text, id in zip(shown, ids, strict=True) if text.startswith(" ") and text.strip()]
    assert spaced
    assert [token_named(model, text) for text, _ in spaced] == [id for _, id in spaced]


def test_what_reads_otherwise_than_it_was_asked_for_is_the_one_token_that_is_found() -> None:
    model = model_of("byte fallback")
    id = token_named(model, "The")  # to which the tokenizer adds a space
    assert token_text(model.tokenizer, id) == " The"
    with pytest.raises(UserError, match="several tokens of tried"):
        token_named(model, "The baker sang")
