"""Where something lies on this machine does not leave it; what is no path stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from itda_core.files.without_paths import without_paths


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("/home/me/library/demo-0-L2", "demo-0-L2"),
        ("/home/me/texts/reviews.csv#body", "reviews.csv#body"),
        ("~/models/mine", "mine"),
        ("C:\\Users\\me\\models\\mine", "mine"),
        (
            "/data/lib/a-L1: 3 sinks left out, see /data/lib/b-L1.",
            "a-L1: 3 sinks left out, see b-L1.",
        ),
        ("No dictionary '/data/lib/x'; choose one.", "No dictionary 'x'; choose one."),
        ("dictionary,k\n/data/lib/a,10\n/data/lib/b,20\n", "dictionary,k\na,10\nb,20\n"),
        ("<title>Evaluation of /data/lib/a</title>", "<title>Evaluation of a</title>"),
        ("owner/name", "owner/name"),
        ("hf:owner/name/config@train#text", "hf:owner/name/config@train#text"),
        ("https://huggingface.co/owner/name", "https://huggingface.co/owner/name"),
        ("demo:0", "demo:0"),
        ("FVU / nats, 3/4", "FVU / nats, 3/4"),
        ("</th><th>", "</th><th>"),
        ("transformer.h.3/mlp", "transformer.h.3/mlp"),
        ("", ""),
    ],
)
def test_folders_go_and_names_stay(given: str, left: str) -> None:
    assert without_paths(given) == left


def test_all_that_is_inside_is_looked_at() -> None:
    value = {"path": "/a/b/c", "list": ["/a/b/d", 1, None, {"deep": ("/a/b/e", 0.5)}]}
    assert without_paths(value) == {"path": "c", "list": ["d", 1, None, {"deep": ["e", 0.5]}]}


def test_folders_with_spaces_are_known_by_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "my own home"
    (home / "library" / "a b").mkdir(parents=True)
    monkeypatch.setenv("ITDA_HOME", str(home))
    assert without_paths(str(home / "library" / "a b")) == "a b"
    assert without_paths(f"{home}/library/a b: 3 sinks; {home}/jobs has none.") == "a b: 3 sinks; jobs has none."
    assert os.sep not in without_paths(f"The library {home / 'library'} is empty.")
