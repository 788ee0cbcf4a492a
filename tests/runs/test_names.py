"""Names of dictionaries: every script's letters with their marks, and nothing that no file can be called."""

from __future__ import annotations

from pathlib import Path

import pytest

from itda_core.errors import UserError
from itda_core.runs import Library


@pytest.mark.parametrize("name", ["हिन्दी मॉडल", "cafe\u0301", "ไทย", "u\u0308ber", "فارسی"])
def test_marks_stay_with_their_letters(library: Library, name: str, tmp_path: Path) -> None:
    path = library.rename("first", name)
    assert path.name == name
    archive = library.export(name, tmp_path)
    assert archive.name == f"{name}.zip"
    assert library.import_(archive).name == f"{name}-2"
    assert library.free_name(f"/models/{name}", "resid_post", 3) == f"{name.replace(' ', '-')}-L3-resid_post"


@pytest.mark.parametrize("name", ["\u0301e", "a\u200bb", "a\nb", "a/b", "", " ", "\ud800"])
def test_what_is_no_letter_is_no_name(library: Library, name: str) -> None:
    with pytest.raises(UserError):
        library.rename("first", name)


def test_a_name_of_a_long_model_and_site_fits_a_file_system(library: Library) -> None:
    name = library.free_name("/models/" + "é" * 120, "transformer." + "h." * 200, None)
    assert 60 < len(name.encode()) <= 120
    assert library.free_name("/models/" + "m" * 250, "resid_post", 3).endswith("m-L3-resid_post")


def test_a_library_that_cannot_be_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("~nobody9/library", "x" * 300, "caf\udce9"):
        with pytest.raises(UserError):
            Library(folder)
    assert list(tmp_path.iterdir()) == []
