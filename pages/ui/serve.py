"""Streamlit's own command line, with the slow imports under way while the server starts and the browser opens."""

from __future__ import annotations

from streamlit.web.cli import main

from pages.ui import imports

if __name__ == "__main__":
    imports.begin()
    main(prog_name="streamlit")
