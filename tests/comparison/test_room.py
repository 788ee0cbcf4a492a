"""The room's names: functions win over the files of their name, and nothing heavy is loaded to look at labels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import itda_core.comparison
from tests.conftest import ROOT


def test_functions_win_over_files_of_their_name_whichever_was_imported_first() -> None:
    program = """
import itda_core.comparison.overlap.jaccard, itda_core.comparison.over_training.convergence
import itda_core.comparison.overlap.differences
from itda_core.comparison.overlap.jaccard import JaccardMatrix
from itda_core.comparison import convergence, differences, jaccard, __all__
import itda_core.comparison as room
assert all(callable(each) for each in (convergence, differences, jaccard)), jaccard
assert sorted(__all__) == sorted(name for name in __all__ if hasattr(room, name))
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_labels_are_read_and_compared_without_torch(tmp_path: Path) -> None:
    program = """
import sys
from itda_core.comparison import LabelSet, jaccard_matrix
from itda_core.runs import BUNDLED
sets = [LabelSet.load(path) for path in sorted(BUNDLED.iterdir())[:3]]
jaccard_matrix(sets, interval=True, crop=True).to_dict()
assert not {"torch", "transformers", "streamlit"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(itda_core.comparison, "nothing_such")
