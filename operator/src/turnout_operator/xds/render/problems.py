"""What the gateway answers by itself: RFC 9457 problems for every local reply."""

import json
from dataclasses import dataclass

from turnout_operator.xds.render import JsonMap, set_header

CONTENT_TYPE = "application/problem+json"
BASE = "https://turnout.dev/problems/"


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of answer; `slug` is stable and ends the problem's type URL."""

    slug: str
    title: str
    status: int

    @property
    def body(self) -> str:
        """The JSON text of the problem."""
        return json.dumps({"type": BASE + self.slug, "title": self.title, "status": self.status})


INVALID_ENTITY = Problem("invalid-entity-id", "The entity id must be printable ASCII without blanks at its ends", 400)
METHOD_NOT_ALLOWED = Problem("method-not-allowed", "Predictions are asked for by POST", 405)
UNKNOWN_OBJECTIVE = Problem("unknown-objective", "No objective is served at this path", 404)
BODY_TOO_LARGE = Problem("body-too-large", "The body is larger than the gateway reads", 413)
NO_REVISION = Problem("no-ready-revision", "No model of this objective is ready yet", 503)
NO_ENDPOINTS = Problem("no-endpoints", "No pod of the chosen arm is ready", 503)
OVERLOADED = Problem("overloaded", "The gateway's limit toward the chosen arm is reached", 503)
TIMEOUT = Problem("timeout", "The objective's timeout passed before its answer came", 504)

_BY_FLAG = (("NR", UNKNOWN_OBJECTIVE), ("UH", NO_ENDPOINTS), ("UO", OVERLOADED), ("UT", TIMEOUT))


def local_reply_config() -> dict[str, object]:
    """How Envoy words its own replies: by response flag, then by status; unflagged direct responses keep their body."""
    mappers = [_as_it_is()]
    mappers += [_mapper({"response_flag_filter": {"flags": [flag]}}, problem) for flag, problem in _BY_FLAG]
    mappers.append(_mapper(_status_filter("EQ", 413, "payload"), BODY_TOO_LARGE))
    upstream = {"response_flag_filter": {"flags": ["UF", "UC", "URX", "LR", "UR", "NC"]}}
    mappers.append(_mapper(upstream, Problem("upstream-unavailable", "The chosen arm did not answer", 503)))
    mappers.append(_mapper({"response_flag_filter": {}}, Problem("gateway", "The gateway refused the request", 0)))
    return {"mappers": mappers}


def direct_response(problem: Problem, **headers: str) -> dict[str, object]:
    """Route fields that answer with `problem` and ask no cluster."""
    headers = {"content-type": CONTENT_TYPE, **headers}
    return {
        "direct_response": {"status": problem.status, "body": {"inline_string": problem.body}},
        "response_headers_to_add": [set_header(name, value) for name, value in headers.items()],
    }


def _mapper(condition: JsonMap, problem: Problem) -> dict[str, object]:
    body = {"type": BASE + problem.slug, "title": problem.title, "status": "%RESPONSE_CODE%"}
    later = {"headers_to_add": [set_header("retry-after", "1")]} if problem.status == 503 else {}
    return {"filter": condition, "body_format_override": {"json_format": body, "content_type": CONTENT_TYPE}, **later}


def _as_it_is() -> dict[str, object]:
    """An answer in place of a failure is no problem, though the failure's flags are on it."""
    body = {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}, "content_type": "application/json"}
    return {"filter": _status_filter("EQ", 200, "answered"), "body_format_override": body}


def _status_filter(operator: str, status: int, key: str) -> dict[str, object]:
    value = {"default_value": status, "runtime_key": f"turnout.problem.{key}"}
    return {"status_code_filter": {"comparison": {"op": operator, "value": value}}}
