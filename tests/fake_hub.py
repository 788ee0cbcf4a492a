"""A Hugging Face Hub of one folder, on this machine: enough of its HTTP interface for models and data sets."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

NO_HUB = "http://127.0.0.1:9"  # nothing listens there
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Hub(ThreadingHTTPServer):
    folder: Path
    asked: list[str]


class _Answers(BaseHTTPRequestHandler):
    server: _Hub  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        if parts[0] == "api":
            name, rest = "/".join(parts[2:4]), parts[4:]
        else:
            name, rest = "/".join(parts[:2]), parts[2:]
        revision = rest[1] if len(rest) > 1 else "main"
        if name == "ours/gated" and parts[0] != "api":
            return self._refuse(403, "GatedRepo")
        if name == "ours/ill":
            return self._refuse(503, "")
        if name not in ("ours/tiny", "ours/gated", "alone"):
            return self._refuse(401, "RepoNotFound")
        if revision not in ("main", COMMIT):
            return self._refuse(404, "RevisionNotFound")
        files = {str(p.relative_to(self.server.folder)): p for p in self.server.folder.rglob("*") if p.is_file()}
        if parts[0] != "api":
            wanted = files.get("/".join(rest[2:]))
            return self._send(wanted.read_bytes()) if wanted else self._refuse(404, "EntryNotFound")
        if rest[:1] == ["tree"]:
            listed = [{"type": "file", "path": n, "size": p.stat().st_size, "oid": _oid(p)} for n, p in files.items()]
            return self._send(json.dumps(listed).encode())
        siblings = [{"rfilename": name} for name in files]
        return self._send(json.dumps({"id": name, "sha": COMMIT, "siblings": siblings, "tags": []}).encode())

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _oid(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a Hub, and what it was asked; its repositories `ours/tiny` and `alone` are the files of `folder`.

    `ours/gated` refuses its files, `ours/ill` answers 503, everything else does not exist.
    """
    server = _Hub(("127.0.0.1", 0), _Answers)
    server.folder, server.asked = folder, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
