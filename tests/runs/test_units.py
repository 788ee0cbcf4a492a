from __future__ import annotations

import pytest

from itda_core.runs.units import duration, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (200, "3 min 20 s"),
        (7_500, "2 h 05 min"),
        (48 * 3600, "2 d 00 h"),
        (4e5, "4 d 15 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (12, "12 B"),
        (2_120_000, "2.1 MB"),
        (99_960_000, "100 MB"),
        (999_600_000, "1.0 GB"),
        (141e9, "141 GB"),
        (1.4e12, "1.4 TB"),
        (1.2e15, "1,200 TB"),
    ],
)
def test_sizes(count: float, words: str) -> None:
    assert size(count) == words
