"""The table of corpora: what it names exists, and how they are named follows."""

from __future__ import annotations

import subprocess
import sys
from pkgutil import resolve_name

import pytest

from itda_core.text.corpus_kinds import DEMO, FILE, FILES, GRAMMAR, HUB, CorpusKind, kind_of


def test_the_table_loads_no_reader() -> None:
    program = "import sys, itda_core.text.corpus_kinds; assert not [name for name in sys.modules if '.sources' in name]"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_all_that_the_table_names_is_there() -> None:
    for kind in (DEMO, HUB, FILE):
        assert callable(resolve_name(kind.open))
    for file in FILES:
        reader = resolve_name(file.reader)
        assert all(callable(getattr(reader, name)) for name in ("choose", "read", "fingerprinted"))


@pytest.mark.parametrize(
    ("reference", "kind"),
    [("demo", DEMO), ("demo.txt", FILE), ("hf:owner/name", HUB), ("a/b.csv#text", FILE), ("x.unknown", FILE)],
)
def test_a_name_tells_the_kind(reference: str, kind: CorpusKind) -> None:
    assert kind_of(reference) is kind


def test_the_grammar_of_names() -> None:
    assert GRAMMAR == "demo, a .txt, .jsonl, .csv or .parquet file, or hf:NAME[/CONFIG][@SPLIT][#COLUMN]"
