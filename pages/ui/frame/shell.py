"""The frame of every page: title, sidebar, the chosen dictionary, the running job, Share and Export."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.delta_generator_singletons import context_dg_stack, get_default_dg_stack_value

from itda_core.dictionaries.selections import with_purpose
from itda_core.errors import UserError
from itda_core.runs.identities import Whereabouts
from itda_core.runs.library import LibraryEntry
from pages.ui.components.plain_text import notice, problem
from pages.ui.components.printable import escaped
from pages.ui.frame import address, engine, jobs_line, meaning, navigation
from pages.ui.frame.navigation import GROUPS, PAGES

Files = Mapping[str, tuple[str, str, Callable[[], bytes | str]]]
"""What the Export button offers: label -> (file name, MIME type, content made when it is asked for)."""

_ASSETS = Path(__file__).resolve().parents[3] / "assets"
_STYLE = _ASSETS / "shell.css"
_CHOSEN, _DEFAULT, _ID = "shell.dictionary", "shell.default", "shell.id"
_HELD = "shell.held"  # what the chooser holds, whatever a browser says that has not heard of it yet


@dataclass(frozen=True)
class Shell:
    """What `page` hands to the page it framed."""

    name: str
    entries: list[LibraryEntry]
    chosen: LibraryEntry | None  # the dictionary of the address, or the default one
    unknown: str | None  # what the address calls a dictionary although the library has none that it means
    actions: DeltaGenerator  # where Share and Export go

    @property
    def named(self) -> str | None:
        """What the dictionary is called now that the address asks for; None where it asks for none."""
        return self.chosen.name if self.chosen is not None and "dictionary" in address.query else self.unknown

    def share(
        self,
        values: Mapping[str, object],
        *,
        about: str = "This address shows what you see now:",
        form: str | None = None,
        typed: Iterable[str] = (),
    ) -> None:
        """The Share button with the permalink of what is shown; also what the sidebar's link comes back to.

        form: the name of the kind of job whose form it is, to which the links to a new job come back. typed: what else
        of the address a way back brings along, but no link that is shared.
        """
        _, path, _ = PAGES[self.name]
        shown = {**dict.fromkeys(typed), **values}
        navigation.remember(self.name, shown)
        if form is not None:
            navigation.fill(form, shown)
        values = meaning.with_identities(values, engine.usable(self.entries))
        with self.actions.popover("Share", icon=":material/link:"):
            st.caption(about)
            st.code(address.link(path, values), language=None, wrap_lines=True)

    def export(self, files: Files) -> None:
        """The Export button."""
        with self.actions.popover("Export", icon=":material/download:"):
            for label, (name, mime, content) in files.items():
                st.download_button(
                    label, content, name, mime, key=f"export.{self.name}.{label}", on_click="ignore", width="stretch"
                )


def page(name: str) -> Shell:
    """Sets the page up and draws its frame. The first call on every page."""
    st.set_page_config(page_title=f"{name} · ITDA Studio", page_icon="🧩", layout="wide", initial_sidebar_state="auto")
    _begin_outside()
    navigation.arrive(name)
    navigation.follow()
    st.html(_STYLE)
    st.logo(str(_ASSETS / "logo.svg"), size="large")
    listed = engine.entries()
    meaning.begin(engine.usable(listed))
    with st.sidebar:
        links = st.container()
        chosen, asked_for = _chooser(listed)
        with links:
            _navigation()
        jobs_line.draw()
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        st.title(name if name != "Home" else "ITDA Studio", anchor=False)
    with right:
        actions = st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center")
    unknown = asked_for.name if asked_for is not None and chosen is None else None
    if asked_for is not None and unknown is not None:
        _offer_others(asked_for, engine.usable(listed))
    elif asked_for is not None and asked_for.change:
        notice(asked_for.change, step="This link still opens it.", key="shell.renamed")
    return Shell(name, listed, chosen, unknown, actions)


def _begin_outside() -> None:
    """What is drawn from here on goes to the page itself.

    A part that looks again by itself leaves Streamlit (1.67) drawing where that part stands, in the sidebar: a run of
    the whole page right after it, in the same thread, would be drawn there as a whole.
    """
    context_dg_stack.set(get_default_dg_stack_value())


def _offer_others(gone: Whereabouts, usable: list[LibraryEntry]) -> None:
    """What the address means is not there: why, and what could be meant instead."""
    name = gone.name
    if gone.taken:
        near = [entry for entry in usable if entry.name == name][:1]
        text = (
            f"This link means another {name!r} than the one that is called so now. The library does not have that "
            "other one: it was deleted, or it is on another machine."
        )
        step = "The one that is called so now is offered below."
    else:
        near = engine.nearest(name, usable)
        why = "" if gone.identity is None else ": it was deleted, or it is on another machine"
        text = f"The library has no dictionary called {name!r}{why}."
        step = "The nearest ones are offered below." if near else "Train one, or import one in the library."
    notice(text, step=step, kind="warning", key="shell.unknown")
    with st.container(horizontal=True, vertical_alignment="center"):
        for entry in near:
            st.button(
                escaped(f"Open {entry.name}"),
                key=f"shell.nearest.{entry.name}",
                on_click=meaning.choose,
                args=(entry.name,),
            )
        navigation.link("Library", {}, label="See the whole library")


def complain() -> None:
    """Says what was wrong with the address, once the page has read all of it."""
    sentences = address.complaints()
    if sentences:
        notice("\n".join(sentences), kind="warning", key="shell.complaints")


def failed(
    error: UserError, *, key: str, back: tuple[str, str, Mapping[str, str]] = ("Library", "Library", {})
) -> None:
    """A user's error on the page: cause, next step, where else to go (page, label, address), details folded away."""
    problem(error, key=key)
    name, label, values = back
    navigation.link(name, values, label=label)
    if (
        error.__cause__ is None and error.__context__ is None
    ):  # the studio's own refusal, which says all there is to say
        return
    with st.expander("Technical details"):
        st.code("".join(traceback.format_exception(error)), language=None, wrap_lines=True)


def _navigation() -> None:
    """Links to all pages: each goes back to where one was on it, with the dictionary chosen now."""
    navigation.typed_first()
    for group, names in GROUPS:
        if group:
            st.caption(group)
        for name in names:
            navigation.link(name, {}, back=True, width="stretch")


def _chooser(listed: list[LibraryEntry]) -> tuple[LibraryEntry | None, Whereabouts | None]:
    """The chosen dictionary, and what became of the one that the address asks for; None where it asks for none."""
    usable = engine.usable(listed)
    names = list(dict.fromkeys(entry.name for entry in usable))
    by_name = {entry.name: entry for entry in reversed(usable)}
    default = engine.default_entry(usable)
    st.divider()
    asked_for = _asked_for(usable)
    if default is None:
        st.caption("No dictionary yet: train one or import one.")
        return None, asked_for
    found = None if asked_for is None or asked_for.entry is None else asked_for.entry.name
    known = tuple((entry.name, entry.identity) for entry in by_name.values())
    address.arrive("dictionary", _CHOSEN, lambda _: found, default.name, within=(known, address.query.get(meaning.ID)))
    st.session_state[_DEFAULT] = default.name
    st.selectbox(
        "Dictionary",
        names,
        key=_CHOSEN,
        index=None if st.session_state[_CHOSEN] is None else 0,
        placeholder="Choose a dictionary",
        on_change=_chosen_by_hand,
        help="Every page reads this dictionary. Your own come first, the bundled ones after them: of demo:0 there are "
        "some for reading (consensus), of every bundled model some for comparing (sequential).",
    )
    name = st.session_state[_HELD] = st.session_state[_CHOSEN]
    if name is None:
        return None, asked_for
    address.leave("dictionary", _CHOSEN, name, None)  # the default one too: it may be another one tomorrow
    navigation.choose(name, default=name == default.name and "dictionary" not in address.query)
    entry = by_name[name]
    st.caption(with_purpose(entry.selection))
    facts = [
        "" if entry.atoms is None else f"{entry.atoms:,} atoms",
        "" if entry.k is None else f"k = {entry.k}",
        f"FVU {entry.fvu_words}" if entry.fvu_words else "",
        engine.device(),
    ]
    st.caption(" · ".join(fact for fact in facts if fact))
    return entry, asked_for


def _asked_for(usable: list[LibraryEntry]) -> Whereabouts | None:
    """What became of the dictionary that the address asks for."""
    identity = address.arrive(meaning.ID, _ID, meaning.identity, None)
    name = address.query.get("dictionary")
    return None if name is None else meaning.of(name, identity, usable)


def chosen_elsewhere(name: str) -> None:
    """A callback of the page chose the dictionary `name`: the chooser holds it from now on.

    A browser sends with every choice what its chooser held then. Of choices faster than the server's answers that is an
    earlier dictionary, which would otherwise count as chosen by hand.
    """
    st.session_state[_CHOSEN] = st.session_state[_HELD] = name


def _chosen_by_hand() -> None:
    """The address says so at once: it is read before the field is drawn."""
    name, held = st.session_state[_CHOSEN], st.session_state.get(_HELD)
    if name == held:
        return
    lagging = address.query.lagging()
    unheard = lagging is not None and name == lagging.get("dictionary", st.session_state[_DEFAULT])
    if held is not None and (unheard or address.of_a_part()):
        st.session_state[_CHOSEN] = held
        return
    meaning.choose(name)
    address.query.pop("atom", None)  # an atom's number means nothing in another dictionary
