"""Standard streams that a shell closed, or that nothing more fits into: what Unix tools do, and no traceback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from itda_core.machine import standard_streams
from tests.conftest import ROOT

COMMAND = f"{sys.executable} -m itda_core"


def shell(script: str, folder: Path) -> tuple[int, str, str]:
    """Exit code, and what came on the streams that are left."""
    found = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=240)
    return found.returncode, found.stdout, found.stderr


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("redirected", "cause"),
    [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device"), ("<&- >&-", "Bad file descriptor")],
)
def test_an_output_that_cannot_be_written_is_one_sentence(redirected: str, cause: str, tmp_path: Path) -> None:
    code, _, err = shell(f"{COMMAND} library list {redirected}", tmp_path)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"error: Standard output cannot be written ({cause});")


@pytest.mark.usefixtures("home")
def test_what_cannot_be_said_is_not_said(tmp_path: Path) -> None:
    script = (
        "{0} library show nothing {1}; echo $?; {0} library list 2>&- | head -1; {0} library list >&- 2>&-; echo $?"
    )
    for redirected in ("2>&-", "2>/dev/full"):
        code, out, err = shell(script.format(COMMAND, redirected), tmp_path)
        assert (code, err) == (0, "")
        refused, listed, both = out.splitlines()
        assert (refused, both) == ("2", "2")
        assert listed.startswith("name")


@pytest.mark.usefixtures("home")
def test_a_file_that_is_opened_is_not_taken_for_a_closed_stream(tmp_path: Path) -> None:
    """Its number would be that of the stream, and what is printed would be written into it."""
    target = tmp_path / "labels.json.gz"
    script = f"{COMMAND} library export demo-0-L1 {target} --labels-only >&- 2>&-; {COMMAND} library rebuild {target}"
    code, _, err = shell(f"{script} --model /no/such/model", tmp_path)
    assert code == 2
    assert "/no/such/model" in err  # so the labels could be read


class Stream(io.TextIOWrapper):
    """One of the process's own, of a terminal or of a file."""

    def __init__(self, number: int, *, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self.number, self.terminal = number, terminal

    def fileno(self) -> int:
        return self.number

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("system", "terminal", "stays"), [("nt", True, True), ("nt", False, False), ("posix", True, False)]
)
def test_a_windows_console_keeps_its_own_stream(
    system: str, terminal: bool, stays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Stream(1, terminal=terminal), Stream(2, terminal=terminal)
    with monkeypatch.context() as patched:
        for name, stream in zip(("stdout", "stderr"), own, strict=True):
            patched.setattr(sys, name, stream)
            patched.setattr(sys, f"__{name}__", stream)
        patched.setattr(os, "name", system)
        standard_streams.prepare()
        found = sys.stdout, sys.stderr
    assert [one is other for one, other in zip(found, own, strict=True)] == [stays, stays]
