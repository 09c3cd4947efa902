"""The fallback ladder in Envoy's words.

An arm with a ladder is an aggregate cluster: the arm's own cluster, then one cluster a rung. Envoy goes down it by
itself where an arm has no healthy host, and by retries, each of which passes over the clusters asked before. A rung's
endpoints say which arm they are, so that the pod and the caller learn who answers. The static answer replaces what is
left at the end.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import PurePosixPath

from turnout_operator.plan.fallback import rungs
from turnout_operator.plan.routes import ArmRoute, Fallback, PolicyRoute, Static
from turnout_operator.xds.render import JsonMap, literal, set_header, typed
from turnout_operator.xds.render.cluster import cluster
from turnout_operator.xds.render.listener import MAX_BODY_BYTES, METADATA, STATIC_ANSWER

ARM_KEY, FALLBACK_KEY = "arm", "fallback"
ASKED_INSTEAD = "x-turnout-fallback-arm"
"""Request header for the pod: the arm that it answers for in place of the one in x-turnout-arm."""

_UNBOUNDED = 65_536
_MATCHER = "envoy.type.matcher.v3"
_FROM_POD = "x-envoy-upstream-service-time"


def rung_name(policy: PolicyRoute, arm: ArmRoute) -> str:
    """The cluster of an arm as a rung of this policy; it has limits of its own and never changes its revision."""
    return f"{policy.key.namespace}/{policy.objective}/fallback/{arm.name}/{arm.revision}"


def ladder_name(policy: PolicyRoute, arm: ArmRoute) -> str:
    """The aggregate cluster of an arm: another ladder is another cluster, so that a route table fits its clusters."""
    members = "\n".join(ladder_members(policy, arm))
    digest = blake2b(members.encode(), digest_size=4).hexdigest()
    return f"{policy.key.namespace}/{policy.objective}/ladder/{arm.revision}/{digest}"


def ladder_members(policy: PolicyRoute, arm: ArmRoute) -> list[str]:
    """The clusters that are asked in turn."""
    return [arm.cluster, *(rung_name(policy, rung) for rung in rungs(policy, arm))]


def destination(policy: PolicyRoute, arm: ArmRoute) -> str:
    """The cluster that a route sends an arm's requests to."""
    return ladder_name(policy, arm) if policy.fallback and policy.fallback.arms else arm.cluster


def ladder_cluster(
    name: str, members: Sequence[str], max_retries: int, _: PurePosixPath | None = None
) -> dict[str, object]:
    """The aggregate cluster. Failed requests beyond `max_retries` at once go no further down."""
    said = set_header(ASKED_INSTEAD, f"%UPSTREAM_METADATA({METADATA}:{ARM_KEY})%")
    filters = "envoy.extensions.filters.http"
    tell = [{"remove": ASKED_INSTEAD}, {"append": said}]  # what an earlier attempt was told is still there
    mutation = typed(f"{filters}.header_mutation.v3.HeaderMutation", mutations={"request_mutations": tell})
    codec = typed(f"{filters}.upstream_codec.v3.UpstreamCodec")
    options = typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config={"http_protocol_options": {}},
        http_filters=[
            {"name": "turnout.fallback_arm", "typed_config": mutation},
            {"name": "envoy.filters.http.upstream_codec", "typed_config": codec},
        ],
    )
    config = typed("envoy.extensions.clusters.aggregate.v3.ClusterConfig", clusters=list(members))
    return {
        "name": name,
        "connect_timeout": "0.5s",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {"name": "envoy.clusters.aggregate", "typed_config": config},
        "circuit_breakers": {"thresholds": [{"max_retries": max_retries}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    }


def rung_cluster(name: str, max_concurrent: int, sds_directory: PurePosixPath | None) -> dict[str, object]:
    """A rung: an arm's cluster with a hard limit on requests at once, those that wait for a connection included."""
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), max_concurrent)
    return {**cluster(name, sds_directory), "circuit_breakers": {"thresholds": [{**limits, "max_retries": _UNBOUNDED}]}}


def rung_metadata(arm: str) -> JsonMap:
    """What the endpoints of a rung say of themselves."""
    said = {ARM_KEY: {"string_value": arm}, FALLBACK_KEY: {"string_value": "arm"}}
    return {"filter_metadata": {METADATA: {"fields": said}}}


def response_headers() -> list[JsonMap]:
    """The arm that answers in place of the chosen one, if one does; to be added after the chosen arm's name."""
    return [
        set_header("x-turnout-arm", f"%UPSTREAM_METADATA({METADATA}:{ARM_KEY})%"),
        set_header("x-turnout-fallback", f"%UPSTREAM_METADATA({METADATA}:{FALLBACK_KEY})%"),
    ]


def retries(fallback: Fallback, seconds: float, plain: JsonMap) -> JsonMap:
    """The retry policy of a route with a ladder, from the `plain` one; each rung is asked once."""
    number = len(fallback.arms)
    after = seconds / (number + 1) if fallback.after is None else fallback.after
    limit: JsonMap = {"per_try_timeout": f"{max(after, 0.001):.3f}s"} if "timeout" in fallback.failures else {}
    if not number:
        return {**plain, **limit}
    conditions, more = ["connect-failure", "refused-stream", "reset"], dict(limit)
    if "5xx" in fallback.failures:
        conditions.append("retriable-headers")
        more["retriable_headers"] = [{"name": ":status", "string_match": {"prefix": "5"}}]
    if "overload" in fallback.failures:
        conditions.append("retriable-status-codes")
        more["retriable_status_codes"] = [429]
    previous = typed(
        "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig", update_frequency=1
    )
    priority = {"name": "envoy.retry_priorities.previous_priorities", "typed_config": previous}
    return {**plain, "retry_on": ",".join(conditions), "num_retries": number, "retry_priority": priority, **more}


def laddered(policy: PolicyRoute, routes: Iterable[dict[str, object]], *, predictions: bool) -> list[dict[str, object]]:
    """The routes with what a ladder needs: room to keep bodies for the next rung (larger ones are not sent again), and
    for predictions the static answer."""
    fallback = policy.fallback
    if fallback is None:
        return list(routes)
    room: JsonMap = {"request_body_buffer_limit": MAX_BODY_BYTES} if fallback.arms else {}
    end = _static_answer(policy) if predictions else {}
    return [_with(route, room if "route" in route else {}, end) for route in routes]


def _with(route: JsonMap, room: JsonMap, filters: JsonMap) -> dict[str, object]:
    had = route.get("typed_per_filter_config")
    own = {"typed_per_filter_config": {**(had if isinstance(had, dict) else {}), **filters}} if filters else {}
    return {**room, **route, **own}


def _static_answer(policy: PolicyRoute) -> JsonMap:
    """The `typed_per_filter_config` of a route that ends with a static answer."""
    fallback = policy.fallback
    if fallback is None or fallback.static is None:
        return {}
    matcher = {"predicate": _failures(fallback), "on_match": {"action": _answer(policy, fallback.static)}}
    message = "envoy.extensions.filters.http.custom_response.v3.CustomResponse"
    return {STATIC_ANSWER: typed(message, custom_response_matcher={"matcher_list": {"matchers": [matcher]}})}


def static_body(policy: PolicyRoute, static: Static) -> JsonMap:
    """As a pod's answer, but for what only a pod knows; its texts are Envoy's formats."""
    return {
        "prediction_id": None,
        "request_id": "%REQ(x-request-id)%",
        "model_version": None,
        "policy_version": literal(policy.version),
        "score": static.score,
        "decision": literal(static.decision),
        "confidence": static.confidence,
        "explanations_ref": None,
        "fallback_used": True,
        "fallback": "static",
    }


def _answer(policy: PolicyRoute, static: Static) -> JsonMap:
    nobody = {**set_header("x-turnout-arm", ""), "keep_empty_value": True}
    config = typed(
        "envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy",
        status_code=200,
        body_format={"json_format": static_body(policy, static), "content_type": "application/json"},
        response_headers_to_add=[set_header("x-turnout-fallback", "static"), nobody],
    )
    return {"name": "static", "typed_config": config}


def _failures(fallback: Fallback) -> JsonMap:
    """A pod's answers that are failures, and the gateway's own. Others' refusals (400, 413, 429 of a limit) stay."""
    told = [*(["5.."] if "5xx" in fallback.failures else []), *(["429"] if "overload" in fallback.failures else [])]
    own = "503|504" if "timeout" in fallback.failures else "503"
    from_pod = _single("HttpResponseHeaderMatchInput", ".*", header_name=_FROM_POD)
    found = [_all(_status(own), {"not_matcher": from_pod})]
    if told:
        found.append(_all(_status("|".join(told)), from_pod))
    return {"or_matcher": {"predicate": found}} if len(found) > 1 else found[0]


def _status(regex: str) -> JsonMap:
    return _single("HttpResponseStatusCodeMatchInput", regex)


def _all(*predicates: JsonMap) -> JsonMap:
    return {"and_matcher": {"predicate": list(predicates)}}


def _single(message: str, regex: str, **fields: object) -> JsonMap:
    found = {"name": message, "typed_config": typed(f"{_MATCHER}.{message}", **fields)}
    return {"single_predicate": {"input": found, "value_match": {"safe_regex": {"google_re2": {}, "regex": regex}}}}
