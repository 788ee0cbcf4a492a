"""An index made of a model, a dictionary and a text, against a plain loop over the dictionary's own codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from itda_core import AtomDictionary, Corpus, TrainConfig, UserError, train
from itda_core.analysis.atoms.build import IndexProgress, index_atoms
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.analysis.atoms.index_format import ENTRY_COLUMNS
from itda_core.models import LanguageModel
from itda_core.text import Document, Window, windows
from tests.analysis.atoms.test_index_writer import FILES, HOSTILE
from tests.conftest import generated_text
from tests.runs.samples import make_dictionary

CONTEXT, AT_ONCE, LAYER = 16, 3, 1
MEANS = {"selection": "consensus", "threshold": None, "atoms": 30, "centre": True}
LASTING = FILES[:-1]  # index.json says when it was made


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Documents of one to four sentences, and two of hostile text."""
    texts = generated_text(120, seed=3)
    documents = [Document(f"d{i}", " ".join(texts[3 * i : 3 * i + 1 + i % 4])) for i in range(30)]
    documents += [Document(f"{HOSTILE[0]} {i}", " ".join(HOSTILE)) for i in range(2)]
    return Corpus.from_documents("generated", documents)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AtomDictionary]:
    """A saved dictionary, grown on a text that no test indexes."""
    text = Corpus.from_documents("elsewhere", [Document(f"e{i}", line) for i, line in enumerate(generated_text(40, 8))])

    def grow(model: LanguageModel, on: Corpus = text, **settings: Any) -> AtomDictionary:
        config = TrainConfig(**{"k": 4, "threshold": 0.2, "context": CONTEXT, "tokens": 250, **settings})
        *_, last = train(model, on, [LAYER], config)
        folder = tmp_path_factory.mktemp("dictionaries") / "one"
        return AtomDictionary.load(last.dictionaries[0].save_pretrained(folder))

    return grow


class Known:
    """A truth made up of the names of documents and of characters."""

    def kind(self, document: str) -> str | None:
        return document[:1]

    def spans(self, document: str, character: int) -> str | None:
        assert character >= 0
        return f"{document}/{character}" if character % 3 else ""


def made(model: LanguageModel, dictionary: AtomDictionary, corpus: Corpus, folder: Path, **how: Any) -> IndexProgress:
    *_, last = index_atoms(model, dictionary, corpus, folder=folder, windows_per_batch=AT_ONCE, **how)
    assert last.done
    assert last.folder == folder
    return last


def by_loop(
    model: LanguageModel, dictionary: AtomDictionary, read: list[Window], truth: Any = None
) -> dict[str, list[dict[str, Any]]]:
    """Every row of every file but the sums, token by token."""
    site = model.site("resid_post", LAYER)
    entries, tokens, texts, codes = [], [], [], []
    for start in range(0, len(read), AT_ONCE):
        together = read[start : start + AT_ONCE]
        (batch,) = model.stream(together, [site], windows_per_batch=AT_ONCE)
        x = batch.activations[site]
        limit = dictionary.sink_norm
        keep = [limit is None or float(np.linalg.norm(row.double())) <= limit for row in x]
        code = dictionary.encode(x[torch.tensor(keep)])
        kept = iter(zip(code.indices.tolist(), code.coefficients.numpy(), strict=True))
        place = iter(zip(x, keep, strict=True))
        for number, window in enumerate(together, start=start):
            first = len(tokens)
            for token in window.tokens():
                row, is_kept = next(place)
                if not is_kept:
                    continue
                sums: dict[int, np.float32] = {}
                steps: dict[int, int] = {}
                for step, (atom, value) in enumerate(zip(*next(kept), strict=True)):
                    if value != 0:
                        sums[atom] = np.float32(sums.get(atom, np.float32(0)) + value)
                        steps.setdefault(atom, step)
                own = {atom: value for atom, value in sums.items() if value != 0}
                entries += [(atom, len(tokens), float(value), steps[atom]) for atom, value in own.items()]
                codes.append(sorted(own, key=lambda atom, own=own: (-abs(own[atom]), atom)))
                mean = dictionary.mean.double() if dictionary.config.centre else 0
                centred = (row.double() - mean).numpy()
                x_hat = sum(float(value) * dictionary.atoms[atom].double().numpy() for atom, value in own.items())
                tokens.append(
                    {
                        "window": number,
                        "position": token.position,
                        "token_id": window.token_ids[token.position],
                        "char_start": window.spans[token.position][0],
                        "char_end": window.spans[token.position][1],
                        "norm": float(np.linalg.norm(centred)),
                        "relative_error": float(((centred - x_hat) ** 2).sum() / (centred**2).sum()),
                        "span": truth and (truth.spans(window.document, token.char_end - 1) if token.char_end else ""),
                    }
                )
            text = window.text[window.char_start : max(end for _, end in window.spans)]
            texts.append(
                {
                    "document": window.document,
                    "window_start": window.char_start,
                    "text": text,
                    "kind": truth and truth.kind(window.document),
                    "first_token": first,
                    "n_tokens": len(tokens) - first,
                }
            )
    rows = [dict(zip(ENTRY_COLUMNS, entry, strict=True)) for entry in sorted(entries)]
    return {"entries": rows, "tokens": tokens, "windows": texts, "codes": [{"atoms": row} for row in codes]}


def check(folder: Path, wanted: dict[str, list[dict[str, Any]]], n_atoms: int) -> None:
    """The files in `folder` are those of the loop; norms and errors but for their rounding."""
    found = {name: pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("entries", "tokens", "windows")}
    for row, other in zip(found["tokens"], wanted["tokens"], strict=True):
        assert row["norm"] == pytest.approx(other["norm"], rel=1e-6)
        assert row["relative_error"] == pytest.approx(other["relative_error"], abs=1e-6)
        assert {**row, "norm": 0, "relative_error": 0} == {**other, "norm": 0, "relative_error": 0}
    assert found["entries"] == wanted["entries"]
    assert found["windows"] == wanted["windows"]
    codes = np.load(folder / "codes.npy")
    assert [[atom for atom in row if atom != 65535] for row in codes.tolist()] == [r["atoms"] for r in wanted["codes"]]
    norms = [row["norm"] for row in found["tokens"]]
    atoms = pq.read_table(folder / "atoms.parquet").to_pylist()
    assert len(atoms) == n_atoms
    for atom, row in enumerate(atoms):
        own = [entry for entry in wanted["entries"] if entry["atom"] == atom]
        values = [entry["coefficient"] for entry in own]
        assert row["positive"] + row["negative"] == len(own)
        assert row["first"] == sum(entry["step"] == 0 for entry in own)
        assert row["sum"] == pytest.approx(sum(values), rel=1e-12, abs=1e-12)
        assert row["sum_share"] == pytest.approx(sum(abs(e["coefficient"]) / norms[e["token"]] for e in own), rel=1e-12)
        assert (row["largest"], row["smallest"]) == (max(values, default=0), min(values, default=0))


def up_to(corpus: Corpus, model: LanguageModel, tokens: int) -> list[Window]:
    """The windows in which `tokens` is reached."""
    read = []
    for window in windows(corpus, model.tokenizer, context=CONTEXT):
        read.append(window)
        tokens -= len(window.tokens())
        if tokens <= 0:
            break
    return read


@pytest.mark.parametrize("family", ["gpt2", "llama", "bert"])
@pytest.mark.parametrize("settings", [{}, MEANS], ids=["own", "means"])
def test_every_file_is_that_of_a_loop(
    model_of: Callable[[str], LanguageModel],
    grown: Callable[..., AtomDictionary],
    corpus: Corpus,
    tmp_path: Path,
    family: str,
    settings: dict[str, Any],
) -> None:
    model = model_of(family)
    dictionary = grown(model, **settings)
    last = made(model, dictionary, corpus, tmp_path / "index", tokens=300, truth=Known())
    read = up_to(corpus, model, 300)
    wanted = by_loop(model, dictionary, read, Known())
    check(tmp_path / "index", wanted, len(dictionary))
    said = last.description
    assert said is not None
    assert AtomIndex.open(tmp_path / "index").description == said
    assert (said.tokens, said.windows, said.entries) == (len(wanted["tokens"]), len(read), len(wanted["entries"]))
    assert (said.dictionary, said.text, said.k, said.method) == (dictionary.identity, "other corpus", 4, "mp")
    assert said.energy == pytest.approx(sum(row["norm"] ** 2 for row in wanted["tokens"]), rel=1e-6)
    assert json.loads((tmp_path / "index" / "index.json").read_text())["notes"] == list(said.notes)


@pytest.mark.parametrize("method", ["omp", "gp"])
def test_codes_are_those_of_the_dictionarys_own_pursuit(
    tiny_model: LanguageModel, grown: Callable[..., AtomDictionary], corpus: Corpus, tmp_path: Path, method: str
) -> None:
    dictionary = grown(tiny_model, method=method)
    last = made(tiny_model, dictionary, corpus, tmp_path / "index", tokens=60)
    check(tmp_path / "index", by_loop(tiny_model, dictionary, up_to(corpus, tiny_model, 60)), len(dictionary))
    assert last.description is not None
    assert last.description.method == method


def test_sinks_are_left_out_and_counted(
    tiny_model: LanguageModel, grown: Callable[..., AtomDictionary], corpus: Corpus, tmp_path: Path
) -> None:
    dictionary = grown(tiny_model, sinks=2)
    read = up_to(corpus, tiny_model, 200)
    site = tiny_model.site("resid_post", LAYER)
    norms = np.sort([float(x.norm()) for window in read for x in tiny_model.capture(window, [site])[site]])
    dictionary.stats["norm_median"] = float(norms[len(norms) // 2 : len(norms) // 2 + 2].mean()) / 2
    last = made(tiny_model, dictionary, corpus, tmp_path / "index", tokens=200)
    check(tmp_path / "index", by_loop(tiny_model, dictionary, read), len(dictionary))
    assert last.description is not None
    assert last.description.sinks_left_out + last.description.tokens == len(norms)
    assert abs(last.description.sinks_left_out - len(norms) / 2) <= 2
    assert "attention sinks were left out" in last.notes[-1]
    dictionary.stats["norm_median"] = 1e-9
    with pytest.raises(UserError, match="Every token of this text is an attention sink"):
        made(tiny_model, dictionary, corpus, tmp_path / "none", tokens=200)


def test_text_that_was_built_from_is_left_out(
    tiny_model: LanguageModel, grown: Callable[..., AtomDictionary], corpus: Corpus, tmp_path: Path
) -> None:
    dictionary = grown(tiny_model, on=corpus, tokens=200)
    last = made(tiny_model, dictionary, corpus, tmp_path / "index", tokens=60)
    assert last.description is not None
    assert last.description.text in ("held-out", "training")
    passed = dictionary.stats["windows"] if last.description.text == "held-out" else 0
    every = list(windows(corpus, tiny_model.tokenizer, context=CONTEXT))[passed:]
    first = pq.read_table(tmp_path / "index" / "windows.parquet").to_pylist()[0]
    assert (first["document"], first["window_start"]) == (every[0].document, every[0].char_start)
    assert corpus.id in last.notes[0]


def test_a_text_that_ends_early_says_so(
    tiny_model: LanguageModel, grown: Callable[..., AtomDictionary], corpus: Corpus, tmp_path: Path
) -> None:
    last = made(tiny_model, grown(tiny_model), corpus, tmp_path / "index", tokens=10**6)
    assert last.notes[-1] == f"The text ended after {last.tokens:,} of 1,000,000 tokens."
    assert last.share == 1.0


def test_progress_only_goes_on(
    tiny_model: LanguageModel, grown: Callable[..., AtomDictionary], corpus: Corpus, tmp_path: Path
) -> None:
    found = list(index_atoms(tiny_model, grown(tiny_model), corpus, tokens=100, folder=tmp_path / "index"))
    shares = [progress.share for progress in found]
    assert shares == sorted(shares)
    assert [progress.done for progress in found] == [False] * (len(found) - 1) + [True]
    assert {"finding text", "encoding", "writing the index", "done"} == {progress.step for progress in found}


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in LASTING}


def test_a_kill_at_any_point_changes_nothing(
    tiny_model: LanguageModel, grown: Callable[..., AtomDictionary], corpus: Corpus, tmp_path: Path
) -> None:
    dictionary = grown(tiny_model)
    how: dict[str, Any] = {"tokens": 200, "windows_per_batch": AT_ONCE, "truth": Known()}
    made(tiny_model, dictionary, corpus, tmp_path / "whole", tokens=200, truth=Known())
    for saved_each_time in (True, False):
        running = index_atoms(
            *(tiny_model, dictionary, corpus),
            folder=tmp_path / "never",
            work=tmp_path / "work",
            checkpoint_seconds=0 if saved_each_time else 1e9,
            **how,
        )
        for number, progress in enumerate(running):
            if progress.done:
                break
            killed = tmp_path / f"killed-{saved_each_time}-{number}"
            if (tmp_path / "work").exists():
                shutil.copytree(tmp_path / "work", killed)  # what a kill here leaves
            else:
                killed.mkdir()
            again = made(tiny_model, dictionary, corpus, killed / "index", work=killed, resume=True, **_rest(how))
            assert files(killed / "index") == files(tmp_path / "whole")
            assert [path.name for path in killed.iterdir()] == ["index"]
            assert not any("begins anew" in note for note in again.notes)
        shutil.rmtree(tmp_path / "never")


def _rest(how: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in how.items() if name != "windows_per_batch"}


def test_what_was_encoded_is_kept_when_it_is_closed(
    tiny_model: LanguageModel, grown: Callable[..., AtomDictionary], corpus: Corpus, tmp_path: Path
) -> None:
    dictionary = grown(tiny_model)
    how: dict[str, Any] = {"tokens": 200, "windows_per_batch": AT_ONCE, "work": tmp_path / "work"}
    running = index_atoms(tiny_model, dictionary, corpus, folder=tmp_path / "index", **how)
    *_, closed = islice((progress for progress in running if progress.step == "encoding"), 4)
    running.close()
    encoded: list[int] = []
    stream = type(tiny_model).stream
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(tiny_model), "stream", lambda *a, **b: encoded.append(len(a[1])) or stream(*a, **b))
        *_, last = index_atoms(tiny_model, dictionary, corpus, folder=tmp_path / "index", resume=True, **how)
    made(tiny_model, dictionary, corpus, tmp_path / "whole", tokens=200)
    assert files(tmp_path / "index") == files(tmp_path / "whole")
    assert closed.tokens > 0
    assert last.description is not None
    assert sum(encoded) == last.description.windows - 4 * AT_ONCE


def test_work_of_another_text_is_begun_anew_and_said(
    tiny_model: LanguageModel, grown: Callable[..., AtomDictionary], corpus: Corpus, tmp_path: Path
) -> None:
    dictionary = grown(tiny_model)
    how: dict[str, Any] = {"tokens": 200, "work": tmp_path / "work", "windows_per_batch": AT_ONCE}
    running = index_atoms(tiny_model, dictionary, corpus, folder=tmp_path / "index", **how)
    *_, _ = islice((progress for progress in running if progress.step == "encoding"), 1)
    running.close()
    other = Corpus.from_documents("other", [Document("o", " ".join(generated_text(30, seed=5)))])
    last = made(tiny_model, dictionary, other, tmp_path / "index", tokens=200, work=tmp_path / "work", resume=True)
    assert "begins anew" in last.notes[0]
    assert last.description is not None
    assert not any("begins anew" in note for note in last.description.notes)
    made(tiny_model, dictionary, other, tmp_path / "whole", tokens=200)
    assert files(tmp_path / "index") == files(tmp_path / "whole")


def test_nothing_is_left_behind_without_work(
    tiny_model: LanguageModel, grown: Callable[..., AtomDictionary], corpus: Corpus, tmp_path: Path
) -> None:
    running = index_atoms(
        tiny_model, grown(tiny_model), corpus, tokens=200, folder=tmp_path / "deep" / "index", windows_per_batch=1
    )
    *_, _ = islice((progress for progress in running if progress.step == "encoding"), 2)
    running.close()
    assert list((tmp_path / "deep").iterdir()) == []


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"tokens": 0}, "tokens=0 indexes nothing"),
        ({"tokens": True}, "tokens=True indexes nothing"),
        ({"windows_per_batch": 0}, "windows_per_batch=0 is too small"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    tiny_model: LanguageModel,
    grown: Callable[..., AtomDictionary],
    corpus: Corpus,
    tmp_path: Path,
    how: dict[str, Any],
    sentence: str,
) -> None:
    with pytest.raises(UserError, match=sentence):
        index_atoms(tiny_model, grown(tiny_model), corpus, folder=tmp_path / "index", **how)


def test_dictionaries_that_do_not_belong_here_are_refused(
    model_of: Callable[[str], LanguageModel],
    tiny_model: LanguageModel,
    grown: Callable[..., AtomDictionary],
    corpus: Corpus,
    tmp_path: Path,
) -> None:
    of_another = grown(model_of("llama"))
    with pytest.raises(UserError, match=r"was built on .*tiny-llama"):
        index_atoms(tiny_model, of_another, corpus, folder=tmp_path / "index")
    other_tokens = make_dictionary(of=tiny_model, layer=LAYER, tokenizer_fingerprint="1" * 64)
    with pytest.raises(UserError, match="another tokenizer"):
        index_atoms(tiny_model, other_tokens, corpus, folder=tmp_path / "index")
    with pytest.raises(UserError, match="never saved"):
        index_atoms(tiny_model, make_dictionary(of=tiny_model, layer=LAYER), corpus, folder=tmp_path / "index")
    with pytest.raises(UserError, match="exists already"):
        index_atoms(tiny_model, grown(tiny_model), corpus, folder=tmp_path)


def test_a_text_without_tokens_and_activations_that_are_none_are_refused(
    tiny_model: LanguageModel,
    grown: Callable[..., AtomDictionary],
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dictionary = grown(tiny_model)
    with pytest.raises(UserError, match="no token of text"):
        made(tiny_model, dictionary, Corpus.from_documents("empty", [Document("d", "")]), tmp_path / "index")
    block = tiny_model.blocks.modules[LAYER]
    handle = block.register_forward_hook(lambda *given: _nan(given[2]))
    try:
        with pytest.raises(UserError, match="finite"):
            made(tiny_model, dictionary, corpus, tmp_path / "index", tokens=50)
    finally:
        handle.remove()
    assert list(tmp_path.iterdir()) == []


def _nan(output: Any) -> Any:
    first = output[0] if isinstance(output, tuple) else output
    broken = torch.full_like(first, torch.nan)
    return (broken, *output[1:]) if isinstance(output, tuple) else broken
