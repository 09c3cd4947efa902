"""`turnout log show`: one decision, everything."""

import argparse
import sys

from turnout_runtime.cli.log.places import add_places, source_of
from turnout_runtime.cli.parsers import Groups


def add_command(actions: Groups) -> None:
    """Register it."""
    show = actions.add_parser(
        "show", help="show one decision: who asked, what was known, what was answered and why, what came of it"
    )
    show.add_argument("prediction_id", metavar="PREDICTION_ID")
    add_places(show)
    show.add_argument("--json", action="store_true", help="the record as it was written")
    show.set_defaults(run=_show)


def _show(arguments: argparse.Namespace) -> None:
    import orjson

    from turnout_runtime.analysis.find import feedback_on, find
    from turnout_runtime.analysis.shown import shown
    from turnout_runtime.errors import LogInvalid

    source = source_of(arguments)
    records = find(source, "prediction_id", arguments.prediction_id)
    if not records:
        raise LogInvalid(f"{arguments.prediction_id}: no such prediction in {', '.join(arguments.places)}")
    record = records[0]
    if arguments.json:
        sys.stdout.buffer.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
    else:
        same = find(source, "request_id", record["request_id"]) if record.get("request_id") else []
        others = [other for other in same if other.get("prediction_id") != arguments.prediction_id]
        print("\n".join(shown(record, others, feedback_on(source, arguments.prediction_id))))
    sys.stdout.flush()
