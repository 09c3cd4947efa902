"""One policy's route table and the scope that selects it."""

from turnout_operator.plan.routes import ArmRoute, PolicyRoute, Sticky
from turnout_operator.xds.render import literal, set_header, typed
from turnout_operator.xds.render.listener import (
    ENTITY_FROM_BODY,
    ENTITY_HEADER,
    ENTITY_KEY,
    JSON_TO_METADATA,
    MAX_BODY_BYTES,
    METADATA,
)
from turnout_operator.xds.render.problems import INVALID_ENTITY, METHOD_NOT_ALLOWED, direct_response

_PRINTABLE = "[ -~]*"
_HTTP = "envoy.extensions.filters.http"


def route_name(policy: PolicyRoute) -> str:
    """The objective's name in the gateway, `<namespace>/<objective>`: a policy that takes an objective over
    replaces its route table in place."""
    return f"{policy.key.namespace}/{policy.objective}"


def scope(policy: PolicyRoute) -> dict[str, object]:
    """Requests to `/v1/<namespace>/<objective>/…` use this policy's route table."""
    fragments = [{"string_key": policy.key.namespace}, {"string_key": policy.objective}]
    name = route_name(policy)
    return {"name": name, "route_configuration_name": name, "key": {"fragments": fragments}}


def route_configuration(policy: PolicyRoute) -> dict[str, object]:
    """The route table: refuse bad entity ids, split, refuse other methods; all else is Envoy's 404."""
    name = route_name(policy)
    routes = [*_refuse_bad_ids(policy), _predict(policy), _refuse_method(policy)]
    return {
        "name": name,
        "virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}],
        "validate_clusters": True,
        "request_headers_to_add": [
            set_header("x-turnout-objective", literal(name)),
            set_header("x-turnout-policy-version", literal(policy.version)),
        ],
    }


def routed(policy: PolicyRoute) -> tuple[ArmRoute, ...]:
    """The arms that get traffic, candidates in order and the stable arm last: a candidate that grows only takes
    entities from the end of its own interval."""
    return tuple(arm for arm in (*policy.arms[1:], *policy.arms[:1]) if arm.weight > 0)


def _path(policy: PolicyRoute) -> dict[str, object]:
    return {"path": f"/v1/{route_name(policy)}/predict"}


def _post(policy: PolicyRoute) -> dict[str, object]:
    return {**_path(policy), "headers": [{"name": ":method", "string_match": {"exact": "POST"}}]}


def _predict(policy: PolicyRoute) -> dict[str, object]:
    action: dict[str, object] = {
        "weighted_clusters": {"clusters": [_arm(arm, policy) for arm in routed(policy)]},
        "timeout": f"{policy.timeout_seconds:.3f}s",
        "retry_policy": _retry_policy(),
    }
    route: dict[str, object] = {"match": _post(policy), "route": action}
    if policy.sticky is not None:
        action["weighted_clusters"] = {**_split(policy), "use_hash_policy": True}
        action["hash_policy"] = [_hash_policy(policy, policy.sticky)]
        route.update(_entity(policy.sticky))
    return route


def _split(policy: PolicyRoute) -> dict[str, object]:
    return {"clusters": [_arm(arm, policy) for arm in routed(policy)]}


def _arm(arm: ArmRoute, policy: PolicyRoute) -> dict[str, object]:
    name = set_header("x-turnout-arm", literal(arm.name))
    return {
        "name": arm.cluster,
        "weight": arm.weight,
        "request_headers_to_add": [name, set_header("x-turnout-propensity", f"{arm.weight / 10_000:g}")],
        "response_headers_to_add": [name, set_header("x-turnout-policy-version", literal(policy.version))],
    }


def _retry_policy() -> dict[str, object]:
    """Only what the pod can't have begun to answer, on another host."""
    previous = typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")
    return {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 2,
        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.050s"},
        "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": previous}],
        "host_selection_retry_max_attempts": 10,
    }


def _hash_policy(policy: PolicyRoute, sticky: Sticky) -> dict[str, object]:
    """The salt gives every objective its own cohorts: cohort = xxh64("<ns>/<objective>:<id>") % 10000."""
    salt = f"{route_name(policy)}:".replace("\\", "\\\\")
    rewrite = {"pattern": {"regex": "^(.*)$"}, "substitution": salt + r"\1"}
    return {"header": {"header_name": _entity_header(sticky), "regex_rewrite": rewrite}}


def _entity_header(sticky: Sticky) -> str:
    return sticky.name if sticky.kind == "header" else ENTITY_HEADER


def _entity(sticky: Sticky) -> dict[str, object]:
    """Route fields that hand the entity id to the pod."""
    if sticky.kind == "header":
        return {"request_headers_to_add": [set_header(ENTITY_HEADER, f"%REQ({sticky.name})%")]}
    return {
        "request_body_buffer_limit": MAX_BODY_BYTES,
        "typed_per_filter_config": {
            JSON_TO_METADATA: typed(f"{_HTTP}.json_to_metadata.v3.JsonToMetadata", request_rules=_body_rules(sticky)),
            ENTITY_FROM_BODY: typed(f"{_HTTP}.header_mutation.v3.HeaderMutationPerRoute", mutations={}),
        },
    }


def _body_rules(sticky: Sticky) -> dict[str, object]:
    entity = {"metadata_namespace": METADATA, "key": ENTITY_KEY, "type": "STRING"}
    return {
        "rules": [{"selectors": [{"key": key} for key in sticky.name.split(".")], "on_present": entity}],
        "allow_content_types_regex": {"regex": ".*"},
        "allow_empty_content_type": True,
    }


def _refuse_bad_ids(policy: PolicyRoute) -> list[dict[str, object]]:
    """Bytes outside printable ASCII can't be hashed alike here and in the pod, and CR or LF would break the header."""
    if policy.sticky is None:
        return []
    printable = {"safe_regex": {"regex": _PRINTABLE}}
    match = _post(policy)
    if policy.sticky.kind == "header":
        bad = {"name": policy.sticky.name, "string_match": printable, "invert_match": True}
        match["headers"] = [*_as_list(match["headers"]), {"name": policy.sticky.name, "present_match": True}, bad]
    else:
        path = [{"key": ENTITY_KEY}]
        present = {"filter": METADATA, "path": path, "value": {"present_match": True}}
        bad = {"filter": METADATA, "path": path, "value": {"string_match": printable}, "invert": True}
        match["dynamic_metadata"] = [present, bad]
    return [{"match": match, **direct_response(INVALID_ENTITY)}]


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _refuse_method(policy: PolicyRoute) -> dict[str, object]:
    fields = direct_response(METHOD_NOT_ALLOWED)
    allow = {"header": {"key": "allow", "value": "POST"}}
    return {
        "match": _path(policy),
        **fields,
        "response_headers_to_add": [*_as_list(fields["response_headers_to_add"]), allow],
    }
