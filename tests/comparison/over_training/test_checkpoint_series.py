"""Which checkpoint a dictionary is of, by the names of models and revisions, and in which order they come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants

from itda_core import UserError
from itda_core.comparison import LabelSet, course_of
from tests.comparison.label_sets import set_of


def of(model: str, layer: int | None = 0, revision: str | None = None, weights: str = "", **spec: object) -> LabelSet:
    """A dictionary of a checkpoint, called by its model, revision and layer."""
    one = set_of([("d", 0, 1)], f"{model}@{revision} L{layer}")
    known = {
        "model": model,
        "layer": layer,
        "revision": revision,
        "weights_fingerprint": weights or f"{model}{revision}",
    }
    return replace(one, specs=(replace(one.specs[0], **{**known, **spec}),))


def test_folders_come_by_the_numbers_in_what_differs_of_their_names() -> None:
    sets = [of(f"/runs/a-9/step-{step}/model", layer) for step in (1000, 200, 30) for layer in (1, 0)]
    found = course_of(sets)
    assert found.checkpoints == ("step-30", "step-200", "step-1000")
    assert found.numbered
    assert [found.sets[place, 1].name for place in range(3)] == [sets[i].name for i in (4, 2, 0)]
    assert list(found.sentences()) == [
        "Checkpoints come by the numbers in their names: step-30, step-200, step-1000. The last is what the others are "
        "compared with."
    ]
    nested = course_of([of("/runs/step-2/end"), of("/runs/step-2"), of("/runs/step-1")])
    assert nested.checkpoints == ("step-1", "step-2", "step-2/end")


def test_a_name_without_a_number_is_the_end() -> None:
    found = course_of([of("/runs/final"), of("/runs/step-20"), of("/runs/step-3")])
    assert found.checkpoints == ("step-3", "step-20", "final")
    assert "the one without a number last: step-3" in next(found.sentences())


def test_names_that_tell_no_order_are_taken_as_given() -> None:
    found = course_of([of("/runs/early"), of("/runs/late"), of("/runs/step-3")])
    assert found.checkpoints == ("early", "late", "step-3")
    assert not found.numbered
    assert "as they were given, because several names hold no number" in next(found.sentences())


def test_a_commit_is_called_by_the_revision_that_the_cache_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    refs = tmp_path / "models--ours--pythia-70m" / "refs"
    refs.mkdir(parents=True)
    for name, commit in (("step1000", "a"), ("step512", "b"), ("main", "c"), ("step143000", "c")):
        (refs / name).write_text(commit * 40)
    sets = [of("ours/pythia-70m", 0, commit * 40) for commit in "cab"]
    assert course_of(sets).checkpoints == ("step512", "step1000", "step143000")
    (refs / "step143000").unlink()
    assert course_of(sets).checkpoints == ("step512", "step1000", "main")
    (refs / "main").unlink()
    (refs / "step512").unlink()  # digits of a commit tell no order
    found = course_of(sets)
    assert (found.checkpoints, found.numbered) == (("ccccccc", "step1000", "bbbbbbb"), False)


def test_missing_layers_are_empty_cells_and_what_the_last_lacks_is_left_out() -> None:
    sets = [of("m/step-1", 0), of("m/step-1", 1), of("m/step-2", 2), of("m/step-3", 0), of("m/step-9", 1)]
    found = course_of([*sets, of("m/step-9", 0)])
    assert found.checkpoints == ("step-1", "step-3", "step-9")  # all that step-2 had is left out
    assert set(found.sets) == {(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)}
    assert found.left_out == (2,)
    assert list(found.sentences())[1:] == [
        "Layer 2 is left out, because the last checkpoint, step-9, has no dictionary of it.",
        "1 cell is empty, because there is no dictionary.",
    ]


def test_what_is_no_course_is_refused() -> None:
    one = of("m/step-1")
    for other, sentence in (
        (of("m/step-1"), "both of layer 0 at step-1"),
        (of("m/step-1", 1, weights="other"), "different weights"),
        (of("m/step-2", site="mlp_out"), r"different sites \(resid_post, mlp_out\)"),
        (of("m/step-2", d_model=99), r"different widths \(16, 99\)"),
        (of("m/step-2", None), "no layer"),
        (replace(of("m/step-2"), corpus="another"), "different corpora"),
    ):
        with pytest.raises(UserError, match=sentence):
            course_of([one, other])
    with pytest.raises(UserError, match="at least two"):
        course_of([one])
