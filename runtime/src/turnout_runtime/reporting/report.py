"""Makes the report of a log."""

from dataclasses import dataclass
from datetime import UTC, datetime

from turnout_runtime.analysis.database import database
from turnout_runtime.analysis.join import joining
from turnout_runtime.analysis.labels import LabelFile
from turnout_runtime.analysis.report import Wanted, report
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.reporting import sections
from turnout_runtime.reporting.moved import moved
from turnout_runtime.reporting.outcomes import outcomes
from turnout_runtime.reporting.page import page
from turnout_runtime.reporting.seen import Seen


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see: a reference for drift, labels besides the log's own."""

    reference: str | None
    labels: LabelFile


def document(source: LogSource, asked: Asked) -> str:
    """The page as HTML. Blocks. Raises `LogInvalid` when there are no predictions, or labels do not fit."""
    with database() as connection:
        source.view(connection)
        seen = Seen(connection)
        view = seen.overview
        parts = [
            ("Traffic", [*sections.traffic(seen), *sections.split(seen)]),
            ("Latency", [*sections.latency(seen)]),
            ("Facts and fallbacks", [*sections.fallbacks(seen)]),
        ]
        scores = [*sections.scores(seen)]
    drift = moved(source, asked.reference, (view.first + view.last) / 2)
    parts += [("Scores and drift", [*scores, *sections.drift(drift)]), ("Outcomes", _outcomes(source, asked))]
    return page(view, parts, datetime.now(UTC))


def _outcomes(source: LogSource, asked: Asked) -> list[str]:
    """Nothing where nobody has said what came of anything."""
    if asked.labels.uri is None and not source.has_feedback:
        return []
    with joining(source, asked.labels) as join:
        found = report(join, Wanted())
        told = ", ".join(f"{count:,} {name}" for name, count in join.counts.told())
    return [*outcomes(found, told)] if found.groups else []
