"""`turnout log labels`: which labels fit which predictions."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from turnout_runtime.cli.log.label_options import add_labels, label_file
from turnout_runtime.cli.log.places import add_places, source_of
from turnout_runtime.cli.parsers import Groups

if TYPE_CHECKING:
    from turnout_runtime.analysis.labels import LabelCounts

_MEANINGS = {
    "incomplete": "without a key, a value or a time",
    "later": "after --as-of",
    "duplicates": "say the same again",
    "corrected": "overruled by a newer one",
    "conflicts": "differ from another of the same time; none counts",
    "unknown": "of no answer in this log",
    "early": "older than their prediction",
    "overdue": "after the window",
}


def add_command(actions: Groups) -> None:
    """Register it."""
    labels = actions.add_parser(
        "labels",
        help="join labels or rewards to predictions, and say what fits",
        description="Joins labels to the answers they belong to, and counts those that do not fit. With -o it writes"
        " the answers that have one.",
    )
    add_places(labels)
    add_labels(labels)
    labels.add_argument("-o", "--output", type=Path, metavar="FILE.parquet", help="answers with their labels")
    labels.set_defaults(run=_labels)


def _labels(arguments: argparse.Namespace) -> None:
    from turnout_runtime.analysis.join import joining
    from turnout_runtime.analysis.labelled import coverage, write_labelled
    from turnout_runtime.analysis.text import columns

    with joining(source_of(arguments), label_file(arguments)) as join:
        if arguments.output is not None:
            write_labelled(join, arguments.output)
        rows = coverage(join)
        print("\n".join(columns([("revision", "arm", "answers", "labelled", "share"), *rows], right=(2, 3, 4))))
        tell(join.counts, file=sys.stdout)


def tell(counts: "LabelCounts", file: TextIO | None = None) -> None:
    """What became of the labels."""
    parts = [
        f"{count:,} {name}" + (f" ({_MEANINGS[name]})" if name in _MEANINGS else "") for name, count in counts.told()
    ]
    print(f"labels: {', '.join(parts)}", file=file or sys.stderr)
