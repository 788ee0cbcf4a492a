"""What atoms write, kept beside the bundled indices: it is what the model gives, and it is what is shown."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from itda_core.analysis.atoms.index import AtomIndex
from itda_core.analysis.atoms.logits.direct_logits import TOKENS, DirectLogits, TokenLogit
from itda_core.analysis.atoms.logits.stored_logits import ABOUT, TABLE, store, stored
from itda_core.dictionaries import AtomDictionary
from itda_core.errors import UserError
from itda_core.models import ModelSpec, load_model
from itda_core.models.tokenizer.token_text import token_text
from itda_core.runs.atoms.reading import direct_path_of
from itda_core.runs.indexing.indices import BUNDLED
from itda_core.runs.library import BUNDLED as DICTIONARIES
from tests.conftest import Cli

FIRST = [f"demo-0-L{layer}{ending}" for layer in range(6) for ending in ("", "-consensus")]
READ = "demo-0-L3-consensus"


def test_those_of_the_first_model_have_it_and_stay_small() -> None:
    for name in FIRST:
        index = AtomIndex.open(BUNDLED / name)
        for atom in (0, index.description.n_atoms - 1):
            found = stored(index, atom)
            assert found is not None, "another version of the method: run assets/demo/build_indices.py --beside"
            assert len(found.raised) == len(found.lowered) == TOKENS
    files = [path for name in (TABLE, ABOUT) for path in BUNDLED.glob(f"*/{name}")]
    assert len(files) == 2 * len(FIRST)
    assert sum(path.stat().st_size for path in files) < 1_500_000


@pytest.mark.parametrize("name", ["demo-0-L0", "demo-0-L5", READ])
def test_it_is_what_the_model_gives(name: str) -> None:
    dictionary, index = AtomDictionary.load(DICTIONARIES / name), AtomIndex.open(BUNDLED / name)
    model = load_model(ModelSpec(dictionary.spec.model, device="cpu"))
    path = direct_path_of(dictionary, model, index)
    for atom in (0, 17, 500, len(dictionary) - 1):
        logits = path.logits(dictionary.atoms[atom])[: len(model.tokenizer)].double()
        by_text = {token_text(model.tokenizer, id): float(logits[id]) for id in range(len(model.tokenizer))}
        near, found = 1e-4 * float(logits.abs().max()), stored(index, atom)
        assert found is not None
        for side, sign in ((found.raised, 1), (found.lowered, -1)):
            values = [sign * one.logit for one in side]
            assert values == sorted(values, reverse=True)
            assert [one.logit for one in side] == pytest.approx([by_text[one.token] for one in side], abs=near)
            tenth = float((sign * logits).topk(TOKENS).values[-1])
            assert min(values) >= tenth - near, "no token that moves further is left out"


def test_showing_an_atom_loads_no_model(itda: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UserError("The model was asked for.")

    monkeypatch.setattr(sys.modules["itda_core.runs.model_of"], "model_of", refuse)
    code, out, err = itda("atoms", "show", READ, 17, "--json")
    assert code == 0, err
    kept = stored(AtomIndex.open(BUNDLED / READ), 17)
    assert kept is not None
    logits = json.loads(out)["logits"]
    assert [one["token"] for one in logits["raised"]] == [one.token for one in kept.raised]
    assert [one["logit"] for one in logits["lowered"]] == [one.logit for one in kept.lowered]
    # Another model than the dictionary's own is asked itself.
    code, _, err = itda("atoms", "show", READ, 17, "--model", "demo:1")
    assert code == 2
    assert "The model was asked for." in err


@pytest.fixture
def copied(tmp_path: Path) -> AtomIndex:
    shutil.copytree(BUNDLED / READ, tmp_path / "index")
    return AtomIndex.open(tmp_path / "index")


def test_it_belongs_to_its_index_alone(copied: AtomIndex) -> None:
    for name in (TABLE, ABOUT):
        shutil.copy(BUNDLED / "demo-0-L2" / name, copied.folder / name)
    assert stored(copied, 17) is None


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", None])
def test_damage_is_named_and_nothing_else_is_shown_for_it(copied: AtomIndex, content: bytes | None) -> None:
    table = copied.folder / TABLE
    flipped = bytearray(table.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    table.write_bytes(bytes(flipped) if content is None else content)
    with pytest.raises(UserError, match=r"logits\.parquet is damaged; remove it"):
        stored(copied, 17)


def test_what_is_kept_comes_back(copied: AtomIndex) -> None:
    """Few tokens, none, and whatever a tokenizer calls them."""
    odd = TokenLogit("<script>‮é\x00🙂", 1.5)
    written = [DirectLogits((odd,), ()), DirectLogits((), (odd, TokenLogit("", -0.25)))]
    store(copied, written)
    assert [stored(copied, atom) for atom in range(2)] == written
    with pytest.raises(UserError, match="damaged"):  # fewer rows than atoms
        stored(copied, 2)
