"""One policy's route table and the scope that selects it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from turnout_operator.plan.branches import branches
from turnout_operator.plan.routes import PolicyRoute, Sticky
from turnout_operator.xds.render import JsonMap, literal, set_header, typed
from turnout_operator.xds.render.fallback import laddered
from turnout_operator.xds.render.listener import (
    COOKIE_HEADER,
    ENTITY_FROM_BODY,
    ENTITY_HEADER,
    JSON_TO_METADATA,
    MAX_BODY_BYTES,
)
from turnout_operator.xds.render.match import bad_id, body_rules, has_cookie, matches, without_body
from turnout_operator.xds.render.problems import INVALID_ENTITY, METHOD_NOT_ALLOWED, NO_REVISION, direct_response
from turnout_operator.xds.render.shadow import by_size
from turnout_operator.xds.render.split import retry_policy, split, timeouts

_FILTERS = "envoy.extensions.filters.http"
_FEEDBACK_SECONDS = 15.0
_STREAM: JsonMap = {"name": "accept", "string_match": {"contains": "text/event-stream", "ignore_case": True}}
_POST: JsonMap = {"name": ":method", "string_match": {"exact": "POST"}}


def route_name(policy: PolicyRoute) -> str:
    """The objective's name in the gateway, `<namespace>/<objective>`: a policy that takes an objective over
    replaces its route table in place."""
    return f"{policy.key.namespace}/{policy.objective}"


def scope(policy: PolicyRoute) -> dict[str, object]:
    """Requests to `/v1/<namespace>/<objective>/…` use this policy's route table."""
    name = route_name(policy)
    fragments = [{"string_key": policy.key.namespace}, {"string_key": policy.objective}]
    return {"name": name, "route_configuration_name": name, "key": {"fragments": fragments}}


def route_configuration(policy: PolicyRoute) -> dict[str, object]:
    """The route table: all below the objective's path is the pods' business; all else is Envoy's 404."""
    name = route_name(policy)
    routes = [*_predictions(policy), _feedback(policy), *_others(policy)]
    return {
        "name": name,
        "virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}],
        "validate_clusters": True,
        "request_headers_to_add": [
            set_header("x-turnout-objective", literal(name)),
            set_header("x-turnout-policy-version", literal(policy.version)),
        ],
    }


def _predictions(policy: PolicyRoute) -> list[dict[str, object]]:
    """Refuse bad entity ids, split, refuse other methods."""
    path: JsonMap = {"path": f"/v1/{route_name(policy)}/predict"}
    conditions = [each for rule in policy.rules for each in rule.conditions]
    read = _read_body(policy.sticky, body_rules(policy.sticky, conditions))
    answers = laddered(policy, _answers(policy, path, policy.sticky, [_POST], read), predictions=True)
    return [*_refusals(path, policy.sticky, [_POST]), *answers, {"match": path, **_refuse_method()}]


def _feedback(policy: PolicyRoute) -> dict[str, object]:
    """What came of predictions: to the largest arm, as any pod of the objective takes it. It is no prediction, so there
    is no split, no entity, no mirror, and a time of its own: a thousand rows on a disk may take longer than an answer.
    """
    match = {"match": {"path": f"/v1/{route_name(policy)}/feedback"}}
    if not policy.arms:
        return {**match, **direct_response(NO_REVISION, **{"retry-after": "1"})}
    largest = max(policy.arms, key=lambda arm: arm.weight)
    action = {"cluster": largest.cluster, **timeouts(_FEEDBACK_SECONDS), "retry_policy": retry_policy()}
    return {**match, "route": action}


def _others(policy: PolicyRoute) -> list[dict[str, object]]:
    """The API document, the Open Inference Protocol and what else pods serve: any method, split like predictions.

    An entity in a header or cookie sticks here too. One in the body doesn't: these bodies have another form. For rules,
    too, they have no fields.
    """
    path: JsonMap = {"prefix": f"/v1/{route_name(policy)}/"}
    sticky = policy.sticky if policy.sticky and policy.sticky.kind != "body" else None
    answers = laddered(policy, _answers(replace(policy, shadows=()), path, sticky, (), {}), predictions=False)
    return [*_refusals(path, sticky), *answers]


def _refusals(path: JsonMap, sticky: Sticky | None, headers: Sequence[JsonMap] = ()) -> list[dict[str, object]]:
    """A bad cookie is none: people whom a page gave it can't correct it."""
    if sticky is None or sticky.kind == "cookie":
        return []
    return [{"match": {**path, **bad_id(sticky, headers)}, **direct_response(INVALID_ENTITY)}]


def _answers(
    policy: PolicyRoute, path: JsonMap, sticky: Sticky | None, headers: Sequence[JsonMap], read: JsonMap
) -> list[dict[str, object]]:
    """The routes to the arms; streaming answers have one of their own where they may take longer."""
    if not policy.arms:
        return [{"match": {**path, **matches((), headers)}, **direct_response(NO_REVISION, **{"retry-after": "1"})}]
    times: list[tuple[tuple[JsonMap, ...], float]] = [((), policy.timeout_seconds)]
    if policy.stream_seconds > policy.timeout_seconds:
        times.insert(0, ((_STREAM,), policy.stream_seconds))
    routes: list[dict[str, object]] = []
    for branch in branches(policy):
        conditions = branch.conditions if read else without_body(branch.conditions)
        if conditions is None:
            continue
        sizes = by_size(policy, branch.shares)
        for (more, seconds), (has_id, key), (size, shadows) in product(times, _entities(sticky), sizes):
            match = {**path, **matches(conditions, [*headers, *more, *has_id, *size])}
            action = split(policy, branch.shares, key, seconds, shadows)
            routes.append({"match": match, "route": action, **_hand_on(key, read)})
    return routes


def _entities(sticky: Sticky | None) -> list[tuple[tuple[JsonMap, ...], Sticky | None]]:
    """Who sticks by what. Envoy would hash a Cookie header without the id whole, so those have routes of their own."""
    if sticky is None or sticky.kind != "cookie":
        return [((), sticky)]
    return [((has_cookie(sticky),), sticky), ((), None)]


def _hand_on(sticky: Sticky | None, read: JsonMap) -> JsonMap:
    """Route fields that give the entity id to the pod and switch on the filters that read the body."""
    if sticky is None or sticky.kind == "body":
        return read
    if sticky.kind == "cookie":  # Envoy has nothing to cut it out with: the pod does
        return {"request_headers_to_add": [set_header(COOKIE_HEADER, literal(sticky.name))], **read}
    return {"request_headers_to_add": [set_header(ENTITY_HEADER, f"%REQ({sticky.name})%")], **read}


def _read_body(sticky: Sticky | None, rules: Sequence[JsonMap]) -> JsonMap:
    """Any content type will do: a caller who forgets it must not lose its stickiness."""
    if not rules:
        return {}
    wanted = {"rules": rules, "allow_content_types_regex": {"regex": ".*"}, "allow_empty_content_type": True}
    filters = {JSON_TO_METADATA: typed(f"{_FILTERS}.json_to_metadata.v3.JsonToMetadata", request_rules=wanted)}
    if sticky and sticky.kind == "body":
        filters[ENTITY_FROM_BODY] = typed(f"{_FILTERS}.header_mutation.v3.HeaderMutationPerRoute", mutations={})
    return {"request_body_buffer_limit": MAX_BODY_BYTES, "typed_per_filter_config": filters}


def _refuse_method() -> dict[str, object]:
    return direct_response(METHOD_NOT_ALLOWED, allow="POST")
