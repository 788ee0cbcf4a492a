"""The request for a steering: the same for the command line, a page and a job's worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from itda_core.analysis.interventions.change import Change
from itda_core.analysis.interventions.written import FORM, changes_of
from itda_core.errors import UserError
from itda_core.printable import visible
from itda_core.runs.jobs.request_fields import JobRequest, Option, one_option
from itda_core.runs.jobs.request_options import (
    DICTIONARY,
    LIBRARY,
    OTHER_MODEL,
    OWN_METHOD,
    SETTINGS,
    ModelSettings,
)

_ATOMS = Option(
    f"The atoms to change, each with a strength of its own where it is written {FORM}.",
    name="atom",
    metavar="I[,J]",
)
_MOST_QUOTED = 40  # characters of a prompt in a list of jobs


@dataclass(frozen=True)
class SteerRequest(JobRequest, ModelSettings):
    """What a model predicts and writes when atoms are changed. What the dictionary does not explain is kept.

    For example: itda steer demo-0-L3-consensus --prompt "Mara went home. She" --atom 227 --strength 0
    """

    COMMAND = "steer"
    CALLED = "steering request"
    WRITTEN = (
        *("dictionary", "prompt", "atom", "strength", "unit", "add", "where", "token", "special"),
        *("new_tokens", "temperature", "seed", "curve", "next", "k", "method", "non_negative"),
        *("model", *SETTINGS, "library"),
    )

    dictionary: str = field(metadata=one_option(DICTIONARY))  # a name in the library, or a folder
    prompt: str = field(metadata=one_option(Option("The text to read, and to continue.")))
    atoms: tuple[str, ...] = field(metadata=one_option(_ATOMS))
    strength: float | None = field(
        default=None, metadata=one_option(Option("How strongly; of unit own, 0 removes and -1 reverses an atom."))
    )
    unit: str = field(
        default="own",
        metadata=one_option(
            Option(
                "own (times its own coefficient), max (times its largest in its index) or norm (times that of the "
                "activation, the dictionary's mean taken off)."
            )
        ),
    )
    add: bool = field(default=False, metadata=one_option(Option("Add to the coefficient instead of setting it.")))
    where: str = field(default="prompt", metadata=one_option(Option("token, prompt, generated or all.")))
    token: int | None = field(
        default=None, metadata=one_option(Option("Number of the token; the last one if left out."))
    )
    special: bool = field(default=False, metadata=one_option(Option("Change special tokens and attention sinks too.")))
    new_tokens: int = field(default=0, metadata=one_option(Option("How many tokens to write, before and after.")))
    temperature: float = field(default=0.0, metadata=one_option(Option("0 takes the likeliest token each time.")))
    seed: int = field(
        default=0, metadata=one_option(Option("Of the tokens that are drawn; the same before and after."))
    )
    curve: str | None = field(
        default=None,
        metadata=one_option(Option("Strengths of the first atom to draw a curve over.", metavar="FROM:TO")),
    )
    next: str | None = field(
        default=None,
        metadata=one_option(Option("The next token whose probability the curve tells; the likeliest if left out.")),
    )
    k: int | None = field(
        default=None, metadata=one_option(Option("Atoms per token; the dictionary's own if left out."))
    )
    method: str | None = field(default=None, metadata=one_option(Option(OWN_METHOD)))
    non_negative: bool = field(
        default=False, metadata=one_option(Option("Only coefficients of at least zero, in whichever pursuit."))
    )
    # Where the dictionary's model is now; None: where it was.
    model: str | None = field(default=None, metadata=one_option(OTHER_MODEL))
    # The folder names are looked up in; None: the user's library.
    library: str | None = field(default=None, metadata=one_option(LIBRARY))

    def changes(self) -> tuple[Change, ...]:
        """What is to be done to which atoms. Raises UserError for what cannot be read."""
        return changes_of(self.atoms, strength=self.strength, unit=self.unit, added=self.add)

    def curve_ends(self) -> tuple[float, float] | None:
        """From which strength to which the curve goes; None where none is asked for. Raises UserError."""
        return None if self.curve is None else ends_of(self.curve)

    def about(self) -> str:
        """The dictionary, the atoms and how the prompt begins."""
        quoted = self.prompt if len(self.prompt) <= _MOST_QUOTED else f"{self.prompt[: _MOST_QUOTED - 1]}…"
        return f"{Path(self.dictionary).name}, atoms {', '.join(self.atoms)}: {visible(quoted)}"


def ends_of(text: str) -> tuple[float, float]:
    """The two strengths of `FROM:TO`. Raises UserError where they are none."""
    from itda_core.analysis.interventions.change import MOST_STRENGTH

    try:
        low, high = map(float, text.split(":"))
    except ValueError:
        low = high = 0.0
    if not -MOST_STRENGTH <= low < high <= MOST_STRENGTH:
        raise UserError(f"A curve over {text[:40]!r} is none; give two strengths, the smaller first, such as -2:3.")
    return low, high
