"""Results as plotly figures, and a decomposition as a page of its own that needs neither network nor script.

Figures leave background and text to the page they are put in, so that they suit a light and a dark one. Plotly parses
a little HTML in labels: every text that is not ours is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from itda_core.analysis.in_common import pattern_of, tokens_of
from itda_core.analysis.shortfall import why_fewer
from itda_core.analysis.small_shares import SMALL, small_shares
from itda_core.figures.replay_table import replay_table
from itda_core.figures_as_text import figure as figure_of
from itda_core.figures_as_text import signed
from itda_core.printable import visible, visible_token
from itda_core.pursuit.methods import NAMES

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from itda_core.analysis import Evaluation
    from itda_core.analysis.decompose import AtomUse, Decomposition, SourceLabel, TokenDecomposition
    from itda_core.analysis.replay import Replay

INDIGO, ORANGE = "#6366f1", "#f97316"
LINES = (INDIGO, ORANGE, "#10b981", "#ec4899", "#0ea5e9", "#eab308", "#8b5cf6", "#64748b")
# A line is told from the others without its colour as well: by its dashes, or by the marks on it.
_STROKES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "hexagon", "triangle-down")
_GRID = "rgba(128, 128, 140, 0.22)"
_MOST_NAMED_STEPS = 10  # more tick labels than that would overlap


def curves(
    tokens: Sequence[int],
    lines: Mapping[str, Sequence[float | None]],
    *,
    y_title: str,
    x_title: str = "tokens read",
    decimals: int = 0,
    height: int = 240,
) -> go.Figure:
    """One line per name over the number of tokens read, or what else `x_title` says; several have a legend."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for number, (name, values) in enumerate(lines.items()):
        figure.add_scatter(
            x=list(tokens),
            y=list(values),
            name=escape(name),
            mode="lines" if len(tokens) > 1 else "markers",
            line={"color": LINES[number % len(LINES)], "width": 2, "dash": _STROKES[number % len(_STROKES)]},
            marker={"symbol": _SYMBOLS[number % len(_SYMBOLS)]},
            hovertemplate=f"%{{y:,.{decimals}f}}",
        )
    style(figure, y_title=y_title, height=height)
    figure.update_layout(
        hovermode="x unified",
        showlegend=len(lines) > 1,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
    )
    figure.update_xaxes(title=x_title, showgrid=False, tickformat="~s", hoverformat=",")
    figure.update_yaxes(rangemode="tozero")
    return figure


_EVALUATED = {
    "fvu": "FVU (fraction of variance unexplained)",
    "ce_score": "CE score (1: nothing lost, 0: as bad as zeros)",
}
_OVER = {"k": "k (atoms per token)", "layer": "layer", "atoms": "size of the dictionary (atoms)"}
_LINES_OF = {
    "k": ("dictionary", "method"),
    "layer": ("model", "site", "k", "method"),
    "atoms": ("model", "layer", "site", "k", "method"),
}
_LEGEND_ROW, _NAMES_PER_ROW = 20, 3  # pixels; in a chart of half a page
_DASHES = dict(zip(NAMES, cycle(_STROKES), strict=False))


def evaluations(
    results: Sequence[Evaluation],
    quantity: Literal["fvu", "ce_score"],
    over: Literal["k", "layer", "atoms"],
    *,
    height: int = 340,
) -> go.Figure:
    """A figure of several evaluations against k, layer or size; a line joins those that differ in nothing else.

    Lines are named by what tells them apart; a pursuit has its own dashes, all else its own colour and marks. Results
    without the figure, or without a layer, are left out.
    """
    import plotly.graph_objects as go

    parts = _LINES_OF[over]
    lines: dict[tuple[str, ...], list[Evaluation]] = {}
    for result in results:
        if getattr(result, quantity) is not None and getattr(result, over) is not None:
            lines.setdefault(tuple(_part(result, part) for part in parts), []).append(result)
    differing = [i for i in range(len(parts)) if len({name[i] for name in lines}) > 1]
    coloured = [i for i in differing if parts[i] != "method"]
    numbers: dict[tuple[str, ...], int] = {}
    figure = go.Figure()
    for name, members in lines.items():
        members = sorted(members, key=lambda result: (getattr(result, over), getattr(result, quantity)))
        xs = [getattr(result, over) for result in members]
        number = numbers.setdefault(tuple(name[i] for i in coloured), len(numbers))
        figure.add_scatter(
            x=xs,
            y=[getattr(result, quantity) for result in members],
            name=" · ".join(escape(name[i]) for i in differing),
            mode="lines+markers" if len(set(xs)) == len(xs) else "markers",  # two at one place: no line leads on
            line={"color": LINES[number % len(LINES)], "width": 2, "dash": _DASHES.get(members[0].method, "solid")},
            marker={"size": 8, "symbol": _SYMBOLS[number % len(_SYMBOLS)]},
            customdata=[_told(result, quantity) for result in members],
            hovertemplate=(
                "%{customdata[0]}<br>k = %{customdata[1]}, %{customdata[2]}, %{customdata[3]} tokens<br>"
                "%{y:.4f}%{customdata[4]}<extra></extra>"
            ),
        )
    rows = (len(lines) - 1) // _NAMES_PER_ROW if differing else 0
    style(figure, y_title=_EVALUATED[quantity], height=height + rows * _LEGEND_ROW)
    figure.update_layout(
        showlegend=bool(differing),
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
    )
    places = sorted({getattr(result, over) for members in lines.values() for result in members})
    named = over != "atoms" and len(places) <= _MOST_NAMED_STEPS
    figure.update_xaxes(title=_OVER[over], showgrid=False, tickvals=places if named else None, tickformat=",d")
    if quantity == "fvu":
        figure.update_yaxes(rangemode="tozero")
    return figure


def _told(result: Evaluation, quantity: str) -> list[object]:
    """What hovering says of one result, and of a CE score what it costs."""
    cost = _cost(result) if quantity == "ce_score" else ""
    return [escape(_part(result, "dictionary")), result.k, result.method.upper(), f"{result.tokens:,}", cost]


def _cost(result: Evaluation) -> str:
    """What a CE score may hide, for the hover: the rise of the loss, and KL."""
    rise = "" if result.ce_rise is None else f"<br>loss {signed(result.ce_rise, '+.4f')} nats"
    return rise if result.kl is None else f"{rise}<br>KL {figure_of(result.kl, '.4f')} nats"


def _part(result: Evaluation, name: str) -> str:
    """What tells one line from another, in words."""
    value = getattr(result, name)
    if name == "dictionary":
        return PurePath(value).name
    return {"layer": f"layer {value}", "k": f"k = {value}", "method": str(value).upper()}.get(name, str(value))


def style(figure: go.Figure, *, y_title: str, height: int) -> None:
    """What all charts over numbers have in common."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 12, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        bargap=0.22,
        dragmode=False,
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": "rgba(128,128,140,0.55)", "activecolor": INDIGO},
    )
    figure.update_xaxes(automargin=True, fixedrange=True, zeroline=False)
    figure.update_yaxes(automargin=True, fixedrange=True, zeroline=False, gridcolor=_GRID, title=y_title)


_PAGE_STYLE = """
:root{color-scheme:light dark;--ink:#25252e;--muted:#6b6b78;--line:#e3e3ea;--ground:#fff;--panel:#f6f6f9}
@media (prefers-color-scheme:dark){:root{--ink:#e9e9ef;--muted:#9d9dab;--line:#33333e;--ground:#15151a;--panel:#212129}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:70rem;
  margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1rem;margin:0 0 .4rem}.muted{color:var(--muted)}
bdi,.row a{font-family:ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
.row{padding:1rem;border:1px solid var(--line);border-radius:8px;margin:1rem 0;line-height:1.9}
.row a{color:inherit;text-decoration:none;border-radius:4px;padding:1px 2px;margin-right:1px;unicode-bidi:isolate}
.row a:hover{outline:2px solid #6366f1}
section{border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem;margin:.8rem 0}
.muted a{color:inherit}section.chosen{border-color:#7875f5}.row a.chosen{outline:2px solid #7875f5}
h3{font-size:.9rem;margin:.9rem 0 .3rem}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--panel);
  border-radius:8px;padding:.5rem .8rem;font-size:.82rem}
.left{min-width:9rem;position:relative}.left i{position:absolute;left:0;bottom:1px;height:3px;background:#6366f1}
.negative .left i{background:#ea580c}mark.negative{background:rgba(234,88,12,.28)}
.positive td.num:nth-child(3){color:#4f46e5}
section:target{border-color:#6366f1;box-shadow:0 0 0 1px #6366f1}
table{border-collapse:collapse;width:100%;font-size:.87rem}
.negative td.num:nth-child(3){color:#c2410c}.negative mark{background:rgba(234,88,12,.28)}
@media (prefers-color-scheme:dark){.negative td.num:nth-child(3){color:#fb923c}
.positive td.num:nth-child(3){color:#a5b4fc}}
summary{cursor:pointer;color:var(--muted)}
details div{margin:.3rem 0;padding-left:.6rem;border-left:2px solid var(--line)}
td,th{text-align:left;padding:3px 10px 3px 0;vertical-align:top}
th{color:var(--muted);font-weight:500}td.num,th.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr+tr td{border-top:1px solid var(--line)}mark{background:rgba(99,102,241,.28);color:inherit;border-radius:3px}
"""


def decomposition_page(
    decomposition: Decomposition,
    *,
    dictionary: str,
    show_special: bool = False,
    chosen: int | None = None,
    replay: Replay | None = None,
    uses: Mapping[int, AtomUse] | None = None,
    command: str = "",
) -> str:
    """A whole HTML page: the prompt coloured by relative error, and each token's atoms with their source contexts.

    It holds no script and may load nothing (its content security policy says so); all text is escaped.

    uses: the atoms of the replay's steps, as `step_uses` gives them; without them, those of the chosen token's sum.
    """
    tokens = [token for token in decomposition.tokens if show_special or not token.special or token.index == chosen]
    top = max((token.relative_error for token in tokens if not token.special), default=0.0) or 1.0
    facts = " · ".join(
        [
            decomposition.model,
            _place(decomposition),
            f"k = {decomposition.k}",
            decomposition.method.upper(),
            *(["only positive coefficients"] if decomposition.non_negative else []),
        ]
    )
    row = "".join(_linked_token(token, top, token.index == chosen) for token in tokens)
    sections = "\n".join(
        _token_section(token, decomposition, _replayed(replay, token, uses) if token.index == chosen else None)
        for token in tokens
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(dictionary)}: a prompt decomposed</title><style>{_PAGE_STYLE}</style></head><body>
<h1>{escape(dictionary)}</h1>
<div class="muted">{escape(facts)}</div>
{f"<pre>{escape(command)}</pre>" if command else ""}
<div class="row">{row}</div>
<div class="muted">Deeper colour: larger relative error (0 to {top:.3f}). Click a token to read its atoms.
<mark class="negative">Orange</mark>: a negative coefficient; <mark>indigo</mark>: a positive one.
{_chosen_words(tokens, chosen)}</div>
{sections}
</body></html>
"""


def _place(decomposition: Decomposition) -> str:
    return decomposition.site if decomposition.layer is None else f"layer {decomposition.layer}, {decomposition.site}"


def _linked_token(token: TokenDecomposition, top: float, chosen: bool) -> str:
    alpha = 0.55 * min(1.0, token.relative_error / top)
    shown = visible(token.text) if token.text else "∅"
    line_end = "<br>" if token.text.endswith("\n") else ""
    style = f"background:rgba(99,102,241,{alpha:.3f})"
    title = f"relative error {token.relative_error:.4f}"
    kind = ' class="chosen"' if chosen else ""
    return f'<a href="#t{token.index}"{kind} style="{style}" title="{title}">{escape(shown)}</a>{line_end}'


def _chosen_words(tokens: Sequence[TokenDecomposition], chosen: int | None) -> str:
    """Which token was chosen, with the way to it."""
    text = next((token.text for token in tokens if token.index == chosen), None)
    if text is None:
        return ""
    return f' Chosen: <a href="#t{chosen}"><bdi>{escape(visible_token(text))}</bdi></a>, with the pursuit replayed.'


def _replayed(replay: Replay | None, token: TokenDecomposition, uses: Mapping[int, AtomUse] | None) -> str:
    """The pursuit of the chosen token, step by step."""
    if replay is None:
        return ""
    uses = {use.atom: use for use in token.atoms} if uses is None else uses
    return f"<h3>The pursuit replayed: error left after each atom</h3>\n{replay_table(replay, token, uses)}"


def _token_section(token: TokenDecomposition, decomposition: Decomposition, replayed: str | None) -> str:
    rows = [_atom_row(rank, use) for rank, use in enumerate(token.atoms, start=1)]
    small = len(small_shares(token.atoms))  # they come last: the strongest are the first
    shown = _atom_table(rows[: len(rows) - small])
    if small:
        shown += f"<details><summary>and {small} more, each with a share below {SMALL:.0%}</summary>"
        shown += f"{_atom_table(rows[len(rows) - small :])}</details>"
    why = why_fewer(token, decomposition.k, decomposition.method, non_negative=decomposition.non_negative)
    cosine = figure_of(token.cosine, ".4f")
    kind = "" if replayed is None else ' class="chosen"'
    return f"""<section id="t{token.index}"{kind}><h2>Token {token.index}: <bdi>{escape(token.text)}</bdi></h2>
<div class="muted">relative error {token.relative_error:.4f} · cosine {cosine} · {token.l0} atoms</div>
{shown}
<div class="muted">{escape(why)}</div>{replayed or ""}</section>"""


def _atom_table(rows: Sequence[str]) -> str:
    lines = "\n".join(rows)
    return f"""<table><tr><th>#</th><th>where the atom was seen</th><th class="num">coefficient</th>
<th class="num">share</th><th class="num">atom</th><th>document</th></tr>
{lines}</table>"""


def _atom_row(rank: int, use: AtomUse) -> str:
    context = _context(use)
    if use.further:
        others = "".join(f"<div><bdi>{_context(label)}</bdi></div>" for label in use.further)
        context = (
            f"<mark>{escape(tokens_of(use))}</mark> {escape(pattern_of(use))}"
            f"<details><summary>where it was seen</summary><div><bdi>{context}</bdi></div>{others}</details>"
        )
    else:
        context = f"<bdi>{context}</bdi>"
    sign, coefficient = f' class="{"negative" if use.coefficient < 0 else "positive"}"', signed(use.coefficient, "+.3f")
    return (
        f'<tr{sign}><td class="num">{rank}</td><td>{context}</td><td class="num">{coefficient}</td>'
        f'<td class="num">{use.share:.1%}</td><td class="num">{use.atom}</td>'
        f"<td><bdi>{escape(use.document)}</bdi></td></tr>"
    )


def _context(place: AtomUse | SourceLabel) -> str:
    return f"{escape(place.context_before)}<mark>{escape(place.token)}</mark>{escape(place.context_after)}"
