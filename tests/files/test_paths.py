"""Homes that are not there, and files that cannot be written."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from itda_core.errors import UserError
from itda_core.files.home import home
from itda_core.files.paths import expanded, new_file, storable


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without HOME and without an entry in the list of users, as in many a container."""

    def nobody(_: object) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "ITDA_HOME", "XDG_DATA_HOME", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)


def test_a_home_folder_is_put_in_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/x") == tmp_path / "x"
    assert expanded("a~b") == Path("a~b")


def test_a_user_who_is_none_is_named() -> None:
    with pytest.raises(UserError, match="no user 'nobody9'"):
        expanded("~nobody9/m")


@pytest.mark.usefixtures("homeless")
def test_without_a_home_nothing_is_kept_where_one_happens_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"HOME is not set.*set ITDA_HOME"):
        home()
    with pytest.raises(UserError, match="HOME is not set"):
        expanded("~/x")
    monkeypatch.setenv("ITDA_HOME", "~/studio")
    with pytest.raises(UserError, match="HOME is not set"):
        home()
    monkeypatch.setenv("ITDA_HOME", "/srv/studio")
    assert home() == Path("/srv/studio")


def test_a_name_that_no_json_can_hold_is_refused() -> None:
    with pytest.raises(UserError, match=r"caf\\udce9 has a name that is not UTF-8"):
        storable("caf\udce9")
    assert storable(Path("é")) == "é"
    for long in ("x" * 256, "/x" * 2100):
        with pytest.raises(UserError, match="too long"):
            storable(long)


def test_where_no_file_can_be(tmp_path: Path) -> None:
    assert new_file(tmp_path / "x.csv", "--csv") == tmp_path / "x.csv"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").write_text("")
    assert new_file(tmp_path / "file", "--csv") == tmp_path / "file"
    for name in (".", "pipe", "loop", "no/such/folder/x.csv", "file/x.csv", "x" * 300, "x" * 5000 + "/y"):
        with pytest.raises(UserError, match="--csv"):
            new_file(tmp_path / name, "--csv")


@pytest.mark.usefixtures("homeless")
def test_without_a_home_kernels_are_compiled_and_not_kept() -> None:
    from itda_core.pursuit.kernels.compiled import _folder

    assert _folder() is None
