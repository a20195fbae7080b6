"""The page around tables and plots: one file, light and dark, on paper too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
:root{color-scheme:light dark;--page:#fbfbf9;--card:#fff;--ink:#1d2327;--soft:#5c666d;
--rule:#e3e4e0;--c0:#00639b;--c1:#b85c00;--c2:#6d4aa8;--c3:#2f7d4f;--c4:#a8326e;--c5:#6f7478;
--attack:#c4302b;--bar:#9fb2bf}
@media (prefers-color-scheme:dark){:root{--page:#14181b;--card:#1b2024;--ink:#e5e8ea;--soft:#9aa5ac;
--rule:#2e353a;--c0:#5cb3ea;--c1:#f0a04b;--c2:#b39ae6;--c3:#6cc48f;--c4:#e783b4;--c5:#a2a8ac;
--attack:#ff7066;--bar:#4f6472}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1020px;padding:32px 24px 64px;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:26px;line-height:1.2;margin:0 0 4px;font-weight:650}
h2{font-size:18px;margin:36px 0 6px;font-weight:650}
p{margin:0 0 12px;max-width:72ch}h1,h2,p,figcaption{overflow-wrap:anywhere}
.soft,figcaption{color:var(--soft)}.soft+.soft{margin-top:-8px}
.caveat{border-left:3px solid var(--c1);padding-left:10px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:20px 0}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px 14px}
.tile b{display:block;font-size:24px;line-height:1.25;font-weight:650}
.tile span{display:block;font-size:13px;color:var(--soft)}
.two{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(380px,100%),1fr));gap:20px}
figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px}
figcaption{font-size:13px;padding:0 4px 6px}figcaption b{color:var(--ink);font-weight:600}
figure+figure{margin-top:10px}.two figure+figure{margin-top:0}.two+p{margin-top:10px}
svg{display:block;width:100%;height:auto}
body>figure{overflow-x:auto}body>figure svg{min-width:640px}
svg text{font:11px system-ui,sans-serif;fill:var(--soft)}svg .label{font-size:12px}
.grid{stroke:var(--rule);stroke-width:1;fill:none}.axis{stroke:var(--soft);stroke-width:1}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}.line.c0{stroke-width:2.6}
.c0{stroke:var(--c0)}.c1{stroke:var(--c1);stroke-dasharray:7 3}.c2{stroke:var(--c2);
stroke-dasharray:2 3}.c3{stroke:var(--c3);stroke-dasharray:9 3 2 3}.c4{stroke:var(--c4);
stroke-dasharray:4 4}.c5{stroke:var(--c5)}
.range{fill:none;stroke-width:1.4}.dot.c0{fill:var(--c0);stroke:none}
.chance,.band,.level{fill:none;stroke:var(--soft);stroke-dasharray:2 4}.band{opacity:.55}
.level{stroke:var(--ink);stroke-dasharray:5 3;stroke-width:1}
.shade{fill:var(--attack);opacity:.16}.stem{stroke:var(--bar);stroke-width:1.7;fill:none}
.ring{fill:none;stroke-width:1.3}.dot.attack{fill:var(--attack)}.ring.attack{stroke:var(--attack)}
.dot.clean{fill:var(--ink)}.dot.failed{fill:var(--soft)}.ring.failed{stroke:var(--soft)}
.undone{fill:none;stroke:var(--soft);stroke-dasharray:3 3}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:8px 0 12px;padding:0;list-style:none;
font-size:13px}.legend svg{width:30px;height:10px;display:inline-block;margin-right:6px;
vertical-align:middle}
.wide{overflow-x:auto;margin-top:14px}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:5px 10px;border-bottom:1px solid var(--rule);white-space:nowrap}
th{font-weight:600;color:var(--soft);font-size:13px}
th:first-child,td:first-child{text-align:left;padding-left:2px}
td:first-child{max-width:340px;overflow:hidden;text-overflow:ellipsis}
tr.miss td:first-child::before{content:"\\25CB\\00A0";color:var(--attack)}
tr.hit td:first-child::before{content:"\\25CF\\00A0";color:var(--c3)}
footer{margin-top:40px;font-size:13px;color:var(--soft)}
@media print{:root{--page:#fff;--card:#fff;--ink:#000;--soft:#444;--rule:#ccc;--c0:#00507d;
--c1:#8f4700;--c2:#513584;--c3:#1f5c38;--c4:#822454;--c5:#555;--attack:#a8211c;--bar:#8597a3}
body{max-width:none;padding:0;font-size:11pt}figure,.tile{break-inside:avoid}
h2{break-after:avoid}tr{break-inside:avoid}.wide,body>figure{overflow:visible}
body>figure svg{min-width:0}}
"""


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure to be seen at once: what it is of, itself, and how sure it is."""

    name: str
    value: str
    about: str = ""


def page(title: str, lead: str, body: Iterable[str], foot: str) -> str:
    """Lay a page out."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>{remark(lead)}"
        f"{''.join(body)}<footer>{escape(foot)}</footer></body></html>\n"
    )


def heading(text: str, about: str = "") -> str:
    """Begin a section."""
    return f"<h2>{escape(text)}</h2>" + (remark(about) if about else "")


def remark(text: str) -> str:
    """Say something beside what is shown."""
    return f'<p class="soft">{escape(text)}</p>'


def caveat(text: str) -> str:
    """Say what bounds the figures: it stands out."""
    return f'<p class="caveat">{escape(text)}</p>'


def tiles(shown: Iterable[Tile]) -> str:
    """Set figures side by side."""
    each = "".join(
        f'<div class="tile"><span>{escape(t.name)}</span><b>{escape(t.value)}</b>'
        f"<span>{escape(t.about)}</span></div>"
        for t in shown
    )
    return f'<div class="tiles">{each}</div>'


def figure(svg: str, name: str, about: str = "") -> str:
    """Frame a plot."""
    return f"<figure><figcaption><b>{escape(name)}</b> {escape(about)}</figcaption>{svg}</figure>"


def side_by_side(figures: Iterable[str]) -> str:
    """Set plots beside each other where there is room."""
    return f'<div class="two">{"".join(figures)}</div>'


def legend(names: Sequence[str]) -> str:
    """Say which line is which."""
    each = "".join(
        f'<li><svg viewBox="0 0 30 10"><path class="line c{i}" d="M0 5H30"/></svg>'
        f"{escape(name)}</li>"
        for i, name in enumerate(names)
    )
    return f'<ul class="legend">{each}</ul>'


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], kinds: Iterable[str] | None = None
) -> str:
    """Lay a table out; the first column is text, the others are numbers.

    Parameters
    ----------
    kinds : iterable of str, optional
        ``"hit"``, ``"miss"`` or ``""`` of each row.
    """
    body = list(rows)
    marks = list(kinds or [""] * len(body))
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(
        f'<tr class="{mark}">' + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row, mark in zip(body, marks, strict=True)
    )
    opened = f'<div class="wide"><table><thead><tr>{top}</tr></thead>'
    return f"{opened}<tbody>{lines}</tbody></table></div>"
