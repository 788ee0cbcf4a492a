# ruff: noqa: E501 (lists of words and sentences, one thought to a line)
"""Arithmetic: sums and word problems, every one of them correct."""

from __future__ import annotations

from itda_core.text.passages.builder import Builder
from itda_core.text.passages.inflection import Word
from itda_core.text.passages.notation import parse


def _sum(b: Builder, sentence: bool = False) -> None:
    """One correct equation, such as 17 + 25 = 42."""
    operation = b.integer(0, 5)
    if operation == 0:
        left, right = b.integer(3, 999), b.integer(3, 999)
        sign, result = "+", left + right
    elif operation == 1:
        result, right = b.integer(2, 600), b.integer(2, 399)
        left, sign = result + right, "-"
    elif operation in (2, 3):
        left, right = b.integer(2, 25), b.integer(2, 20)
        sign, result = b.choose(("*", "×", "x")), left * right
    elif operation == 4:
        result, right = b.integer(2, 40), b.integer(2, 12)
        left, sign = result * right, "/"
    else:
        left, right = b.integer(10, 99), b.integer(10, 99)
        sign, result = "+", left + right
    b.text(str(left), "number")
    b.text(f" {sign} ")
    b.text(str(right), "number")
    b.text(" = ")
    b.text(str(result), "number")


def _sums(b: Builder) -> None:
    """A column of equations under a heading."""
    b.write(_HEAD)
    for index in range(b.integer(5, 10)):
        b.text("\n")
        if index and b.random() < 0.12:
            b.rule("sum_remark")
            b.text("\n")
        _sum(b)
    if b.random() < 0.7:
        b.text("\n")
        b.rule("sum_close")


_HEAD = parse("{sum_head}")


def _bind(b: Builder, **numbers: int) -> None:
    for name, value in numbers.items():
        b.scope[name] = Word({"": str(value)}, "number")


def _problem(b: Builder) -> None:
    """A word problem: the numbers are computed first, then told."""
    for index in range(1 if b.random() < 0.45 else 2):
        if index:
            b.text("\n\n")
        for person in ("hero", "pal"):
            b.scope[person] = b.draw("person")
        b.scope["things"] = b.draw(b.choose(("small_thing", "fruit", "sweet", "vegetable")))
        b.scope["box"] = b.draw("container")
        b.scope["city1"], b.scope["city2"] = b.draw("city"), b.draw("city")
        b.scope["ride"] = b.draw("road_vehicle")
        shape = b.choose(("give", "share", "buy", "drive", "pages", "rows", "saved", "ages"))
        if shape == "give":
            start, given = b.integer(12, 90), b.integer(3, 10)
            _bind(b, p=start, q=given, r=start - given)
        elif shape == "share":
            each, people = b.integer(3, 15), b.integer(2, 9)
            _bind(b, p=each * people, q=people, r=each)
        elif shape == "buy":
            count, price = b.integer(2, 12), b.integer(2, 15)
            note = 50 * (count * price // 50 + 1)
            _bind(b, p=count, q=price, r=count * price, s=note, t=note - count * price)
        elif shape == "drive":
            hours, speed = b.integer(2, 9), 5 * b.integer(6, 22)
            _bind(b, p=speed, q=hours, r=hours * speed)
        elif shape == "pages":
            daily, days = b.integer(6, 40), b.integer(3, 14)
            _bind(b, p=daily * days, q=daily, r=days)
        elif shape == "rows":
            rows, seats, empty = b.integer(4, 25), b.integer(5, 20), b.integer(2, 18)
            _bind(b, p=rows, q=seats, r=rows * seats, s=empty, t=rows * seats - empty)
        elif shape == "saved":
            had, more = b.integer(20, 300), b.integer(15, 99)
            _bind(b, p=had, q=more, r=had + more)
        else:
            younger, gap = b.integer(4, 30), b.integer(2, 20)
            _bind(b, p=younger, q=gap, r=younger + gap)
        b.rule("problem_" + shape)
    if b.random() < 0.3:
        b.text("\n")
        b.rule("sum_close")


RULES = {
    "arithmetic_passage": lambda b: _sums(b) if b.random() < 0.42 else _problem(b),
    "sum_head": (
        "<title:Sums for {weekday}>",
        "<title:Exercise {#2-90}>",
        "{person}'s homework, {date}:",
        "The teacher ~wrote on the board:",
        "<title:Mental arithmetic>",
        "{person} did these sums in {#2-20} minutes:",
        "All of these are right:",
        "<title:Page {#4-200}>",
        "Check each line with {a object_calc}:",
        "<title:Answers for {person}>",
    ),
    "object_calc": ("<object:calculator>", "<object:pencil>", "<object:abacus>"),
    "sum_remark": (
        "That was easy. The next one is not:",
        "Now a harder one:",
        "And then:",
        "{person} ~needed a pencil for this:",
        "Once more:",
    ),
    "sum_close": (
        "No mistakes.",
        "Well done, {person}!",
        "{person} was {good_feeling} with the result.",
        "All correct, {person} {speak.ed}.",
        "¿Can you do it without paper?",
        "It took {#2-15w} minutes.",
        "There is no reason to be afraid of numbers.",
    ),
    "problem_give": (
        "{hero} had {p} {things.s}. {Hero.he} ~gave {q} of them to {pal}. ¿How many were left? {p} - {q} = {r}, so {hero} ~kept {r} {things.s}.",
        "There were {p} {things.s} in {a box}. {pal} ~took {q}. Now there are {p} - {q} = {r}.",
        "{Question_sub} Answer: {r}, because {p} - {q} = {r}.",
        "{hero} lost {q} of {hero.his} {p} {things.s} on the way to the {place}. {Hero.he} still has {r}, since {p} - {q} = {r}.",
        "Of {p} {things.s}, {q} were {blemish}. The other {r} were good: {p} - {q} = {r}.",
    ),
    "blemish": ("broken", "<colour:green>", "too small", "dirty", "missing", "<colour:black>"),
    "question_sub": (
        "{hero} bakes or buys {p} {things.s} and {pal} uses {q}. ¿How many remain?",
        "¿How many {things.s} are left if {pal} takes {q} out of {p}?",
        "A shop had {p} {things.s} and sold {q} on {weekday}. ¿How many are there now?",
    ),
    "problem_share": (
        "{hero} wants to share {p} {things.s} among {q} {crowd.s}. ¿How many does each of them get? {p} / {q} = {r}. Each gets {r}.",
        "{p} {things.s} are packed into {q} {box.s}, the same number in each. {p} / {q} = {r}, so there are {r} in every {box}.",
        "¿What is {p} divided by {q}? {hero} thought for a while and ~said {r}. {pal} checked: {q} * {r} = {p}.",
        "{q} children found {p} {things.s} in the {place}. If they share them fairly, everyone has {r}, as {p} / {q} = {r}.",
    ),
    "problem_buy": (
        "One {things} costs £{q}. {hero} buys {p} of them. That is {p} * {q} = {r}, so {hero.he} pays £{r}.",
        "At the {place}, {hero} ~bought {p} {things.s} for {q} euros each and ~paid with {s} euros. The price was {p} * {q} = {r} euros, and the change was {s} - {r} = {t} euros.",
        "¿How much do {p} {things.s} cost if one costs £{q}? {p} × {q} = {r}. They cost £{r}.",
        "{pal} sells {things.s} at £{q} each. {hero} takes {p} and puts £{s} on the table. {p} x {q} = {r}; {pal} gives back £{t}, because {s} - {r} = {t}.",
    ),
    "problem_drive": (
        "{A ride} travels at {p} km/h for {q} hours. ¿How far does it go? {p} * {q} = {r}. It goes {r} kilometres.",
        "{hero} ~drove from {city1} towards {city2} in {a colour} {ride}. After {q} hours at {p} km/h {hero.he} had covered {r} km, for {q} * {p} = {r}.",
        "It takes {hero} {q} hours to drive {r} kilometres. {Hero.his} average speed is {r} / {q} = {p} km/h.",
    ),
    "problem_pages": (
        "{hero} reads {q} pages of {hero.his} {book_kind} every day. It has {p} pages. ¿When will {hero.he} finish? After {r} days, because {p} / {q} = {r}.",
        "{A book_kind} of {p} pages was finished in {r} days. That makes {p} / {r} = {q} pages a day.",
        "If {pal} writes {q} lines a day, then in {r} days {pal.he} will have written {r} * {q} = {p} lines.",
    ),
    "problem_rows": (
        "The {place} has {p} rows of {q} seats. {p} * {q} = {r}, but {s} seats are broken, so only {r} - {s} = {t} people can sit.",
        "{hero} plants {p} rows with {q} {flower.s} in each. {s} of them do not grow. {p} × {q} = {r} and {r} - {s} = {t}: there are {t} {colour} flowers in the end.",
        "There are {p} {box.s} with {q} {things.s} in each, and {pal} eats or loses {s}. First {p} * {q} = {r}, then {r} - {s} = {t}. The answer is {t}.",
    ),
    "problem_saved": (
        "{hero} had saved £{p}. {When_cap} {hero.he} ~got £{q} from {hero.his} {kin}. {p} + {q} = {r}. ¿Is that enough for {a instrument} that costs £{r}? Yes, exactly.",
        "{p} people ~came on {weekday} and {q} on the day after. In all, {p} + {q} = {r} people ~saw the {event}.",
        "On {weekday} {hero} walked {p} metres and {pal} walked {q} metres more. So {pal} walked {p} + {q} = {r} metres.",
        "{hero} has {p} {things.s}, {pal} has {q}. Together they have {r} {things.s}, for {p} + {q} = {r}.",
    ),
    "problem_ages": (
        "{hero} is {p} years old, and {pal} is {q} years older. ¿How old is {pal}? {p} + {q} = {r}. {Pal} is {r}.",
        "In {q} years {hero}, who is {p} now, will be {r}, because {p} + {q} = {r}.",
        "When {pal} was {p}, {hero} was {r}. The difference is {r} - {p} = {q} years, and it never changes.",
    ),
}
