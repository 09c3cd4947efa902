"""`turnout log feedback`: whole tables, busy endpoints, and rows that nobody takes."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runtime.flights import FEEDBACK, Pod, pod
from tests.integration.runtime.wire import Wire, wire
from tests.unit.runtime.analysis.logs import write_csv

from turnout_runtime.cli import main
from turnout_runtime.errors import FeedbackFailed, RequestError
from turnout_runtime.feedback import send as sending
from turnout_runtime.feedback.send import Numbered, Sent, endpoint, send
from turnout_runtime.serve.http1 import Request, respond

HEADER = "prediction_id,label,reward,time"


@pytest.fixture(scope="module")
def door() -> Iterator[tuple[Wire, Pod]]:
    with pod() as made:
        yield made


@pytest.fixture
def kept(door: tuple[Wire, Pod]) -> list[list[dict[str, Any]]]:
    door[1].kept.blocks.clear()
    return door[1].kept.blocks


def typed(door: tuple[Wire, Pod], file: Path, *options: str) -> int:
    return main(["log", "feedback", f"{door[0].url}{FEEDBACK}", "--labels", str(file), *options])


def test_a_table_goes_in_chunks(
    door: tuple[Wire, Pod], kept: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(f"{HEADER}\n" + "".join(f"p{n},{n % 2},,2026-01-01T12:00:00Z\n" for n in range(1_150)))
    assert typed(door, file, "--source", "claims") == 0
    assert capsys.readouterr().out == f"{file}: 1,150 rows accepted\n"
    rows = {row["prediction_id"]: row for block in kept for row in block}
    assert len(rows) == sum(map(len, kept)) == 1_150
    assert (rows["p7"]["label"], rows["p7"]["reward"], rows["p7"]["source"]) == (1, None, "claims")
    assert rows["p8"]["time"] == "2026-01-01T12:00:00.000000Z"


def test_rows_that_are_wrong_are_told_and_the_others_go(
    door: tuple[Wire, Pod], kept: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("p0", "TRUE", "", ""), ("p1", 2, "", ""), ("", 1, "", ""), ("p3", "", "much", ""), ("p4", 1, "", "noon"),
            ("p5", "late", -1.5, 1767268800)]  # fmt: skip
    file = write_csv(tmp_path / "labels.csv", HEADER, rows)
    assert typed(door, file) == 1
    said = capsys.readouterr()
    assert said.out == f"{file}: 2 rows accepted\n"
    assert [line.partition(";")[0] for line in said.err.splitlines()] == [
        "row 2: label: a number must be 0 or 1",
        "row 3: prediction_id: is missing",
        "row 4: reward: must be a number",
        "row 5: time: must be RFC 3339, such as 2026-01-31T12:00:00Z, or seconds since 1970",
        f"turnout: {file}: 4 of 6 rows were refused",
    ]
    assert [(row["label"], row["reward"], row["time"]) for row in kept[0]] == [
        (1, None, None), ("late", -1.5, "2026-01-01T12:00:00.000000Z"),
    ]  # fmt: skip


def test_by_entity_with_names_of_its_own_and_without_sending(
    door: tuple[Wire, Pod], kept: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_csv(
        tmp_path / "labels.csv", "who,churned,day", [("e1", "yes", "2026-01-01"), ("e2", "no", "2026-01-02")]
    )
    options = [
        "--by-entity",
        "--entity-column",
        "who",
        "--label-column",
        "churned",
        "--time-column",
        "day",
        "--positive",
        "yes",
    ]
    assert typed(door, file, *options, "--dry-run") == 0
    assert capsys.readouterr().out == f"{file}: 2 rows can be sent\n"
    assert not kept
    assert typed(door, file, *options) == 0
    assert [(row["entity_id"], row["label"], row["time"][:10]) for row in kept[0]] == [
        ("e1", 1, "2026-01-01"), ("e2", 0, "2026-01-02"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["http://x/", "--labels", "l.csv"], "is no objective's URL, such as http://gateway/v1/flights/flight-delay"),
        (["ftp://x/v1/a/b", "--labels", "l.csv"], "is no objective's URL"),
        (["http://x/v1/a/b", "--labels", "none.csv"], "there is no such file"),
        (["http://x/v1/a/b", "--labels", "l.csv"], "no column prediction_id, nor entity_id and time; there are a, b"),
        (["http://x/v1/a/b", "--labels", "l.csv", "--header", "s3cret"], "--header: give 'NAME: VALUE'"),
        (["http://x/v1/a/b", "--labels", "l.csv", "--id-column", "a"], "no column label or reward"),
    ],
)
def test_what_cannot_be_sent(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "l.csv", "a,b", [(1, 2)])
    assert main(["log", "feedback", *arguments]) == 1
    said = capsys.readouterr().err
    assert told in said
    assert "s3cret" not in said


@pytest.mark.parametrize("end", ["", "/", "/predict", "/feedback"])
def test_any_url_of_the_objective_will_do(end: str) -> None:
    assert endpoint(f"https://g:8/a/v1/ns/objective{end}") == "https://g:8/a/v1/ns/objective/feedback"


class Moody:
    """An endpoint that answers as it is told, and at last takes what comes."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers, self.taken = list(answers), list[Any]()
        self.seen: list[dict[str, str]] = []

    def begin(self, request: Request) -> bytes | None:
        return None

    def answer(self, request: Request, connection: Any) -> bytes:
        rows = json.loads(request.body)["feedback"]
        self.seen.append(request.headers)
        status, body = self.answers.pop(0) if self.answers else (202, {})
        if status == 202:
            self.taken += rows
        return respond(request, status, b"application/json", json.dumps(body).encode(), b"Retry-After: 0\r\n")

    def refuse(self, request: Request, error: RequestError) -> bytes:
        raise AssertionError(error)


async def sent_to(moody: Moody, rows: Sequence[dict[str, Any]], patience: float = 30.0) -> Sent:
    with wire(make=lambda: moody) as made:
        numbered = [Numbered(number, row) for number, row in enumerate(rows, 1)]
        return await send(made.url, numbered, lambda _: None, headers={"x-key": "k"}, patience=patience)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_LONGEST_PAUSE", 0.01)


@pytest.mark.usefixtures("at_once")
async def test_busy_endpoints_are_asked_again() -> None:
    moody = Moody((429, {}), (503, {"title": "full"}), (500, None))
    sent = await sent_to(moody, [{"prediction_id": "p"}])
    assert (sent.accepted, sent.refused, moody.taken) == (1, [], [{"prediction_id": "p"}])
    assert all(headers["x-key"] == "k" for headers in moody.seen)


@pytest.mark.usefixtures("at_once")
async def test_rows_that_the_endpoint_refuses_are_left_out_and_named() -> None:
    moody = Moody((422, {"rows": [{"row": 1, "detail": "label: odd"}, {"row": 99}, "?"]}))
    sent = await sent_to(moody, [{"prediction_id": name} for name in "abc"])
    assert (sent.accepted, sent.refused) == (2, [(2, "label: odd")])
    assert [row["prediction_id"] for row in moody.taken] == ["a", "c"]


@pytest.mark.usefixtures("at_once")
async def test_chunks_that_are_too_large_are_halved() -> None:
    moody = Moody((413, {}))
    rows = [{"prediction_id": str(number)} for number in range(900)]
    assert (await sent_to(moody, rows)).accepted == 900
    assert sorted(map(int, (row["prediction_id"] for row in moody.taken))) == list(range(900))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((404, {"detail": "no such objective"}), "the answer was 404: no such objective; 0 rows were accepted"),
        ((422, {"detail": "odd"}), "the answer was 422: odd"),
        ((400, "text"), "the answer was 400; 0 rows"),
    ],
)
async def test_answers_that_end_it(answer: tuple[int, Any], told: str) -> None:
    with pytest.raises(FeedbackFailed) as raised:
        await sent_to(Moody(answer), [{}])
    assert told in str(raised.value)


@pytest.mark.usefixtures("at_once")
async def test_patience_ends() -> None:
    with pytest.raises(FeedbackFailed, match="the answer was 503: full; 0 rows were accepted before that"):
        await sent_to(Moody(*[(503, {"title": "full"})] * 100), [{}], patience=0.05)
    with pytest.raises(FeedbackFailed, match="no answer"):
        await send("http://127.0.0.1:9/v1/a/b", [Numbered(1, {})], lambda _: None, headers={}, patience=0.05)


@pytest.mark.usefixtures("at_once")
async def test_where_nobody_ever_was_it_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_STRANGER", 0.05)
    with pytest.raises(FeedbackFailed, match="no answer"):
        async with asyncio.timeout(20):
            await send("http://127.0.0.1:9/v1/a/b", [Numbered(1, {})], lambda _: None, headers={})
