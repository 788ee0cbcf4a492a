"""An index is read as it was written, and damage to it is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from itda_core.analysis.atoms.index import AtomIndex
from itda_core.analysis.atoms.index_format import ATOMS, CODES, DESCRIPTION, ENTRIES, TOKENS, WINDOWS, no_atom
from itda_core.errors import UserError
from tests.analysis.atoms.samples import Drawn, drawn, write_index


@pytest.fixture
def sample() -> Drawn:
    return drawn()


@pytest.fixture
def folder(tmp_path: Path, sample: Drawn) -> Path:
    return write_index(tmp_path / "an [odd] name's *", sample, kinds=["story", "news"])


def test_entries_are_those_of_the_codes(folder: Path, sample: Drawn) -> None:
    index = AtomIndex.open(folder)

    def same(atom: int) -> None:
        own = [(t, v, s) for t, code in enumerate(sample.codes) for s, (a, v) in enumerate(code) if a == atom]
        found = index.entries(atom)
        assert [*zip(found.token.tolist(), found.coefficient.tolist(), found.step.tolist(), strict=True)] == own

    for atom in range(sample.n_atoms):
        same(atom)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(same, list(range(sample.n_atoms)) * 3))


def test_tokens_and_windows_are_those_of_the_text(folder: Path, sample: Drawn) -> None:
    index = AtomIndex.open(folder)
    words = [word for window in sample.windows for word in window]
    for row in (29, 0, 7, 6, 29):
        (window,) = index.windows([row])
        assert (window.row, window.document, window.kind) == (row, f"doc-{row}", ["story", "news"][row % 2])
        rows = np.arange(window.first_token, window.first_token + window.n_tokens)
        tokens = index.tokens(rows)
        texts = [window.text[a:b] for a, b in zip(tokens.char_start, tokens.char_end, strict=True)]
        assert texts == sample.windows[row]
        assert (tokens.window == row).all()
        assert tokens.norm.tolist() == sample.norms[rows].tolist()
    assert index.spans.tolist() == [word.strip() for word in words]
    assert [one.row for one in index.windows([3, 1, 3])] == [3, 1, 3]


def test_codes_are_those_of_each_token(folder: Path, sample: Drawn) -> None:
    index = AtomIndex.open(folder)
    nothing = no_atom(sample.n_atoms)
    for token, code in enumerate(sample.codes):
        found = index.codes[token]
        assert {int(atom) for atom in found if atom != nothing} == {atom for atom, _ in code}


def test_sums_are_over_the_entries(folder: Path, sample: Drawn) -> None:
    index = AtomIndex.open(folder)
    for atom in range(sample.n_atoms):
        found = index.entries(atom)
        assert index.sums["positive"][atom] == (found.coefficient > 0).sum()
        assert index.sums["energy"][atom] == pytest.approx((found.coefficient.astype(np.float64) ** 2).sum())


@pytest.mark.parametrize("atom", [-1, 20, True, 1.5, "3", None])
def test_an_atom_that_is_not_there_is_refused(folder: Path, atom: object) -> None:
    with pytest.raises(UserError, match="atoms 0 to 19"):
        AtomIndex.open(folder).entries(atom)  # pyright: ignore[reportArgumentType]


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwritten(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:8] + bytes(len(content) - 200) + content[-192:])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (name, damage)
        for name in (ENTRIES, TOKENS, WINDOWS, ATOMS, CODES, DESCRIPTION)
        for damage in (Path.unlink, cut_short, overwritten, emptied)
        if (name, damage) != (CODES, overwritten)  # zeros are atoms like others
    ],
)
def test_damage_is_one_sentence(folder: Path, name: str, damage: Callable[[Path], object]) -> None:
    damage(folder / name)

    def read_all() -> None:
        index = AtomIndex.open(folder)
        for atom in range(20):
            index.entries(atom)
        _ = index.sums, index.all_tokens, index.spans, index.windows(range(30))

    with pytest.raises(UserError) as caught:
        read_all()
    assert "\n" not in str(caught.value)


def test_what_does_not_belong_together_is_told(folder: Path, tmp_path: Path) -> None:
    other = write_index(tmp_path / "other", drawn(seed=1, n_windows=31))
    shutil.copy(other / TOKENS, folder / TOKENS)
    with pytest.raises(UserError, match=r"372 rows, where 360 belong"):
        AtomIndex.open(folder)
    shutil.copy(other / ATOMS, folder / TOKENS)
    with pytest.raises(UserError, match="rows"):
        AtomIndex.open(folder)


def test_tokens_that_are_not_there_are_damage(tmp_path: Path) -> None:
    sample = drawn()
    folder = write_index(tmp_path / "index", sample)
    fewer = write_index(tmp_path / "fewer", drawn(n_windows=10))
    for name in (TOKENS, WINDOWS, CODES):
        shutil.copy(fewer / name, folder / name)
    about = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps({**about, "tokens": 120, "windows": 10}))
    with pytest.raises(UserError, match="tokens that are not there"):
        AtomIndex.open(folder).entries(0)


def test_another_version_is_told(folder: Path, tmp_path: Path) -> None:
    about = json.loads((folder / DESCRIPTION).read_text())
    for changed, told in (({"format_version": 2}, "version 2"), ({"format": "x"}, "describe"), ({"k": "8"}, "k")):
        (folder / DESCRIPTION).write_text(json.dumps({**about, **changed}))
        with pytest.raises(UserError, match=told):
            AtomIndex.open(folder)
    with pytest.raises(UserError, match="no atom index"):
        AtomIndex.open(tmp_path)
