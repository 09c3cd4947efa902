"""Plots as SVG whose colours are the page's. Pure.

They are drawn 400 wide with text of 12, and so can still be read on a telephone. `c0` to `c7` are colours of series.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from turnout_runtime.reporting.scales import Scale, times

WIDTH, HEIGHT = 400, 210
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 24
COLOURS = 8
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """Points by x; of a line, NaN breaks it. `low` and `high` are the ends of each point's interval, if it has one."""

    name: str
    points: Sequence[Point]
    low: Sequence[float] = field(default_factory=list)
    high: Sequence[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot's axes; x are times (seconds since 1970) or numbers."""

    x: Scale
    y: Scale
    timed: bool
    title: str

    @classmethod
    def around(cls, xs: tuple[float, float], ys: tuple[float, float], title: str, timed: bool = True) -> "Frame":
        """One that has room for these ranges."""
        low, high = ys
        return cls(
            Scale(*xs, LEFT, WIDTH - RIGHT), Scale(low, high if high > low else low + 1, HEIGHT - BOTTOM, TOP), timed,
            title,
        )  # fmt: skip

    def drawn(self, inside: Iterable[str]) -> str:
        """The plot with what is in it."""
        parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}">']
        for value, text in self.y.ticks():
            at = self.y(value)
            parts.append(f'<path class="grid" d="M{LEFT} {at}H{WIDTH - RIGHT}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{at + 4}" text-anchor="end">{text}</text>')
        for value, text in times(self.x) if self.timed else self.x.ticks(5):
            at = self.x(value)
            anchor = "end" if at > WIDTH - 2 * RIGHT else "middle"
            parts.append(f'<path class="tick" d="M{at} {HEIGHT - BOTTOM}v4"/>')
            parts.append(f'<text x="{at}" y="{HEIGHT - 6}" text-anchor="{anchor}">{text}</text>')
        return "".join((*parts, *inside, "</svg>"))


def lines(frame: Frame, series: Sequence[Series], first: int = 0) -> str:
    """A line for each series."""
    return frame.drawn(_line(frame, each, first + index) for index, each in enumerate(series))


def _line(frame: Frame, series: Series, colour: int) -> str:
    path, pen = "", "M"
    for x, y in series.points:
        if y != y:
            pen = "M"
        else:
            path, pen = f"{path}{pen}{frame.x(x)} {frame.y(y)}", "L"
    return f'<path class="line c{colour % COLOURS}" d="{path}"><title>{escape(series.name)}</title></path>'


def columns(frame: Frame, width: float, series: Sequence[tuple[str, Series]]) -> str:
    """Stacked columns, each `width` wide in x; of each series its CSS class."""
    parts, tops = [], dict[float, float]()
    for look, each in series:
        for x, y in each.points:
            if y > 0:
                low = tops.get(x, 0.0)
                tops[x] = low + y
                left, right, top = frame.x(x), frame.x(x + width), frame.y(low + y)
                size = f'width="{max(0.8, right - left - 0.6):.1f}" height="{frame.y(low) - top:.1f}"'
                title = f"<title>{escape(each.name)}: {y:,.4g}</title>"
                parts.append(f'<rect class="fill {look}" x="{left}" y="{top}" {size}>{title}</rect>')
    return frame.drawn(parts)


def steps(frame: Frame, width: float, series: Sequence[Series]) -> str:
    """Outlines of histograms; points are the left ends of bins, which are `width` wide."""
    parts = []
    for index, each in enumerate(series):
        start = each.points[0][0] if each.points else 0.0
        path = f"M{frame.x(start)} {frame.y(0)}"
        for x, y in each.points:
            path += f"V{frame.y(y)}H{frame.x(x + width)}"
        look = f"c{index % COLOURS}"
        title = f"<title>{escape(each.name)}</title>"
        parts.append(f'<path class="wash {look}" d="{path}V{frame.y(0)}Z"/>')
        parts.append(f'<path class="line {look}" d="{path}V{frame.y(0)}">{title}</path>')
    return frame.drawn(parts)


def dots(frame: Frame, series: Sequence[Series], diagonal: bool = False) -> str:
    """Points with their intervals; the diagonal is where they should be."""
    parts = []
    if diagonal:
        start, end = max(frame.x.low, frame.y.low), min(frame.x.high, frame.y.high)
        parts.append(f'<path class="guide" d="M{frame.x(start)} {frame.y(start)}L{frame.x(end)} {frame.y(end)}"/>')
    for index, each in enumerate(series):
        look = f"c{index % COLOURS}"
        parts.append(_line(frame, each, index).replace('class="line', 'class="thin line'))
        for (x, y), low, high in zip(each.points, each.low, each.high, strict=True):
            title = f"<title>{escape(each.name)}: {y:.3f} ({low:.3f} to {high:.3f}) at {x:.3f}</title>"
            parts.append(f'<path class="line {look}" d="M{frame.x(x)} {frame.y(low)}V{frame.y(high)}"/>')
            parts.append(f'<circle class="fill {look}" cx="{frame.x(x)}" cy="{frame.y(y)}" r="3.5">{title}</circle>')
    return frame.drawn(parts)
