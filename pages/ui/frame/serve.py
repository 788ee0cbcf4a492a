"""The studio's server: Streamlit's, with the slow imports under way while it starts and the browser opens.

It answers under its own names only (`server.allowedHosts`), to pages of its own only, and not inside another page's
frame: a web page that has its own name point to this machine (DNS rebinding), or that lays the studio under a picture
of something else, gets nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from streamlit import cli_util, delta_generator

from pages.ui.frame import ahead

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("localhost", "127.0.0.1", "::1")  # the names it answers under, as .streamlit/config.toml has them
_POLICY_VIOLATION = 1008  # why a WebSocket is closed (RFC 6455, section 7.4.1)


class OwnPagesOnly:
    """Refuses requests under a foreign name or from a foreign page, and has no page shown in a frame."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif allowed(Headers(scope=scope)):
            await self._app(scope, receive, _unframed(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            refusal = PlainTextResponse(
                f"ITDA Studio answers under its own names only: {', '.join(hosts())}. To serve it under another: "
                "itda app --host NAME\n",
                status_code=403,
            )
            await refusal(scope, receive, send)


def hosts() -> tuple[str, ...]:
    """The names it answers under."""
    return tuple(st.get_option("server.allowedHosts")) or HOSTS


def allowed(headers: Headers) -> bool:
    """Whether a request names one of `hosts`, whatever the port, and comes from a page of ours or from no page.

    A browser always says from which page a WebSocket comes (Origin).
    """
    named = headers.getlist("host")
    if len(named) != 1 or _host(f"//{named[0]}") not in {_plain(host) for host in hosts()}:
        return False
    origins = headers.getlist("origin")
    return all(_is_own(origin, named[0]) for origin in origins)


def _is_own(origin: str, host: str) -> bool:
    if origin in st.get_option("server.corsAllowedOrigins"):
        return True
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _host(address: str) -> str | None:
    """The host's name in `address`, None where it holds none, or something that does not belong there."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    if parts.hostname is None or "@" in parts.netloc or parts.path or parts.query or parts.fragment:
        return None
    return _plain(parts.hostname)


def _plain(host: str) -> str:
    return host.strip().lower().rstrip(".")


def _unframed(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Frame-Options"] = "DENY"
            headers["Content-Security-Policy"] = "frame-ancestors 'none'"
        await send(message)

    return with_headers


def _opening(address: str) -> Callable[[st.App], AbstractAsyncContextManager[None]]:
    """Opens the browser once the server is there."""

    @asynccontextmanager
    async def begun(_: st.App) -> AsyncIterator[None]:
        asyncio.get_running_loop().call_soon(cli_util.open_browser, address)
        yield

    return begun


def _known_to_be_a_server() -> None:
    """Spares the first page Streamlit's question, asked once, whether it runs in a Python prompt.

    It is answered by `inspect.stack`, which follows the path of every module's file: half a second beside torch.
    """
    if hasattr(delta_generator, "_use_warning_has_been_displayed"):  # Streamlit has no public way to say so
        delta_generator._use_warning_has_been_displayed = True


def main() -> None:
    """`python -m pages.ui.frame.serve app.py --port 8501 [--headless] [--host NAME ...]`: serves until stopped."""
    parser = argparse.ArgumentParser(prog="itda app")
    parser.add_argument("page")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--headless", action="store_true")
    parser.add_argument("--host", action="append", default=[])
    given = parser.parse_args()
    _known_to_be_a_server()
    ahead.begin()
    sys.argv = [given.page]  # Streamlit looks for its configuration beside what was started
    opening = None if given.headless else _opening(f"http://127.0.0.1:{given.port}")
    studio = st.App(given.page, middleware=[Middleware(OwnPagesOnly)], lifespan=opening)
    config = {
        "server.address": "127.0.0.1",
        "server.port": given.port,
        "server.headless": given.headless,
        "server.allowedHosts": [*HOSTS, *given.host],
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
        "logger.hideWelcomeMessage": True,  # and with it Streamlit's notice to developers, which covers the page
    }
    with suppress(KeyboardInterrupt):
        studio.run(config=config)


if __name__ == "__main__":
    main()
