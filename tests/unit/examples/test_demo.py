"""The demo's pure parts: what it counts, and how it prints."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from demo import chapters, outcomes, policy, report
from demo.compact import compact
from demo.prepare import Replay
from demo.replay import Answer, Question, Traffic, evenly, questions
from demo.screen import Screen
from demo.shift import Shift
from demo.split import Split
from flight_delay.data import Flight
from rich.console import Console

OLD, NEW = "old", "new"
BEGAN = "2026-01-01T00:00:00Z"


def flight(number: int, late: bool = False) -> Flight:
    return Flight("UA", number, "EWR", "IAH", "N1", "2013-07-01T05:15-04:00", 7, late)


def answer(number: int, arm: str, version: str = OLD, sent: float = 0.0, status: int = 200) -> Answer:
    return Answer(Question(f"r-{number}", flight(number)), sent, 0.001, status, arm, version)


def screen() -> Screen:
    return Screen(Console(record=True, width=160))


def test_the_split_counts_entities_not_requests() -> None:
    split = Split.of([answer(1, "main"), answer(1, "main"), answer(2, "challenger"), answer(3, "main")])
    assert split.requests == {"main": 3, "challenger": 1}
    assert split.share("challenger") == pytest.approx(1 / 3)
    assert (split.returning, split.torn) == (1, 0)


def test_an_entity_that_saw_two_arms_is_torn() -> None:
    assert Split.of([answer(1, "main"), answer(1, "challenger")]).torn == 1


def test_z_is_the_distance_in_standard_deviations() -> None:
    split = Split.of([answer(number, "challenger" if number < 130 else "main") for number in range(1000)])
    assert split.z("challenger", 0.1) == pytest.approx(0.03 / (0.1 * 0.9 / 1000) ** 0.5)
    assert split.margin("challenger") == pytest.approx(1.96 * (0.13 * 0.87 / 1000) ** 0.5)


def test_no_answers_are_no_division_by_zero() -> None:
    assert Split.of([]).z("challenger", 0.1) == 0.0


def test_flights_are_taken_evenly_and_in_order() -> None:
    assert evenly([flight(number) for number in range(10)], 3) == [flight(0), flight(3), flight(6)]
    assert len(evenly([flight(1)], 5)) == 1


def test_questions_are_numbered() -> None:
    assert [question.request_id for question in questions([flight(7), flight(7)], "run")] == ["run-00001", "run-00002"]


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    seen: list[dict[str, Any]] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append({**await request.json(), "entity": request.headers["x-entity-id"]})
        bad = seen[-1]["context"]["flight"] == 13
        body = {"prediction_id": f"p-{seen[-1]['request_id']}"}
        return web.json_response(body, status=503 if bad else 200, headers={"x-turnout-arm": "main"})

    app = web.Application()
    app.router.add_post("/predict", handle)
    async with serving(app) as url:
        yield f"{url}/predict", seen


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_every_question_is_sent_once(gateway: tuple[str, list[dict[str, Any]]]) -> None:
    url, seen = gateway
    answers = await Traffic(url, workers=4, rate=1000).send(questions([flight(number) for number in range(20)], "run"))
    assert sorted(row["request_id"] for row in seen) == [f"run-{number:05d}" for number in range(1, 21)]
    assert seen[0]["entity"].startswith("UA-")
    failed = [answer for answer in answers if not answer.ok]
    assert [answer.status for answer in failed] == [503]
    assert {answer.arm for answer in answers} == {"main"}
    assert {answer.prediction_id for answer in answers if answer.ok} == {
        f"p-{answer.question.request_id}" for answer in answers if answer.ok
    }


async def test_traffic_stops_when_the_block_ends(gateway: tuple[str, list[dict[str, Any]]]) -> None:
    url, _ = gateway

    def endless() -> Iterator[Question]:
        while True:
            yield Question("r", flight(1))

    traffic = Traffic(url, workers=2, rate=100)
    async with traffic.flowing(endless()):
        await asyncio.sleep(0.1)
    count = len(traffic.answers)
    await asyncio.sleep(0.05)
    assert count == len(traffic.answers) > 0


async def test_requests_start_at_the_wanted_rate(gateway: tuple[str, list[dict[str, Any]]]) -> None:
    url, _ = gateway
    answers = await Traffic(url, workers=8, rate=200).send(questions([flight(1)] * 60, "run"))
    span = max(answer.sent for answer in answers) - min(answer.sent for answer in answers)
    assert span >= 59 / 200 * 0.98


async def test_a_dead_gateway_is_a_failed_answer_not_a_crash() -> None:
    (answer,) = await Traffic("http://127.0.0.1:9/predict", workers=1, rate=100).send(questions([flight(1)], "run"))
    assert (answer.ok, answer.status) == (False, 0)
    assert "ClientConnectorError" in answer.problem


def manifest(observed: float | None) -> str:
    arm = {"name": "main", "desiredWeight": 90} | ({} if observed is None else {"observedWeight": observed})
    return json.dumps({"status": {"policyVersion": NEW, "arms": [arm], "gateways": {"connected": 2, "acked": 2}}})


def test_a_weight_is_observed_only_when_the_status_says_so() -> None:
    assert policy.State.of(manifest(90)).has({"main": 90})
    assert not policy.State.of(manifest(None)).has({"main": 90})
    assert not policy.State.of(manifest(80)).has({"main": 90})


def test_a_policy_without_status_is_not_there_yet() -> None:
    assert not policy.State.of("{}").has({"main": 90})


def test_traffic_has_followed_when_the_old_weights_answer_nobody_any_more() -> None:
    answers = [answer(1, "main", OLD, 9.5), answer(2, "main", NEW, 10.2), answer(3, "main", OLD, 10.3)]
    change = Shift({}, NEW, 2, 10.0, 0.1, 0.2, answers)
    assert change.followed == pytest.approx(0.3)
    assert (len(change.before), len(change.after)) == (2, 1)


def test_a_failed_request_fails_the_demo() -> None:
    shown = screen()
    replay = Replay("r", BEGAN, [answer(1, "main"), answer(2, "main", status=503)], [{"request_id": "r-1"}], state())
    chapters.nothing_lost(shown, replay)
    assert len(shown.failures) == 2  # one failed, and one row is missing


def test_a_row_too_many_fails_the_demo() -> None:
    shown = screen()
    rows = [{"request_id": "r-1"}, {"request_id": "r-1"}]
    chapters.nothing_lost(shown, Replay("r", BEGAN, [answer(1, "main")], rows, state()))
    assert len(shown.failures) == 1


def test_a_split_far_from_the_wanted_one_fails_the_demo() -> None:
    shown = screen()
    chapters.split(shown, Replay("r", BEGAN, [answer(number, "main") for number in range(500)], [], state()))
    assert len(shown.failures) == 1


def state() -> policy.State:
    return policy.State(OLD, {"main": 90.0, "challenger": 10.0}, {"main": 90.0, "challenger": None}, 2, 0.0)


def test_an_unacknowledged_weight_is_shown_as_such() -> None:
    console = Console(record=True, width=160)
    console.print(report.split_table(state(), Split.of([answer(1, "main")])))
    assert "not yet" in console.export_text()


async def test_labels_are_sent_each_by_itself() -> None:
    seen: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.json_response({}, status=503 if seen[-1]["prediction_id"] == "p2" else 202)

    app = web.Application()
    app.router.add_post("/feedback", take)
    async with serving(app) as url:
        statuses = await outcomes.post(f"{url}/feedback", [("p1", True), ("p2", False), ("p3", False)])
    assert statuses == {202: 2, 503: 1}
    assert {row["prediction_id"]: row["label"] for row in seen} == {"p1": True, "p2": False, "p3": False}


def found(auc: float | None) -> dict[str, Any]:
    """What `turnout log quality --json` says, as far as the demo reads it."""
    estimate = {"value": 0.25, "low": 0.2, "high": 0.3}
    figures = dict.fromkeys(("base_rate", "brier", "precision"), estimate)
    groups = [
        {"arm": arm, "kind": kind, "labelled": 1200, **figures, "auc": {**estimate, "value": auc}}
        for arm, kind in (("challenger", "fallback"), ("challenger", "answer"), ("main", "answer"))
    ]
    compared = [{"arm": "challenger", "kind": "answer", "auc": estimate, "brier": {"value": None}}]
    baseline = {"arm": "main", "kind": "answer"}
    return {"groups": groups, "baseline": baseline, "differences": compared, "labels": {"used": 10}}


def test_the_quality_table_has_arms_in_order_and_its_intervals() -> None:
    console = Console(record=True, width=112)
    console.print(report.quality_table(found(0.7)))
    lines = console.export_text().splitlines()
    assert [line.split("  ")[0] for line in lines] == ["arm", "main", "challenger", "challenger, fallback"]
    assert "1,200" in lines[1]
    assert "0.700 (.200-.300)" in lines[1]
    assert list(report.differences(found(0.7))) == ["challenger against main: AUC +0.250 (+.200 to +.300), Brier -"]


@pytest.mark.parametrize(("known", "auc", "failures"), [(10, 0.7, 0), (11, 0.7, 1), (10, None, 1)])
def test_labels_that_are_missing_in_the_log_fail_the_demo(known: int, auc: float | None, failures: int) -> None:
    shown, bundle = screen(), SimpleNamespace(replay=SimpleNamespace(auc=0.7, n=100))
    outcomes._quality(shown, found(auc), known, [bundle, bundle])  # type: ignore[list-item]
    assert len(shown.failures) == failures


def test_compact_json_is_json_within_its_width() -> None:
    value = {
        "a": 1,
        "facts": {"weather": {f"k{n}": n / 7 for n in range(12)}},
        "features": {f"f{n}": n for n in range(40)},
    }
    text = compact(value, 100)
    assert json.loads(text) == value
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.splitlines()) < 20


def test_facts_that_were_not_live_say_why() -> None:
    sources = [
        {"source": "live"},
        {"source": "live"},
        {"source": "fallback", "reason": "not_found"},
        {"source": "live"},
    ]
    rows = [{"facts": {"plane": fact}} for fact in sources] + [{"facts": {}}]
    assert report.facts_line(rows) == "plane 75.0% live, 25.0% not found"
