"""The server answers under its own names only (`server.allowedHosts`), to its own pages only, and never in a frame.

A web page that has its own name point to this machine (DNS rebinding), or that lays the studio under a picture of
something else, gets nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

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
