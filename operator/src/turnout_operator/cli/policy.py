"""`kubectl turnout policy test`: policies held against what is expected of them, before they are applied."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from turnout_operator.cli.decisions import decide
from turnout_operator.cli.expectations import Case, Suite, differences, read
from turnout_operator.cli.objects import Objects, from_files
from turnout_operator.cli.route import Groups
from turnout_operator.cli.show import text


def add_commands(groups: Groups) -> None:
    """Register `policy test`."""
    group = groups.add_parser("policy", help="check policies").add_subparsers(required=True, metavar="COMMAND")
    parser = group.add_parser("test", help="run files of cases; 1 when a decision isn't the expected one")
    parser.add_argument("suites", nargs="+", metavar="FILE", help="cases in YAML")
    parser.add_argument("-f", "--filename", action="append", default=[], metavar="FILE", help="more objects")
    parser.add_argument("-n", "--namespace", help="of objects that name none (default)")
    parser.add_argument("-v", "--verbose", action="store_true", help="show also what is as expected")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    total = failed = 0
    for path in arguments.suites:
        suite = read(path)
        beside = [str(Path(path).parent / file) for file in suite.files]
        objects = from_files([*beside, *arguments.filename], arguments.namespace)
        for number, case in enumerate(suite.cases, 1):
            lines = list(_judged(suite, objects, case))
            total, failed = total + 1, failed + bool(lines)
            if lines or arguments.verbose:
                print(f"{'FAIL' if lines else 'ok  '}  {path}: {case.name or f'case {number}'}")
                print("".join(f"    {line}".rstrip() + "\n" for line in lines), end="")
    print(f"{total} cases, {failed} failed")
    return 1 if failed else 0


def _judged(suite: Suite, objects: Objects, case: Case) -> Iterator[str]:
    """What is wrong and the decision; nothing when it is as expected."""
    decision = decide(objects, objects.policy(suite.policy), case.asked(), case.at or datetime.now(UTC))
    found = differences(case.expect, decision)
    if found:
        yield from [*found, "", *text(decision).splitlines(), ""]
