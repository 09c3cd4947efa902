"""Other ways to ask the same question, what a wrong question gets, and an outage of a fact service."""

import itertools
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from flight_delay.data import Flight

from demo import example
from demo.screen import Screen
from demo.shell import kubectl

REGISTRY = "deployment/plane-registry"
OUTAGE = 150  # requests while the registry is down
RECOVERY_SECONDS = 30.0  # for a pod to start, and for every runtime to try the registry again


@dataclass(frozen=True)
class Reply:
    """What one call came back with."""

    status: int
    arm: str
    body: Any


def call(url: str, document: Any = None, entity: str = "") -> Reply:
    """GET, or POST of a document; a problem is a reply too."""
    headers = {"content-type": "application/json", **({"x-entity-id": entity} if entity else {})}
    data = None if document is None else json.dumps(document).encode()
    request = Request(url, data, headers)  # the gateway's own URL
    try:
        with urlopen(request, timeout=10) as response:
            return Reply(response.status, response.headers.get("x-turnout-arm", ""), json.load(response))
    except HTTPError as error:
        with error:
            return Reply(error.code, error.headers.get("x-turnout-arm", ""), json.load(error))


def other_doors(screen: Screen, url: str, flights: Sequence[Flight]) -> None:
    """OpenAPI, the Open Inference Protocol, a request that is sent twice, and a wrong one."""
    screen.heading("One workflow, several doors: all through the gateway")
    base, flight = url.removesuffix("/predict"), flights[-1]
    request = call(f"{base}/openapi.json").body["components"]["schemas"]["PredictionRequest"]
    fields = request["properties"]["context"]["properties"]
    screen.check(set(fields) == set(flight.context()), f"OpenAPI tells a request's fields: {', '.join(sorted(fields))}")
    answer = call(url, {"context": flight.context()}, flight.entity_id)
    tensors = call(f"{base}/v2/models/flight-delay/infer", {"inputs": _tensors(flight)}, flight.entity_id)
    scores = next(output["data"] for output in tensors.body["outputs"] if output["name"] == "score")
    same = scores == [answer.body["score"]] and tensors.arm == answer.arm
    screen.check(same, f"the Open Inference Protocol gives the same score: {answer.body['score']:.4f}")
    _sent_twice(screen, url, flight)
    problem = call(url, {"context": {**flight.context(), "carrier": "United"}}, flight.entity_id)
    named = problem.status == 400 and "context.carrier" in problem.body["detail"]
    screen.check(named, f"a wrong request is told what is wrong: {problem.body['detail']}")


def _sent_twice(screen: Screen, url: str, flight: Flight) -> None:
    document = {"request_id": f"twice-{secrets.token_hex(4)}", "context": flight.context()}
    ids = {call(url, document, "the-same-pod-or-not").body["prediction_id"] for _ in range(6)}
    screen.check(
        len(ids) <= _pods(), f"one request sent 6 times is {len(ids)} prediction{'s' * (len(ids) > 1)}: one a pod"
    )


def _pods() -> int:
    names = kubectl("get", "pods", "-n", example.NAMESPACE, "-l", "serving.turnout.dev/model-deployment", "-o", "name")
    return len(names.split())


def _tensors(flight: Flight) -> list[dict[str, Any]]:
    """One tensor of one element for each field of the context."""
    return [
        {
            "name": name,
            "shape": [1],
            "datatype": "INT64" if isinstance(value, int) else "BYTES",
            "data": [value],
        }
        for name, value in flight.context().items()
    ]


def outage(screen: Screen, url: str, flights: Sequence[Flight]) -> None:
    """Take the plane registry away under traffic, and give it back."""
    screen.heading("A fact service dies: the plane registry is scaled to nothing, and back")
    stream = itertools.cycle(flights)
    kubectl("scale", REGISTRY, "-n", example.NAMESPACE, "--replicas=0")
    kubectl("wait", "-n", example.NAMESPACE, "--for=delete", "pod", "-l", "app=plane-registry", "--timeout=60s")
    replies = [
        call(url, {"context": flight.context()}, flight.entity_id) for flight in itertools.islice(stream, OUTAGE)
    ]
    failed = sum(reply.status != 200 for reply in replies)
    screen.check(failed == 0, f"{len(replies)} requests while it was gone, {failed} failed")
    origins = [reply.body["details"]["plane"] for reply in replies if reply.status == 200 and reply.arm == "challenger"]
    marked = sum(reply.body["fallback_used"] for reply in replies if reply.status == 200)
    counts = ", ".join(f"{origins.count(origin)} {origin}" for origin in sorted(set(origins)))
    screen.check(
        "live" not in origins and marked > 0, f"the challenger's planes came from elsewhere, and say so: {counts}"
    )
    kubectl("scale", REGISTRY, "-n", example.NAMESPACE, "--replicas=1")
    kubectl("rollout", "status", REGISTRY, *example.WAIT)
    seconds = _until_live(url, stream)
    screen.check(seconds < RECOVERY_SECONDS, f"live again {seconds:.1f} s after the registry was ready")


def _until_live(url: str, stream: Iterator[Flight]) -> float:
    started = time.monotonic()
    while time.monotonic() - started < RECOVERY_SECONDS:
        flight = next(stream)
        reply = call(url, {"context": flight.context()}, flight.entity_id)
        if reply.arm == "challenger" and reply.body["details"]["plane"] == "live":
            break
    return time.monotonic() - started
