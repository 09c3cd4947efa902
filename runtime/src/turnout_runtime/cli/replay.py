"""`turnout replay`: logged requests through another bundle."""

import argparse
from typing import TYPE_CHECKING

from turnout_runtime.cli.parsers import Groups
from turnout_runtime.cli.times import add_range

if TYPE_CHECKING:
    from turnout_runtime.evaluation.replay.compare import Comparison
    from turnout_runtime.evaluation.replay.report import Run

_SAMPLE = 500  # requests that are asked one at a time, for their latency


def add_commands(groups: Groups) -> None:
    """Register the command."""
    replay = groups.add_parser("replay", help="answer logged requests, with their facts, by another bundle")
    replay.add_argument("--log", nargs="+", required=True, metavar="LOG", help="directories, a sink's root, s3://…")
    replay.add_argument("--bundle", required=True, metavar="DIR|TAR|URL", help="the candidate")
    replay.add_argument("--digest", metavar="sha256:…", help="of the bundle; needed for a URL")
    add_range(replay)
    replay.add_argument("--where", action="append", default=[], metavar="FIELD=VALUE", help="only such records")
    replay.add_argument("--limit", type=_count, metavar="N", help="replay no more requests than this")
    replay.add_argument("--max-disagreement", type=_share, metavar="2%", help="exit with 1 if more decisions differ")
    replay.add_argument("--top", type=_count, default=10, metavar="N", help="slices, features, examples shown (10)")
    replay.add_argument("--json", action="store_true", help="the report as JSON")
    replay.set_defaults(run=_replay)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: write a share such as 2% or 0.02")
    return share


def _replay(arguments: argparse.Namespace) -> None:
    from turnout_runtime.errors import LimitExceeded
    from turnout_runtime.evaluation.layout import percent
    from turnout_runtime.evaluation.replay.report import document, told

    found, run = _compared(arguments)
    if arguments.json:
        import orjson

        print(orjson.dumps(document(found, run, arguments.top), option=orjson.OPT_INDENT_2).decode())
    else:
        print(told(found, run, arguments.top))
    allowed = arguments.max_disagreement
    if allowed is not None and found.disagreement > allowed:
        raise LimitExceeded(
            f"{percent(found.disagreement)} of {found.answered:,} decisions differ; --max-disagreement allows"
            f" {percent(allowed)}"
        )


def _compared(arguments: argparse.Namespace) -> "tuple[Comparison, Run]":
    import time

    from turnout_runtime.analysis.places import Range
    from turnout_runtime.cli.progress import bar
    from turnout_runtime.errors import EvaluationInvalid
    from turnout_runtime.evaluation.records import Record, records
    from turnout_runtime.evaluation.replay.compare import Comparison
    from turnout_runtime.evaluation.replay.player import player
    from turnout_runtime.evaluation.replay.report import Run
    from turnout_runtime.evaluation.window import window

    during = Range(arguments.since, arguments.until)
    chosen = window(during, arguments.where)
    found, sample = Comparison(arguments.top), list[Record]()
    with player(arguments.bundle, arguments.digest, bar) as playing:
        began = time.perf_counter()
        with bar("replaying", arguments.limit, " requests") as tell:
            for pair in playing.play(chosen.of(records(arguments.log, during)), arguments.limit):
                found.add(pair)
                tell(1)
                if len(sample) < _SAMPLE:
                    sample.append(pair.logged)
        seconds = time.perf_counter() - began
        skipped = dict(playing.skipped)
        if not found.answered:
            reasons = "; ".join(f"{count:,} {reason}" for reason, count in skipped.items()) or "there are none"
            raise EvaluationInvalid(f"--log: no answered request to compare ({found.pairs:,} replayed; {reasons})")
        return found, Run(playing.revision, skipped, seconds, playing.one_by_one(sample))
