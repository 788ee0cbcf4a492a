"""Who may import whom (downward only), and what opening a page or asking for help may load."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import itda_core
from tests import house

ROOT = Path(itda_core.__file__).resolve().parents[1]
BASE = {  # every room stands on these
    *("arguments", "errors", "figures_as_text", "files", "fingerprints", "foreign", "hub", "machine", "printable"),
    "time_left",
}
DIRECTLY: dict[str, set[str]] = {
    "pursuit": set(),
    "text": set(),
    "models": {"text"},
    "dictionaries": {"pursuit", "text"},
    "analysis": {"models", "dictionaries"},
    "comparison": {"dictionaries", "models"},
    "runs": {"analysis", "comparison"},
    "figures": {"analysis", "comparison", "runs"},
    "bench": {"runs"},
    "cli": {"figures", "bench"},
    "__main__": {"cli"},
    "__init__": {"analysis", "comparison"},
}
HEAVY = {"torch", "transformers", "datasets", "streamlit", "pandas", "pyarrow"}


def below(room: str) -> set[str]:
    """Every room that `room` stands on."""
    return BASE.union(*({other} | below(other) for other in DIRECTLY[room]), set())


def is_room(name: str) -> bool:
    return (ROOT / "itda_core" / name).is_dir() or (ROOT / "itda_core" / f"{name}.py").is_file()


def files_under(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


ENGINE = files_under("itda_core")


def broken_rules(path: Path, root: Path = ROOT) -> Iterator[str]:
    """What a file of the engine in `root` imports and may not."""
    parts = path.relative_to(root).with_suffix("").parts
    room = parts[1]
    allowed = BASE if room in BASE else below(room) | {room}
    for name in house.imported(path, parts[:-1]):
        top, *rest = name.split(".")
        if top in ("pages", "app", "streamlit", "tests"):
            yield f"{path} imports {name}"
        elif top == "itda_core" and rest and is_room(rest[0]) and rest[0] not in allowed:
            yield f"{room} may not import {rest[0]} ({path})"


def test_a_room_imports_only_rooms_below_it() -> None:
    assert len(ENGINE) > 100
    assert [broken for path in ENGINE for broken in broken_rules(path)] == []


def test_files_import_each_other_in_no_circle() -> None:
    assert house.circles() == [], "move what both need to a file of its own, or give it as a parameter"


def test_a_circle_is_found_wherever_its_imports_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "ROOT", tmp_path)
    (tmp_path / "itda_core").mkdir()
    for name, text in {
        "app": "import itda_core.one\n",
        "itda_core/one": "from itda_core import two\n",
        "itda_core/two": "def late():\n    from itda_core.three import anything\n",
        "itda_core/three": "import itda_core.one\n",
        "itda_core/four": "if TYPE_CHECKING:\n    from itda_core.five import Anything\n",
        "itda_core/five": "import itda_core.four\n",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    assert house.circles() == [["itda_core.one", "itda_core.three", "itda_core.two"]]


def test_every_import_that_breaks_the_rules_is_named(tmp_path: Path) -> None:
    path = tmp_path / "itda_core" / "pursuit" / "new.py"
    path.parent.mkdir(parents=True)
    path.write_text("import streamlit\nfrom itda_core.text import Corpus\nfrom itda_core import errors\n")
    assert list(broken_rules(path, tmp_path)) == [
        f"{path} imports streamlit",
        f"pursuit may not import text ({path})",
    ]


def test_every_room_is_known() -> None:
    rooms = {path.relative_to(ROOT).with_suffix("").parts[1] for path in ENGINE}
    assert rooms <= set(DIRECTLY) | BASE, "a new room needs a line in the house's rules and in DIRECTLY"


def test_the_rules_themselves() -> None:
    assert below("dictionaries") == {"pursuit", "text"} | BASE
    assert "models" not in below("dictionaries")
    assert "dictionaries" not in below("models")
    assert {"models", "dictionaries", "pursuit", "text"} <= below("runs")


def test_pages_share_through_pages_ui_only() -> None:
    for path in [*files_under("pages"), *ROOT.glob("app.py")]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        for name in house.imported(path, parts[:-1]):
            top, *rest = name.split(".")
            assert top not in ("app", "tests"), f"{path} imports {name}"
            if top == "pages":
                assert rest[:1] == ["ui"], f"{path} imports {name}; pages share through pages.ui"


def loaded_by(program: str, home: Path) -> set[str]:
    """The top-level modules in memory after `program` ran in a fresh interpreter."""
    ending = "\nimport sys\nprint('LOADED', *sorted({name.partition('.')[0] for name in sys.modules}))"
    result = subprocess.run(
        [sys.executable, "-c", program + ending],
        cwd=ROOT,
        env={"ITDA_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stdout.rpartition("LOADED")[2].split())


def test_importing_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    assert not loaded_by("import itda_core", tmp_path) & (HEAVY | {"numpy", "huggingface_hub"})


def test_listing_things_loads_neither_torch_nor_transformers(tmp_path: Path) -> None:
    """What pages import to list things, and the commands that need no model."""
    program = """
import itda_core.text, itda_core.dictionaries, itda_core.models, itda_core.runs
from itda_core.cli.main import main
from itda_core.runs import Jobs, Library, machine, unfinished
Library().entries(), Jobs().list(), unfinished(), machine()
for arguments in ["--help"], ["library", "list"], ["library", "list", "--json"], ["train", "--help"], ["train"]:
    try:
        main(arguments)
    except SystemExit:
        pass
"""
    assert not loaded_by(program, tmp_path) & {"torch", "transformers", "datasets", "streamlit"}


def test_the_public_names_are_there() -> None:
    for name in itda_core.__all__:
        assert getattr(itda_core, name).__name__ == name
    assert {"AtomDictionary", "Corpus", "ModelSpec", "TrainConfig", "load_model", "train", "decompose"} <= set(
        dir(itda_core)
    )
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = itda_core.nothing_such  # pyright: ignore[reportAttributeAccessIssue]
