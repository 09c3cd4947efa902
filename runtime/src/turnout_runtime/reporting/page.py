"""The page itself: head, sections, and how all of it looks. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from turnout_runtime.reporting.sections import percent
from turnout_runtime.reporting.seen import Overview

_STYLE = """
:root{color-scheme:light dark;--paper:#f6f7f9;--card:#fff;--ink:#1b1f27;--soft:#636b78;--rule:#e3e6eb;--rail:#eef0f4;
--p0:#2f6fde;--p1:#e07b12;--p2:#0f9d7a;--p3:#b3429a;--p4:#6f5bd6;--p5:#a58a00;--p6:#d64a4a;--p7:#8a93a3;
--good:#2f9e62;--warn:#e0a100;--bad:#d13b3b;--bad2:#e8743b}
@media (prefers-color-scheme:dark){:root{--paper:#12151b;--card:#1b1f27;--ink:#e8ebf0;--soft:#9aa3b2;--rule:#2e343f;
--rail:#262b35;--p0:#6ea3ff;--p1:#f5a04a;--p2:#3fcfa5;--p3:#e07cc8;--p4:#a294ff;--p5:#d6bf3e;--p6:#ff8080;--p7:#7d8797;
--good:#4cc38a;--warn:#f0bf3c;--bad:#ff6b6b;--bad2:#ff9863}}
*{box-sizing:border-box}
body{margin:0;padding:24px clamp(12px,3vw,40px) 48px;background:var(--paper);color:var(--ink);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main,header,footer{max-width:1440px;margin:0 auto}
h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:32px 0 12px}h3{font-size:14px;margin:0 0 10px;font-weight:600}
header p,footer{color:var(--soft);margin:0}footer{margin-top:32px;font-size:13px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(128px,1fr));gap:12px;margin-top:20px}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:12px 14px}
.tile b{display:block;font-size:21px;font-weight:600;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,380px),1fr));gap:16px}
.card{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:16px;min-width:0}
.wide{grid-column:1/-1}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-size:12px;fill:var(--soft);font-variant-numeric:tabular-nums}svg text.name{fill:var(--ink)}
.grid path.grid{display:inline;stroke:var(--rule);stroke-width:1;fill:none}
.tick{stroke:var(--soft)}.line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}.thin{stroke-width:1;opacity:.5}
.fill{fill:var(--c)}.wash{fill:var(--c);opacity:.1}.rail{fill:var(--rail)}
.guide{stroke:var(--soft);stroke-dasharray:4 4;fill:none}.mark{stroke:var(--ink);stroke-width:2.5}
.whisker{stroke:var(--ink);stroke-width:1.5;opacity:.65}
.c0{--c:var(--p0)}.c1{--c:var(--p1)}.c2{--c:var(--p2)}.c3{--c:var(--p3)}.c4{--c:var(--p4)}.c5{--c:var(--p5)}
.c6{--c:var(--p6)}.c7{--c:var(--p7)}
.good{--c:var(--good)}.warn{--c:var(--warn)}.bad{--c:var(--bad)}.bad2{--c:var(--bad2)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 16px;margin:10px 0 0;padding:0;font-size:13px}
.legend li{color:var(--soft)}.legend li::before{content:"";display:inline-block;width:10px;height:10px;
border-radius:2px;margin-right:6px;background:var(--c)}
.note{color:var(--soft);font-size:13px;margin:10px 0 0}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13.5px}
th,td{text-align:left;padding:7px 12px 7px 0;border-bottom:1px solid var(--rule);vertical-align:top;white-space:nowrap}
th{color:var(--soft);font-weight:500}td.n{font-variant-numeric:tabular-nums}small{display:block;color:var(--soft)}
@media print{body{background:#fff}.card{break-inside:avoid}}
"""


_META = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'


def page(view: Overview, sections: Sequence[tuple[str, Sequence[str]]], made: datetime) -> str:
    """The whole document; each section has a heading and cards, and is left out without any."""
    title = ", ".join(view.objectives) or "Prediction log"
    body = "".join(f'<section><h2>{escape(name)}</h2><div class="grid">{"".join(cards)}</div></section>'
                   for name, cards in sections if cards)  # fmt: skip
    head = f"{_META}<title>{escape(title)}</title><style>{_STYLE}</style>"
    told = f"{_range(view)} · {escape(', '.join(view.revisions))}"
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body>'
        f"<header><h1>{escape(title)}</h1><p>{told}</p>{_tiles(view)}</header>"
        f"<main>{body}</main><footer>Made by <code>turnout log report</code> on {made:%Y-%m-%d %H:%M} UTC."
        f"{_sampled(view)}</footer></body></html>\n"
    )


def _range(view: Overview) -> str:
    first, last = (datetime.fromtimestamp(at, UTC) for at in (view.first, view.last))
    return f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"


def _tiles(view: Overview) -> str:
    shares = {kind: weight / view.requests for kind, weight in view.kinds.items()} if view.requests else {}
    failed = sum(share for kind, share in shares.items() if kind not in ("ok", "fallback"))
    tiles = [("requests" + (" (estimated)" if view.sampled else ""), f"{view.requests:,.0f}")]
    tiles += [
        ("answered in full", percent(shares.get("ok", 0.0))),
        ("on a fallback", percent(shares.get("fallback", 0.0))),
    ]
    tiles += [("failed or shed", percent(failed))]
    tiles += [(f"p{100 * q:g} latency", f"{value:.3g} ms") for q, value in view.latency.items() if value == value]
    tiles += [("shadow records", f"{view.shadows:,}")] if view.shadows else []
    return f'<div class="tiles">{"".join(f"<div class=tile><b>{b}</b><span>{s}</span></div>" for s, b in tiles)}</div>'


def _sampled(view: Overview) -> str:
    return " The log keeps a sample: each record counts as 1 / sample_rate requests." if view.sampled else ""
