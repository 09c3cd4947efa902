"""Plots of one row each: shares, bars, parts of a whole. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from turnout_runtime.analysis.text import clipped
from turnout_runtime.reporting.scales import Scale
from turnout_runtime.reporting.svg import WIDTH

_ROW, _TEXT, _BAR = 38, 13, 12
_FIT, _LEAST = 54, 16
"""Characters of a name and its note that stand side by side, and those of a name in any case."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A value with its name above it, `note` at the right of that, and a mark such as what was expected."""

    name: str
    value: float
    note: str = ""
    look: str = "c0"
    mark: float | None = None
    interval: tuple[float, float] | None = None


def bars(rows: Sequence[Bar], high: float, title: str) -> str:
    """A bar for each, from 0 to `high`."""
    scale, parts = Scale(0.0, high, 0, WIDTH), []
    for number, row in enumerate(rows):
        top = number * _ROW
        parts += _heading(row.name, row.note, top)
        bar = top + _TEXT + 6
        parts.append(f'<rect class="rail" x="0" y="{bar}" width="{WIDTH}" height="{_BAR}"/>')
        parts.append(f'<rect class="fill {row.look}" x="0" y="{bar}" width="{scale(row.value)}" height="{_BAR}"/>')
        if row.interval is not None:
            low, end = map(scale, row.interval)
            parts.append(f'<path class="whisker" d="M{low} {bar + _BAR / 2}H{end}"/>')
        if row.mark is not None:
            parts.append(f'<path class="mark" d="M{scale(row.mark)} {bar - 3}v{_BAR + 6}"/>')
    return _svg(parts, len(rows), title)


def parts_of(rows: Sequence[tuple[str, Sequence[tuple[str, str, float]]]], title: str) -> str:
    """A whole for each name, cut into parts (name, CSS class, share), which add up to 1."""
    drawn = []
    for number, (name, shares) in enumerate(rows):
        top, left = number * _ROW, 0.0
        drawn += _heading(name, "", top)
        for part, look, share in shares:
            width = share * WIDTH
            told = f"<title>{escape(f'{name}: {part} {share:.1%}')}</title>"
            place = f'x="{left:.1f}" y="{top + _TEXT + 6}" width="{max(0.0, width - 0.6):.1f}" height="{_BAR}"'
            drawn.append(f'<rect class="fill {look}" {place}>{told}</rect>')
            left += width
    return _svg(drawn, len(rows), title)


def _heading(name: str, note: str, top: float) -> list[str]:
    told = escape(clipped(name, max(_LEAST, _FIT - len(note))))
    return [
        f'<text x="0" y="{top + _TEXT}" class="name">{told}<title>{escape(name)}</title></text>',
        f'<text x="{WIDTH}" y="{top + _TEXT}" text-anchor="end">{escape(note)}</text>',
    ]


def _svg(parts: Sequence[str], rows: int, title: str) -> str:
    box = f'viewBox="0 0 {WIDTH} {max(1, rows) * _ROW}" role="img" aria-label="{escape(title)}"'
    return f"<svg {box}>{''.join(parts)}</svg>"
