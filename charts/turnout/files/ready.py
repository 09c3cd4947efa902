"""The chart's test: operator and gateway are ready, and the gateway answers what the operator has told it to."""

import sys
import time
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

# Only a gateway that was configured answers 404 for an objective that no policy names.
EXPECTED = {
    "http://turnout-operator-metrics:8080/readyz": 200,
    "http://turnout-gateway-metrics:9902/ready": 200,
    "http://turnout-gateway:{port}/v1/turnout-test/no-such-objective/predict": 404,
}
DEADLINE = time.monotonic() + 60


def answer(url: str) -> object:
    """Return the status of the answer, or why there is none."""
    try:
        return int(urlopen(url, timeout=5).status)  # noqa: S310
    except HTTPError as error:
        return error.code
    except (URLError, TimeoutError) as error:
        return error


def check(url: str, expected: int) -> bool:
    """Ask until the answer is the expected one or the time is up."""
    while (got := answer(url)) != expected and time.monotonic() < DEADLINE:
        time.sleep(1)
    print(f"{url}: {got}" + ("" if got == expected else f", expected {expected}"), flush=True)
    return got == expected


wrong = [url for url, expected in EXPECTED.items() if not check(url.format(port=sys.argv[1]), expected)]
sys.exit(bool(wrong))
