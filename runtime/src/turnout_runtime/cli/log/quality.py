"""`turnout log quality`: how good the answers were, per revision and arm."""

import argparse
import sys
from typing import TYPE_CHECKING

from turnout_runtime.cli.log.label_options import add_labels, label_file
from turnout_runtime.cli.log.labels import tell
from turnout_runtime.cli.log.places import add_places, source_of
from turnout_runtime.cli.parsers import Groups

if TYPE_CHECKING:
    from turnout_runtime.analysis.report import Report


def add_command(actions: Groups) -> None:
    """Register it."""
    quality = actions.add_parser(
        "quality",
        help="how good the answers were, per revision and arm, with confidence intervals",
        description="Joins labels and measures: base rate, AUC (DeLong), Brier score, calibration, precision and recall"
        " of the positive decision, mean reward; 95 %% intervals. Shadows and fallbacks stand apart.",
    )
    add_places(quality)
    add_labels(quality)
    quality.add_argument("--by", choices=("hour", "day"), help="a line for each")
    quality.add_argument("--positive-decision", metavar="DECISION", help="default: of two, that of the higher scores")
    quality.add_argument("--ipw", action="store_true", help="weight by 1 / propensity: as if each arm had got all")
    quality.add_argument("--baseline", metavar="ARM", help="compare the others to it; default: that of the most labels")
    quality.add_argument("--reliability", action="store_true", help="scores and shares of positives, bin by bin")
    quality.add_argument("--json", action="store_true", help="everything, as JSON")
    quality.set_defaults(run=_quality)


def _quality(arguments: argparse.Namespace) -> None:
    from dataclasses import asdict

    import orjson

    from turnout_runtime.analysis.join import joining
    from turnout_runtime.analysis.report import Wanted, report

    wanted = Wanted(arguments.by, arguments.positive_decision, arguments.ipw, arguments.baseline)
    with joining(source_of(arguments), label_file(arguments)) as join:
        found, counts = report(join, wanted), join.counts
    if arguments.json:
        print(orjson.dumps({**found.document(), "labels": asdict(counts)}, option=orjson.OPT_SERIALIZE_NUMPY).decode())
    else:
        _print(found, arguments.reliability)
        tell(counts)


def _print(found: "Report", reliability: bool) -> None:
    from turnout_runtime.analysis import report_text

    lines = [*report_text.table(found), *report_text.compared(found), *report_text.notes(found)]
    if reliability:
        lines += report_text.bins(found)
    print("\n".join(lines))
    sys.stdout.flush()
