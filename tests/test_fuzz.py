"""Damaged inputs of every kind; more of them with `python -m tests.fuzz`."""

from __future__ import annotations

import pytest

from tests.fuzz.harness import fault, kinds


@pytest.mark.parametrize("name", sorted(kinds()))
def test_a_damaged_input_ends_in_a_result_or_in_one_sentence(name, tmp_path, monkeypatch):
    monkeypatch.setenv("ITDA_HOME", str(tmp_path / "home"))
    kind = kinds()[name]
    prepared = kind.prepare(tmp_path)
    faults = {seed: wrong for seed in range(kind.each) if (wrong := fault(kind, prepared, seed)) is not None}
    assert not faults, "\n\n".join(f"{name} {seed}: {wrong}" for seed, wrong in faults.items())
