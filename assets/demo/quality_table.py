"""Writes the table of assets/docs/quality.md: the dictionaries of demo:0 for comparing beside those for reading.

    python assets/demo/quality_table.py [--tokens 8192]

All are measured on the same text, which none of them was built from. Same token: how often one of the labels of a
token's strongest atom is that token, upper and lower case and the spaces around it aside.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from itda_core import AtomDictionary, Corpus, ModelSpec, evaluate, load_model
from itda_core.analysis.evaluation_text import EvaluationText, evaluation_text, n_text
from itda_core.models import LanguageModel
from itda_core.text import Window

FOLDER = Path(__file__).parent / "dictionaries"
LAYERS, ENDINGS = range(6), ("", "-consensus")
WINDOWS_PER_BATCH = 32


def held_out(model: LanguageModel, dictionaries: Sequence[AtomDictionary], tokens: int) -> list[Window]:
    """The windows that `evaluate` measures them on."""
    for found in evaluation_text(model, dictionaries, Corpus.open("demo"), tokens):
        if isinstance(found, EvaluationText):
            windows, n_tokens = [], 0
            for window in found.windows:
                windows.append(window)
                n_tokens += n_text(window)
                if n_tokens >= tokens:
                    return windows
    raise AssertionError("the bundled corpus is longer than that")


def same_token(model: LanguageModel, dictionary: AtomDictionary, windows: Sequence[Window]) -> float:
    """The share of tokens, 0 to 1, whose strongest atom has that token among its labels."""
    site = model.site(dictionary.spec.site, dictionary.spec.layer)
    hits = n_tokens = 0
    for batch in model.stream(windows, [site], windows_per_batch=WINDOWS_PER_BATCH):
        code = dictionary.encode(batch.activations[site]).merged()
        strongest = code.coefficients.abs().argmax(dim=1, keepdim=True)
        for token, atom in zip(batch.tokens, torch.gather(code.indices, 1, strongest)[:, 0].tolist(), strict=True):
            hits += _plain(token.text) in {_plain(label.token) for label in dictionary.labels(atom)}
        n_tokens += len(batch.tokens)
    return hits / n_tokens


def _plain(token: str) -> str:
    return token.strip().lower()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tokens", type=int, default=8192)
    tokens = parser.parse_args().tokens
    model = load_model(ModelSpec("demo:0", device="cpu"))
    names = [f"demo-0-L{layer}{ending}" for layer in LAYERS for ending in ENDINGS]
    dictionaries = [AtomDictionary.load(FOLDER / name) for name in names]
    windows = held_out(model, dictionaries, tokens)
    *_, last = evaluate(model, dictionaries, "demo", tokens=tokens)
    print("| dictionary | FVU | CE score | loss rises by (nats) | zeros cost | KL (nats) | same token |")
    print("|---|---|---|---|---|---|---|")
    for name, dictionary, one in zip(names, dictionaries, last.results, strict=True):
        assert one.ce_original is not None, "the bundled models predict"
        assert one.ce_reconstructed is not None
        assert one.ce_zero is not None
        rise, zeros = one.ce_reconstructed - one.ce_original, one.ce_zero - one.ce_original
        figures = f"{one.fvu:.3f} | {one.ce_score:.3f} | {rise:.2f} | {zeros:.1f} | {one.kl:.2f}"
        print(f"| {name} | {figures} | {same_token(model, dictionary, windows):.0%} |")


if __name__ == "__main__":
    main()
