"""What a finished training may be asked to go further to, and the training a dictionary came from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from itda_core.dictionaries import AtomDictionary, TrainConfig
from itda_core.dictionaries.threshold import default_threshold
from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.runs import Library, TrainRequest, run
from itda_core.runs.training.further import Reached, asks_more, further, reached_by, request_of

EARLIER = TrainRequest(ModelSpec("demo:0"), (1, 2), "demo", TrainConfig(k=4, tokens=1000, threshold=0.3, atoms=64))
LIMITS = {"tokens": 1000, "threshold": 0.3, "atoms": 64}


@pytest.mark.parametrize("looser", [{"tokens": 2000}, {"tokens": None}, {"threshold": 0.1}, {"atoms": None}])
def test_only_the_limits_change(looser: dict) -> None:
    later = further(EARLIER, **{**LIMITS, **looser})
    assert later == replace(EARLIER, config=replace(EARLIER.config, **looser))
    assert asks_more(later.config, EARLIER.config)


def test_the_same_limits_ask_for_nothing() -> None:
    assert not asks_more(further(EARLIER, **LIMITS).config, EARLIER.config)
    paper = replace(EARLIER, config=TrainConfig(selection="paper", tokens=1000))
    spelt_out = further(paper, tokens=1000, threshold=default_threshold(128), atoms=None, d_model=128)
    assert not asks_more(spelt_out.config, paper.config, 128)
    assert asks_more(spelt_out.config, paper.config, 64)


@pytest.mark.parametrize(
    ("stricter", "said"),
    [
        ({"tokens": 999}, "had tokens 1000 and not 999"),
        ({"threshold": 0.4}, r"had threshold 0\.3 and not 0\.4"),
        ({"atoms": 10, "tokens": 5}, "had tokens 1000 and not 5, atoms 64 and not 10"),
        ({"threshold": 0.0}, "would make every activation an atom"),
    ],
)
def test_what_would_undo_something_is_refused(stricter: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        further(EARLIER, **{**LIMITS, **stricter})


def test_a_dictionary_that_is_full_goes_further_with_more_atoms_alone() -> None:
    full = Reached(tokens=507, atoms=64)
    for limits in (LIMITS, {**LIMITS, "tokens": 5000}, {**LIMITS, "threshold": 0.1}):
        with pytest.raises(UserError, match="has its 64 atoms, so no more text would be read; ask for more") as refused:
            further(EARLIER, **limits, reached=full)
        assert refused.value.field == "atoms"
    for atoms in (65, None):
        assert further(EARLIER, **{**LIMITS, "atoms": atoms}, reached=full).config.atoms == atoms
    assert further(EARLIER, **{**LIMITS, "tokens": 5000}, reached=Reached(1000, 63)).config.tokens == 5000


def test_what_was_read_is_what_was_read_and_not_what_was_asked_for() -> None:
    full, config = Reached(tokens=507, atoms=64), EARLIER.config
    assert full.read(config) == 507
    assert full.read(replace(config, tokens=None)) == 507
    assert Reached(980, 10).read(replace(config, tokens=None)) is None
    assert Reached(2000, 10).read(config) == 1000  # it was read twice


def test_the_papers_default_threshold_is_compared_where_the_width_is_known() -> None:
    paper = replace(EARLIER, config=TrainConfig(selection="paper"))
    higher = default_threshold(128) * 1.5
    with pytest.raises(UserError, match="had threshold None and not"):
        further(paper, tokens=None, threshold=higher, atoms=None, d_model=128)
    assert further(paper, tokens=None, threshold=higher / 2, atoms=None, d_model=128).config.threshold == higher / 2


@pytest.mark.parametrize("selection", ["sampled", "consensus"])
def test_atoms_that_were_chosen_together_stay_as_they_are(selection: str) -> None:
    chosen = replace(EARLIER, config=TrainConfig(selection=selection, atoms=64))
    with pytest.raises(UserError, match="chosen together"):
        further(chosen, tokens=None, threshold=None, atoms=128)


def test_a_dictionary_says_which_training_it_came_from(tiny_folder: Path, corpus_file: Path, tmp_path: Path) -> None:
    request = TrainRequest(
        ModelSpec(str(tiny_folder), device="cpu"), (0, 2), str(corpus_file), TrainConfig(k=3, tokens=600, context=32)
    )
    run(request)
    library = Library()
    (entry,) = [entry for entry in library.entries() if entry.layer == 2 and not entry.bundled]
    found = request_of(entry)
    assert found == TrainRequest(
        ModelSpec(str(tiny_folder), dtype="float32"), (2,), corpus_file.name, request.config, "resid_post"
    )
    assert reached_by(entry) == Reached(600, entry.atoms or 0)
    longer = further(replace(found, corpus=str(corpus_file)), tokens=900, threshold=0.3, atoms=None)
    (result,) = run(longer, further=True, work=tmp_path / "work")
    undisturbed = run(replace(longer, library=str(tmp_path / "other")))[0]
    one, two = AtomDictionary.load(result.path), AtomDictionary.load(undisturbed.path)
    assert torch.equal(one.atoms, two.atoms)
    assert [stage["tokens_read"] for stage in one.stats["stages"]] == [600, 300]


def test_bundled_and_earlier_dictionaries_cannot_be_gone_on_from(library: Library) -> None:
    own, bundled = library.entries()[0], library.entries()[-1]
    with pytest.raises(UserError, match="does not say where its training stopped"):
        request_of(own)
    with pytest.raises(UserError, match="is bundled and stays as it is"):
        request_of(bundled)
