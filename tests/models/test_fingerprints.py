"""What counts as one model: weights and config; and that what earlier versions recorded is still known."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from itda_core.analysis.decompose import check_model
from itda_core.dictionaries import AtomDictionary, TrainConfig, train
from itda_core.dictionaries.checkpoints.checkpoint import differences
from itda_core.errors import UserError
from itda_core.fingerprints import by_model, same_model, weights_of
from itda_core.models import LanguageModel, ModelSpec, Site, load_model
from itda_core.models.activation_cache.cached_model import KeptActivations
from itda_core.models.activation_cache.shards import open_set
from itda_core.models.fingerprints import model_fingerprint, weights_fingerprint
from itda_core.models.folder.model_folder import weight_files
from itda_core.models.loading import load_skeleton
from itda_core.models.streamed.harvest import LayerHarvest
from itda_core.text import Corpus, Document, windows

ROOT = Path(__file__).resolve().parents[2]
W, X, A, B = "1" * 64, "2" * 64, "a" * 16, "b" * 16
TEXT = "Ba deki lo mura sentor vi zan? Theing er the ba. " * 6
CORPUS = Corpus.from_documents("text", [Document("d", TEXT)])


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def edit(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_one_model_by_its_weights_and_by_its_config_where_that_was_recorded() -> None:
    assert same_model(W, W)
    assert not same_model(W, X)
    assert same_model(f"{W}+{A}", f"{W}+{A}")
    assert not same_model(f"{W}+{A}", f"{W}+{B}")
    assert not same_model(f"{W}+{A}", f"{X}+{A}")
    assert same_model(W, f"{W}+{A}")
    assert same_model(f"{W}+{A}", W)
    assert not same_model(X, f"{W}+{A}")
    assert not same_model("a+b", "a")  # of no version
    assert weights_of(f"{W}+{A}") == weights_of(W) == W
    assert by_model([W, X, f"{W}+{A}", f"{W}+{B}", "other"]) == {
        W: f"{W}+{A}",
        X: X,
        f"{W}+{A}": f"{W}+{A}",
        f"{W}+{B}": f"{W}+{B}",
        "other": "other",
    }


def test_another_config_is_another_model(folder: Path, tiny_model: LanguageModel) -> None:
    before = model_fingerprint(folder)
    assert before == tiny_model.fingerprint
    assert weights_of(before) == weights_fingerprint(weight_files(folder))
    edit(folder, layer_norm_epsilon=1e-3)
    other = load_model(str(folder))
    assert not same_model(other.fingerprint, before)
    site = Site("resid_post", 3)
    batch = next(other.stream(list(windows(CORPUS, other.tokenizer, context=24)), [site]))
    plain = next(tiny_model.stream(list(windows(CORPUS, other.tokenizer, context=24)), [site]))
    assert not torch.allclose(batch.activations[site], plain.activations[site], atol=1e-5)  # as it should be
    edit(folder, layer_norm_epsilon=1e-5, scale_attn_weights=False)
    assert not same_model(model_fingerprint(folder), before)


def test_what_changes_no_activation_is_no_part_of_it(folder: Path) -> None:
    before = model_fingerprint(folder)
    edit(
        folder,
        transformers_version="9",
        dtype="bfloat16",
        use_cache=False,
        attn_pdrop=0.7,
        architectures=["Other"],
        eos_token_id=[1, 2],
        task_specific_params={"a": 1},
        id2label={"0": "x"},
        unset=None,
    )
    assert model_fingerprint(folder) == before
    (folder / "modeling_own.py").write_text("x = 1")
    assert model_fingerprint(folder) == before  # it is not run
    trusted = model_fingerprint(folder, own_code=True)
    (folder / "modeling_own.py").write_text("x = 2")
    assert len({before, trusted, model_fingerprint(folder, own_code=True)}) == 3


def test_bundled_dictionaries_are_of_the_bundled_models() -> None:
    for path in sorted((ROOT / "assets" / "demo" / "dictionaries").iterdir()):
        said = json.loads((path / "dictionary.json").read_text())["spec"]
        model = ROOT / "assets" / "demo" / "models" / said["model"].replace(":", "-")
        assert same_model(said["weights_fingerprint"], model_fingerprint(model)), path.name


@pytest.fixture(scope="module")
def dictionary(model_of: Any) -> AtomDictionary:
    *_, last = train(model_of("gpt2"), CORPUS, [1], TrainConfig(k=2, context=24, tokens=60))
    return last.dictionaries[0]


def test_a_dictionary_knows_the_config_it_was_built_with(folder: Path, dictionary: AtomDictionary) -> None:
    edit(folder, layer_norm_epsilon=1e-3)
    other = load_model(str(folder))
    with pytest.raises(UserError, match="has the same weights, but its config"):
        check_model(other, dictionary)
    edit(folder, layer_norm_epsilon=1e-5)
    check_model(load_model(str(folder)), dictionary)
    earlier = AtomDictionary(
        dictionary.atoms,
        dictionary.mean,
        dictionary.provenance,
        replace(dictionary.spec, weights_fingerprint=weights_of(dictionary.spec.weights_fingerprint)),
        dictionary.config,
        dictionary.stats,
    )
    check_model(load_model(str(folder)), earlier)


def test_a_run_that_an_earlier_version_began_goes_on() -> None:
    now = {"model": f"{W}+{A}", "corpus": "c"}
    assert differences({"model": W, "corpus": "c"}, now) == []
    assert len(differences({"model": X, "corpus": "c"}, now)) == 1
    assert len(differences({"model": f"{W}+{B}", "corpus": "c"}, now)) == 1
    assert len(differences({"model": W, "corpus": W}, {"model": W, "corpus": f"{W}+{A}"})) == 1


def test_models_that_differ_are_named_by_what_differs() -> None:
    short = "1" * 12
    assert differences({"model": f"{W}+{A}"}, {"model": f"{W}+{B}"}) == [f"model {short}...+{A} and not {short}...+{B}"]
    assert differences({"model": W}, {"model": f"{X}+{A}"}) == [f"model {short}... and not {'2' * 12}...+{A}"]
    assert differences({"corpus": W}, {"corpus": "demo"}) == [f"corpus {short}... and not demo"]


@pytest.mark.parametrize("epsilon", [1e-5, 1e-3])
def test_kept_activations_of_an_earlier_version_are_read_if_they_are_this_models(
    folder: Path, tmp_path: Path, tiny_model: LanguageModel, epsilon: float
) -> None:
    """Its set says nothing of the config: with another one the activations would be silently another model's."""
    site, root = Site("resid_post", 2), tmp_path / "kept"

    def source(model: LanguageModel, notes: list[str], *, keep: bool) -> KeptActivations:
        return KeptActivations(model, CORPUS, root, context=24, windows="all", keep=keep, on_note=notes.append)

    def read(model: LanguageModel, notes: list[str], *, keep: bool = True) -> tuple[KeptActivations, torch.Tensor]:
        with source(model, notes, keep=keep) as kept:
            cuts = windows(CORPUS, model.tokenizer, context=24)
            return kept, torch.cat([b.activations[site] for b in kept.stream(cuts, [site], windows_per_batch=2)])

    first, expected = read(tiny_model, [])
    key = first._key
    (made,) = root.iterdir()
    earlier = open_set(root, key.earlier(), model="m", corpus="c")
    for shard in made.glob("*.safetensors"):
        shard.rename(earlier / shard.name)
    shutil.rmtree(made)
    edit(folder, layer_norm_epsilon=epsilon)
    model, notes = load_model(str(folder)), []
    kept, got = read(model, notes, keep=False)
    if epsilon == 1e-5:
        assert torch.equal(got, expected)
        assert kept.run_batches == 0
    else:
        assert not torch.allclose(got, expected, atol=1e-5)
        assert "of another config" in notes[-1]
        assert kept.read_batches == 0
        again, now = read(model, [], keep=True)
        assert torch.equal(read(model, [], keep=False)[1], now)
        assert again._folder != earlier


def test_a_harvest_that_an_earlier_version_began_is_begun_anew(folder: Path, tmp_path: Path) -> None:
    site, states = Site("resid_post", 2), tmp_path / "states"

    def harvest() -> LayerHarvest:
        skeleton = load_skeleton(ModelSpec(str(folder), device="cpu"))
        return LayerHarvest(skeleton, list(windows(CORPUS, skeleton.tokenizer, context=24)), [site], states)

    with harvest() as first:
        next(first.sources())
    path = states / "harvest.json"
    said = json.loads(path.read_text())
    kept = {file: file.read_bytes() for file in states.iterdir()}

    def found(**change: Any) -> int:
        for file, content in kept.items():
            file.write_bytes(content)
        path.write_text(json.dumps({name: value for name, value in {**said, **change}.items() if value is not None}))
        with harvest() as again:
            return again._found()

    assert found() == 3
    # Of versions that let blocks read padding and told no config, or did not tell how windows were read.
    assert found(of={**said["of"], "model": weights_of(said["of"]["model"])}, batching=None) == 0
    assert found(batching=None) == 0
    assert found(batching=["together"]) == 0
    assert found() == 3
    edit(folder, layer_norm_epsilon=1e-3)
    assert found() == 0
    for odd in ("[]", "null", '{"passed": "3", "of": 1}'):
        path.write_text(odd)
        with harvest() as damaged:
            assert damaged._found() == 0
