# ruff: noqa: E501, SIM905 (lists of words and sentences, one thought to a line)
"""Regular English inflection, and the `Word` that carries every form of one entry of the lexicon.

Irregular forms are spelled out in the lexicon (`mouse/mice`, `write/wrote/written`); everything else
follows the rules below.
"""

from __future__ import annotations

_VOWELS = "aeiou"
# Spelling misleads in these: the sound decides between "a" and "an".
_SOUNDS_LIKE_CONSONANT = ("uni", "use", "usu", "uku", "uto", "eu", "one", "once")
_SOUNDS_LIKE_VOWEL = ("hour", "honest", "honour", "heir")
_EXCEPTIONS_TO_UNI = ("unim", "unin", "unident")

# Verbs that double their last consonant: stress is not visible in the spelling, so they are listed.
_DOUBLING = frozenset(
    "stop plan drop chat skip jog hop nod grin shrug slip trip hum beg rub chop stir pat trim wrap knit "
    "scrub mop hug tap grab drag ship jot spot swap clap flip zip pin rob whip blot scan tug plug slam "
    "sob snap step wag dip drum occur prefer admit equip sip strum tip top cram fit trot plod forget unwrap shred begin skid travel label model quarrel".split()
)


class Word:
    """One entry of the lexicon: its forms by name ("" is the plain one) and the label of each form."""

    __slots__ = ("forms", "labels")

    def __init__(self, forms: dict[str, str], label: str | None, labels: dict[str, str | None] | None = None):
        self.forms = forms
        self.labels = dict.fromkeys(forms, label)
        if labels:
            self.labels.update(labels)


def article(following: str) -> str:
    """ "a" or "an", by the sound that the following text begins with."""
    word = following.lower().lstrip("\"“'’")
    if word.startswith(_SOUNDS_LIKE_VOWEL) or word.split(" ")[0] in ("mp", "x-ray"):
        return "an"
    if word.startswith(_SOUNDS_LIKE_CONSONANT) and not word.startswith(_EXCEPTIONS_TO_UNI):
        return "a"
    if word[:1].isdigit():
        return "an" if word.startswith("8") or word.split(" ")[0].split("-")[0] in ("11", "18") else "a"
    return "an" if word[:1] in "aeiouéà" else "a"


def plural(noun: str) -> str:
    """The regular plural of a noun."""
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in _VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"


def _third_person(verb: str) -> str:
    return verb + "es" if verb.endswith(("o", "s", "x", "z", "ch", "sh")) else plural(verb)


def _stem(verb: str) -> str:
    return verb + verb[-1] if verb in _DOUBLING else verb


def noun(entry: str, label: str | None) -> Word:
    """`fox`, `mouse/mice`, `polar_bear`: a countable noun with the forms "" and "s"."""
    one, _, many = entry.replace("_", " ").partition("/")
    return Word({"": one, "s": many or plural(one)}, label)


def verb(entry: str) -> Word:
    """`walk`, `write/wrote/written`, `look_for`: the forms "", "s", "ing", "ed" (past) and "en" (participle)."""
    past_forms = entry.split("/")
    base, _, particle = past_forms[0].partition("_")
    tail = " " + particle.replace("_", " ") if particle else ""
    stem = _stem(base)
    if len(past_forms) > 1:
        past, participle = past_forms[1], past_forms[-1]
    else:
        if base.endswith("e"):
            past = base + "d"
        elif base.endswith("y") and base[-2] not in _VOWELS:
            past = base[:-1] + "ied"
        else:
            past = stem + "ed"
        participle = past
    if base.endswith("ie"):
        progressive = base[:-2] + "ying"
    elif base.endswith("e") and not base.endswith(("ee", "ye", "oe")):
        progressive = base[:-1] + "ing"
    else:
        # Irregular verbs double by their spelling (run, sit, swim): consonant, short vowel, consonant.
        short = len(past_forms) > 1 and len(base) <= 4 and base[-1] in "nptmgd" and base[-2] in _VOWELS
        progressive = (base + base[-1] if short and base[-3:-2] not in _VOWELS else stem) + "ing"
    forms = {"": base, "s": _third_person(base), "ing": progressive, "ed": past, "en": participle}
    return Word({name: form + tail for name, form in forms.items()}, "action", {"ed": "verb_past"})


_MALE = {"he": "he", "him": "him", "his": "his", "himself": "himself"}
_FEMALE = {"he": "she", "him": "her", "his": "her", "himself": "herself"}


def person(name: str, female: bool) -> Word:
    """A person: the name, and the pronouns that stand for it under the keys he, him, his, himself."""
    pronouns = _FEMALE if female else _MALE
    kin = {"child": "daughter" if female else "son", "title": "Mrs" if female else "Mr"}
    return Word({"": name, **pronouns, **kin}, "person", dict.fromkeys(pronouns, "pronoun"))


_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen".split()
)
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()


def number_words(value: int) -> str:
    """An integer from 0 to 99 in words."""
    if value < 20:
        return _UNITS[value]
    tens, rest = divmod(value, 10)
    return _TENS[tens] + (f"-{_UNITS[rest]}" if rest else "")
