"""Builds the text of one passage and records the labelled spans while it grows."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .inflection import Word, article, number_words
from .notation import CHOICE, NUMBER, OPTION, QUOTE, SLOT, SPAN, TEXT, Nodes, parse


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled piece of a passage: characters `start` to `end`, half open."""

    start: int
    end: int
    label: str


# How often an optional part is written.
_OPTIONAL = 0.65

Rule = Callable[["Builder"], None]


class Grammar:
    """The lexicon (words by category) and the rules (compiled templates, or functions) by name."""

    def __init__(self, lexicon: Mapping[str, Sequence[Word]]):
        self.lexicon = dict(lexicon)
        self.rules: dict[str, tuple[Nodes, ...] | Rule] = {}

    def add(self, rules: Mapping[str, Sequence[str] | Rule]) -> None:
        """Compile these rules and make them known by name."""
        for name, rule in rules.items():
            assert name not in self.rules.keys() | self.lexicon.keys(), f"two meanings of {name}"
            assert not isinstance(rule, str), f"the rule {name} is not a tuple of alternatives"
            self.rules[name] = rule if callable(rule) else tuple(parse(template) for template in rule)


class Builder:
    """Writes one passage from a grammar with one random generator.

    Only `Random.random()` is drawn from: it is the one method whose sequence Python promises to keep.
    """

    __slots__ = ("_curly", "_grammar", "_parts", "_spans", "_used", "length", "random", "scope")

    def __init__(self, grammar: Grammar, generator: random.Random):
        self._grammar = grammar
        self.random = generator.random
        self.scope: dict[str, Word] = {}
        self._parts: list[str] = []
        self._spans: list[tuple[int, int, str]] = []
        self._used: set[tuple[str, int]] = set()
        self.length = 0
        self._curly = self.random() < 0.12

    # Drawing

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def choose(self, options: Sequence):
        """One of the options."""
        return options[int(self.random() * len(options))]

    def shuffled(self, items: Sequence) -> list:
        """The items in a random order."""
        pool = list(items)
        for last in range(len(pool) - 1, 0, -1):
            other = int(self.random() * (last + 1))
            pool[last], pool[other] = pool[other], pool[last]
        return pool

    def draw(self, category: str) -> Word:
        """A word of that category which this passage has not drawn yet (while there is one to be found)."""
        words = self._grammar.lexicon[category]
        return words[self._fresh(category, len(words))]

    def _fresh(self, name: str, count: int) -> int:
        index = int(self.random() * count)
        for _ in range(6):
            if (name, index) not in self._used:
                break
            index = int(self.random() * count)
        self._used.add((name, index))
        return index

    # Writing

    def straight_quotes(self) -> None:
        """Keep quotation marks and apostrophes as ASCII in this passage (program text needs it)."""
        self._curly = False

    def text(self, text: str, label: str | None = None) -> None:
        """Append text, with a label on all of it if one is given."""
        start = self.length
        self._parts.append(text)
        self.length = start + len(text)
        if label is not None:
            self._spans.append((start, self.length, label))

    def mark(self, start: int, label: str) -> None:
        """Label everything written since `start` (an earlier value of `length`)."""
        if self.length > start:
            self._spans.append((start, self.length, label))

    def rule(self, name: str) -> None:
        """Write one alternative of a rule."""
        rule = self._grammar.rules[name]
        if callable(rule):
            rule(self)
        else:
            self.write(rule[self._fresh(name, len(rule))])

    def write(self, nodes: Nodes) -> None:
        """Write a compiled template."""
        for node in nodes:
            kind = node[0]
            if kind == TEXT:
                self.text(node[1], node[2])
            elif kind == SLOT:
                self._slot(node)
            elif kind == CHOICE:
                self.write(self.choose(node[1]))
            elif kind == OPTION:
                if self.random() < _OPTIONAL:
                    self.write(node[1])
            elif kind == SPAN:
                start = self.length
                self.write(node[2])
                self.mark(start, node[1])
            elif kind == QUOTE:
                start = self.length
                self.text("“" if self._curly else '"')
                self.write(node[1])
                self.text("”" if self._curly else '"')
                self.mark(start, "quotation")
            else:
                assert kind == NUMBER
                self._number(node)

    def _slot(self, node: tuple) -> None:
        _, bind, key, form, with_article, capital, silent = node
        word = self.scope.get(key)
        if word is None:
            if key not in self._grammar.lexicon:
                self._rule_slot(key, with_article, capital)
                return
            word = self.draw(key)
        if bind:
            self.scope[bind] = word
        if silent:
            return
        text = word.forms[form]
        if with_article:
            chosen = article(text)
            self.text((chosen.capitalize() if capital else chosen) + " ")
        elif capital:
            text = text[0].upper() + text[1:]
        self.text(text, word.labels[form])

    def _rule_slot(self, name: str, with_article: bool, capital: bool) -> None:
        """Write a rule whose first word may need an article or a capital, known only once it is written."""
        part, span, start = len(self._parts), len(self._spans), self.length
        self.rule(name)
        if len(self._parts) == part or not (with_article or capital):
            return
        first = self._parts[part]
        if with_article:
            chosen = article(first)
            inserted = (chosen.capitalize() if capital else chosen) + " "
            self._parts.insert(part, inserted)
            shift = len(inserted)
            self.length += shift
            self._spans[span:] = [(at + shift, end + shift, label) for at, end, label in self._spans[span:]]
        else:
            assert start + len(first) <= self.length
            self._parts[part] = first[0].upper() + first[1:]

    def _number(self, node: tuple) -> None:
        _, bind, low, high, style, silent = node
        value = self.integer(low, high)
        if style == "w":
            text = number_words(value)
        elif style == "d":
            text = f"{value // 10}.{value % 10}"
        else:
            text = f"{value:,}" if style == "," else str(value)
        word = Word({"": text}, "number")
        if bind:
            self.scope[bind] = word
        if not silent:
            self.text(text, "number")

    # Finishing

    def finish(self) -> tuple[str, tuple[Span, ...]]:
        """The text and its spans, outer spans before the inner ones, each once."""
        text = "".join(self._parts)
        if self._curly:
            text = text.replace("'", "’")  # as long as before, so the spans still fit
        # An outer span is recorded when it closes, after the inner ones: reversed, then a stable sort.
        ordered = sorted(dict.fromkeys(reversed(self._spans)), key=lambda span: (span[0], -span[1]))
        return text, tuple(Span(*span) for span in ordered)
