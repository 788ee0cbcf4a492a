# ruff: noqa: E501, SIM905 (lists of words and sentences, one thought to a line)
"""Small Python programs. Every one of them compiles; the tests read each with `ast.parse`."""

from __future__ import annotations

import keyword
import re

from itda_core.text.passages.builder import Builder

_TOKEN = re.compile(r"(#[^\n]*)|(\"\"\"[^\"]*\"\"\"|f?\"[^\"\n]*\")|([A-Za-z_]\w*)|(\d+(?:\.\d+)?)|(.|\n)")
_VERBS = "count find sort collect print read remove add check load update join measure select list merge split total show filter".split()
_THINGS = "apple ticket book planet bird letter word order price score player colour animal song city river name step task cake stamp shoe lamp shell train flower seat coin key guest".split()
_PLURALS = {"city": "cities"}
_NAMES = "total result count value best found answer current limit average longest amount".split()
_STRINGS = ("ready", "done", "not found", "too small", "hello", "try again", "no entry", "finished", "empty", "welcome", "good morning", "goodbye",
            "please wait", "it is late", "all is well", "nothing to do", "wrong key", "good night")  # fmt: skip
_COMMENTS = ("keep only what is needed", "nothing is changed here", "this is slow but simple", "start with the first one", "skip the empty ones", "the order matters",
             "an empty list is allowed", "never divide by zero", "one more than before", "stop as soon as possible", "a small test", "ask only once",
             "the longest comes last", "works for any number", "do not forget the last one")  # fmt: skip
_DOCS = ("Return the {total} of all {things}.", "Find the first {thing} above the {limit}.", "Show every {thing} with its number.", "Tell whether there is no {thing} left.",
         "Count the {things}, but not the empty ones.", "Sort the {things} by length.", "Remove each {thing} that is too small.")  # fmt: skip

# @x@ are the parts filled in by the program's own draw; keywords, names, strings, numbers and comments
# are labelled by the tokens of the template itself.
_PROGRAMS = (
    "def @verb@_@things@(@things@, @limit@=@n@):\n@doc@    @total@ = 0\n    for @thing@ in @things@:\n        if @thing@ > @limit@:\n            @total@ += @thing@@comment@\n    return @total@\n\n\nprint(@verb@_@things@([@n@, @n@, @n@]))",
    "@things@ = [\"@w1@\", \"@w2@\", \"@w3@\"]\n@comment_line@for @thing@ in @things@:\n    if len(@thing@) > @d@:\n        print(@thing@.upper())\n    else:\n        print(\"@s@\", @thing@)",
    "class @Thing@:\n@doc@    def __init__(self, name, @value@=@n@):\n        self.name = name\n        self.@value@ = @value@@comment@\n\n    def @verb@(self, other):\n        return self.@value@ + other.@value@\n\n\n@thing@ = @Thing@(\"@w1@\")\nprint(@thing@.name)",
    "def @verb@_@thing@(@things@, name):\n@doc@    for index, @thing@ in enumerate(@things@):\n        if @thing@ == name:\n            return index\n    return None@comment@\n\n\nprint(@verb@_@thing@([\"@w1@\", \"@w2@\"], \"@w1@\"))",
    "@value@ = @n@\n@comment_line@while @value@ > 0:\n    print(\"@s@\", @value@)\n    @value@ -= @d@\nprint(\"@s2@\")",
    "@things@ = {\"@w1@\": @n@, \"@w2@\": @n@, \"@w3@\": @n@}\n\nfor name, @value@ in @things@.items():\n    print(f\"{name}: {@value@}\")@comment@\n\n@best@ = max(@things@, key=@things@.get)\nprint(\"@s@\", @best@)",
    "def @verb@(a, b):\n@doc@    if b == 0:\n        raise ValueError(\"@s@\")@comment@\n    return a / b\n\n\ntry:\n    print(@verb@(@n@, @d@))\nexcept ValueError as error:\n    print(error)",
    "@things@ = [@n@, @n@, @n@, @n@]\n@value@ = [@thing@ * @d@ for @thing@ in @things@ if @thing@ % 2 == @bit@]\n@comment_line@assert len(@value@) <= len(@things@)\nprint(sorted(@value@))",
    "import random\n\n\ndef @verb@_@thing@(seed):\n@doc@    random.seed(seed)\n    @things@ = [\"@w1@\", \"@w2@\", \"@w3@\"]@comment@\n    return random.choice(@things@)\n\n\nprint(@verb@_@thing@(@n@))",
    "def is_@adj@(@thing@):\n@doc@    return @thing@ is not None and len(@thing@) >= @d@\n\n\n@comment_line@for word in (\"@w1@\", \"@w2@\"):\n    print(word, is_@adj@(word))",
    "with open(\"@things@.txt\") as file:\n    @things@ = [line.strip() for line in file]@comment@\n\nif not @things@:\n    print(\"@s@\")\nelse:\n    print(len(@things@), \"@w1@\")",
    "def @verb@_@things@(n):\n@doc@    if n < 2:\n        return @bit@@comment@\n    return n + @verb@_@things@(n - @d@)\n\n\nfor i in range(@d@, @n@):\n    print(i, @verb@_@things@(i))",
    "from math import sqrt\n\n\ndef @verb@_@value@(x, y):\n@doc@    @best@ = sqrt(x ** 2 + y ** 2)@comment@\n    return round(@best@, @d@)\n\n\nprint(@verb@_@value@(@n@, @n@))",
    "@thing@ = input(\"which @thing@? \")\n\nif @thing@ == \"@w1@\":\n    print(\"@s2@\")\nelif @thing@ in (\"@w2@\", \"@w3@\"):\n    print(@n@)@comment@\nelse:\n    print(@thing@[::-1])",
    "def @verb@_@things@(@things@):\n@doc@    @best@ = {}\n    for @thing@ in @things@:\n        @best@[@thing@] = @best@.get(@thing@, 0) + 1@comment@\n    return @best@\n\n\nprint(@verb@_@things@(\"@s@\".split()))",
    "@value@, @best@ = @n@, @d@\n@comment_line@if @value@ > @best@ or @value@ == @n@:\n    @value@, @best@ = @best@, @value@\nprint(f\"@s@ {@value@}\")\n\nnumbers = list(range(@best@))\nprint(sum(numbers), numbers[-1:])",
    "def @verb@_@things@(@things@):\n@doc@    @best@ = @things@[0]\n    for @thing@ in @things@[1:]:\n        if len(@thing@) > len(@best@):\n            @best@ = @thing@@comment@\n    return @best@\n\n\nprint(@verb@_@things@([\"@w1@\", \"@w2@\", \"@w3@\"]))",
    "@things@ = []\nfor number in range(@d@, @n@, @d@):\n    if number % 3 == 0:\n        continue@comment@\n    @things@.append(number ** 2)\n\nprint(\"@s@\", @things@[:@d@])\nprint(len(@things@))",
)  # fmt: skip
_HOLE = re.compile(r"@(\w+)@")


def _program(b: Builder) -> None:
    b.straight_quotes()
    thing = b.choose(_THINGS)
    names = b.shuffled(_NAMES)
    words = b.shuffled(_THINGS)
    strings = b.shuffled(_STRINGS)
    things = _PLURALS.get(thing, thing + "s")
    fixed = {
        "thing": thing, "things": things, "Thing": thing.capitalize(), "verb": b.choose(_VERBS), "value": names[0], "best": names[1],
        "total": names[2], "limit": names[3], "w1": words[0], "w2": words[1], "w3": words[2], "s": strings[0], "s2": strings[1],
        "adj": b.choose(("long", "valid", "ready", "useful", "safe", "known", "new")),
    }  # fmt: skip
    for key in ("w1", "w2", "w3"):
        if b.random() < 0.4:  # names of people and colours are strings as often as things are
            fixed[key] = b.draw(b.choose(("colour", "person", "city", "animal"))).forms[""]

    def fill(match: re.Match[str]) -> str:
        key = match.group(1)
        if key in fixed:
            return fixed[key]
        if key == "n":
            return str(b.integer(3, 99))
        if key == "d":
            return str(b.integer(2, 9))
        if key == "bit":
            return str(b.integer(0, 1))
        if key == "comment":
            return f"  # {b.choose(_COMMENTS)}" if b.random() < 0.45 else ""
        if key == "comment_line":
            return f"# {b.choose(_COMMENTS)}\n" if b.random() < 0.6 else ""
        assert key == "doc", key
        if b.random() < 0.45:
            return ""
        doc = b.choose(_DOCS).format(thing=thing, things=things, total=names[2], limit=names[3])
        return f'    """{doc}"""\n'

    for match in _TOKEN.finditer(_HOLE.sub(fill, b.choose(_PROGRAMS))):
        comment, string, name, number, other = match.groups()
        if comment:
            b.text(comment, "comment")
        elif string:
            b.text(string, "code_string")
        elif name:
            b.text(name, "code_keyword" if keyword.iskeyword(name) else "code_name")
        elif number:
            b.text(number, "number")
        else:
            b.text(other)


RULES = {"python_passage": _program}
