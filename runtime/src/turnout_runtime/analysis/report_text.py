"""A report of quality for a terminal. Pure."""

from collections.abc import Iterator

from turnout_runtime.analysis.groups import Group
from turnout_runtime.analysis.report import Report
from turnout_runtime.analysis.statistics import Estimate
from turnout_runtime.analysis.statistics.calibration import Bin
from turnout_runtime.analysis.text import bar, columns

FIGURES = (
    ("base_rate", "base rate"), ("auc", "AUC"), ("brier", "Brier"), ("calibration_error", "ECE"),
    ("intercept", "intercept"), ("slope", "slope"), ("precision", "precision"), ("recall", "recall"),
    ("reward", "reward"),
)  # fmt: skip
_WORDS = dict(FIGURES)
_BAR = 20


def table(report: Report) -> list[str]:
    """A line for each group; figures that no group has are left out."""
    if not report.groups:
        return ["no answers"]
    figures = [(name, word) for name, word in FIGURES
               if any(getattr(found, name).value is not None for _, found in report.groups)]  # fmt: skip
    timed = any(group.start is not None for group, _ in report.groups)
    head = ("revision", "arm", "kind", *(["from"] if timed else []), "n", "labelled", *(word for _, word in figures))
    rows = [(*_name(group, timed), f"{found.answers:,}", f"{found.labelled:,}",
             *(_cell(getattr(found, name)) for name, _ in figures)) for group, found in report.groups]  # fmt: skip
    return columns([head, *rows], right=(3 + timed, 4 + timed))


def compared(report: Report) -> Iterator[str]:
    """How groups differ from the baseline; a difference whose interval holds no zero has a star."""
    if report.baseline is None or not report.differences:
        return
    names = [
        name for name in report.differences[0][1] if any(each[name].value is not None for _, each in report.differences)
    ]
    yield ""
    yield f"difference to {report.baseline.revision} {report.baseline.arm} (* the interval does not hold 0)"
    rows = [(*_name(group, False), *(_cell(found[name], signed=True) for name in names))
            for group, found in report.differences]  # fmt: skip
    yield from columns([("revision", "arm", "kind", *(_WORDS[name] for name in names)), *rows])


def notes(report: Report) -> Iterator[str]:
    """What was assumed, and why figures are missing."""
    yield ""
    if report.positive is not None:
        yield f"the positive decision is {report.positive!r}"
    if report.weighted:
        left_out = f"; {report.unweighted:,} answers without one are left out" if report.unweighted else ""
        yield f"weighted by 1 / propensity{left_out}"
    if report.sampled:
        yield "the log keeps a sample: answers weigh 1 / sample_rate"
    if clustered := [(group, found) for group, found in report.groups if 0 < found.entities < found.labelled]:
        most, group = max((found.labelled / found.entities, _name(group, False)) for group, found in clustered)
        yield f"entities repeat (up to {most:.1f} labels each, {' '.join(group)}): intervals are of entities"
    for note, where in _missing(report).items():
        yield f"{note}: {', '.join(where)}"


def bins(report: Report) -> Iterator[str]:
    """Reliability: what scores said, and what share was positive."""
    for group, found in report.groups:
        if found.bins:
            yield ""
            yield f"reliability of {' '.join(_name(group, group.start is not None))}"
            yield from columns([("n", "mean score", "positives", ""), *map(_bin, found.bins)], right=(0, 1))


def _bin(found: Bin) -> tuple[str, ...]:
    return (
        f"{found.count:,}", f"{found.score:.3f}", _cell(found.positives), bar(found.positives.value or 0.0, _BAR)
    )  # fmt: skip


def _missing(report: Report) -> dict[str, list[str]]:
    """By note, where it applies; not where labels or rewards were never given."""
    found: dict[str, list[str]] = {}
    labels, rewards = (any(getattr(q, name) for _, q in report.groups) for name in ("labelled", "rewarded"))
    for group, quality in report.groups:
        for name, word in FIGURES:
            estimate: Estimate = getattr(quality, name)
            if estimate.note and (rewards if name == "reward" else labels):
                place = " ".join(_name(group, group.start is not None))
                found.setdefault(estimate.note, []).append(f"{word} of {place}")
    return found


def _name(group: Group, timed: bool) -> tuple[str, ...]:
    return group.revision, group.arm, group.kind, *([group.start or ""] if timed else [])


def _cell(estimate: Estimate, signed: bool = False) -> str:
    if estimate.value is None:
        return "-"
    form = "+.4f" if signed else ".4f"
    value = format(estimate.value, form)
    if estimate.low is None or estimate.high is None:
        return value
    star = " *" if signed and not estimate.low <= 0 <= estimate.high else ""
    return f"{value} ({estimate.low:.4f} to {estimate.high:.4f}){star}"
