"""The open-loop generator: its schedule, its reading of answers, and what it makes of a server's behaviour."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator

import numpy as np
import pytest
from benchmarks.harness.openloop import offer
from benchmarks.harness.outcomes import LOST, Ledger, Outcomes, schedule
from benchmarks.harness.wire import answered, message

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def test_a_schedule_has_the_rate_and_the_length_that_were_asked_for():
    due = schedule(1000, 10, seed=3)
    assert len(due) == pytest.approx(10_000, rel=0.05)
    assert due[0] >= 0
    assert due[-1] < 10
    assert (np.diff(due) >= 0).all()


def test_gaps_are_those_of_independent_callers():
    gaps = np.diff(schedule(1000, 20))
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)


def test_a_seed_gives_the_same_schedule_again():
    assert (schedule(50, 2, seed=1) == schedule(50, 2, seed=1)).all()
    assert schedule(50, 2, seed=1)[0] != schedule(50, 2, seed=2)[0]


def test_a_part_of_an_answer_is_no_answer():
    assert {answered(OK[:cut]) for cut in range(1, len(OK))} == {None}


def test_an_answer_has_a_status_and_says_whether_the_connection_stays():
    assert answered(OK) == (200, True)
    assert answered(b"HTTP/1.1 429 Too Many\r\nCONTENT-LENGTH: 0\r\nConnection: Close\r\n\r\n") == (429, False)


def test_an_answer_without_a_length_is_refused():
    with pytest.raises(ValueError, match="without Content-Length"):
        answered(b"HTTP/1.1 200 OK\r\n\r\n")


def test_a_message_counts_its_body():
    assert message("/x", b"abc").endswith(b"Content-Length: 3\r\n\r\nabc")


def outcomes() -> Outcomes:
    ledger = Ledger(np.array([0.0, 1.0, 2.0, 3.0]))
    ledger.sent[:] = [0.0, 1.0, 2.001, 3.0]
    for number, (done, status, fallback) in enumerate([(0.01, 200, False), (1.02, 200, True), (2.03, 429, False)]):
        ledger.close(number, done, status, fallback)
    return ledger.outcomes()


def test_latency_counts_from_when_a_request_was_due():
    assert outcomes().having(429).latency(50) == pytest.approx(30)
    assert outcomes().lag(100) == pytest.approx(1)


def test_what_was_lost_has_no_latency_but_spoils_a_percentile():
    assert outcomes().latency(50) == pytest.approx(20)
    assert outcomes().latency(100) is None
    assert len(outcomes().having(LOST)) == 1


def test_a_window_takes_its_start_and_not_its_end():
    assert list(outcomes().between(1.0, 3.0).due) == [1.0, 2.0]
    assert outcomes().between(1.0, 2.0).fallback.all()
    assert outcomes().between(5.0, 6.0).latency(99) is None


@contextlib.contextmanager
def serving(handler: Handler) -> Iterator[int]:
    """A server on a thread of its own; its port."""
    loop, ports = asyncio.new_event_loop(), []
    up = threading.Event()

    async def main() -> None:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        up.set()
        try:
            await stop.wait()
        finally:
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    up.wait()
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(int(head.lower().rpartition(b"content-length: ")[2].strip()))


def replying(reply: Callable[[bytes], tuple[float, bytes]]) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                wait, data = reply(await read_request(reader))
                await asyncio.sleep(wait)
                if not data:
                    break
                writer.write(data)
        writer.close()

    return handle


def test_each_request_is_sent_when_due_and_closed_with_its_own_answer():
    fallback = OK.replace(b"Content-Length: 2", b"Content-Length: 22").replace(b"{}", b'{"fallback_used":true}')
    requests = [message("/x", body) for body in (b"plain", b"fallback")]
    with serving(replying(lambda body: (0.0, fallback if body == b"fallback" else OK))) as port:
        found = offer(port, requests, schedule(200, 0.3), connections=4)
    assert len(found) > 30
    assert set(found.status) == {200}
    assert list(found.fallback[:4]) == [False, True, False, True]
    assert (found.sent >= found.due).all()


def test_a_slow_server_is_not_spared_and_waiting_for_a_connection_counts():
    due = np.array([0.0, 0.01, 0.02])
    with serving(replying(lambda _: (0.05, OK))) as port:
        found = offer(port, [message("/x", b"a")], due, connections=1)
    assert (found.done - found.due > [0.04, 0.08, 0.12]).all()
    assert found.lag(100) > 70


def test_a_broken_connection_loses_one_request_and_is_replaced():
    turns = iter([b"", OK, OK])
    with serving(replying(lambda _: (0.0, next(turns)))) as port:
        found = offer(port, [message("/x", b"a")], np.array([0.0, 0.1, 0.2]), connections=1)
    assert list(found.status) == [LOST, 200, 200]


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while True:
            await asyncio.wait_for(read_request(reader), 0.05)
            writer.write(OK)
    writer.close()


def test_an_idle_connection_that_the_server_closes_is_replaced():
    with serving(closing) as port:
        found = offer(port, [message("/x", b"a")], np.array([0.0, 0.2, 0.4]), connections=3)
    assert list(found.status) == [200, 200, 200]


def test_an_answer_that_never_comes_is_not_waited_for_without_end():
    with serving(replying(lambda _: (60.0, OK))) as port:
        found = offer(port, [message("/x", b"a")], np.array([0.0]), connections=1, patience=0.1)
    assert list(found.status) == [LOST]


def test_a_server_that_goes_away_ends_the_load():
    def answer_one() -> None:
        caller, _ = listener.accept()
        caller.recv(65536)
        listener.close()
        caller.sendall(OK)
        caller.close()

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=answer_one)
    thread.start()
    found = offer(listener.getsockname()[1], [message("/x", b"a")], np.array([0.0, 0.3, 60.0]), connections=1)
    thread.join()
    assert list(found.status) == [200, LOST, LOST]
