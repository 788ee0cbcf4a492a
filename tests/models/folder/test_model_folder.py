"""Models from a Hub, which here is a small server on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from itda_core.errors import UserError
from itda_core.models import LanguageModel, ModelSpec, load_model
from tests.fake_hub import COMMIT, NO_HUB, serving


def refused(spec: ModelSpec) -> str:
    with pytest.raises(UserError) as error:
        load_model(spec)
    return str(error.value)


def test_a_hub_model_is_fetched_once_and_then_loaded_offline(
    tmp_path: Path,
    tiny_folder: Path,
    tiny_model: LanguageModel,
    use_hub: Callable[[str], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    stored = Path(shutil.copytree(tiny_folder, tmp_path / "stored"))
    (stored / "pytorch_model.bin").write_bytes(b"pickled")
    (stored / "onnx").mkdir()
    (stored / "onnx" / "model.safetensors").write_bytes(b"another format")
    (stored / "onnx" / "config.json").write_text("{}")
    (stored / "modeling_own.py").write_text("raise SystemExit")
    with serving(stored) as (address, asked):
        use_hub(address)
        model = load_model("ours/tiny")
        assert (model.name, model.revision, model.fingerprint) == ("ours/tiny", COMMIT, tiny_model.fingerprint)
        fetched = {path.name for path in model.folder.rglob("*")}
        assert "model.safetensors" in fetched
        assert not fetched & {"pytorch_model.bin", "onnx", "modeling_own.py"}
        assert capfd.readouterr() == ("", "")  # no bars where nobody watches
        assert "has no revision 'v9'" in refused(ModelSpec("ours/tiny", revision="v9"))
        asked.clear()
        assert load_model(ModelSpec("ours/tiny", offline=True)).revision == COMMIT
        assert not asked
    use_hub(NO_HUB)
    assert load_model("ours/tiny").revision == COMMIT  # no network, but it is on this machine


def test_hub_refusals_are_sentences(tiny_folder: Path, use_hub: Callable[[str], None], naps: list[float]) -> None:
    with serving(tiny_folder) as (address, _):
        use_hub(address)
        assert "There is no model 'ours/none' on the Hugging Face Hub" in refused(ModelSpec("ours/none"))
        assert "is gated; ask for access on https://huggingface.co/ours/gated" in refused(ModelSpec("ours/gated"))
        assert "answered 503" in refused(ModelSpec("ours/ill"))
    assert "cannot be a model on the Hugging Face Hub" in refused(ModelSpec("two words/x"))
    assert sum(naps) < 5


def test_without_a_network_the_answer_is_quick(use_hub: Callable[[str], None], naps: list[float]) -> None:
    use_hub(NO_HUB)
    assert "cannot be reached for the model ours/tiny; check the network" in refused(ModelSpec("ours/tiny"))
    said = refused(ModelSpec("ours/tiny", offline=True))
    assert "is not on this machine, and offline is set" in said
    assert sum(naps) < 5  # huggingface_hub left to itself retries for half a minute
