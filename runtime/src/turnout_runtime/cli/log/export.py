"""`turnout log export`: a training set."""

import argparse
import sys
from pathlib import Path

from turnout_runtime.cli.log.label_options import add_labels, label_file
from turnout_runtime.cli.log.labels import tell
from turnout_runtime.cli.log.places import add_places, source_of
from turnout_runtime.cli.parsers import Groups


def add_command(actions: Groups) -> None:
    """Register it."""
    export = actions.add_parser(
        "export",
        help="a training set: features as the model saw them, with labels",
        description="Writes labelled answers by time: the decision's columns, feature.NAME, label, reward, label_time."
        " Features are those of the record; labels are taken by their own time (--as-of, --window).",
    )
    add_places(export)
    add_labels(export)
    export.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="ends in .parquet or .csv")
    export.add_argument("--no-fallbacks", action="store_true", help="leave out answers that rest on a fallback")
    export.add_argument("--context", action="store_true", help="also context and facts, as JSON")
    export.set_defaults(run=_export)


def _export(arguments: argparse.Namespace) -> None:
    from turnout_runtime.analysis.export import export
    from turnout_runtime.analysis.join import joining

    with joining(source_of(arguments), label_file(arguments)) as join:
        done = export(join, arguments.output, fallbacks=not arguments.no_fallbacks, context=arguments.context)
        tell(join.counts)
    left_out = f"left out: {done.without_label:,} without a label, {done.without_features:,} without features"
    print(f"{arguments.output}: {done.rows:,} rows, {done.features:,} features; {left_out}", file=sys.stderr)
