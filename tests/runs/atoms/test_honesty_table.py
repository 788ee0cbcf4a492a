"""The script that writes the table of assets/docs/atoms.md: its dictionaries, its text, its rows, the table there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

from itda_core.analysis.atoms.honesty.grades import GRADES
from itda_core.dictionaries import AtomDictionary
from itda_core.dictionaries.threshold import cosine_of
from itda_core.models import load_model

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "assets" / "demo"))
    return importlib.import_module("honesty_table")


def test_selections_are_of_one_size_and_the_paper_s_threshold_is_that_of_sequential(table: ModuleType) -> None:
    bundled = AtomDictionary.load(table.path_of(Path(), "sequential", 3)).config
    paper, sampled = (table.config_of(selection, 3, 128) for selection in ("paper", "sampled"))
    assert {one.atoms for one in (bundled, paper, sampled)} == {1024}
    assert {one.k for one in (bundled, paper, sampled)} == {8}
    assert 1 - cosine_of(paper.threshold, 128) ** 2 == pytest.approx(bundled.threshold)
    assert (sampled.selection, sampled.centre, sampled.threshold) == ("sampled", True, None)


def test_a_row_is_measured_behind_the_text_of_all(table: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    dictionary = AtomDictionary.load(table.path_of(Path(), "sequential", 0))
    assert dictionary.stats["windows"] == 400
    notes = []
    index_atoms = table.index_atoms

    def noted(*args, **kwargs):
        for progress in index_atoms(*args, **kwargs):
            notes.extend(progress.notes)
            yield progress

    monkeypatch.setattr(table, "index_atoms", noted)
    found = table.honesty(load_model("demo:0", head=False), table.behind(dictionary, 2_880), 300)
    assert "demo after its first 2,880 windows" in notes[-1]
    assert sum(one.atoms for one in found.grades) == 1024
    cells = [cell.strip() for cell in table.row(0, "sequential", found).strip("|").split("|")]
    heads = [cell.strip() for cell in next(table.head()).strip("|").split("|")]
    assert len(cells) == len(heads)
    shares = dict(zip(heads, cells, strict=True))
    assert [shares[head] for head in heads[2:6]] == [f"{one.share:.0%}, {one.share_of_use:.0%}" for one in found.grades]
    kind = found.strongest.same_kind
    assert kind is not None
    assert shares["same kind"] == f"{kind.share:.0%} ({kind.chance:.1%})"


def test_the_table_in_the_docs_has_every_layer_and_selection(table: ModuleType) -> None:
    text = (ROOT / "assets" / "docs" / "atoms.md").read_text(encoding="utf-8")
    assert "\n".join(table.head()) in text
    rows = re.findall(r"^\| (\d) \| `(\w+)` \|(.*)\|$", text, re.MULTILINE)
    assert [(int(layer), selection) for layer, selection, _ in rows] == [
        (layer, selection) for layer in range(6) for selection in table.SELECTIONS
    ]
    for *_, cells in rows:
        parts = [[int(share) for share in re.findall(r"(\d+)%", cell)] for cell in cells.split("|")[: len(GRADES)]]
        assert all(abs(sum(shares) - 100) <= 2 for shares in zip(*parts, strict=True)), "each atom has one grade"
