"""A batch gives what each of its windows gives alone, in models that read padding or each other's windows too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from itda_core.dictionaries import TrainConfig, train
from itda_core.errors import UserError
from itda_core.models import LanguageModel, ModelSpec, Site, load_model
from itda_core.models.activation_cache.cached_model import KeptActivations
from itda_core.models.forward.batching import Batching, apart, grouped, in_order, same, taken, tolerance
from itda_core.models.forward.batching_probe import batching_of
from itda_core.models.loading import load_skeleton
from itda_core.models.streamed.harvest import LayerHarvest
from itda_core.text import Corpus, Document, Window, windows
from tests.dictionaries.fake_model import FakeModel, fake_corpus
from tests.models.zoo import FAMILIES, N_LAYERS, USUAL, Family, folder_of

SENTENCE = "The king of torsen deki lo mura. "
DOCUMENTS = [Document(f"d{i}", SENTENCE * n) for i, n in enumerate((1, 4, 2, 2, 3, 1))]
_encoder: dict[str, Any] = {"encoder": True, "has_head": False}
LEAKING = {
    "fnet": Family("fnet", USUAL, **_encoder),
    "mobilebert": Family(
        "mobilebert", {**USUAL, "embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16}, **_encoder
    ),
}


@pytest.fixture(autouse=True)
def _own_home(home: Path) -> None:
    """Nothing is remembered of another test's models."""


def cut(model: LanguageModel, context: int = 40) -> list[Window]:
    return list(windows(DOCUMENTS, model.tokenizer, context=context))


def read(model: Any, cuts: Sequence[Window], kind: str, at_once: int) -> torch.Tensor:
    """All layers side by side: (n_tokens, layers * width)."""
    sites = [model.site(kind, layer) for layer in range(N_LAYERS)]
    batches = model.stream(iter(cuts), sites, windows_per_batch=at_once)
    return torch.cat([torch.cat([batch.activations[site] for site in sites], dim=1) for batch in batches])


def one_by_one(folder: Path, cuts: Sequence[Window], blocks: str) -> torch.Tensor:
    """What transformers alone computes for each window: outputs of all blocks side by side, special tokens left out."""
    import transformers as hf

    module = hf.AutoModel.from_pretrained(folder).eval()
    return torch.cat([_by_transformers(module, window, module.get_submodule(blocks)) for window in cuts])


def _by_transformers(module: Any, window: Window, blocks: Any) -> torch.Tensor:
    seen: list[torch.Tensor] = []

    def keep(_: object, __: object, output: Any) -> None:
        seen.append(output[0] if isinstance(output, tuple) else output)

    handles = [block.register_forward_hook(keep) for block in blocks]
    with torch.no_grad():
        module(input_ids=torch.tensor([window.token_ids]))
    for handle in handles:
        handle.remove()
    return torch.cat([x[0] for x in seen], dim=1)[~torch.tensor(window.special)]


@contextmanager
def changed(model: LanguageModel, change: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[LanguageModel]:
    """The output of block 1, (windows, longest, width), is what `change` makes of it."""

    def hook(_: object, __: object, output: Any) -> Any:
        if isinstance(output, tuple):
            return (change(output[0]), *output[1:])
        return change(output)

    handle = model.blocks.modules[1].register_forward_hook(hook)
    try:
        yield model
    finally:
        handle.remove()


def longer_counts(x: torch.Tensor, by: float = 0.024) -> torch.Tensor:
    """Moves each token by `by` of its norm for every 24 positions there are, padding or not."""
    direction = torch.ones(x.shape[-1], dtype=x.dtype) / x.shape[-1] ** 0.5
    return x + by * x.shape[1] / 24 * x.norm(dim=-1, keepdim=True) * direction


def mixes(x: torch.Tensor) -> torch.Tensor:
    """As batch normalisation does that was left in training mode."""
    return x - 0.5 * x.mean(dim=(0, 1), keepdim=True)


def capped(x: torch.Tensor) -> torch.Tensor:
    """As experts do that take 100 tokens of a batch, padding too, and pass over the rest."""
    rows = x.flatten(0, 1)
    kept = torch.arange(len(rows)) < 100
    return torch.where(kept[:, None], rows, 0 * rows).view_as(x)


@pytest.mark.parametrize("name", LEAKING)
def test_models_that_read_padding_give_what_each_text_gives_alone(name: str, tmp_path: Path) -> None:
    folder = folder_of(LEAKING[name], tmp_path)
    model = load_model(ModelSpec(str(folder), device="cpu"), head=False)
    assert model.batching is Batching.EQUAL
    assert model.batching_note is not None
    assert model.notes == (model.batching_note,)
    cuts = cut(model)
    assert len({*map(len, cuts)}) > 3
    many = read(model, cuts, "resid_post", 16)
    torch.testing.assert_close(many, read(model, cuts, "resid_post", 1), atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(many, one_by_one(folder, cuts, model.blocks.path), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["gpt2", "bloom", "mixtral", "gemma3_text", "bert", "mamba"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_rounding_of_another_shape_is_no_leak(name: str, dtype: str, tmp_path: Path) -> None:
    model = load_model(ModelSpec(str(folder_of(FAMILIES[name], tmp_path)), device="cpu", dtype=dtype), head=False)
    weights = {key: value.clone() for key, value in model.module.state_dict().items()}
    assert model.batching is Batching.TOGETHER
    assert model.notes == ()
    cuts = cut(model)
    assert model.groups(cuts) == [list(range(len(cuts)))]
    for key, value in model.module.state_dict().items():  # as before, also where it was tried in float32
        assert value.dtype == weights[key].dtype
        assert torch.equal(value, weights[key])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_leak_of_a_hundredth_is_found_in_any_precision(dtype: str, tiny_folder: Path) -> None:
    model = load_model(ModelSpec(str(tiny_folder), device="cpu", dtype=dtype))
    with changed(model, longer_counts):
        assert batching_of(model) is Batching.EQUAL
    with changed(model, mixes):
        assert load_and_try(model) is Batching.ALONE
    assert load_and_try(model) is Batching.TOGETHER
    with changed(model, lambda x: x + 0.1 * torch.randn_like(x)):
        assert load_and_try(model) is Batching.UNSTEADY


def load_and_try(model: LanguageModel) -> Batching:
    """Tried anew, whatever is remembered of these files."""
    from itda_core.models.forward import batching_probe

    found = batching_probe._tried(model)
    assert found is not None
    return found


def test_predictions_and_splices_are_those_of_windows_alone(tiny_folder: Path) -> None:
    model = load_model(ModelSpec(str(tiny_folder), device="cpu"))
    site = model.site("resid_post", 2)
    for change, expected in ((longer_counts, Batching.EQUAL), (mixes, Batching.ALONE)):
        with changed(model, change):
            model.batching = load_and_try(model)
            assert model.batching is expected
            cuts = cut(model)
            many = model.predict(cuts, [site])
            ones = [model.predict([window], [site]) for window in cuts]
            assert torch.equal(many.targets, torch.cat([one.targets for one in ones]))
            for got, parts in (
                (many.logits, [one.logits for one in ones]),
                (many.activations[site], [one.activations[site] for one in ones]),
            ):
                torch.testing.assert_close(got, torch.cat(parts), atol=1e-5, rtol=1e-5)
            noise = torch.randn(many.activations[site].shape, generator=torch.Generator().manual_seed(0))
            counts = [len(window.tokens()) for window in cuts]
            spliced = [
                model.predict_spliced([window], site, part)
                for window, part in zip(cuts, noise.split(counts), strict=True)
            ]
            got = model.predict_spliced(cuts, site, noise)
            torch.testing.assert_close(got, torch.cat(spliced), atol=1e-5, rtol=1e-5)
            rows = noise[:5]
            replaced = [model.next_token_logits(cuts[0], site, 3, row[None]) for row in rows]
            got = model.next_token_logits(cuts[0], site, 3, rows)
            torch.testing.assert_close(got, torch.cat(replaced), atol=1e-5, rtol=1e-5)


def test_what_only_a_large_batch_shows_is_found_in_the_batches(tiny_folder: Path) -> None:
    model = load_model(ModelSpec(str(tiny_folder), device="cpu"))
    with changed(model, capped):
        assert model.batching is Batching.TOGETHER  # three short windows have fewer tokens
        cuts = cut(model)
        alone = read(model, cuts, "resid_post", 1)
        assert model.batching is Batching.TOGETHER
        torch.testing.assert_close(read(model, cuts, "resid_post", 16), alone, atol=1e-5, rtol=1e-5)
        assert model.batching is Batching.ALONE
    assert load_model(ModelSpec(str(tiny_folder), device="cpu")).batching is Batching.ALONE  # remembered


def test_a_batch_is_held_against_windows_alone_at_each_site_that_is_read(tiny_folder: Path) -> None:
    model = load_model(ModelSpec(str(tiny_folder), device="cpu"))
    with changed(model, capped):
        before, behind = model.site("resid_post", 0), model.site("resid_post", 1)
        cuts = cut(model)
        alone = torch.cat([batch.activations[behind] for batch in model.stream(cuts, [behind], windows_per_batch=1)])
        list(model.stream(cuts, [before], windows_per_batch=16))  # the same batches, where nothing leaks yet
        (batch,) = model.stream(cuts, [behind], windows_per_batch=len(cuts))
        torch.testing.assert_close(batch.activations[behind], alone, atol=1e-5, rtol=1e-5)


def test_a_memory_too_short_says_nothing_of_the_model(
    tiny_folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(ModelSpec(str(tiny_folder), device="cpu"))
    forward = model.module.forward

    def short(input_ids: torch.Tensor, **options: Any) -> Any:
        if len(input_ids) > 1:
            raise torch.OutOfMemoryError("no memory")
        return forward(input_ids=input_ids, **options)

    with monkeypatch.context() as patched:
        patched.setattr(model.module, "forward", short)
        with pytest.raises(UserError, match="memory does not hold"):
            _ = model.batching
    assert not (home / "cache" / "batching").exists()
    assert load_model(ModelSpec(str(tiny_folder), device="cpu")).batching is Batching.TOGETHER


def test_a_short_window_leaves_the_attention_of_long_ones_as_it_was(tmp_path: Path) -> None:
    big_bird = Family("big_bird", {**USUAL, "block_size": 4, "num_random_blocks": 1}, **_encoder)
    model = load_model(ModelSpec(str(folder_of(big_bird, tmp_path)), device="cpu"), head=False)
    site = model.site("resid_post", 1)
    long, short = (next(windows([DOCUMENTS[i]], model.tokenizer, context=40)) for i in (1, 0))
    assert len(long) == 40  # more than 28, up to where it attends to everything
    assert len(short) < 28
    before = model.capture(long, [site])[site]
    alone = model.capture(short, [site])[site]
    assert torch.equal(model.capture(long, [site])[site], before)
    (batch,) = model.stream([long, short], [site], include_special=True)
    torch.testing.assert_close(batch.activations[site], torch.cat([before, alone]), atol=2e-5, rtol=1e-5)
    assert model.batching is Batching.ALONE


def test_what_was_found_is_remembered_by_what_it_depends_on(tiny_folder: Path, home: Path) -> None:
    def tries(dtype: str = "float32") -> int:
        model = load_model(ModelSpec(str(tiny_folder), device="cpu", dtype=dtype))
        ran: list[int] = []
        handle = model.blocks.modules[0].register_forward_hook(lambda *_: ran.append(1))
        assert model.batching is Batching.TOGETHER
        handle.remove()
        return len(ran)

    assert tries() > 0
    assert tries() == 0
    assert tries("bfloat16") > 0
    kept = sorted((home / "cache" / "batching").iterdir())
    assert len(kept) == 2
    for path in kept:
        assert json.loads(path.read_text()) == "together"
        path.write_text("[" * 10)
    assert tries() > 0


def test_a_home_that_cannot_be_written_changes_nothing(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("ITDA_HOME", str(tmp_path / "a file"))
    assert load_model(ModelSpec(str(tiny_folder), device="cpu")).batching is Batching.TOGETHER


@pytest.mark.parametrize("kind", ["resid_post", "mlp_out"])
def test_a_streamed_model_reads_windows_as_the_one_in_memory(kind: str, tmp_path: Path) -> None:
    folder = folder_of(LEAKING["mobilebert"], tmp_path)
    whole = load_model(ModelSpec(str(folder), device="cpu"), head=False)
    cuts = cut(whole)
    expected = read(whole, cuts, kind, 1)
    skeleton = load_skeleton(ModelSpec(str(folder), device="cpu"))
    sites = [skeleton.site(kind, layer) for layer in range(N_LAYERS)]
    parts = []
    with LayerHarvest(skeleton, cuts, sites, tmp_path / "states", windows_per_batch=4) as harvest:
        for site, source in harvest.sources():
            batches = source.stream(iter(cuts), [site], windows_per_batch=4)
            parts.append(torch.cat([batch.activations[site] for batch in batches]))
    torch.testing.assert_close(torch.cat(parts, dim=1), expected, atol=2e-5, rtol=1e-5)
    assert skeleton.batching is Batching.ALONE
    assert skeleton.batching_note is not None


def test_activations_are_kept_as_windows_alone_give_them(tmp_path: Path) -> None:
    folder = folder_of(LEAKING["fnet"], tmp_path)
    (tmp_path / "text.txt").write_text("\n\n".join(document.text for document in DOCUMENTS))
    corpus = Corpus.open(str(tmp_path / "text.txt"))
    model = load_model(ModelSpec(str(folder), device="cpu"), head=False)
    cuts = list(windows(corpus, model.tokenizer, context=40))
    expected = read(model, cuts, "resid_post", 1)
    for _ in range(2):  # from the model, and from disk
        with KeptActivations(model, corpus, tmp_path / "kept", context=40, windows="all") as source:
            torch.testing.assert_close(read(source, cuts, "resid_post", 4), expected, atol=2e-5, rtol=1e-5)
    assert source.run_batches == 0
    model.batching = Batching.TOGETHER  # as versions had it that did not look
    with KeptActivations(model, corpus, tmp_path / "kept", context=40, windows="all", keep=False) as source:
        read(source, cuts, "resid_post", 4)
    assert source.read_batches == 0


def test_a_training_that_read_padding_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(ModelSpec(str(folder_of(LEAKING["fnet"], tmp_path)), device="cpu"), head=False)
    corpus = Corpus.from_documents("c", DOCUMENTS)
    config, work = TrainConfig(k=2, context=40, tokens=40), tmp_path / "work"
    with monkeypatch.context() as patch:  # as versions had it that did not look
        patch.setattr(LanguageModel, "is_new", lambda *_: False)
        model.batching = Batching.TOGETHER
        (leaky,) = [*train(model, corpus, [1], config, work=work)][-1].dictionaries
    assert set(leaky.stats["stream"]["made"]) == {"dtype", "windows per batch"}  # as they wrote it
    del model.batching
    more = replace(config, tokens=60)
    ways: list[dict[str, Any]] = [{"work": work, "resume": True}, {"extend": [leaky]}]
    for given in ways:
        with pytest.raises(UserError, match="had windows read together and not alone"):
            list(train(model, corpus, [1], more, **given))
    (clean,) = [*train(model, corpus, [1], config, work=work)][-1].dictionaries
    ways = [{"work": work, "resume": True}, {"extend": [clean]}]
    for given in ways:
        (longer,) = [*train(model, corpus, [1], more, **given)][-1].dictionaries
        assert torch.equal(longer.atoms[: len(clean)], clean.atoms)


def test_a_leak_that_the_text_shows_is_told_by_the_checkpoint(tmp_path: Path) -> None:
    model = FakeModel()
    run = train(model, fake_corpus(), [1], TrainConfig(k=2, context=40), work=tmp_path)
    next(run)
    model.batching = Batching.ALONE
    run.close()
    more = train(model, fake_corpus(), [1], TrainConfig(k=2, context=40), work=tmp_path, resume=True)
    assert [*more][-1].done


@pytest.mark.parametrize("layer", [0, 1])
def test_a_streamed_training_that_goes_on_knows_how_its_windows_were_read(layer: int, tmp_path: Path) -> None:
    folder = folder_of(LEAKING["fnet"], tmp_path)

    def harvest() -> LayerHarvest:
        skeleton = load_skeleton(ModelSpec(str(folder), device="cpu"))
        return LayerHarvest(skeleton, cut(skeleton), [Site("resid_post", layer)], tmp_path / "states")

    with harvest() as first:
        assert next(first.sources())[1].batching is Batching.ALONE
    with harvest() as again:
        assert next(again.sources())[1].batching is Batching.ALONE
        assert again.passed == 0


def test_a_training_says_that_windows_run_alone(tmp_path: Path, itda: Callable[..., tuple[int, str, str]]) -> None:
    folder = folder_of(LEAKING["fnet"], tmp_path)
    (tmp_path / "text.txt").write_text("\n\n".join(document.text for document in DOCUMENTS))
    arguments = ["--layers", "1", "--corpus", tmp_path / "text.txt", "--context", "40", "--k", "2", "--device", "cpu"]
    code, _, said = itda("train", folder, *arguments)
    assert code == 0, said
    assert "share a forward pass only where they are of one length" in said


def test_groups_and_back() -> None:
    lengths = [3, 5, 3, 1]
    assert grouped(lengths, Batching.TOGETHER) == [[0, 1, 2, 3]]
    assert grouped(lengths, Batching.EQUAL) == [[0, 2], [1], [3]]
    assert grouped(lengths, Batching.ALONE) == grouped(lengths, Batching.UNSTEADY) == [[0], [1], [2], [3]]
    rows = torch.arange(12.0)[:, None]
    for batching in Batching:
        groups = grouped(lengths, batching)
        parts = taken(groups, rows, lengths)
        assert [len(part) for part in parts] == [sum(lengths[i] for i in group) for group in groups]
        assert torch.equal(in_order(groups, parts, lengths), rows)


def test_one_token_that_rounding_sent_elsewhere_is_no_leak(tiny_folder: Path) -> None:
    model = load_model(ModelSpec(str(tiny_folder), device="cpu"))
    calls: list[int] = []

    def elsewhere(x: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(x) == 3 and len(calls) < 5:  # in the first batch that is tried, of three windows
            x = x.clone()
            x[2, 1] *= 1.5
        return x

    with changed(model, elsewhere):
        assert load_and_try(model) is Batching.TOGETHER
    x = torch.ones(16, 4)
    assert apart(x, x, 1e-3) == 0
    assert apart(x, x.index_fill(0, torch.tensor([3]), 2.0), 1e-3) == 1 / 16
    assert apart(x, x[1:], 1e-3) == 1


def test_what_counts_as_the_same() -> None:
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    limit = tolerance(torch.float32)
    assert 1e-5 < limit < 1e-3
    assert same(x, x * (1 + 1e-5), limit)
    for wrong in (x * 1.01, x[:4], x.index_fill(0, torch.tensor(2), float("nan"))):
        assert not same(x, wrong, limit)
    one_token = x.clone()
    one_token[3] += 0.01 * x[3].norm() / 8**0.5
    assert not same(x, one_token, limit)
    assert same(x.index_fill(0, torch.tensor(2), float("nan")), x, limit)  # what is not finite is refused elsewhere
    assert same(0 * x, 0 * x, limit)
    assert not same(0 * x, x, limit)
