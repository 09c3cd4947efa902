"""`kubectl turnout route`: which arm answers this request, and why."""

import argparse
import json
from datetime import UTC, datetime
from typing import TypeAlias

from turnout_operator.cli.decisions import decide
from turnout_operator.cli.errors import CommandError
from turnout_operator.cli.objects import from_cluster, from_files
from turnout_operator.cli.requests import request_of
from turnout_operator.cli.show import document, text

Groups: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_commands(groups: Groups) -> None:
    """Register `route`."""
    parser = groups.add_parser("route", help="which arm answers a request, and why; 1 when none does")
    parser.add_argument("policy", nargs="?", help="name of the RoutingPolicy; needless with -f when there is only one")
    parser.add_argument("--request", metavar="FILE", help="the JSON body; - is stdin")
    parser.add_argument("--header", action="append", default=[], metavar="NAME=VALUE", help="a request header")
    parser.add_argument("--query", action="append", default=[], metavar="NAME=VALUE", help="as written in the URL")
    parser.add_argument("--at", type=_time, metavar="TIME", help="RFC 3339; now by default (rules with a window)")
    parser.add_argument("-f", "--filename", action="append", metavar="FILE", help="policies and ModelDeployments")
    parser.add_argument("-n", "--namespace", help="default: the context's")
    parser.add_argument("--context", help="of the kubeconfig")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.filename:
        objects = from_files(arguments.filename, arguments.namespace)
    elif arguments.policy:
        objects = from_cluster(arguments.policy, arguments.namespace, arguments.context)
    else:
        raise CommandError("say which RoutingPolicy, or give files by -f")
    request = request_of(arguments.request, arguments.header, arguments.query)
    policy = objects.policy(arguments.policy, arguments.namespace)
    decision = decide(objects, policy, request, arguments.at or datetime.now(UTC))
    print(json.dumps(document(decision), indent=2) if arguments.output == "json" else text(decision))
    return 1 if decision.answer.refused and not decision.answer.static else 0


def _time(written: str) -> datetime:
    try:
        time = datetime.fromisoformat(written)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{written!r} is no time with a zone, such as 2026-12-24T00:00:00Z")
    return time
