"""A page of results that anyone can open: one file, no script, no network; light or dark as its reader's browser is.

All text given here is escaped, so names of models and passages of a corpus stay text.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_STYLE = """
:root{color-scheme:light dark;--ink:#25252e;--muted:#5f5f6b;--line:#e3e3ea;--ground:#fff;--edge:#80808c}
@media (prefers-color-scheme:dark){:root{--ink:#e9e9ef;--muted:#a9a9b6;--line:#33333e;--ground:#15151a;--edge:#a0a0ac}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:2rem auto;padding:0 1rem;
  max-width:90rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}.muted{color:var(--muted)}
h1,h2,.muted{overflow-wrap:anywhere}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.8rem;font-variant-numeric:tabular-nums}
th{font-weight:500;color:var(--muted);text-align:left;padding:1px 6px;white-space:nowrap}
th.top{writing-mode:vertical-rl;transform:rotate(180deg)}td{padding:3px 5px;text-align:center;min-width:1.7rem}
td[style]{background:rgb(99 102 241 / calc(.55*var(--share)))}
@media (prefers-color-scheme:dark){td[style]{background:rgb(129 140 248 / calc(.06 + .56*var(--share)));color:#fff}}
td.below[style]{background:rgb(234 88 12 / calc(.55*var(--share)))}
@media (prefers-color-scheme:dark){td.below[style]{background:rgb(234 88 12 / calc(.06 + .56*var(--share)))}}
td.apart{background:rgba(128,128,140,.2)}
td.edge,th.edge{border-left:2px solid var(--edge)}
tr.edge td,tr.edge th{border-left-width:0;border-top:2px solid var(--edge)}
tr.edge td.edge{border-left-width:2px}
.listed td{text-align:left;padding:3px 12px 3px 0;white-space:nowrap}.listed th{padding:3px 12px 3px 0}
.listed .num{text-align:right}.listed tr+tr td{border-top:1px solid var(--line)}
ol{padding-left:3rem}li{margin:.15rem 0}
bdi{font-family:ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
mark{background:rgba(99,102,241,.28);color:inherit;border-radius:3px}
.charts{display:flex;flex-wrap:wrap;gap:0 2rem}.charts>section{flex:1 1 24rem;max-width:44rem}
svg.chart{width:100%;max-width:44rem;height:auto;display:block}
svg.chart text{fill:var(--muted);font:12px system-ui,sans-serif}
.legend{display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;font-size:.8rem;color:var(--muted)}
.legend svg{width:26px;height:10px;margin-right:.4rem;vertical-align:middle}
"""


class Section(NamedTuple):
    """A part of a page: its heading, what has to be known to read it, and its content, which is HTML already."""

    heading: str
    body: str
    note: str = ""

    def html(self) -> str:
        """The section as it stands in the page."""
        note = f'<div class="muted">{escape(self.note)}</div>\n' if self.note else ""
        return f"<section><h2>{escape(self.heading)}</h2>\n{note}{self.body}</section>"


def page(title: str, facts: Sequence[str], sections: Sequence[Section | str]) -> str:
    """The whole page: `title`, a line for each of `facts`, then the sections (or HTML) one below the other."""
    lines = "".join(f'<div class="muted">{escape(fact)}</div>' for fact in facts if fact)
    body = "\n".join(part if isinstance(part, str) else part.html() for part in sections)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
{lines}
{body}
</body></html>
"""


def side_by_side(sections: Sequence[Section]) -> str:
    """Sections beside each other where there is room."""
    return f'<div class="charts">{"".join(section.html() for section in sections)}</div>'


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()) -> str:
    """A table; `numbers` names the columns set flush right."""
    kinds = [' class="num"' if column in numbers else "" for column in columns]
    head = "".join(f"<th{kind}>{escape(column)}</th>" for column, kind in zip(columns, kinds, strict=True))
    lines = "\n".join(
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table class="listed"><tr>{head}</tr>\n{lines}</table></div>'
