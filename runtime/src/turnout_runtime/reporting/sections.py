"""The plots of a report, each with its heading and what one must know to read it. Pure."""

from collections.abc import Iterator, Sequence
from html import escape

from turnout_runtime.analysis.schema import STAGES
from turnout_runtime.evaluation.drift.compare import Shift
from turnout_runtime.reporting.moved import SAMPLE, Moved
from turnout_runtime.reporting.rows import Bar, bars, parts_of
from turnout_runtime.reporting.seen import KINDS, QUANTILES, Overview, Seen
from turnout_runtime.reporting.svg import COLOURS, Frame, Series, columns, lines, steps

_SOURCES = {"live": "good", "cache": "c0", "caller": "c4", "stale": "warn", "fallback": "bad2", "missing": "bad"}
_LOOKS = {"ok": "good", "fallback": "warn", "shed": "c4", "timeout": "bad2", "error": "bad", "invalid": "c7"}
_VERDICTS = {"moved": "bad", "shifted": "warn", "too small": "c7", "stable": "good"}
_TOP = 12
_FULL = 0.5  # PSI at which a bar ends
_LOST = 0.05  # change of a rate of missing values that is told


def card(title: str, plot: str, legend: Sequence[tuple[str, str]] = (), note: str = "", wide: bool = False) -> str:
    """A plot with its heading; `legend` has names and CSS classes."""
    names = "".join(f'<li class="{look}">{escape(name)}</li>' for name, look in legend)
    parts = [f"<h3>{escape(title)}</h3>", plot, f'<ul class="legend">{names}</ul>' if names else ""]
    parts.append(f'<p class="note">{note}</p>' if note else "")
    return f'<figure class="card{" wide" if wide else ""}">{"".join(parts)}</figure>'


def numbered(names: Sequence[str]) -> list[tuple[str, str]]:
    """A legend of series in order."""
    return [(name, f"c{index % COLOURS}") for index, name in enumerate(names)]


def traffic(seen: Seen) -> Iterator[str]:
    """How much there was, and how it ended."""
    view = seen.overview
    found = seen.traffic()
    series = [(_LOOKS[kind], Series(kind, found[kind])) for kind in KINDS if kind in found]
    tops: dict[float, float] = {}
    for _, each in series:
        for x, y in each.points:
            tops[x] = tops.get(x, 0.0) + y
    frame = Frame.around(_ends(view), (0.0, max(tops.values(), default=1.0) * 1.05), "requests a second over time")
    legend = [(f"{kind} {percent(view.kinds[kind] / view.requests)}", _LOOKS[kind]) for kind in KINDS if kind in found]
    yield card("Requests a second", columns(frame, view.bucket, series), legend)


def split(seen: Seen) -> Iterator[str]:
    """Arms, and whether each gets what it should."""
    arms = seen.split()
    if not arms:
        return
    rows = [
        Bar(each.arm, each.share, _share(each.share, each.expected), f"c{index}", each.expected, (each.low, each.high))
        for index, each in enumerate(arms)
    ]
    note = "The mark is the share that the policies' propensities say; the line is the interval of 95 %, of entities"
    note += " where they repeat."
    yield card("Split per arm", bars(rows, 1.0, "share of each arm"), note=note)
    over = seen.split_over_time()
    names = [each.arm for each in arms if each.arm in over]
    frame = Frame.around(_ends(seen.overview), (0.0, 1.0), "share of each arm over time")
    half = seen.overview.bucket / 2
    series = [Series(name, [(x + half, y) for x, y in over[name]]) for name in names]
    yield card("Split over time", lines(frame, series), numbered(names))


def latency(seen: Seen) -> Iterator[str]:
    """Percentiles of the whole and of each stage."""
    found = seen.latency()
    legend = numbered([f"p{100 * q:g}" for q in QUANTILES])
    for stage in ("total", *(stage for stage in STAGES if stage != "total")):
        if stage in found:
            series = [Series(f"p{100 * q:g}", points) for q, points in found[stage].items()]
            top = max((y for each in series for _, y in each.points if y == y), default=1.0)
            frame = Frame.around(_ends(seen.overview), (0.0, top * 1.05), f"latency of {stage}")
            title = "Latency in ms" if stage == "total" else f"Latency of {stage} in ms"
            yield card(title, lines(frame, series), legend)


def fallbacks(seen: Seen) -> Iterator[str]:
    """What answers rest on besides what was asked for."""
    steps_of = seen.fallbacks()
    if steps_of:
        rows = [Bar(name, share, percent(share), "warn") for name, share in steps_of]
        yield card("Answers that rest on a fallback", bars(rows, 1.0, "fallbacks"), note="Of all requests.")
    facts = seen.fact_sources()
    if facts:
        whole = [(name, [(source, look, parts[source]) for source, look in _SOURCES.items() if source in parts])
                 for name, parts in facts.items()]  # fmt: skip
        used = {source for parts in facts.values() for source in parts}
        legend = [(source, look) for source, look in _SOURCES.items() if source in used]
        yield card("Where facts came from", parts_of(whole, "sources of facts"), legend)


def scores(seen: Seen) -> Iterator[str]:
    """What was answered, by revision."""
    found, width = seen.scores()
    if found:
        low = min(points[0][0] for points in found.values())
        high = max(points[-1][0] for points in found.values()) + width
        top = max(y for points in found.values() for _, y in points)
        frame = Frame.around((low, high), (0.0, top * 1.05), "scores", timed=False)
        plot = steps(frame, width, [Series(name, points) for name, points in found.items()])
        yield card("Scores by revision", plot, numbered([*found]), "Share of its answers in each bin.")


def drift(found: Moved) -> Iterator[str]:
    """Columns that moved most."""
    if not found.shifts:
        return
    rows = [_moved(each) for each in found.shifts[:_TOP]]
    note = (
        f"Population stability index against {escape(found.against)}, from samples of at most {SAMPLE:,} records."
        " 0.1 is shifted, 0.25 moved; the bars end at 0.5. The mark is what it stays below in 95 of 100 such windows"
        " when nothing moved."
    )
    yield card("What moved most", bars(rows, _FULL, "population stability index"), note=note)


def _moved(shift: Shift) -> Bar:
    before, now = shift.missing
    lost = f" · missing {percent(before)} → {percent(now)}" if abs(now - before) >= _LOST else ""
    told = f"{shift.verdict} · {shift.psi:.3f}{lost}"
    return Bar(shift.name, min(_FULL, _psi(shift)), told, _VERDICTS[shift.verdict], min(_FULL, shift.by_chance))


def percent(share: float) -> str:
    """A share as people read it."""
    return f"{share:.0%}" if share in (0, 1) else f"{share:.1%}" if share >= 0.001 else "< 0.1%"


def _psi(shift: Shift) -> float:
    return shift.psi if shift.psi == shift.psi else 0.0


def _share(share: float, expected: float | None) -> str:
    return percent(share) if expected is None else f"{percent(share)}, expected {percent(expected)}"


def _ends(view: Overview) -> tuple[float, float]:
    """Whole steps of time around everything."""
    first = view.first // view.bucket * view.bucket
    return first, (view.last // view.bucket + 1) * view.bucket
