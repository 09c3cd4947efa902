"""Asks a Triton for scores."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnout_runtime.models.arrays import Layout, scores
from turnout_runtime.models.triton.failures import lost_region, out_of_time, told
from turnout_runtime.models.triton.regions import Region, Regions
from turnout_runtime.workflow.features import Row

CHANNEL = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),  # its default ends at two minutes: a server that is back must be found
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_BIG = 64 * 1024  # bytes of input from which shared memory is cheaper than a message, as measured
_LONGEST = 300.0  # seconds for an answer that nobody set a limit for


@dataclass(frozen=True, slots=True)
class Place:
    """Which model of which server, and what goes in and comes out. `types` are Triton's names by input."""

    name: str
    url: str
    model: str
    version: str
    layout: Layout
    types: Mapping[str, str]
    output: str


class TritonModel:
    """One model of one server; connects when it is first asked, on the loop that asks."""

    def __init__(self, place: Place, *, shared_memory: bool) -> None:
        self._place = place
        self._regions = Regions() if shared_memory else None
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, rows: Sequence[Row], left: float | None) -> list[float]:
        """Scores of the rows, within `left` seconds.

        Raises `RequestTimeout`, `ModelUnavailable`, or another error when it is about the rows.
        """
        from tritonclient.utils import InferenceServerException

        if left is not None and left <= 0:
            raise out_of_time(self._place.name)
        client, arrays = self._connected(), self._place.layout.arrays(rows)
        try:
            if self._regions is None or sum(array.nbytes for array in arrays.values()) < _BIG:
                table = await self._ask(client, arrays, left)
            else:
                table = await self._ask_shared(client, self._regions, arrays, left)
        except InferenceServerException as error:
            raise told(self._place.name, self._place.url, error) from error
        return table[: len(rows)]

    def run_blocking(self, rows: Sequence[Row]) -> list[float]:
        """The same without a loop, for warm-up."""
        from tritonclient import grpc
        from tritonclient.utils import InferenceServerException

        place, arrays = self._place, self._place.layout.arrays(rows)
        with grpc.InferenceServerClient(place.url, channel_args=CHANNEL) as client:
            try:
                return self._scores(client.infer(**self._request(arrays, None, None)))[: len(rows)]
            except InferenceServerException as error:
                raise told(place.name, place.url, error) from error

    async def close(self) -> None:
        """Let go of shared memory and of the connection."""
        client, self._client = self._client, None
        if client is None or self._loop is not asyncio.get_running_loop():
            return
        if self._regions is not None:
            with contextlib.suppress(Exception):  # the server may be gone already
                await self._regions.close(client)
        await client.close()

    def _connected(self) -> Any:
        from tritonclient.grpc import aio

        loop = asyncio.get_running_loop()
        if self._client is None or loop is not self._loop:
            self._client, self._loop = aio.InferenceServerClient(self._place.url, channel_args=CHANNEL), loop
        return self._client

    async def _ask(self, client: Any, arrays: Mapping[str, Any], left: float | None) -> list[float]:
        return self._scores(await client.infer(**self._request(arrays, None, left)))

    async def _ask_shared(
        self, client: Any, regions: Regions, arrays: Mapping[str, Any], left: float | None
    ) -> list[float]:
        """By shared memory; by a message once more when the server has forgotten the region since it was registered."""
        from tritonclient.utils import InferenceServerException

        region = await regions.take(client, sum(array.nbytes for array in arrays.values()), left)
        try:
            answer = await client.infer(**self._request(arrays, region, left))
        except InferenceServerException as error:
            if lost_region(error):
                return await self._ask(client, arrays, left)
            regions.give(region)
            raise
        except asyncio.CancelledError:
            regions.give(region)
            raise
        regions.give(region)
        return self._scores(answer)

    def _request(self, arrays: Mapping[str, Any], region: Region | None, left: float | None) -> dict[str, Any]:
        from tritonclient import grpc

        place, inputs = self._place, []
        shared = region.write(arrays) if region is not None else {}
        for name, array in arrays.items():
            each = grpc.InferInput(name, list(array.shape), place.types[name])
            if region is None:
                each.set_data_from_numpy(array)
            else:
                start, size = shared[name]
                each.set_shared_memory(region.name, size, start)
            inputs.append(each)
        return {
            "model_name": place.model,
            "model_version": place.version,
            "inputs": inputs,
            "outputs": [grpc.InferRequestedOutput(place.output)],
            "client_timeout": _LONGEST if left is None else left,
            "timeout": None if left is None else int(left * 1e6),  # a queue policy of the server's may use it
        }

    def _scores(self, answer: Any) -> list[float]:
        table = answer.as_numpy(self._place.output)
        if table is None:
            raise ValueError(f"the answer has no output {self._place.output!r}")
        return scores(self._place.output, table)
