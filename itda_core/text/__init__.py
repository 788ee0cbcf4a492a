"""Corpora, windows and prefixes: text as models read it. Knows no tensor."""

from itda_core.text.corpus import Corpus
from itda_core.text.document import Document
from itda_core.text.windows import Prefix, TokenRef, Window, prompt_window, windows

__all__ = ["Corpus", "Document", "Prefix", "TokenRef", "Window", "prompt_window", "windows"]
