"""What the documents say, against the tree and the command line: folders, links, commands and their options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from itda_core.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "assets" / "docs").glob("*.md")),
]
BY_NAME = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
GROUPS = ("library", "jobs", "atoms", "bench")  # words behind which another names the command
TREES = ("itda_core", "pages", "assets")  # folders of code in them have a row; those of tests mirror them

Help = Callable[[tuple[str, ...]], str]


@pytest.fixture
def help_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Help:
    """What `itda … --help` prints, "" where there is no such command."""
    monkeypatch.setenv("COLUMNS", "400")  # no option is broken

    @cache
    def printed(command: tuple[str, ...]) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*command, "--help"])
        out = capsys.readouterr().out
        return out if ended.value.code == 0 else ""

    return printed


def folders_with_code() -> set[str]:
    """Every folder with Python or a script of its own, as a row names it."""
    return {
        f"{path.parent.relative_to(ROOT).as_posix()}/"
        for tree in TREES
        for ending in ("*.py", "*.js")
        for path in (ROOT / tree).rglob(ending)
    }


def rooms() -> list[str]:
    """The folders in the first column of CONTRIBUTING's tables."""
    return re.findall(r"^\| `([^`]+/)` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_folder_has_its_row_and_every_row_its_folder() -> None:
    named = rooms()
    assert len(named) == len(set(named)), "a folder has two rows"
    assert folders_with_code() - set(named) == set(), "folders without a row in CONTRIBUTING.md"
    assert [name for name in named if not any(path.is_file() for path in (ROOT / name).rglob("*"))] == []


def paths_named(text: str) -> Iterator[str]:
    """Files and folders of the repository that a document names in backticks; NEW stands for one to be written."""
    for name in re.findall(r"`([\w./-]+)`", text):
        if name.split("/")[0] in (*TREES, "tests") and "/" in name and "NEW" not in name:
            yield name


@BY_NAME
def test_links_lead_to_files_and_named_paths_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    targets = [document.parent / link for link in links if link and not re.match(r"https?:", link)]
    assert [str(path) for path in targets if not path.exists()] == []
    assert [name for name in paths_named(text) if not (ROOT / name).exists()] == []


def commands(text: str) -> Iterator[list[str]]:
    """The words behind `itda` in blocks of commands and between backticks, comments and placeholders left out."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    for line in lines:
        if found := re.match(r"(?:\.venv/bin/|.*python -m )?itda(?:_core)? (.*)", line.strip()):
            yield shlex.split(" ".join(found[1].split()), comments=True)


def refused(words: list[str], help_of: Help) -> str:
    """What of a command `itda` does not have; "" where it has all of it."""
    command = tuple(words[: 2 if words[0] in GROUPS else 1])
    if any(word in ("COMMAND", "…") for word in command) or command[-1].startswith("-"):
        return ""  # `itda COMMAND --help`, `itda library …`, `itda --help`
    shown = help_of(command)
    if not shown:
        return f"itda {' '.join(command)}"
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    known = set(re.findall(r"--[a-z][a-z-]*", shown)) | {"--help"}
    return " ".join(sorted(options - known))


@BY_NAME
def test_every_command_is_one_that_itda_has(document: Path, help_of: Help) -> None:
    found = [words for words in commands(document.read_text(encoding="utf-8")) if words]
    assert [(words, lack) for words in found if (lack := refused(words, help_of))] == []


def test_commands_are_found_and_unknown_ones_are_named(help_of: Help) -> None:
    text = (
        "It says `itda jobs list`.\n```\n.venv/bin/itda plan M --tokens 1 \\\n  --nosuch   # why\n"
        "itda fly\nitda bench none\n```\n"
    )
    found = list(commands(text))
    assert found == [["plan", "M", "--tokens", "1", "--nosuch"], ["fly"], ["bench", "none"], ["jobs", "list"]]
    assert [refused(words, help_of) for words in found] == ["--nosuch", "itda fly", "itda bench none", ""]
    assert len([1 for path in DOCUMENTS for _ in commands(path.read_text(encoding="utf-8"))]) > 40


def test_every_command_has_an_example(help_of: Help) -> None:
    """The page of the command line, or the command's own help, shows each command once at least."""
    there = [name for name in listed(help_of(())) if name not in GROUPS]
    there += [f"{group} {name}" for group in GROUPS for name in listed(help_of((group,)))]
    helped = [words for name in there for words in commands(help_of(tuple(name.split())))]
    assert [(words, lack) for words in helped if (lack := refused(words, help_of))] == []
    shown = {
        " ".join(words[: 2 if words[0] in GROUPS else 1])
        for words in (*helped, *commands((ROOT / "assets" / "docs" / "command-line.md").read_text(encoding="utf-8")))
    }
    assert len(there) > 20
    assert [name for name in there if name not in shown] == []


def listed(shown: str) -> list[str]:
    """The names under "Commands:" in a help text."""
    return re.findall(r"^  (\w[\w-]*)  ", shown.partition("Commands:")[2], re.MULTILINE)
