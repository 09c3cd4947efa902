"""The demo's first half: get everything running, and send the flights."""

import asyncio
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from flight_delay import data
from flight_delay.bundles import Bundle
from flight_delay.cache import cached_bundles
from flight_delay.manifests import Images

from demo import example, policy, records, system
from demo.records import Record
from demo.replay import Answer, Traffic, evenly, questions
from demo.screen import Screen

WORKERS, RATE = 32, 300.0  # a second: below what two cores can do, or all that shows is the wait for them


@dataclass(frozen=True)
class Replay:
    """What was sent, from when on (RFC 3339), what came back, and what the pods logged about it."""

    prefix: str
    began: str
    answers: list[Answer]
    rows: list[Record]
    state: policy.State


def prepare(screen: Screen) -> list[Bundle]:
    """From nothing to two models that serve."""
    with screen.step("Cluster") as step:
        step.note = system.cluster_up(step.progress)
    with screen.step("Images") as step:
        step.note = system.build_images(step.progress)
    with screen.step("Operator and gateway") as step:
        step.note = system.install_chart()
    with screen.step("Bundles") as step:
        bundles = cached_bundles()
        step.note = ", ".join(f"{bundle.name} {bundle.archive.stat().st_size // 1024} KiB" for bundle in bundles)
    with screen.step("Example applied") as step:
        images = system.images()
        step.note = example.apply(bundles, Images(images["redis"], images["runtime"]))
    with screen.step("Facts loaded") as step:
        step.note = example.load_facts()
    return bundles


def replay(screen: Screen, url: str, count: int) -> Replay:
    """Send flights of July to December, evenly spread, in order of departure; then read the log."""
    with screen.step("Flights chosen") as step:
        flights = evenly(data.flights(data.REPLAY), count)
        step.note = f"{len(flights):,}, {flights[0].scheduled_departure[:10]} to {flights[-1].scheduled_departure[:10]}"
    prefix, began = secrets.token_hex(4), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    with screen.step("Flights replayed") as step:
        started = time.monotonic()
        answers = asyncio.run(Traffic(url, WORKERS, RATE).send(questions(flights, prefix)))
        rate = len(answers) / (time.monotonic() - started)
        step.note = f"{sum(answer.ok for answer in answers):,} predictions, {rate:,.0f} a second"
    with screen.step("Prediction log read") as step:
        rows = records.read(example.NAMESPACE, prefix, len(answers))
        step.note = f"{len(rows):,} rows"
    return Replay(prefix, began, answers, rows, policy.current())
