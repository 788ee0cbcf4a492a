"""The studio's server: Streamlit's, with the slow imports under way while it starts and the browser opens."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import streamlit as st
from starlette.middleware import Middleware
from streamlit import cli_util, delta_generator

from pages.ui.server import ahead
from pages.ui.server.late_words import WordsGoAlong
from pages.ui.server.own_pages import HOSTS, OwnPagesOnly


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
    """`python -m pages.ui.server.serve app.py --port 8501 [--headless] [--host NAME ...]`: serves until stopped."""
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
    studio = st.App(given.page, middleware=[Middleware(OwnPagesOnly), Middleware(WordsGoAlong)], lifespan=opening)
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
