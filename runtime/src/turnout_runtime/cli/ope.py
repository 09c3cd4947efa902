"""`turnout ope`: off-policy evaluation, what another policy would have earned."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from turnout_runtime.cli.parsers import Groups
from turnout_runtime.cli.times import add_range

if TYPE_CHECKING:
    from turnout_runtime.evaluation.policy.report import Evaluation


def add_commands(groups: Groups) -> None:
    """Register the command."""
    ope = groups.add_parser("ope", help="off-policy evaluation: what another policy would have earned, from the log")
    ope.add_argument("--log", nargs="+", required=True, metavar="LOG", help="directories, a sink's root, s3://…")
    text = "table with prediction_id and reward (or label); default: the feedback in the log"
    ope.add_argument("--rewards", type=Path, metavar="FILE", help=text)
    ope.add_argument("--reward", metavar="COLUMN", help="of the table, where it has another name")
    policy = ope.add_mutually_exclusive_group(required=True)
    policy.add_argument("--weights", metavar="ARM=W,…", help="another split, such as stable=80,challenger=20")
    policy.add_argument("--always", metavar="ARM", help="one arm for all")
    policy.add_argument("--bundle", metavar="DIR|TAR", help="what this bundle decides")
    ope.add_argument(
        "--arm", action="append", default=[], type=_arm, metavar="ARM=DIR", help="with --bundle: each arm's own bundle"
    )
    ope.add_argument("--propensity", metavar="FIELD", help="with --bundle: a decision's own propensity in the log")
    add_range(ope)
    ope.add_argument("--where", action="append", default=[], metavar="FIELD=VALUE", help="only such records")
    ope.add_argument("--level", type=_level, default=0.95, metavar="SHARE", help="of the intervals (0.95)")
    ope.add_argument("--min-effective", type=float, default=100.0, metavar="N", help="least effective sample (100)")
    ope.add_argument("--json", action="store_true", help="the result as JSON")
    ope.set_defaults(run=_ope)


def _arm(text: str) -> tuple[str, str]:
    name, _, bundle = text.partition("=")
    if not (name and bundle):
        raise argparse.ArgumentTypeError(f"{text!r} is not ARM=DIR")
    return name, bundle


def _level(text: str) -> float:
    level = float(text)
    if not 0.5 <= level < 1:
        raise argparse.ArgumentTypeError("must be from 0.5 to below 1")
    return level


def _ope(arguments: argparse.Namespace) -> None:
    from turnout_runtime.evaluation.policy.report import document, told

    found = _evaluation(arguments)
    if arguments.json:
        import orjson

        print(orjson.dumps(document(found), option=orjson.OPT_INDENT_2).decode())
    else:
        print(told(found))


def _evaluation(options: argparse.Namespace) -> "Evaluation":
    from turnout_runtime.analysis.places import Range
    from turnout_runtime.cli.progress import bar
    from turnout_runtime.evaluation.policy.evaluate import Demand, evaluate_decisions, evaluate_split
    from turnout_runtime.evaluation.policy.rewards import read_rewards, rewards_in_log
    from turnout_runtime.evaluation.policy.targets import parse_weights
    from turnout_runtime.evaluation.records import log_at, records_of
    from turnout_runtime.evaluation.sampling import even
    from turnout_runtime.evaluation.window import window

    during = Range(options.since, options.until)
    if options.rewards is not None:
        rewards = read_rewards(options.rewards, options.reward)
    else:
        rewards = rewards_in_log(options.log, during, options.reward)
    source, chosen = log_at(options.log, during), window(during, options.where)
    log = even(source, lambda: chosen.of(records_of(source)))
    demand = Demand(options.level, options.min_effective)
    if options.bundle is not None:
        propensity = options.propensity and tuple(options.propensity.split("."))
        return evaluate_decisions(log, rewards, options.bundle, dict(options.arm), propensity, demand, bar)
    if options.always is not None:
        return evaluate_split(log, rewards, {options.always: 1.0}, f"always {options.always}", demand)
    return evaluate_split(log, rewards, parse_weights(options.weights), options.weights, demand)
