"""A decomposition as a page of its own that needs neither network nor script; all text is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.analysis.beside import counterpart
from itda_core.analysis.centring import cosine_words, not_over_the_same, relative_error_words
from itda_core.analysis.in_common import pattern_of, tokens_of
from itda_core.analysis.shortfall import why_fewer
from itda_core.analysis.small_shares import SMALL, small_shares
from itda_core.figures.replay_table import replay_table
from itda_core.figures.token_colours import Shade, piece_marks, shading
from itda_core.figures_as_text import figure as figure_of
from itda_core.figures_as_text import signed
from itda_core.printable import indentation, visible, visible_token

if TYPE_CHECKING:
    from itda_core.analysis.decompose import AtomUse, Decomposition, SourceLabel, TokenDecomposition
    from itda_core.analysis.replay import Replay


class Beside(NamedTuple):
    """The same prompt in a second dictionary, which stands beside the first."""

    dictionary: str
    decomposition: Decomposition
    command: str = ""


_PAGE_STYLE = """
:root{color-scheme:light dark;--ink:#25252e;--muted:#6b6b78;--line:#e3e3ea;--ground:#fff;--panel:#f6f6f9}
@media (prefers-color-scheme:dark){:root{--ink:#e9e9ef;--muted:#9d9dab;--line:#33333e;--ground:#15151a;--panel:#212129}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:70rem;
  margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h1.beside{font-size:1.1rem;margin-top:.6rem}
h2{font-size:1rem;margin:0 0 .4rem}.muted{color:var(--muted)}
bdi,.row a{font-family:ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
.row{padding:1rem;border:1px solid var(--line);border-radius:8px;margin:1rem 0;line-height:1.9}
.row a{color:inherit;text-decoration:none;border-radius:4px;padding:1px 2px;margin-right:1px;unicode-bidi:isolate}
.row a:hover{outline:2px solid #6366f1}.row a.pinned{text-decoration:underline 2px #6366f1;text-underline-offset:4px}
.row sup{font:10px/1 system-ui,sans-serif;color:var(--muted)}.row a.special{font-size:.8rem;color:var(--muted)}
.scale{display:flex;flex-wrap:wrap;gap:.1rem .9rem;align-items:center}.scale span{white-space:pre-wrap}
.ramp,.swatch{display:inline-block;height:9px;border-radius:5px;border:1px solid var(--line)}.ramp{width:132px}
.swatch{width:11px}
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
    colour: str = "error",
    pinned: int | None = None,
    chosen: int | None = None,
    replay: Replay | None = None,
    uses: Mapping[int, AtomUse] | None = None,
    command: str = "",
    beside: Beside | None = None,
) -> str:
    """A whole HTML page: the prompt as a row of coloured tokens, and each token's atoms with their source contexts.

    It holds no script and may load nothing (its content security policy says so); all text is escaped.

    colour: one of `token_colours.COLOURS`; pinned: the atom of "atom", and whose tokens are underlined.
    uses: the atoms of the replay's steps, as `step_uses` gives them; without them, those of the chosen token's sum.
    beside: the same prompt in a second dictionary, whose atoms follow those of the first in each token's section.
    """
    tokens = [token for token in decomposition.tokens if show_special or not token.special or token.index == chosen]
    shades, legend = shading(tokens, colour, pinned)
    row = "".join(
        _linked_token(token, shade, mark, chosen=token.index == chosen, pinned=pinned)
        for token, shade, mark in zip(tokens, shades, piece_marks(tokens), strict=True)
    )
    of = "" if beside is None else f" in {dictionary}"
    replays = {token.index: _replayed(replay, token, uses, of) for token in tokens if token.index == chosen}
    sections = "\n".join(
        _token_section(token, decomposition, dictionary, replays.get(token.index), beside) for token in tokens
    )
    second = "" if beside is None else _beside_it(dictionary, decomposition, beside)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(dictionary)}: a prompt decomposed</title><style>{_PAGE_STYLE}</style></head><body>
<h1>{escape(dictionary)}</h1>
{_about(decomposition, command)}
{second}
<div class="row">{row}</div>
<div class="muted scale">{_legend(legend)}</div>
<div class="muted">Click a token to read its atoms.{_underlined(tokens, pinned)}
<mark class="negative">Orange</mark>: a negative coefficient; <mark>indigo</mark>: a positive one.
{_chosen_words(tokens, chosen)}</div>
{sections}
</body></html>
"""


def _about(decomposition: Decomposition, command: str) -> str:
    """What was decomposed and how, and the same for a terminal."""
    facts = " · ".join(
        [
            decomposition.model,
            _place(decomposition),
            f"k = {decomposition.k}",
            decomposition.method.upper(),
            *(["only positive coefficients"] if decomposition.non_negative else []),
        ]
    )
    line = f"\n<pre>{escape(command)}</pre>" if command else ""
    return f'<div class="muted">{escape(facts)}</div>\n<div class="muted">{_measured(decomposition)}</div>{line}'


def _measured(decomposition: Decomposition) -> str:
    """Over what its relative errors and cosines are."""
    error, cosine = relative_error_words(decomposition.centred), cosine_words(decomposition.centred)
    return escape(f"Relative error: {error}. Cosine: {cosine}.")


def _beside_it(dictionary: str, decomposition: Decomposition, beside: Beside) -> str:
    """The second dictionary, and whether its figures are on the scale of the first one's."""
    named = [(dictionary, decomposition.centred), (beside.dictionary, beside.decomposition.centred)]
    apart = not_over_the_same([(visible(name), centred) for name, centred in named])
    said = f'\n<p class="apart">{escape(apart)}</p>' if apart else ""
    return f'<h1 class="beside">Beside it: {escape(beside.dictionary)}</h1>\n{_about(*beside[1:])}{said}'


def _place(decomposition: Decomposition) -> str:
    return decomposition.site if decomposition.layer is None else f"layer {decomposition.layer}, {decomposition.site}"


def _linked_token(token: TokenDecomposition, shade: Shade, mark: str, *, chosen: bool, pinned: int | None) -> str:
    blanks = indentation(token.text)
    shown = visible(token.text.removesuffix(blanks)) if token.text else "∅"
    line_end = "<br>" if "\n" in token.text else ""
    if blanks:
        line_end += f"<bdi>{blanks}</bdi>"
    style = f"background:rgba({shade.rgb.replace(' ', '')},{shade.alpha:.3f})"
    kinds = {"chosen": chosen, "special": token.special, "pinned": _uses(token, pinned)}
    kind = " ".join(name for name, is_so in kinds.items() if is_so)
    kind = f' class="{kind}"' if kind else ""
    text = escape(shown) + (f"<sup>{escape(mark)}</sup>" if mark else "")
    return f'<a href="#t{token.index}"{kind} style="{style}" title="{escape(shade.tip)}">{text}</a>{line_end}'


def _uses(token: TokenDecomposition, atom: int | None) -> bool:
    return atom is not None and any(use.atom == atom for use in token.atoms)


def _underlined(tokens: Sequence[TokenDecomposition], pinned: int | None) -> str:
    """What the underlined tokens are, where there are some."""
    return f" Underlined: tokens that use atom {pinned}." if any(_uses(token, pinned) for token in tokens) else ""


def _legend(legend: Mapping[str, Any]) -> str:
    """What `token_colours.shading` says of its colours."""
    parts = [f"<span>{escape(legend['title'])}</span>"] if legend["title"] else []
    if "ramp" in legend:
        ramp = ", ".join(f"rgba({colour})" for colour in legend["ramp"])
        parts.append(
            f'<span>{escape(legend["low"])} <i class="ramp" style="background:linear-gradient(to right, {ramp})"></i> '
            f"{escape(legend['high'])}</span>"
        )
    parts += [
        f'<span><i class="swatch" style="background:rgba({entry["rgb"]}, 0.75)"></i> '
        f"<bdi>{escape(entry['text'])}</bdi> {escape(entry['note'])}</span>"
        for entry in legend.get("entries", ())
    ]
    return "\n".join(parts)


def _chosen_words(tokens: Sequence[TokenDecomposition], chosen: int | None) -> str:
    """Which token was chosen, with the way to it."""
    text = next((token.text for token in tokens if token.index == chosen), None)
    if text is None:
        return ""
    return f' Chosen: <a href="#t{chosen}"><bdi>{escape(visible_token(text))}</bdi></a>, with the pursuit replayed.'


def _replayed(replay: Replay | None, token: TokenDecomposition, uses: Mapping[int, AtomUse] | None, of: str) -> str:
    """The pursuit of the chosen token, step by step; `of` names the dictionary where a second one stands beside it."""
    if replay is None:
        return ""
    uses = {use.atom: use for use in token.atoms} if uses is None else uses
    return f"<h3>The pursuit replayed{escape(of)}: error left after each atom</h3>\n{replay_table(replay, token, uses)}"


def _token_section(
    token: TokenDecomposition, shown: Decomposition, dictionary: str, replayed: str | None, beside: Beside | None
) -> str:
    kind = "" if replayed is None else ' class="chosen"'
    body = _atoms_of(token, shown)
    if beside is not None:
        body = f"<h3>{escape(dictionary)}</h3>\n{body}\n{_second(token, shown, beside)}"
    title = f"Token {token.index}: <bdi>{escape(token.text)}</bdi>"
    return f"""<section id="t{token.index}"{kind}><h2>{title}</h2>
{body}{replayed or ""}</section>"""


def _second(token: TokenDecomposition, shown: Decomposition, beside: Beside) -> str:
    """The same token in the second dictionary."""
    title, there = f"<h3>{escape(beside.dictionary)}</h3>", counterpart(shown, token, beside.decomposition)
    if there.token is None:
        return f'{title}\n<div class="muted">None of its model\'s tokens ends where this one does.</div>'
    other = ""
    if not there.same_tokens:
        name = escape(visible_token(there.token.text))
        other = f'<div class="muted">Its token that ends at the same character: <bdi>{name}</bdi></div>\n'
    return f"{title}\n{other}{_atoms_of(there.token, beside.decomposition)}"


def _atoms_of(token: TokenDecomposition, decomposition: Decomposition) -> str:
    """How well a token is explained, and by which atoms."""
    rows = [_atom_row(rank, use) for rank, use in enumerate(token.atoms, start=1)]
    small = len(small_shares(token.atoms))  # they come last: the strongest are the first
    shown = _atom_table(rows[: len(rows) - small])
    if small:
        shown += f"<details><summary>and {small} more, each with a share below {SMALL:.0%}</summary>"
        shown += f"{_atom_table(rows[len(rows) - small :])}</details>"
    why = why_fewer(token, decomposition.k, decomposition.method, non_negative=decomposition.non_negative)
    facts = f"relative error {token.relative_error:.4f} · cosine {figure_of(token.cosine, '.4f')} · {token.l0} atoms"
    return f"""<div class="muted">{facts}</div>
{shown}
<div class="muted">{escape(why)}</div>"""


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
