"""The bundled demo keeps what it promises: sizes, labels, and activations that can be found again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from itda_core import AtomDictionary, Corpus, ModelSpec, decompose, load_model
from itda_core.analysis.atoms.index_format import no_atom
from itda_core.analysis.example import PROMPT, read_example
from itda_core.dictionaries.selections import with_purpose
from itda_core.dictionaries.storage.dictionary_folder import check_digests, has_digests
from itda_core.models.spec import DEMO_MODELS
from itda_core.runs.indexing.indices import BUNDLED as BUNDLED_INDICES
from itda_core.runs.indexing.indices import shown_of
from itda_core.runs.library import BUNDLED, Library
from itda_core.runs.verify import verify
from itda_core.text import windows
from itda_core.text.passages import KINDS

DEMO, INDICES = BUNDLED.parent, BUNDLED_INDICES
COMPARED = [f"demo-{model}-L{layer}" for model in range(5) for layer in range(6)]
READ = [f"demo-0-L{layer}-consensus" for layer in range(6)]
NAMES = sorted(COMPARED + READ)


def test_five_models_and_dictionaries_for_each_of_their_layers_within_29_megabytes() -> None:
    assert len(DEMO_MODELS) == 5
    assert sorted(path.name for path in BUNDLED.iterdir()) == NAMES
    own = [path for path in DEMO.rglob("*") if path.is_file() and INDICES not in path.parents]
    assert sum(path.stat().st_size for path in own) <= 29_000_000
    assert all(sum(file.stat().st_size for file in (BUNDLED / name).iterdir()) <= 800_000 for name in NAMES)


def test_every_dictionary_has_an_index_of_text_it_was_not_built_from_within_17_megabytes() -> None:
    assert sorted(path.name for path in INDICES.iterdir()) == NAMES
    # Honesty and logits beside them have limits of their own.
    files = [path for path in INDICES.rglob("*") if path.is_file() and path.stem not in ("honesty", "logits")]
    assert sum(path.stat().st_size for path in files) <= 17_000_000
    for name in NAMES:
        dictionary = AtomDictionary.load(BUNDLED / name)
        index = shown_of(str(dictionary.identity))
        assert index is not None
        said = index.description
        assert index.folder == INDICES / name
        assert said.text == "held-out"
        assert said.tokens >= (13_000 if name.startswith("demo-0-") else 2_000)
        assert (said.n_atoms, said.k, said.corpus_fingerprint) == (
            len(dictionary),
            dictionary.config.k,
            Corpus.open("demo").fingerprint,
        )
        assert {kind for _, kind in zip(range(10), index.kinds[0], strict=False)} <= set(KINDS)


def test_an_index_is_what_encoding_gives_again() -> None:
    """Of one window: its tokens' atoms, and a coefficient."""
    dictionary = AtomDictionary.load(BUNDLED / "demo-0-L3")
    model = load_model(ModelSpec("demo:0", device="cpu"))
    index = shown_of(str(dictionary.identity))
    assert index is not None
    (window,) = index.windows([5])
    document = next(one for one in Corpus.open("demo") if one.id == window.document)
    cut = list(windows(Corpus.from_documents("one", [document]), model.tokenizer, context=dictionary.config.context))
    (read,) = [one for one in cut if one.char_start == window.window_start]
    site = model.site("resid_post", 3)
    code = dictionary.encode(model.capture(read, [site])[site][[not special for special in read.special]]).merged()
    rows = slice(window.first_token, window.first_token + window.n_tokens)
    taken = code.indices.masked_fill(code.coefficients == 0, int(no_atom(len(dictionary)))).tolist()
    same = [one == other for one, other in zip(index.codes[rows].tolist(), taken, strict=True)]
    assert sum(same) >= 0.95 * len(same)  # where two atoms nearly tie, another machine's rounding chooses
    atom = int(index.codes[window.first_token, 0])
    entries = index.entries(atom)
    assert float(entries.coefficient[entries.token == window.first_token][0]) == pytest.approx(
        float(code.coefficients[0, 0]), rel=1e-3
    )


def test_those_for_reading_explain_more_than_those_for_comparing() -> None:
    entries = {entry.name: entry for entry in Library().entries() if entry.bundled}
    for name in READ:
        reading, comparing = entries[name], entries[name.removesuffix("-consensus")]
        assert (with_purpose(reading.selection), with_purpose(comparing.selection)) == (
            "consensus · for reading",
            "sequential · for comparing",
        )
        assert reading.atoms == comparing.atoms == 1024
        assert reading.fvu is not None
        assert comparing.fvu is not None
        assert reading.fvu < 0.75 * comparing.fvu
        assert AtomDictionary.load(reading.path).config.centre


def test_every_model_is_well_below_the_unigram_entropy_of_its_text() -> None:
    told = json.loads((DEMO / "models" / "training.json").read_text())
    assert len(told["models"]) == 5
    for model in told["models"]:
        figures = model["held_out"]["all"]
        assert figures["loss"] <= 0.55 * figures["unigram_entropy"]


@pytest.mark.parametrize("name", NAMES)
def test_every_dictionary_has_atoms_worth_reading(name: str) -> None:
    dictionary = AtomDictionary.load(BUNDLED / name)
    assert 1000 <= len(dictionary) <= 4000
    assert dictionary.spec.corpus == "demo"
    assert len(set(dictionary.provenance["document"])) > 100


@pytest.mark.parametrize("name", NAMES)
def test_damage_to_a_bundled_dictionary_would_be_seen(name: str) -> None:
    assert has_digests(BUNDLED / name)
    check_digests(BUNDLED / name)


@pytest.mark.parametrize("model", range(5))
def test_labels_lead_back_to_the_atoms(model: int) -> None:
    loaded, corpus = load_model(ModelSpec(f"demo:{model}", device="cpu")), Corpus.open("demo")
    checked = verify(AtomDictionary.load(BUNDLED / f"demo-{model}-L{model}"), loaded, corpus, 100)
    assert len(checked.checks) == 100
    assert not checked.wrong
    assert (checked.fault, checked.note) == (None, None)
    # They were made on another machine: float16, in which they are stored, and float32 there and here come to 2e-7.
    assert all(check.cosine is not None and check.cosine > 0.9999 for check in checked.checks)


def test_labels_of_those_for_reading_lead_back_to_their_atoms() -> None:
    loaded, corpus = load_model(ModelSpec("demo:0", device="cpu")), Corpus.open("demo")
    checked = verify(AtomDictionary.load(BUNDLED / READ[3]), loaded, corpus, 100)
    assert len(checked.checks) == 100
    assert not checked.wrong
    assert checked.fault is None


def test_the_example_is_what_the_model_and_its_dictionary_say(tmp_path: Path) -> None:
    folder = BUNDLED / READ[3]
    kept = read_example(folder)
    assert kept is not None
    assert kept.prompt == PROMPT
    model = load_model(ModelSpec("demo:0", device="cpu"))
    computed = decompose(model, AtomDictionary.load(folder), PROMPT)
    assert (kept.model, kept.layer, kept.site, kept.k, kept.method) == ("demo:0", 3, "resid_post", 8, "mp")
    for was, now in zip(kept.tokens, computed.tokens, strict=True):
        assert (was.text, was.special, was.char_start) == (now.text, now.special, now.char_start)
        assert (was.relative_error, was.cosine, was.norm) == pytest.approx(
            (now.relative_error, now.cosine, now.norm), 1e-3
        )
        # The strongest are the same to the last sign; far weaker ones may change places on another processor.
        assert replace(was.atoms[0], coefficient=0, share=0) == replace(now.atoms[0], coefficient=0, share=0)
        assert was.atoms[0].coefficient == pytest.approx(now.atoms[0].coefficient, 1e-3)
    # It belongs to that dictionary alone, and to it as it was.
    assert read_example(BUNDLED / READ[2]) is None
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert read_example(copy) == kept
    about = json.loads((copy / "dictionary.json").read_text())
    about["sha256"]["atoms.safetensors"] = 64 * "0"
    (copy / "dictionary.json").write_text(json.dumps(about))
    assert read_example(copy) is None
    (tmp_path / "damaged.json").write_text('{"dictionary": 3}')
    assert read_example(folder, tmp_path / "damaged.json") is None
    assert read_example(folder, tmp_path / "absent.json") is None


def test_every_word_of_the_example_has_a_strongest_atom_of_its_own_kind() -> None:
    kept = read_example(BUNDLED / READ[3])
    assert kept is not None
    for token in (one for one in kept.tokens if not one.special and one.text.strip().isalnum()):
        labels = {one.token.strip().lower() for one in (token.atoms[0], *token.atoms[0].further)}
        assert token.text.strip().lower() in labels


def test_any_input_can_be_tokenised_and_read_back() -> None:
    tokenizer = load_model(ModelSpec("demo:0", device="cpu")).tokenizer
    for text in ("naïve – “café” 東京 🧩\x00\t\r\n", "".join(map(chr, range(1, 0x500))), Path(__file__).read_text()):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text
