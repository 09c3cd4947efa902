"""The demo's second half: what the replay shows, and a weight that changes under traffic."""

import asyncio
import itertools
from collections.abc import Sequence

from rich.syntax import Syntax

from demo import example, policy, records, report
from demo.compact import compact
from demo.prepare import Replay
from demo.replay import Answer, questions
from demo.screen import Screen
from demo.shift import Shift, shift
from demo.split import Split

MAX_Z = 3.0
MAX_WIDTH = 112  # columns: longer lines are hard to read
NEW_WEIGHT = 50


def nothing_lost(screen: Screen, replay: Replay) -> None:
    """Every request was answered, and every request has its one row."""
    screen.heading("Every request answered, every answer logged")
    _none_failed(screen, replay.answers)
    _one_row_each(screen, len(replay.answers), [row["request_id"] for row in replay.rows])


def split(screen: Screen, replay: Replay) -> None:
    """Wanted against observed."""
    counted = Split.of(answer for answer in replay.answers if answer.ok)
    screen.heading("The split: wanted, acknowledged by Envoy, counted")
    screen.show(report.split_table(replay.state, counted))
    z = counted.z("challenger", replay.state.wanted["challenger"] / 100)
    screen.check(abs(z) <= MAX_Z, f"the counted share is {abs(z):.1f} standard deviations from the wanted one")
    screen.check(not counted.torn, f"{counted.returning:,} entities flew more than once; {counted.torn} saw both arms")


def latency(screen: Screen, replay: Replay) -> None:
    """Where the time went."""
    screen.heading("Latency by stage, from the prediction log")
    screen.show(report.latency_table(replay.answers, replay.rows))
    screen.show(f"[dim]facts: {report.facts_line(replay.rows)}[/]")


def one_record(screen: Screen, replay: Replay) -> None:
    """A whole row of the prediction log."""
    screen.heading("One prediction, as logged")
    row = next(row for row in reversed(replay.rows) if row["arm"] == "challenger")
    text = compact(row, min(screen.console.width - 2, MAX_WIDTH))
    colored = Syntax("", "json", theme="ansi_dark", background_color="default").highlight(text)
    colored.rstrip()
    screen.show(colored)


def change_weight(screen: Screen, replay: Replay, url: str) -> None:
    """Give the challenger half of the entities while they keep coming."""
    screen.heading(f"A new weight under traffic: challenger to {NEW_WEIGHT} %")
    screen.command(policy.shown(policy.patch_command(NEW_WEIGHT)))
    flights = [answer.question.flight for answer in replay.answers]
    prefix = f"{replay.prefix}w"
    change = asyncio.run(shift(url, questions(itertools.cycle(flights), prefix), NEW_WEIGHT))
    _show_times(screen, replay, change)
    _none_failed(screen, change.answers)
    rows = records.read(example.NAMESPACE, prefix, len(change.answers))
    _one_row_each(screen, len(change.answers), [row["request_id"] for row in rows])


def _show_times(screen: Screen, replay: Replay, change: Shift) -> None:
    share = Split.of(change.after)
    z = share.z("challenger", NEW_WEIGHT / 100)
    moments = [
        (change.accepted, "kubectl patch has returned"),
        (change.acknowledged, f"the status says that all {change.gateways} Envoys have acknowledged"),
        (change.followed, "the last request leaves that the old weights answer"),
    ]
    screen.show("[dim]seconds after the command was started[/]")
    for seconds, what in sorted(moments):
        screen.show(f"{seconds:6.3f}  {what}")
    percent = f"{share.share('challenger'):.1%} ± {share.margin('challenger'):.1%}"
    screen.check(abs(z) <= MAX_Z, f"{percent} of the {share.entities.total():,} entities since then met the challenger")
    back = _moved_back(replay, change)
    screen.check(not back, f"{back} entities moved from the challenger back to main")


def _moved_back(replay: Replay, change: Shift) -> int:
    before, after = [*replay.answers, *change.before], change.after
    return len(_entities(before, "challenger") & _entities(after, "main"))


def _entities(answers: Sequence[Answer], arm: str) -> set[str]:
    return {answer.question.flight.entity_id for answer in answers if answer.arm == arm}


def _none_failed(screen: Screen, answers: Sequence[Answer]) -> None:
    failed = [answer for answer in answers if not answer.ok]
    screen.check(not failed, f"{len(answers):,} requests sent, {len(failed)} failed")
    for answer in failed[:3]:
        screen.show(f"[red]status {answer.status}: {answer.problem}[/]")


def _one_row_each(screen: Screen, sent: int, request_ids: Sequence[str]) -> None:
    unique = len(set(request_ids))
    exact = len(request_ids) == unique == sent
    screen.check(exact, f"{len(request_ids):,} rows in the prediction log, {unique:,} distinct requests")


def next_commands(url: str) -> list[tuple[str, str]]:
    """Commands to type, each with what it is for."""
    context = (
        '{"carrier":"UA","flight":1545,"origin":"EWR","dest":"IAH","tailnum":"N14228",'
        '"scheduled_departure":"2013-12-24T17:15-05:00"}'
    )
    ask = f"""curl -s {url} -H 'x-entity-id: UA-1545-N14228' -d '{{"context":{context}}}'"""
    return [
        ("how good the answers were hour by hour", "turnout log quality build/demo/logs --by hour"),
        ("what runs, and who answers", ". .cluster/env; kubectl get modeldeployments,routingpolicies -n flights"),
        ("one prediction for Christmas Eve", ask),
        ("call the challenger off", policy.shown(policy.patch_command(0))),
    ]
