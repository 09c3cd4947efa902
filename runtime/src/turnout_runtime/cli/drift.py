"""`turnout drift`: what moved in the log."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from turnout_runtime.cli.parsers import Groups
from turnout_runtime.cli.times import add_range, moment

if TYPE_CHECKING:
    from turnout_runtime.evaluation.drift.report import Drift
    from turnout_runtime.sketches.document import Sketches


def add_commands(groups: Groups) -> None:
    """Register the command."""
    drift = groups.add_parser("drift", help="what moved in the prediction log: scores, decisions, features, context")
    current = drift.add_mutually_exclusive_group(required=True)
    current.add_argument("--log", nargs="+", metavar="LOG", help="directories, a sink's root, s3://…")
    current.add_argument(
        "--sketches", nargs="+", metavar="URL|FILE", help="what pods keep of their last hour: http://POD:8081/sketches"
    )
    drift.add_argument(
        "--reference",
        metavar="LOG|FILE|URL",
        help="a log, a table (.parquet, .csv, .jsonl), or sketches: a pod's, or a bundle's reference.json; with"
        " --sketches by default that of the pods' bundle",
    )
    add_range(drift)
    drift.add_argument(
        "--where", action="append", default=[], metavar="FIELD=VALUE", help="only such records; != < > …"
    )
    drift.add_argument("--reference-since", type=moment, metavar="TIME", help="the same of the reference")
    drift.add_argument("--reference-until", type=moment, metavar="TIME")
    drift.add_argument("--reference-where", action="append", default=[], metavar="FIELD=VALUE")
    drift.add_argument("--by", choices=("revision", "arm"), help="compare each one by itself")
    drift.add_argument("--top", type=int, default=10, metavar="N", help="columns to show (10)")
    drift.add_argument("--json", action="store_true", help="all columns, as JSON")
    drift.set_defaults(run=_drift)


def _drift(arguments: argparse.Namespace) -> None:
    from turnout_runtime.evaluation.drift.report import document, told

    drifts = [_sketches(arguments)] if arguments.sketches else list(_drifts(arguments))
    if arguments.json:
        import orjson

        print(orjson.dumps([document(drift) for drift in drifts], option=orjson.OPT_INDENT_2).decode())
    else:
        print("\n\n".join(told(drift, arguments.top) for drift in drifts))


def _drifts(options: argparse.Namespace) -> "Iterator[Drift]":
    from turnout_runtime.analysis.places import Range
    from turnout_runtime.errors import EvaluationInvalid
    from turnout_runtime.evaluation.drift.columns import columns, grouped, sizes
    from turnout_runtime.evaluation.drift.compare import compare
    from turnout_runtime.evaluation.drift.reference import reference
    from turnout_runtime.evaluation.drift.report import Drift
    from turnout_runtime.evaluation.drift.sketched import is_sketches
    from turnout_runtime.evaluation.records import log_at, records_of
    from turnout_runtime.evaluation.sampling import even
    from turnout_runtime.evaluation.window import window

    if options.reference is None:
        raise EvaluationInvalid("--reference: say what the log is compared with")
    if is_sketches(options.reference):
        yield from _against_sketches(options)
        return
    then, now = Range(options.reference_since, options.reference_until), Range(options.since, options.until)
    past, present = window(then, options.reference_where), window(now, options.where)
    before = columns(past.of(reference(options.reference, then)))
    source = log_at(options.log, now)
    groups = grouped(even(source, lambda: present.of(records_of(source))), options.by)
    for option, found in (("reference", before), ("log", groups)):
        if not found:
            raise EvaluationInvalid(f"--{option}: no records there, or none in its window")
    for group, found in groups.items():
        yield Drift(group, (sizes(before), sizes(found)), compare(before, found), sorted(found.keys() - before.keys()))


def _against_sketches(options: argparse.Namespace) -> "Iterator[Drift]":
    """The log against what a bundle's reference, or a pod, has seen."""
    from turnout_runtime.analysis.places import Range
    from turnout_runtime.errors import EvaluationInvalid
    from turnout_runtime.evaluation.drift.columns import grouped
    from turnout_runtime.evaluation.drift.sketched import counted, gathered
    from turnout_runtime.evaluation.records import log_at, records_of
    from turnout_runtime.evaluation.sampling import even
    from turnout_runtime.evaluation.window import window

    now = Range(options.since, options.until)
    before, _ = gathered("reference", [options.reference])
    source, present = log_at(options.log, now), window(now, options.where)
    groups = grouped(even(source, lambda: present.of(records_of(source))), options.by)
    if not groups:
        raise EvaluationInvalid("--log: no records there, or none in its window")
    for group, found in groups.items():
        yield _between(group, before, counted(found, before))


def _sketches(options: argparse.Namespace) -> "Drift":
    from turnout_runtime.errors import EvaluationInvalid
    from turnout_runtime.evaluation.drift.sketched import gathered

    now, before = gathered("sketches", options.sketches)
    if options.reference is not None:
        before, _ = gathered("reference", [options.reference])
    elif not before:
        raise EvaluationInvalid("--reference: say what to compare with: the pods' bundle has no reference of its own")
    return _between(None, before, now)


def _between(group: str | None, before: "Sketches", now: "Sketches") -> "Drift":
    from turnout_runtime.evaluation.drift.report import Drift
    from turnout_runtime.evaluation.drift.sketched import shifts
    from turnout_runtime.sketches.document import rows

    sizes = rows(before.values()), rows(now.values())
    return Drift(group, sizes, shifts(before, now), sorted(now.keys() - before.keys()))
