"""The names of a commit on the Hub. A dictionary keeps its model's commit, which means nothing to a reader."""

from __future__ import annotations

from pathlib import Path


def revision_names(model: str, commit: str) -> tuple[str, ...]:
    """Branches and tags of the Hub's `model` that stand for `commit`, by name, as far as the local cache has them: the
    cache keeps every one that was requested. It makes no request.
    """
    from huggingface_hub import constants

    folder = constants.REPO_ID_SEPARATOR.join(("models", *model.split("/")))
    refs = Path(constants.HF_HUB_CACHE) / folder / "refs"
    named = (path for path in sorted(refs.rglob("*")) if path.is_file())
    return tuple(path.relative_to(refs).as_posix() for path in named if path.read_text().strip() == commit)
