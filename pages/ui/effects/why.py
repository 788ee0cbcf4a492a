"""Why this next token: the atoms that make it likely, checked by removing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from itda_core.errors import UserError
from itda_core.figures import attribution_page as why_page
from itda_core.runs.library import LibraryEntry
from pages.ui.components.plain_text import problem
from pages.ui.effects import switch, why_exports, why_parts
from pages.ui.forms import kept
from pages.ui.frame import address, effects_engine, engine, shell
from pages.ui.frame.address import kept_choice
from pages.ui.frame.effects_engine import Asked, Prompted

if TYPE_CHECKING:
    from itda_core.analysis.interventions.attribute import Attribution

_SWITCH, _NEXT, _AGAINST, _KIND = "decompose.why", "decompose.next", "decompose.against", "decompose.kind"
_ALONG, _STEPS, _OVER = "decompose.along", "decompose.steps", "decompose.over"
_BEHIND = "decompose.behind"
_ASKED = (_NEXT, _AGAINST, _KIND, _ALONG, _STEPS, _OVER)
WIDGETS = (_SWITCH, *_ASKED)
_KINDS = ("logit", "log-probability")
_ALONGS = {"here": "At the activation", "path": "Along a path from zero"}
_OVERS = {"one": "This layer", "all": "All layers"}
_N_STEPS, _MOST_STEPS = 128, 512


class Layers(NamedTuple):
    """The dictionaries of the model's layers."""

    own: LibraryEntry  # the one that is shown
    by_layer: Mapping[int, LibraryEntry]
    go: Callable[[LibraryEntry, int, int], None]  # to a dictionary, a token, and the token behind which is predicted


class Drawn(NamedTuple):
    """What the page has to know of the section."""

    values: dict[str, object]  # what the address says of it
    files: shell.Files  # what of it can be taken along


def draw(
    key: engine.DictionaryKey,
    at: Prompted,
    n_tokens: int,
    *,
    layers: Layers,
    on_pick: Callable[[int | None], None],
) -> Drawn:
    """Draws the section, of which at first only its switch is seen.

    n_tokens: of the prompt; on_pick: is told the atom of a row that was chosen, None where none is any more.
    """
    st.subheader("Why the next token", anchor=False)
    opened, values = switch.opened(
        *(key, "why", "Which atoms make it likely"),
        widget=_SWITCH,
        help="One backward pass; then the strongest twenty are really removed, one by one.",
    )
    if not opened:
        address.not_drawn(*_ASKED)
        return Drawn(values, {})
    asked, everywhere = _asked(several=len(layers.by_layer) > 1)
    token = _behind(at, n_tokens)
    values |= {"next": asked.target, "against": asked.against}
    values["kind"] = None if asked.kind == _KINDS[0] else asked.kind
    values |= {"along": "path", "steps": asked.steps} if asked.steps else {}
    values |= {"over": "all" if everywhere else None, "behind": None if token == at.token else token}
    try:
        with st.spinner("Asking the model…", show_time=True):
            found = effects_engine.attribution(key, at.prompt, token, at.how, asked)
            own = 0
            if everywhere:
                found, own = _everywhere(found, layers, at._replace(token=token), asked)
    except UserError as error:
        problem(error, key="decompose.why.problem")
        return Drawn(values, {})
    st.text(why_page.why(found))
    if coarse := why_page.too_coarse(found):
        problem(UserError(coarse), kind="warning", key="decompose.why.coarse")
    if everywhere:
        entries = list(layers.by_layer.values())
        why_parts.over_layers(found, own, at.token, lambda i, cell: layers.go(entries[i], cell, token))
    why_parts.one_layer(key, found, own, on_pick)
    with st.expander("The same in a terminal", icon=":material/terminal:"):
        st.code(why_exports.command(found, at.how, asked), language=None, wrap_lines=True)
    return Drawn(values, why_exports.files(key, found, own, layers.own, at.how, asked))


def _everywhere(found: Attribution, layers: Layers, at: Prompted, asked: Asked) -> tuple[Attribution, int]:
    """The attribution over all layers, that of one's own layer with its removals; and which of them that is."""
    keys = tuple(engine.key_of(one.path) for one in layers.by_layer.values())
    over = effects_engine.attribution_over(keys, at.prompt, at.token, at.how, asked)
    own = list(layers.by_layer.values()).index(layers.own)
    return replace(over, layers=(*over.layers[:own], *found.layers, *over.layers[own + 1 :])), own


def _asked(*, several: bool) -> tuple[Asked, bool]:
    """What is to be explained and how; whether in all layers, of which there may be `several`."""
    left, middle, right = st.columns(3)
    with left:
        target = _token("next", "Next token", "the likeliest one")
    with middle:
        against = _token("against", "Against", "no other token")
    with right:
        kind = kept.choice(
            "kind",
            "Explained",
            _KINDS,
            key=_KIND,
            help="A token's logit, or its log probability, which counts what happens to all other tokens too.",
        )
    row = st.container(horizontal=True, gap="medium", vertical_alignment="bottom")
    with row.container(width="content"):
        about = (
            "The gradient at the activation itself, or its mean along a path on which all activations grow from zero. "
            "The path takes as many backward passes as it has steps. At the last layer, with a single normalisation "
            "behind it, it predicts removal better than the gradient; at earlier layers it predicts it worse."
        )
        along = kept_choice("Gradient", "along", _ALONGS, key=_ALONG, help=about)
    steps = 0
    if along == "path":
        with row.container(width=150):
            steps = kept.number("steps", "Steps", _N_STEPS, key=_STEPS, step=8, min_value=1, max_value=_MOST_STEPS)
    else:
        address.not_drawn(_STEPS)
    everywhere = False
    if several:
        with row.container(width="content"):
            everywhere = kept_choice("Layers", "over", _OVERS, key=_OVER) == "all"
    else:
        address.not_drawn(_OVER)
    return Asked(target, against, kind, steps), everywhere


def _token(name: str, label: str, without: str) -> str:
    """A next token's text as it was typed: its space in front belongs to it."""
    key = f"decompose.{name}"
    address.arrive(name, key, str, "")
    given = st.text_input(label, key=key, placeholder=without, help="One token, with its space in front if it has one.")
    address.leave(name, key, given or "", "")
    return given or ""


def _behind(at: Prompted, n_tokens: int) -> int:
    """The token behind which is predicted: the chosen one, but where one looks from there at another token's atoms."""
    address.arrive("behind", _BEHIND, address.whole(0, n_tokens - 1), None, within=at.prompt)
    behind = st.session_state[_BEHIND]
    address.leave("behind", _BEHIND, behind, None)
    if behind is None or behind == at.token:
        return at.token

    def follow() -> None:
        st.session_state[_BEHIND] = None

    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Explained is what follows token {behind}; the chosen token is {at.token}.", width="content")
        st.button("Explain what follows the chosen one", type="tertiary", on_click=follow, key="decompose.why.follow")
    return behind
