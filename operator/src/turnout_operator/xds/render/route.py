"""One policy's route table and the scope that selects it."""

from collections.abc import Sequence

from turnout_operator.plan.routes import TOTAL_WEIGHT, ArmRoute, PolicyRoute, Sticky
from turnout_operator.xds.render import JsonMap, literal, set_header, typed
from turnout_operator.xds.render.listener import (
    ENTITY_FROM_BODY,
    ENTITY_HEADER,
    ENTITY_KEY,
    JSON_TO_METADATA,
    MAX_BODY_BYTES,
    METADATA,
)
from turnout_operator.xds.render.problems import INVALID_ENTITY, METHOD_NOT_ALLOWED, NO_REVISION, direct_response

# Other bytes can't be hashed alike here and in the pod, CR and LF would break the header, and blanks at the ends get
# lost on the way.
_VALID_ID = "[!-~]([ -~]*[!-~])?"
_FILTERS = "envoy.extensions.filters.http"
_IDLE_SECONDS = 300.0
_FEEDBACK_SECONDS = 15.0
_STREAM: JsonMap = {"name": "accept", "string_match": {"contains": "text/event-stream", "ignore_case": True}}
_POST: JsonMap = {"name": ":method", "string_match": {"exact": "POST"}}


def route_name(policy: PolicyRoute) -> str:
    """The objective's name in the gateway, `<namespace>/<objective>`: a policy that takes an objective over
    replaces its route table in place."""
    return f"{policy.key.namespace}/{policy.objective}"


def routed(policy: PolicyRoute) -> tuple[ArmRoute, ...]:
    """The arms that get traffic, candidates in order and the stable arm last."""
    return tuple(arm for arm in (*policy.arms[1:], *policy.arms[:1]) if arm.weight > 0)


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
    routes = [*_answers(policy, path, policy.sticky, [_POST]), {"match": path, **_refuse_method()}]
    if policy.sticky is None:
        return routes
    return [{"match": {**path, **_has_bad_id(policy.sticky)}, **direct_response(INVALID_ENTITY)}, *routes]


def _feedback(policy: PolicyRoute) -> dict[str, object]:
    """What came of predictions: to the largest arm, as any pod of the objective takes it. It is no prediction, so there
    is no split, no entity, no mirror, and a time of its own: a thousand rows on a disk may take longer than an answer.
    """
    match = {"match": {"path": f"/v1/{route_name(policy)}/feedback"}}
    if not policy.arms:
        return {**match, **direct_response(NO_REVISION, **{"retry-after": "1"})}
    largest = max(policy.arms, key=lambda arm: arm.weight)
    action = {"cluster": largest.cluster, **_timeouts(_FEEDBACK_SECONDS), "retry_policy": _retry_policy()}
    return {**match, "route": action}


def _others(policy: PolicyRoute) -> list[dict[str, object]]:
    """The API document, the Open Inference Protocol and what else pods serve: any method, split like predictions.

    An entity in a header sticks here too. One in the body doesn't: these bodies have another form.
    """
    path: JsonMap = {"prefix": f"/v1/{route_name(policy)}/"}
    sticky = policy.sticky if policy.sticky and policy.sticky.kind == "header" else None
    routes = _answers(policy, path, sticky)
    if sticky is None:
        return routes
    return [{"match": {**path, **_has_bad_id(sticky)}, **direct_response(INVALID_ENTITY)}, *routes]


def _answers(
    policy: PolicyRoute, path: JsonMap, sticky: Sticky | None, headers: Sequence[JsonMap] = ()
) -> list[dict[str, object]]:
    """The routes to the arms; streaming answers have one of their own where they may take longer."""
    match: dict[str, object] = {**path, **({"headers": list(headers)} if headers else {})}
    routes = [{"match": match, **_split(policy, sticky, policy.timeout_seconds)}]
    if policy.arms and policy.stream_seconds > policy.timeout_seconds:
        streaming = {**path, "headers": [*headers, _STREAM]}
        routes.insert(0, {"match": streaming, **_split(policy, sticky, policy.stream_seconds)})
    return routes


def _split(policy: PolicyRoute, sticky: Sticky | None, timeout: float) -> dict[str, object]:
    if not policy.arms:
        return direct_response(NO_REVISION, **{"retry-after": "1"})
    split: dict[str, object] = {"clusters": [_arm(arm, width, policy) for arm, width in _shares(policy)]}
    action: dict[str, object] = {"weighted_clusters": split, **_timeouts(timeout), "retry_policy": _retry_policy()}
    if sticky is None:
        return {"route": action}
    split["use_hash_policy"] = True
    action["hash_policy"] = [_hash_policy(policy, sticky)]
    return {"route": action, **_hand_on_entity(sticky)}


def _timeouts(seconds: float) -> dict[str, object]:
    """Envoy cuts a stream that says nothing for 5 min, however long it may take."""
    text = f"{seconds:.3f}s"
    return {"timeout": text, "idle_timeout": text} if seconds > _IDLE_SECONDS else {"timeout": text}


def _shares(policy: PolicyRoute) -> list[tuple[ArmRoute, int]]:
    """The cohorts in order, each span with its arm: Envoy takes the entry that holds the hash modulo the sum."""
    if not policy.layout:
        return [(arm, arm.weight) for arm in routed(policy)]
    arms = {arm.name: arm for arm in policy.arms}
    return [(arms[span.arm], span.width) for span in policy.layout]


def _arm(arm: ArmRoute, width: int, policy: PolicyRoute) -> dict[str, object]:
    name = set_header("x-turnout-arm", literal(arm.name))
    return {
        "name": arm.cluster,
        "weight": width,
        "request_headers_to_add": [name, set_header("x-turnout-propensity", f"{arm.weight / TOTAL_WEIGHT:g}")],
        "response_headers_to_add": [name, set_header("x-turnout-policy-version", literal(policy.version))],
    }


def _retry_policy() -> dict[str, object]:
    """Only what the pod can't have begun to answer, on another host if there is one."""
    previous = typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")
    return {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 2,
        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.050s"},
        "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": previous}],
        # Hosts are drawn at random until one is new: 3 draws of 2 hosts find the dead one again in 1 of 8 retries.
        "host_selection_retry_max_attempts": 10,
    }


def _hash_policy(policy: PolicyRoute, sticky: Sticky) -> dict[str, object]:
    """The salt gives every objective its own cohorts: cohort = xxh64("<ns>/<objective>:<id>") % 10000."""
    salt = f"{route_name(policy)}:".replace("\\", "\\\\")
    rewrite = {"pattern": {"regex": "^(.*)$"}, "substitution": salt + r"\1"}
    name = sticky.name if sticky.kind == "header" else ENTITY_HEADER
    return {"header": {"header_name": name, "regex_rewrite": rewrite}}


def _hand_on_entity(sticky: Sticky) -> dict[str, object]:
    """Route fields that give the entity id to the pod; from the body, they switch on the filters that read it."""
    if sticky.kind == "header":
        return {"request_headers_to_add": [set_header(ENTITY_HEADER, f"%REQ({sticky.name})%")]}
    rules = typed(f"{_FILTERS}.json_to_metadata.v3.JsonToMetadata", request_rules=_body_rules(sticky))
    mutation = typed(f"{_FILTERS}.header_mutation.v3.HeaderMutationPerRoute", mutations={})
    return {
        "request_body_buffer_limit": MAX_BODY_BYTES,
        "typed_per_filter_config": {JSON_TO_METADATA: rules, ENTITY_FROM_BODY: mutation},
    }


def _body_rules(sticky: Sticky) -> dict[str, object]:
    """Any content type will do: a caller who forgets it must not lose its stickiness."""
    entity = {"metadata_namespace": METADATA, "key": ENTITY_KEY, "type": "STRING"}
    return {
        "rules": [{"selectors": [{"key": key} for key in sticky.name.split(".")], "on_present": entity}],
        "allow_content_types_regex": {"regex": ".*"},
        "allow_empty_content_type": True,
    }


def _has_bad_id(sticky: Sticky) -> dict[str, object]:
    """Match fields for a prediction whose id is there and not valid."""
    valid = {"safe_regex": {"regex": _VALID_ID}}
    if sticky.kind == "header":
        present: JsonMap = {"name": sticky.name, "present_match": True}
        return {"headers": [_POST, present, {"name": sticky.name, "string_match": valid, "invert_match": True}]}
    entity = {"filter": METADATA, "path": [{"key": ENTITY_KEY}]}
    present = {**entity, "value": {"present_match": True}}
    invalid = {**entity, "value": {"string_match": valid}, "invert": True}
    return {"headers": [_POST], "dynamic_metadata": [present, invalid]}


def _refuse_method() -> dict[str, object]:
    return direct_response(METHOD_NOT_ALLOWED, allow="POST")
