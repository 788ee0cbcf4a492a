"""The server answers under its own names, to its own pages, outside frames: by handshakes as a browser makes them."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.e2e.conftest import PATIENCE, ROOT

FOREIGN = "rebound.example"  # a name that its owner has point to 127.0.0.1


def handshake(address: str, host: str, origin: str | None) -> int:
    """The status a WebSocket gets that asks for `host` from a page of `origin`; 101: it is open."""
    with socket.create_connection((urlsplit(address).hostname, urlsplit(address).port), timeout=PATIENCE / 1000) as raw:
        lines = [
            "GET /_stcore/stream HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            *([] if origin is None else [f"Origin: {origin}"]),
        ]
        raw.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(raw.recv(1000).split()[1])


def answer(address: str, host: str, path: str = "/") -> tuple[int, dict[str, str]]:
    """Status and headers of an ordinary request."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE / 1000)
    connection.request("GET", path, headers={"Host": host})
    response = connection.getresponse()
    return response.status, {name.lower(): value for name, value in response.getheaders()}


def test_only_its_own_names_and_pages_are_answered(studio: str) -> None:
    port = urlsplit(studio).port
    for name in ("127.0.0.1", "localhost", "[::1]", "LOCALHOST."):
        host = f"{name}:{port}"
        assert handshake(studio, host, f"http://{host}") == 101
        assert handshake(studio, host, None) == 101  # no browser
        assert answer(studio, host)[0] == 200
    for host in (f"{FOREIGN}:{port}", FOREIGN, f"127.0.0.1.{FOREIGN}:{port}", f"{FOREIGN}@127.0.0.1:{port}", "0.0.0.0"):
        assert handshake(studio, host, f"http://{host}") == 403
        assert handshake(studio, host, None) == 403
        for path in ("/", "/decompose", "/_stcore/health", "/media/x.csv"):
            assert answer(studio, host, path)[0] == 403
    own = f"127.0.0.1:{port}"
    for origin in (
        f"http://{FOREIGN}",
        f"http://{FOREIGN}:{port}",
        f"http://localhost:{port}",
        "http://127.0.0.1",
        "null",
    ):
        assert handshake(studio, own, origin) == 403


def test_no_page_is_shown_in_a_frame(studio: str) -> None:
    for path in ("/", "/decompose", "/_stcore/health", "/nothing/here"):
        _, headers = answer(studio, urlsplit(studio).netloc, path)
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"] == "frame-ancestors 'none'"


def test_a_name_that_was_asked_for_is_answered_and_a_server_ends_when_told() -> None:
    with _served([sys.executable, "-m", "itda_core", "app", "--headless", "--host", FOREIGN], "--port") as address:
        host = f"{FOREIGN}:{urlsplit(address).port}"
        assert handshake(address, host, f"http://{host}") == 101
        assert handshake(address, host.replace("rebound", "another"), None) == 403
        assert answer(address, host)[0] == 200


def test_started_by_streamlit_itself_foreign_names_open_no_socket() -> None:
    run = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    with _served(run, "--server.port") as address:
        port = urlsplit(address).port
        assert handshake(address, f"localhost:{port}", f"http://localhost:{port}") == 101
        assert handshake(address, f"{FOREIGN}:{port}", f"http://{FOREIGN}:{port}") == 403


@contextmanager
def _served(command: list[str], port_option: str) -> Iterator[str]:
    """The address of a server of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([*command, port_option, str(port)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE / 1000
        while True:
            try:
                answer(address, f"127.0.0.1:{port}", "/_stcore/health")
                break
            except OSError:
                assert server.poll() is None
                assert time.monotonic() < until
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(PATIENCE / 1000)
