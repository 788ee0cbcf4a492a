"""Activations kept on disk: the same stream to the bit, whoever gives it, and never half a shard."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from itda_core.dictionaries import TrainConfig, train
from itda_core.errors import UserError
from itda_core.models import Site
from itda_core.models.activation_cache import cached_model as kept_module
from itda_core.models.activation_cache.cached_model import KeptActivations
from itda_core.models.activation_cache.shards import Index, digest_of, open_set, remove_set, sets
from itda_core.text import Corpus, Document, Window, windows
from tests.conftest import generated_text
from tests.dictionaries.growing.test_training import assert_same, finish

CONTEXT = 24
CONFIG = TrainConfig(k=4, threshold=0.3, context=CONTEXT, tokens=700)
LAYERS = [1, 3]


@pytest.fixture(scope="module")
def model(model_of):
    return model_of("gpt2")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    sentences = generated_text(120, seed=7)
    documents = [Document(f"d{i}", " ".join(sentences[i : i + 6])) for i in range(0, len(sentences), 6)]
    return Corpus.from_documents("sentences", documents)


class Counting:
    """Stands in for the model's stream: how many windows it was run on, and whether it may run at all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, model) -> None:
        self.windows = 0
        self.sites: list[Site] = []
        self.forbidden = False
        real = model.stream

        def stream(windows, sites, **options):
            windows = list(windows)
            assert not self.forbidden, "the model was run"
            self.windows += len(windows)
            self.sites += sites
            return real(windows, sites, **options)

        monkeypatch.setattr(model, "stream", stream)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, model) -> Counting:
    return Counting(monkeypatch, model)


def source(model, corpus: Corpus, root: Path, *, keep: bool = True, notes: list[str] | None = None) -> KeptActivations:
    said = [] if notes is None else notes
    return KeptActivations(model, corpus, root, context=CONTEXT, windows="all", keep=keep, on_note=said.append)


def cut(model, corpus: Corpus) -> Iterator[Window]:
    return windows(corpus, model.tokenizer, context=CONTEXT)


def sites(model, layers: Sequence[int]) -> list[Site]:
    return [model.site("resid_post", layer) for layer in layers]


def read(stream) -> list:
    """A stream as something to compare: text positions, windows done and activations."""
    return [
        (
            [(t.window.document, t.window.char_start, t.position) for t in batch.tokens],
            batch.windows,
            {site.name: x.clone() for site, x in batch.activations.items()},
        )
        for batch in stream
    ]


def assert_equal_streams(a: list, b: list) -> None:
    assert [part[:2] for part in a] == [part[:2] for part in b]
    for (_, _, x), (_, _, y) in zip(a, b, strict=True):
        assert x.keys() == y.keys()
        assert all(torch.equal(x[name], y[name]) and x[name].dtype == torch.float32 for name in x)


def test_what_is_read_is_what_the_model_gives(model, corpus: Corpus, tmp_path: Path, runs: Counting) -> None:
    both = sites(model, LAYERS)
    plain = read(model.stream(cut(model, corpus), both))
    with source(model, corpus, tmp_path) as first:
        assert_equal_streams(read(first.stream(cut(model, corpus), both)), plain)
    assert (first.read_batches, first.run_batches) == (0, len(plain))
    runs.forbidden = True
    for keep in (True, False):
        with source(model, corpus, tmp_path, keep=keep) as again:
            assert_equal_streams(read(again.stream(cut(model, corpus), both)), plain)
            assert (again.read_batches, again.run_batches) == (len(plain), 0)
            one = [(tokens, done, {both[1].name: x[both[1].name]}) for tokens, done, x in plain]
            assert_equal_streams(read(again.stream(cut(model, corpus), both[1:])), one)
    (kept,) = sets(tmp_path)
    assert kept.tokens == sum(len(tokens) for tokens, _, _ in plain)
    assert kept.sites == tuple(site.name for site in both)
    assert 0 < kept.bytes - 2 * kept.tokens * model.d_model * 4 < 20_000
    assert (kept.model, kept.corpus, kept.context, kept.windows) == (model.name, "sentences", CONTEXT, "all")


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 30), st.integers(1, 30), st.integers(1, 2**20))
def test_any_part_is_read_and_the_rest_is_run(tmp_path_factory, model_of, first: int, then: int, shard: int) -> None:
    """Whatever was kept before, and in shards of whatever size, nothing changes and nothing is run twice."""
    model = model_of("gpt2")
    texts = generated_text(31, seed=3)
    corpus = Corpus.from_documents("short", [Document(f"{i}", text) for i, text in enumerate(texts)])
    root, all_windows, both = tmp_path_factory.mktemp("kept"), list(cut(model, corpus)), sites(model, LAYERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_module, "SHARD_BYTES", shard)
        runs = Counting(patch, model)
        with source(model, corpus, root) as one:
            read(one.stream(all_windows[:first], both, windows_per_batch=4))
        plain = read(model.stream(all_windows[:then], both, windows_per_batch=4))
        runs.windows = 0
        with source(model, corpus, root) as two:
            assert_equal_streams(read(two.stream(all_windows[:then], both, windows_per_batch=4)), plain)
        whole = min(first, then) // 4 * 4  # a last batch of fewer windows is another batch
        assert runs.windows == (0 if first == then else then - whole)


def test_trainings_are_the_same_to_the_bit_and_the_second_runs_no_model(
    model, corpus: Corpus, tmp_path: Path, runs: Counting
) -> None:
    with source(model, corpus, tmp_path) as kept:
        first = finish(train(kept, corpus, LAYERS, CONFIG)).dictionaries
    for a, b in zip(first, finish(train(model, corpus, LAYERS, CONFIG)).dictionaries, strict=True):
        assert_same(a, b)
    for change in ({"threshold": 0.2}, {"method": "omp"}, {"tokens": 300, "centre": True}, {"selection": "paper"}):
        config = TrainConfig.from_dict({**CONFIG.to_dict(), "threshold": None, **change})
        plain = finish(train(model, corpus, [3], config)).dictionaries
        runs.forbidden = True
        with source(model, corpus, tmp_path, keep=False) as kept:
            assert_same(finish(train(kept, corpus, [3], config)).dictionaries[0], plain[0])
        runs.forbidden = False
    more = replace(CONFIG, tokens=None)
    plain = finish(train(model, corpus, LAYERS, more)).dictionaries
    runs.windows = 0
    with source(model, corpus, tmp_path) as kept:
        went_on = finish(train(kept, corpus, LAYERS, more)).dictionaries
    for a, b in zip(plain, went_on, strict=True):
        assert_same(a, b)
    assert 0 <= runs.windows < len(list(cut(model, corpus)))


def test_more_layers_run_the_model_and_write_only_what_is_missing(
    model, corpus: Corpus, tmp_path: Path, runs: Counting
) -> None:
    with source(model, corpus, tmp_path) as one:
        read(one.stream(cut(model, corpus), sites(model, [1])))
    (before,) = sets(tmp_path)
    with source(model, corpus, tmp_path) as two:
        read(two.stream(cut(model, corpus), sites(model, [1, 2])))
    (after,) = sets(tmp_path)
    assert before.tokens == after.tokens
    assert after.bytes == pytest.approx(2 * before.bytes, rel=0.05)
    runs.forbidden = True
    with source(model, corpus, tmp_path) as three:
        read(three.stream(cut(model, corpus), sites(model, [2, 1])))


def test_another_text_precision_or_weights_are_kept_apart(model, corpus: Corpus, tmp_path: Path) -> None:
    other = Corpus.from_documents("other", [Document("x", "Something else.")])
    with source(model, corpus, tmp_path) as one:
        read(one.stream(cut(model, corpus), sites(model, [1])))
    with source(model, other, tmp_path) as two:
        read(two.stream(cut(model, other), sites(model, [1])))
    keys = [json.loads((kept.folder / "set.json").read_text())["key"] for kept in sets(tmp_path)]
    assert len(keys) == 2
    assert {key["corpus"] for key in keys} == {corpus.fingerprint, other.fingerprint}
    key = one._key
    for name, value in (
        ("weights", "w"),
        ("dtype", "torch.float16"),
        ("context", 25),
        ("software", "9"),
        ("device", "x"),
    ):
        assert replace(key, **{name: value}).digest() != key.digest()


def test_half_precision_is_stored_as_it_is(tiny_folder: Path, corpus: Corpus, tmp_path: Path) -> None:
    from itda_core.models import ModelSpec, load_model

    model = load_model(ModelSpec(str(tiny_folder), device="cpu", dtype="bfloat16"))
    plain = read(model.stream(cut(model, corpus), sites(model, LAYERS)))
    for _ in range(2):
        with source(model, corpus, tmp_path) as kept:
            assert_equal_streams(read(kept.stream(cut(model, corpus), sites(model, LAYERS))), plain)
    (found,) = sets(tmp_path)
    assert found.bytes < 2 * found.tokens * model.d_model * 2 + 20_000


def test_a_kill_leaves_whole_shards_only(
    model, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "SHARD_BYTES", 40_000)
    plain = read(model.stream(cut(model, corpus), sites(model, LAYERS), windows_per_batch=4))
    killed = source(model, corpus, tmp_path)
    killed.__enter__()
    stream = killed.stream(cut(model, corpus), sites(model, LAYERS), windows_per_batch=4)
    for _ in range(7):
        next(stream)
    killed._inside.close()  # the system frees the lock of a killed process; nothing else happens
    (found,) = sets(tmp_path)
    (found.folder / ".partial-torn.safetensors").write_bytes(b"half")
    written = list(found.folder.glob("[!.]*.safetensors"))
    assert len(written) > 1
    for path in written:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            assert names
            assert all(file.get_tensor(name).shape[1] == model.d_model for name in names)
    with source(model, corpus, tmp_path) as again:
        assert_equal_streams(read(again.stream(cut(model, corpus), sites(model, LAYERS), windows_per_batch=4)), plain)
    assert 0 < again.read_batches < 7
    assert not list(found.folder.glob(".partial*"))


def test_a_lost_or_damaged_shard_is_run_again(
    model, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "SHARD_BYTES", 20_000)
    plain = read(model.stream(cut(model, corpus), sites(model, LAYERS), windows_per_batch=4))
    with source(model, corpus, tmp_path) as kept:
        read(kept.stream(cut(model, corpus), sites(model, LAYERS), windows_per_batch=4))
    (found,) = sets(tmp_path)
    lost, torn, foreign, *_ = sorted(found.folder.glob("[!.]*.safetensors"))
    with source(model, corpus, tmp_path) as kept:
        lost.unlink()
        torn.write_bytes(torn.read_bytes()[:3000])
        foreign.write_bytes(b"\xff" * 50)
        assert_equal_streams(read(kept.stream(cut(model, corpus), sites(model, LAYERS), windows_per_batch=4)), plain)
        assert kept.run_batches > 0
    with source(model, corpus, tmp_path, keep=False) as kept:
        read(kept.stream(cut(model, corpus), sites(model, LAYERS), windows_per_batch=4))
        assert kept.run_batches == 0


def test_a_second_writer_reads_only(model, corpus: Corpus, tmp_path: Path) -> None:
    notes: list[str] = []
    with source(model, corpus, tmp_path) as one:
        read(one.stream(cut(model, corpus), sites(model, [1])))
        with source(model, corpus, tmp_path, notes=notes) as two:
            read(two.stream(cut(model, corpus), sites(model, [2])))
        assert notes == ["Another training is keeping the same activations; this one only reads them."]
        with pytest.raises(UserError, match="A training is writing to"):
            remove_set(tmp_path, sets(tmp_path)[0].name)
    (found,) = sets(tmp_path)
    assert found.sites == (model.site("resid_post", 1).name,)


def test_without_keeping_nothing_is_written(model, corpus: Corpus, tmp_path: Path) -> None:
    with source(model, corpus, tmp_path / "none", keep=False) as kept:
        read(kept.stream(cut(model, corpus), sites(model, [1])))
    assert not (tmp_path / "none").exists()


def test_removing_a_set(model, corpus: Corpus, tmp_path: Path) -> None:
    with source(model, corpus, tmp_path) as kept:
        read(kept.stream(cut(model, corpus), sites(model, [1])))
    (tmp_path / "notes").mkdir()
    (found,) = sets(tmp_path)
    with pytest.raises(UserError, match="There are no kept activations named 'nothing'"):
        remove_set(tmp_path, "nothing")
    assert remove_set(tmp_path, found.name) == found
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
    assert sets(tmp_path / "nowhere") == []


def test_a_full_disk_is_one_sentence_and_leaves_no_half_shard(
    model, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, raw: bytes) -> int:
        self.open("wb").write(raw[: len(raw) // 2])
        raise OSError(28, "No space left on device")

    kept = source(model, corpus, tmp_path).__enter__()
    read(kept.stream(cut(model, corpus), sites(model, [1])))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="disk is full"):
        kept.__exit__(None, None, None)
    monkeypatch.undo()
    (found,) = sets(tmp_path)
    assert (found.tokens, [path.name for path in found.folder.glob("*.safetensors")]) == (0, [])
    assert not list(found.folder.glob(".partial*"))
    with source(model, corpus, tmp_path) as kept:  # and the lock was given back
        assert kept._keep


def test_a_bit_that_was_turned_in_a_shard_is_computed_anew(
    model, corpus: Corpus, tmp_path: Path, runs: Counting
) -> None:
    both = sites(model, [1])
    plain = read(model.stream(cut(model, corpus), both))
    with source(model, corpus, tmp_path) as kept:
        read(kept.stream(cut(model, corpus), both))
    (found,) = sets(tmp_path)
    (shard,) = found.folder.glob("*.safetensors")
    raw = bytearray(shard.read_bytes())
    raw[-5] ^= 1  # in the last numbers
    shard.write_bytes(raw)
    runs.windows = 0
    with source(model, corpus, tmp_path, keep=False) as again:
        assert_equal_streams(read(again.stream(cut(model, corpus), both)), plain)
        assert again.run_batches
    with safe_open(shard, framework="pt") as file:  # as an earlier version wrote it, without digests: read as it is
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        batches = file.metadata()["batches"]
    save_file(tensors, shard, metadata={"batches": batches})
    runs.forbidden = True
    with source(model, corpus, tmp_path, keep=False) as again:
        assert len(read(again.stream(cut(model, corpus), both))) == len(plain)


@pytest.mark.parametrize("batches", ["[" * 100_000, '[["x"]]', "7" * 5_000, "{}", '[[1, "x"]]', "null"])
def test_a_shard_whose_header_says_nothing_holds_nothing(tmp_path: Path, batches: str) -> None:
    save_file({"0.site": torch.zeros(2, 3)}, tmp_path / "a.safetensors", metadata={"batches": batches})
    assert Index(tmp_path).places == {}
    (tmp_path / "b.safetensors").mkdir()
    (tmp_path / "set.json").symlink_to(tmp_path / "set.json")
    assert sets(tmp_path.parent) == []


def test_the_digest_tells_windows_apart() -> None:
    def window(ids: tuple[int, ...], special: tuple[bool, ...] | None = None) -> Window:
        return Window("d", "text", 0, ids, tuple((0, 1) for _ in ids), special or (False,) * len(ids))

    groups = [
        [window((1, 2)), window((3,))],
        [window((1,)), window((2, 3))],
        [window((1, 2, 3))],
        [window((1, 2)), window((3,), (True,))],
        [window((3,)), window((1, 2))],
    ]
    assert len({digest_of(group) for group in groups}) == len(groups)
    elsewhere = replace(groups[0][0], document="e", char_start=7)
    assert digest_of([elsewhere, groups[0][1]]) == digest_of(groups[0])  # what is read is the same


def test_sets_of_another_version_are_left_alone(model, corpus: Corpus, tmp_path: Path) -> None:
    with source(model, corpus, tmp_path) as kept:
        key = kept._key
    folder = open_set(tmp_path, key, model="m", corpus="c")
    said = json.loads((folder / "set.json").read_text())
    (folder / "set.json").write_text(json.dumps({**said, "version": 0}))
    assert sets(tmp_path) == []
    assert Index(folder).places == {}
