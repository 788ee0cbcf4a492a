"""The notation in which the grammar is written, and its compiler.

    {animal}          a word drawn from the lexicon or a rule of that name, or one bound earlier
    {animal.s}        another form of it; {hero.he} {hero.his} are the pronouns that fit a person
    {a animal}        with the article that fits;  {Animal}, {A animal}  with a capital
    {pet=animal}      draws, and binds the name `pet` for the rest of the passage
    {!hero=person}    binds without writing anything
    {#3-9}            a number; {#3-9w} in words, {#10-99d} in tenths (4.7), {#1000-9999,} with separators
    (red|green)       one of these; brackets without a bar are ordinary ones
    [ in the rain]    this or nothing
    <label:...>       a span with that label around whatever is inside
    "..."             a quotation (and its span; some passages have curly quotes)
    ¿Who is it?       a question, from the mark to the question mark
    ~went             the next word is a verb in the past tense

`\\` makes the next character ordinary. A few closed classes of words (pronouns, negations, units, ...) are
labelled where they stand in a template, when it is compiled: their meaning does not depend on what is drawn.
"""

from __future__ import annotations

import re

TEXT, SPAN, CHOICE, OPTION, SLOT, QUOTE, NUMBER = range(7)
Node = tuple
Nodes = tuple[Node, ...]

_CLOSED_CLASSES = {
    "pronoun": "I me my mine myself you your yours yourself we us our ours ourselves they them their themselves "
    "he him his himself she her hers herself it its itself everyone everybody someone somebody anyone anybody "
    "everything something",
    "negation": "not no never nobody nothing none nor neither nowhere cannot don't didn't doesn't isn't wasn't "
    "weren't aren't can't couldn't won't wouldn't hasn't haven't hadn't shouldn't without",
    "time": "today tonight yesterday tomorrow morning afternoon evening midnight noon dawn dusk week weeks weekend "
    "day days month months year years mornings evenings afternoons overnight century night nights",
    "unit": "km kg km/h minute minutes hour hours seconds metres metre kilometres kilometre grams kilograms litres "
    "litre millilitres degrees °C £ % percent miles mile inches centimetres tonnes millimetres g ml tablespoon "
    "tablespoons teaspoon teaspoons cup cups pinch handful pounds euros pence",
    "number": "two three four five six seven eight nine ten twelve twenty hundred thousand twice",
    "feeling": "happy sad angry proud tired afraid lonely glad worried excited nervous delighted calm relieved "
    "disappointed surprised grateful ashamed jealous",
    "place": "kitchen garden station office harbour village town city museum street river beach library "
    "classroom hospital theatre bridge hotel square valley coast island airport",
    "weather": "rain wind snow fog sunshine storm clouds thunder frost ice showers rained sunny windy",
    "animal": "dog cat horse birds fish gulls",
    "food": "bread tea coffee soup cheese butter flour sugar salt water milk eggs onions garlic lunch breakfast "
    "dinner supper cake",
    "object": "table chair box bag key letter door window ball",
    "vehicle": "bus train car boat ferry bicycle",
    "plant": "tree trees flowers grass roses",
    "colour": "red green blue yellow white black grey",
}
_LABEL_OF = {word: label for label, words in _CLOSED_CLASSES.items() for word in words.split()}
_WORD = re.compile(r"km/h|°C|[£%]|(?:[^\W\d_]|(?<=\w)['-](?=\w))+")
_SLOT = re.compile(r"(!)?(?:(\w+)=)?(?:([aA]) )?(?:#(\d+)-(\d+)([wd,]?)|(\w+?)(?:\.(\w+))?)")
_STOPS = {"{": "}", "(": ")", "[": "]", "<": ">", '"': '"', "¿": "?"}


def parse(template: str) -> Nodes:
    """Compile one template; a mistake in it is an AssertionError when the package is imported."""
    nodes, end = _sequence(template, 0, "")
    assert end == len(template), f"unbalanced {template[end]!r} in {template!r}"
    return nodes


def _sequence(template: str, at: int, stops: str) -> tuple[Nodes, int]:
    nodes: list[Node] = []
    literal: list[str] = []

    def flush() -> None:
        if literal:
            nodes.extend(_literal("".join(literal)))
            literal.clear()

    while at < len(template) and template[at] not in stops:
        character = template[at]
        if character == "\\":
            literal.append(template[at + 1])
            at += 2
        elif character == "~":
            flush()
            word = re.compile(r"[\w'-]+").match(template, at + 1)
            assert word, template
            nodes.append((SPAN, "verb_past", ((TEXT, word.group(), None),)))
            at = word.end()
        elif character in _STOPS:
            flush()
            node, at = _bracketed(template, at)
            nodes.append(node)
        else:
            assert character not in "})]>", f"unbalanced {character!r} in {template!r}"
            literal.append(character)
            at += 1
    flush()
    return tuple(nodes), at


def _bracketed(template: str, at: int) -> tuple[Node, int]:
    opening, closing = template[at], _STOPS[template[at]]
    if opening == "{":
        end = template.index("}", at)
        return _slot(template[at + 1 : end]), end + 1
    if opening == "<":
        colon = template.find(":", at)
        assert colon > 0, f"a span without a label in {template!r}"
        nodes, end = _sequence(template, colon + 1, closing)
        node: Node = (SPAN, template[at + 1 : colon], nodes)
    elif opening == "(":
        options: list[Nodes] = []
        end = at
        while template[end] != ")":
            nodes, end = _sequence(template, end + 1, "|)")
            assert end < len(template), f"unclosed ( in {template!r}"
            options.append(nodes)
        if len(options) == 1:
            options = [((TEXT, "(", None), *options[0], (TEXT, ")", None))]
        node = (CHOICE, tuple(options))
    else:
        nodes, end = _sequence(template, at + 1, closing)
        if opening == "[":
            node = (OPTION, nodes)
        elif opening == '"':
            node = (QUOTE, nodes)
        else:
            node = (SPAN, "question", (*nodes, (TEXT, "?", None)))
    assert end < len(template) and template[end] == closing, f"unclosed {opening!r} in {template!r}"  # noqa: PT018
    return node, end + 1


def _slot(inside: str) -> Node:
    match = _SLOT.fullmatch(inside)
    assert match, f"cannot read the slot {{{inside}}}"
    silent, bind, art, low, high, style, key, form = match.groups()
    if low is not None:
        return (NUMBER, bind, int(low), int(high), style, bool(silent))
    capital = key[0].isupper() or art == "A"
    key = key[0].lower() + key[1:]
    return (SLOT, bind, key, form or "", bool(art), capital, bool(silent))


def _literal(text: str) -> list[Node]:
    """Split ordinary text at the words of the closed classes."""
    nodes: list[Node] = []
    start = 0
    for match in _WORD.finditer(text):
        word = match.group()
        label = _LABEL_OF.get(word) or _LABEL_OF.get(word[0].lower() + word[1:])
        if label:
            if match.start() > start:
                nodes.append((TEXT, text[start : match.start()], None))
            nodes.append((TEXT, word, label))
            start = match.end()
    if start < len(text):
        nodes.append((TEXT, text[start:], None))
    return nodes
