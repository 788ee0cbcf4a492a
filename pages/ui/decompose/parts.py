"""The parts of the decompose page: what is asked for, and what is shown of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from itda_core.analysis.centring import cosine_words, relative_error_words
from itda_core.analysis.decompose import AtomUse, Decomposition, TokenDecomposition
from itda_core.analysis.in_common import in_common, tokens_of
from itda_core.analysis.replay import Replay, step_uses
from itda_core.analysis.shortfall import why_fewer
from itda_core.dictionaries.config import METHODS
from itda_core.errors import UserError
from itda_core.figures import replay as figures_replay
from itda_core.figures.token_colours import COLOURS
from itda_core.figures_as_text import figure
from itda_core.runs.library import LibraryEntry
from itda_core.runs.training.status import Accepted
from pages.ui.components.atom_list import atom_list
from pages.ui.components.charts import chart_config
from pages.ui.components.label_list import label_list
from pages.ui.components.printable import escaped, visible, visible_token
from pages.ui.components.pursuit_replay import pursuit_replay
from pages.ui.components.token_row import first_choice
from pages.ui.forms.pursuit_choice import pursuit
from pages.ui.frame import address, engine, navigation
from pages.ui.frame.engine import EXAMPLE

EXAMPLES = (
    EXAMPLE,
    "My father asked for five eggs and a pinch of salt.",
    "def add(a, b):\n    return a + b",
    "“Who is there?” she asked.",
)
PROMPT, TOKEN, ATOM = "decompose.prompt", "decompose.token", "decompose.atom"
_K, _METHOD, _COLOUR, _SPECIAL = "decompose.k", "decompose.method", "decompose.colour", "decompose.special"
_POSITIVE, _SMALL = "decompose.positive", "decompose.small"
WIDGETS = (_K, _METHOD, _COLOUR, _SPECIAL, _POSITIVE)  # what Streamlit draws; all else is set by the page in every run
AFTER_READING = (_COLOUR,)  # of these, what is drawn once the prompt was read
_SLIDER = 220  # pixels
_MOST_STEPS = 64  # of the slider; more atoms per token than this explain nothing to a reader


class Pinned(NamedTuple):
    """An atom that is pinned, and what the tokens are coloured by meanwhile."""

    atom: int
    colour: str


class View(NamedTuple):
    """How the prompt is to be decomposed and shown."""

    k: int
    method: str
    non_negative: bool
    special: bool

    @property
    def signs(self) -> str | None:
        """What the address says of the coefficients' signs; None for the default."""
        return "positive" if self.non_negative else None


def submit(text: str) -> None:
    """A prompt was sent off: its tokens are others now, and a token in the address was one of the old prompt."""
    st.session_state[PROMPT] = text
    st.session_state[TOKEN] = None
    for name in ("token", "behind"):
        address.query.pop(name, None)


def check_prompt(text: str) -> None:
    """Raises UserError for a prompt in which there is nothing to read."""
    if not text.strip():
        what = "blank" if text else "empty"
        raise UserError(f"The prompt is {what}, so there is nothing to decompose; type a text, or choose an example.")


def pick_token(index: int) -> None:
    """Make a token the chosen one."""
    st.session_state[TOKEN] = index


def pick_atom(atom: int | None) -> None:
    """Pins an atom, and shows where in the prompt it is used; or lets it go."""
    st.session_state[ATOM] = atom
    st.session_state[_COLOUR] = "error" if atom is None else "atom"


def let_go() -> Pinned | None:
    """Lets the pinned atom go, and says which one it was, if any; for callbacks."""
    atom = st.session_state.pop(ATOM, None)
    return None if atom is None else Pinned(atom, st.session_state.get(_COLOUR, "atom"))


def pin_again(pinned: Pinned) -> dict[str, object]:
    """What the address is to say so that it is pinned again in the dictionary it was of; for callbacks."""
    st.session_state[_COLOUR] = pinned.colour
    return {"atom": pinned.atom}


def controls(entry: LibraryEntry) -> View:
    """k, method and special tokens; the rest of that row is filled by `colour_control`."""
    most, own_k = most_k(entry), default_k(entry)
    address.arrive("k", _K, address.whole(1, most), own_k, within=entry.name)
    default_method = entry.method or METHODS[0]
    address.arrive("method", _METHOD, address.one_of(*METHODS), default_method, within=entry.name)
    row = st.container(horizontal=True, gap="medium", vertical_alignment="top")  # where it is too narrow, it wraps
    row.slider("Atoms per token (k)", 1, most, key=_K, width=_SLIDER)
    method, colour, special = (row.container(width="content", gap="xsmall") for _ in range(3))
    with method:
        pursuit(_METHOD)
        non_negative = _only_positive()
    st.session_state["decompose.colour.place"] = colour
    address.arrive("special", _SPECIAL, address.one_of("hidden", "shown"), "hidden")
    special.segmented_control(
        "Special tokens",
        ["hidden", "shown"],
        required=True,
        key=_SPECIAL,
        help="Special tokens, for example at the start of a text, have activations unlike all others.",
    )
    address.leave("k", _K, st.session_state[_K], own_k)
    address.leave("method", _METHOD, st.session_state[_METHOD], default_method)
    address.leave("special", _SPECIAL, st.session_state[_SPECIAL], "hidden")
    special_shown = st.session_state[_SPECIAL] == "shown"
    return View(st.session_state[_K], st.session_state[_METHOD], non_negative, special_shown)


def default_k(entry: LibraryEntry) -> int:
    """The atoms per token that the page begins with for that dictionary."""
    return min(entry.k or 8, most_k(entry))


def most_k(entry: LibraryEntry) -> int:
    """The most atoms per token that the page offers for that dictionary."""
    return max(2, min(entry.atoms or _MOST_STEPS, entry.d_model or _MOST_STEPS, _MOST_STEPS))


def _only_positive() -> bool:
    """Whether the pursuit is to be non-negative."""
    address.arrive("signs", _POSITIVE, lambda given: address.one_of("any", "positive")(given) == "positive", False)
    positive = st.toggle(
        "Only positive",
        key=_POSITIVE,
        help="Non-negative pursuit: an atom may be added, never subtracted. "
        "The error is larger, and every atom says what is there.",
    )
    address.leave("signs", _POSITIVE, positive, False, text="positive")
    return positive


def unfolded() -> bool:
    """Whether the atoms with small shares are shown."""
    small = address.arrive("small", _SMALL, address.one_of("hidden", "shown"), "hidden")
    address.leave("small", _SMALL, small, "hidden")
    return small == "shown"


def unfold(opened: bool) -> None:
    """The atoms with small shares were opened, or closed."""
    st.session_state[_SMALL] = "shown" if opened else "hidden"


def usual_colour(pinned: int | None) -> str:
    """By what tokens are coloured as long as nothing else is chosen."""
    return "error" if pinned is None else "atom"


def colour_control(pinned: int | None) -> str:
    """What the tokens' colour means."""
    default = usual_colour(pinned)
    address.arrive("colour", _COLOUR, address.one_of(*COLOURS), default)
    offered = [colour for colour in COLOURS if colour != "atom" or pinned is not None]
    if st.session_state[_COLOUR] not in offered:
        st.session_state[_COLOUR] = "error"
    st.session_state.pop("decompose.colour.place").segmented_control(
        "Colour tokens by", offered, format_func=COLOURS.__getitem__, key=_COLOUR, required=True
    )
    address.leave("colour", _COLOUR, st.session_state[_COLOUR], default)
    return st.session_state[_COLOUR]


def arrive_token(shown: Decomposition) -> TokenDecomposition:
    """The chosen token: the address's, or the last one with a letter or a digit in it."""
    last, default = len(shown.tokens) - 1, first_choice(shown)
    address.arrive("token", TOKEN, address.whole(0, last), default, within=shown.prompt)
    if st.session_state[TOKEN] is None or st.session_state[TOKEN] > last:
        st.session_state[TOKEN] = default
    address.leave("token", TOKEN, st.session_state[TOKEN], default)
    return shown.tokens[st.session_state[TOKEN]]


def arrive_atom(key: engine.DictionaryKey) -> int | None:
    """The pinned atom, if any."""
    last = len(engine.dictionary(key)) - 1
    atom = address.arrive("atom", ATOM, address.whole(0, last), None, within=key.path)
    address.leave("atom", ATOM, atom, None)
    return atom


def facts_of(key: engine.DictionaryKey, shown: Decomposition, use: AtomUse) -> Sequence[str]:
    """A few more things about an atom that `shown` uses."""
    users = sum(any(u.atom == use.atom for u in t.atoms) for t in shown.tokens if not t.special)
    error = engine.dictionary(key).label(use.atom).error
    source = "its first source token" if use.further else "its source token"
    return (
        f"document {visible(use.document)}, characters {use.char_start:,} to {use.char_end:,}",
        f"in training, {source} had relative error {error:.2f} without it",
        f"used by {users} of this prompt's {sum(not t.special for t in shown.tokens)} tokens",
    )


def open_atom(key: engine.DictionaryKey, atom: int) -> None:
    """To the page of an atom; for callbacks."""
    navigation.open_next("Atoms", {"dictionary": Path(key.path).name, "atom": atom})


def atoms(
    key: engine.DictionaryKey, shown: Decomposition, token: TokenDecomposition, pinned: int | None, *, unfolded: bool
) -> None:
    """The chosen token's atoms, strongest first."""
    atom_list(
        token.atoms,
        title=f"Atoms of token {token.index}",
        token=visible_token(token.text),
        pinned=pinned,
        facts=lambda use: facts_of(key, shown, use),
        on_pick=pick_atom,
        key="decompose.atoms",
        note=why_fewer(token, shown.k, shown.method, non_negative=shown.non_negative),
        unfolded=unfolded,
        on_unfold=unfold,
        on_open=partial(open_atom, key),
    )


def pinned_elsewhere(key: engine.DictionaryKey, token: TokenDecomposition, pinned: int | None) -> None:
    """The pinned atom where the chosen token does not use it: its label stays in sight."""
    if pinned is None or any(use.atom == pinned for use in token.atoms):
        return
    places = engine.dictionary(key).labels(pinned)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Atom {pinned} is pinned; this token does not use it.", width="stretch")
        st.button("Unpin", type="tertiary", on_click=pick_atom, args=(None,), key="decompose.unpin")
    if shared := "; ".join(map(str, in_common(places))):
        st.text(shared)
    seen = [Accepted(label.token, label.context_before, label.context_after) for label in places]
    label_list(seen, empty="", key="decompose.pinned")


def origin(shown: Decomposition) -> str:
    """What was decomposed, in a line: model, place, k and pursuit."""
    place = shown.site if shown.layer is None else f"layer {shown.layer}, {shown.site}"
    signs = ", only positive" if shown.non_negative else ""
    return visible(f"{shown.model} · {place} · k = {shown.k} · {shown.method.upper()}{signs}")


def measures(shown: Decomposition, token: TokenDecomposition, *, key: str) -> None:
    """How well `shown` explains the token, and over what that is measured."""
    row = st.container(horizontal=True, gap="small", border=True, key=f"measures.{key}")
    about = f"{_sentence(relative_error_words(shown.centred))} 0 is perfect."
    row.metric("Relative error", f"{token.relative_error:.3f}", help=about, width="content")
    about = _sentence(cosine_words(shown.centred))
    row.metric("Cosine", figure(token.cosine, ".3f"), help=about, width="content")
    row.metric("L0", token.l0, help="Different atoms in the sum.", width="content")


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def counted(shown: Decomposition, context: int | None) -> str:
    """How many tokens the prompt has, of those that the model takes at once."""
    n, n_special = len(shown.tokens), sum(token.special for token in shown.tokens)
    special = f" ({n_special} special)" if n_special else ""
    if context is None:
        return f"{n:,} token{'' if n == 1 else 's'}{special}"
    return f"{n:,} of {context:,} tokens{special}; a longer prompt is refused, nothing is cut off."


def uses_of(key: engine.DictionaryKey, replay: Replay, token: TokenDecomposition) -> dict[int, AtomUse]:
    """The atoms of the replay's steps with their labels, those that left again among them."""
    return step_uses(replay, token, engine.dictionary(key).labels)


def in_which(entry: LibraryEntry, second: LibraryEntry | None) -> str:
    """What a heading adds where a second dictionary stands beside `entry`, which alone it is about; for Markdown."""
    return "" if second is None else f" in {escaped(entry.name)}"


def replay_chart(
    shown: Decomposition,
    replay: Replay,
    token: TokenDecomposition,
    uses: Mapping[int, AtomUse],
    pinned: int | None,
    *,
    of: str,
) -> None:
    """The error after each step of the pursuit; `of` is what `in_which` gives."""
    sources = {atom: tokens_of(use, counted=False) for atom, use in uses.items()}
    about = _sentence(relative_error_words(shown.centred))
    st.markdown(f"**The pursuit replayed{of}**: error left after each atom", help=about)
    st.plotly_chart(
        figures_replay.error_by_step(replay, sources, pinned=pinned),
        key="decompose.replay.chart",
        config=chart_config(f"pursuit-token-{token.index}"),
    )


def replay_steps(
    shown: Decomposition,
    replay: Replay,
    token: TokenDecomposition,
    uses: Mapping[int, AtomUse],
    pinned: int | None,
    *,
    of: str,
) -> None:
    """Every step of the pursuit, with what the model predicts from the partial reconstruction."""
    st.subheader(f"Step by step{of}", anchor=False)
    if replay.predictions:
        st.caption(
            "Each row puts the reconstruction from the atoms so far in the activation's place and lets the model "
            "go on. Green is the token that the model itself finds likeliest."
        )
    pursuit_replay(
        replay,
        token,
        uses,
        pinned=pinned,
        error_about=_sentence(relative_error_words(shown.centred)),
        on_pick=pick_atom,
        key="decompose.replay.steps",
    )
