"""`turnout log report`: a log as a page with plots."""

import argparse
from pathlib import Path

from turnout_runtime.cli.log.label_options import add_labels, label_file
from turnout_runtime.cli.log.places import add_places, source_of
from turnout_runtime.cli.parsers import Groups


def add_command(actions: Groups) -> None:
    """Register it."""
    report = actions.add_parser(
        "report",
        help="one HTML page with plots: traffic, split, latency, fallbacks, facts, scores, drift, calibration",
        description="Writes one HTML file that needs no network. Calibration and quality are in it where there are"
        " labels: feedback in the log, or --labels.",
    )
    add_places(report)
    report.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html")
    report.add_argument("--objective", help="of this one only, where the log has several")
    report.add_argument(
        "--reference", metavar="LOG|FILE", help="for drift: a log or a table; default: the range's first half"
    )
    add_labels(report)
    report.set_defaults(run=_report)


def _report(arguments: argparse.Namespace) -> None:
    from turnout_runtime.analysis.query import appearing
    from turnout_runtime.reporting.report import Asked, document

    source = source_of(arguments, arguments.objective)
    asked = Asked(arguments.reference, label_file(arguments))
    with appearing(arguments.output, source) as beside:
        beside.write_text(document(source, asked), encoding="utf-8")
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1024:,.0f} KiB")
