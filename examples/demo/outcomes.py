"""What came of the flights goes back through the gateway, and tells, from the log, which arm was right more often."""

import asyncio
import csv
import json
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from flight_delay.bundles import Bundle

from demo import example, records, report
from demo.prepare import Replay
from demo.replay import TIMEOUT
from demo.screen import Screen
from demo.shell import ROOT, run

FOLDER = ROOT / "build" / "demo"
WORKERS = 16
Known = tuple[str, bool]
"""A prediction's id, and whether its flight was late in the end."""


def outcomes(screen: Screen, replay: Replay, url: str, bundles: Sequence[Bundle]) -> None:
    """Send how each flight ended, read the log of all pods, and show how good each arm was."""
    screen.heading("How the flights ended: labels go back through the gateway, and join their predictions in the log")
    base = url.removesuffix("/predict")
    known = [(answer.prediction_id, answer.question.flight.late) for answer in replay.answers if answer.ok]
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    _one_by_one(screen, f"{base}/feedback", known[::2])
    _in_bulk(screen, base, known[1::2])
    logs = FOLDER / "logs"
    pods = records.copy(example.NAMESPACE, logs)
    screen.show(f"[dim]the log's segments of {pods} pods are in {_shown(logs)}[/]")
    command = ("turnout", "log", "quality", _shown(logs), "--since", replay.began, "--baseline", example.ARMS[0])
    screen.command(shlex.join(command))
    _quality(screen, json.loads(_turnout(*command[1:], "--json")), len(known), bundles)


def _one_by_one(screen: Screen, url: str, known: Sequence[Known]) -> None:
    statuses = asyncio.run(post(url, known))
    told = ", ".join(f"{count:,} answered {status}" for status, count in statuses.most_common())
    screen.check(statuses[202] == len(known), f"{len(known):,} labels, each a POST …/feedback of its own: {told}")


def _in_bulk(screen: Screen, url: str, known: Sequence[Known]) -> None:
    table = FOLDER / "labels.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("prediction_id", "label"), *((name, int(late)) for name, late in known)])
    command = ("turnout", "log", "feedback", url, "--labels", _shown(table), "--source", "arrivals")
    screen.command(shlex.join(command))
    said = _turnout(*command[1:]).strip()
    screen.check(f"{len(known):,} rows accepted" in said, said)


async def post(url: str, known: Iterable[Known]) -> Counter[int]:
    """Send each label by itself; how often each status came back."""
    statuses: Counter[int] = Counter()
    stream = iter(known)

    async def work(session: aiohttp.ClientSession) -> None:
        for prediction_id, late in stream:
            row = {"prediction_id": prediction_id, "label": late, "source": "arrivals"}
            async with session.post(url, json=row) as response:
                statuses[response.status] += 1

    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        await asyncio.gather(*(work(session) for _ in range(WORKERS)))
    return statuses


def _quality(screen: Screen, found: dict[str, Any], known: int, bundles: Sequence[Bundle]) -> None:
    screen.show(report.quality_table(found))
    for line in report.differences(found):
        screen.show(f"[dim]{line}[/]")
    auc = ", ".join(f"{arm} {bundle.replay.auc:.3f}" for arm, bundle in zip(example.ARMS, bundles, strict=True))
    screen.show(f"[dim]AUC offline, on all {bundles[0].replay.n:,} flights of July to December: {auc}[/]")
    used = found["labels"]["used"]
    screen.check(used == known, f"{used:,} labels in the log belong to {known:,} predictions")
    arms = {group["arm"] for group in found["groups"] if group["auc"]["value"] is not None}
    screen.check(arms == set(example.ARMS), f"an AUC with its interval for {' and '.join(sorted(arms, reverse=True))}")


def _turnout(*arguments: str) -> str:
    """Output of a `turnout` command of this repository."""
    return run(sys.executable, "-m", "turnout_runtime.cli", *arguments)


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))
