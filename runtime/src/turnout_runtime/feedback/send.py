"""Sends feedback in bulk: in chunks, several at once, and again where that helps."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import orjson

from turnout_runtime.errors import FeedbackFailed
from turnout_runtime.feedback.parse import MAX_ROWS

_AT_ONCE = 4
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_TIMEOUT = 30.0  # seconds for one answer
_LONGEST_PAUSE = 5.0  # seconds
PATIENCE = 60.0
"""Seconds for which a chunk is tried."""
_STRANGER = 5.0  # seconds, where nobody was there yet: the URL may be wrong


class Numbered(NamedTuple):
    """A row as the endpoint takes it, and its number in the table that it is from."""

    number: int
    row: Mapping[str, Any]


@dataclass(slots=True)
class Sent:
    """What became of the rows: how many were accepted, and numbers of those that were refused, with the reason."""

    accepted: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def endpoint(url: str) -> str:
    """The feedback endpoint of an objective's URL, which may be that of its predictions; raises `FeedbackFailed`."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix("/predict").removesuffix("/feedback")
    if parts.scheme not in ("http", "https") or not parts.netloc or path.count("/") < 3:
        raise FeedbackFailed(f"{url}: is no objective's URL, such as http://gateway/v1/flights/flight-delay")
    return urlunsplit((parts.scheme, parts.netloc, f"{path}/feedback", parts.query, ""))


async def send(
    url: str,
    rows: Iterable[Numbered],
    tell: Callable[[int], object],
    *,
    headers: Mapping[str, str],
    patience: float = PATIENCE,
) -> Sent:
    """Send all rows; `tell` hears how many more are done. `headers` go along.

    Raises `FeedbackFailed` when the endpoint does not take them; what was accepted until then stays.
    """
    sent, chunks = Sent(), _chunks(rows)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers, trust_env=True) as session:
        sender = _Sender(session, url, sent, tell, patience)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(sender.work(chunks))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
    sent.refused.sort()
    return sent


def _chunks(rows: Iterable[Numbered]) -> Iterator[list[Numbered]]:
    chunk: list[Numbered] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == MAX_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


class _Sender:
    def __init__(
        self, session: aiohttp.ClientSession, url: str, sent: Sent, tell: Callable[[int], object], patience: float
    ) -> None:
        self._session, self._url, self._sent, self._tell = session, url, sent, tell
        self._patience, self._reached = patience, False

    async def work(self, chunks: Iterator[list[Numbered]]) -> None:
        """Send chunks for as long as there are some."""
        for chunk in chunks:
            await self._deliver(chunk)

    async def _deliver(self, chunk: Sequence[Numbered]) -> None:
        """Until all rows are accepted or refused."""
        if not chunk:
            return
        status, answer = await self._answer(chunk)
        if status == 202:
            self._sent.accepted += len(chunk)
            self._tell(len(chunk))
        elif status == 413 and len(chunk) > 1:
            middle = len(chunk) // 2
            await self._deliver(chunk[:middle])
            await self._deliver(chunk[middle:])
        elif status == 422 and (wrong := _wrong(answer, len(chunk))):
            self._sent.refused += [(chunk[place].number, text) for place, text in wrong.items()]
            self._tell(len(wrong))
            await self._deliver([row for place, row in enumerate(chunk) if place not in wrong])
        else:
            raise FeedbackFailed(f"{self._url}: {_told(status, answer)}; {self._until_now()}")

    async def _answer(self, chunk: Sequence[Numbered]) -> tuple[int, Any]:
        """The first answer that trying again would not change."""
        body = orjson.dumps({"feedback": [row for _, row in chunk]})
        began = time.monotonic()
        for attempt in count():
            pause = 0.0
            try:
                async with self._session.post(self._url, data=body, headers=_JSON) as response:
                    answer, self._reached = _parsed(await response.read()), True
                    if response.status not in _AGAIN:
                        return response.status, answer
                    failure, pause = _told(response.status, answer), _retry_after(response)
            except (aiohttp.ClientError, TimeoutError) as error:
                failure = f"no answer ({type(error).__name__})"
                self._reached = self._reached or not isinstance(error, aiohttp.ClientConnectorError)
            pause = max(pause, random.uniform(0.5, 1.0) * min(_LONGEST_PAUSE, 0.2 * 2 ** min(attempt, 8)))  # noqa: S311
            patience = self._patience if self._reached else min(_STRANGER, self._patience)
            if time.monotonic() + pause > began + patience:
                raise FeedbackFailed(f"{self._url}: {failure}; {self._until_now()}")
            await asyncio.sleep(pause)
        raise AssertionError

    def _until_now(self) -> str:
        return f"{self._sent.accepted:,} rows were accepted before that; sending rows again does no harm"


_JSON = {"Content-Type": "application/json"}


def _wrong(answer: Any, rows: int) -> dict[int, str]:
    """Places of rows that the endpoint does not take, with the reason."""
    listed = answer.get("rows") if isinstance(answer, dict) else None
    return {
        each["row"]: str(each.get("detail", "refused"))
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and type(each.get("row")) is int and 0 <= each["row"] < rows
    }


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _retry_after(response: aiohttp.ClientResponse) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_PAUSE) if text.isascii() and text.isdigit() else 0.0


def _told(status: int, answer: Any) -> str:
    detail = (answer.get("detail") or answer.get("title") or "") if isinstance(answer, dict) else ""
    return f"the answer was {status}" + (f": {str(detail)[:300]}" if detail else "")
