from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants

from itda_core.models.folder.revisions import revision_names


def test_the_cache_knows_what_a_commit_was_asked_for_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    refs = tmp_path / "models--ours--tiny" / "refs"
    for name, commit in (("step1000", "a" * 40), ("main", "b" * 40), ("steps/2000", "b" * 40)):
        (refs / name).parent.mkdir(parents=True, exist_ok=True)
        (refs / name).write_text(commit)
    assert revision_names("ours/tiny", "a" * 40) == ("step1000",)
    assert revision_names("ours/tiny", "b" * 40) == ("main", "steps/2000")
    assert revision_names("ours/tiny", "c" * 40) == ()
    assert revision_names("theirs/tiny", "a" * 40) == ()
