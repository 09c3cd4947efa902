"""What a route does with the requests that it matches: the cohorts' arms, time, and retries."""

from collections.abc import Sequence

from turnout_operator.plan.branches import Share
from turnout_operator.plan.routes import PolicyRoute, Shadow, Sticky
from turnout_operator.xds.render import JsonMap, literal, set_header, typed
from turnout_operator.xds.render.fallback import destination, response_headers, retries
from turnout_operator.xds.render.listener import ENTITY_HEADER
from turnout_operator.xds.render.match import cookie_pattern
from turnout_operator.xds.render.shadow import marks, mirrors

_IDLE_SECONDS = 300.0


def split(
    policy: PolicyRoute, shares: Sequence[Share], sticky: Sticky | None, timeout: float, shadows: Sequence[Shadow]
) -> JsonMap:
    """The route action: Envoy takes the share that holds the hash modulo the sum of the widths.

    `shadows` get copies.
    """
    told = [_share(share, policy, marks(policy, shadows, share, shares)) for share in shares]
    clusters: dict[str, object] = {"clusters": told}
    again = retries(policy.fallback, timeout, retry_policy()) if policy.fallback else retry_policy()
    action: dict[str, object] = {"weighted_clusters": clusters, **timeouts(timeout), "retry_policy": again}
    if shadows:
        action["request_mirror_policies"] = mirrors(policy, shadows, shares)
    if sticky is not None:
        clusters["use_hash_policy"] = True
        action["hash_policy"] = [_hash_policy(policy, sticky)]
    return action


def _share(share: Share, policy: PolicyRoute, more: Sequence[JsonMap]) -> JsonMap:
    said = [set_header("x-turnout-arm", literal(share.arm.name))]
    if share.rule is not None:
        said.append(set_header("x-turnout-rule", literal(share.rule)))
    propensity = set_header("x-turnout-propensity", f"{share.propensity:g}")
    instead = response_headers() if policy.fallback and policy.fallback.arms else []
    return {
        "name": destination(policy, share.arm),
        "weight": share.width,
        "request_headers_to_add": [*said, propensity, *more],
        "response_headers_to_add": [*said, *instead, set_header("x-turnout-policy-version", literal(policy.version))],
    }


def timeouts(seconds: float) -> dict[str, object]:
    """Envoy cuts a stream that says nothing for 5 min, however long it may take."""
    text = f"{seconds:.3f}s"
    return {"timeout": text, "idle_timeout": text} if seconds > _IDLE_SECONDS else {"timeout": text}


def retry_policy() -> dict[str, object]:
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
    salt = f"{policy.key.namespace}/{policy.objective}:".replace("\\", "\\\\")
    if sticky.kind == "cookie":
        cookie = {"pattern": {"regex": f"^{cookie_pattern(sticky.name)}$"}, "substitution": salt + r"\1\2"}
        return {"header": {"header_name": "cookie", "regex_rewrite": cookie}}
    rewrite = {"pattern": {"regex": "^(.*)$"}, "substitution": salt + r"\1"}
    name = sticky.name if sticky.kind == "header" else ENTITY_HEADER
    return {"header": {"header_name": name, "regex_rewrite": rewrite}}
