"""What of a report rests on labels: reliability, and the table of quality. Pure."""

from collections.abc import Iterator, Sequence
from html import escape

from turnout_runtime.analysis.groups import Group
from turnout_runtime.analysis.quality import Quality
from turnout_runtime.analysis.report import Report
from turnout_runtime.analysis.report_text import FIGURES
from turnout_runtime.analysis.statistics import Estimate
from turnout_runtime.reporting.sections import card, numbered
from turnout_runtime.reporting.svg import Frame, Series, dots

_MOST = 4


def outcomes(found: Report, counts: str) -> Iterator[str]:
    """Cards; `counts` says what became of the labels."""
    yield from _reliability(found)
    yield _table(found, counts)


def _reliability(found: Report) -> Iterator[str]:
    whole = [pair for pair in found.groups if pair[1].bins and pair[0].kind in ("answer", "shadow")]
    drawn = sorted(whole, key=lambda pair: -pair[1].labelled)[:_MOST]
    if not drawn:
        return
    series = [Series(_name(group), *_points(quality)) for group, quality in drawn]
    high = max(max(x for each in series for x, _ in each.points), max(y for each in series for y in each.high))
    frame = Frame.around((0.0, high), (0.0, high), "share of positives by mean score", timed=False)
    note = (
        "Share of positives by mean score, in bins of equal size, with intervals of 95 %. On the dashed line scores are"
    )
    note += " probabilities."
    yield card("Calibration", dots(frame, series, diagonal=True), numbered([each.name for each in series]), note)


def _points(quality: Quality) -> tuple[Sequence[tuple[float, float]], list[float], list[float]]:
    bins = [each for each in quality.bins if each.positives.value is not None]
    points = [(each.score, each.positives.value or 0.0) for each in bins]
    return points, [each.positives.low or 0.0 for each in bins], [each.positives.high or 0.0 for each in bins]


def _table(found: Report, counts: str) -> str:
    figures = [(name, word) for name, word in FIGURES if any(_of(q, name).value is not None for _, q in found.groups)]
    head = "".join(
        f"<th>{escape(word)}</th>" for word in ("revision", "arm", "kind", "n", "labelled", *(w for _, w in figures))
    )
    rows = "".join(f"<tr>{''.join(_cells(group, quality, figures))}</tr>" for group, quality in found.groups)
    table = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    note = "Intervals of 95 %, of entities where they repeat." + (
        " Weighed by 1 / sample_rate." if found.sampled else ""
    )
    return card("Quality per revision and arm", table, note=f"{note} Labels: {escape(counts)}.", wide=True)


def _cells(group: Group, quality: Quality, figures: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from (f"<td>{escape(text)}</td>" for text in (group.revision, group.arm, group.kind))
    yield f"<td class=n>{quality.answers:,}</td><td class=n>{quality.labelled:,}</td>"
    for name, _ in figures:
        yield f"<td class=n>{_figure(_of(quality, name))}</td>"


def _of(quality: Quality, name: str) -> Estimate:
    found: Estimate = getattr(quality, name)
    return found


def _figure(found: Estimate) -> str:
    if found.value is None:
        return f'<span title="{escape(found.note or "")}">–</span>'
    interval = "" if found.low is None or found.high is None else f"<small>{found.low:.3f} to {found.high:.3f}</small>"
    return f"{found.value:.3f}{interval}"


def _name(group: Group) -> str:
    return " ".join(part for part in (group.revision, group.arm, group.kind) if part not in ("-", "answer"))
