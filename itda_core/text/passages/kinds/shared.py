# ruff: noqa: SIM905 (lists of words and sentences, one thought to a line)
"""Rules that several kinds use: times, dates, scenes, small talk."""

from __future__ import annotations

from itda_core.text.passages.builder import Builder

_HOURS = "one two three four five six seven eight nine ten eleven twelve".split()


def _clock(b: Builder) -> None:
    """A time of day, written in one of several ways."""
    start = b.length
    style = b.integer(0, 4)
    if style == 0:
        b.text(f"{b.integer(6, 22)}:{5 * b.integer(0, 11):02d}", "number")
    elif style == 1:
        b.text("half past ")
        b.text(b.choose(_HOURS), "number")
    elif style == 2:
        b.text(b.choose(("a quarter to ", "a quarter past ", "ten past ", "twenty to ", "ten to ")))
        b.text(b.choose(_HOURS), "number")
    elif style == 3:
        b.text(str(b.integer(1, 12)), "number")
        b.text(b.choose((" am", " pm")))
    else:
        b.text(b.choose(_HOURS), "number")
        b.text(" o'clock")
    b.mark(start, "time")


RULES = {
    "clock": _clock,
    "date": (
        "<time:{#2-28} {month}>",
        "<time:{weekday}, {#2-28} {month}>",
        "<time:{month} {#2-28}>",
    ),
    "when": (
        "on {weekday}",
        "on {weekday} morning",
        "on {weekday} afternoon",
        "last {weekday}",
        "one {season} morning",
        "at {clock}",
        "early in {month}",
        "in late {month}",
        "one evening in {month}",
        "on {a sky} {weekday}",
        "one {sky} afternoon",
        "in the middle of {month}",
        "{#2-6w} days ago",
        "shortly before {clock}",
        "on <time:{#2-28} {month}>",
        "after lunch",
        "just after {clock}",
        "on the last day of {month}",
        "this {season}",
        "yesterday evening",
    ),
    "scene": (
        "It was {a sky} {weekday} in {month}",
        "The {season} had come early that year",
        "It was {a sky} {season} morning",
        "There had been {rainy} all through the night",
        "It was nearly {clock}, and the streets were empty",
        "The {place} had just opened its doors",
        "All the {flower.s} were out, and the air was {sky}",
        "Outside it was {sky}, and the {tree.s} hardly moved",
        "The last {vehicle} of the evening had gone",
        "Nobody in the village could remember such {a sky} {month}",
        "By {clock} the whole {place} smelled of {sweet.s}",
        "{A bird} was calling from the top of {a tree}",
        "The {landscape} lay under {a colour} sky",
        "On {weekday}s the {place} was always {place_look}",
        "The lamps in the {place_look} street were lit already",
    ),
    "aside": (
        "The {crowd.s} took no notice.",
        "{A animal_look} {bird} watched from the {building_part}.",
        "Somewhere {a pet} made a noise.",
        "{A vehicle} passed slowly outside.",
        "It smelled of {drink} and {flower.s}.",
        "The {building_part} was {colour}, as it had always been.",
        "Nothing else moved.",
        "The clock struck {#3-11w}.",
        "Outside, the {weather_noun} went on and on.",
        "Even the {animal.s} seemed {feeling}.",
        "The light through the window was almost {colour}.",
        "{A person_look} {occupation} walked past and nodded.",
        "A faint smell of {sweet.s} hung in the air.",
        "Far away {a instrument} was playing.",
    ),
    "weather_noun": ("rain", "wind", "snow", "storm", "drizzle", "<weather:sleet>", "<weather:hail>"),
    "thing_phrase": (
        "{a age} {object}",
        "{a look} {object}",
        "{a colour} {garment}",
        "{a size} {material} box",
        "{a instrument}",
        "{a look} {tool}",
        "{a age} {instrument}",
        "{a object} made of {material}",
        "{a colour} {object}",
        "{a size} {colour} {object}",
        "{a age} {furniture}",
        "{a garment} of {colour} {cloth}",
        "{a look} {garment}",
    ),
    "cloth": ("wool", "silk", "cotton", "velvet", "linen", "felt"),
    "relative": ("{kin}", "{kin}", "(eldest|youngest|favourite) {kin_any}", "old {kin_any}"),
    "kin_any": ("aunt", "uncle", "cousin", "niece", "nephew"),
    "saying": (
        "{Abstract} costs nothing",
        "there is {a season} after every {other_season}",
        "{abstract} is worth more than {metal_precious}",
        "a little {abstract} goes a long way",
        "you cannot buy {abstract}",
        "nobody is ever too old for {abstract}",
        "the early {bird} is not always the happy one",
        "{abstract} and {abstract} make good neighbours",
        "{a quiet_thing} tells you more than a speech",
        "a borrowed {object} is soon forgotten",
    ),
    "other_season": ("winter", "storm", "long night"),
    "metal_precious": ("gold", "silver", "any medal"),
    "quiet_thing": ("long silence", "kind look", "warm dinner", "good letter"),
}
