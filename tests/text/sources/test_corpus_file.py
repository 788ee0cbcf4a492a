"""Files that are none, that change while they are read, or have names that cannot be kept."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import time
from pathlib import Path

import pytest

from itda_core.errors import UserError
from itda_core.text import Corpus, Document
from itda_core.text.pieces import LONGEST_DOCUMENT, pieces
from tests.text.corpora import refused, texts, write


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "self.txt").symlink_to("self.txt")
    (tmp_path / "device.txt").symlink_to("/dev/zero")
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "gone.txt").symlink_to("nowhere")
    began = time.monotonic()
    for name, said in (
        ("pipe.txt", "a pipe, a device or a socket"),
        ("self.txt", "a link that leads to itself"),
        ("device.txt", "a pipe, a device or a socket"),
        ("folder.txt", "is a folder"),
        ("gone.txt", "does not exist"),
        ("x" * 300 + ".txt", "cannot be read"),
        ("zero\0.txt", "no name a file can have"),
    ):
        assert said in refused(str(tmp_path / name))
    assert time.monotonic() - began < 5


def test_names_that_cannot_be_kept_and_homes_that_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")
    Path(path).write_text("text")
    assert "is not UTF-8; rename it" in refused(path)
    assert "There is no user 'nobody9'" in refused("~nobody9/x.txt")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError("no such user")))
    assert "no home folder" in refused("~/x.txt")
    for odd in (7, None, b"x.txt"):
        with pytest.raises(UserError, match="neither a name nor a path"):
            Corpus.open(odd)  # pyright: ignore[reportArgumentType]
    assert len(refused("x" * 300_000)) < 1500
    assert len(refused("hf:" + "x/" * 300_000)) < 1500


def test_a_path_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a#b.txt", "one")
    assert texts(Path("a#b.txt")) == ["one"]
    assert Corpus.open(pathlib.PurePath("a#b.txt")).id == "a#b.txt"
    assert "is unknown" in refused(Path("demo"))
    assert Corpus.of(Corpus.open(Path("a#b.txt"))).id == Corpus.of("a#b.txt").id


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv", "a.parquet"])
def test_a_file_that_changes_is_not_read_on(tmp_path: Path, name: str) -> None:
    import pandas as pd

    frame = pd.DataFrame({"text": [f"text number {i}" for i in range(3000)]})
    path = tmp_path / name
    content = {
        ".txt": lambda: "\n\n".join(frame["text"]).encode(),
        ".jsonl": lambda: str(frame.to_json(orient="records", lines=True)).encode(),
        ".csv": lambda: frame.to_csv(index=False).encode(),
        ".parquet": lambda: frame.to_parquet(),
    }[path.suffix]()
    path.write_bytes(content)
    corpus = Corpus.open(path)
    reading = iter(corpus)
    assert next(reading).text == "text number 0"
    with path.open("r+b") as file:
        file.truncate(len(content) // 2)
    with pytest.raises(UserError, match="has changed since it was opened"):
        list(reading)
    for again in (lambda: list(corpus), lambda: corpus.fingerprint):
        with pytest.raises(UserError, match="has changed since it was opened"):
            again()
    path.unlink()
    with pytest.raises(UserError, match="does not exist"):
        list(corpus)


def test_long_documents_of_every_kind_are_cut_alike(tmp_path: Path) -> None:
    import pandas as pd

    long = "".join(f"sentence {i} of a book. " for i in range(120_000))
    assert len(long) > 2 * LONGEST_DOCUMENT
    rows = [{"text": "short", "id": "a"}, {"text": long, "id": "b"}, {"text": "x", "id": f"b+{LONGEST_DOCUMENT}"}]
    pd.DataFrame(rows).to_parquet(tmp_path / "c.parquet")
    pd.DataFrame(rows).to_csv(tmp_path / "c.csv", index=False)
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("c.parquet", "c.csv", "c.jsonl"):
        found = list(Corpus.open(tmp_path / name))
        assert found == list(Corpus.open(tmp_path / name))
        assert found[0].text == "short"
        assert found[-1].text == "x"
        assert "".join(document.text for document in found[1:-1]) == long
        assert all(len(document.text) <= LONGEST_DOCUMENT for document in found)
        assert all(document.text.endswith(" ") for document in found[1:-1])
        assert len({document.id for document in found}) == len(found)
    second = long.rindex(" ", 0, LONGEST_DOCUMENT) + 1
    assert [d.id for d in Corpus.open(tmp_path / "c.jsonl")][:3] == ["c.jsonl:a", "c.jsonl:b", f"c.jsonl:b+{second}"]
    assert Corpus.open(tmp_path / "c.csv").fingerprint != Corpus.open(tmp_path / "c.jsonl").fingerprint


def test_what_is_read_otherwise_than_before_has_another_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    monkeypatch.setattr("itda_core.text.pieces.LONGEST_DOCUMENT", 50)
    short, long = ["a b", "c " * 25], ["a b", "c " * 26]
    for given, same in ((short, True), (long, False)):
        pd.DataFrame({"text": given}).to_parquet(tmp_path / "c.parquet")
        pd.DataFrame({"text": given}).to_csv(tmp_path / "c.csv", index=False)
        (tmp_path / "c.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in given))
        (tmp_path / "c.txt").write_text("\n\n".join(given))
        for name in ("c.parquet", "c.csv", "c.jsonl"):
            assert (Corpus.open(tmp_path / name).fingerprint == sha256(tmp_path / name)) is same
        assert Corpus.open(tmp_path / "c.txt").fingerprint == sha256(tmp_path / "c.txt")
    path = tmp_path / "ids.jsonl"
    for ids, rest, same in (
        ((None, "x", "y"), "", True),
        (("x", "y", "x"), "", False),
        (("000001", None), "", False),
        (("x", "y"), "{", True),  # damage is told when it is read
        (("x", "x"), "{", False),
    ):
        path.write_text("".join(json.dumps({"text": "t", "id": id}) + "\n" for id in ids) + rest)
        assert (Corpus.open(path).fingerprint == sha256(path)) is same


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_pieces() -> None:
    assert list(pieces("a", "")) == [Document("a", "")]
    whole = "x" * LONGEST_DOCUMENT
    assert list(pieces("a", whole)) == [Document("a", whole)]
    assert list(pieces("a", whole + "y")) == [Document("a", whole), Document(f"a+{LONGEST_DOCUMENT}", "y")]


def test_documents_in_memory_have_ids_of_their_own() -> None:
    with pytest.raises(UserError, match="Several documents of corpus m are called 'a'"):
        Corpus.from_documents("m", [Document("a", "x"), Document("a", "y")])
    with pytest.raises(UserError, match="must be str"):
        Corpus.from_documents("m", [Document(1, "x")])  # pyright: ignore[reportArgumentType]
    assert [d.text for d in Corpus.from_documents("m", [Document("a", "\ud800x")])] == ["\ufffdx"]
