"""`turnout drift`: what moved in the log."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from turnout_runtime.cli.parsers import Groups

if TYPE_CHECKING:
    from turnout_runtime.evaluation.drift.report import Drift

_WHEN = "RFC 3339, or 30m, 24h, 7d ago"


def add_commands(groups: Groups) -> None:
    """Register the command."""
    drift = groups.add_parser("drift", help="what moved in the prediction log: scores, decisions, features, context")
    drift.add_argument("--log", type=Path, nargs="+", required=True, metavar="DIR", help="log directories")
    drift.add_argument(
        "--reference", type=Path, required=True, metavar="DIR|FILE", help="a log, or a table (.parquet, .csv, .jsonl)"
    )
    drift.add_argument("--since", metavar="TIME", help=f"of the records compared: {_WHEN}")
    drift.add_argument("--until", metavar="TIME", help="before this time")
    drift.add_argument(
        "--where", action="append", default=[], metavar="FIELD=VALUE", help="only such records; != < > …"
    )
    drift.add_argument("--reference-since", metavar="TIME", help="the same of the reference")
    drift.add_argument("--reference-until", metavar="TIME")
    drift.add_argument("--reference-where", action="append", default=[], metavar="FIELD=VALUE")
    drift.add_argument("--by", choices=("revision", "arm"), help="compare each one by itself")
    drift.add_argument("--top", type=int, default=10, metavar="N", help="columns to show (10)")
    drift.add_argument("--json", action="store_true", help="all columns, as JSON")
    drift.set_defaults(run=_drift)


def _drift(arguments: argparse.Namespace) -> None:
    from turnout_runtime.evaluation.drift.report import document, told

    drifts = list(_drifts(arguments))
    if arguments.json:
        import orjson

        print(orjson.dumps([document(drift) for drift in drifts], option=orjson.OPT_INDENT_2).decode())
    else:
        print("\n\n".join(told(drift, arguments.top) for drift in drifts))


def _drifts(options: argparse.Namespace) -> "Iterator[Drift]":
    from datetime import UTC, datetime

    from turnout_runtime.errors import EvaluationInvalid
    from turnout_runtime.evaluation.drift.columns import columns, grouped, sizes
    from turnout_runtime.evaluation.drift.compare import compare
    from turnout_runtime.evaluation.drift.reference import reference
    from turnout_runtime.evaluation.drift.report import Drift
    from turnout_runtime.evaluation.records import records
    from turnout_runtime.evaluation.window import window

    now = datetime.now(UTC)
    past = window(options.reference_since, options.reference_until, options.reference_where, now)
    present = window(options.since, options.until, options.where, now)
    before = columns(past.of(reference(options.reference)))
    groups = grouped(present.of(records(options.log)), options.by)
    for option, found in (("reference", before), ("log", groups)):
        if not found:
            raise EvaluationInvalid(f"--{option}: no records there, or none in its window")
    for group, found in groups.items():
        yield Drift(group, (sizes(before), sizes(found)), compare(before, found), sorted(found.keys() - before.keys()))
