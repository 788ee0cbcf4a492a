"""Tokenizers as their files have them: tried apart, compared with the file, refused in a sentence that helps."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from itda_core.errors import UserError
from itda_core.models import ModelSpec, demo_folder, load_model
from itda_core.models.tokenizer import loading as ours
from itda_core.models.tokenizer.loading import load_tokenizer, note_of
from itda_core.models.tokenizer.trial import tried
from itda_core.models.tokenizer.trial_process import TEXTS
from itda_core.text import Document, prompt_window, windows


@pytest.fixture(autouse=True)
def _own_home(home: Path) -> None:
    """Nothing is remembered of another test's tokenizers."""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of a bundled model, which is foreign by its place."""
    return Path(shutil.copytree(demo_folder(0), tmp_path / "copied"))


def edit(path: Path, **changes: object) -> None:
    stated = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({key: value for key, value in (stated | changes).items() if value is not ...}))


def model_in(folder: Path, **changes: object) -> None:
    """Changes the `model` of a tokenizer.json."""
    stated = json.loads((folder / "tokenizer.json").read_text())
    edit(folder / "tokenizer.json", model=stated["model"] | changes)


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        load_model(ModelSpec(str(folder), device="cpu"))
    said = str(error.value)
    assert "\n" not in said
    assert len(said) < 1000
    return said


def count_trials(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    paths: list[Path] = []

    def counted(path: Path) -> Any:
        paths.append(path)
        return tried(path)

    monkeypatch.setattr(ours, "tried", counted)
    return paths


def test_a_file_that_ends_the_process_is_refused_in_a_sentence(copied: Path) -> None:
    model_in(copied, continuing_subword_prefix="x")
    said = refused(copied)
    assert f"The file tokenizer.json of model {copied} cannot be used by the installed tokenizers package" in said
    assert "it ends the process that uses it (SIG" in said


def test_a_file_newer_than_the_package_is_refused_by_name(copied: Path) -> None:
    edit(copied / "tokenizer.json", pre_tokenizer={"type": "FromTheFuture"})
    said = refused(copied)
    assert "The file tokenizer.json of model" in said
    assert "if a newer package wrote it, update tokenizers" in said


def test_a_tokenizer_that_draws_its_tokens_is_refused(copied: Path) -> None:
    model_in(copied, dropout=0.5)
    assert "it cuts the same text differently each time, so its model.dropout is to be null" in refused(copied)
    model_in(copied, dropout=None)
    load_tokenizer(ModelSpec(str(copied)))


def test_a_tokenizer_is_tried_once_for_each_state_of_its_files(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = count_trials(monkeypatch)
    load_tokenizer(ModelSpec("demo:0"))
    assert not paths  # bundled ones are known
    load_tokenizer(ModelSpec(str(copied)))
    assert len(paths) == 2  # the file, and what transformers makes of it
    load_tokenizer(ModelSpec(str(copied)))
    assert len(paths) == 2
    model_in(copied, unk_token="a")
    load_tokenizer(ModelSpec(str(copied)))
    assert len(paths) == 4


@pytest.mark.parametrize(
    ("kind", "fails"),
    [
        ("GPT2Tokenizer", None),
        ("LlamaTokenizer", None),
        ("Qwen2Tokenizer", None),
        ("BertTokenizer", r"Missing \[UNK\] token"),
        ("GemmaTokenizer", "Unk token `<unk>` not found"),
    ],
)
def test_the_file_is_read_whatever_class_is_named(copied: Path, kind: str, fails: str | None) -> None:
    edit(copied / "tokenizer_config.json", tokenizer_class=kind)
    own = Tokenizer.from_file(str(copied / "tokenizer.json"))
    expected = [own.encode(text, add_special_tokens=False).ids for text in TEXTS]
    by_transformers = AutoTokenizer.from_pretrained(copied)
    if fails is None:
        same = [by_transformers(text, add_special_tokens=False)["input_ids"] for text in TEXTS] == expected
        assert same == (kind != "Qwen2Tokenizer")  # which composes characters
    else:
        same = False
        with pytest.raises(Exception, match=fails):
            by_transformers(list(TEXTS))
    for _ in range(2):  # tried, and as remembered
        tokenizer = load_tokenizer(ModelSpec(str(copied)))
        assert [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS] == expected
        note = note_of(tokenizer)
        assert (note is None) == same
        assert note is None or "is read by its tokenizer.json alone" in note
        assert tokenizer.eos_token == "<|endoftext|>"


def test_a_tokenizer_other_than_its_file_is_said_by_its_model(copied: Path) -> None:
    edit(copied / "tokenizer_config.json", tokenizer_class="Qwen2Tokenizer")
    (note,) = load_model(ModelSpec(str(copied), device="cpu")).notes
    assert "is read by its tokenizer.json alone" in note


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("special_tokens_map.json", "{,}"),
        ("tokenizer_config.json", ""),
        ("added_tokens.json", "{,}"),
        ("added_tokens.json", "[" * 100_000),
        ("special_tokens_map.json", '{"n": ' + "7" * 5000 + "}"),
    ],
)
def test_a_broken_file_beside_the_tokenizer_is_named(copied: Path, name: str, text: str) -> None:
    (copied / name).write_text(text)
    said = refused(copied)
    assert name in said
    assert "add a tokenizer.json" not in said
    (copied / name).unlink()
    load_tokenizer(ModelSpec(str(copied)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", [1, 2]),
        ("tokenizer_config.json", {"padding_side": "above"}),
        ("tokenizer_config.json", {"tokenizer_class": "T5Tokenizer"}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"x": 3}}),
        ("special_tokens_map.json", {"eos_token": {"content": 7}}),
        ("special_tokens_map.json", [1]),
    ],
)
def test_an_odd_file_beside_the_tokenizer_is_named_and_taking_it_away_helps(
    copied: Path, name: str, content: object
) -> None:
    (copied / name).write_text(json.dumps(content))
    said = refused(copied)
    assert f"The file {name} of model" in said
    assert "remove it: the tokenizer.json beside it is whole" in said
    (copied / name).unlink()
    load_tokenizer(ModelSpec(str(copied)))


def test_a_template_that_is_no_text_is_named(copied: Path) -> None:
    (copied / "special_tokens_map.json").write_text("{}")
    (copied / "chat_template.jinja").write_bytes(b"\xff\xfe{{")
    assert "The file chat_template.jinja of model" in refused(copied)
    (copied / "chat_template.jinja").unlink()
    load_tokenizer(ModelSpec(str(copied)))


@pytest.mark.parametrize("name", ["tokenizer.json", "special_tokens_map.json", "merges.txt"])
def test_what_is_no_file_is_not_waited_for(copied: Path, name: str) -> None:
    (copied / name).unlink(missing_ok=True)
    os.mkfifo(copied / name)
    assert f"{name} is no file that can be read" in refused(copied)
    (copied / name).unlink()
    (copied / name).symlink_to(copied / name)
    assert f"{name} is no file that can be read" in refused(copied)


def test_a_tokenizer_with_code_of_its_own_is_refused_unless_trusted(copied: Path) -> None:
    (copied / "own.py").write_text("raise SystemError('never run')")
    edit(copied / "config.json", model_type="gpt_of_nobody", auto_map={"AutoConfig": "own.Config"})
    edit(copied / "tokenizer_config.json", tokenizer_class="Own", auto_map={"AutoTokenizer": [None, "own.Own"]})
    with pytest.raises(UserError, match="if you trust its authors, load it with trust_remote_code"):
        load_tokenizer(ModelSpec(str(copied)))
    with pytest.raises(UserError, match="never run"):
        load_tokenizer(ModelSpec(str(copied), trust_remote_code=True))


def test_without_a_tokenizer_json_what_there_is_is_named(copied: Path) -> None:
    (copied / "tokenizer.json").unlink()
    said = refused(copied)
    assert "has no tokenizer that can be read" in said
    assert "what its folder has of one is tokenizer_config.json. Add a tokenizer.json to it." in said
    state = json.loads((demo_folder(0) / "tokenizer.json").read_text())["model"]
    (copied / "vocab.json").write_text(json.dumps(state["vocab"]))
    edit(copied / "tokenizer_config.json", tokenizer_class="GPT2Tokenizer")
    (copied / "merges.txt").write_text("#version: 0.2\nnothing of this\n")
    said = refused(copied)
    assert "merges.txt" in said
    shutil.copy(demo_folder(0) / "tokenizer.json", copied)
    edit(copied / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    load_tokenizer(ModelSpec(str(copied)))


@pytest.mark.parametrize("limit", [-1, "256"])
def test_an_odd_limit_is_none(copied: Path, limit: object) -> None:
    edit(copied / "tokenizer_config.json", model_max_length=limit)
    model = load_model(ModelSpec(str(copied), device="cpu"))
    assert model.context == model.module.config.n_positions
    assert list(windows([Document("d", "The dog ran. " * 400)], model.tokenizer, context=16))


def test_a_limit_is_a_number_of_tokens() -> None:
    tokenizer = load_tokenizer(ModelSpec("demo:0"))
    odd: list[Any] = [-1, 0, "256", "x", None, True, float("inf"), float("nan"), [], {}, 0.5]
    for limit in odd:
        tokenizer.model_max_length = limit
        assert ours._with_limit(tokenizer).model_max_length == 10**30
    for limit in (1, 512, 512.0, 10**30):
        tokenizer.model_max_length = limit  # pyright: ignore[reportAttributeAccessIssue]
        assert ours._with_limit(tokenizer).model_max_length == limit
        assert isinstance(tokenizer.model_max_length, int)


def test_tokens_beyond_the_embeddings_are_refused_when_the_model_is_loaded(copied: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(copied)
    tokenizer.add_tokens(["park"])
    tokenizer.save_pretrained(copied)
    n_embeddings = json.loads((copied / "config.json").read_text())["vocab_size"]
    said = refused(copied)
    assert f"gives token {n_embeddings} ('park'), but the model has embeddings for {n_embeddings} tokens" in said
    load_tokenizer(ModelSpec(str(copied)))  # which knows no model


def test_special_tokens_beyond_the_embeddings_are_refused_where_a_text_has_one(copied: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(copied)
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.save_pretrained(copied)
    model = load_model(ModelSpec(str(copied), device="cpu"))
    site = model.site("resid_post", 0)
    cuts = list(
        windows([Document("one", "The dog."), Document("two", "A cat sat by the door.")], model.tokenizer, context=16)
    )
    (batch,) = model.stream(cuts, [site])  # padded by a token that the model has
    assert torch.isfinite(batch.activations[site]).all()
    with pytest.raises(UserError, match=r"gives token \d+, but the model has embeddings .* in document 'prompt'"):
        model.capture(prompt_window("a <pad> b", model.tokenizer, context=16), [site])


def test_half_a_character_is_named_by_its_document(copied: Path) -> None:
    tokenizer = load_tokenizer(ModelSpec(str(copied)))
    documents = [Document("good", "The dog."), Document("bad", "The \ud800 dog.")]
    with pytest.raises(UserError, match=r"Document 'bad' has half a character .* as its character 4"):
        list(windows(documents, tokenizer, context=16))
    with pytest.raises(UserError, match="not valid Unicode"):
        prompt_window("The \udfff dog.", tokenizer, context=16)


def test_a_tokenizer_that_fails_on_a_text_is_a_sentence_about_that_text(copied: Path, monkeypatch: Any) -> None:
    tokenizer = load_tokenizer(ModelSpec(str(copied)))

    class Panic(BaseException):
        pass

    whole = type(tokenizer).__call__

    def failing(self: Any, text: Any, **options: Any) -> Any:
        if "cat" in str(text):
            raise Panic("index out of bounds")
        return whole(self, text, **options)

    monkeypatch.setattr(type(tokenizer), "__call__", failing)
    documents = [Document("good", "The dog."), Document("bad", "The cat.")]
    with pytest.raises(UserError, match=r"The tokenizer fails on document 'bad' \(Panic: index out of bounds\)"):
        list(windows(documents, tokenizer, context=16))
