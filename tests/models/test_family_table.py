"""A handful of the families of `python -m tests.families`, and what is particular to them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from itda_core.errors import UserError
from itda_core.models import LanguageModel, ModelSpec, Site, load_model
from itda_core.models.forward.forward_pass import pad
from itda_core.models.loading import load_skeleton
from itda_core.text import Document, windows
from tests.conftest import byte_level, word_piece
from tests.families import EQUAL, REFUSED, Outcome, outcome, table
from tests.models.small import small_model

TEXTS = ["The king of torsen, 42.", "Ba deki lo mura sentor vi zan? Theing er the ba. " * 2, "Zan!"]


@pytest.mark.parametrize(
    ("family", "expected", "said"),
    [
        ("longformer", EQUAL, "of the norm"),
        ("big_bird", EQUAL, "of the norm"),
        ("gpt_neo", EQUAL, "of the norm"),
        ("nystromformer", REFUSED, "fails in the model's own code"),
        ("bart", REFUSED, "is an encoder-decoder"),
    ],
)
def test_what_becomes_of_a_family(family: str, expected: str, said: str, tmp_path: Path) -> None:
    with torch.random.fork_rng([]):
        found = outcome(family, tmp_path)
    assert found.outcome == expected, found.said
    assert said in found.said


def test_the_table_has_a_row_for_each_family() -> None:
    page = table([Outcome("b", REFUSED, "no | yes."), Outcome("a", EQUAL, "to 1e-7 of the norm")], 3)
    assert "| `a` | equal | to 1e-7 of the norm |\n| `b` | refused | no / yes. |" in page


def longformer(folder: Path) -> LanguageModel:
    tokenizer = word_piece()
    with torch.random.fork_rng([]):
        small_model("longformer", len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return load_model(ModelSpec(str(folder), device="cpu"))


def test_what_a_model_appends_to_a_text_is_neither_seen_nor_changed(tmp_path: Path) -> None:
    from itda_core.models.forward.hooks import hooked

    model = longformer(tmp_path)
    cuts = list(windows([Document("d", TEXTS[0])], model.tokenizer, context=24))
    ids = torch.tensor([cuts[0].token_ids])
    site = Site("resid_post", 1)
    seen: list[torch.Tensor] = []
    after: list[torch.Tensor] = []

    def double(_: Site, activation: torch.Tensor) -> torch.Tensor:
        seen.append(activation.clone())
        return 2 * activation

    handle = model.blocks.modules[2].register_forward_pre_hook(lambda _, args: after.append(args[0].clone()))
    with torch.no_grad():
        with hooked(model, [site], double, shape=ids.shape):
            model.module(input_ids=ids, attention_mask=torch.ones_like(ids))
        model.module(input_ids=ids, attention_mask=torch.ones_like(ids))
    handle.remove()
    steered, plain = after
    n = ids.shape[1]
    assert plain.shape[1] > n  # it is filled up to whole windows of attention
    assert torch.equal(seen[0], plain[:, :n])
    assert torch.equal(steered[:, :n], 2 * plain[:, :n])
    assert torch.equal(steered[:, n:], plain[:, n:])


def test_the_encoder_alone_of_an_encoder_decoder_is_read(tmp_path: Path) -> None:
    import transformers as hf

    tokenizer = byte_level("gpt2")
    config = hf.T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=48, num_layers=3, num_heads=4, dropout_rate=0.0
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        hf.T5EncoderModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = load_model(ModelSpec(str(tmp_path), device="cpu"))
    assert (model.n_layers, model.d_model, model.has_lm_head) == (3, 32, False)
    theirs = hf.T5EncoderModel.from_pretrained(tmp_path, dtype=torch.float32).eval()
    site = Site("resid_post", 1)
    for i, text in enumerate(TEXTS):
        (cut,) = windows([Document(f"d{i}", text)], model.tokenizer, context=48)
        with torch.no_grad():
            states = theirs(input_ids=torch.tensor([cut.token_ids]), output_hidden_states=True).hidden_states
        torch.testing.assert_close(model.capture(cut, [site])[site], states[2][0], atol=1e-5, rtol=1e-5)
    with pytest.raises(UserError, match="shares its embeddings"):
        load_skeleton(ModelSpec(str(tmp_path), device="cpu"))


def test_what_a_block_hands_to_the_next_beside_hidden_states_is_missed(tiny_folder: Path) -> None:
    """What T5's first block gives the others (its position bias) would be lost without a word; attention weights, which
    other families return and nobody reads, are no reason."""
    skeleton = load_skeleton(ModelSpec(str(tiny_folder), device="cpu"))
    (cut, *_) = windows([Document("d", TEXTS[1])], skeleton.tokenizer, context=24)
    first, second = skeleton.blocks.modules[:2]
    skeleton.put(1, skeleton.weights.read(skeleton.block_names(1)))
    skeleton._note_form(first, None, (torch.ones(1), None, torch.ones(1)))
    given = torch.randn(len(cut), skeleton.d_model)
    with skeleton._handing_on(1, pad(skeleton, [cut]), given, torch.float32), torch.no_grad():
        hidden, nothing, bias = first(torch.zeros(1))
        assert nothing is None
        assert torch.equal(hidden[0], given)
        second(hidden)
        with pytest.raises(UserError, match="hands more than hidden states from block to block"):
            second(hidden, position_bias=bias)
