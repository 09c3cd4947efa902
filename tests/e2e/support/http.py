"""One request at a time, for tests that look at one answer."""

import asyncio
from typing import Any

import aiohttp

Answer = tuple[int, dict[str, Any]]


def post(url: str, body: dict[str, Any], **headers: str) -> Answer:
    """Status and JSON of a POST."""
    return ask("POST", url, json=body, headers=headers)


def get(url: str) -> Answer:
    """Status and JSON of a GET."""
    return ask("GET", url)


def ask(method: str, url: str, **more: Any) -> Answer:
    """Status and JSON of a request; an empty object where there is no JSON."""

    async def send() -> Answer:
        async with aiohttp.ClientSession() as session, session.request(method, url, **more) as answer:
            is_json = "json" in answer.content_type
            return answer.status, (await answer.json(content_type=None)) if is_json else {}

    return asyncio.run(send())
