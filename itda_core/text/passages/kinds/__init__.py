"""The kinds of passage: for each the name of the rule that starts it."""

from __future__ import annotations

from itda_core.text.passages.builder import Grammar
from itda_core.text.passages.lexicon import LEXICON

from . import arithmetic, home, knowledge, narrative, outdoors, press, programs, shared

GRAMMAR = Grammar(LEXICON)
for _family in (shared, narrative, home, outdoors, knowledge, press, arithmetic, programs):
    GRAMMAR.add(_family.RULES)

# A kind begins with the rule of its own name followed by "_passage".
KINDS: tuple[str, ...] = (
    "story", "recipe", "weather", "sport", "letter", "dialogue", "python", "arithmetic", "travel", "science",
    "list", "news", "biography", "instructions", "diary", "review", "riddle",
)  # fmt: skip
