"""`itda app`: the dashboard."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from itda_core.errors import UserError


def app(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8501,
    headless: Annotated[bool, typer.Option("--headless", help="Do not open a browser.")] = False,
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another host name to answer under, if your own proxy serves the dashboard."),
    ] = None,
) -> None:
    """Open the dashboard in a browser, on this machine only."""
    page = Path(__file__).resolve().parents[2] / "app.py"
    if not page.is_file():
        raise UserError(f"The dashboard ({page}) is missing; run itda from a clone of the repository.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that ended just now does not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(
                f"Port {port} cannot be used ({error.strerror}); stop what listens there or choose another, "
                f"for example --port {port + 1 if port < 65535 else 8502}."
            ) from None
    typer.echo(f"ITDA Studio: http://127.0.0.1:{port} (Ctrl-C stops it)")
    flags = ["--port", str(port), *(["--headless"] if headless else [])]
    flags += [part for name in host or () for part in ("--host", name)]
    sys.stdout.flush()
    known = [str(page.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(known))  # so that `pages` is found from any folder
    os.execve(sys.executable, [sys.executable, "-m", "pages.ui.server.serve", str(page), *flags], environment)
