"""Reading only what is a file, writing so that a power cut loses nothing that was reported as saved."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from pathlib import Path

import pytest

from itda_core import files
from itda_core.errors import UserError
from itda_core.files import (
    PARTIAL,
    explained,
    new_folder,
    partial_folder,
    read_bytes,
    read_json,
    shown,
    sweep,
    write_json,
    write_text,
)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


ODD = {
    "a folder": (Path.mkdir, "a folder, not a file"),
    "a pipe": (_fifo, "a pipe, a device or a socket"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "a pipe, a device or a socket"),
    "a link to itself": (lambda path: path.symlink_to(path), "leads to itself"),
    "a link to nothing": (lambda path: path.symlink_to(path.with_name("gone")), "does not exist"),
    "nothing": (lambda _: None, "does not exist"),
    "long": (lambda path: path.write_text(f'{{"n": {"7" * 5_000}}}'), "whole number of 5,000 digits"),
    "deep": (lambda path: path.write_text("[" * 100_000), "brackets within brackets"),
    "deep and whole": (lambda path: path.write_text("[" * 300 + "]" * 300), "brackets within brackets"),
    "half a character": (lambda path: path.write_text('{"a": ["\\ud800"]}'), "half a character"),
    "half a key": (lambda path: path.write_text('{"\\udc00": 1}'), "half a character"),
    "not UTF-8": (lambda path: path.write_bytes(b'{"a": "\xff"}'), "not JSON"),
    "empty": (lambda path: path.write_bytes(b""), "not JSON"),
    "large": (lambda path: path.write_bytes(b" " * 2_000 + b"1"), "over 1,000 bytes"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_json_ends_in_one_sentence_at_once(tmp_path: Path, name: str) -> None:
    make, said = ODD[name]
    make(tmp_path / "state.json")
    began = time.monotonic()
    with pytest.raises(UserError, match=said) as caught:
        read_json(tmp_path / "state.json", most_bytes=1_000 if name == "large" else files.MOST_JSON_BYTES)
    assert time.monotonic() - began < 5
    assert str(tmp_path / "state.json") in str(caught.value)


def test_a_file_of_others_may_say_what_ours_never_do(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '{"max": 1000000000000000019884624838656, "limit": Infinity, "pair": "\\ud83d\\ude00"}'
    )
    assert read_json(tmp_path / "config.json") == {"max": 10**30 + 19884624838656, "limit": float("inf"), "pair": "😀"}
    for text in ('{"a": NaN}', '{"a": -Infinity}', '{"a": 1e400}', f'{{"a": {2**63}}}'):
        (tmp_path / "state.json").write_text(text)
        with pytest.raises(UserError, match="not JSON"):
            read_json(tmp_path / "state.json", strict=True)


def test_a_name_that_no_message_can_show_is_shown_otherwise(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9\n") + "x" * 1_000
    with pytest.raises(UserError) as caught:
        read_bytes(tmp_path / name, 10)
    said = str(caught.value)
    assert said.encode()
    assert "\n" not in said
    assert len(said) < 700
    assert shown("Grüße, नमस्ते") == "Grüße, नमस्ते"


class Order:
    """What reaches the disk, in the order in which it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str]] = []
        fsync, replace, rename, rmtree = os.fsync, os.replace, os.rename, shutil.rmtree

        def synced(handle: int) -> None:
            self.calls.append(("sync", os.readlink(f"/proc/self/fd/{handle}")))
            fsync(handle)

        def moved(real):
            def move(old, new, **options) -> None:
                real(old, new, **options)
                self.calls.append(("rename", str(new)))

            return move

        def removed(path, *args, **options) -> None:
            if Path(path).exists():
                self.calls.append(("remove", str(path)))
            rmtree(path, *args, **options)

        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(os, "replace", moved(replace))
        monkeypatch.setattr(os, "rename", moved(rename))
        monkeypatch.setattr(shutil, "rmtree", removed)

    def at(self, what: str, path: Path) -> int:
        return self.calls.index((what, str(path)))


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="tells files by /proc")


@needs_proc
def test_a_file_is_on_the_disk_before_its_name_and_the_name_before_it_returns(tmp_path, monkeypatch) -> None:
    order = Order(monkeypatch)
    write_text(tmp_path / "x", "hello")
    (first, content), renamed, last = order.calls
    assert (first, renamed, last) == ("sync", ("rename", str(tmp_path / "x")), ("sync", str(tmp_path)))
    assert Path(content).name.startswith(PARTIAL)
    order.calls.clear()
    write_json(tmp_path / "status.json", {"tokens": 1}, synced=False)
    assert order.calls == [("rename", str(tmp_path / "status.json"))]


@needs_proc
def test_a_folder_and_all_in_it_are_on_the_disk_before_its_name(tmp_path, monkeypatch) -> None:
    order = Order(monkeypatch)
    with new_folder(tmp_path / "d") as partial:
        (partial / "a").write_text("1")
        (partial / "b").mkdir()
        (partial / "b" / "c").write_text("2")
    renamed = order.at("rename", tmp_path / "d")
    inside = [partial, partial / "a", partial / "b", partial / "b" / "c"]
    assert all(order.at("sync", path) < renamed for path in inside)
    assert order.calls[renamed + 1] == ("sync", str(tmp_path))


def _old(path: Path, seconds: float = 3_600) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_what_a_killed_process_left_is_swept_and_what_is_being_written_stays(tmp_path: Path) -> None:
    orphan, file, young, other = (tmp_path / name for name in (f"{PARTIAL}a", f"{PARTIAL}b", f"{PARTIAL}c", "d"))
    for folder in (orphan, young, other):
        folder.mkdir()
        (folder / "atoms").write_text("x")
    file.write_text("half")
    for path in (orphan, file, other):
        _old(path)
    with partial_folder(tmp_path) as held:
        _old(held)
        sweep(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {held.name, young.name, "d"}
    handle = os.open(young, os.O_RDONLY)  # as another process would hold it
    fcntl.flock(handle, fcntl.LOCK_EX)
    _old(young)
    sweep(tmp_path)
    assert young.exists()
    os.close(handle)
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


@pytest.mark.parametrize(
    ("number", "said"),
    [("ENOSPC", "disk is full"), ("EROFS", "no permission"), ("EFBIG", "larger"), ("EIO", "check it")],
)
def test_refusals_to_write_are_sentences(tmp_path: Path, number: str, said: str) -> None:
    import errno

    code = getattr(errno, number)
    with pytest.raises(UserError, match=said), explained(tmp_path / "x"):
        raise OSError(code, os.strerror(code), str(tmp_path / "x"))
    with pytest.raises(ConnectionRefusedError), explained(tmp_path):
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")


def test_nothing_is_left_of_a_folder_that_failed(tmp_path: Path) -> None:
    def fill() -> None:
        with new_folder(tmp_path / "d") as partial:
            (partial / "x").write_text("1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fill()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match="exists already"), new_folder(tmp_path / "link"):
        pass
    assert os.listdir(tmp_path) == ["link"]
