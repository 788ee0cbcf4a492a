"""The parts of the decompose page: what is asked for, and what is shown of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import streamlit as st

from itda_core.analysis.decompose import AtomUse, Decomposition, TokenDecomposition
from itda_core.analysis.replay import Replay
from itda_core.dictionaries.config import METHODS
from itda_core.figures import charts as figures_charts
from itda_core.figures_as_text import figure, no_minus_zero
from itda_core.files.csv_export import frame_csv
from itda_core.pursuit.methods import NOTES
from itda_core.runs.library import LibraryEntry
from itda_core.runs.training.status import Accepted
from pages.ui.components.atom_list import atom_list
from pages.ui.components.charts import chart_config
from pages.ui.components.label_list import label_list
from pages.ui.components.printable import visible, visible_token
from pages.ui.components.pursuit_replay import pursuit_replay
from pages.ui.components.token_row import COLOURS
from pages.ui.frame import address, engine, shell

EXAMPLES = (
    "The little dog ran to the park.",
    "Mix two eggs with 200 grams of flour.",
    "def add(a, b):\n    return a + b",
    "“Where is the train?” she asked.",
)
PROMPT, TOKEN, ATOM = "decompose.prompt", "decompose.token", "decompose.atom"
_K, _METHOD, _COLOUR, _SPECIAL = "decompose.k", "decompose.method", "decompose.colour", "decompose.special"
_MOST_STEPS = 64  # of the slider; more atoms per token than this explain nothing to a reader


class View(NamedTuple):
    """How the prompt is to be decomposed and shown."""

    k: int
    method: str
    special: bool


def submit(text: str) -> None:
    """A prompt was sent off: its tokens are others now."""
    st.session_state[PROMPT] = text
    st.session_state[TOKEN] = None


def pick_token(index: int) -> None:
    """Make a token the chosen one."""
    st.session_state[TOKEN] = index


def pick_atom(atom: int | None) -> None:
    """Pins an atom, and shows where in the prompt it is used; or lets it go."""
    st.session_state[ATOM] = atom
    st.session_state[_COLOUR] = "error" if atom is None else "atom"


def controls(entry: LibraryEntry) -> View:
    """k, method and special tokens; the rest of that row is filled by `colour_control`."""
    most = max(2, min(entry.atoms or _MOST_STEPS, entry.d_model or _MOST_STEPS, _MOST_STEPS))
    default_k = min(entry.k or 8, most)
    address.arrive("k", _K, address.whole(1, most), default_k, within=entry.name)
    default_method = entry.method or METHODS[0]
    address.arrive("method", _METHOD, address.one_of(*METHODS), default_method, within=entry.name)
    row = st.container(horizontal=True, gap="medium")  # what has no room beside the others stands below them
    row.slider("Atoms per token (k)", 1, most, key=_K, width=200)
    row.segmented_control(
        "Pursuit",
        METHODS,
        format_func=str.upper,
        key=_METHOD,
        required=True,
        help=f"How the atoms of a token are found. {NOTES}",
    )
    st.session_state["decompose.colour.place"] = row.container(width="content")
    address.arrive("special", _SPECIAL, address.one_of("hidden", "shown"), "hidden")
    row.segmented_control(
        "Special tokens",
        ["hidden", "shown"],
        required=True,
        key=_SPECIAL,
        help="Special tokens, for example at the start of a text, have activations unlike all others.",
    )
    address.leave("k", _K, st.session_state[_K], default_k)
    address.leave("method", _METHOD, st.session_state[_METHOD], default_method)
    address.leave("special", _SPECIAL, st.session_state[_SPECIAL], "hidden")
    return View(st.session_state[_K], st.session_state[_METHOD], st.session_state[_SPECIAL] == "shown")


def colour_control(pinned: int | None) -> str:
    """What the tokens' colour means."""
    default = "error" if pinned is None else "atom"
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
    last = len(shown.tokens) - 1
    words = [t.index for t in shown.tokens if not t.special and any(c.isalnum() for c in t.text)]
    texts = [t.index for t in shown.tokens if not t.special]
    default = words[-1] if words else texts[-1] if texts else last
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


def atoms(key: engine.DictionaryKey, shown: Decomposition, token: TokenDecomposition, pinned: int | None) -> None:
    """The chosen token's atoms, strongest first."""

    def facts(use: AtomUse) -> Sequence[str]:
        users = sum(any(u.atom == use.atom for u in t.atoms) for t in shown.tokens if not t.special)
        dictionary = engine.dictionary(key)
        error = dictionary.label(use.atom).error
        sized = dictionary.config.rule.sized
        return (
            f"document {visible(use.document)}, characters {use.char_start:,} to {use.char_end:,}",
            f"relative error {error:.2f} without this atom"
            if sized
            else f"became an atom at relative error {error:.2f}",
            f"used by {users} of this prompt's {sum(not t.special for t in shown.tokens)} tokens",
        )

    atom_list(
        token.atoms,
        title=f"Atoms of token {token.index}",
        token=visible_token(token.text),
        pinned=pinned,
        facts=facts,
        on_pick=pick_atom,
        key="decompose.atoms",
    )


def pinned_elsewhere(key: engine.DictionaryKey, token: TokenDecomposition, pinned: int | None) -> None:
    """The pinned atom where the chosen token does not use it: its label stays in sight."""
    if pinned is None or any(use.atom == pinned for use in token.atoms):
        return
    label = engine.dictionary(key).label(pinned)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Atom {pinned} is pinned; this token does not use it.", width="stretch")
        st.button("Unpin", type="tertiary", on_click=pick_atom, args=(None,), key="decompose.unpin")
    seen = Accepted(label.token, label.context_before, label.context_after)
    label_list([seen], empty="", key="decompose.pinned")


def measures(token: TokenDecomposition) -> None:
    """How well the token is explained."""
    with st.container(horizontal=True, gap="small"):  # what has no room beside the others stands below them
        st.metric(
            "Relative error", f"{token.relative_error:.3f}", border=True,
            help="The squared length of what the atoms leave unexplained, over that of the activation: 0 is perfect.",
        )  # fmt: skip
        st.metric("Cosine", figure(token.cosine, ".3f"), border=True, help="Of the activation and its reconstruction.")
        st.metric("L0", token.l0, border=True)


def replay_chart(replay: Replay, token: TokenDecomposition, pinned: int | None) -> None:
    """The error after each step of the pursuit."""
    sources = {use.atom: use.token for use in token.atoms}
    st.markdown("**The pursuit replayed**: error left after each atom")
    st.plotly_chart(
        figures_charts.error_by_step(replay, sources, pinned=pinned),
        key="decompose.replay.chart",
        config=chart_config(f"pursuit-token-{token.index}"),
    )


def replay_steps(replay: Replay, token: TokenDecomposition, pinned: int | None) -> None:
    """Every step of the pursuit, with what the model predicts from the partial reconstruction."""
    st.subheader("Step by step", anchor=False)
    if replay.predictions:
        st.caption(
            "Each row puts the reconstruction from the atoms so far in the activation's place and lets the model "
            "go on. Green is the token that the model itself finds likeliest."
        )
    pursuit_replay(replay, {use.atom: use for use in token.atoms}, pinned=pinned, key="decompose.replay.steps")


def whole_prompt(shown: Decomposition, pinned: int | None) -> None:
    """The atoms of all tokens together, ranked."""
    st.subheader("Over the whole prompt", anchor=False)
    table = prompt_atoms(shown)
    st.caption(f"{len(table):,} different atoms. Choose a row to pin its atom; a column's title sorts.")
    key = f"decompose.prompt.{hash((shown.prompt, shown.k, shown.method, shown.model, shown.layer))}"

    def picked() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        pick_atom(int(table["atom"].iloc[rows[0]]) if rows else None)

    st.dataframe(
        table,
        key=key,
        hide_index=True,
        on_select=picked,
        selection_mode="single-row",
        height=min(38 * (len(table) + 1), 380),
        column_config={
            "atom": st.column_config.NumberColumn("atom", format="%d", width="small"),
            "token": st.column_config.TextColumn("source token", width="small"),
            "context": st.column_config.TextColumn("source context", width="large"),
            "tokens": st.column_config.NumberColumn("tokens", help="How many tokens use it.", width="small"),
            "max": st.column_config.NumberColumn("max", help="Its largest coefficient by size.", format="%+.2f"),
            "sum": st.column_config.ProgressColumn(
                "sum", help="The sum of the sizes of its coefficients.", format="%.2f", min_value=0.0,
                max_value=max(table["sum"], default=1.0),
            ),
            "where": st.column_config.TextColumn("tokens that use it", width="medium"),
        },
    )  # fmt: skip


def prompt_atoms(shown: Decomposition) -> pd.DataFrame:
    """One row per atom used in the prompt's own tokens (special ones left out), most used first."""
    uses: dict[int, list[tuple[TokenDecomposition, AtomUse]]] = {}
    for token in shown.tokens:
        if not token.special:
            for use in token.atoms:
                uses.setdefault(use.atom, []).append((token, use))
    rows = [
        {
            "atom": atom,
            "token": visible_token(found[0][1].token),
            "context": visible(
                f"{found[0][1].context_before[-40:]}⟦{found[0][1].token}⟧{found[0][1].context_after[:40]}"
            ),
            "tokens": len(found),
            "max": max((use.coefficient for _, use in found), key=abs),
            "sum": sum(abs(use.coefficient) for _, use in found),
            "where": " ".join(visible_token(token.text).strip() for token, _ in found[:12]),
        }
        for atom, found in uses.items()
    ]
    table = pd.DataFrame(rows, columns=["atom", "token", "context", "tokens", "max", "sum", "where"])
    table = no_minus_zero(table, 2)
    return table.sort_values(["tokens", "sum"], ascending=False, ignore_index=True)


def exports(entry: LibraryEntry, shown: Decomposition, *, show_special: bool) -> shell.Files:
    """What of this page can be taken along."""
    stem = f"{entry.name}-k{shown.k}-{shown.method}"

    def page() -> str:
        return figures_charts.decomposition_page(shown, dictionary=entry.name, show_special=show_special)

    return {
        "JSON": (f"{stem}.json", "application/json", lambda: json.dumps(shown.to_dict(), indent=2, ensure_ascii=False)),
        "CSV": (f"{stem}.csv", "text/csv", lambda: csv(shown)),
        "Web page (works offline)": (f"{stem}.html", "text/html", page),
    }


def csv(shown: Decomposition) -> str:
    """One row per token and atom."""
    rows = [
        {
            "token_index": token.index,
            "token": token.text,
            "special": token.special,
            "relative_error": token.relative_error,
            "rank": rank,
            "atom": use.atom,
            "coefficient": use.coefficient,
            "share": use.share,
            "source_token": use.token,
            "context_before": use.context_before,
            "context_after": use.context_after,
            "document": use.document,
            "char_start": use.char_start,
            "char_end": use.char_end,
        }
        for token in shown.tokens
        for rank, use in enumerate(token.atoms, start=1)
    ]
    return frame_csv(pd.DataFrame(rows))
